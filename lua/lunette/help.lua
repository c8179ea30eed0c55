-- help.lua - what there is and how to call it, made from the descriptors of operations and plugins.
--
--   print(lunette.help())                       what is built in, and the plugins
--   print(lunette.help "vision")                what a plugin offers
--   print(lunette.help "vision.resize")         one function, block, class or operation
local core = require "lunette.core"

local WIDTH = 100

local kinds = {          -- in the order of a list
  { "functions", "Functions" }, { "blocks", "Blocks" }, { "classes", "Classes" }, { "operations", "Operations" },
}
local types = {
  int = "integer", num = "number", bool = "boolean", str = "string", ints = "integers", nums = "numbers", strs = "strings",
}

-- Words in lines of at most WIDTH; 'first' begins the first one, and as many spaces the others.
local function wrap(first, words)
  local lines, line, empty = {}, first, true
  for word in words:gmatch "%S+" do
    if not empty and #line + 1 + #word > WIDTH then
      lines[#lines + 1] = line
      line, empty = (" "):rep(#first), true
    end
    line, empty = line .. (empty and "" or " ") .. word, false
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function kind_of(a)
  local s = types[a.type] or a.type
  if a.min and a.min ~= 0 then s = s .. " >= " .. a.min end
  if a.default ~= nil and not (a.min and a.default < a.min) then s = s .. " = " .. tostring(a.default) end
  return s
end

-- One line an argument: name, type, doc.
local function arguments(title, list)
  if #list == 0 then return nil end
  local rows, names, kinds_width = { title }, 0, 0
  for _, a in ipairs(list) do
    names, kinds_width = math.max(names, #a.name), math.max(kinds_width, #kind_of(a))
  end
  for _, a in ipairs(list) do
    rows[#rows + 1] = wrap(("  %-" .. names + 2 .. "s%-" .. kinds_width + 2 .. "s"):format(a.name, kind_of(a)),
                           (a.required and "" or "(optional) ") .. a.doc)
  end
  return table.concat(rows, "\n")
end

-- "(image, { height =, width = })": the required ones in their places, the others by name
local function call(list)
  local places, named = {}, {}
  for _, a in ipairs(list) do
    if a.required then places[#places + 1] = a.name else named[#named + 1] = a.name:match "^[^.]+" .. " =" end
  end
  local seen, unique = {}, {}
  for _, name in ipairs(named) do
    if not seen[name] then unique[#unique + 1] = name end
    seen[name] = true
  end
  if #unique > 0 then places[#places + 1] = "{ " .. table.concat(unique, ", ") .. " }" end
  return "(" .. table.concat(places, ", ") .. ")"
end

local function paragraphs(...)
  local kept = {}
  for i = 1, select("#", ...) do
    local text = select(i, ...)
    if text and text ~= "" then kept[#kept + 1] = text end
  end
  return table.concat(kept, "\n\n")
end

local describe = {}

function describe.functions(f)
  return paragraphs(wrap("", f.label .. call(f.args)), wrap("", f.doc), arguments("Arguments", f.args),
                    f.may_fail and "Returns nil, a message and a code when it fails." or nil)
end

function describe.blocks(b)
  local places = {}
  for i, a in ipairs(b.inputs) do places[i] = a.required and a.name or "[" .. a.name .. "]" end
  return paragraphs(("local block = %s { ... }\nlocal y = block(%s)"):format(b.label, table.concat(places, ", ")),
                    wrap("", b.doc), arguments("Arguments", b.args), arguments("Inputs", b.inputs))
end

function describe.classes(c)
  local rows = {}
  for i, m in ipairs(c.methods) do rows[i] = ("  :%s%s\n%s"):format(m.name, call(m.args), wrap("      ", m.doc)) end
  return paragraphs(c.label, wrap("", c.doc), #rows > 0 and "Methods\n" .. table.concat(rows, "\n") or nil)
end

function describe.operations(o)
  local names = o.inputs:gsub("([%w_]+)%?", "[%1]"):gsub(" ", ", ")
  return paragraphs(("%s(%s)"):format(o.label, names) .. (o.outputs == "y" and "" or "  -> " .. o.outputs:gsub(" ", ", ")),
                    wrap("", o.doc), o.params ~= "" and "Parameters\n" .. wrap("  ", o.params) or nil)
end

-- All that a plugin offers under a name: a class and its constructor may share one.
local function find(about, name)
  local texts = {}
  for _, kind in ipairs(kinds) do
    for _, thing in ipairs(about and about[kind[1]] or {}) do
      if thing.name == name then texts[#texts + 1] = describe[kind[1]](thing) end
      for _, method in ipairs(thing.methods or {}) do
        if thing.name .. ":" .. method.name == name then texts[#texts + 1] = describe.functions(method) end
      end
    end
  end
  return #texts > 0 and table.concat(texts, "\n\n") or nil
end

local function list(about)
  local parts = { about.name == "" and "lunette " .. about.version
                  or ("lunette.%s %s (%s)"):format(about.name, about.version, about.license) }
  for _, kind in ipairs(kinds) do
    local rows = { kind[2] }
    for _, thing in ipairs(about[kind[1]]) do rows[#rows + 1] = wrap(("  %-20s"):format(thing.name), thing.doc) end
    if #rows > 1 then parts[#parts + 1] = table.concat(rows, "\n") end
  end
  return paragraphs(table.unpack(parts))
end

local function plugins()
  local rows = { "Plugins" }
  for _, p in ipairs(core.plugins()) do
    rows[#rows + 1] = ("  %-20s%s"):format(p.name, p.refused or ("%s (%s)  %s"):format(p.version, p.license, p.path))
  end
  return #rows > 1 and table.concat(rows, "\n") or nil
end

local function plugin_named(name)
  if not core.describe(name) then
    local ok, why = pcall(require, "lunette." .. name)
    if not ok and not why:find("^module '.-' not found") then error(why, 0) end      -- found, and refused
  end
  return core.describe(name)
end

-- help([name]) -> text
return function (name)
  if name == nil then return paragraphs(list(core.describe ""), plugins()) end
  local short = name:gsub("^lunette%.", ""):gsub("^ops%.", "")
  local text = find(core.describe "", short)
  local plugin, thing = short:match "^([%l%d_]+)%.?(.*)$"
  local about = not text and plugin and plugin_named(plugin)
  if about then text = thing == "" and list(about) or find(about, thing) end
  return text or error(("help: nothing is named %q"):format(name), 2)
end
