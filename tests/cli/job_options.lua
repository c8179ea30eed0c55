-- job_options.lua - each option of lunette caption that has to do with jobs: what it does and what it refuses.
local lfs     = require "lfs"
local json    = require "lunette.json"
local sqlite  = require "lunette.sqlite"
local xmp     = require "lunette.xmp"
local check   = require "check"
local command = require "tests.cli.command"
local album   = require "tests.cli.album"

local equal, ok, caption = check.equal, check.ok, album.caption

album.make "photos"

-- What the small model says of each picture.
local TEXTS = {}
equal((caption("photos", "--out", "texts.jsonl")), 0, "captions")
for _, r in ipairs(album.records "texts.jsonl") do TEXTS[r.file:match "[^/]*$"] = r.text end
album.remove "texts.jsonl*"

local function fails(status, message, ...)
  local hint = status == 2 and "Try: lunette caption --help\n" or ""
  equal({ caption(...) }, { status, "", "lunette: " .. message .. "\n" .. hint }, table.concat({ ... }, " "))
end

-- Less the line that counts what is no picture: a job's own files are that as well.
local function told(...)
  local status, out, err = caption(...)
  return { status, out, (err:gsub("lunette: %d+ files? [ia]%l+ no pictures?\n", "")) }
end

local function names(folder)
  local list = {}
  for name in lfs.dir(folder) do
    if not name:find "^%.+$" then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

-- ---- what is refused: nothing is written -----------------------------------------------------------------

local DURABLE, WHOLE = "--out, --sidecar or --xmp", "is not a whole number "
for _, case in ipairs {
  { "x.txt: an output's name ends in .jsonl, .csv, .db, .sqlite or .html", "--out", "x.txt" },
  { "argument for option '--sidecar' must be one of 'txt', 'caption', 'json'", "--sidecar", "xml" },
  { "--job needs " .. DURABLE, "--job", "x.job" },
  { "--overwrite needs " .. DURABLE, "--overwrite", "always" },
  { "--append needs --out or --sidecar", "--append" },
  { "--append needs --out or --sidecar", "--append", "--xmp" },
  { "--prepend needs --sidecar", "--prepend", "--out", "x.jsonl" },
  { "option '--prepend' can not be used together with option '--append'", "--append", "--prepend", "--sidecar", "txt" },
  { "--append adds to texts: wanted --sidecar txt or caption, found json", "--append", "--sidecar", "json" },
  { "--sidecar-dir needs --sidecar or --xmp", "--sidecar-dir", "x", "--out", "x.jsonl" },
  { "--xmp-title needs --xmp", "--xmp-title", "{stem}", "--out", "x.jsonl" },
  { "--in-place needs --xmp", "--in-place", "--sidecar", "txt" },
  { "--json is for standard output, which --out, --sidecar and --xmp take the place of", "--json", "--out", "x.jsonl" },
  { "--claim-after needs --queue", "--claim-after", "3" },
  { "--queue takes the place of inputs", "--queue", "redis://localhost/s" },
  { "template: {words} is no field: wanted {caption}, {ext}, {file}, {folder}, {name}, {score} or {stem}", "--template", "{words}" },
  { "argument for option '--progress' must be one of 'auto', 'line', 'plain', 'json', 'none'", "--progress", "much" },
  { "option '--quiet' can not be used together with option '--progress'", "--progress", "json", "--quiet" },
  { '"0/3" is not I/N with I from 1 to N', "--shard", "0/3" },
  { '"4/3" is not I/N with I from 1 to N', "--shard", "4/3" },
  { '"0" is not a number above 0', "--timeout", "0" },
  { '"1X" is not a size such as 512M or 2G', "--max-memory", "1X" },
  { '"-1" ' .. WHOLE .. "of at least 0", "--retries", "-1" },
  { '"x" ' .. WHOLE .. "of at least 0", "--max-failures", "x" },
  { '"0" ' .. WHOLE .. "from 1 to 1024", "--batch-size", "0" },
  { '"257" ' .. WHOLE .. "from 1 to 256", "--workers", "257" },
} do
  fails(2, case[1], "photos", table.unpack(case, 2))
