-- image_processor.lua - what preprocessor_config.json asks for, done to a picture.
--
-- A row of 'kinds' holds what a Hugging Face image processor does where the file
-- is silent; every kind runs the same steps: resize, centre crop, rescale,
-- normalise.  A field that is not known here is an error: pixels are never guessed.
local json   = require "lunette.json"
local vision = require "lunette.vision"

local IMAGENET_STANDARD = { mean = { 0.5, 0.5, 0.5 }, std = { 0.5, 0.5, 0.5 } }
local OPENAI_CLIP = {
  mean = { 0.48145466, 0.4578275, 0.40821073 }, std = { 0.26862954, 0.26130258, 0.27577711 },
}

local RESAMPLE = { [0] = "nearest", "lanczos", "bilinear", "bicubic", "box", "hamming" }  -- PIL.Image.Resampling

local function kind(stats, resample, size, options)
  local row = {
    do_resize = true, do_rescale = true, do_normalize = true, do_center_crop = false, default_to_square = true,
    image_mean = stats.mean, image_std = stats.std, rescale_factor = 1 / 255, resample = resample, size = size,
  }
  for k, v in pairs(options or {}) do row[k] = v end
  return row
end

local SHORTEST_224 = { do_center_crop = true, crop_size = { height = 224, width = 224 }, default_to_square = false }

local kinds = {
  ViT         = kind(IMAGENET_STANDARD, 2, { height = 224, width = 224 }),
  DeiT        = kind(IMAGENET_STANDARD, 3, { height = 256, width = 256 },
                     { do_center_crop = true, crop_size = { height = 224, width = 224 } }),
  Bit         = kind(OPENAI_CLIP, 3, { shortest_edge = 224 }, SHORTEST_224),
  CLIP        = kind(OPENAI_CLIP, 3, { shortest_edge = 224 }, SHORTEST_224),
  Blip        = kind(OPENAI_CLIP, 3, { height = 384, width = 384 }),
  Siglip      = kind(IMAGENET_STANDARD, 3, { height = 224, width = 224 }, { default_to_square = false }),
  MobileNetV1 = kind(IMAGENET_STANDARD, 2, { shortest_edge = 256 }, SHORTEST_224),
  MobileNetV2 = kind(IMAGENET_STANDARD, 2, { shortest_edge = 256 }, SHORTEST_224),
  ConvNext    = kind(IMAGENET_STANDARD, 3, { shortest_edge = 384 }, { default_to_square = false, crop_pct = 224 / 256 }),
}

-- Fields that say nothing about the pixels of one picture given as u8 RGB.
local silent = {}
for _, name in ipairs {
  "image_processor_type", "feature_extractor_type", "processor_class", "_processor_class", "auto_map",
  "do_convert_rgb", "return_tensors", "data_format", "input_data_format", "device", "disable_grouping",
  "model_input_names", "_valid_processor_keys", "image_seq_length", "do_reduce_labels", "reduce_labels",
} do silent[name] = true end

local known = {
  do_resize = "boolean", do_rescale = "boolean", do_normalize = "boolean", do_center_crop = "boolean",
  default_to_square = "boolean", rescale_factor = "number", resample = "number", crop_pct = "number",
  image_mean = "table", image_std = "table", size = "size", crop_size = "size",
}

local Processor = {}
Processor.__index = Processor

local function fail(format, ...) return nil, format:format(...), "io" end

-- A number is a square, or the shortest edge; a list is {height, width}.
local function size_table(value, square)
  if math.type(value) == "integer" then
    return square and { height = value, width = value } or { shortest_edge = value }
  elseif type(value) == "table" and value[1] then
    return { height = value[1], width = value[2] }
  end
  return value
end

