/*
** op_fixtures.c - single operations against float64, from fixtures as their
** README describes them: one <op>.json and <op>.safetensors an operation.
** usage: op_fixtures [DIRECTORY]; without one, the committed copy and the shared one.
*/
#include <dirent.h>
#include <sys/stat.h>
#include "op_call.h"
#include "files/json.h"
#include "lun_files.h"

static lun_ctx *cx;

/* ---- one case ---------------------------------------------------------------- */

typedef struct fixture {
  const char  *op;
  int          number;
  const cJSON *params, *inputs, *outputs;
  lun_weights *file;
} fixture;

static double param(const fixture *f, const char *name, int i, double def) {
  const cJSON *p = cJSON_GetObjectItemCaseSensitive(f->params, name);
  if (cJSON_IsArray(p)) p = cJSON_GetArrayItem(p, i);
  return cJSON_IsNumber(p) ? p->valuedouble : cJSON_IsBool(p) ? cJSON_IsTrue(p) : def;
}

static const char *word(const fixture *f, const char *name) {
  const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(f->params, name));
  return s ? s : "";
}

static lun_tensor *stored(const fixture *f, const cJSON *names, const char *name) {
  const char *full = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(names, name));
  lun_tensor *t = full ? lun_weights_get(cx, f->file, lun_weights_find(f->file, full)) : NULL;
  if (full) CHECK(t != NULL, "%s %d: input %s: %s", f->op, f->number, name, lun_message(cx));
  return t;
}

static lun_tensor *input(const fixture *f, const char *name) { return stored(f, f->inputs, name); }

static lun_tensor *op(lun_op which, int count, lun_tensor *const *in, int nparams, const double *params) {
  return call_op(cx, which, count, in, nparams, params, NULL);
}

static lun_tensor *whole(lun_tensor *t) { return op(LUN_OP_cast, IN(t), PARAMS(LUN_I64)); }

/* The README's tolerances; the file's notes say where values are large. */
static double tolerance(const fixture *f) {
  lun_tensor *positions = input(f, "positions");
  if (strstr(word(f, "note"), "large magnitudes")) return 1e-4;
  for (int64_t i = 0; positions && i < lun_count(positions); i++)
    if (i64(positions)[i] >= 1000) return 1e-4;
  return 1e-5;
}

/* An output that the fixture has, against what was computed; others are not looked for. */
static void expect(const fixture *f, const char *name, lun_tensor *got) {
  lun_tensor *want = stored(f, f->outputs, name);
  double     *value;
  char        what[96];
  if (!want || !got) return;
  expect_shape(got, want->rank, want->dim);
  if (lun_count(got) != lun_count(want)) return;
  if (want->dtype == LUN_I64) {
    CHECK(got->dtype == LUN_I64 && memcmp(lun_data(got), want->data, lun_bytes(want)) == 0, "%s %d %s differs", f->op, f->number, name);
    return;
  }
  value = malloc((size_t)(lun_count(want) + 1) * sizeof *value);
  for (int64_t i = 0; i < lun_count(want); i++) value[i] = (double)f32(want)[i];
  snprintf(what, sizeof what, "%s %d %s", f->op, f->number, name);
  expect_near(got, value, tolerance(f), what);
  free(value);
}

/* ---- operations --------------------------------------------------------------- */

static void run_activations(const fixture *f) {
  lun_tensor *x = input(f, "x");
  for (const cJSON *out = f->outputs->child; out; out = out->next) {
    int which = lun_op_find(strcmp(out->string, "quick_gelu") == 0 ? "gelu_quick" : out->string);
    if (CHECK(which >= 0, "no operation %s", out->string)) expect(f, out->string, op((lun_op)which, IN(x), NONE));
  }
}

static void run_alibi(const fixture *f) {
  double      heads = param(f, "heads", 0, 0), length = param(f, "length", 0, 0);
  lun_tensor *slopes = op(LUN_OP_alibi_slopes, NONE, PARAMS(heads)), *places = op(LUN_OP_arange, NONE, PARAMS(0, length));
  expect(f, "slopes", slopes);
  slopes = op(LUN_OP_reshape, IN(slopes), PARAMS(heads, 1, NAN, NAN, NAN, NAN));
  expect(f, "bias", op(LUN_OP_mul, IN(slopes, places), NONE));
}

/* x [B, T, H D] -> [B, H, T, D], without a copy */
static lun_tensor *heads_of(lun_tensor *x, int64_t heads) {
  x = lun_reshape(cx, x, DIM(x->dim[0], x->dim[1], heads, x->dim[2] / heads));
  return lun_permute(cx, x, (int[]){ 0, 2, 1, 3 });
}

static lun_tensor *projected(const fixture *f, lun_tensor *x, const char *weight, const char *bias) {
  return op(LUN_OP_linear, IN(x, input(f, weight), input(f, bias)), NONE);
}

