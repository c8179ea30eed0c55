-- pipeline.lua - what a model with a picture encoder and a text decoder can do:
-- prepare pictures, generate, caption, trace.
local core     = require "lunette.core"
local family   = require "lunette.family"
local generate = require "lunette.generate"

local Model = family.Model

-- model:prepare(image u8 [Y, X, 3]) -> pixel_values f32 [1, 3, Y', X'], or nil, message, code
function Model:prepare(image)
  if getmetatable(image) ~= "lunette.tensor" then
    error(("image is a %s, wanted a tensor u8 [Y, X, 3] (vision.load reads one)"):format(type(image)), 2)
  end
  if not self.image_processor then return nil, "this model has no preprocessor_config.json", "io" end
  return self.image_processor(image)
end

-- model:encode(pixel_values [B, 3, Y, X]) -> [B, S, C]: what the decoder attends to
function Model:encode(pixel_values) return self.encoder(pixel_values) end

-- Tensors of one shape behind each other; concat takes eight at a time.
local function joined(list)
  local all = list[1]
  for first = 2, #list, 7 do
    local group = { all }
    for i = first, math.min(first + 6, #list) do group[#group + 1] = list[i] end
    group[#group + 1] = { axis = 1 }
    all = core.ops.concat(table.unpack(group))
  end
  return all
end

-- The pixel values of one picture, or of several in one tensor.
local function pixels_of(self, options)
  if options.pixel_values then return options.pixel_values end
  if not options.image then error("generate needs image, images or pixel_values", 3) end
  return self:prepare(options.image)
end

-- model:decode(ids) -> text without special tokens, spaces as tokenizer_config.json wants them
function Model:decode(ids)
  return self.tokenizer:decode(ids, { clean_up_tokenization_spaces = self.tokenizer_config.clean_up_tokenization_spaces })
end

-- One row's step for lunette.generate: logits of the decoder, rows in the cache.
local function stepper(decoder, cache)
  local step = {}
  function step.logits(_, ids) return decoder:step(ids, cache) end
  function step.reorder(_, index) cache:select(index) end
  return step
end

local NOT_GENERATION = { image = true, images = true, pixel_values = true, prompt = true, memory = true, start = true }

local NO_TOKENIZER = "this model has no tokenizer.json"

-- model:settings(options) -> the definite settings of such a call, and the ids each row starts from;
-- raises what is wrong with them, by name
function Model:settings(options)
  local ids, arguments = options.start or self:start(options.prompt), {}
  for name, value in pairs(options) do
    if not NOT_GENERATION[name] then arguments[name] = value end
  end
  return generate.settings(self:generation_defaults(), arguments, #ids, self.decoder.max_positions), ids
end

-- The results of pictures that were encoded: memory [I, S, C], settings and start ids as Model:settings gives them.
local function results_of(self, memory, settings, ids)
  local start = {}
  for i = 1, memory:dim(1) do start[i] = ids end
  local cache <close> = self.decoder:cache { length = math.min(settings.max_length, self.decoder.max_positions or math.huge) }
  cache:attend(memory)
  local results = generate.run(stepper(self.decoder, cache), start, settings)
  for _, result in ipairs(results) do
    for _, sequence in ipairs(result.sequences) do
      sequence.text = self.tokenizer and self:decode(sequence.ids) or nil
    end
    result.text, result.ids, result.score = result.sequences[1].text, result.sequences[1].ids, result.sequences[1].score
  end
  return results
end

-- Puts results[places[i]] for the pixel values list[i].  One picture's failure is its alone, though
-- they are computed together: a batch that fails is done again picture by picture.
local function fill(results, places, list, run)
  local ok, done = pcall(run, list)
  for i, place in ipairs(places) do
    if ok then results[place] = done[i]
    elseif #list > 1 then fill(results, { place }, { list[i] }, run)
    else results[place] = { error = tostring(done):gsub("^[^\n:]+:%d+: ", ""), stage = "caption" } end
  end
end

-- A result for each picture of a list, images or pixel values.
local function results_of_list(self, images, pixel_values, run)
  local results, places, list = {}, {}, {}
  for i, given in ipairs(images or pixel_values) do
    local pixels, message, code = given, nil, nil
    if images then pixels, message, code = self:prepare(given) end
    if pixels then places[#places + 1], list[#list + 1] = i, pixels
    else results[i] = { error = message, stage = "prepare", code = code } end
  end
  if #list > 0 then fill(results, places, list, run) end
  return results
end

-- model:generate { image= | images= | pixel_values= | memory=, prompt=, num_beams=, ... } -> result
--
--   image, images   u8 [Y, X, 3], one or a list
--   pixel_values    f32 [B, 3, Y, X], or a list of such of one picture each
--   memory          what model:encode gave
--
-- A result has text, ids (start token first, eos last where reached), score, and
-- sequences: the same for each of num_return_sequences.  Of a list: a list of results,
-- where a picture that failed has error, stage and code instead; of several pictures in
-- one tensor: a list of results.  nil, message, code where the one picture cannot be prepared.
function Model:generate(options)
  if options.prompt and not self.tokenizer then return nil, NO_TOKENIZER, "io" end
  local scope <close> = core.scope()
  local settings, ids = self:settings(options)
  local pixel_values = type(options.pixel_values) == "table" and options.pixel_values
  if options.images or pixel_values then
    return results_of_list(self, options.images, pixel_values, function (list)
      return results_of(self, self:encode(joined(list)), settings, ids)
    end)
  end
  local memory = options.memory
  if not memory then
    local pixels, message, code = pixels_of(self, options)
    if not pixels then return nil, message, code end
    memory = self:encode(pixels)
  end
  local results = results_of(self, memory, settings, ids)
  return #results > 1 and results or results[1]
end

-- What generation_config.json says; a family may know better.
function Model:generation_defaults() return self.generation_config end

-- model:caption(image [, options]) -> text, or nil, message, code
-- model:caption({ image, ... } [, options]) -> list of texts, or nil, message, code of the first that failed
function Model:caption(image, options)
  if not self.tokenizer then return nil, NO_TOKENIZER, "io" end
  local call = {}
  for name, value in pairs(options or {}) do call[name] = value end
  call[type(image) == "table" and "images" or "image"] = image
  local result, message, code = self:generate(call)
  if not result then return nil, message, code end
  if call.image then return result.text end
  local texts = {}
  for i, r in ipairs(result) do
    if r.error then return nil, ("picture %d: %s"):format(i, r.error), r.code end
    texts[i] = r.text
  end
  return texts
end

-- model:trace { image= | pixel_values=, ids= } -> { ["encoder_hidden_states.0"] = tensor, ..., logits = tensor }
-- 'ids' are the decoder's input; without them only the encoder runs.
function Model:trace(options)
  local pixels, message, code = pixels_of(self, options)
  if not pixels then return nil, message, code end
  return family.tracing(function ()
    local memory = self:encode(pixels)
    if not options.ids then return end
    local ids = options.ids
    if type(ids) == "table" then ids = core.tensor(type(ids[1]) == "table" and ids or { ids }, { dtype = "i64" }) end
    self.decoder(ids, self.decoder:cache { length = ids:dim(2) }:attend(memory))
  end)
end

return Model
