-- cli/tokenize.lua - lunette tokenize: text to token ids and back, a line at a time.
local json   = require "lunette.json"
local text   = require "lunette.text"
local report = require "lunette.cli.report"
local lfs    = require "lfs"

local tokenize = { summary = "Turn text into token ids, or back." }

function tokenize.setup(parser)
  parser:argument("model", "A model directory or a tokenizer.json.")
  parser:flag("--decode", "From ids to text.")
  parser:flag("--json", "A line in is a JSON string (an array of ids with --decode), a line out the other.")
  parser:flag("--keep-special-tokens", "With --decode: special tokens stay in the text."):target "keep_special"
end

local function read_line(line, options)
  if options.json then return json.decode(line, "standard input") end
  if not options.decode then return line end
  local ids = {}
  for word in line:gmatch "%S+" do
    ids[#ids + 1] = math.tointeger(tonumber(word))
    if not ids[#ids] or ids[#ids] == false then return nil, ("%q is not a token id"):format(word) end
  end
  return ids
end

local function check(value, options)
  if not options.decode then
    return type(value) == "string" and value or nil, "wanted a JSON string"
  end
  if type(value) ~= "table" then return nil, "wanted an array of ids" end
  for _, id in ipairs(value) do
    if math.type(id) ~= "integer" then return nil, ("%s is not a token id"):format(tostring(id)) end
  end
  return value
end

function tokenize.run(options)
  local path = options.model
  if lfs.attributes(path, "mode") == "directory" then path = path .. "/tokenizer.json" end
  local tokenizer, message = text.load(path)
  if not tokenizer then return report.fail(3, "%s", message) end
  local status, number = 0, 0
  for line in io.lines() do
    number = number + 1
    local value, why = read_line(line, options)
    if value ~= nil then value, why = check(value, options) end
    if value == nil then
      status = report.fail(1, "line %d: %s", number, why)
    elseif options.decode then
      local s = tokenizer:decode(value, { skip_special_tokens = not options.keep_special })
      print(options.json and report.encode(s) or s)
    else
      local ids = tokenizer:encode(value)
      print(options.json and report.encode(ids) or table.concat(ids, " "))
    end
  end
  return status
end

return tokenize
