-- family.lua - model families: what "model_type" names in a config.json.
--
--   local GPT2 = lunette.family { "gpt2", decoder = true, defaults = { n_layer = 12 } }
--   function GPT2:build(config, weights) ... end     -- makes the blocks
--   function GPT2:forward(...) ... end               -- model(...) calls it
--
-- 'defaults' are the values of config fields that a file may leave out.
local families = {}

local Model = {}          -- what every family inherits; pipeline.lua and decoder.lua add to it

-- family { model_type..., tasks=, defaults=, decoder= } -> a class; several model types may share one
local function family(about)
  local class = setmetatable({ tasks = about.tasks or {}, defaults = about.defaults or {} },
                             { __index = about.decoder and require "lunette.decoder" or Model })
  class.__index = class
  class.__call = function (self, ...) return self:forward(...) end
  class.__close = function (self) self:close() end
  class.__name = "lunette." .. about[1]
  for _, name in ipairs(about) do families[name] = class end
  return class
end

-- find(model_type) -> class, or nil, message, code; the file is models/MODEL_TYPE.lua
local function find(model_type)
  if type(model_type) ~= "string" then return nil, "config.json: model_type is missing", "io" end
  if not families[model_type] then
    local name = "lunette.models." .. model_type:gsub("%W", "_"):lower()
    if package.searchpath(name, package.path) then require(name) end
  end
  if families[model_type] then return families[model_type] end
  return nil, ("unsupported model_type %q"):format(model_type), "io"
end

-- make(config, weights) -> model; raises what lunette.load returns
local function make(config, weights)
  local class, message, code = find(config.model_type)
  if not class then error({ message = message, code = code }, 0) end
  for name, value in pairs(class.defaults) do
    if config[name] == nil then config[name] = value end
  end
  local model = setmetatable({ config = config }, class)
  model:build(config, weights)
  return model
end

-- A model inside this one; 'role' (encoder, decoder) begins the names it records.
function Model:part(role, config, weights)
  local model = make(config, weights)
  model.role = role
  return model
end

function Model:close() self.closed = true end

-- ---- looking inside ---------------------------------------------------------

local trace               -- the table that record() fills, while tracing() runs

-- record(name, [index,] x) -> x: kept as "ROLE_name.index"
function Model:record(name, index, x)
  if x == nil then
    index, x = nil, index
  end
  if trace then trace[(self.role and self.role .. "_" or "") .. name .. (index and "." .. index or "")] = x end
  return x
end

-- record_module(path, x) -> x: kept under the path that transformers gives the module
function Model:record_module(path, x)
  if trace then trace[path] = x end
  return x
end

-- tracing(fn, ...) -> what was recorded while fn(...) ran, by name
local function tracing(fn, ...)
  local outer, recorded = trace, {}
  trace = recorded
  local ok, err = pcall(fn, ...)
  trace = outer
  if not ok then error(err, 0) end
  return recorded
end

return { family = family, find = find, make = make, tracing = tracing, Model = Model }
