-- job_again.lua - the same command again: what was done is known, what changed is noticed and said, each picture is there once.
local lfs     = require "lfs"
local check   = require "check"
local command = require "tests.cli.command"
local album   = require "tests.cli.album"

local equal, ok = check.equal, check.ok

album.make "photos"
local OUT = { "--out", "o.jsonl", "--out", "o.csv", "--ordered" }

local function run(what, status, message, ...)
  local words = table.move(OUT, 1, #OUT, 1, {})
  for _, word in ipairs { ... } do words[#words + 1] = word end
  equal({ album.caption(table.unpack(words)) }, { status, "", message }, what)
end

-- The outputs have these pictures of the folder, once and in this order, and say the same.
local function have(what, ...)
  local names, rows = {}, {}
  for i, r in ipairs(album.records "o.jsonl") do names[i] = r.file end
  equal(names, { ... }, what .. ": o.jsonl")
  for line in album.read "o.csv":gmatch "[^\r]*\r\n" do rows[#rows + 1] = line:match "^([^,]*)," end
  equal(rows, { "file", ... }, what .. ": o.csv")
end

local A, B, C, D = "photos/a.jpg", "photos/b.png", "photos/c.webp", "photos/d.gif"

-- ---- nothing to do, new pictures, changed pictures ------------------------------------------------------------

run("the first run", 0, "lunette: 4 captions\n", "photos")
local first = album.read "o.jsonl"
run("nothing to do", 0, "lunette: 0 captions, 4 done before\n", "photos")
run("by other words", 0, "lunette: 0 captions, 4 done before\n", "photos/*")
equal(album.read "o.jsonl", first, "nothing is written")
album.put("a.jpg", "photos/e.jpg")
run("a new picture", 0, "lunette: 1 caption, 4 done before\n", "photos")
have("a new picture", A, B, C, D, "photos/e.jpg")

album.put("b.png", "photos/e.jpg")
run("other contents", 0, "lunette: 1 caption, 4 done before, 1 picture had changed\n", "photos")
have("other contents", A, B, C, D, "photos/e.jpg")
local records = album.records "o.jsonl"
equal(records[5].text, records[2].text, "the caption is that of the new contents")
assert(lfs.touch("photos/a.jpg", 1000000000))
assert(lfs.touch("photos/d.gif", 1000000000))
run("other times", 0, "lunette: 2 captions, 3 done before, 2 pictures had changed\n", "photos")
have("other times", A, B, C, D, "photos/e.jpg")
assert(os.remove "photos/e.jpg")
run("a picture is gone", 0, "lunette: 0 captions, 4 done before\n", "photos")

-- ---- other options, another model, another output -----------------------------------------------------------------

run("other options", 0,
      "lunette: max_new_tokens was not given and is 2, num_beams was not given and is 2: captions are made again\nlunette: 4 captions\n",
    "photos", "--num-beams", "2", "--max-new-tokens", "2")
have("other options", A, B, C, D, "photos/e.jpg")
run("the same options", 0, "lunette: 0 captions, 4 done before\n", "photos", "--num-beams", "2", "--max-new-tokens", "2")
run("options that captions do not depend on", 0, "lunette: 0 captions, 4 done before\n", "photos", "--num-beams", "2", "--max-new-tokens", "2",
    "--workers", "2", "--threads", "1", "--batch-size", "2")
run("a template", 0, "lunette: max_new_tokens was 2 and is not given, num_beams was 2 and is not given, " ..
    "template was not given and is {caption}!: captions are made again\nlunette: 4 captions\n", "photos", "--template", "{caption}!")
for i = 1, 4 do ok(album.records "o.jsonl"[i].text:find "!$", "the template is used") end

assert(os.execute(("cp -r '%s' model && echo >> model/config.json"):format(album.MODEL)))
local function with_model(dir) return { command.run { "caption", "--model", dir, "photos", "--out", "o.jsonl", "--out", "o.csv", "--ordered" } } end
equal(with_model "model", { 0, "",
      "lunette: template was {caption}! and is not given, the model is another: captions are made again\nlunette: 4 captions\n" },
      "another model")
album.write("model/README.md", "notes")
equal(with_model "./model/", { 0, "", "lunette: 0 captions, 4 done before\n" }, "the same model, with notes")

equal({ album.caption("photos", "--out", "o.jsonl", "--out", "later.jsonl", "--ordered") },
      { 0, "", "lunette: the model is another: captions are made again\nlunette: 4 captions\n" }, "another output")
equal(#album.records "later.jsonl", 5, "another output has what was done before")
run("an output that was left out", 0, "lunette: 0 captions, 4 done before\n", "photos")
for i, r in ipairs(album.records "o.jsonl") do
  ok(album.read "o.csv":find(("\n%s,%s,"):format(r.file, r.text), 1, true) or i == 5, "record %d of an output that was left out is old", i)
end
have("an output that was left out", A, B, C, D, "photos/e.jpg")
album.remove "o.* later.jsonl photos model"

-- ---- failures ---------------------------------------------------------------------------------------------------------

album.make "photos"
album.write("photos/b.png", "\137PNG\r\n\26\nno more")
local WHY = "lunette: why: lunette job failures o.jsonl.job\n"
local REASON = select(3, album.caption "photos/b.png")
ok(REASON:find "^lunette: photos/b.png: [^\n]+\n$", "%s", REASON)
run("a broken picture", 1, REASON .. "lunette: 3 captions, 1 failure\n" .. WHY, "photos")
run("a failure is not tried again", 1, "lunette: 0 captions, 3 done before, 1 failed before\n" .. WHY, "photos")
album.put("b.png", "photos/b.png")
run("a failure that is mended", 0, "lunette: 1 caption, 3 done before\n", "photos")
have("a failure that is mended", A, B, C, D)
run("a folder that is not there", 1, "lunette: more: No such file or directory\nlunette: 0 captions, 1 failure, 4 done before\n" .. WHY,
      "photos", "more")
album.make "more"
run("now it is", 0, "lunette: 4 captions, 4 done before\n", "photos", "more")
album.remove "o.* more photos"

-- ---- other inputs, the same ones twice, standard input ------------------------------------------------------------------

album.make "photos"
album.make "more"
run("some pictures", 0, "lunette: 4 captions\n", "photos")
run("other pictures of the same job", 0, "lunette: 4 captions\n", "more")
have("two folders", A, B, C, D, "more/a.jpg", "more/b.png", "more/c.webp", "more/d.gif")
album.remove "o.*"
run("a picture by many names", 0, "lunette: 4 captions\n", "photos", "./photos", A, lfs.currentdir() .. "/" .. A, "photos//a.jpg")
have("a picture by many names", A, B, C, D)
album.remove "o.*"

local words = { "caption", "--model", album.MODEL, "-", "--out", "o.jsonl", "--ordered" }
equal({ command.run(words, B .. "\n" .. A .. "\n") }, { 0, "", "lunette: 2 captions\n" }, "a list on standard input")
equal({ command.run(words, B .. "\n" .. A .. "\n" .. C .. "\n") }, { 0, "", "lunette: 1 caption, 2 done before\n" }, "a longer list")
equal({ command.run(words, album.read(D)) }, { 0, "", "lunette: 1 caption\n" }, "a picture on standard input")
local names = {}
for i, r in ipairs(album.records "o.jsonl") do names[i] = r.file end
equal(names, { B, A, C, "-" }, "files")

check.finish()
