-- identity.lua - what captions depend on beside the picture: the model's files and the options.
local digest = require "lunette.digest"
local luv    = require "luv"

local identity = {}

-- Files that a model directory may hold and captions may depend on: all but what people read.
local function counts(name) return not (name:find "^%." or name:find "%.md$" or name:find "^LICENSE") end

-- model(dir) -> digest of the names and contents of its files, or nil, message
function identity.model(dir)
  local request, message = luv.fs_scandir(dir)
  if not request then return nil, ("%s: %s"):format(dir, message:match "^%u+: ([^:]*)" or message) end
  local names, parts = {}, {}
  for name in luv.fs_scandir_next, request do
    local stat = counts(name) and luv.fs_stat(dir .. "/" .. name)
    if stat and stat.type == "file" then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    local hash
    hash, message = digest.file(dir .. "/" .. name)
    if not hash then return nil, message end
    parts[i] = name .. "\0" .. hash
  end
  return digest.string(table.concat(parts, "\n"))
end

-- settings(values) -> a line "name value" for each, in order of the names
function identity.settings(values)
  local lines = {}
  for name, value in pairs(values) do
    lines[#lines + 1] = name .. " " .. tostring(value):gsub("[\\\n]", { ["\\"] = "\\\\", ["\n"] = "\\n" })
  end
  table.sort(lines)
  return table.concat(lines, "\n")
end

local function parse(settings)
  local values = {}
  for name, value in settings:gmatch "([^ \n]+) ([^\n]*)" do values[name] = value end
  return values
end

-- changes(old, new) -> "num_beams was 1 and is 3, the model is another"
function identity.changes(old, new)
  local was, is, list, names = parse(old), parse(new), {}, {}
  for name in pairs(was) do names[name] = true end
  for name in pairs(is) do names[name] = true end
  for name in pairs(names) do
    if was[name] ~= is[name] then
      list[#list + 1] = name == "model" and "the model is another" or
        ("%s was %s and is %s"):format(name, was[name] or "not given", is[name] or "not given")
    end
  end
  table.sort(list)
  return table.concat(list, ", ")
end

return identity
