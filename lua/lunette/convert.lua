-- convert.lua - a model directory in another number type or file format.
--
--   convert(source, target, { dtype = "q8_0" | "f16" | "bf16" | "f32", format = "gguf" | "safetensors" })
--     -> true, or nil, message, code
--
-- Names and shapes stay those of Hugging Face, the configuration and tokenizer files
-- are copied beside the weights.  One tensor is in memory at a time.
local core    = require "lunette.core"
local json    = require "lunette.json"
local lfs     = require "lfs"
local weights = require "lunette.weights"

-- Files of a model directory that are neither weights nor an index of them.
local BESIDE = { "%.json$", "%.md$", "%.jinja$", "%.model$", "^vocab%.txt$", "^merges%.txt$", "^LICEN[SC]E", "^NOTICE" }

-- Tables that are added to activations, not multiplied with them: one wrong bit moves every token.
local TABLES = { "position", "wpe%.", "token_type", "relative_attention_bias" }

-- general.file_type, as llama.cpp numbers it
local FILE_TYPE = { f32 = 0, f16 = 1, q8_0 = 7, bf16 = 32 }

-- Largest magnitudes; q8_0 has an f16 scale of 127 steps.
local LARGEST = { f16 = 65504, q8_0 = 127 * 65504 }

local FLOAT = { f32 = true, f16 = true, bf16 = true, f64 = true }

local function matches(name, patterns)
  for _, pattern in ipairs(patterns) do
    if name:find(pattern) then return true end
  end
  return false
end

-- Matrices that linear and embedding can take in blocks of 32.
local function is_matrix(name, shape)
  return #shape == 2 and shape[2] % 32 == 0 and shape[1] * shape[2] >= 32 * 32 and not matches(name, TABLES)
end

-- The type that a tensor is to have in the new file.
local function target_type(name, dtype, shape, options)
  if not FLOAT[dtype] then
    return dtype == "u8" and options.format == "gguf" and "i32" or dtype    -- GGUF has no unsigned bytes
  end
  if options.dtype == "q8_0" and not is_matrix(name, shape) then return "f32" end
  return options.dtype
end

local function fits(t, dtype)
  if not LARGEST[dtype] or t:count() == 0 then return true end
  return t:cast "f32":abs():reshape { -1 }:max():item() <= LARGEST[dtype]
end

-- What does not fit the type (the masks some checkpoints hold) stays f32.
local function converted(t, dtype)
  if t:dtype() == dtype then return t end
  return t:cast(fits(t, dtype) and dtype or "f32")
end

local function copy_tensor(file, out, name, options)
  local scope <close> = core.scope()
  local dtype, shape = file:about(name)
  local t, message, code = file:get(name)
  if not t then return nil, message, code end
  return out:add(name, converted(t, target_type(name, dtype, shape, options)))
end

local function copy_weights(from, to, config, options)
  local file <close>, message, code = core.weights(from)
  if not file then return nil, message, code end
  local out <close>, why, kind = core[options.format .. "_writer"](to)
  if not out then return nil, why, kind end
  local ok
  if options.format == "gguf" then
    ok, message, code = out:metadata("general.architecture", config.model_type)
    if ok then ok, message, code = out:metadata("general.name", options.name) end
    if ok then ok, message, code = out:metadata("general.file_type", FILE_TYPE[options.dtype]) end
  else
    ok, message, code = out:metadata("format", "pt")
  end
  for _, name in ipairs(file:names()) do
    if not ok then break end
    ok, message, code = copy_tensor(file, out, name, options)
  end
  if not ok then return nil, message, code end
  return out:close()
end

local function copy_file(from, to)
  local source <close>, message = io.open(from, "rb")
  if not source then return nil, message, "io" end
  local target <close>, why = io.open(to, "wb")
  if not target then return nil, why, "io" end
  for piece in source:lines(1 << 20) do
    local ok
    ok, why = target:write(piece)
    if not ok then return nil, ("%s: %s"):format(to, why), "io" end
  end
  local ok
  ok, why = target:close()
  if not ok then return nil, ("%s: %s"):format(to, why), "io" end
  return true
end

local function copy_beside(source, target)
  for name in lfs.dir(source) do
    local path = source .. "/" .. name
    if matches(name, BESIDE) and not name:find "%.index%.json$" and lfs.attributes(path, "mode") == "file" then
      local ok, message, code = copy_file(path, target .. "/" .. name)
      if not ok then return nil, message, code end
    end
  end
  return true
end

local function same_folder(a, b)
  local x, y = lfs.attributes(a), lfs.attributes(b)
  return x and y and x.dev == y.dev and x.ino == y.ino
end

local function convert(source, target, options)
  options = options or {}
  local dtype = options.dtype or "q8_0"
  local format = options.format or (dtype == "q8_0" and "gguf" or "safetensors")
  if not FILE_TYPE[dtype] then error(("dtype %q, wanted q8_0, f16, bf16 or f32"):format(tostring(dtype)), 2) end
  if format ~= "gguf" and format ~= "safetensors" then error(("format %q, wanted gguf or safetensors"):format(tostring(format)), 2) end
  if dtype == "q8_0" and format == "safetensors" then return nil, "safetensors has no type for q8_0, gguf has", "dtype" end

  local config, message, code = json.read(source .. "/config.json")
  if not config then return nil, message, code end
  if type(config.model_type) ~= "string" then return nil, source .. "/config.json: model_type is missing", "io" end
  local path
  path, message, code = weights.find(source)
  if not path then return nil, message, code end
  if same_folder(source, target) then return nil, target .. ": the folder to make is the one to convert", "arg" end
  if lfs.attributes(target, "mode") ~= "directory" then
    local made, why = lfs.mkdir(target)
    if not made then return nil, ("%s: %s"):format(target, why), "io" end
  end

  local ok
  ok, message, code = copy_weights(path, target .. "/model." .. format, config,
    { dtype = dtype, format = format, name = source:match "([^/]+)/*$" or config.model_type })
  if not ok then return nil, message, code end
  return copy_beside(source, target)
end

return { convert = convert }