end
fails(2, "missing argument 'input'", "--out", "x.jsonl")
fails(2, "--shard is for inputs, --queue shares by itself", "--queue", "redis://localhost/s", "--shard", "1/2")
fails(1, "s: not a redis:// url, wanted redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]/STREAM", "--queue", "s")
fails(1, "absent/x.jsonl.job: unable to open database file: No such file or directory", "photos", "--out", "absent/x.jsonl")
equal({ command.run { "caption", "--model", "absent", "photos", "--out", "x.jsonl" } }, { 3, "", "lunette: absent: no such file or directory\n" },
      "no model")
equal({ names ".", names "photos" }, { { "photos" }, album.NAMES }, "nothing is left behind")

-- ---- several outputs at once -------------------------------------------------------------------------------

equal({ caption("photos", "photos/absent.jpg", "--ordered", "--out", "o.jsonl", "--out", "o.csv", "--out", "o.db", "--out", "o.sqlite", "--out",
      "o.html",
                "--out", "photos/metadata.jsonl") },
      { 1, "", "lunette: photos/absent.jpg: No such file or directory\nlunette: 4 captions, 1 failure\n" ..
               "lunette: why: lunette job failures o.jsonl.job\n" },
      "six outputs")
local want, rows = {}, {}
for i, name in ipairs(album.NAMES) do want[i] = "photos/" .. name .. ": " .. TEXTS[name] end
want[5] = "photos/absent.jpg: read: No such file or directory"
equal(album.say "o.jsonl", want, "JSON lines")
for i, line in ipairs(command.lines(album.read "o.csv")) do rows[i] = line:match "^[^,]*" end
equal(rows, { "file", "photos/a.jpg", "photos/b.png", "photos/c.webp", "photos/d.gif", "photos/absent.jpg" }, "CSV")
for _, name in ipairs { "o.db", "o.sqlite" } do
  local db <close> = assert(sqlite.open(name, { readonly = true }))
  local list = {}
  for row in db:rows "SELECT file, text, stage, error FROM captions ORDER BY id" do
    list[#list + 1] = row.file .. ": " .. (row.text or row.stage .. ": " .. row.error)
  end
  equal(list, want, name)
end
rows = {}
for i, r in ipairs(album.records "photos/metadata.jsonl") do rows[i] = r.file_name .. ": " .. r.text end
for i = 1, 5 do want[i] = i < 5 and want[i]:gsub("^photos/", "") or nil end
equal(rows, want, "metadata.jsonl")
ok(album.read "o.html":find "o_files/" and #names "o_files" > 3, "the gallery")
fails(1, "o.jsonl exists and belongs to another job or none: --overwrite always replaces it, --append adds to it",
      "photos/a.jpg", "--out", "o.jsonl", "--job", "other.job")
equal((caption("photos/a.jpg", "--out", "o.jsonl", "--job", "other.job", "--append", "--quiet")), 0, "--append")
equal(#command.lines(album.read "o.jsonl"), 6, "lines after --append")
equal((caption("photos/b.png", "--out", "o.jsonl", "--job", "third.job", "--overwrite", "always", "--quiet")), 0, "--overwrite always")
equal(album.say "o.jsonl", { "photos/b.png: " .. TEXTS["b.png"] }, "lines after --overwrite always")
album.remove "o.* o_files *.job photos/metadata.jsonl"

-- ---- sidecars ------------------------------------------------------------------------------------------------

local function sidecars(what, texts)
  for i, name in ipairs { "a", "b", "c", "d" } do equal(album.read("photos/" .. name .. ".txt") or "none", texts[i],
        what .. ": " .. name .. ".txt") end
end
local T = {}
for i, name in ipairs(album.NAMES) do T[i] = TEXTS[name] end
album.write("photos/b.txt", "by hand\n")
equal(told("photos", "--sidecar", "txt"), { 0, "", "lunette: 3 captions, 1 that have one kept\n" }, "--sidecar txt")
sidecars("--overwrite never", { T[1] .. "\n", "by hand\n", T[3] .. "\n", T[4] .. "\n" })
ok(album.read "photos/lunette.job", "the job file of sidecars is in the folder")
equal((caption("photos", "--sidecar", "txt", "--append", "--quiet")), 0, "--append")
sidecars("--append", { T[1] .. "\n", "by hand, " .. T[2] .. "\n", T[3] .. "\n", T[4] .. "\n" })
equal((caption("photos", "--sidecar", "txt", "--append", "--max-new-tokens", "3", "--quiet")), 0, "--append, other captions")
local short = album.read "photos/a.txt"
ok(short ~= T[1] .. "\n" and not short:find(", ", 1, true), "the job's own caption gives way to the new one: %s", short)
ok(album.read "photos/b.txt":find "^by hand, [^,]*\n$", "what is there stays, once: %s", album.read "photos/b.txt")
album.remove "photos/*.txt photos/lunette.job"

album.write("photos/b.txt", "by hand\n")
album.write("photos/c.txt", "by hand\n")
assert(lfs.touch("photos/b.txt", 1000000000))
equal((caption("photos", "--sidecar", "txt", "--overwrite", "older", "--quiet")), 0, "--overwrite older")
sidecars("--overwrite older", { T[1] .. "\n", T[2] .. "\n", "by hand\n", T[4] .. "\n" })
album.remove "photos/lunette.job"
equal((caption("photos", "--sidecar", "txt", "--prepend", "--quiet")), 0, "--prepend")
equal(album.read "photos/c.txt", T[3] .. ", by hand\n", "--prepend")
album.remove "photos/lunette.job"
equal((caption("photos", "--sidecar", "txt", "--overwrite", "always", "--template", "{stem} of {folder}: {caption}", "--quiet")), 0, "--template")
equal(album.read "photos/c.txt", "c of photos: " .. T[3] .. "\n", "--overwrite always, --template")
album.remove "photos/*.txt photos/lunette.job"

equal((caption("photos", "--sidecar", "json", "--sidecar-dir", "side", "--quiet")), 0, "--sidecar-dir")
equal(assert(json.decode(album.read "side/photos/c.json", "c.json")).text, T[3], "--sidecar json")
equal({ caption("photos", "--sidecar", "caption", "--sidecar-dir", "side") }, { 0, "", "lunette: 0 captions, 4 done before\n" },
      "another kind of sidecar")
equal(album.read "side/photos/c.caption", T[3] .. "\n", "another kind of sidecar of the same job")
equal({ names "photos", #names "side/photos" }, { album.NAMES, 8 }, "sidecars elsewhere")
equal((caption("photos", "--sidecar", "caption", "--sidecar-dir", "other", "--job", "side/lunette.job", "--quiet")), 0, "another folder")
equal(#names "other/photos", 4, "sidecars in another folder of the same job")
album.remove "side other"

-- ---- XMP ---------------------------------------------------------------------------------------------------------

-- The first packet in a file, as a reader of XMP looks for one.
local function described(path)
  local packet = album.read(path):match "<%?xpacket begin=.-<%?xpacket end=[^>]*>"
  local texts = packet and assert(xmp.read(packet)) or {}
  return { texts.description or "none", texts.title or "none" }
end
local function as_xmp(text) return xmp.read(xmp.describe(nil, { description = text })).description end

equal((caption("photos", "--xmp", "--xmp-title", "{stem}!", "--quiet")), 0, "--xmp")
equal(described "photos/a.jpg.xmp", { as_xmp(T[1]), "a!" }, "--xmp")
equal(told("photos", "--xmp", "--max-new-tokens", "3"),
      { 0, "", "lunette: max_new_tokens was not given and is 3: captions are made again\nlunette: 4 captions\n" },
      "a description of the job's own gives way")
ok(described "photos/a.jpg.xmp"[1] ~= as_xmp(T[1]), "a description of the job's own gives way")
album.write("photos/a.jpg.xmp", (assert(xmp.describe(nil, { description = "by hand" }))))
equal(told("photos", "--xmp"),
      { 0, "", "lunette: max_new_tokens was 3 and is not given: captions are made again\nlunette: 3 captions, 1 that have one kept\n" },
      "one of somebody else does not")
equal(described "photos/a.jpg.xmp"[1], "by hand", "one of somebody else does not")
album.remove "photos/*.xmp photos/lunette.job"

local before = album.read "photos/a.jpg"
equal((caption("photos", "--xmp", "--in-place", "--out", "i.jsonl", "--quiet")), 0, "--in-place")
ok(album.read "photos/a.jpg" ~= before, "--in-place changes nothing")
for i, name in ipairs(album.NAMES) do equal(described("photos/" .. name)[1], as_xmp(T[i]), "--in-place: " .. name) end
equal({ caption("photos", "--xmp", "--in-place", "--out", "i.jsonl") }, { 0, "", "lunette: 0 captions, 4 done before\n" }, "the second run")
equal((caption("photos", "--xmp", "--in-place", "--out", "i.jsonl", "--num-beams", "3", "--quiet")), 0, "other options")
for i, r in ipairs(album.records "i.jsonl") do equal(described(r.file)[1], as_xmp(r.text), "the new caption of picture " .. i) end
equal({ caption("photos", "--xmp", "--in-place", "--out", "i.jsonl", "--num-beams", "3") }, { 0, "", "lunette: 0 captions, 4 done before\n" },
      "and again")
album.remove "i.* photos"
album.make "photos"

-- ---- shards ----------------------------------------------------------------------------------------------------

local parts, all = {}, {}
for i = 1, 3 do
  equal((caption("photos", "--shard", i .. "/3", "--out", "s.jsonl", "--quiet")), 0, "a shard")
  parts[i] = {}
  for _, r in ipairs(album.read "s.jsonl" and album.records "s.jsonl" or {}) do
    table.insert(parts[i], r.file)
    all[#all + 1] = r.file:match "[^/]*$"
  end
  table.sort(parts[i])
  album.remove "s.*"
end
table.sort(all)
equal(all, album.NAMES, "each picture in one shard")
equal(parts, { {}, { "photos/d.gif" }, { "photos/a.jpg", "photos/b.png", "photos/c.webp" } }, "shards by the XXH3 of the name, on every machine")

-- ---- how it is told -----------------------------------------------------------------------------------------------

local FAILURE = "lunette: absent.jpg: No such file or directory\n"
local END = "lunette: 4 captions, 1 failure\nlunette: why: lunette job failures p.jsonl.job\n"
for _, case in ipairs { { "--quiet", FAILURE }, { "--progress=none", FAILURE .. END }, { "--progress=plain", FAILURE .. END },
                        { "--progress=auto", FAILURE .. END } } do
  equal({ caption("photos", "absent.jpg", "--out", "p.jsonl", case[1]) }, { 1, "", case[2] }, case[1])
  album.remove "p.*"
end
local status, out, err = caption("photos", "absent.jpg", "--out", "p.jsonl", "--progress", "json")
equal({ status, out }, { 1, "" }, "--progress json")
local last
for _, line in ipairs(command.lines(err)) do
  if line:find "^{" then last = assert(json.decode(line, "progress")) end
end
equal({ last.done, last.failed, last.skipped, last.total, last.listed, last.seconds_left }, { 4, 1, 0, 5, true, 0 }, "the last report")
ok(last.images_per_second > 0 and (last.file:find "^photos/" or last.file == "absent.jpg"), "whichever was last: %s", err)
album.remove "p.*"

-- ---- --max-failures -----------------------------------------------------------------------------------------------

equal({ caption("photos", "absent.jpg", "--out", "p.jsonl", "--max-failures", "1", "--quiet") }, { 1, "", FAILURE }, "as many as are allowed")
album.remove "p.*"
local words = { "--out", "p.jsonl", "--max-failures", "0", "--batch-size", "1" }
for i = 1, 40 do words[#words + 1] = ("absent%d"):format(i) end
status, out, err = caption(table.unpack(words))
local _, failures = err:gsub("lunette: absent%d+: No such file or directory\n", "")
equal({ status, out }, { 1, "" }, "--max-failures 0")
ok(failures >= 1 and failures < 10, "%d failures before it stops", failures)
local STOPPED = "\nlunette: stopped: 1 failure, --max-failures 0\n" ..
                "lunette: what was done is kept: the same command goes on where this one stopped\n"
ok(err:find(STOPPED, 1, true), "%s", err)
equal((caption(table.unpack(words, 5))), 1, "the rest goes to standard output")
album.remove "p.*"

-- ---- workers --------------------------------------------------------------------------------------------------------

if album.SANITIZED then
  check.skip("--max-memory", "AddressSanitizer needs more")
else
  status, out, err = caption("photos/b.png", "--max-memory", "1K")        -- where memory ends is not the same each time
  equal({ status, out }, { 3, "" }, "--max-memory")
  ok(err:find("lunette: " .. album.MODEL, 1, true) and err:find "memory\n$", "%s", err)
  equal((caption("photos/b.png", "--max-memory", "1G", "--timeout", "60", "--retries", "0")), 0, "enough memory")
end
equal({ caption("photos/a.jpg", "--fast-decode") }, { 0, T[1] .. "\n", "" }, "--fast-decode leaves a small JPEG as it is")

check.finish()