local function check_size(name, size)
  local fields = { height = true, width = true, shortest_edge = true, longest_edge = true, max_height = true, max_width = true }
  if type(size) ~= "table" then return fail("%s is %s, wanted a number or a table", name, tostring(size)) end
  for k, v in pairs(size) do
    if not fields[k] then return fail("%s has the unknown field %q", name, tostring(k)) end
    if math.type(v) ~= "integer" or v < 1 or v > 65536 then
      return fail("%s.%s is %s, wanted a whole number from 1 to 65536", name, k, tostring(v))
    end
  end
  if size.height and size.width and not size.shortest_edge then return true end
  if size.shortest_edge and not size.height and not size.width then return true end
  if size.max_height and size.max_width and not size.height then return true end
  return fail("%s needs height and width, or shortest_edge, or max_height and max_width", name)
end

-- What normalising needs: three numbers.
local function check_stats(name, list)
  if type(list) ~= "table" then return fail("preprocessor_config.json: %s is null, wanted 3 numbers", name) end
  if #list ~= 3 then return fail("preprocessor_config.json: %s has %d numbers, wanted 3", name, #list) end
  for i = 1, 3 do
    if type(list[i]) ~= "number" or (name == "image_std" and list[i] == 0) then
      return fail("preprocessor_config.json: %s holds %s", name, tostring(list[i]))
    end
  end
  return true
end

-- A step's own fields count only where the step is done.
local function check_steps(self)
  local ok, message, code = true, nil, nil
  if self.do_resize then
    self.filter = RESAMPLE[self.resample or -1]
    if not self.filter then return fail("preprocessor_config.json: resample is %s, wanted 0 to 5", tostring(self.resample)) end
    ok, message, code = check_size("size", self.size)
    if ok and self.crops_resized and not (self.size.shortest_edge and (self.crop_pct or 0) > 0) then
      return fail("%s needs size.shortest_edge and a positive crop_pct", self.kind)
    end
  end
  if ok and self.do_center_crop then
    ok, message, code = check_size("crop_size", self.crop_size)
    if ok and not self.crop_size.height then return fail("crop_size needs height and width") end
  end
  if ok and self.do_rescale and not self.rescale_factor then
    return fail("preprocessor_config.json: rescale_factor is null, wanted a number")
  end
  if ok and self.do_normalize then
    ok, message, code = check_stats("image_mean", self.image_mean)
    if ok then ok, message, code = check_stats("image_std", self.image_std) end
  end
  return ok, message, code
end

-- processor:reduce_to() -> pixels that both sides of a picture must keep when it is decoded at reduced scale (vision.load),
-- so that what comes out stays near: twice what it is resized to; nil where sizes do not say.
function Processor:reduce_to()
  if not self.do_resize then return nil end
  local size = self.size
  return 2 * math.max(size.height or 0, size.width or 0, size.shortest_edge or 0, size.max_height or 0, size.max_width or 0)
end

-- new(config) -> processor, or nil, message, code
--
-- 'config' is the parsed file with false for null: as in transformers, a step that is
-- null is not done and a value that is null is not the default but missing.
local function new(config)
  local name = config.image_processor_type or config.feature_extractor_type
  if type(name) ~= "string" then return fail("preprocessor_config.json: image_processor_type is missing") end
  local row = kinds[name:match "^(%w-)ImageProcessor" or name:match "^(%w-)FeatureExtractor"]
  if not row then return fail("unsupported image processor %q", name) end
  local self = setmetatable({ kind = name, crops_resized = row.crop_pct ~= nil }, Processor)
  for k, v in pairs(row) do self[k] = v end
  for k, v in pairs(config) do
    local wanted = known[k]
    if k == "crop_pct" and not row.crop_pct then wanted = nil end
    if not wanted then
      if v and not silent[k] then return fail("preprocessor_config.json: unknown field %q", tostring(k)) end
    elseif v == false and wanted ~= "boolean" then
      self[k] = nil
    elseif wanted ~= "size" and type(v) ~= wanted then
      return fail("preprocessor_config.json: %s is a %s, wanted a %s", k, type(v), wanted)
    else
      self[k] = v
    end
  end
  self.size = size_table(self.size, self.default_to_square)
  self.crop_size = size_table(self.crop_size, true)
  local ok, message, code = check_steps(self)
  if not ok then return nil, message, code end
  return self
