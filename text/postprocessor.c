/* postprocessor.c - reads and runs post-processors. */
#include "postprocessor.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "byte_level.h"
#include "string_set.h"
#include "template.h"
#include "unicode.h"
#include "utf8.h"

enum processor_kind { PROCESSOR_BYTE_LEVEL, PROCESSOR_BERT, PROCESSOR_ROBERTA, PROCESSOR_TEMPLATE };

struct special {
  char *token;
  uint32_t id;
};

struct processor {
  enum processor_kind kind;
  int trim_offsets, add_prefix_space; /* PROCESSOR_BYTE_LEVEL, PROCESSOR_ROBERTA */
  struct special sep, cls;            /* PROCESSOR_BERT, PROCESSOR_ROBERTA */
  struct template *template;          /* PROCESSOR_TEMPLATE */
};

struct postprocessor {
  struct processor *items;
  size_t count, cap;
};

/* ["token", id] */
static lun_status read_special(const cJSON *json, const char *where, const char *name, struct special *out,
                               struct text_error *err) {
  const cJSON *list;
  lun_status st = json_array(json, where, name, &list, err);
  if (st != LUN_OK) return st;
  if (!cJSON_IsString(list->child) || !json_is_u32(list->child->next, &out->id) || list->child->next->next != NULL)
    return text_fail(err, LUN_EIO, "%s: \"%s\" is not [token, id]", where, name);
  out->token = string_copy(list->child->valuestring);
  return out->token == NULL ? text_no_memory(err) : LUN_OK;
}

static lun_status read_processor(struct postprocessor *p, const cJSON *json, struct text_error *err) {
  static const struct {
    const char *name, *where;
  } kinds[] = {
      [PROCESSOR_BYTE_LEVEL] = {"ByteLevel", "post_processor \"ByteLevel\""},
      [PROCESSOR_BERT] = {"BertProcessing", "post_processor \"BertProcessing\""},
      [PROCESSOR_ROBERTA] = {"RobertaProcessing", "post_processor \"RobertaProcessing\""},
      [PROCESSOR_TEMPLATE] = {"TemplateProcessing", "post_processor \"TemplateProcessing\""},
  };
  const char *type, *where;
  struct processor *s;
  size_t kind;
  lun_status st = json_type(json, "post_processor", &type, err);
  if (st != LUN_OK) return st;
  if (strcmp(type, "Sequence") == 0) {
    const cJSON *list, *item;
    st = json_array(json, "post_processor \"Sequence\"", "processors", &list, err);
    for (item = st == LUN_OK ? list->child : NULL; st == LUN_OK && item != NULL; item = item->next)
      st = read_processor(p, item, err);
    return st;
  }
  for (kind = 0; kind < sizeof kinds / sizeof *kinds && strcmp(type, kinds[kind].name) != 0; kind++) continue;
  if (kind == sizeof kinds / sizeof *kinds) return text_fail(err, LUN_EIO, "unsupported post_processor \"%.80s\"", type);
  if (!ARRAY_RESERVE(p, p->count + 1)) return text_no_memory(err);
  s = &p->items[p->count++];
  memset(s, 0, sizeof *s);
  s->kind = (enum processor_kind)kind;
  where = kinds[kind].where;
  if (s->kind == PROCESSOR_TEMPLATE) return template_read(json, &s->template, err);
  if (s->kind != PROCESSOR_BERT) {
    st = json_bool(json, where, "trim_offsets", &s->trim_offsets, err);
    if (st == LUN_OK) st = json_bool(json, where, "add_prefix_space", &s->add_prefix_space, err);
  }
  if (s->kind != PROCESSOR_BYTE_LEVEL) {
    if (st == LUN_OK) st = read_special(json, where, "sep", &s->sep, err);
    if (st == LUN_OK) st = read_special(json, where, "cls", &s->cls, err);
  }
  return st;
}

lun_status postprocessor_read(const cJSON *json, struct postprocessor **out, struct text_error *err) {
  lun_status st;
  *out = NULL;
  if (json == NULL) return LUN_OK;
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return text_no_memory(err);
  st = read_processor(*out, json, err);
  if (st != LUN_OK) {
    postprocessor_free(*out);
    *out = NULL;
  }
  return st;
}

