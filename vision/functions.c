/*
** functions.c - the functions of the plugin as Lua sees them: arguments in,
** tensors out, all pixels computed elsewhere.
*/
#include "vision.h"
#include "image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static lun_status report(lun_ctx *cx, const image_error *error) {
  return error->code == LUN_OK ? LUN_OK : host->fail(cx, error->code, "%s", error->text);
}

static image_loop loop_of(lun_ctx *cx) { return (image_loop){ cx, host->parallel }; }

/* The argument "image": u8 [Y, X, C], C 1, 3 or 4.  Its memory is only read. */
static lun_status take_image(lun_ctx *cx, const lun_args *in, image *out) {
  lun_tensor *t = host->arg_tensor(in, "image");
  if (host->dtype(t) != LUN_U8) return host->fail(cx, LUN_EDTYPE, "image: wanted u8 [Y, X, C]");
  if (host->rank(t) != 3)
    return host->fail(cx, LUN_ESHAPE, "image: rank %d, wanted 3: [Y, X, C]", host->rank(t));
  *out = (image){ .height = host->dim(t, 0), .width = host->dim(t, 1), .channels = host->dim(t, 2) };
  if (out->channels != 1 && out->channels != 3 && out->channels != 4)
    return host->fail(cx, LUN_ESHAPE, "image: %lld channels, wanted 1, 3 or 4", (long long)out->channels);
  if (image_bytes(out->height, out->width, out->channels) < 0)
    return host->fail(cx, LUN_ESHAPE, "image: [%lld, %lld, %lld] has no pixels", (long long)out->height,
                      (long long)out->width, (long long)out->channels);
  out->data = (uint8_t *)host->data(cx, t);
  return host->status(cx);
}

/* A new tensor for a picture; 'out' is its contents, to be filled. */
static lun_tensor *make_image(lun_ctx *cx, int64_t height, int64_t width, int64_t channels, image *out) {
  const int64_t dim[3] = { height, width, channels };
  void *data = NULL;
  if (image_bytes(height, width, channels) < 0) {
    host->fail(cx, LUN_EARG, "a picture of %lld x %lld pixels cannot be", (long long)width, (long long)height);
    return NULL;
  }
  lun_tensor *t = host->make(cx, LUN_U8, 3, dim, &data);
  *out = (image){ height, width, channels, data };
  return t;
}

/* ---- format, load, decode, save, encode ----------------------------------- */

static lun_status format(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  size_t size;
  const char *bytes = host->arg_str(in, "bytes", &size);
  const image_format *found = format_find((const uint8_t *)bytes, size);
  image_error unready = { 0 };
  lun_status status;
  (void)cx;
  (void)self;
  if (found == NULL) return host->ret_nil(out);
  status = host->ret_str(out, found->name, strlen(found->name));
  if (status == LUN_OK) status = host->ret_bool(out, format_ready(found, &unready) == LUN_OK);
  if (status == LUN_OK) status = host->ret_bool(out, found->document);
  return status;
}

static const lun_arg format_args[] = {
  { .type = LUN_STR, .required = 1, .name = "bytes", .doc = "the beginning of a file; 16 bytes tell every format" },
  { .type = LUN_END },
};

#define MEGAPIXELS \
  { .type = LUN_NUM, .name = "max_megapixels", .def = IMAGE_MEGAPIXELS, .min = 0, \
    .doc = "larger pictures are refused" }

#define REDUCE_TO \
  { .type = LUN_INT, .name = "reduce_to", .min = 0, \
    .doc = "JPEG: decode at 1/2, 1/4 or 1/8 if that divides both sides and leaves them this many pixels; 0: in full" }

