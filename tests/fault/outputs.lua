-- outputs.lua - what the outputs of a job say of each picture, read back by other means than they were written.
local luv    = require "luv"
local json   = require "lunette.json"
local sqlite = require "lunette.sqlite"

local outputs = {}

-- Outputs of many pictures, from the folder of the bed.
outputs.names = { "out/captions.jsonl", "out/captions.csv", "out/captions.db", "out/captions.html", "album/metadata.jsonl" }
local SINGLE  = { "txt", "jpg.xmp" }

local function read_file(path)
  local f <close> = io.open(path, "rb")
  return f and f:read "a"
end

-- ---- reading: each reader calls put(file, piece) for each entry and problem(text) for what is none ---------------

local readers = {}

local function lines(field)
  return function (path, put, problem)
    local text = read_file(path)
    if not text then return problem "it is not there" end
    for line, stop in text:gmatch "([^\n]*)(\n?)" do
      if line ~= "" or stop ~= "" then
        local object = stop == "\n" and json.decode(line, path)
        if object then put(object[field], line) else problem(("a torn line: %s"):format(line)) end
      end
    end
  end
end

readers["out/captions.jsonl"] = lines "file"
readers["album/metadata.jsonl"] = lines "file_name"

-- The rows of a text by RFC 4180: lists of fields.
local function csv_rows(text, problem)
  local rows, row, at = {}, {}, 1
  while at <= #text do
    local field
    if text:sub(at, at) == "\"" then
      local close = at + 1
      repeat
        close = text:find("\"", close, true)
        if not close then return rows, problem "a quote without its end" end
        local doubled = text:sub(close + 1, close + 1) == "\""
        if doubled then close = close + 2 end
      until not doubled
      field, at = text:sub(at + 1, close - 1):gsub("\"\"", "\""), close + 1
    else
      field, at = text:match("^([^,\r\n]*)()", at)
    end
    row[#row + 1] = field
    if text:sub(at, at) == "," then at = at + 1
    elseif text:sub(at, at + 1) == "\r\n" then
      rows[#rows + 1] = row
      row, at = {}, at + 2
    else return rows, problem(("a torn row: %s"):format(field)) end
  end
  return rows
end

readers["out/captions.csv"] = function (path, put, problem)
  local text = read_file(path)
  if not text then return problem "it is not there" end
  local rows = csv_rows(text, problem)
  for i, row in ipairs(rows) do
    if i > 1 then put(row[1], table.concat(row, "\0", 2)) end
  end
end

readers["out/captions.db"] = function (path, put, problem)
  local db <close>, message = sqlite.open(path, { readonly = true })
  if not db then return problem(message) end
  local check = db:row "PRAGMA integrity_check".integrity_check
  if check ~= "ok" then problem(check) end
  for row in db:rows "SELECT * FROM captions" do
    put(row.file, ("%s\0%s\0%s\0%s\0%s"):format(row.text, row.ids, row.score, row.error, row.stage))
  end
end

-- The gallery: what its index names must be there, and no other edition; a picture's entry is its object and its thumbnail.
readers["out/captions.html"] = function (path, put, problem)
  if not read_file(path) then return problem "it is not there" end
  local files = path:gsub("%.html$", "_files/")
  local index = (read_file(files .. "index.js") or ""):match "^records%.index%((.*)%);\n$"
  index = index and json.decode(index, path)
  if not index then return problem "it has no index" end
  for name, kind in luv.fs_scandir_next, assert(luv.fs_scandir(files)) do
    if kind == "directory" and name ~= tostring(index.edition) then problem(("edition %s is left beside %d"):format(name, index.edition)) end
  end
  local count, folder = 0, ("%s%d/"):format(files, index.edition)
  for i = 1, (index.records + index.chunk - 1) // index.chunk do
    local text = (read_file(("%s%06d.js"):format(folder, i)) or ""):match "^records%.chunk%(%d+,(.*)%);\n$"
    local list = text and json.decode(text, path)
    if not list then problem(("chunk %d is torn or gone"):format(i)) end
    for _, entry in ipairs(list or {}) do
      local thumbnail = entry.thumbnail and read_file(folder .. entry.thumbnail)
      if entry.thumbnail and not thumbnail then problem(("%s is not there"):format(entry.thumbnail)) end
      count = count + 1
      put(entry.file, table.concat({ entry.text or "", entry.error or "", tostring(entry.score), entry.href, thumbnail or "" }, "\0"))
    end
  end
  if count ~= index.records then problem(("%d records of %d"):format(count, index.records)) end
end

-- ---- all of a bed --------------------------------------------------------------------------

local function read_many(folder, name, problems)
  local pieces = {}
  readers[name](folder .. "/" .. name, function (file, piece)
    file = file:gsub("^album/", "")
    if pieces[file] then problems[#problems + 1] = ("%s: %s twice"):format(name, file) end
    pieces[file] = piece
  end, function (text) problems[#problems + 1] = ("%s: %s"):format(name, text) end)
  return pieces
end

local function read_single(folder, suffix, images)
  local pieces = {}
  for i = 1, images do pieces[("%05d.jpg"):format(i)] = read_file(("%s/album/%05d.%s"):format(folder, i, suffix)) end
  return pieces
end

-- Names that a run leaves for another one to clean up.
function outputs.temporary(folder)
  local list = {}
  for _, sub in ipairs { "out", "album" } do
    local request = assert(luv.fs_scandir(folder .. "/" .. sub))
    for name in luv.fs_scandir_next, request do
      if name:find "^%.lunette" or name:find "%-journal$" or name:find "%-wal$" or name:find "%-shm$" then list[#list + 1] = sub .. "/" .. name end
    end
  end
  return list
end

-- read(folder, images) -> { [output] = { [file] = piece }, problems = { ... } }
function outputs.read(folder, images)
  local all = { problems = {} }
  for _, name in ipairs(outputs.names) do all[name] = read_many(folder, name, all.problems) end
  for _, suffix in ipairs(SINGLE) do all[suffix] = read_single(folder, suffix, images) end
  for _, name in ipairs(outputs.temporary(folder)) do all.problems[#all.problems + 1] = name .. " is left" end
  return all
end

-- A picture that has no caption any more keeps the sidecar of its last one.
local function counts(all, output, file) return readers[output] or all["album/metadata.jsonl"][file] end

-- A text from where it parts from another one.
local function excerpt(text, other)
  if not text then return "nothing" end
  local at = 1
  while other and at <= #text and text:byte(at) == other:byte(at) do at = at + 1 end
  return ("%q%s"):format(text:sub(math.max(1, at - 10), at + 40), at > 11 and (" from byte %d"):format(at - 10) or "")
end

-- differences(found, known, version) -> sentences; known[v] is what outputs.read gave of the album's version v, version[i]
-- that of picture i
function outputs.differences(found, known, version)
  local list = table.move(found.problems, 1, #found.problems, 1, {})
  for output in pairs(known[1]) do
    local left = {}
    if output ~= "problems" then
      for file in pairs(found[output]) do left[file] = true end
      for i, v in ipairs(version) do
        local file = ("%05d.jpg"):format(i)
        local want, got = known[v][output][file], found[output][file]
        left[file] = nil
        if counts(known[v], output, file) and want ~= got then
          list[#list + 1] = ("%s: %s: found %s, wanted %s"):format(output, file, excerpt(got, want), excerpt(want, got))
        end
      end
    end
    for file in pairs(left) do list[#list + 1] = ("%s: %s is no picture of the album"):format(output, file) end
  end
  return list
end

return outputs
