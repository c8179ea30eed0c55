-- json.lua - JSON files of a model directory as plain Lua tables, and values as JSON.
--
-- Read: null is left out (a field that is null is a field that is not there) unless the
-- caller says what to put for it; whole numbers are integers, whatever the reader
-- made of them.
local cjson = require "cjson"

local LIMIT = 64 << 20     -- bytes: a config of more is not one

local reader = cjson.new()
reader.decode_max_depth(64)

local encoder = cjson.new()
encoder.encode_number_precision(9)        -- tells any two f32 apart

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
  local text
  text, message = file:read(LIMIT + 1)
  if not text then return nil, ("%s: %s"):format(path, message or "empty file"), "io" end
  if #text > LIMIT then return nil, ("%s: more than %d bytes"):format(path, LIMIT), "io" end
  return decode(text, path, null)
end

-- Names of files are bytes; JSON is UTF-8: what is not UTF-8 becomes U+FFFD.
local function valid(s)
  local out, at = {}, 1
  while at <= #s do
    local _, bad = utf8.len(s, at)
    if not bad then
      out[#out + 1] = s:sub(at)
      break
    end
    out[#out + 1] = s:sub(at, bad - 1) .. "\u{FFFD}"
    at = bad + 1
  end
  return table.concat(out)
end

local encode

local function encode_list(list)
  local items = {}
  for i, v in ipairs(list) do items[i] = encode(v) end
  return "[" .. table.concat(items, ",") .. "]"
end

-- encode(value): a string, number, boolean, list, or object given as { {name, value}, ..., object = true };
-- a number that JSON has no word for is null
function encode(value)
  if type(value) == "string" then return (encoder.encode(valid(value)):gsub("\\/", "/")) end
  if math.type(value) == "integer" then return tostring(value) end
  if type(value) == "number" and (value ~= value or math.abs(value) == math.huge) then return "null" end
  if type(value) ~= "table" then return encoder.encode(value) end
  if not value.object then return encode_list(value) end
  local items = {}
  for _, pair in ipairs(value) do
    if pair[2] ~= nil then items[#items + 1] = encoder.encode(pair[1]) .. ":" .. encode(pair[2]) end
  end
  return "{" .. table.concat(items, ",") .. "}"
end

-- Fields in this order, absent ones left out.
local function object(fields)
  fields.object = true
  return fields
end

return { decode = decode, read = read, valid = valid, encode = encode, object = object }
