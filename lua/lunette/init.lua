-- init.lua - the module a script requires: blocks, tensors, models.
local core   = require "lunette.core"
local family = require "lunette.family"

local lunette = {}
for name, value in pairs(core) do lunette[name] = value end

for _, name in ipairs { "fill", "arange", "concat" } do lunette[name] = core.ops[name] end

lunette.family     = family.family
lunette.pair       = family.pair
lunette.sub_config = family.sub_config
lunette.activation = require "lunette.activation"

function lunette.load(...) return require "lunette.load"(...) end

-- with_prefix(tokens, x [B, N, C]) -> [B, #tokens + N, C]: learned [1, 1, C] tokens before each row
function lunette.with_prefix(tokens, x)
  local list = {}
  for i, t in ipairs(tokens) do list[i] = t:expand { x:dim(1), 1, x:dim(3) } end
  list[#list + 1] = x
  list[#list + 1] = { axis = 2 }
  return lunette.concat(table.unpack(list))
end

-- want_size(pixels [B, 3, Y, X], height, width): raises unless the pictures are of that size
function lunette.want_size(pixels, height, width)
  local y, x = pixels:dim(3), pixels:dim(4)
  if y ~= height or x ~= width then
    error(("a picture of %d x %d, but this model takes %d x %d"):format(x, y, width, height), 3)
  end
end

-- lunette.vision, lunette.text and other modules and plugins are loaded when first used.
return setmetatable(lunette, { __index = function (t, name)
  if type(name) ~= "string" or not name:match "^[%a_][%w_]*$" then return nil end
  local ok, module = pcall(require, "lunette." .. name)
  if ok then
    t[name] = module
    return module
  end
  if not module:find(("module 'lunette.%s' not found"):format(name), 1, true) then error(module, 2) end
end })