static void run_cross_attention(const fixture *f) {
  int64_t     heads = (int64_t)param(f, "heads", 0, 1);
  lun_tensor *x = input(f, "x"), *e = input(f, "e"), *y;
  lun_tensor *q = heads_of(projected(f, x, "wq", "bq"), heads), *k = heads_of(projected(f, e, "wk", "bk"), heads);
  y = op(LUN_OP_sdpa, IN(q, k, heads_of(projected(f, e, "wv", "bv"), heads)), NONE);
  y = lun_reshape(cx, lun_permute(cx, y, (int[]){ 0, 2, 1, 3 }), x->rank, x->dim);
  expect(f, "y", projected(f, y, "wo", "bo"));
}

static void run_attention(const fixture *f) {
  if (input(f, "wq")) { run_cross_attention(f); return; }
  expect(f, "y", op(LUN_OP_sdpa, IN(input(f, "q"), input(f, "k"), input(f, "v"), input(f, "mask")),
                    PARAMS(param(f, "scale", 0, 0), param(f, "causal", 0, 0), param(f, "window", 0, 0), param(f, "softcap", 0, 0))));
}

static void run_batch_norm(const fixture *f) {
  expect(f, "y", op(LUN_OP_batch_norm, IN(input(f, "x"), input(f, "mean"), input(f, "var"), input(f, "weight"), input(f, "bias")),
                    PARAMS(param(f, "eps", 0, 1e-5))));
}

static void run_group_norm(const fixture *f) {
  expect(f, "y", op(LUN_OP_group_norm, IN(input(f, "x"), input(f, "weight"), input(f, "bias")),
                    PARAMS(param(f, "groups", 0, 1), param(f, "eps", 0, 1e-5))));
}

static void run_layer_norm(const fixture *f) {
  expect(f, "y", op(LUN_OP_layer_norm, IN(input(f, "x"), input(f, "weight"), input(f, "bias")), PARAMS(param(f, "eps", 0, 1e-5))));
}

static void run_rms_norm(const fixture *f) {
  expect(f, "y", op(LUN_OP_rms_norm, IN(input(f, "x"), input(f, "weight")), PARAMS(param(f, "eps", 0, 1e-6), param(f, "weight_offset", 0, 0))));
}

#define PAIR(name, def) param(f, name, 0, def), param(f, name, 1, param(f, name, 0, def))

static void run_conv2d(const fixture *f) {
  expect(f, "y", op(LUN_OP_conv2d, IN(input(f, "x"), input(f, "weight"), input(f, "bias")),
                    PARAMS(PAIR("stride", 1), PAIR("padding", 0), PAIR("dilation", 1), param(f, "groups", 0, 1))));
}

static void run_conv_transpose2d(const fixture *f) {
  expect(f, "y", op(LUN_OP_conv_transpose2d, IN(input(f, "x"), input(f, "weight"), input(f, "bias")),
                    PARAMS(PAIR("stride", 1), PAIR("padding", 0), PAIR("output_padding", 0), param(f, "groups", 0, 1), PAIR("dilation", 1))));
}

static void run_embedding(const fixture *f) {
  expect(f, "y", op(LUN_OP_embedding, IN(whole(input(f, "ids")), input(f, "weight")), NONE));
}

static void run_interpolate(const fixture *f) {
  const char *mode = word(f, "mode");
  expect(f, "y", op(LUN_OP_interpolate, IN(input(f, "x")),
                    PARAMS(PAIR("size", NAN), strcmp(mode, "bicubic") == 0 ? 2 : strcmp(mode, "bilinear") == 0, param(f, "align_corners", 0, 0),
                           param(f, "antialias", 0, 0), PAIR("scale_factor", NAN))));
}

static void run_linear(const fixture *f) {
  lun_tensor *x = input(f, "x"), *weight = input(f, "weight"), *bias = input(f, "bias");
  double      transposed = param(f, "transposed", 0, 0);
  expect(f, "y", op(LUN_OP_linear, IN(x, weight, bias), PARAMS(transposed)));
  expect(f, "y_nobias", op(LUN_OP_linear, IN(x, weight), PARAMS(transposed)));
}

static void run_pooling(const fixture *f) {
  lun_tensor *x = input(f, "x"), *mean = op(LUN_OP_mean, IN(x), NONE);
  expect(f, "max", op(LUN_OP_max_pool2d, IN(x), PARAMS(PAIR("kernel", NAN), PAIR("stride", NAN), PAIR("padding", 0))));
  expect(f, "avg", op(LUN_OP_avg_pool2d, IN(x), PARAMS(PAIR("kernel", NAN), PAIR("stride", NAN), PAIR("padding", 0))));
  expect(f, "global_avg", op(LUN_OP_mean, IN(mean), NONE));
}

