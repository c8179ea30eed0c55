-- weights.lua - the tensors of a model directory, by name, under a prefix.
--
--   w:tensor("wte.weight", V, C)         a tensor of that shape
--   w:linear("c_attn", C, 3 * C)         { weight = [3C, C], bias = [3C] }
--   w:norm("ln_1", C)                    { weight = [C], bias = [C] }, and eps if given
--   w:sub("h.0")                         the same under "h.0."
--
-- A missing or misshapen tensor raises an error that lunette.load returns.
local core = require "lunette.core"
local lfs  = require "lfs"

local Weights = {}
Weights.__index = Weights

local function shape_text(shape)
  local list = {}
  for i, size in ipairs(shape) do list[i] = tostring(size) end
  return "[" .. table.concat(list, ", ") .. "]"
end

local function fail(format, ...) error({ message = format:format(...), code = "io" }, 0) end

-- The file of a directory that holds its weights.
local function find(dir)
  for _, name in ipairs { "model.safetensors", "model.safetensors.index.json" } do
    if lfs.attributes(dir .. "/" .. name, "mode") == "file" then return dir .. "/" .. name end
  end
  local found = {}
  for name in lfs.dir(dir) do
    if name:match "%.gguf$" then found[#found + 1] = dir .. "/" .. name end
  end
  if #found == 1 then return found[1] end
  if #found > 1 then return nil, ("%s holds %d .gguf files, wanted one"):format(dir, #found), "io" end
  return nil, ("%s holds no model.safetensors, model.safetensors.index.json or .gguf file"):format(dir), "io"
end

-- open(dir) -> weights, or nil, message, code
local function open(dir)
  local path, message, code = find(dir)
  if not path then return nil, message, code end
  local file
  file, message, code = core.weights(path)
  if not file then return nil, message, code end
  return setmetatable({ file = file, path = path, prefix = "" }, Weights)
end

function Weights:sub(prefix)
  return setmetatable({ file = self.file, path = self.path, prefix = self.prefix .. prefix .. "." }, Weights)
end

function Weights:has(name) return self.file:about(self.prefix .. name) ~= nil end

-- What a weight may be stored as; a safetensors file may hold whole numbers too, which none is.
local REAL = { f32 = true, f16 = true, bf16 = true, f64 = true, q8_0 = true }

-- tensor(name, ...) -> the tensor, whose shape must be (...) if any is given
function Weights:tensor(name, ...)
  local full, wanted = self.prefix .. name, { ... }
  local dtype, shape = self.file:about(full)
  if not dtype then
    fail("%s: tensor %q is missing%s", self.path, full, #wanted > 0 and ", wanted " .. shape_text(wanted) or "")
  end
  if #wanted > 0 and shape_text(shape) ~= shape_text(wanted) then
    fail("%s: tensor %q is %s, wanted %s", self.path, full, shape_text(shape), shape_text(wanted))
  end
  if not REAL[dtype] then fail("%s: tensor %q is %s, wanted f32, f16, bf16, f64 or q8_0", self.path, full, dtype) end
  local t, message = self.file:get(full)
  if not t then fail("%s", message) end
  return t
end

-- The same as f32, whatever its type in the file: biases, norms and convolutions are used as they are.
function Weights:f32(name, ...) return self:tensor(name, ...):cast "f32" end

-- linear(name, inputs, outputs [, {transposed=, bias=}]); without a bias only where bias = false says so
function Weights:linear(name, inputs, outputs, options)
  options = options or {}
  return {
    weight = options.transposed and self:tensor(name .. ".weight", inputs, outputs)
             or self:tensor(name .. ".weight", outputs, inputs),
    bias = options.bias ~= false and self:f32(name .. ".bias", outputs) or nil,
  }
end

-- norm(name, channels [, eps]) -> what a layer's norm takes, or lunette.layer_norm with eps
function Weights:norm(name, channels, eps)
  return { weight = self:f32(name .. ".weight", channels), bias = self:f32(name .. ".bias", channels), eps = eps }
end

-- each(prefix, count, make) -> list of make(weights under prefix.i, i) for i = 0 .. count - 1
function Weights:each(prefix, count, make)
  local list = {}
  for i = 0, count - 1 do list[i + 1] = make(self:sub(prefix .. "." .. i), i) end
  return list
end

return { open = open, find = find }
