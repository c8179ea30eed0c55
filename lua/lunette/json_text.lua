-- json_text.lua - values as JSON, on one line and in the order given.
local cjson = require "cjson"

local encoder = cjson.new()
encoder.encode_number_precision(9)        -- tells any two f32 apart

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

return { valid = valid, encode = encode, object = object }
