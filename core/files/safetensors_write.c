/* safetensors_write.c - the header of a safetensors file; safetensors.c says what is in it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "writer.h"

static void put_string(lun_head *h, const char *text) {
  lun_head_text(h, "\"");
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    char          escape[8];
    if (c < 0x20) snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
    else if (c == '"' || c == '\\') snprintf(escape, sizeof escape, "\\%c", c);
    else snprintf(escape, sizeof escape, "%c", c);
    lun_head_text(h, escape);
  }
  lun_head_text(h, "\"");
}

static void put_value(lun_head *h, const lun_meta *v) {
  char digits[32];
  snprintf(digits, sizeof digits, "%" PRId64, v->i);
  put_string(h, v->type == LUN_STR ? v->text : digits);
}

static void put_tensor(lun_head *h, const lun_weight *t, size_t at) {
  char text[64];
  put_string(h, t->name);
  lun_head_text(h, ":{\"dtype\":");
  put_string(h, t->type);
  lun_head_text(h, ",\"shape\":[");
  for (int i = 0; i < t->rank; i++) {
    snprintf(text, sizeof text, "%s%" PRId64, i ? "," : "", t->dim[i]);
    lun_head_text(h, text);
  }
  snprintf(text, sizeof text, "],\"data_offsets\":[%zu,%zu]}", at, at + t->bytes);
  lun_head_text(h, text);
}

void lun_safetensors_header(lun_head *h, const lun_weights *w) {
  size_t at = 0;
  lun_head_number(h, 0, 8);                       /* the length, when it is known */
  lun_head_text(h, "{");
  for (size_t i = 0; i < w->entry_count; i++) {
    lun_head_text(h, i ? "," : "\"__metadata__\":{");
    put_string(h, w->entry[i].key);
    lun_head_text(h, ":");
    put_value(h, &w->entry[i].value);
  }
  if (w->entry_count) lun_head_text(h, w->weight_count ? "}," : "}");
  for (size_t i = 0; i < w->weight_count; i++) {
    if (i) lun_head_text(h, ",");
    put_tensor(h, &w->weight[i], at);
    at += w->weight[i].bytes;
  }
  lun_head_text(h, "}");
  while (h->size % 8 != 0 && lun_error(h->cx) == LUN_OK) lun_head_text(h, " ");
  for (int i = 0; i < 8 && lun_error(h->cx) == LUN_OK; i++) h->data[i] = (unsigned char)((uint64_t)(h->size - 8) >> (8 * i));
}
