/* plugin.c - the plugin "text" as Lua sees it: the class tokenizer and the functions that make one. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer.h"

LUN_PLUGIN("text", "0.1.0", "MIT");

static const lun_host *host;

/* State of an object of class tokenizer. */
struct object {
  struct tokenizer *tokenizer;
};

static lun_status fail(lun_ctx *cx, const struct text_error *err) {
  return host->fail(cx, err->code, "%s", err->message);
}

static void drop_object(void *state) { tokenizer_free(((struct object *)state)->tokenizer); }

/* One list of integers of an encoding: what to take of each token, 'per' values. */
static lun_status return_list(lun_ctx *cx, lun_result *out, const struct encoding *e, size_t per,
                              void (*take)(const struct encoded *t, int64_t *values)) {
  int64_t *values = host->scratch(cx, (e->count * per + 1) * sizeof *values);
  size_t i;
  if (values == NULL) return LUN_EMEM;
  for (i = 0; i < e->count; i++) take(&e->items[i], values + i * per);
  return host->ret_ints(out, values, e->count * per);
}

static void take_id(const struct encoded *t, int64_t *values) { values[0] = t->id; }
static void take_type_id(const struct encoded *t, int64_t *values) { values[0] = t->type_id; }
static void take_offsets(const struct encoded *t, int64_t *values) {
  values[0] = (int64_t)t->begin;
  values[1] = (int64_t)t->end;
}

static lun_status return_tokens(lun_ctx *cx, lun_result *out, const struct encoding *e) {
  const char **texts = host->scratch(cx, (e->count + 1) * sizeof *texts);
  size_t *lens = host->scratch(cx, (e->count + 1) * sizeof *lens), i;
  if (texts == NULL || lens == NULL) return LUN_EMEM;
  for (i = 0; i < e->count; i++) {
    texts[i] = e->texts.items + e->items[i].text;
    lens[i] = e->items[i].text_len;
  }
  return host->ret_strs(out, texts, lens, e->count);
}

static lun_status encode(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  struct tokenizer *t = ((struct object *)self)->tokenizer;
  struct encoding e = {0};
  struct text_error err = {0};
  size_t len = 0, pair_len = 0;
  const char *text = host->arg_str(in, "text", &len), *pair = host->arg_str(in, "pair", &pair_len);
  lun_status st = tokenizer_encode(t, text, len, pair, pair_len, (int)host->arg_int(in, "add_special_tokens"), &e, &err);
  if (st != LUN_OK) fail(cx, &err);
  if (st == LUN_OK) st = return_list(cx, out, &e, 1, take_id);
  if (st == LUN_OK) st = return_tokens(cx, out, &e);
  if (st == LUN_OK) st = return_list(cx, out, &e, 2, take_offsets);
  if (st == LUN_OK) st = return_list(cx, out, &e, 1, take_type_id);
  encoding_free(&e);
  return st;
}

static lun_status decode(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  struct tokenizer *t = ((struct object *)self)->tokenizer;
  struct utf8_bytes text = {0};
  struct text_error err = {0};
  size_t count = 0;
  const int64_t *ids = host->arg_ints(in, "ids", &count);
  lun_status st = tokenizer_decode(t, ids, count, (int)host->arg_int(in, "skip_special_tokens"),
                                   (int)host->arg_int(in, "clean_up_tokenization_spaces"), &text, &err);
  st = st != LUN_OK ? fail(cx, &err) : host->ret_str(out, text.items == NULL ? "" : text.items, text.count);
  free(text.items);
  return st;
}

static lun_status token_to_id(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  size_t len = 0;
  uint32_t id;
  const char *token = host->arg_str(in, "token", &len);
  (void)cx;
  return tokenizer_find(((struct object *)self)->tokenizer, token, len, &id) ? host->ret_int(out, id) : host->ret_nil(out);
}

static lun_status id_to_token(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  size_t len = 0;
  const char *token = tokenizer_token(((struct object *)self)->tokenizer, host->arg_int(in, "id"), &len);
  (void)cx;
  return token == NULL ? host->ret_nil(out) : host->ret_str(out, token, len);
}

static lun_status vocab_size(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  (void)cx;
  return host->ret_int(out, (int64_t)tokenizer_vocab_size(((struct object *)self)->tokenizer,
                                                          (int)host->arg_int(in, "with_added_tokens")));
}

static lun_status special_ids(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  size_t count;
  const int64_t *ids = tokenizer_special_ids(((struct object *)self)->tokenizer, &count);
  (void)cx;
  (void)in;
  return host->ret_ints(out, ids, count);
}