/* With the frequencies of the fixture: they are computed in Lua. */
static void run_rope(const fixture *f) {
  lun_tensor *inv_freq = stored(f, f->outputs, "inv_freq");
  double      factor = param(f, "attention_factor", 0, 1);
  expect(f, "rotate_half", op(LUN_OP_rope, IN(input(f, "x"), input(f, "positions"), inv_freq), PARAMS(0, factor)));
  expect(f, "interleaved", op(LUN_OP_rope, IN(input(f, "x"), input(f, "positions"), inv_freq), PARAMS(1, factor)));
}

static void run_softmax(const fixture *f) {
  lun_tensor *x = input(f, "x"), *mask = input(f, "mask");
  if (mask) x = op(LUN_OP_add, IN(x, mask), NONE);
  expect(f, "y", op(LUN_OP_softmax, IN(x), NONE));
  expect(f, "log_softmax", op(LUN_OP_log_softmax, IN(x), NONE));
}

static void run_t5_relative_buckets(const fixture *f) {
  expect(f, "bucket", op(LUN_OP_relative_buckets, IN(whole(input(f, "relative_position"))),
                         PARAMS(param(f, "bidirectional", 0, 1), param(f, "num_buckets", 0, 32), param(f, "max_distance", 0, 128))));
}

static void run_topk_argmax(const fixture *f) {
  lun_tensor *x = input(f, "x"), *indices = NULL, *values = call_op(cx, LUN_OP_topk, IN(x), PARAMS(param(f, "k", 0, 1)), &indices);
  expect(f, "values", values);
  expect(f, "indices", indices);
  expect(f, "argmax", op(LUN_OP_argmax, IN(x), NONE));
}

#define ROW(name) { #name, run_##name }
static const struct { const char *name; void (*run)(const fixture *f); } runs[] = {
  ROW(activations), ROW(alibi), ROW(attention), ROW(batch_norm), ROW(conv2d), ROW(conv_transpose2d), ROW(embedding), ROW(group_norm),
  ROW(interpolate), ROW(layer_norm), ROW(linear), ROW(pooling), ROW(rms_norm), ROW(rope), ROW(softmax), ROW(t5_relative_buckets),
  ROW(topk_argmax),
};

/* ---- files ---------------------------------------------------------------------- */

static char *read_text(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  char *text = calloc(1, 1 << 20);
  *size = file ? fread(text, 1, (1 << 20) - 1, file) : 0;
  if (file) fclose(file);
  return text;
}

static void run_operation(const char *folder, int which) {
  char     path[512];
  size_t   size;
  char    *text;
  cJSON   *root, *one;
  fixture  f = { .op = runs[which].name };
  snprintf(path, sizeof path, "%s/%s.json", folder, f.op);
  text = read_text(path, &size);
  root = lun_json_parse(cx, path, text, size);
  free(text);
  snprintf(path, sizeof path, "%s/%s.safetensors", folder, f.op);
  f.file = lun_weights_open(cx, path);
  CHECK(root && f.file, "%s", lun_message(cx));
  lun_clear(cx);
  cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(root, "cases")) {
    size_t mark = lun_scope_open(cx);
    int    before = check_failed;
    f.params = cJSON_GetObjectItemCaseSensitive(one, "params");
    f.inputs = cJSON_GetObjectItemCaseSensitive(one, "inputs");
    f.outputs = cJSON_GetObjectItemCaseSensitive(one, "outputs");
    runs[which].run(&f);
    printf("%s  %s %d\n", check_failed == before ? "ok  " : "FAIL", f.op, f.number);
    f.number++;
    lun_scope_close(cx, mark, NULL);
  }
  CHECK(f.number > 0, "%s: no cases", f.op);
  lun_weights_free(f.file);
  cJSON_Delete(root);
}

static void run_folder(const char *folder) {
  DIR           *list = opendir(folder);
  struct dirent *entry;
  if (!CHECK(list != NULL, "%s cannot be read", folder)) return;
  while ((entry = readdir(list))) {
    size_t length = strlen(entry->d_name), known = 0, count = sizeof runs / sizeof *runs;
    if (length < 5 || strcmp(entry->d_name + length - 5, ".json") != 0) continue;
    while (known < count && (strlen(runs[known].name) != length - 5 || strncmp(runs[known].name, entry->d_name, length - 5) != 0)) known++;
    if (CHECK(known < count, "%s/%s: no such operation", folder, entry->d_name)) run_operation(folder, (int)known);
  }
  closedir(list);
}

int main(int argc, char **argv) {
  static const char *const folders[] = { "tests/data/fixtures/ops", "../shared/fixtures/ops" };
  struct stat about;
  cx = lun_open(1);
  if (argc > 1) run_folder(argv[1]);
  for (int i = 0; argc == 1 && i < 2; i++) {
    if (stat(folders[i], &about) == 0) run_folder(folders[i]);
    else printf("skip %s: not there\n", folders[i]);
  }
  lun_close(cx);
  return check_end();
}
