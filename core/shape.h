/*
** shape.h - what shape rules ask of parameters and shapes, beside ops.h; private to the core.
**
** Each returns LUN_OK or records an error that names the operation, what was
** found and what was wanted.  A parameter is named by its slot in c->p[]; what
** was read is written back there, so that kernels find it checked and complete.
*/
#ifndef LUN_SHAPE_H
#define LUN_SHAPE_H

#include "ops.h"

enum { ANY = -1 };    /* a dimension of want_shape() that may be anything */

lun_status want_int(lun_call *c, int slot, int64_t least, int64_t most, int64_t *value);
lun_status want_flag(lun_call *c, int slot);
lun_status want_number(lun_call *c, int slot, double least);         /* finite */
lun_status want_pair(lun_call *c, int slot, int64_t least, int64_t value[2]);   /* a missing second is the first */
lun_status want_list(lun_call *c, int slot, int64_t least, int *count, int64_t value[LUN_MAXRANK]);

lun_status want_float(lun_call *c, int in);                          /* any float type or q8_0 */
lun_status want_shape(lun_call *c, int in, int fit, int rank, const int64_t *dim);   /* to fit input 'fit' */
lun_status want_f32(lun_call *c, int in, int least, int most);       /* f32, contiguous, of so many dimensions */
lun_status want_vector(lun_call *c, int in, int fit, int64_t dim);   /* f32 [dim], contiguous, or left out */

#endif