/* The picture; where reduce_to is given, by how much it was reduced as well. */
static lun_status return_decoded(lun_ctx *cx, const lun_args *in, const image *picture, const decode_facts *facts,
                                 lun_result *out) {
  lun_status status;
  image to;
  lun_tensor *t = make_image(cx, picture->height, picture->width, picture->channels, &to);
  if (t == NULL) return host->status(cx);
  memcpy(to.data, picture->data, (size_t)(to.height * to.width * to.channels));
  status = host->ret_tensor(out, t);
  if (status == LUN_OK && host->arg_given(in, "reduce_to")) status = host->ret_int(out, facts->reduced_by);
  return status;
}

static lun_status decode(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  image_error error = { 0 };
  decode_options options = { host->arg_num(in, "max_megapixels"), (int)host->arg_int(in, "orient"),
                             host->arg_int(in, "reduce_to") };
  decode_facts facts;
  size_t size;
  const char *bytes = host->arg_str(in, "bytes", &size);
  image picture;
  lun_status status;
  (void)self;
  if (image_decode((const uint8_t *)bytes, size, &options, &picture, &facts, &error) != LUN_OK)
    return report(cx, &error);
  status = return_decoded(cx, in, &picture, &facts, out);
  free(picture.data);
  return status;
}

static const lun_arg decode_args[] = {
  { .type = LUN_STR, .required = 1, .name = "bytes", .doc = "contents of a picture file" },
  MEGAPIXELS,
  REDUCE_TO,
  { .type = LUN_BOOL, .name = "orient", .def = 1, .doc = "turn upright as EXIF says" },
  { .type = LUN_END },
};

/* No readable picture is larger than this: 16-bit RGBA without compression, and room for metadata. */
static size_t file_limit(double megapixels) {
  double bytes = megapixels * 8e6 + 256e6;
  return bytes < 9e18 ? (size_t)bytes : SIZE_MAX;
}

static lun_status load(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  image_error error = { 0 };
  decode_options options = { host->arg_num(in, "max_megapixels"), 1, host->arg_int(in, "reduce_to") };
  decode_facts facts;
  size_t length, size;
  const char *path = host->arg_str(in, "path", &length);
  uint8_t *bytes = NULL;
  image picture = { 0 };
  lun_status status = LUN_OK;
  (void)self;
  if (strlen(path) != length) return host->fail(cx, LUN_EARG, "path: holds a zero byte");
  if (file_read(path, file_limit(options.max_megapixels), &bytes, &size, &error) == LUN_OK)
    image_decode(bytes, size, &options, &picture, &facts, &error);
  free(bytes);
  if (error.code != LUN_OK) status = host->fail(cx, error.code, "%s: %s", path, error.text);
  else status = return_decoded(cx, in, &picture, &facts, out);
  free(picture.data);
  return status;
}

static const lun_arg load_args[] = {
  { .type = LUN_STR, .required = 1, .name = "path", .doc = "a picture file, known by its contents" },
  MEGAPIXELS,
  REDUCE_TO,
  { .type = LUN_END },
};

static lun_status save_png(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  image_error error = { 0 };
  size_t length;
  const char *path = host->arg_str(in, "path", &length);
  image picture;
  (void)self;
  if (strlen(path) != length) return host->fail(cx, LUN_EARG, "path: holds a zero byte");
  if (take_image(cx, in, &picture) != LUN_OK) return host->status(cx);
  if (png_save(path, &picture, &error) != LUN_OK) return report(cx, &error);
  return host->ret_bool(out, 1);
}

#define IMAGE \
  { .type = LUN_TENSOR, .required = 1, .name = "image", .doc = "u8 [Y, X, C], C 1 (grey), 3 (RGB) or 4 (RGBA)" }

static const lun_arg save_png_args[] = {
  { .type = LUN_STR, .required = 1, .name = "path", .doc = "file to write" },
  IMAGE,
  { .type = LUN_END },
};

