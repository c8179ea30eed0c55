-- job/record.lua - a record of a job, the captions of one picture or why there are none, as a JSON object.
local json = require "lunette.json_text"

local record = {}

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- RFC 4648, section 4
local function base64(bytes)
  local out = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local v = a << 16 | (b or 0) << 8 | (c or 0)
    for shift = 18, 0, -6 do
      local digit = (v >> shift & 63) + 1
      out[#out + 1] = (shift == 6 and not b or shift == 0 and not c) and "=" or DIGITS:sub(digit, digit)
    end
  end
  return table.concat(out)
end

local function sequences(list)
  if not list then return nil end
  local items = {}
  for i, s in ipairs(list) do items[i] = json.object { { "text", s.text }, { "ids", s.ids }, { "score", s.score } } end
  return items
end

-- One line without its end: file, text, ids, score, sequences, or file, error, stage.  A file whose name is no UTF-8 has
-- U+FFFD for what is not, and file_base64 with the name itself.
function record.json(r)
  local raw = not utf8.len(r.file) and base64(r.file) or nil
  if r.error then return json.encode(json.object { { "file", r.file }, { "file_base64", raw }, { "error", r.error }, { "stage", r.stage } }) end
  return json.encode(json.object {
    { "file", r.file }, { "file_base64", raw }, { "text", r.text }, { "ids", r.ids }, { "score", r.score },
    { "sequences", sequences(r.sequences) },
  })
end

return record
