/*
** host.c - lun_host_table(): the services that plugins and built-in blocks get.
**
** A tensor that is NULL, because an operation before it failed, counts as one of
** no dimensions, so that a forward function can ask for sizes straight through.
*/
#include "plugin.h"
#include "block.h"

static lun_status fail(lun_ctx *cx, lun_status code, const char *fmt, ...) {
  va_list ap;
  if (code == LUN_OK) code = LUN_EARG;       /* a failure has to be one */
  va_start(ap, fmt);
  lun_failv(cx, code, fmt, ap);
  va_end(ap);
  return code;
}

static lun_dtype dtype(const lun_tensor *t) { return t ? lun_dtype_of(t) : LUN_F32; }
static int       rank(const lun_tensor *t) { return t ? lun_rank(t) : 0; }
static int64_t   dim(const lun_tensor *t, int axis) { return t ? lun_dim(t, axis) : 1; }

static lun_tensor *make(lun_ctx *cx, lun_dtype type, int dims, const int64_t *sizes, void **data) {
  lun_tensor *t = lun_make(cx, type, dims, sizes);
  if (data) *data = t ? lun_data_mutable(t) : NULL;
  return t;
}

static const void *data(lun_ctx *cx, lun_tensor *t) { return t && lun_error(cx) == LUN_OK ? lun_data(t) : NULL; }

static lun_tensor *op(lun_ctx *cx, const char *name, int count, lun_tensor *const *in, int nparams, const double *params) {
  int number = lun_op_find(name);
  if (number >= 0) return lun_run(cx, (lun_op)number, count, in, nparams, params, NULL);
  lun_fail(cx, LUN_EARG, "there is no operation named %s", name);
  return NULL;
}

static const lun_host table = {
  .size = sizeof(lun_host), .abi = LUN_ABI_VERSION,
  .add_block = lun_add_block, .add_func = lun_add_func, .add_class = lun_add_class,
  .arg_given = args_given, .arg_int = args_int, .arg_num = args_num, .arg_str = args_str, .arg_ints = args_ints,
  .arg_nums = args_nums, .arg_item = args_item, .arg_tensor = args_tensor, .arg_object = args_object,
  .ret_tensor = result_tensor, .ret_int = result_int, .ret_num = result_num, .ret_bool = result_bool, .ret_nil = result_nil,
  .ret_str = result_str, .ret_ints = result_ints, .ret_nums = result_nums, .ret_strs = result_strs, .ret_object = result_object,
  .fail = fail, .status = lun_error, .scratch = lun_scratch, .parallel = lun_parallel,
  .dtype = dtype, .rank = rank, .dim = dim, .make = make, .data = data, .hold = lun_hold, .drop = lun_drop,
  .op = op,
};

const lun_host *lun_host_table(void) { return &table; }
