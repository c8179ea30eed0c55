/* split.h - what becomes of the matches when text is split at them. */
#ifndef TEXT_SPLIT_H
#define TEXT_SPLIT_H

#include "json.h"
#include "pattern.h"

enum split_behavior { SPLIT_REMOVED, SPLIT_ISOLATED, SPLIT_MERGED_WITH_PREVIOUS, SPLIT_MERGED_WITH_NEXT, SPLIT_CONTIGUOUS };

/* Reads the member "behavior": "Removed", "Isolated", ...  LUN_EIO. */
lun_status split_behavior_read(const cJSON *owner, const char *where, enum split_behavior *out, struct text_error *err);

/*
** Turns matches and the rest, in place, into the parts that stay: those whose 'match' is then 0.
** 'invert' exchanges matches and the rest first.
*/
void split_apply(struct ranges *r, enum split_behavior behavior, int invert);

#endif
