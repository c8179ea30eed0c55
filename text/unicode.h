/*
** unicode.h - properties of code points, as the Hugging Face tokenizers library sees them.
**
** That library mixes versions of Unicode (unicode_tables.h says where); each function names the
** one it follows.
*/
#ifndef TEXT_UNICODE_H
#define TEXT_UNICODE_H

#include <stdint.h>

#define UNICODE_DECOMPOSED 18 /* code points of the longest decomposition, U+FDFA */

int unicode_is_space(uint32_t c);       /* White_Space */
int unicode_is_numeric(uint32_t c);     /* Nd, Nl, No */
int unicode_is_punctuation(uint32_t c); /* P*, or one of the ASCII punctuation and symbol characters */
int unicode_is_control(uint32_t c);     /* Cc, Cf, Co */
int unicode_is_nonspacing(uint32_t c);  /* Mn, Unicode 8 */
int unicode_is_mark(uint32_t c);        /* Mn, Mc, Me, Unicode 9 */
int unicode_is_ideograph(uint32_t c);   /* the CJK blocks BERT sets apart */

/* Full lower case of 'c', without context (no final sigma); returns how many, 1 or 2. */
int unicode_lower(uint32_t c, uint32_t out[2]);

/* Normal forms, Unicode 9. */
int unicode_combining_class(uint32_t c);
int unicode_decompose(uint32_t c, int compat, uint32_t out[UNICODE_DECOMPOSED]); /* returns how many */
uint32_t unicode_compose(uint32_t a, uint32_t b);                                /* 0: they do not compose */

#endif
