/* truncation.c - truncation and padding. */
#include "truncation.h"

#include <stdlib.h>
#include <string.h>

#include "string_set.h"

/* Index of the member's value in 'names', or LUN_EIO. */
static lun_status read_choice(const cJSON *json, const char *where, const char *name, const char *const *names,
                              int count, int *out, struct text_error *err) {
  const char *value;
  lun_status st = json_string(json, where, name, &value, err);
  if (st != LUN_OK) return st;
  for (*out = 0; *out < count; ++*out)
    if (strcmp(value, names[*out]) == 0) return LUN_OK;
  return text_fail(err, LUN_EIO, "%s: unknown %s \"%.40s\"", where, name, value);
}

lun_status truncation_read(const cJSON *json, struct truncation *out, struct text_error *err) {
  static const char *const strategies[] = {"LongestFirst", "OnlyFirst", "OnlySecond"};
  static const char *const directions[] = {"Right", "Left"};
  int strategy = 0;
  lun_status st;
  if (json == NULL) return LUN_OK;
  st = json_u32(json, "truncation", "max_length", &out->max_length, err);
  if (st == LUN_OK) st = json_u32(json, "truncation", "stride", &out->stride, err);
  if (st == LUN_OK) st = read_choice(json, "truncation", "strategy", strategies, 3, &strategy, err);
  if (st == LUN_OK && json_member(json, "direction") != NULL)
    st = read_choice(json, "truncation", "direction", directions, 2, &out->from_left, err);
  out->strategy = (enum truncation_strategy)strategy;
  out->active = 1;
  return st;
}

lun_status padding_read(const cJSON *json, struct padding *out, struct text_error *err) {
  static const char *const directions[] = {"Right", "Left"};
  const cJSON *strategy = json_member(json, "strategy");
  const char *token;
  lun_status st = LUN_OK;
  if (json == NULL) return LUN_OK;
  if (cJSON_IsObject(strategy)) st = json_u32(strategy, "padding", "Fixed", &out->fixed, err);
  else if (!cJSON_IsString(strategy) || strcmp(strategy->valuestring, "BatchLongest") != 0)
    st = text_fail(err, LUN_EIO, "padding: \"strategy\" is neither \"BatchLongest\" nor {\"Fixed\": n}");
  if (st == LUN_OK) st = read_choice(json, "padding", "direction", directions, 2, &out->to_left, err);
  if (st == LUN_OK && json_member(json, "pad_to_multiple_of") != NULL)
    st = json_u32(json, "padding", "pad_to_multiple_of", &out->multiple, err);
  if (st == LUN_OK) st = json_u32(json, "padding", "pad_id", &out->id, err);
  if (st == LUN_OK) st = json_u32(json, "padding", "pad_type_id", &out->type_id, err);
  if (st == LUN_OK) st = json_string(json, "padding", "pad_token", &token, err);
  if (st != LUN_OK) return st;
  if (out->fixed > 1u << 20 || out->multiple > 1u << 20)
    return text_fail(err, LUN_EIO, "padding: to %u, in multiples of %u, is longer than %u", (unsigned)out->fixed,
                     (unsigned)out->multiple, 1u << 20);
  out->token = string_copy(token);
  out->active = 1;
  return out->token == NULL ? text_no_memory(err) : LUN_OK;
}

static lun_status keep(const struct truncation *t, struct encoding *e, size_t count, struct text_error *err) {
  if (count < e->count && count > 0 && t->stride >= count)
    return text_fail(err, LUN_EARG, "truncation: stride %u is not below the length %zu", (unsigned)t->stride, count);
  encoding_keep(e, count, t->from_left);
  return LUN_OK;
}

/* The longer of the two gives first; when both must, they share the room equally. */
static lun_status keep_longest_first(const struct truncation *t, size_t room, struct encoding *a, struct encoding *b,
                                     struct text_error *err) {
  int swapped = a->count > b->count;
  struct encoding *shorter = swapped ? b : a, *longer = swapped ? a : b;
  size_t n = shorter->count, m = n > room || room - n < n ? n : room - n;
  lun_status st;
  if (n + m > room) {
    n = room / 2;
    m = n + room % 2;
  }
  st = keep(t, shorter, n, err);
  return st == LUN_OK ? keep(t, longer, m, err) : st;
}

lun_status truncation_apply(const struct truncation *t, size_t added, struct encodings *list, struct text_error *err) {
  struct encoding *first, *second, *target;
  size_t room, total;
  if (!t->active) return LUN_OK;
  if (added > t->max_length)
    return text_fail(err, LUN_EARG, "truncation to %u tokens leaves no room for %zu special ones", (unsigned)t->max_length, added);
  room = t->max_length - added;
  first = &list->items[0];
  second = list->count > 1 ? &list->items[1] : NULL;
  total = first->count + (second == NULL ? 0 : second->count);
  if (total <= room) return LUN_OK;
  if (room == 0) {
    encoding_keep(first, 0, 0);
    if (second != NULL) encoding_keep(second, 0, 0);
    return LUN_OK;
  }
  if (t->strategy == TRUNCATE_LONGEST_FIRST)
    return second == NULL ? keep(t, first, room, err) : keep_longest_first(t, room, first, second, err);
  target = t->strategy == TRUNCATE_ONLY_FIRST ? first : second;
  if (target == NULL) return text_fail(err, LUN_EARG, "truncation of the second text only, but there is one text");
  if (target->count <= total - room)
    return text_fail(err, LUN_EARG, "truncation: a text of %zu tokens cannot lose %zu", target->count, total - room);
  return keep(t, target, target->count - (total - room), err);
}

lun_status padding_apply(const struct padding *p, struct encoding *e, struct text_error *err) {
  size_t want = p->fixed > 0 ? p->fixed : e->count, had = e->count, pad;
  lun_status st = LUN_OK;
  if (!p->active) return LUN_OK;
  if (p->multiple > 0 && want % p->multiple > 0) want += p->multiple - want % p->multiple;
  if (want <= had) return LUN_OK;
  pad = want - had;
  while (st == LUN_OK && e->count < want) st = encoding_add(e, p->id, p->type_id, 0, 0, p->token, strlen(p->token), err);
  if (st == LUN_OK && p->to_left && had > 0) {
    struct encoded one = e->items[had]; /* the paddings are alike but for where their text lies */
    size_t i;
    memmove(e->items + pad, e->items, had * sizeof *e->items);
    for (i = 0; i < pad; i++) e->items[i] = one;
  }
  return st;
}
