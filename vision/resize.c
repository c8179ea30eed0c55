/*
** resize.c - Image.resize and Image.thumbnail, equal to Pillow's: checks, the
** fast first step of a reducing gap, premultiplied alpha, nearest neighbours.
*/
#include "image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Positions of nearest neighbours, added up as Pillow adds them up. */
static int64_t *nearest_positions(float from, float to, int64_t in_size, int64_t out_size) {
  int64_t *at = malloc((size_t)out_size * sizeof *at);
  double step = (double)(to - from) / (double)out_size;
  double position = from + step * 0.5;
  for (int64_t i = 0; at != NULL && i < out_size; i++, position += step)
    at[i] = position >= (double)in_size ? -1 : (int64_t)position;
  return at;
}

static lun_status nearest(const image *in, const float box[4], image *out, image_error *error) {
  int64_t *column = nearest_positions(box[0], box[2], in->width, out->width);
  int64_t *line = nearest_positions(box[1], box[3], in->height, out->height);
  const size_t pixel = (size_t)out->channels;
  if (column == NULL || line == NULL) image_fail(error, LUN_EMEM, "no memory to resize");
  else memset(out->data, 0, (size_t)(out->height * out->width) * pixel);
  for (int64_t y = 0; error->code == LUN_OK && y < out->height; y++) {
    if (line[y] < 0) continue;
    for (int64_t x = 0; x < out->width; x++)
      if (column[x] >= 0)
        memcpy(out->data + (size_t)(y * out->width + x) * pixel,
               in->data + (size_t)(line[y] * in->width + column[x]) * pixel, pixel);
  }
  free(column);
  free(line);
  return error->code;
}

/* Pillow's core takes the box in single precision. */
static lun_status resize_box(const image *in, const double box[4], const resample_filter *filter,
                             image *out, const image_loop *loop, image_error *error) {
  const float b[4] = { (float)box[0], (float)box[1], (float)box[2], (float)box[3] };
  if (b[0] == floorf(b[0]) && b[1] == floorf(b[1]) &&
      b[2] - b[0] == (float)out->width && b[3] - b[1] == (float)out->height) {
    image_place(in, (int64_t)b[1], (int64_t)b[0], out);
    return LUN_OK;
  }
  if (filter == NULL) return nearest(in, b, out, error);
  return image_resample(in, b, filter, out, loop, error);
}

/* Pixels the filter may look at, beyond the box: Image._get_safe_box. */
static void safe_box(const image *in, const double box[4], const resample_filter *filter,
                     const image *out, int64_t safe[4]) {
  double reach = resample_support(filter) - 0.5;
  double x = reach * ((box[2] - box[0]) / (double)out->width);
  double y = reach * ((box[3] - box[1]) / (double)out->height);
  safe[0] = (int64_t)fmax(0, trunc(box[0] - x));
  safe[1] = (int64_t)fmax(0, trunc(box[1] - y));
  safe[2] = (int64_t)fmin((double)in->width, ceil(box[2] + x));
  safe[3] = (int64_t)fmin((double)in->height, ceil(box[3] + y));
}

/* In two steps: by whole factors to 'gap' times the size, then by the filter. */
static lun_status resize_gap(const image *in, const double box[4], double gap, const resample_filter *filter,
                             image *out, const image_loop *loop, image_error *error) {
  double factor_x = trunc((box[2] - box[0]) / (double)out->width / gap);
  double factor_y = trunc((box[3] - box[1]) / (double)out->height / gap);
  int64_t factor[2] = { factor_x < 1 ? 1 : (int64_t)factor_x, factor_y < 1 ? 1 : (int64_t)factor_y };
  int64_t safe[4], height, width;
  image reduced;
  if (factor[0] == 1 && factor[1] == 1) return resize_box(in, box, filter, out, loop, error);

  safe_box(in, box, filter, out, safe);
  if (reduce_check(in, safe, factor, &height, &width, error) != LUN_OK) return error->code;
  if (image_new(&reduced, height, width, in->channels, error) != LUN_OK) return error->code;
  if (reduce_blocks(in, safe, factor, &reduced, loop, error) == LUN_OK) {
    const double inner[4] = {
      (box[0] - (double)safe[0]) / (double)factor[0], (box[1] - (double)safe[1]) / (double)factor[1],
      (box[2] - (double)safe[0]) / (double)factor[0], (box[3] - (double)safe[1]) / (double)factor[1],
    };
    resize_box(&reduced, inner, filter, out, loop, error);
  }
  free(reduced.data);
  return error->code;
}

static lun_status check_options(const image *in, const resize_options *o, const resample_filter *filter,
                                image_error *error) {
  const double *b = o->box;
  if (filter == NULL && strcmp(o->resample, "nearest") != 0)
    return image_fail(error, LUN_EARG,
                      "resample: '%s', wanted nearest, lanczos, bilinear, bicubic, box or hamming", o->resample);
  if (!(b[0] >= 0 && b[0] <= b[2] && b[2] <= (double)in->width &&
        b[1] >= 0 && b[1] <= b[3] && b[3] <= (double)in->height))
    return image_fail(error, LUN_EARG, "box: {%g, %g, %g, %g} is outside the picture of %lld x %lld",
                      b[0], b[1], b[2], b[3], (long long)in->width, (long long)in->height);
  if (o->reducing_gap != 0 && !(o->reducing_gap >= 1))
    return image_fail(error, LUN_EARG, "reducing_gap: %g, wanted at least 1", o->reducing_gap);
  return LUN_OK;
}

lun_status image_resize(const image *in, const resize_options *options, image *out,
                        const image_loop *loop, image_error *error) {
  const double *box = options->box;
  const resample_filter *filter = resample_find(options->resample);
  image source = *in;
  if (check_options(in, options, filter, error) != LUN_OK) return error->code;

  int whole = box[0] == 0 && box[1] == 0 && box[2] == (double)in->width && box[3] == (double)in->height;
  int alpha = in->channels == 4 && filter != NULL && !(whole && in->width == out->width && in->height == out->height);
  if (alpha && alpha_multiplied(in, &source, error) != LUN_OK) return error->code;
  if (filter != NULL && options->reducing_gap != 0)
    resize_gap(&source, box, options->reducing_gap, filter, out, loop, error);
  else
    resize_box(&source, box, filter, out, loop, error);
  if (alpha) {
    free(source.data);
    alpha_divide(out);
  }
  return error->code;
}

/*
** thumbnail_size - the size Image.thumbnail would give: within height and width,
** aspect kept, never larger.  Of the two whole numbers beside the exact side it
** takes the one whose aspect is nearer, the lower one when they tie.
*/
void thumbnail_size(int64_t in_height, int64_t in_width, int64_t *height, int64_t *width) {
  double x = (double)*width, y = (double)*height;
  double aspect = (double)in_width / (double)in_height;
  if (*width >= in_width && *height >= in_height) {
    *width = in_width;
    *height = in_height;
  } else if (x / y >= aspect) {
    double lower = floor(y * aspect), upper = ceil(y * aspect);
    double side = fabs(aspect - upper / y) < fabs(aspect - lower / y) ? upper : lower;
    *width = (int64_t)fmax(side, 1);
  } else {
    double lower = floor(x / aspect), upper = ceil(x / aspect);
    double off_lower = lower == 0 ? 0 : fabs(aspect - x / lower);
    double off_upper = upper == 0 ? 0 : fabs(aspect - x / upper);
    *height = (int64_t)fmax(off_upper < off_lower ? upper : lower, 1);
  }
}
