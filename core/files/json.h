/* json.h - JSON text from files nobody vouches for; private to core/files. */
#ifndef LUN_JSON_H
#define LUN_JSON_H

#include <cjson/cJSON.h>
#include "lun.h"

enum { LUN_JSON_DEPTH = 64 };   /* of arrays and objects inside one another, at most */

/*
** lun_json_parse - the value that 'length' bytes of text hold; free it with
** cJSON_Delete().  Stricter than cJSON: the text must follow RFC 8259 to the end,
** strings must be UTF-8 without NUL (so that a C string is all of one), and no
** object may hold a key twice.
** NULL after an error, which begins with 'what' and names the byte: LUN_EIO, LUN_EMEM.
*/
cJSON *lun_json_parse(lun_ctx *cx, const char *what, const char *text, size_t length);

bool lun_is_utf8(const char *text, size_t length);   /* RFC 3629 */

/* A whole number in [0, 2^53]; false if the item is anything else. */
bool lun_json_size(const cJSON *item, uint64_t *out);

#endif
