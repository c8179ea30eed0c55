/*
** normalize.c - u8 pictures to the f32 planes models take.
**
**     out[c,y,x] = (in[y,x,c] * rescale_factor - mean[c]) / std[c]
**
** The roundings are those of transformers' numpy image processors
** (image_transforms.py): the product in double, rounded to float; mean and std
** as floats, subtraction and division in float.
*/
#include "image.h"

/* A u8 has 256 values, so a channel's arithmetic is done once for each. */
static void fill_table(const normalize_options *o, int64_t channel, float table[256]) {
  for (int v = 0; v < 256; v++) {
    float value = o->do_rescale ? (float)((double)v * o->rescale_factor) : (float)v;
    if (o->do_normalize) value = (value - (float)o->mean[channel]) / (float)o->std[channel];
    table[v] = value;
  }
}

void image_normalize(const image *in, const normalize_options *options, float *out) {
  int64_t count = in->height * in->width;
  for (int64_t c = 0; c < in->channels; c++, out += count) {
    float table[256];
    const uint8_t *from = in->data + c;
    fill_table(options, c, table);
    for (int64_t i = 0; i < count; i++, from += in->channels) out[i] = table[*from];
  }
}
