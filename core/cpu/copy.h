/* copy.h - moving elements between tensors of any strides; private to the CPU backend. */
#ifndef LUN_CPU_COPY_H
#define LUN_CPU_COPY_H

#include "../ops.h"

/*
** to[..., i, ...] = from[..., index[i], ...], i along the axis 'indexed'; without
** an index to = from.  Both have the same type and, but for that axis, the same shape;
** they do not overlap.  The index was checked.
*/
void copy_elements(lun_ctx *cx, const lun_tensor *to, const lun_tensor *from, int indexed, const int64_t *index);

#endif
