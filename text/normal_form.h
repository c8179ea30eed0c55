/* normal_form.h - NFC, NFD, NFKC and NFKD. */
#ifndef TEXT_NORMAL_FORM_H
#define TEXT_NORMAL_FORM_H

#include "normalized.h"

/*
** The normal form of 'text' (valid UTF-8) as changes to it, in the place of what 'out' held.
** 'compat' for the K forms, 'compose' for the C forms.  Source: Unicode Standard Annex 15.  LUN_EMEM.
*/
lun_status normal_form(const char *text, size_t len, int compat, int compose, struct changes *out, struct text_error *err);

#endif
