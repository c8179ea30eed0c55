/* text_cases.c - every part of a tokenizer.json, on made-up tokenizers: tests/data/tokenizers/cases.json. */
#include "text_rows.h"

/* The case's tokenizer: its parts, the model it names, and what it changes there. */
static struct tokenizer *make(const cJSON *one, const cJSON *models, const char *name) {
  cJSON *json = cJSON_Duplicate(cJSON_GetObjectItem(one, "tokenizer"), 1);
  cJSON *model = cJSON_Duplicate(cJSON_GetObjectItem(models, cJSON_GetObjectItem(one, "model")->valuestring), 1);
  const cJSON *over;
  struct tokenizer *t = NULL;
  struct text_error err = {0};
  char *text;
  cJSON_ArrayForEach(over, cJSON_GetObjectItem(one, "over")) {
    cJSON_DeleteItemFromObjectCaseSensitive(model, over->string);
    cJSON_AddItemToObject(model, over->string, cJSON_Duplicate(over, 1));
  }
  cJSON_AddItemToObject(json, "model", model);
  text = cJSON_Print(json);
  CHECK(tokenizer_parse(text, strlen(text), &t, &err) == LUN_OK, "%s: %s", name, err.message);
  free(text);
  cJSON_Delete(json);
  return t;
}

int main(void) {
  cJSON *root = read_json("tests/data/tokenizers/cases.json");
  const cJSON *one, *row;
  int number = 0;
  CHECK(root != NULL, "tests/data/tokenizers/cases.json is not there");
  cJSON_ArrayForEach(one, cJSON_GetObjectItem(root, "cases")) {
    char name[32];
    struct tokenizer *t;
    snprintf(name, sizeof name, "case %d", ++number);
    t = make(one, cJSON_GetObjectItem(root, "models"), name);
    if (t != NULL) cJSON_ArrayForEach(row, cJSON_GetObjectItem(one, "rows")) check_row(t, name, row, 1);
    tokenizer_free(t);
  }
  cJSON_Delete(root);
  return check_end();
}
