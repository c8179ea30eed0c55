/*
** ops.c - operations: the table made from ops.def, and lun_run(), the one place
** that checks a call and dispatches it.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include "context.h"
#include "ops.h"

typedef struct row {
  lun_op_about about;
  lun_rule    *rule;
  lun_kernel  *kernel;
} row;

static const row rows[LUN_NOPS] = {
#define OP(name, inputs, params, outputs, rule, kernel, gradient, doc) \
  { { #name, inputs, params, outputs, doc }, rule, kernel },
#include "ops.def"
#undef OP
};

/* What the strings of a row say, worked out once. */
typedef struct plan {
  int   inputs, outputs, params, slots;
  bool  optional[LUN_MAXIN];
  lun_param param[LUN_MAXPARAM];
} plan;

static plan           plans[LUN_NOPS];
static pthread_once_t planned = PTHREAD_ONCE_INIT;

static int words(const char *s) {
  int n = 0;
  for (; *s; s++) n += *s != ' ' && (s[1] == ' ' || s[1] == '\0');
  return n;
}

static void plan_params(plan *p, const char *s) {
  while (*s) {
    lun_param *q = &p->param[p->params++];
    size_t     len;
    q->position = *s == '@';
    s += q->position;
    len = strcspn(s, "=[");
    memcpy(q->name, s, len);
    s += len;
    q->slot = p->slots;
    q->length = *s == '[' ? atoi(s + 1) : 1;
    p->slots += q->length;
    s = strchr(s, '=') + 1;
    q->def = NAN;
    if (*s == '-' || (*s >= '0' && *s <= '9')) q->def = strtod(s, NULL);
    else if (*s && *s != ' ') {
      q->choices = s;
      q->def = 0;
    }
    s += strcspn(s, " ");
    s += strspn(s, " ");
  }
}

static void plan_all(void) {
  for (int op = 0; op < LUN_NOPS; op++) {
    plan       *p = &plans[op];
    const char *s = rows[op].about.inputs;
    p->inputs = words(s);
    p->outputs = words(rows[op].about.outputs);
    for (int i = 0; i < p->inputs; i++) {
      size_t len = strcspn(s, " ");
      p->optional[i] = s[len - 1] == '?';
      s += len + (s[len] == ' ');
    }
    plan_params(p, rows[op].about.params);
  }
}

static const plan *plan_of(lun_op op) {
  pthread_once(&planned, plan_all);
  return &plans[op];
}

int lun_op_find(const char *name) {
  for (int op = 0; op < LUN_NOPS; op++)
    if (strcmp(rows[op].about.name, name) == 0) return op;
  return -1;
}

const lun_op_about *lun_op_info(lun_op op) { return &rows[op].about; }

const lun_param *lun_op_params(lun_op op, int *count) {
  const plan *p = plan_of(op);
  *count = p->params;
  return p->param;
}

int lun_param_choice(const lun_param *p, const char *word) {
  size_t len = strlen(word);
  int    n = 0;
  for (const char *s = p->choices; s && *s && *s != ' '; n++) {
    size_t size = strcspn(s, "| ");
    if (size == len && memcmp(s, word, len) == 0) return n;
    s += size;
    if (*s == '|') s++;
  }
  return -1;
}

/* ---- what rules ask for ------------------------------------------------- */

const char *input_name(const lun_call *c, int in, char *text, size_t size) {
  const char *s = rows[c->op].about.inputs;
  for (int i = 0; i < in; i++) s += strcspn(s, " ") + 1;
  snprintf(text, size, "%.*s", (int)strcspn(s, " ?"), s);
  return text;
}

lun_status want_dtype(lun_call *c, int in, lun_dtype dtype) {
  char name[32];
  if (!c->in[in] || c->in[in]->dtype == dtype) return LUN_OK;
  return lun_fail(c->cx, LUN_EDTYPE, "%s: %s is %s, wanted %s", c->name, input_name(c, in, name, sizeof name),
                  lun_dtype_name(c->in[in]->dtype), lun_dtype_name(dtype));
}