static lun_status encode_jpeg(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  image_error error = { 0 };
  int64_t quality = host->arg_int(in, "quality");
  image picture;
  uint8_t *bytes;
  size_t size;
  lun_status status;
  (void)self;
  if (take_image(cx, in, &picture) != LUN_OK) return host->status(cx);
  if (quality > 100) return host->fail(cx, LUN_EARG, "quality: %lld, wanted 1 to 100", (long long)quality);
  if (jpeg_encode(&picture, (int)quality, &bytes, &size, &error) != LUN_OK) return report(cx, &error);
  status = host->ret_str(out, (const char *)bytes, size);
  free(bytes);
  return status;
}

static const lun_arg encode_jpeg_args[] = {
  { .type = LUN_TENSOR, .required = 1, .name = "image", .doc = "u8 [Y, X, C], C 1 (grey) or 3 (RGB)" },
  { .type = LUN_INT, .name = "quality", .def = 80, .min = 1, .doc = "1 to 100" },
  { .type = LUN_END },
};

/* ---- resize, thumbnail, reduce ------------------------------------------ */

#define SIZE(name_, doc_) { .type = LUN_INT, .name = name_, .min = 1, .doc = doc_ }
#define RESAMPLE \
  { .type = LUN_STR, .name = "resample", .doc = "nearest, lanczos, bilinear, bicubic (default), box or hamming" }

/* The keys "height" and "width", which must be there. */
static lun_status take_size(lun_ctx *cx, const lun_args *in, int64_t *height, int64_t *width) {
  static const char *const names[] = { "height", "width" };
  int64_t *const sizes[] = { height, width };
  for (int i = 0; i < 2; i++) {
    if (!host->arg_given(in, names[i])) return host->fail(cx, LUN_EARG, "%s is missing", names[i]);
    *sizes[i] = host->arg_int(in, names[i]);
    if (*sizes[i] < 1 || *sizes[i] > INT32_MAX)
      return host->fail(cx, LUN_EARG, "%s: %lld, wanted 1 to %d", names[i], (long long)*sizes[i], INT32_MAX);
  }
  return LUN_OK;
}

static const char *take_resample(const lun_args *in) {
  size_t length;
  const char *name = host->arg_str(in, "resample", &length);
  return name != NULL ? name : "bicubic";
}

/* The key "box": left, top, right, bottom; all of the picture where it is left out. */
static lun_status take_box(lun_ctx *cx, const lun_args *in, const image *picture, double box[4]) {
  size_t count = 0;
  const double *given = host->arg_nums(in, "box", &count);
  const double whole[4] = { 0, 0, (double)picture->width, (double)picture->height };
  if (given != NULL && count != 4)
    return host->fail(cx, LUN_EARG, "box: %zu numbers, wanted 4: left, top, right, bottom", count);
  memcpy(box, given != NULL ? given : whole, sizeof whole);
  return LUN_OK;
}

static lun_status return_resized(lun_ctx *cx, const image *picture, const resize_options *options,
                                 int64_t height, int64_t width, lun_result *out) {
  image_error error = { 0 };
  image_loop loop = loop_of(cx);
  image to;
  lun_tensor *t = make_image(cx, height, width, picture->channels, &to);
  if (t == NULL) return host->status(cx);
  if (image_resize(picture, options, &to, &loop, &error) != LUN_OK) return report(cx, &error);
  return host->ret_tensor(out, t);
}

static lun_status resize(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  resize_options options = { take_resample(in), { 0 }, host->arg_num(in, "reducing_gap") };
  int64_t height, width;
  image picture;
  (void)self;
  if (take_image(cx, in, &picture) != LUN_OK || take_size(cx, in, &height, &width) != LUN_OK ||
      take_box(cx, in, &picture, options.box) != LUN_OK) return host->status(cx);
  return return_resized(cx, &picture, &options, height, width, out);
}

static const lun_arg resize_args[] = {
  IMAGE,
  SIZE("height", "of the result"),
  SIZE("width", "of the result"),
  RESAMPLE,
  { .type = LUN_NUMS, .name = "box", .min = 0,
    .doc = "{left, top, right, bottom} of what is resized, in pixels, fractions allowed" },
  { .type = LUN_NUM, .name = "reducing_gap", .min = 0,
    .doc = "reduce by whole factors first, to this many times the size, at least 1; 0: do not" },
  { .type = LUN_END },
};