end

-- Height and width after resizing a picture of y by x.
local function target(size, y, x)
  if size.height then return size.height, size.width end
  if size.max_height then
    local scale = math.min(size.max_height / y, size.max_width / x)
    return y * scale // 1 | 0, x * scale // 1 | 0
  end
  local edge, raw = size.shortest_edge, nil
  if size.longest_edge then
    local low, high = math.min(y, x) + 0.0, math.max(y, x) + 0.0
    if high / low * edge > size.longest_edge then
      raw = size.longest_edge * low / high
      edge = raw // 1 | 0
      local rest = raw - edge                                -- Python rounds halves to even
      if rest > 0.5 or (rest == 0.5 and edge % 2 == 1) then edge = edge + 1 end
    end
    if math.min(y, x) == edge then return y, x end
  end
  local scaled = raw or edge
  if x <= y then return scaled * y / x // 1 | 0, edge end
  return edge, scaled * x / y // 1 | 0
end

local function center_crop(image, height, width)
  local y, x = image:dim(1), image:dim(2)
  return vision.crop(image, { top = (y - height) // 2, left = (x - width) // 2, height = height, width = width })
end

local MEGAPIXELS = 200      -- a resized picture has at most, as a decoded one

local function resize_to(self, image, height, width)
  if height < 1 or width < 1 or height * width > MEGAPIXELS * 1e6 then
    return fail("a picture of %d x %d pixels would become %d x %d (limit %d megapixels)",
                image:dim(2), image:dim(1), width, height, MEGAPIXELS)
  end
  return vision.resize(image, { height = height, width = width, resample = self.filter })
end

-- processor:resize(image u8 [Y, X, 3]) -> u8: resized and cropped, as the model sees it;
-- or nil, message, code
function Processor:resize(image)
  local y, x = image:dim(1), image:dim(2)
  local crop = self.do_center_crop and self.crop_size
  if self.do_resize then
    local height, width = target(self.size, y, x)
    if self.crops_resized then
      local edge = self.size.shortest_edge
      height, width = edge, edge
      if edge < 384 then
        height, width = target({ shortest_edge = edge / self.crop_pct // 1 | 0 }, y, x)
        crop = { height = edge, width = edge }
      end
    end
    local resized, message, code = resize_to(self, image, height, width)
    if not resized then return nil, message, code end
    image = resized
  end
  return crop and center_crop(image, crop.height, crop.width) or image
end

-- processor:normalize(image u8 [Y', X', 3], as resize gave it) -> f32 [1, 3, Y', X']
function Processor:normalize(image)
  local pixels = vision.normalize(image, {
    do_rescale = self.do_rescale, rescale_factor = self.rescale_factor,
    do_normalize = self.do_normalize, mean = self.image_mean, std = self.image_std,
  })
  return pixels:reshape { 1, pixels:dim(1), pixels:dim(2), pixels:dim(3) }
end

-- processor(image u8 [Y, X, 3]) -> f32 [1, 3, Y', X'], or nil, message, code
function Processor:__call(image)
  local resized, message, code = self:resize(image)
  if not resized then return nil, message, code end
  return self:normalize(resized)
end

-- load(dir) -> the processor of a model directory, nil if it has none; or nil, message, code
--
-- Processors of transformers 5 write it into processor_config.json, which comes first,
-- older ones into a file of its own.
local function load(dir)
  local config, message, code = json.optional(dir .. "/processor_config.json", false)
  if config and type(config.image_processor) == "table" then config = config.image_processor
  elseif config then config, message, code = json.optional(dir .. "/preprocessor_config.json", false) end
  if not config then return nil, message, code end
  if not next(config) then return nil end
  local processor
  processor, message, code = new(config)
  if not processor then return nil, ("%s: %s"):format(dir, message), code end
  return processor
end

return { load = load, new = new, kinds = kinds }