lun_status want_rank(lun_call *c, int in, int least, int most) {
  char name[32], shape[96], want[32];
  const lun_tensor *t = c->in[in];
  if (!t || (t->rank >= least && t->rank <= most)) return LUN_OK;
  if (least == most) snprintf(want, sizeof want, "%d", least);
  else if (most >= LUN_MAXRANK) snprintf(want, sizeof want, "at least %d", least);
  else snprintf(want, sizeof want, "%d to %d", least, most);
  return lun_fail(c->cx, LUN_ESHAPE, "%s: %s is %s, wanted %s dimensions", c->name, input_name(c, in, name, sizeof name),
                  lun_shape_text(shape, sizeof shape, t->rank, t->dim), want);
}

lun_status want_contiguous(lun_call *c, int in) {
  if (!c->in[in] || lun_is_contiguous(c->in[in])) return LUN_OK;
  c->in[in] = lun_run(c->cx, LUN_OP_contiguous, 1, &c->in[in], 0, NULL, NULL);
  return lun_error(c->cx);
}

/* Not a weight, and no two elements are one place in memory. */
lun_status want_writable(lun_call *c, const lun_tensor *t) {
  char shape[96];
  bool apart = true;
  for (int i = 0; i < t->rank; i++) apart = apart && (t->dim[i] <= 1 || t->stride[i] != 0);
  if (t->constant) return lun_fail(c->cx, LUN_EARG, "%s: a constant tensor cannot be written", c->name);
  if (apart) return LUN_OK;
  return lun_fail(c->cx, LUN_EARG, "%s: an expanded tensor %s, whose elements repeat, cannot be written", c->name,
                  lun_shape_text(shape, sizeof shape, t->rank, t->dim));
}

lun_status want_axis(lun_call *c, double value, int rank, int *axis) {
  double from_front = value < 0 ? value + rank : value;
  if (from_front == floor(from_front) && from_front >= 0 && from_front < rank) {
    *axis = (int)from_front;
    return LUN_OK;
  }
  if (value >= 0) value++;    /* people count axes from 1 */
  return lun_fail(c->cx, LUN_EARG, "%s: axis %g of a tensor of %d dimensions", c->name, value, rank);
}

lun_status give(lun_call *c, int out, lun_dtype dtype, int rank, const int64_t *dim) {
  c->out[out] = lun_describe(c->cx, dtype, rank, dim);
  return lun_error(c->cx);
}

/* ---- calls --------------------------------------------------------------- */

/* False when the call cannot go on: an earlier error, or an input is missing. */
static bool take_inputs(lun_call *c, const plan *p, int count, lun_tensor *const *in) {
  char name[32];
  if (c->cx->code != LUN_OK) return false;
  if (count > p->inputs) {
    lun_fail(c->cx, LUN_EARG, "%s: %d inputs, takes %d", c->name, count, p->inputs);
    return false;
  }
  for (int i = 0; i < p->inputs; i++) {
    c->in[i] = i < count ? in[i] : NULL;
    if (c->in[i] || p->optional[i]) continue;
    lun_fail(c->cx, LUN_EARG, "%s: %s is missing", c->name, input_name(c, i, name, sizeof name));
    return false;
  }
  return true;
}

static void take_params(lun_call *c, const plan *p, int nparams, const double *params) {
  for (int i = 0; i < p->params; i++)
    for (int k = 0; k < p->param[i].length; k++)
      c->p[p->param[i].slot + k] = p->param[i].def;
  for (int i = 0; i < nparams && i < p->slots; i++) c->p[i] = params[i];
}

static void compute(lun_call *c, const plan *p) {
  const row *r = &rows[c->op];
  if (r->rule(c) != LUN_OK || c->done || !r->kernel) return;
  for (int i = 0; i < p->outputs; i++)
    if (!c->out[i]->buffer && lun_provide(c->out[i]) != LUN_OK) return;
  r->kernel(c);
}

lun_tensor *lun_run(lun_ctx *cx, lun_op op, int count, lun_tensor *const *in,
                    int nparams, const double *params, lun_tensor **out) {
  const plan *p = plan_of(op);
  lun_call    c = { .cx = cx, .op = op, .name = rows[op].about.name };
  size_t      scope, scratch;
  if (out) for (int i = 0; i < p->outputs; i++) out[i] = NULL;
  if (!take_inputs(&c, p, count, in)) return NULL;
  take_params(&c, p, nparams, params);
  scope = lun_scope_open(cx);
  scratch = lun_scratch_mark(cx);
  compute(&c, p);
  lun_scratch_reset(cx, scratch);
  if (cx->code != LUN_OK) {
    lun_scope_close(cx, scope, NULL);
    return NULL;
  }
  lun_scope_close_all(cx, scope, c.out, p->outputs);
  if (out) for (int i = 0; i < p->outputs; i++) out[i] = c.out[i];
  return c.out[0];
}

