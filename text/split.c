/* split.c - joins matches with their neighbours, or removes them. */
#include "split.h"

#include <string.h>

static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};

lun_status split_behavior_read(const cJSON *owner, const char *where, enum split_behavior *out, struct text_error *err) {
  const char *name;
  size_t i;
  lun_status st = json_string(owner, where, "behavior", &name, err);
  if (st != LUN_OK) return st;
  for (i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) {
      *out = (enum split_behavior)i;
      return LUN_OK;
    }
  return text_fail(err, LUN_EIO, "%s: unknown behavior \"%.40s\"", where, name);
}

/*
** Whether a range joins the one walked over before it: Contiguous joins equals, the Merged kinds put a
** match to a range that is none.
*/
static int joins(enum split_behavior behavior, int match, int previous_match) {
  return behavior == SPLIT_CONTIGUOUS ? match == previous_match : match && !previous_match;
}

void split_apply(struct ranges *r, enum split_behavior behavior, int invert) {
  size_t kept = 0, i;
  int previous = 0, backwards = behavior == SPLIT_MERGED_WITH_NEXT;
  for (i = 0; i < r->count; i++) r->items[i].match ^= invert;
  if (behavior == SPLIT_REMOVED) return;
  for (i = 0; i < r->count; i++) {
    /* backwards, 'kept' counts from the end */
    struct range *item = &r->items[backwards ? r->count - 1 - i : i];
    struct range *last = kept == 0 ? NULL : &r->items[backwards ? r->count - kept : kept - 1];
    int match = item->match;
    if (last != NULL && behavior != SPLIT_ISOLATED && joins(behavior, match, previous)) {
      if (backwards) last->begin = item->begin;
      else last->end = item->end;
    } else {
      last = &r->items[backwards ? r->count - kept - 1 : kept];
      *last = *item;
      last->match = 0;
      kept++;
    }
    previous = match;
  }
  if (backwards && kept > 0) memmove(r->items, r->items + (r->count - kept), kept * sizeof *r->items);
  r->count = kept;
}
