-- job_outputs.lua - the outputs of a job: what they write, and what they do where a file is there already.
local luv     = require "luv"
local cjson   = require "cjson"
local sqlite  = require "lunette.sqlite"
local outputs = require "lunette.job.outputs"
local check   = require "check"
local example = require "job_example"

local equal  = check.equal
local folder = example.folder "outputs"
local read, write, contents, start = example.read, example.write, example.contents, example.start

local LIST, UTF8 = {}, {}         -- the same, where a name that metadata.jsonl cannot hold is a failure
for i = 1, 40 do
  local r = example.record(i, folder .. "/")
  LIST[i] = r
  UTF8[i] = utf8.len(r.file) and not r.file:find "\\" and r or { id = i, position = i, file = r.file, error = "no name", stage = "write" }
end

-- An undisturbed run in batches of 7.
local function whole(name, settings)
  local list = name:find "metadata" and UTF8 or LIST
  local output = assert(start(name, nil, {}, settings))
  for from = 1, #list, 7 do
    assert(output:write { table.unpack(list, from, math.min(from + 6, #list)) })
    assert(output:flush())
  end
  output:close()
  return contents(name)
end

local KINDS = { "a.jsonl", "a.csv", "metadata.jsonl", "a.db" }

-- ---- what they write ----------------------------------------------------------------------------

for _, case in ipairs { { "x/A.JSONL", "jsonl" }, { "a.csv", "csv" }, { "a.db", "sqlite" }, { "a.sqlite", "sqlite" },
                        { "b/metadata.jsonl", "metadata" }, { "my-metadata.jsonl", "jsonl" } } do
  equal(outputs.kind(case[1]) == require("lunette.job.outputs." .. case[2]), true, case[1])
end
check.fails("a.txt: an output's name ends in .jsonl, .csv, .db, .sqlite or .html", nil, outputs.kind "a.txt")

local whole_of = {}
for _, name in ipairs(KINDS) do whole_of[name] = whole(folder .. "/" .. name) end

local at = 0
for line in whole_of["a.jsonl"]:gmatch "([^\n]*)\n" do
  at = at + 1
  local r, got = LIST[at], cjson.decode(line)
  local utf8_name = r.file:gsub("[\xfe\xff]", "\u{FFFD}")
  equal({ got.file, got.text or "", got.error and got.stage or "" }, { utf8_name, r.text or "", r.stage or "" }, "line")
  equal(got.sequences and #got.sequences or 0, r.sequences and #r.sequences or 0, "sequences")
  check.ok((got.file_base64 ~= nil) == (utf8.len(r.file) == nil), "file_base64 of %q", r.file)
  equal(line:match "^{\"file\":.*,\"(%l+)\":" ~= nil, true, "order")
end
equal(at, #LIST, "lines")
check.ok(whole_of["a.jsonl"]:find("\"text\":\"a \\\"dog\\\", number 3\",\"ids\":[1,3,50256],\"score\":-0.428571429,\"sequences\":[{", 1, true),
         "fields in order")
check.ok(read(folder .. "/a.jsonl"):find("{\"file\":\"" .. folder .. "/plain.jpg\",\"text\":", 1, true) == 1, "the first line")

-- Base64 of all three remainders (RFC 4648, section 10)
local record = require "lunette.job.record"
for bytes, text in pairs { ["\xff"] = "/w==", ["\xffo"] = "/28=", ["\xffoo"] = "/29v", ["\xff\xfe.jpg"] = "//4uanBn" } do
  equal(cjson.decode(record.json { file = bytes, error = "e", stage = "read" }).file_base64, text, "base64")
end

-- Records of RFC 4180: a list of lists
local function parse_csv(text)
  local rows, row, i = {}, {}, 1
  while i <= #text do
    local field
    if text:sub(i, i) == "\"" then
      local pieces = {}
      repeat
        local piece, after = text:match("^\"([^\"]*)\"()", i)
        pieces[#pieces + 1], i = piece, after
      until text:sub(i, i) ~= "\""
      field = table.concat(pieces, "\"")
    else
      field = text:match("^[^,\r\n\"]*", i)
      i = i + #field
    end
    row[#row + 1] = field
    if text:sub(i, i + 1) == "\r\n" then
      rows[#rows + 1], row, i = row, {}, i + 2
    else
      assert(text:sub(i, i) == ",", "no comma")
      i = i + 1
    end
  end
  assert(#row == 0, "no end of line")
  return rows
end

local rows = parse_csv(whole_of["a.csv"])
equal(rows[1], { "file", "text", "score", "error", "stage" }, "header")
equal(#rows, #LIST + 1, "rows")
for i, r in ipairs(LIST) do
  local function utf8_of(s) return s and s:gsub("[\xfe\xff]", "\u{FFFD}") or "" end
  equal(rows[i + 1], { utf8_of(r.file), r.text or "", r.score and ("%.9g"):format(r.score) or "", utf8_of(r.error), r.stage or "" }, "row")
end

do
  local db <close> = assert(sqlite.open(folder .. "/a.db"))
  for _, r in ipairs(LIST) do
    local got = db:row("SELECT *, typeof(file) AS type, json_array_length(ids) AS n FROM captions WHERE id = ?", r.id)
    equal({ got.file, got.type, got.text or "", got.n or 0, got.score or 0, got.stage or "" },
          { r.file, utf8.len(r.file) and "text" or "blob", r.text or "", r.ids and #r.ids or 0, r.score or 0, r.stage or "" }, "row")
  end
  equal(db:row "SELECT count(*) AS n FROM captions".n, #LIST, "rows")
end

-- ---- metadata.jsonl -----------------------------------------------------------------------------------

at = 0
for line in whole_of["metadata.jsonl"]:gmatch "([^\n]*)\n" do
  repeat at = at + 1 until not UTF8[at] or not UTF8[at].error
  local got = cjson.decode(line)
  equal({ got.file_name, got.text }, { UTF8[at].file:sub(#folder + 2), UTF8[at].text }, "metadata")
end
repeat at = at + 1 until not UTF8[at] or not UTF8[at].error
equal(at, #LIST + 1, "the last line of metadata.jsonl")

do
  example.folder "outputs/pictures"
  assert(luv.chdir(folder))
  for _, case in ipairs {       -- output, picture, its file_name
    { "pictures/metadata.jsonl", "pictures/a.jpg", "a.jpg" },
    { "pictures/metadata.jsonl", "./pictures//b/./c.jpg", "b/c.jpg" },
    { "pictures/metadata.jsonl", folder .. "/pictures/b/c.jpg", "b/c.jpg" },
    { folder .. "/pictures/metadata.jsonl", "pictures/x/../c.jpg", "c.jpg" },
    { "metadata.jsonl", "pictures/a.jpg", "pictures/a.jpg" },
  } do
    local output = assert(outputs.kind(case[1]).open(case[1], { overwrite = "always" }))
    equal(output:accepts(case[2]), true, case[2])
    local line = output.kind.format(output, { file = case[2], text = "a dog" })
    equal(line, ("{\"file_name\":\"%s\",\"text\":\"a dog\"}\n"):format(case[3]), case[2])
  end
  local output = assert(start("pictures/metadata.jsonl"))
  for _, file in ipairs { "a.jpg", "pictures", "pictures/../a.jpg", "/pictures/a.jpg", "pictures2/a.jpg" } do
    check.fails(file .. " is not in the folder of pictures/metadata.jsonl, which names pictures from there", nil, output:accepts(file))
  end
  check.fails("pictures/\xff.jpg has a name that is not UTF-8, which pictures/metadata.jsonl cannot hold", nil, output:accepts "pictures/\xff.jpg")
  check.fails("pictures/a\\b.jpg has a backslash in its name, which readers of pictures/metadata.jsonl take for a folder", nil,
              output:accepts "pictures/a\\b.jpg")
  check.fails("a.jpg is not in the folder of", nil, output:write { { id = 1, position = 1, file = "a.jpg", text = "a dog" } })
end

-- ---- where there is a file already ------------------------------------------------------------------------

local EXISTS = "%s exists and belongs to another job or none: --overwrite always replaces it, --append adds to it"

local function refused(message, name, settings)
  local output, got = outputs.kind(name).open(name, settings or {})
  check.ok(output == nil and got == message, "got %q, wanted %q", tostring(got), message)
end

for _, name in ipairs(KINDS) do
  local path = folder .. "/" .. name
  local before = read(path)
  for _, overwrite in ipairs { false, "never", "older" } do
    refused(EXISTS:format(path), path, { overwrite = overwrite or nil })
  end
  equal(read(path) == before, true, name .. " is as it was")
  equal(whole(path, { overwrite = "always" }) == whole_of[name], true, name .. " replaced")

  write(path, "")
  equal(whole(path) == whole_of[name], true, name .. " in place of an empty file")

  local output = assert(start(folder .. "/none." .. name:match "%w+$"))      -- a job that found no pictures
  equal(luv.fs_stat(output.path), nil, name .. " before the job")
  assert(output:flush())
  output:close()
  equal(contents(output.path), name == "a.csv" and "file,text,score,error,stage\r\n" or "", name .. " of no pictures")
  luv.fs_unlink(output.path)

  example.folder("outputs/folder." .. name)
  refused(("%s/folder.%s is a directory, a file is wanted"):format(folder, name), folder .. "/folder." .. name)
  output = assert(start(folder .. "/absent/" .. name))
  local ok, message = output:write { { id = 1, position = 1, file = folder .. "/absent/a.jpg", text = "a dog", ids = { 1 }, score = -1 } }
  check.ok(not ok and message:sub(1, #output.path + 2) == output.path .. ": ", "a folder that is not there: %s", message)
end

-- added to what is there
write(folder .. "/b.jsonl", "{\"file\":\"old\"}\n")
equal(whole(folder .. "/b.jsonl", { append = true }) == "{\"file\":\"old\"}\n" .. whole_of["a.jsonl"], true, "lines added")
write(folder .. "/b.jsonl", "{\"file\":\"old\"}")
equal(whole(folder .. "/b.jsonl", { append = true }) == "{\"file\":\"old\"}\n" .. whole_of["a.jsonl"], true, "lines added to one without an end")
local header = "file,text,score,error,stage\r\n"
write(folder .. "/b.csv", header .. "old,,,,\r\n")
equal(whole(folder .. "/b.csv", { append = true }) == header .. "old,,,,\r\n" .. whole_of["a.csv"]:sub(#header + 1), true, "rows added")
write(folder .. "/b.csv", "name,caption\n")
refused(folder .. "/b.csv: --append needs a file that begins with the line file,text,score,error,stage", folder .. "/b.csv", { append = true })
write(folder .. "/b.csv", "file")
refused(folder .. "/b.csv: --append needs a file that begins with the line file,text,score,error,stage", folder .. "/b.csv", { append = true })
equal(#whole(folder .. "/a.db", { append = true }) > 2 * #whole_of["a.db"], true, "rows added to a database")
do
  local db <close> = assert(sqlite.open(folder .. "/a.db"))
  equal(db:row "SELECT count(*) AS n, max(id) AS id FROM captions".n, 2 * #LIST, "rows")
  equal(db:row("SELECT file AS x FROM captions WHERE id = ?", #LIST + 1).x, LIST[1].file, "the first row added")
end
do
  local db <close> = assert(sqlite.open(folder .. "/other.db"))
  assert(db:exec "CREATE TABLE albums(name); INSERT INTO albums VALUES('x')")
end
equal(whole(folder .. "/other.db", { append = true }) == whole_of["a.db"], true, "a table added to a database")
do
  local db <close> = assert(sqlite.open(folder .. "/other.db"))
  equal(db:row "SELECT name AS x FROM albums".x, "x", "another table")
  assert(db:exec "DROP TABLE captions; CREATE TABLE captions(id, words)")
end
refused(folder .. "/other.db: no such column: file", folder .. "/other.db", { append = true })
write(folder .. "/text.db", ("no database "):rep(100))
refused(folder .. "/text.db: file is not a database", folder .. "/text.db", { append = true })
refused(EXISTS:format(folder .. "/text.db"), folder .. "/text.db")
equal(whole(folder .. "/text.db", { overwrite = "always" }) == whole_of["a.db"], true, "a text replaced")

-- through a link
assert(luv.fs_symlink("real.jsonl", folder .. "/link.jsonl"))
write(folder .. "/real.jsonl", "")
equal(whole(folder .. "/link.jsonl") == whole_of["a.jsonl"], true, "through a link")
equal(luv.fs_lstat(folder .. "/link.jsonl").type, "link", "the link")

-- ---- a full disk -----------------------------------------------------------------------------------------

for _, name in ipairs { "a.jsonl", "a.csv" } do
  local output = assert(start(folder .. "/full." .. name))
  output.fd = assert(luv.fs_open("/dev/full", "r+", 0))
  check.fails(("full.%s: no space left on device"):format(name), "ENOSPC", output:write { LIST[1] })
  output:close()
end

check.finish()
