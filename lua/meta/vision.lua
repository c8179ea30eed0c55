---@meta lunette.vision
-- Written by scripts/tools/meta.lua; what it says is said in C.
-- luacheck: ignore 241

---@class lunette.vision
local vision = {}

--- what a file is by its first bytes: the format's name, whether it can be decoded here, and whether it is a document
--- (PDF, SVG, ...) and no picture; nil if nothing known
---@param bytes string the beginning of a file; 16 bytes tell every format
---@return any ...
function vision.format(bytes) end

---@class lunette.vision.load_options
--- larger pictures are refused
---@field max_megapixels? number
--- JPEG: decode at 1/2, 1/4 or 1/8 if that divides both sides and leaves them this many pixels; 0: in full
---@field reduce_to? integer

--- a picture file -> u8 [Y, X, 3], upright, sRGB, as Pillow's ImageOps.exif_transpose(image).convert("RGB"); with
--- reduce_to also by how much it was reduced: 1, 2, 4 or 8
---@param path string a picture file, known by its contents
---@param options? lunette.vision.load_options
---@return any ...
function vision.load(path, options) end

---@class lunette.vision.decode_options
--- larger pictures are refused
---@field max_megapixels? number
--- JPEG: decode at 1/2, 1/4 or 1/8 if that divides both sides and leaves them this many pixels; 0: in full
---@field reduce_to? integer
--- turn upright as EXIF says
---@field orient? boolean

--- the same from the bytes of a file
---@param bytes string contents of a picture file
---@param options? lunette.vision.decode_options
---@return any ...
function vision.decode(bytes, options) end

--- writes a picture as PNG; true
---@param path string file to write
---@param image lunette.tensor u8 [Y, X, C], C 1 (grey), 3 (RGB) or 4 (RGBA)
---@return any ...
function vision.save_png(path, image) end

---@class lunette.vision.encode_jpeg_options
--- 1 to 100
---@field quality? integer

--- the bytes of a JPEG file of a picture
---@param image lunette.tensor u8 [Y, X, C], C 1 (grey) or 3 (RGB)
---@param options? lunette.vision.encode_jpeg_options
---@return any ...
function vision.encode_jpeg(image, options) end

---@class lunette.vision.resize_options
--- of the result
---@field height? integer
--- of the result
---@field width? integer
--- nearest, lanczos, bilinear, bicubic (default), box or hamming
---@field resample? string
--- {left, top, right, bottom} of what is resized, in pixels, fractions allowed
---@field box? number[]
--- reduce by whole factors first, to this many times the size, at least 1; 0: do not
---@field reducing_gap? number

--- u8 [Y, X, C] -> u8 [height, width, C], byte for byte as Pillow's Image.resize
---@param image lunette.tensor u8 [Y, X, C], C 1 (grey), 3 (RGB) or 4 (RGBA)
---@param options? lunette.vision.resize_options
---@return any ...
function vision.resize(image, options) end

---@class lunette.vision.thumbnail_options
--- at most
---@field height? integer
--- at most
---@field width? integer
--- nearest, lanczos, bilinear, bicubic (default), box or hamming
---@field resample? string
--- as for resize; 0: none
---@field reducing_gap? number

--- a picture made to fit, aspect kept, never larger, as Pillow's Image.thumbnail
---@param image lunette.tensor u8 [Y, X, C], C 1 (grey), 3 (RGB) or 4 (RGBA)
---@param options? lunette.vision.thumbnail_options
---@return any ...
function vision.thumbnail(image, options) end

---@class lunette.vision.reduce_options
--- {across, down}: pixels averaged into one
---@field factor? integer[]
--- {left, top, right, bottom} of what is reduced, whole pixels
---@field box? number[]

--- a picture smaller by whole factors, as Pillow's Image.reduce
---@param image lunette.tensor u8 [Y, X, C], C 1 (grey), 3 (RGB) or 4 (RGBA)
---@param options? lunette.vision.reduce_options
---@return any ...
function vision.reduce(image, options) end

---@class lunette.vision.crop_options
--- first row, from 0; may be negative
---@field top? integer
--- first column, from 0; may be negative
---@field left? integer
--- of the result
---@field height? integer
--- of the result
---@field width? integer

--- u8 [Y, X, C] -> u8 [height, width, C]; what lies outside the picture is 0
---@param image lunette.tensor u8 [Y, X, C], C 1 (grey), 3 (RGB) or 4 (RGBA)
---@param options? lunette.vision.crop_options
---@return any ...
function vision.crop(image, options) end

---@class lunette.vision.pad_options
--- pixels added there
---@field top? integer
--- pixels added there
---@field left? integer
--- pixels added there
---@field bottom? integer
--- pixels added there
---@field right? integer
--- colour of the margin, a number a channel, 0 to 255; black if left out
---@field value? integer[]

--- a picture with a margin of one colour
---@param image lunette.tensor u8 [Y, X, C], C 1 (grey), 3 (RGB) or 4 (RGBA)
---@param options? lunette.vision.pad_options
---@return any ...
function vision.pad(image, options) end

--- a picture in another mode, as Pillow's Image.convert: grey by ITU-R 601-2 luma, alpha dropped or opaque
---@param image lunette.tensor u8 [Y, X, C], C 1 (grey), 3 (RGB) or 4 (RGBA)
---@param mode string L (grey, 1 channel), RGB or RGBA
---@return any ...
function vision.convert(image, mode) end

---@class lunette.vision.normalize_options
--- multiplies the pixels
---@field rescale_factor? number
--- multiply by rescale_factor
---@field do_rescale? boolean
--- subtracted, a number a channel
---@field mean? number[]
--- divides, a number a channel
---@field std? number[]
--- subtract mean, divide by std
---@field do_normalize? boolean

--- u8 [Y, X, C] -> f32 [C, Y, X]: (pixel * rescale_factor - mean) / std, rounded as transformers' image processors
--- round
---@param image lunette.tensor u8 [Y, X, C], C 1 (grey), 3 (RGB) or 4 (RGBA)
---@param options? lunette.vision.normalize_options
---@return any ...
function vision.normalize(image, options) end

---@class lunette.vision.patch_embedding_arguments
--- [C, 3, P, P], P the side of a patch
---@field weight lunette.tensor
--- [C]
---@field bias? lunette.tensor

--- f32 [B, 3, Y, X] -> [B, N, C], N = (Y / P) (X / P): each patch of P x P pixels becomes a vector, rows of patches
--- from the top; Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.1
---@class lunette.vision.patch_embedding_block
---@field path string
---@overload fun(pixels: lunette.tensor): lunette.tensor

---@param arguments lunette.vision.patch_embedding_arguments
---@return lunette.vision.patch_embedding_block
function vision.patch_embedding(arguments) end

return vision
