/*
** patch_embedding.c - the block that turns a picture into a row of patch vectors.
*/
#include "vision.h"

typedef struct patch_embedding {
  lun_tensor *weight;          /* [C, 3, P, P] */
  lun_tensor *bias;            /* [C] or NULL */
} patch_embedding;

static lun_status init(lun_ctx *cx, void *state, const lun_args *args) {
  patch_embedding *s = state;
  lun_tensor *weight = host->arg_tensor(args, "weight");
  lun_tensor *bias = host->arg_tensor(args, "bias");
  if (host->rank(weight) != 4)
    return host->fail(cx, LUN_ESHAPE, "weight: rank %d, wanted 4: [C, 3, P, P]", host->rank(weight));
  if (bias != NULL && (host->rank(bias) != 1 || host->dim(bias, 0) != host->dim(weight, 0)))
    return host->fail(cx, LUN_ESHAPE, "bias: [%lld] of rank %d, wanted [%lld]", (long long)host->dim(bias, 0),
                      host->rank(bias), (long long)host->dim(weight, 0));
  s->weight = host->hold(weight);
  s->bias = bias != NULL ? host->hold(bias) : NULL;
  return LUN_OK;
}

static lun_tensor *forward(lun_ctx *cx, void *state, const lun_args *in) {
  const patch_embedding *s = state;
  lun_tensor *pixels = host->arg_tensor(in, "pixels");
  const double stride[] = { (double)host->dim(s->weight, 2), (double)host->dim(s->weight, 3) };
  const double channels_last[] = { 0, 2, 1 };
  if (host->rank(pixels) != 4) {
    host->fail(cx, LUN_ESHAPE, "pixels: rank %d, wanted 4: [B, 3, Y, X]", host->rank(pixels));
    return NULL;
  }
  const double flat[] = { (double)host->dim(pixels, 0), (double)host->dim(s->weight, 0), -1 };
  lun_tensor *y = host->op(cx, "conv2d", 3, (lun_tensor *[]){ pixels, s->weight, s->bias }, 2, stride);
  y = host->op(cx, "reshape", 1, &y, 3, flat);                /* [B, C, N] */
  return host->op(cx, "permute", 1, &y, 3, channels_last);    /* [B, N, C] */
}

static void drop(void *state) {
  patch_embedding *s = state;
  host->drop(s->weight);
  host->drop(s->bias);
}

static const lun_arg arguments[] = {
  { .type = LUN_TENSOR, .required = 1, .name = "weight", .doc = "[C, 3, P, P], P the side of a patch" },
  { .type = LUN_TENSOR, .name = "bias", .doc = "[C]" },
  { .type = LUN_END },
};

static const lun_arg inputs[] = {
  { .type = LUN_TENSOR, .required = 1, .name = "pixels", .doc = "f32 [B, 3, Y, X]" },
  { .type = LUN_END },
};

const lun_block patch_embedding_block = {
  .size = sizeof(lun_block), .state_size = sizeof(patch_embedding), .name = "patch_embedding",
  .doc = "f32 [B, 3, Y, X] -> [B, N, C], N = (Y / P) (X / P): each patch of P x P pixels becomes a vector, "
         "rows of patches from the top; Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.1",
  .args = arguments, .inputs = inputs, .init = init, .forward = forward, .drop = drop,
};
