-- job_sidecar.lua - captions beside their pictures: where they go, what is kept, two pictures of one name, kills and failures;
-- and the template of what they say.
local cjson    = require "cjson"
local lfs      = require "lfs"
local luv      = require "luv"
local durable  = require "lunette.job.durable"
local sidecar  = require "lunette.job.outputs.sidecar"
local template = require "lunette.job.template"
local path     = require "lunette.job.path"
local check    = require "check"
local example  = require "job_example"

local equal  = check.equal
local root   = example.folder "sidecar"
local read, write = example.read, example.write
assert(luv.chdir(root))

local function start(settings, list)
  settings.sidecar = settings.sidecar or "txt"
  local output = assert(sidecar.open(nil, settings))
  assert(output:resume(settings.mark, example.records(list or {})))
  return output
end

local function record(id, file, text)
  return { id = id, position = id, file = file, text = text or "a dog", ids = { 1, 2 }, score = -0.5 }
end

-- What a job does with a record: the message where it fails.
local function take(output, r)
  r.prepared = output:prepare(r) or nil
  local failed = assert(output:write { r })
  return failed[r.id]
end

local function picture(name)
  write(name, "\137PNG\r\n\26\n")
  return name
end

-- ---- where they go ------------------------------------------------------------------------------

for _, case in ipairs {      -- picture, its sidecar, that in a folder of sidecars
  { "photo.jpg",            "photo.txt",             "out/photo.txt" },
  { "a/photo.v2.jpg",       "a/photo.v2.txt",        "out/a/photo.v2.txt" },
  { "./a//photo",           "a/photo.txt",           "out/a/photo.txt" },
  { "a.b/photo",            "a.b/photo.txt",         "out/a.b/photo.txt" },
  { ".jpg",                 ".jpg.txt",              "out/.jpg.txt" },
  { "../x/photo.jpg",       "../x/photo.txt",        "out/__/x/photo.txt" },
  { "/x/../../photo.jpg",   "/photo.txt",            "out/x/__/__/photo.txt" },
  { "two\nlines\xff.jpg",   "two\nlines\xff.txt",    "out/two\nlines\xff.txt" },
} do
  local beside, within = start {}, start { sidecar_dir = "out" }
  local asked = {}
  local stat = durable.stat
  durable.stat = function (name)              -- luacheck: ignore 122
    asked[#asked + 1] = name
    return stat(name)
  end
  beside:wants(case[1])
  within:wants(case[1])
  durable.stat = stat                          -- luacheck: ignore 122
  equal(asked, { case[2], case[3] }, case[1])
end

assert(lfs.mkdir "a")
local output = start {}
for i, name in ipairs(example.NAMES) do
  local file = picture("a/" .. name)
  local _, stem = path.split(file)
  equal(output:wants(file), true, file)
  equal(take(output, record(i, file, "caption " .. i)), nil, file)
  equal(read("a/" .. stem .. ".txt"), ("caption %d\n"):format(i), "sidecar of " .. name)
end
equal(output:flush(), tostring(#example.NAMES), "mark")
for name in lfs.dir "a" do check.ok(not name:find "lunette", "%q is left", name) end

output = start { sidecar = "json", sidecar_dir = "deep/er" }
equal(take(output, record(1, root .. "/a/\xff\xfe.jpg")), nil, "json")
local object = read(("deep/er%s/a/\xff\xfe.json"):format(root))
check.ok(object:find "^{\"file\":.*}\n$" and cjson.decode(object).text == "a dog", "json: %s", object)
output = start { sidecar = "caption" }
equal(take(output, record(1, "a/plain.jpg")), nil, "caption")
equal(read "a/plain.caption", "a dog\n", "caption")
equal({ output:prepare { id = 2, position = 2, file = "a/plain.jpg", error = "broken", stage = "decode" } }, { false }, "a failure has none")

check.fails("sidecar \"xml\" is unknown: wanted txt, caption or json", nil, sidecar.open(nil, { sidecar = "xml" }))
check.fails("--append adds to texts: wanted --sidecar txt or caption, found json", nil, sidecar.open(nil, { sidecar = "json", append = true }))
check.fails("sidecars: the job file says \"x\" of them, which is no mark", nil, sidecar.open(nil, { sidecar = "txt", mark = "x" }))
picture "odd.txt"
check.fails("odd.txt is the picture itself, not a place for its caption", nil, start { overwrite = "always" }:prepare(record(1, "./odd.txt")))

-- ---- what is there already -----------------------------------------------------------------------------

local function fresh(text, seconds)          -- a picture, and a sidecar so much older
  picture "old.jpg"
  write("old.txt", text)
  assert(lfs.touch("old.jpg", 1000000000, 1000000000))
  assert(lfs.touch("old.txt", 1000000000 - seconds, 1000000000 - seconds))
end

for _, case in ipairs {     -- settings, how much older, what it says in the end
  { {},                        9, "by hand\n" },
  { { overwrite = "never" },   9, "by hand\n" },
  { { overwrite = "always" }, -9, "a dog\n" },
  { { overwrite = "older" },   9, "a dog\n" },
  { { overwrite = "older" },   0, "by hand\n" },
  { { overwrite = "older" },  -9, "by hand\n" },
  { { append = true },         9, "by hand, a dog\n" },
  { { prepend = true },        9, "a dog, by hand\n" },
} do
  fresh("by hand\n", case[2])
  output = start(case[1])
  equal(output:wants "old.jpg", case[3] ~= "by hand\n", "wants")
  local r = record(1, "old.jpg")
  equal(take(output, r), nil, "taken")
  equal(read "old.txt", case[3], "sidecar")
  assert(output:write { r })
  equal(read "old.txt", case[3], "sidecar, written again")
  equal(output:wants "old.jpg", case[3] ~= "by hand\n", "wants again")

  output = start({ append = case[1].append, prepend = case[1].prepend, overwrite = case[1].overwrite }, { r })     -- the picture has changed
  equal(take(output, record(1, "old.jpg", "two dogs")), nil, "taken again")
  equal(read "old.txt", (case[3]:gsub("a dog", "two dogs")), "sidecar, of another caption")
end

for _, case in ipairs { { "", "a dog\n" }, { "\r\n", "a dog\n" }, { "x\n\n", "x, a dog\n" }, { "x\ny", "x\ny, a dog\n" } } do
  fresh(case[1], 0)
  take(start { append = true }, record(1, "old.jpg"))
  equal(read "old.txt", case[2], "added")
end
fresh(("x"):rep((1 << 20) + 1), 0)
check.fails("old.txt has 1048577 bytes, a text has 1048576 at most", nil, start { append = true }:prepare(record(1, "old.jpg")))

-- what the job wrote and somebody corrected stays as well
fresh("", 0)
os.remove "old.txt"
local mine = record(1, "old.jpg")
take(start {}, mine)
output = start({}, { mine })
equal(output:wants "old.jpg", true, "a sidecar of this job")
write("old.txt", "a corrected dog\n")
equal(output:wants "old.jpg", false, "a corrected sidecar")
equal({ output:prepare(record(1, "old.jpg", "two dogs")) }, { false }, "a corrected sidecar")
equal(start({}, {}):wants "old.jpg", false, "a sidecar of another job")

-- sidecars that are asked for when the job is done already
for _, settings in ipairs { {}, { append = true } } do
  write("old.txt", "by hand\n")
  os.remove "new.txt"
  local done = { record(1, "old.jpg"), record(2, "new.jpg"), { id = 3, position = 3, file = "x.jpg", error = "broken", stage = "decode" } }
  for _ = 1, 2 do
    output = start(settings, done)
    equal(next(assert(output:write(done))), nil, "failures")
    equal({ read "old.txt", read "new.txt" }, { settings.append and "by hand, a dog\n" or "by hand\n", "a dog\n" }, "sidecars after the job")
  end
end

-- ---- two pictures of one sidecar --------------------------------------------------------------------------

for _, settings in ipairs { {}, { append = true }, { overwrite = "older" } } do
  os.remove "two.txt"
  picture "two.jpg"
  picture "two.png"
  output = start(settings)
  local first = record(1, "two.jpg")
  equal(take(output, first), nil, "the first")
  equal(output:wants "two.png", true, "the second is wanted, to fail")
  equal(take(output, record(2, "two.png", "a cat")), "two.txt has the caption of two.jpg already", "the second")
  equal(take(output, record(2, "./two.png", "a cat")), "two.txt has the caption of two.jpg already", "the second, said otherwise")
  output = start(settings, { first })
  equal(take(output, record(2, "two.png", "a cat")), "two.txt has the caption of two.jpg already", "the second, in another run")
  output = start(settings, { first, record(2, "two.png", "a cat") })       -- committed, killed before it could fail
  equal(take(output, record(2, "two.png", "a cat")), "two.txt has the caption of two.jpg already", "the second, after a kill")
  equal(read "two.txt", "a dog\n", "sidecar")
  local _, message = output:prepare(record(2, "two.png"))
  equal(message, "two.txt has the caption of two.jpg already", "the second, when it is prepared")
end
write("two.txt", "by hand\n")
output = start({}, { record(1, "two.jpg") })
equal({ take(output, record(2, "two.png")) or false, read "two.txt" }, { false, "by hand\n" }, "two pictures of a sidecar of somebody else")
output = start { overwrite = "always" }
equal(take(output, record(1, "two.jpg")), nil, "the first")
equal(take(output, record(2, "two.png", "a cat")), nil, "the second")
equal(read "two.txt", "a cat\n", "the last one has it")

-- ---- kills, and what cannot be written -----------------------------------------------------------------------

local list = {}
for i = 1, 6 do list[i] = record(i, picture(("k%d.jpg"):format(i)), "caption " .. i) end
write("k2.txt", "by hand\n")
local settings = { append = true }
output = start(settings)
for _, r in ipairs(list) do r.prepared = assert(output:prepare(r)) end      -- committed; killed before any is written
output:close()
output = start(settings, list)
assert(output:write { list[1], list[2] })                                  -- and again
output:close()
settings.mark = "0"
output = start(settings, list)
equal(next(assert(output:write(list))), nil, "failures")
equal(output:flush(), "6", "mark")
for i, r in ipairs(list) do equal(read(("k%d.txt"):format(i)), (i == 2 and "by hand, " or "") .. r.text .. "\n", "sidecar after kills") end
os.remove "k1.txt"
write("k3.txt", "torn")
equal({ output:rebuild(example.records(list)) }, { "6", {} }, "rebuilt")
for i, r in ipairs(list) do equal(read(("k%d.txt"):format(i)), (i == 2 and "by hand, " or "") .. r.text .. "\n", "sidecar, rebuilt") end

assert(lfs.mkdir "taken")
assert(lfs.mkdir "taken/a.txt")
output = start { overwrite = "always" }
list = { record(1, "taken/a.jpg"), record(2, "taken/b.jpg"), record(3, "gone/c.jpg") }
for _, r in ipairs(list) do r.prepared = assert(output:prepare(r)) end
local failed = assert(output:write(list))
equal({ failed[1], failed[2] or false, failed[3] },
      { "taken/a.txt: illegal operation on a directory", false, "gone/c.txt: no such file or directory" }, "failures")
equal(read "taken/b.txt", "a dog\n", "the others are written")
equal(output:flush(), "3", "mark")
for name in lfs.dir "taken" do check.ok(not name:find "lunette", "%q is left", name) end

local replace = durable.replace
durable.replace = function (name) return nil, name .. ": no space left on device", "ENOSPC" end      -- luacheck: ignore 122
check.fails("taken/a.txt: no space left on device", "ENOSPC", output:write(list))
durable.replace = replace                                                                           -- luacheck: ignore 122

assert(luv.fs_symlink("taken/b.txt", "link.txt"))
take(output, record(4, "link.jpg", "a cat"))
equal({ read "link.txt", read "taken/b.txt" }, { "a cat\n", "a dog\n" }, "a link is replaced, not followed")
write("mode.txt", "x")
assert(luv.fs_chmod("mode.txt", 384))
take(output, record(5, "mode.jpg"))
equal({ read "mode.txt", luv.fs_stat "mode.txt".mode & 511 }, { "a dog\n", 384 }, "who may read it stays")

-- ---- templates -------------------------------------------------------------------------------------------------

local R = { file = "pets/dogs/rex.v2.jpg", text = "a dog", score = -0.25 }
for _, case in ipairs {
  { "{caption}, {folder}, {stem}",  "a dog, dogs, rex.v2" },
  { "{name}|{ext}|{file}|{score}",  "rex.v2.jpg|jpg|pets/dogs/rex.v2.jpg|-0.25" },
  { "{{{caption}}} {{}}",           "{a dog} {}" },
  { "no field",                     "no field" },
  { "",                             "" },
} do
  equal(assert(template.compile(case[1]))(R), case[2], case[1])
end
local all = assert(template.compile "{folder}|{stem}|{ext}|{score}")
equal(all { file = "rex", text = "x" }, "|rex||", "a name alone")
equal(all { file = "/rex.jpg", text = "x", score = 1.0 }, "|rex|jpg|1", "a file of the root")
equal(all { file = "a\xff/{stem}.jpg", text = "x" }, "a\u{FFFD}|{stem}|jpg|", "names are no templates")
local KNOWN = "wanted {caption}, {ext}, {file}, {folder}, {name}, {score} or {stem}"
check.fails("template: {words} is no field: " .. KNOWN, nil, template.compile "{words}")
check.fails("template: {} is no field: " .. KNOWN, nil, template.compile "{}")
check.fails("template: \"{\" at byte 3 stands alone: twice it is itself", nil, template.compile "a {caption")
check.fails("template: \"}\" at byte 2 stands alone: twice it is itself", nil, template.compile "a} b")

-- ---- paths -------------------------------------------------------------------------------------------------------

for _, case in ipairs { { "/a", "/a/b.jpg", "b.jpg" }, { "/", "/a/b.jpg", "a/b.jpg" }, { "/a/./b/../", "/a//c/d", "c/d" }, { "/a", "/ab/c" },
                        { "/a/b", "/a/b" }, { "/a/b", "/a/b/../c" }, { "/..", "/../a", "a" } } do
  equal(path.below(case[1], case[2]) or false, case[3] or false, case[2] .. " below " .. case[1])
end

check.finish()
