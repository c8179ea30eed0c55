-- captions.lua - files of captions: who says what of which picture.
--
--   CSV         a header with file_name and text (other columns are passed over), quoted as in RFC 4180
--   JSON lines  objects with file and text, as `lunette caption --json` prints them
--
-- Pictures are told apart by the last part of their path, so that captions of
-- photos/a.jpg and references of a.jpg meet.
local cjson = require "cjson"

local LIMIT = 1 << 30     -- bytes

local function base_name(path) return path:match "[^/\\]+$" or path end

-- One row of CSV from position 'at' -> fields, position after it; nil, message where quotes do not match
local function csv_row(text, at)
  local fields = {}
  repeat
    local field, stop
    if text:sub(at, at) == '"' then
      local from, close = at + 1, text:find('"', at + 1, true)
      while close and text:sub(close + 1, close + 1) == '"' do close = text:find('"', close + 2, true) end
      if not close then return nil, "a quote is not closed" end
      field, at = text:sub(from, close - 1):gsub('""', '"'), close + 1
      if not text:find("^[,\r\n]", at) and at <= #text then return nil, "text after a closing quote" end
      stop = at
    else
      stop = text:find("[,\r\n]", at) or #text + 1
      field = text:sub(at, stop - 1)
    end
    fields[#fields + 1] = field
    at = stop + 1
  until text:sub(stop, stop) ~= ","
  if text:sub(at - 1, at) == "\r\n" then at = at + 1 end
  return fields, at
end

local function from_csv(text, path, add)
  local header, at, row = nil, 1, 1
  while at <= #text do
    local fields, after = csv_row(text, at)
    if not fields then return nil, ("%s: row %d: %s"):format(path, row, after) end
    if header then
      if fields[1] ~= "" or #fields > 1 then
        local file, caption = fields[header.file_name], fields[header.text]
        if not file or not caption then return nil, ("%s: row %d has %d fields, wanted file_name and text"):format(path, row, #fields) end
        add(file, caption)
      end
    else
      header = {}
      for i, name in ipairs(fields) do header[name] = i end
      if not header.file_name or not header.text then return nil, ("%s: the first row names no file_name and text"):format(path) end
    end
    at, row = after, row + 1
  end
  return true
end

local function from_json_lines(text, path, add)
  local number = 0
  for line in text:gmatch "[^\n]+" do
    number = number + 1
    local ok, object = pcall(cjson.decode, line)
    if not ok then return nil, ("%s: line %d: %s"):format(path, number, object) end
    if type(object) ~= "table" or type(object.file) ~= "string" or type(object.text) ~= "string" then
      return nil, ("%s: line %d holds no file and text"):format(path, number)
    end
    add(object.file, object.text)
  end
  return true
end

-- read(path) -> { [file name] = { text, ... }, and in its list part the file names in order },
-- or nil, message, "io"
local function read(path)
  local file <close>, message = io.open(path, "rb")
  if not file then return nil, message, "io" end
  local text = file:read(LIMIT + 1)
  if not text then return nil, ("%s: empty file"):format(path), "io" end
  if #text > LIMIT then return nil, ("%s: more than %d bytes"):format(path, LIMIT), "io" end
  local captions = {}
  local function add(name, caption)
    name = base_name(name)
    if not captions[name] then
      captions[name] = {}
      captions[#captions + 1] = name
    end
    table.insert(captions[name], caption)
  end
  text = text:gsub("^\xEF\xBB\xBF", "")
  local parse = text:find "^%s*{" and from_json_lines or from_csv
  local ok, problem = parse(text, path, add)
  if not ok then return nil, problem, "io" end
  return captions
end

return { read = read }
