/* text_memory.c - the n-th allocation of a tokenizer's life fails, for every n: an error, no leak, no crash. */
#include <stddef.h>

#include "text_rows.h"

#if defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__)

int main(void) {
  printf("skip text_memory: malloc cannot be replaced here\n0 passed, 0 failed, 1 skipped\n");
  return 0;
}

#else

/* glibc's own names: what is defined here takes the place of malloc for all libraries too */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void __libc_free(void *p);

static long countdown = -1; /* allocations until one fails; negative: none does */
static long live;           /* blocks not freed */

__attribute__((visibility("default"))) void *malloc(size_t size);
__attribute__((visibility("default"))) void *calloc(size_t count, size_t size);
__attribute__((visibility("default"))) void *realloc(void *p, size_t size);
__attribute__((visibility("default"))) void free(void *p);

static int fails(void) { return countdown >= 0 && countdown-- == 0; }

void *malloc(size_t size) {
  void *p = fails() ? NULL : __libc_malloc(size);
  live += p != NULL;
  return p;
}

void *calloc(size_t count, size_t size) {
  void *p = fails() ? NULL : __libc_calloc(count, size);
  live += p != NULL;
  return p;
}

void *realloc(void *p, size_t size) {
  void *q = fails() ? NULL : __libc_realloc(p, size);
  live += q != NULL && p == NULL;
  return q;
}

void free(void *p) {
  live -= p != NULL;
  __libc_free(p);
}

static const char *const tokenizers[] = {
    "{\"added_tokens\":[{\"id\":9,\"content\":\"<s>\",\"single_word\":true,\"lstrip\":true,\"rstrip\":true,\"normalized\":true,\"special\":true}],"
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\s+\"},\"content\":\" \"},{\"type\":\"Lowercase\"}]},"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true},"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],"
    "\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],\"special_tokens\":{\"x\":{\"id\":\"x\",\"ids\":[1],\"tokens\":[\"x\"]}}},"
    "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"ByteLevel\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"b\"}]},"
    "\"model\":{\"type\":\"BPE\",\"unk_token\":\"a\",\"vocab\":{\"a\":0,\"b\":1,\"\xC4\xA0\":2,\"ab\":3,\"\xC4\xA0\x61\x62\":4},\"merges\":[\"a b\",[\"\xC4\xA0\",\"ab\"]]}}",
    "{\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true},"
    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"},{\"type\":\"Metaspace\",\"replacement\":\"_\"}]},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"s\",1],\"cls\":[\"c\",2]},\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},"
    "\"padding\":{\"strategy\":{\"Fixed\":12},\"direction\":\"Left\",\"pad_to_multiple_of\":8,\"pad_id\":0,\"pad_type_id\":0,\"pad_token\":\"p\"},"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,\"vocab\":{\"u\":0,\"_a\":1,\"##b\":2}}}",
};

/* A life: made, one text encoded, decoded, dropped. */
static lun_status live_once(const char *json, struct text_error *err) {
  static const char text[] = "Ab <s> \xC3\x89 ab\xE4\xB8\x80 . \xFF zz";
  struct tokenizer *t = NULL;
  struct encoding e = {0};
  struct utf8_bytes back = {0};
  int64_t ids[64];
  size_t i;
  lun_status st = tokenizer_parse(json, strlen(json), &t, err);
  if (st == LUN_OK) st = tokenizer_encode(t, text, sizeof text - 1, "ab", 2, 1, &e, err);
  for (i = 0; i < e.count && i < 64; i++) ids[i] = e.items[i].id;
  if (st == LUN_OK) st = tokenizer_decode(t, ids, i, 1, 1, &back, err);
  free(back.items);
  encoding_free(&e);
  tokenizer_free(t);
  return st;
}

int main(void) {
  size_t i;
  for (i = 0; i < sizeof tokenizers / sizeof *tokenizers; i++) {
    long before = live, n;
    int done = 0;
    for (n = 0; !done; n++) {
      struct text_error err = {0};
      lun_status st;
      countdown = n;
      st = live_once(tokenizers[i], &err);
      done = countdown >= 0; /* none was left to fail */
      countdown = -1;
      CHECK(live == before, "tokenizer %zu, allocation %ld: %ld blocks leak", i, n, live - before);
      /* cJSON says only that it failed; PCRE2's JIT does without memory */
      if (done) CHECK(st == LUN_OK, "tokenizer %zu: %s", i, err.message);
      else CHECK(st == LUN_OK || st == LUN_EMEM || strstr(err.message, "JSON") != NULL, "tokenizer %zu, allocation %ld: status %d, %s", i, n, (int)st, err.message);
    }
    CHECK(n > 50, "tokenizer %zu: only %ld allocations", i, n);
  }
  return check_end();
}

#endif
