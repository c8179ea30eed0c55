/*
** lua_print.c - tostring(t): type, shape, and the contents, shortened to the
** first and last three of an axis.
**
**   tensor f32 [2, 2]
**   [[ 1, 0.5],
**    [-2,   3]]
*/
#include <stdio.h>
#include <string.h>
#include "lua_lunette.h"

enum { EDGE = 3, WIDTH = 24 };

typedef struct printer {
  luaL_Buffer b;
  lun_tensor *t;
  const char *data;
  int         width;      /* of the widest number */
} printer;

static int format(const printer *p, int64_t at, char *text) {
  lun_dtype type = lun_dtype_of(p->t);
  switch (type) {
    case LUN_F32: return snprintf(text, WIDTH, "%.5g", (double)((const float *)(const void *)p->data)[at]);
    case LUN_F64: return snprintf(text, WIDTH, "%.5g", ((const double *)(const void *)p->data)[at]);
    case LUN_I64: return snprintf(text, WIDTH, "%lld", (long long)((const int64_t *)(const void *)p->data)[at]);
    case LUN_I32: return snprintf(text, WIDTH, "%d", (int)((const int32_t *)(const void *)p->data)[at]);
    default:      return snprintf(text, WIDTH, "%u", (unsigned)((const uint8_t *)p->data)[at]);
  }
}

/* Walks the shown items: measures them (pass 0) or adds them (pass 1). */
static void walk(printer *p, int pass, int axis, int64_t at) {
  int     rank = lun_rank(p->t);
  int64_t dim = lun_dim(p->t, axis), step = 1;
  char    text[WIDTH];
  if (axis == rank) {
    int n = format(p, at, text);
    if (pass == 0) p->width = n > p->width ? n : p->width;
    else {
      for (int k = n; k < p->width; k++) luaL_addchar(&p->b, ' ');
      luaL_addlstring(&p->b, text, (size_t)n);
    }
    return;
  }
  for (int k = axis + 1; k < rank; k++) step *= lun_dim(p->t, k);
  if (pass) luaL_addchar(&p->b, '[');
  for (int64_t i = 0; i < dim; i++) {
    if (pass && i > 0) {
      luaL_addstring(&p->b, axis + 1 == rank ? ", " : ",\n");
      if (axis + 1 < rank) for (int k = 0; k <= axis; k++) luaL_addchar(&p->b, ' ');
    }
    if (dim > 2 * EDGE && i == EDGE) {
      if (pass) luaL_addstring(&p->b, "...");
      i = dim - EDGE - 1;
    } else walk(p, pass, axis + 1, at + i * step);
  }
  if (pass) luaL_addchar(&p->b, ']');
}

static int print(lua_State *L) {
  tensor_box *box = luaL_checkudata(L, 1, "lunette.tensor");
  lun_ctx    *cx = begin(L);
  printer     p = { .width = 1 };
  char        shape[96];
  int64_t     dims[LUN_MAXRANK];
  if (!box->t) return lua_pushliteral(L, "tensor (released)"), 1;
  for (int i = 0; i < lun_rank(box->t); i++) dims[i] = lun_dim(box->t, i);
  lua_pushfstring(L, "tensor %s %s", lun_dtype_name(lun_dtype_of(box->t)), lun_shape_text(shape, sizeof shape, lun_rank(box->t), dims));
  p.t = readable(cx, box->t);
  p.data = p.t ? lun_data(p.t) : NULL;
  if (lun_error(cx) != LUN_OK) return raise_error(L, cx);
  luaL_buffinit(L, &p.b);
  luaL_addchar(&p.b, '\n');
  walk(&p, 0, 0, 0);
  walk(&p, 1, 0, 0);
  luaL_pushresult(&p.b);
  lua_concat(L, 2);
  lun_scope_close(cx, 0, NULL);
  return 1;
}

void open_print(lua_State *L) {
  lua_pushcfunction(L, print);
  lua_setfield(L, -2, "__tostring");
}