static lun_status thumbnail(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  resize_options options = { take_resample(in), { 0 }, host->arg_num(in, "reducing_gap") };
  int64_t height, width;
  image picture;
  (void)self;
  if (take_image(cx, in, &picture) != LUN_OK || take_size(cx, in, &height, &width) != LUN_OK) return host->status(cx);
  options.box[2] = (double)picture.width;
  options.box[3] = (double)picture.height;
  thumbnail_size(picture.height, picture.width, &height, &width);
  return return_resized(cx, &picture, &options, height, width, out);
}

static const lun_arg thumbnail_args[] = {
  IMAGE,
  SIZE("height", "at most"),
  SIZE("width", "at most"),
  RESAMPLE,
  { .type = LUN_NUM, .name = "reducing_gap", .def = 2, .min = 0, .doc = "as for resize; 0: none" },
  { .type = LUN_END },
};

static lun_status reduce(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  image_error error = { 0 };
  image_loop loop = loop_of(cx);
  size_t count = 0;
  const int64_t *factor = host->arg_ints(in, "factor", &count);
  double given[4];
  int64_t box[4], height, width;
  image picture, to;
  lun_tensor *t;
  (void)self;
  if (take_image(cx, in, &picture) != LUN_OK || take_box(cx, in, &picture, given) != LUN_OK) return host->status(cx);
  if (factor == NULL || count != 2)
    return host->fail(cx, LUN_EARG, "factor: %zu numbers, wanted 2: across, down", count);
  for (int i = 0; i < 4; i++) {
    if (!(fabs(given[i]) <= INT32_MAX) || given[i] != floor(given[i]))
      return host->fail(cx, LUN_EARG, "box: %g, wanted whole pixels", given[i]);
    box[i] = (int64_t)given[i];
  }
  if (reduce_check(&picture, box, factor, &height, &width, &error) != LUN_OK) return report(cx, &error);
  t = make_image(cx, height, width, picture.channels, &to);
  if (t == NULL) return host->status(cx);
  if (image_reduce(&picture, box, factor, &to, &loop, &error) != LUN_OK) return report(cx, &error);
  return host->ret_tensor(out, t);
}

static const lun_arg reduce_args[] = {
  IMAGE,
  { .type = LUN_INTS, .name = "factor", .min = 1, .doc = "{across, down}: pixels averaged into one" },
  { .type = LUN_NUMS, .name = "box", .min = 0, .doc = "{left, top, right, bottom} of what is reduced, whole pixels" },
  { .type = LUN_END },
};

/* ---- crop, pad, convert -------------------------------------------------- */

static lun_status take_offset(lun_ctx *cx, const lun_args *in, const char *name, int64_t *value) {
  *value = host->arg_int(in, name);
  if (*value < -INT32_MAX || *value > INT32_MAX)
    return host->fail(cx, LUN_EARG, "%s: %lld, wanted %d to %d", name, (long long)*value, -INT32_MAX, INT32_MAX);
  return LUN_OK;
}

static lun_status crop(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  static const uint8_t black[4] = { 0 };
  int64_t top, left, height, width;
  image picture, to;
  lun_tensor *t;
  (void)self;
  if (take_image(cx, in, &picture) != LUN_OK || take_size(cx, in, &height, &width) != LUN_OK ||
      take_offset(cx, in, "top", &top) != LUN_OK || take_offset(cx, in, "left", &left) != LUN_OK)
    return host->status(cx);
  t = make_image(cx, height, width, picture.channels, &to);
  if (t == NULL) return host->status(cx);
  image_fill(&to, black);
  image_place(&picture, top, left, &to);
  return host->ret_tensor(out, t);
}

#define OFFSET(name_, doc_) { .type = LUN_INT, .name = name_, .min = -INFINITY, .doc = doc_ }

