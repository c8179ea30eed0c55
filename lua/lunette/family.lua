-- family.lua - model families: what "model_type" names in a config.json.
--
--   local GPT2 = lunette.family { "gpt2", decoder = true, defaults = { n_layer = 12 } }
--   function GPT2:build(config, weights) ... end     -- makes the blocks
--   function GPT2:forward(...) ... end               -- model(...) calls it
--
-- 'defaults' are the values of config fields that a file may leave out; a value in the
-- file must be of the same kind.  A default that is a list may be one number for all.
local families = {}

local Model = {}          -- what every family inherits; pipeline.lua and decoder.lua add to it

-- family { model_type..., tasks=, defaults=, decoder=, architectures= } -> a class; several model types may share
-- one, and where one model type serves several architectures it says which of them it is
local function family(about)
  local class = setmetatable({ tasks = about.tasks or {}, defaults = about.defaults or {}, architectures = about.architectures },
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

local function fail(format, ...) error({ message = format:format(...), code = "io" }, 0) end

local function shown(value)
  if type(value) == "table" then return "a table" end
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

local MOST = 2 ^ 31 - 1 | 0        -- so that no product of two sizes overflows

local function check_field(name, value, default)
  local kind = math.type(default) or type(default)
  if kind == "table" then
    local list = type(value) == "table" and value or { value }
    for i = 1, math.max(1, #list) do check_field(name, list[i], default[1]) end
    if #list ~= 1 and #list ~= #default then fail("config.json: %s is a list of %d, wanted %d", name, #list, #default) end
  elseif kind == "integer" then
    local least = name:match "_id$" and 0 or 1               -- token ids count from 0
    if math.type(value) ~= kind or value < least or value > MOST then
      fail("config.json: %s is %s, wanted a whole number from %d to %d", name, shown(value), least, MOST)
    end
  elseif kind == "float" then
    if type(value) ~= "number" or not (value >= 0 and value <= 1e9) then
      fail("config.json: %s is %s, wanted a number from 0 to 1e9", name, shown(value))
    end
  elseif type(value) ~= kind then
    fail("config.json: %s is %s, wanted a %s", name, shown(value), kind)
  end
end

local function check_architecture(class, config)
  local given = type(config.architectures) == "table" and config.architectures[1]
  if not given or not class.architectures then return end
  for _, name in ipairs(class.architectures) do
    if name == given then return end
  end
  fail("unsupported architecture %q", tostring(given))
end

-- make(config, weights) -> model; raises what lunette.load returns
local function make(config, weights)
  local class, message, code = find(config.model_type)
  if not class then error({ message = message, code = code }, 0) end
  check_architecture(class, config)
  for name, default in pairs(class.defaults) do
    if config[name] == nil then config[name] = default else check_field(name, config[name], default) end
  end
  local model = setmetatable({ config = config }, class)
  model:build(config, weights)
  return model
end

-- pair(value) -> two numbers: those of a list, or one number twice (image_size, patch_size)
local function pair(value)
  if type(value) == "table" then return value[1], value[2] or value[1] end
  return value, value
end

-- sub_config(config, name) -> the object of that name in a config
local function sub_config(config, name)
  local value = config[name]
  if type(value) ~= "table" then fail("config.json: %s is %s, wanted an object", name, shown(value)) end
  return value
end

-- A model inside this one; 'role' (encoder, decoder) begins the names it records.
function Model:part(role, config, weights)
  local model = make(config, weights)
  model.role = role
  return model
end

local closed = {
  __index = function (_, name) error(("the model is closed (%s)"):format(tostring(name)), 2) end,
  __close = function () end,
}

-- model:close(), or the end of a 'local model <close>': weights and blocks go, and the memory with them
function Model:close()
  for name in pairs(self) do self[name] = nil end
  setmetatable(self, closed)
  collectgarbage()
end

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

return {
  family = family, find = find, make = make, pair = pair, sub_config = sub_config, tracing = tracing, Model = Model,
}
