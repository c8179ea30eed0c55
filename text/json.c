/* json.c - checks the bytes of a JSON text before cJSON sees them, and reads typed members after. */
#include "json.h"

#include <string.h>

#include "utf8.h"

enum { MAX_DEPTH = 64 };

/* Finds what cJSON would take and should not: bad UTF-8, NULs, deep nesting. */
static lun_status check(const char *text, size_t len, struct text_error *err) {
  size_t i = utf8_valid_prefix(text, len);
  int depth = 0, in_string = 0;
  if (i < len) return text_fail(err, LUN_EIO, "not UTF-8 at byte %zu of %zu", i, len);
  for (i = 0; i < len; i++) {
    char c = text[i];
    if (c == '\0') return text_fail(err, LUN_EIO, "NUL at byte %zu of %zu", i, len);
    if (in_string && c == '\\') {
      if (len - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0)
        return text_fail(err, LUN_EIO, "\\u0000 in a string, at byte %zu of %zu, is not supported", i, len);
      i++;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      if (++depth > MAX_DEPTH)
        return text_fail(err, LUN_EIO, "nested deeper than %d at byte %zu of %zu", MAX_DEPTH, i, len);
    } else if (!in_string && (c == ']' || c == '}')) {
      depth--;
    }
  }
  return LUN_OK;
}

lun_status json_parse(const char *text, size_t len, cJSON **out, struct text_error *err) {
  const char *end = text;
  lun_status st = check(text, len, err);
  *out = NULL;
  if (st != LUN_OK) return st;
  *out = cJSON_ParseWithLengthOpts(text, len, &end, 0);
  if (*out == NULL) return text_fail(err, LUN_EIO, "malformed JSON at byte %zu of %zu", (size_t)(end - text), len);
  while (end < text + len && strchr(" \t\r\n", *end) != NULL) end++;
  if (end < text + len) {
    cJSON_Delete(*out);
    *out = NULL;
    return text_fail(err, LUN_EIO, "malformed JSON: more text after its end, at byte %zu of %zu", (size_t)(end - text), len);
  }
  return LUN_OK;
}

const cJSON *json_member(const cJSON *object, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
  return cJSON_IsNull(item) ? NULL : item;
}

static const char *kind_of(const cJSON *item) {
  if (item == NULL) return "nothing";
  if (cJSON_IsBool(item)) return "a boolean";
  if (cJSON_IsNumber(item)) return "a number";
  if (cJSON_IsString(item)) return "a string";
  if (cJSON_IsArray(item)) return "an array";
  return cJSON_IsNull(item) ? "null" : "an object";
}

static lun_status wrong(const char *where, const char *name, const cJSON *item, const char *want,
                        struct text_error *err) {
  return text_fail(err, LUN_EIO, "%s: \"%s\" is %s, want %s", where, name, kind_of(item), want);
}

lun_status json_bool(const cJSON *object, const char *where, const char *name, int *out, struct text_error *err) {
  const cJSON *item = json_member(object, name);
  if (!cJSON_IsBool(item)) return wrong(where, name, item, "a boolean", err);
  *out = cJSON_IsTrue(item);
  return LUN_OK;
}

lun_status json_bool_or(const cJSON *object, const char *where, const char *name, int def, int *out,
                        struct text_error *err) {
  *out = def;
  return json_member(object, name) == NULL ? LUN_OK : json_bool(object, where, name, out, err);
}

lun_status json_string(const cJSON *object, const char *where, const char *name, const char **out,
                       struct text_error *err) {
  const cJSON *item = json_member(object, name);
  if (!cJSON_IsString(item)) return wrong(where, name, item, "a string", err);
  *out = item->valuestring;
  return LUN_OK;
}

lun_status json_string_or(const cJSON *object, const char *where, const char *name, const char *def, const char **out,
                          struct text_error *err) {
  *out = def;
  return json_member(object, name) == NULL ? LUN_OK : json_string(object, where, name, out, err);
}

int json_is_u32(const cJSON *item, uint32_t *out) {
  if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= UINT32_MAX)) return 0;
  *out = (uint32_t)item->valuedouble;
  return *out == item->valuedouble;
}

lun_status json_u32(const cJSON *object, const char *where, const char *name, uint32_t *out, struct text_error *err) {
  const cJSON *item = json_member(object, name);
  return json_is_u32(item, out) ? LUN_OK : wrong(where, name, item, "an integer from 0 to 4294967295", err);
}

lun_status json_array(const cJSON *object, const char *where, const char *name, const cJSON **out,
                      struct text_error *err) {
  *out = json_member(object, name);
  return cJSON_IsArray(*out) ? LUN_OK : wrong(where, name, *out, "an array", err);
}

lun_status json_type(const cJSON *item, const char *part, const char **type, struct text_error *err) {
  if (!cJSON_IsObject(item)) return text_fail(err, LUN_EIO, "%s is %s, want an object", part, kind_of(item));
  return json_string(item, part, "type", type, err);
}
