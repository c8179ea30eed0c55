-- load.lua - lunette.load(DIR): a Hugging Face model directory as it is.
local core            = require "lunette.core"
local family          = require "lunette.family"
local generate        = require "lunette.generate"
local image_processor = require "lunette.image_processor"
local json            = require "lunette.json"
local text            = require "lunette.text"
local weights         = require "lunette.weights"
local lfs             = require "lfs"
require "lunette.pipeline"

local function exists(path) return lfs.attributes(path, "mode") == "file" end

-- Token ids beside the options of generation.
local IDS = { "bos_token_id", "pad_token_id", "decoder_start_token_id" }

-- generation_config.json, or, of directories older than it, what config.json says of generation.
local function generation_config(dir, config)
  if exists(dir .. "/generation_config.json") then return json.object(dir .. "/generation_config.json") end
  local found = {}
  for _, source in ipairs { config.decoder or {}, config } do
    for _, names in ipairs { IDS, generate.options } do
      for _, name in ipairs(names) do
        if source[name] ~= nil then found[name] = source[name] end
      end
    end
  end
  return found
end

local function open(dir, options)
  local config, message, code = json.object(dir .. "/config.json")
  if not config then return nil, message, code end
  if options.device and options.device ~= "cpu" then return nil, ("no device %q"):format(options.device), "device" end
  if options.dtype and options.dtype ~= "f32" and options.dtype ~= "auto" then
    return nil, ("dtype %q is not supported, wanted f32"):format(options.dtype), "arg"
  end
  local class
  class, message, code = family.find(config.model_type)
  if not class then return nil, ("%s: %s"):format(dir, message), code end
  local w
  w, message, code = weights.open(dir)
  if not w then return nil, message, code end
  local model = family.make(config, w)
  if options.shared then model.shared = core.share_packs() end
  w.file:rest()                              -- what is packed is not read again
  model.dir = dir
  model.generation_config, message, code = generation_config(dir, config)
  if not model.generation_config then return nil, message, code end
  if exists(dir .. "/tokenizer.json") then
    model.tokenizer, message, code = text.load(dir .. "/tokenizer.json")
    if not model.tokenizer then return nil, message, code end
    model.tokenizer_config, message, code = json.optional(dir .. "/tokenizer_config.json")
    if not model.tokenizer_config then return nil, message, code end
  end
  model.image_processor, message, code = image_processor.load(dir)
  if message then return nil, message, code end
  return model
end

local OPTIONS = { device = "string", dtype = "string", threads = "number", shared = "number" }

-- load(dir [, {device=, dtype=, threads=, shared=}]) -> model, or nil, message, code
--
-- shared: a file descriptor from lunette.make_packs(), inherited by the processes that load this model with
-- it: they hold one copy of its packed weights.  model.shared says how many bytes of them were found there,
-- added to it, or are private all the same.
return function (dir, options)
  if type(dir) ~= "string" then error("load needs the path of a model directory", 3) end
  for name, value in pairs(options or {}) do
    if not OPTIONS[name] then error(("load: unknown option %q"):format(tostring(name)), 3) end
    if type(value) ~= OPTIONS[name] then error(("load: %s is a %s, wanted a %s"):format(name, type(value), OPTIONS[name]), 3) end
  end
  if options and options.threads then core.threads(options.threads) end
  if lfs.attributes(dir, "mode") ~= "directory" then return nil, ("%s: not a directory"):format(dir), "io" end
  if options and options.shared then
    local ok, message, code = core.share_packs(options.shared)
    if not ok then return nil, message, code end
  end
  local results = table.pack(pcall(open, dir, options or {}))
  core.share_packs()                         -- no longer, if open() did not come so far
  if results[1] then return table.unpack(results, 2, results.n) end
  local err = results[2]
  if type(err) == "table" and err.message then return nil, err.message, err.code end
  return nil, ("%s: %s"):format(dir, err), "io"              -- what the blocks made of its fields and tensors
end