size_t postprocessor_added(const struct postprocessor *p, int pair) {
  size_t i, n = 0;
  for (i = 0; p != NULL && i < p->count; i++) switch (p->items[i].kind) {
      case PROCESSOR_BYTE_LEVEL: break;
      case PROCESSOR_BERT: n += pair ? 3 : 2; break;
      case PROCESSOR_ROBERTA: n += pair ? 4 : 2; break;
      case PROCESSOR_TEMPLATE: n += template_added(p->items[i].template, pair); break;
    }
  return n;
}

/* White space at both ends of a token, in characters; 'c' in the alphabet of bytes or plain. */
static void count_spaces(const char *text, size_t len, size_t *leading, size_t *trailing) {
  size_t at = 0;
  int only = 1;
  *leading = *trailing = 0;
  while (at < len) {
    uint32_t c;
    at += utf8_decode(text + at, &c);
    if (c == BYTE_LEVEL_SPACE || unicode_is_space(c)) {
      ++*trailing;
      *leading += only;
    } else {
      *trailing = 0;
      only = 0;
    }
  }
}

/* Takes the white space of a token out of its offsets. */
static void trim_offsets(struct encoding *e, int add_prefix_space) {
  size_t i, leading, trailing;
  for (i = 0; i < e->count; i++) {
    struct encoded *t = &e->items[i];
    count_spaces(e->texts.items + t->text, t->text_len, &leading, &trailing);
    /* one space at the start is the prefix, which was not in the text */
    if (leading == 1 && add_prefix_space && (i == 0 || t->begin == 0)) leading = 0;
    t->begin = t->begin + leading < t->end ? t->begin + leading : t->end;
    if (trailing > 0 && t->end >= trailing) t->end = t->end - trailing > t->begin ? t->end - trailing : t->begin;
  }
}

static lun_status add_special(struct encoding *e, const struct special *s, uint32_t type_id, struct text_error *err) {
  return encoding_add(e, s->id, type_id, 0, 0, s->token, strlen(s->token), err);
}

/* BERT: [CLS] A [SEP] B [SEP]; RoBERTa: <s> A </s></s> B </s>, type ids 0. */
static lun_status surround(const struct processor *s, struct encodings *list, struct text_error *err) {
  size_t i;
  lun_status st = LUN_OK;
  for (i = 0; st == LUN_OK && i < list->count; i++) {
    struct encoding e = {0};
    uint32_t type_id = s->kind == PROCESSOR_BERT && i > 0;
    if (i == 0) st = add_special(&e, &s->cls, 0, err);
    else if (s->kind == PROCESSOR_ROBERTA) st = add_special(&e, &s->sep, 0, err);
    if (st == LUN_OK) st = encoding_append(&e, &list->items[i], err);
    if (st == LUN_OK) st = add_special(&e, &s->sep, type_id, err);
    encoding_free(&list->items[i]);
    list->items[i] = e;
  }
  return st;
}

lun_status postprocessor_run(const struct postprocessor *p, int add_special_tokens, struct encodings *list,
                             struct text_error *err) {
  size_t i, k, m;
  lun_status st = LUN_OK;
  for (i = 0; p != NULL && st == LUN_OK && i < p->count; i++) {
    const struct processor *s = &p->items[i];
    if (s->kind == PROCESSOR_TEMPLATE) {
      st = template_run(s->template, add_special_tokens, list, err);
      continue;
    }
    for (k = 0; k < list->count; k++) {
      if (s->trim_offsets) trim_offsets(&list->items[k], s->add_prefix_space);
      if (s->kind == PROCESSOR_ROBERTA)
        for (m = 0; m < list->items[k].count; m++) list->items[k].items[m].type_id = 0;
    }
    if (s->kind != PROCESSOR_BYTE_LEVEL && add_special_tokens) st = surround(s, list, err);
  }
  return st;
}

void postprocessor_free(struct postprocessor *p) {
  size_t i;
  if (p == NULL) return;
  for (i = 0; i < p->count; i++) {
    free(p->items[i].sep.token);
    free(p->items[i].cls.token);
    template_free(p->items[i].template);
  }
  free(p->items);
  free(p);
}