/* ---- the few with a C function ------------------------------------------- */

lun_tensor *lun_add(lun_ctx *cx, lun_tensor *a, lun_tensor *b) {
  return lun_run(cx, LUN_OP_add, 2, (lun_tensor *[]){ a, b }, 0, NULL, NULL);
}

lun_tensor *lun_mul(lun_ctx *cx, lun_tensor *a, lun_tensor *b) {
  return lun_run(cx, LUN_OP_mul, 2, (lun_tensor *[]){ a, b }, 0, NULL, NULL);
}

lun_tensor *lun_linear(lun_ctx *cx, lun_tensor *x, lun_tensor *weight, lun_tensor *bias, bool transposed, int activation) {
  return lun_run(cx, LUN_OP_linear, 3, (lun_tensor *[]){ x, weight, bias }, 2, (double[]){ transposed, activation }, NULL);
}

lun_tensor *lun_layer_norm(lun_ctx *cx, lun_tensor *x, lun_tensor *weight, lun_tensor *bias, double eps) {
  return lun_run(cx, LUN_OP_layer_norm, 3, (lun_tensor *[]){ x, weight, bias }, 1, &eps, NULL);
}

lun_tensor *lun_rms_norm(lun_ctx *cx, lun_tensor *x, lun_tensor *weight, double eps, double weight_offset) {
  return lun_run(cx, LUN_OP_rms_norm, 2, (lun_tensor *[]){ x, weight }, 2, (double[]){ eps, weight_offset }, NULL);
}

lun_tensor *lun_reshape(lun_ctx *cx, lun_tensor *x, int rank, const int64_t *dim) {
  double p[LUN_MAXRANK];
  for (int i = 0; i < LUN_MAXRANK; i++) p[i] = i < rank ? (double)dim[i] : NAN;
  return lun_run(cx, LUN_OP_reshape, 1, &x, LUN_MAXRANK, p, NULL);
}

lun_tensor *lun_permute(lun_ctx *cx, lun_tensor *x, const int *axes) {
  double p[LUN_MAXRANK];
  for (int i = 0; i < LUN_MAXRANK; i++) p[i] = x && i < x->rank ? axes[i] : NAN;
  return lun_run(cx, LUN_OP_permute, 1, &x, LUN_MAXRANK, p, NULL);
}

lun_tensor *lun_narrow(lun_ctx *cx, lun_tensor *x, int axis, int64_t start, int64_t length) {
  return lun_run(cx, LUN_OP_narrow, 1, &x, 3, (double[]){ axis, (double)start, (double)length }, NULL);
}

/* The copy kernel writes through the strides of its result, so a view can be one. */
lun_status lun_assign(lun_ctx *cx, lun_tensor *to, lun_tensor *from) {
  double     p[LUN_MAXRANK];
  size_t     mark = lun_scope_open(cx);
  lun_call   c = { .cx = cx, .op = LUN_OP_contiguous, .name = "assign" };
  if (cx->code != LUN_OK) return cx->code;
  if (!to || !from) return lun_fail(cx, LUN_EARG, "assign: a tensor is missing");
  if (want_writable(&c, to) != LUN_OK) return cx->code;
  if (to->dtype != from->dtype)
    return lun_fail(cx, LUN_EDTYPE, "assign: %s into a tensor of %s", lun_dtype_name(from->dtype), lun_dtype_name(to->dtype));
  if (from->buffer == to->buffer) {        /* views of one tensor may overlap */
    const void *data = lun_data(from);
    from = data ? lun_from_host(cx, from->dtype, from->rank, from->dim, data) : NULL;
    if (!from) return cx->code;
  }
  for (int i = 0; i < LUN_MAXRANK; i++) p[i] = i < to->rank ? (double)to->dim[i] : NAN;
  c.in[0] = lun_run(cx, LUN_OP_expand, 1, &from, LUN_MAXRANK, p, NULL);
  c.out[0] = to;
  if (c.in[0]) cpu_copy(&c);
  lun_scope_close(cx, mark, NULL);
  return cx->code;
}
