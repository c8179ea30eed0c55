/* text_errors.c - what is malformed or unsupported is refused by name; small questions to a tokenizer. */
#include "text_rows.h"

#define MODEL "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"u\":0,\"a\":1,\"b c\":2}}"

/* The JSON is refused with LUN_EIO and a message that has 'want' in it. */
static void refused(const char *json, const char *want) {
  struct tokenizer *t = NULL;
  struct text_error err = {0};
  lun_status st = tokenizer_parse(json, strlen(json), &t, &err);
  CHECK(st == LUN_EIO && strstr(err.message, want) != NULL, "%.100s: status %d, \"%s\", want \"%s\"", json, (int)st, err.message, want);
  tokenizer_free(t);
}

static void check_refusals(void) {
  char deep[300];
  refused("", "malformed JSON");
  refused("[]", "no object");
  refused("{", "malformed JSON");
  refused("{" MODEL "} x", "malformed JSON");
  refused("{}", "no \"model\"");
  refused("{\"a\":\"\xFF\"}", "not UTF-8 at byte 6");
  refused("{\"a\":\"x\\u0000\"}", "\\u0000");
  memset(deep, '[', sizeof deep - 1);
  deep[sizeof deep - 1] = '\0';
  refused(deep, "nested deeper than 64");
  refused("{\"version\":\"2.0\"," MODEL "}", "unsupported version \"2.0\"");
  refused("{\"normalizer\":{\"type\":\"Precompiled\"}," MODEL "}", "unsupported normalizer \"Precompiled\"");
  refused("{\"normalizer\":{\"type\":\"Strip\",\"strip_left\":3}," MODEL "}", "\"strip_left\" is a number, want a boolean");
  refused("{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":\"\"}," MODEL "}", "bad regular expression");
  refused("{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"[a&&b]\"},\"content\":\"\"}," MODEL "}", "unsupported \"&&\"");
  refused("{\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}," MODEL "}", "unsupported pre_tokenizer \"UnicodeScripts\"");
  refused("{\"post_processor\":{\"type\":\"Nope\"}," MODEL "}", "unsupported post_processor \"Nope\"");
  refused("{\"decoder\":{\"type\":\"CTC\"}," MODEL "}", "unsupported decoder \"CTC\"");
  refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", "unsupported model \"Unigram\"");
  refused("{\"model\":{\"unk_id\":2,\"vocab\":[[\"a\",1.0]]}}", "unsupported model \"Unigram\"");
  refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", "merge 0: token \"b\" is not in the vocabulary");
  refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}", "merge 0");
  refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}", "\"merges\"");
  refused("{\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{},\"merges\":[]}}", "unsupported dropout");
  refused("{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"a\":-1}}}", "token \"a\" has no id");
  refused("{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"a\":1.5}}}", "token \"a\" has no id");
  refused("{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"a\":4000000000}}}", "too large");
}

static void check_questions(void) {
  static const char json[] =
      "{\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}," 
      "{\"id\":4,\"content\":\"d\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":false}],"
      "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}," MODEL "}";
  struct tokenizer *t = NULL;
  struct text_error err = {0};
  struct encoding e = {0};
  struct utf8_bytes text = {0};
  const int64_t *special, odd[] = {1, -5, 99, 3, 0};
  size_t len = 0, count = 0;
  uint32_t id = 0;
  if (!CHECK(tokenizer_parse(json, strlen(json), &t, &err) == LUN_OK, "%s", err.message)) return;
  CHECK(tokenizer_find(t, "b c", 3, &id) && id == 2);
  CHECK(tokenizer_find(t, "<s>", 3, &id) && id == 3);
  CHECK(!tokenizer_find(t, "z", 1, &id));
  CHECK(tokenizer_token(t, 4, &len) != NULL && len == 1);
  CHECK(tokenizer_token(t, 5, &len) == NULL);
  CHECK(tokenizer_token(t, -1, &len) == NULL);
  CHECK(tokenizer_vocab_size(t, 0) == 3);
  CHECK(tokenizer_vocab_size(t, 1) == 5);
  special = tokenizer_special_ids(t, &count);
  CHECK(count == 1 && special[0] == 3);
  /* ill-formed UTF-8: three maximal parts, three U+FFFD, one word of offsets 2 to 5 */
  CHECK(tokenizer_encode(t, "a \xE2\x82\xFF\xC0 d", 8, NULL, 0, 1, &e, &err) == LUN_OK);
  CHECK(e.count == 3 && e.items[0].id == 1 && e.items[1].id == 0 && e.items[1].begin == 2 && e.items[1].end == 5 && e.items[2].id == 4);
  CHECK(tokenizer_decode(t, odd, 5, 1, 0, &text, &err) == LUN_OK && text.count == 3 && memcmp(text.items, "a u", 3) == 0);
  text.count = 0;
  CHECK(tokenizer_decode(t, odd, 0, 1, 0, &text, &err) == LUN_OK && text.count == 0);
  free(text.items);
  encoding_free(&e);
  tokenizer_free(t);
  CHECK(tokenizer_load("tests/data/tokenizers/nowhere.json", &t, &err) == LUN_EIO && strstr(err.message, "nowhere.json") != NULL);
}

int main(void) {
  check_refusals();
  check_questions();
  return check_end();
}