static const lun_arg crop_args[] = {
  IMAGE,
  OFFSET("top", "first row, from 0; may be negative"),
  OFFSET("left", "first column, from 0; may be negative"),
  SIZE("height", "of the result"),
  SIZE("width", "of the result"),
  { .type = LUN_END },
};

/* The key "value": a number a channel, 0 to 255; black where it is left out. */
static lun_status take_color(lun_ctx *cx, const lun_args *in, int64_t channels, uint8_t color[4]) {
  size_t count = 0;
  const int64_t *value = host->arg_ints(in, "value", &count);
  memset(color, 0, 4);
  if (value == NULL) return LUN_OK;
  if (count != (size_t)channels)
    return host->fail(cx, LUN_EARG, "value: %zu numbers, wanted %lld, one a channel", count, (long long)channels);
  for (int64_t c = 0; c < channels; c++) {
    if (value[c] < 0 || value[c] > 255)
      return host->fail(cx, LUN_EARG, "value: %lld, wanted 0 to 255", (long long)value[c]);
    color[c] = (uint8_t)value[c];
  }
  return LUN_OK;
}

static lun_status pad(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  static const char *const names[] = { "top", "left", "bottom", "right" };
  int64_t margin[4];
  uint8_t color[4];
  image picture, to;
  lun_tensor *t;
  (void)self;
  if (take_image(cx, in, &picture) != LUN_OK || take_color(cx, in, picture.channels, color) != LUN_OK)
    return host->status(cx);
  for (int i = 0; i < 4; i++)
    if (take_offset(cx, in, names[i], &margin[i]) != LUN_OK) return host->status(cx);
  t = make_image(cx, picture.height + margin[0] + margin[2], picture.width + margin[1] + margin[3],
                 picture.channels, &to);
  if (t == NULL) return host->status(cx);
  image_fill(&to, color);
  image_place(&picture, -margin[0], -margin[1], &to);
  return host->ret_tensor(out, t);
}

#define MARGIN(name_) { .type = LUN_INT, .name = name_, .min = 0, .doc = "pixels added there" }

static const lun_arg pad_args[] = {
  IMAGE,
  MARGIN("top"), MARGIN("left"), MARGIN("bottom"), MARGIN("right"),
  { .type = LUN_INTS, .name = "value", .min = 0,
    .doc = "colour of the margin, a number a channel, 0 to 255; black if left out" },
  { .type = LUN_END },
};

static lun_status convert(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  static const struct { const char *name; int64_t channels; } modes[] = { { "L", 1 }, { "RGB", 3 }, { "RGBA", 4 } };
  size_t length;
  const char *mode = host->arg_str(in, "mode", &length);
  image picture, to;
  (void)self;
  if (take_image(cx, in, &picture) != LUN_OK) return host->status(cx);
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    if (strcmp(mode, modes[i].name) != 0) continue;
    lun_tensor *t = make_image(cx, picture.height, picture.width, modes[i].channels, &to);
    if (t == NULL) return host->status(cx);
    image_convert(&picture, &to);
    return host->ret_tensor(out, t);
  }
  return host->fail(cx, LUN_EARG, "mode: '%s', wanted L, RGB or RGBA", mode);
}

static const lun_arg convert_args[] = {
  IMAGE,
  { .type = LUN_STR, .required = 1, .name = "mode", .doc = "L (grey, 1 channel), RGB or RGBA" },
  { .type = LUN_END },
};

/* ---- normalize ----------------------------------------------------------- */

static lun_status take_statistics(lun_ctx *cx, const lun_args *in, const char *name, int64_t channels,
                                  const double **values) {
  size_t count = 0;
  *values = host->arg_nums(in, name, &count);
  if (*values == NULL || count != (size_t)channels)
    return host->fail(cx, LUN_EARG, "%s: %zu numbers, wanted %lld, one a channel", name,
                      *values == NULL ? (size_t)0 : count, (long long)channels);
  return LUN_OK;
}

