/* template.h - TemplateProcessing: where the texts and the special tokens go. */
#ifndef TEXT_TEMPLATE_H
#define TEXT_TEMPLATE_H

#include "encoding.h"
#include "json.h"

struct template;

/* LUN_EIO, LUN_EMEM. */
lun_status template_read(const cJSON *json, struct template **out, struct text_error *err);

size_t template_added(const struct template *t, int pair);

/* As postprocessor_run(). */
lun_status template_run(const struct template *t, int add_special_tokens, struct encodings *list, struct text_error *err);

void template_free(struct template *t);

#endif
