/* text_vectors.c - real tokenizers against the vectors of Hugging Face and of ggml. */
#include "text_rows.h"

static int skipped;

static void skip(const char *name, const char *why) {
  printf("skip %s: %s\n", name, why);
  skipped++;
}

static struct tokenizer *load(const char *path) {
  struct tokenizer *t = NULL;
  struct text_error err = {0};
  CHECK(tokenizer_load(path, &t, &err) == LUN_OK, "%s: %s", path, err.message);
  return t;
}

static void check_vectors(const char *tokenizer, const char *vectors) {
  cJSON *rows = read_json(vectors);
  const cJSON *row;
  struct tokenizer *t;
  if (rows == NULL) {
    skip(vectors, "not there");
    return;
  }
  t = load(tokenizer);
  if (t != NULL) cJSON_ArrayForEach(row, rows) check_row(t, vectors, row, 0);
  tokenizer_free(t);
  cJSON_Delete(rows);
}

/* Texts between lines "__ggml_vocab_test__", and a line of ids for each. */
static void check_ggml(const char *tokenizer, const char *name) {
  static const char mark[] = "\n__ggml_vocab_test__\n";
  char path[256];
  char *texts, *ids, *text, *line;
  struct tokenizer *t;
  snprintf(path, sizeof path, "../shared/data/tokenizers/vectors/ggml-vocab-%s.gguf.inp", name);
  texts = read_whole(path);
  snprintf(path, sizeof path, "../shared/data/tokenizers/vectors/ggml-vocab-%s.gguf.out", name);
  ids = read_whole(path);
  t = texts == NULL || ids == NULL ? NULL : load(tokenizer);
  if (texts == NULL || ids == NULL) skip(path, "not there");
  for (text = texts, line = ids; t != NULL && text != NULL && line != NULL;) {
    char *text_end = strstr(text, mark), *line_end = strchr(line, '\n'), *number = line;
    struct encoding e = {0};
    struct text_error err = {0};
    size_t len = text_end == NULL ? strlen(text) : (size_t)(text_end - text), i;
    int same;
    if (text_end == NULL) break; /* behind the last mark is nothing */
    if (line_end != NULL) *line_end = '\0';
    same = tokenizer_encode(t, text, len, NULL, 0, 0, &e, &err) == LUN_OK;
    for (i = 0; same && i < e.count; i++) same = strtol(number, &number, 10) == (long)e.items[i].id;
    CHECK(same && strspn(number, " ") == strlen(number), "%s: \"%.*s\" is not %s", name, (int)len, text, line);
    encoding_free(&e);
    text = text_end + sizeof mark - 1;
    line = line_end == NULL ? NULL : line_end + 1;
  }
  tokenizer_free(t);
  free(texts);
  free(ids);
}

int main(void) {
  check_vectors("tests/data/tokenizers/gpt2/tokenizer.json", "tests/data/tokenizers/gpt2/vectors.json");
  check_vectors("tests/data/tokenizers/bert-base-uncased/tokenizer.json", "tests/data/tokenizers/bert-base-uncased/vectors.json");
  check_vectors("tests/data/tokenizers/clip/tokenizer.json", "tests/data/tokenizers/clip/vectors.json");
  check_vectors("../shared/data/tokenizers/bart/tokenizer.json", "../shared/data/tokenizers/vectors_hf/bart.json");
  check_vectors("../shared/data/tokenizers/llama2/tokenizer.json", "../shared/data/tokenizers/vectors_hf/llama2.json");
  check_ggml("tests/data/tokenizers/gpt2/tokenizer.json", "gpt-2");
  check_ggml("tests/data/tokenizers/bert-base-uncased/tokenizer.json", "bert-bge");
  printf("%d passed, %d failed, %d skipped\n", check_passed, check_failed, skipped);
  return check_failed > 0;
}
