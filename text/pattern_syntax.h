/* pattern_syntax.h - Oniguruma's Ruby syntax in PCRE2's words. */
#ifndef TEXT_PATTERN_SYNTAX_H
#define TEXT_PATTERN_SYNTAX_H

#include "utf8.h"

/*
** Appends the pattern, translated and ended by a NUL.  LUN_EIO names a construct that has no
** translation; LUN_EMEM.
*/
lun_status regex_translate(const char *pattern, struct utf8_bytes *out, struct text_error *err);

#endif
