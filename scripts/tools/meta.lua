-- meta.lua - writes LuaLS types, made from descriptors, for what is built in or for a plugin.
-- usage, from the root of the repository:  lua5.4 scripts/tools/meta.lua [NAME] > lua/meta/NAME.lua
--
-- NAME is a plugin's; without one it is what is built in (lua/meta/lunette.lua).
dofile((arg[0]:match "^.*/" or "./") .. "path.lua")
local core = require "lunette.core"

local name = arg[1]
if name then require("lunette." .. name) end
local about = core.describe(name or "")
local module = name and "lunette." .. name or "lunette"
local variable = name or "lunette"

local TYPES = {
  int = "integer", num = "number", bool = "boolean", str = "string", ints = "integer[]", nums = "number[]",
  strs = "string[]", tensor = "lunette.tensor", object = "userdata",
}

local out = {}
local function put(format, ...) out[#out + 1] = format:format(...) end

local function doc(text)
  local line = "---"
  for word in text:gmatch "%S+" do
    if #line + 1 + #word > 120 then
      out[#out + 1] = line
      line = "---"
    end
    line = line .. " " .. word
  end
  if line ~= "---" then out[#out + 1] = line end
end

-- A class whose fields are the arguments; a name with dots is a field of a class of its own.
local function arguments(class, list)
  local tables, order = { [""] = {} }, { "" }
  for _, a in ipairs(list) do
    local path, leaf = a.name:match "^(.-)%.?([^.]+)$"
    local built = ""
    for part in path:gmatch "[^.]+" do
      local inner = built == "" and part or built .. "." .. part
      if not tables[inner] then
        tables[inner] = {}
        order[#order + 1] = inner
        table.insert(tables[built], { name = part, type = class .. "." .. inner, doc = "" })
      end
      built = inner
    end
    table.insert(tables[path], { name = leaf, type = TYPES[a.type], doc = a.doc, required = a.required })
  end
  for _, path in ipairs(order) do
    put("---@class %s", path == "" and class or class .. "." .. path)
    for _, field in ipairs(tables[path]) do
      doc(field.doc)
      put("---@field %s%s %s", field.name, field.required and "" or "?", field.type)
    end
    put ""
  end
end

-- Required arguments are parameters; the others are fields of a table.
local function callable(owner, mark, f)
  local parameters, named = {}, {}
  for _, a in ipairs(f.args) do
    if a.required then parameters[#parameters + 1] = a.name else named[#named + 1] = a end
  end
  local class = ("%s.%s_options"):format(owner == variable and module or module .. "." .. owner, f.name)
  if #named > 0 then
    arguments(class, named)
    parameters[#parameters + 1] = "options"
  end
  doc(f.doc)
  for _, a in ipairs(f.args) do
    if a.required then put("---@param %s %s %s", a.name, TYPES[a.type], #a.doc < 80 and a.doc or "") end
  end
  if #named > 0 then put("---@param options? %s", class) end
  put "---@return any ..."
  put("function %s%s%s(%s) end\n", owner, mark, f.name, table.concat(parameters, ", "))
end

local function block(b)
  local class, places = module .. "." .. b.name, {}
  arguments(class .. "_arguments", b.args)
  doc(b.doc)
  for i, a in ipairs(b.inputs) do
    places[i] = ("%s%s: %s"):format(a.name, a.required and "" or "?", TYPES[a.type])
  end
  put("---@class %s_block", class)
  put("---@field path string")
  put("---@overload fun(%s): lunette.tensor\n", table.concat(places, ", "))
  put("---@param arguments %s_arguments", class)
  put("---@return %s_block", class)
  put("function %s.%s(arguments) end\n", variable, b.name)
end

local function class(c)
  doc(c.doc)
  put("---@class %s.%s", module, c.name)
  put("local %s = {}\n", c.name)
  for _, m in ipairs(c.methods) do callable(c.name, ":", m) end
end

-- An operation is a function of lunette.ops; parameters follow the inputs.
local function operation(o)
  local names = {}
  doc(o.doc)
  for input in o.inputs:gmatch "%S+" do
    local plain = input:gsub("%?$", "")
    names[#names + 1] = plain
    put("---@param %s%s lunette.tensor|number", plain, input ~= plain and "?" or "")
  end
  if o.params ~= "" then
    put("---@param ... any")
    doc("parameters, in order or as a table by name: " .. o.params)
    names[#names + 1] = "..."
  end
  for output in o.outputs:gmatch "%S+" do put("---@return lunette.tensor %s", output) end
  put("function ops.%s(%s) end\n", o.name, table.concat(names, ", "))
end

put("---@meta %s", module)
put "-- Written by scripts/tools/meta.lua; what it says is said in C."
put "-- luacheck: ignore 241\n"
if #about.operations > 0 then
  put "---@class lunette.tensor\n"
  put "---@class lunette.ops"
  put "local ops = {}\n"
  for _, o in ipairs(about.operations) do operation(o) end
end
for _, c in ipairs(about.classes) do class(c) end
put("---@class %s", module)
put("local %s = {}\n", variable)
if #about.operations > 0 then put("%s.ops = ops\n", variable) end
for _, f in ipairs(about.functions) do callable(variable, ".", f) end
for _, b in ipairs(about.blocks) do block(b) end
put("return %s", variable)
print(table.concat(out, "\n"))
