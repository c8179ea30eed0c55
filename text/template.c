/* template.c - TemplateProcessing: reads and applies the templates of one text and of a pair. */
#include "template.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

/* A text, or a group of special tokens. */
struct part {
  int sequence; /* 0 and 1: the texts; -1: the tokens */
  uint32_t type_id;
  struct encoding tokens;
};

struct parts {
  struct part *items;
  size_t count, cap;
};

struct template {
  struct parts of[2]; /* of one text, of a pair */
};

static const char where[] = "post_processor \"TemplateProcessing\"";

static lun_status read_special(const cJSON *specials, const char *id, struct part *part, struct text_error *err) {
  const cJSON *special = json_member(specials, id), *ids, *tokens, *i, *t;
  lun_status st;
  if (special == NULL) return text_fail(err, LUN_EIO, "%s: no special token \"%.80s\"", where, id);
  st = json_array(special, where, "ids", &ids, err);
  if (st == LUN_OK) st = json_array(special, where, "tokens", &tokens, err);
  if (st != LUN_OK) return st;
  for (i = ids->child, t = tokens->child; i != NULL && t != NULL; i = i->next, t = t->next) {
    uint32_t token;
    if (!json_is_u32(i, &token) || !cJSON_IsString(t)) break;
    st = encoding_add(&part->tokens, token, part->type_id, 0, 0, t->valuestring, strlen(t->valuestring), err);
    if (st != LUN_OK) return st;
  }
  return i == NULL && t == NULL
             ? LUN_OK
             : text_fail(err, LUN_EIO, "%s: ids and tokens of \"%.80s\" do not match", where, id);
}

static lun_status read_part(const cJSON *json, const cJSON *specials, int pair, struct parts *parts,
                            struct text_error *err) {
  const cJSON *sequence = json_member(json, "Sequence"), *special = json_member(json, "SpecialToken");
  const cJSON *body = sequence != NULL ? sequence : special;
  struct part *part;
  const char *id;
  lun_status st = json_string(body, where, "id", &id, err);
  if (st != LUN_OK) return st;
  if (!ARRAY_RESERVE(parts, parts->count + 1)) return text_no_memory(err);
  part = &parts->items[parts->count++];
  memset(part, 0, sizeof *part);
  st = json_u32(body, where, "type_id", &part->type_id, err);
  if (st != LUN_OK) return st;
  part->sequence = -1;
  if (sequence == NULL) return read_special(specials, id, part, err);
  if (strcmp(id, "A") == 0) part->sequence = 0;
  else if (strcmp(id, "B") == 0 && pair) part->sequence = 1;
  else return text_fail(err, LUN_EIO, "%s: no sequence \"%.40s\" for %s", where, id, pair ? "a pair" : "one text");
  return LUN_OK;
}

lun_status template_read(const cJSON *json, struct template **out, struct text_error *err) {
  static const char *const names[2] = {"single", "pair"};
  const cJSON *specials = json_member(json, "special_tokens"), *list, *item;
  lun_status st = LUN_OK;
  int pair;
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return text_no_memory(err);
  for (pair = 0; st == LUN_OK && pair < 2; pair++) {
    st = json_array(json, where, names[pair], &list, err);
    for (item = st == LUN_OK ? list->child : NULL; st == LUN_OK && item != NULL; item = item->next)
      st = read_part(item, specials, pair, &(*out)->of[pair], err);
  }
  return st;
}

size_t template_added(const struct template *t, int pair) {
  size_t i, n = 0;
  for (i = 0; i < t->of[pair].count; i++) n += t->of[pair].items[i].tokens.count;
  return n;
}

static lun_status run_part(const struct part *part, int add_special_tokens, struct encodings *in,
                           struct encodings *out, struct text_error *err) {
  const struct encoding *from = part->sequence < 0 ? &part->tokens : &in->items[part->sequence];
  struct encoding *e;
  size_t i;
  lun_status st;
  if (part->sequence < 0 && !add_special_tokens) return LUN_OK;
  e = encodings_add(out);
  if (e == NULL) return text_no_memory(err);
  st = encoding_append(e, from, err);
  for (i = 0; i < e->count; i++) e->items[i].type_id = part->type_id;
  return st;
}

lun_status template_run(const struct template *t, int add_special_tokens, struct encodings *list,
                        struct text_error *err) {
  struct encodings out = {0};
  const struct parts *parts;
  size_t i;
  lun_status st = LUN_OK;
  if (list->count < 1 || list->count > 2)
    return text_fail(err, LUN_EIO, "%s: given %zu parts by the processor before it, wants 1 or 2", where, list->count);
  parts = &t->of[list->count - 1];
  for (i = 0; st == LUN_OK && i < parts->count; i++)
    st = run_part(&parts->items[i], add_special_tokens, list, &out, err);
  encodings_free(list);
  *list = out;
  return st;
}

void template_free(struct template *t) {
  size_t i;
  int pair;
  if (t == NULL) return;
  for (pair = 0; pair < 2; pair++) {
    for (i = 0; i < t->of[pair].count; i++) encoding_free(&t->of[pair].items[i].tokens);
    free(t->of[pair].items);
  }
  free(t);
}
