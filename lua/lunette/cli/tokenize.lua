-- cli/tokenize.lua - lunette tokenize: text to token ids and back, a line at a time.
local cjson  = require "cjson"
local text   = require "lunette".text
local report = require "lunette.cli.report"
local lfs    = require "lfs"

local tokenize = { summary = "Turn text into token ids, or back." }

function tokenize.setup(parser)
  parser:argument("model", "A model directory or a tokenizer.json.")
  parser:flag("--decode", "From ids to text.")
  parser:flag("--json", "A line in is a JSON string (an array of ids with --decode), a line out the other.")
  parser:flag("--keep-special-tokens", "With --decode: special tokens stay in the text."):target "keep_special"
end

local function read_json(line)
  local ok, value = pcall(cjson.decode, line)
  if ok then return value end
  return nil, value
end

local function words(line)
  local list = {}
  for word in line:gmatch "%S+" do list[#list + 1] = tonumber(word) or word end
  return list
end

-- What a line holds as a list of ids, or nil and why not.
local function read_ids(line, options)
  local list, why = (options.json and read_json or words)(line)
  if why then return nil, why end
  if type(list) ~= "table" or next(list) and not list[1] then return nil, "wanted an array of ids" end
  for i, v in ipairs(list) do
    local id = type(v) == "number" and math.tointeger(v)
    if not id or id < 0 then return nil, ("%s is not a token id"):format(v == cjson.null and "null" or tostring(id or v)) end
    list[i] = id
  end
  return list
end

local function read_text(line, options)
  if not options.json then return line end
  local value, why = read_json(line)
  if type(value) == "string" then return value end
  return nil, why or "wanted a JSON string"
end

-- The line that answers a line, or nil and why there is none.
local function answer(tokenizer, line, options)
  if options.decode then
    local ids, why = read_ids(line, options)
    if not ids then return nil, why end
    local s = tokenizer:decode(ids, { skip_special_tokens = not options.keep_special })
    return options.json and report.encode(s) or s
  end
  local s, why = read_text(line, options)
  if not s then return nil, why end
  local ids = tokenizer:encode(s)
  return options.json and report.encode(ids) or table.concat(ids, " ")
end

function tokenize.run(options)
  local path = options.model
  if lfs.attributes(path, "mode") == "directory" then path = path .. "/tokenizer.json" end
  local tokenizer, message = text.load(path)
  if not tokenizer then return report.fail(3, "%s", message) end
  local status, number = 0, 0
  while true do
    local line, broken = io.read "l"
    if broken then return report.fail(1, "standard input: %s", broken) end
    if not line then return status end
    number = number + 1
    local out, why = answer(tokenizer, line, options)
    if out then print(out) else status = report.fail(1, "line %d: %s", number, why) end
  end
end

return tokenize
