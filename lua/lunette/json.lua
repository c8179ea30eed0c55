-- json.lua - JSON files of a model directory as plain Lua tables.
--
-- Null is left out (a field that is null is a field that is not there) unless the
-- caller says what to put for it; whole numbers are integers, whatever the reader
-- made of them.
local cjson = require "cjson"
local lfs   = require "lfs"

local LIMIT = 64 << 20     -- bytes: a config of more is not one
local PIECE = 1 << 16      -- bytes read at a time

local reader = cjson.new()
reader.decode_max_depth(64)

local function plain(v, null)
  if type(v) == "number" then return math.tointeger(v) or v end
  if v == cjson.null then return null end
  if type(v) ~= "table" then return v end
  local t = {}
  for key, value in pairs(v) do t[key] = plain(value, null) end
  return t
end

-- decode(text, name [, null]) -> value, or nil, message, code
local function decode(text, name, null)
  local ok, value = pcall(reader.decode, text)
  if not ok then return nil, ("%s: %s"):format(name, value), "io" end
  return plain(value, null)
end

-- read(path [, null]) -> value, or nil, message, code
local function read(path, null)
  local file <close>, message = io.open(path, "rb")
  if not file then return nil, message, "io" end
  local pieces, size = {}, 0                  -- asked for all at once, Lua would set aside all of LIMIT
  while true do
    local piece, why = file:read(PIECE)
    if why then return nil, ("%s: %s"):format(path, why), "io" end
    if not piece then break end
    pieces[#pieces + 1], size = piece, size + #piece
    if size > LIMIT then return nil, ("%s: more than %d bytes"):format(path, LIMIT), "io" end
  end
  if size == 0 then return nil, path .. ": empty file", "io" end
  return decode(table.concat(pieces), path, null)
end

-- object(path [, null]) -> the same of a file that must hold an object
local function object(path, null)
  local value, message, code = read(path, null)
  if message then return nil, message, code end
  if type(value) ~= "table" or value[1] ~= nil then return nil, path .. ": not a JSON object", "io" end
  return value
end

-- optional(path [, null]) -> the same of a file that need not be there: then {}
local function optional(path, null)
  if lfs.attributes(path, "mode") ~= "file" then return {} end
  return object(path, null)
end

return { decode = decode, read = read, object = object, optional = optional }
