-- job/outputs/csv.lua - captions.csv: RFC 4180 in UTF-8; what a name has that is not UTF-8 becomes U+FFFD.
local lines = require "lunette.job.outputs.lines"
local json  = require "lunette.json_text"

local function field(value)
  if value == nil then return "" end
  if type(value) == "number" then return json.encode(value) end
  local text = json.valid(value)
  return text:find "[,\"\r\n]" and "\"" .. text:gsub("\"", "\"\"") .. "\"" or text
end

local function format(_, r)
  local failed = r.error ~= nil
  return table.concat({ field(r.file), field(not failed and r.text or nil), field(not failed and r.score or nil),
                        field(r.error), field(failed and r.stage or nil) }, ",") .. "\r\n"
end

local KIND = { header = "file,text,score,error,stage\r\n", newline = "\r\n", format = format }

return { open = function (path, settings) return lines.open(path, settings, KIND) end }