static const lun_arg encode_args[] = {
    {LUN_STR, 1, "text", 0, 0, "UTF-8; what is ill-formed counts as U+FFFD"},
    {LUN_STR, 0, "pair", 0, 0, "second text of a pair"},
    {LUN_BOOL, 0, "add_special_tokens", 1, 0, "put special tokens around, as the post_processor says"},
    {LUN_END, 0, NULL, 0, 0, NULL},
};
static const lun_arg decode_args[] = {
    {LUN_INTS, 1, "ids", 0, 0, "token ids, from 0; unknown ones are passed over"},
    {LUN_BOOL, 0, "skip_special_tokens", 1, 0, "leave special tokens out"},
    {LUN_BOOL, 0, "clean_up_tokenization_spaces", 0, 0, "no spaces before punctuation; without effect on BPE, as in transformers 5"},
    {LUN_END, 0, NULL, 0, 0, NULL},
};
static const lun_arg token_args[] = {
    {LUN_STR, 1, "token", 0, 0, "as the vocabulary spells it"},
    {LUN_END, 0, NULL, 0, 0, NULL},
};
static const lun_arg id_args[] = {
    {LUN_INT, 1, "id", 0, 0, "token id, from 0"},
    {LUN_END, 0, NULL, 0, 0, NULL},
};
static const lun_arg vocab_args[] = {
    {LUN_BOOL, 0, "with_added_tokens", 1, 0, "count added tokens too"},
    {LUN_END, 0, NULL, 0, 0, NULL},
};
static const lun_arg load_args[] = {
    {LUN_STR, 1, "path", 0, 0, "of a tokenizer.json"},
    {LUN_END, 0, NULL, 0, 0, NULL},
};
static const lun_arg parse_args[] = {
    {LUN_STR, 1, "json", 0, 0, "contents of a tokenizer.json"},
    {LUN_END, 0, NULL, 0, 0, NULL},
};
static const lun_arg no_args[] = {{LUN_END, 0, NULL, 0, 0, NULL}};

#define METHOD(NAME, FLAGS, DOC, ARGS) {sizeof(lun_func), (FLAGS), #NAME, (DOC), (ARGS), NAME}

static const lun_func methods[] = {
    METHOD(encode, 0,
           "ids, tokens, offsets, type_ids of a text: offsets is a flat list, begin and end of each token in code points, from 0",
           encode_args),
    METHOD(decode, 0, "text of a list of ids", decode_args),
    METHOD(token_to_id, 0, "id of a token, or nil", token_args),
    METHOD(id_to_token, 0, "token of an id, or nil", id_args),
    METHOD(vocab_size, 0, "number of tokens", vocab_args),
    METHOD(special_ids, 0, "ids of the special tokens, ascending", no_args),
    {sizeof(lun_func), 0, NULL, NULL, NULL, NULL},
};

static const lun_class tokenizer_class = {
    sizeof(lun_class), sizeof(struct object), "tokenizer",
    "turns text into token ids and back, as the tokenizer.json it was made from says; ids count from 0",
    methods, drop_object,
};

static lun_status return_object(lun_ctx *cx, lun_result *out, lun_status st, struct tokenizer *t,
                                const struct text_error *err) {
  struct object *o;
  if (st != LUN_OK) return fail(cx, err);
  o = host->ret_object(out, &tokenizer_class);
  if (o == NULL) {
    tokenizer_free(t);
    return host->fail(cx, LUN_EMEM, "out of memory for a tokenizer");
  }
  o->tokenizer = t;
  return LUN_OK;
}

static lun_status load(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  struct tokenizer *t = NULL;
  struct text_error err = {0};
  size_t len = 0;
  lun_status st;
  const char *path = host->arg_str(in, "path", &len);
  (void)self;
  if (memchr(path, '\0', len) != NULL) return host->fail(cx, LUN_EARG, "path: a NUL at byte %zu of %zu", strlen(path), len);
  st = tokenizer_load(path, &t, &err);
  return return_object(cx, out, st, t, &err);
}

static lun_status parse(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  struct tokenizer *t = NULL;
  struct text_error err = {0};
  size_t len = 0;
  lun_status st;
  const char *json = host->arg_str(in, "json", &len);
  (void)self;
  st = tokenizer_parse(json, len, &t, &err);
  return return_object(cx, out, st, t, &err);
}

static const lun_func functions[] = {
    METHOD(load, LUN_MAYFAIL, "tokenizer from a file", load_args),
    METHOD(parse, LUN_MAYFAIL, "tokenizer from the contents of a file", parse_args),
};

lun_status lun_plugin_open(const lun_host *given, lun_plugin *self, const char **why) {
  size_t i;
  lun_status st;
  host = given;
  st = host->add_class(self, &tokenizer_class);
  if (st != LUN_OK) *why = "the class tokenizer could not be registered";
  for (i = 0; st == LUN_OK && i < sizeof functions / sizeof *functions; i++) {
    st = host->add_func(self, &functions[i]);
    if (st != LUN_OK) *why = "a function could not be registered";
  }
  return st;
}