static lun_status normalize(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  normalize_options options = { .do_rescale = (int)host->arg_int(in, "do_rescale"),
                                .do_normalize = (int)host->arg_int(in, "do_normalize"),
                                .rescale_factor = host->arg_num(in, "rescale_factor") };
  image picture;
  void *data = NULL;
  lun_tensor *t;
  (void)self;
  if (take_image(cx, in, &picture) != LUN_OK) return host->status(cx);
  if (options.do_normalize && (take_statistics(cx, in, "mean", picture.channels, &options.mean) != LUN_OK ||
                               take_statistics(cx, in, "std", picture.channels, &options.std) != LUN_OK))
    return host->status(cx);
  for (int64_t c = 0; options.do_normalize && c < picture.channels; c++)
    if (options.std[c] == 0) return host->fail(cx, LUN_EARG, "std: 0, wanted another number");
  t = host->make(cx, LUN_F32, 3, (int64_t[]){ picture.channels, picture.height, picture.width }, &data);
  if (t == NULL) return host->status(cx);
  image_normalize(&picture, &options, data);
  return host->ret_tensor(out, t);
}

static const lun_arg normalize_args[] = {
  IMAGE,
  { .type = LUN_NUM, .name = "rescale_factor", .def = 1.0 / 255, .min = -INFINITY, .doc = "multiplies the pixels" },
  { .type = LUN_BOOL, .name = "do_rescale", .def = 1, .doc = "multiply by rescale_factor" },
  { .type = LUN_NUMS, .name = "mean", .min = -INFINITY, .doc = "subtracted, a number a channel" },
  { .type = LUN_NUMS, .name = "std", .min = -INFINITY, .doc = "divides, a number a channel" },
  { .type = LUN_BOOL, .name = "do_normalize", .def = 1, .doc = "subtract mean, divide by std" },
  { .type = LUN_END },
};

const lun_func vision_functions[] = {
#define FUNC(name_, flags_, doc_) \
  { .size = sizeof(lun_func), .flags = flags_, .name = #name_, .doc = doc_, .args = name_##_args, .call = name_ }
  FUNC(format, 0, "what a file is by its first bytes: the format's name, whether it can be decoded here, and whether "
                  "it is a document (PDF, SVG, ...) and no picture; nil if nothing known"),
  FUNC(load, LUN_MAYFAIL,
       "a picture file -> u8 [Y, X, 3], upright, sRGB, as Pillow's ImageOps.exif_transpose(image).convert(\"RGB\"); "
       "with reduce_to also by how much it was reduced: 1, 2, 4 or 8"),
  FUNC(decode, LUN_MAYFAIL, "the same from the bytes of a file"),
  FUNC(save_png, LUN_MAYFAIL, "writes a picture as PNG; true"),
  FUNC(encode_jpeg, 0, "the bytes of a JPEG file of a picture"),
  FUNC(resize, 0, "u8 [Y, X, C] -> u8 [height, width, C], byte for byte as Pillow's Image.resize"),
  FUNC(thumbnail, 0, "a picture made to fit, aspect kept, never larger, as Pillow's Image.thumbnail"),
  FUNC(reduce, 0, "a picture smaller by whole factors, as Pillow's Image.reduce"),
  FUNC(crop, 0, "u8 [Y, X, C] -> u8 [height, width, C]; what lies outside the picture is 0"),
  FUNC(pad, 0, "a picture with a margin of one colour"),
  FUNC(convert, 0, "a picture in another mode, as Pillow's Image.convert: grey by ITU-R 601-2 luma, "
                   "alpha dropped or opaque"),
  FUNC(normalize, 0, "u8 [Y, X, C] -> f32 [C, Y, X]: (pixel * rescale_factor - mean) / std, "
                     "rounded as transformers' image processors round"),
#undef FUNC
  { .name = NULL },
};
