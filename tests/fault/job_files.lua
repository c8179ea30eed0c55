-- job_files.lua - pictures that go, change and break while a job runs, folders that cannot be read, links in a circle, odd names.
local luv    = require "luv"
local check  = require "check"
local json   = require "lunette.json"
local sqlite = require "lunette.sqlite"
local bed    = require "tests.fault.bed"
local run    = require "tests.fault.run"

local equal = check.equal

-- The objects of a file of JSON lines by their 'file'.
local function objects(path)
  local found, count = {}, 0
  for line in io.lines(path) do
    local object = assert(json.decode(line, path))
    found[object.file] = object
    count = count + 1
  end
  return found, count
end

local function same(subject, what)
  for _, text in ipairs(subject:differences()) do check.ok(false, "%s: %s", what, text) end
end

-- ---- midway ----------------------------------------------------------------------------------

do
  local subject <close> = bed.new { images = 60, seed = 5 }
  subject:know()
  local function path(i) return ("%s/album/%s"):format(subject.folder, bed.name(i)) end
  local process <close> = subject:start(subject:words())
  repeat until process:wait(0.005) or #process:workers() > 0
  process:kill("worker", "sigstop")                -- all is listed, nothing is read
  process:wait(0.7)
  local cut = bed.read(path(20)):sub(1, 300)
  assert(luv.fs_unlink(path(10)))
  bed.write(path(20), cut)
  subject:put(30, 2)
  bed.write(path(40), "")
  assert(luv.fs_unlink(path(45)))
  assert(luv.fs_mkdir(path(45), 511))
  process:kill("worker", "sigcont")
  process:wait()
  equal(process.status, 1, "exit status")
  local found, count = objects(subject.folder .. "/out/captions.jsonl")
  equal(count, 60, "lines")
  local wanted = { [10] = { "read", "No such file" }, [20] = { "decode", "truncated" }, [40] = { "decode", "" }, [45] = { "read", "directory" } }
  for i, want in pairs(wanted) do
    local got = found["album/" .. bed.name(i)]
    check.ok(got and got.stage == want[1] and got.error:find(want[2]), "picture %d: %s %s", i, got and got.stage, got and got.error)
  end
  equal(found["album/" .. bed.name(30)].text ~= nil, true, "a picture that was replaced")
  assert(luv.fs_rmdir(path(45)))
  for _, i in ipairs { 10, 20, 40, 45 } do subject:put(i, 1) end
  equal(subject:run(subject:words()), 1, "the same command")
  same(subject, "pictures that are back")
end

-- ---- folders that cannot be read, links ----------------------------------------------------------

local folder <close> = setmetatable({ path = bed.temporary "files" }, { __close = function (self) bed.remove(self.path) end })
local command, model = assert(luv.fs_realpath(os.getenv "LUNETTE")), assert(luv.fs_realpath "tests/data/fixtures/ved_vit_gpt2")

local function at(name) return folder.path .. "/" .. name end

local function caption(words, before)
  local list = { "caption", "--model", model, "--threads", "1", "--max-new-tokens", "4", "--recursive", "--quiet", table.unpack(words) }
  local process <close> = run.start(command, list, folder.path, before)
  process:wait()
  return process.status, process:said()
end

local root = luv.getuid() == 0
luv.fs_chmod(folder.path, 511)
local probe = ("cd '%s' && setpriv --reuid nobody --clear-groups '%s' info '%s' >/dev/null 2>&1"):format(folder.path, command, model)
if root and not os.execute(probe) then
  check.skip("unreadable folders", "nobody else can be made to run the command")
else
  for _, name in ipairs { "open", "open/shut", "written" } do assert(luv.fs_mkdir(at(name), 511)) end
  bed.write(at "open/1.jpg", bed.picture(1))
  bed.write(at "open/2.jpg", bed.picture(2))
  bed.write(at "open/shut/3.jpg", bed.picture(3))
  luv.fs_chmod(at "written", 511)
  luv.fs_chmod(at "open/shut", 0)
  luv.fs_chmod(at "open/2.jpg", 0)
  local before = root and { "setpriv", "--reuid", "nobody", "--clear-groups" } or nil
  local words = { "open", "--out", "written/a.jsonl" }
  local status, said = caption(words, before)
  equal(status, 1, "an unreadable folder: " .. said)
  local found, count = objects(at "written/a.jsonl")
  equal(count, 3, "records")
  equal({ found["open/shut"].stage, found["open/shut"].error }, { "list", "permission denied" }, "the folder")
  equal({ found["open/2.jpg"].stage, found["open/2.jpg"].error }, { "read", "Permission denied" }, "the file")
  luv.fs_chmod(at "open/shut", 493)
  luv.fs_chmod(at "open/2.jpg", 420)
  local db <close> = assert(sqlite.open(at "written/a.jsonl.job"))
  equal(db:row "SELECT count(*) AS n FROM image".n, 3, "pictures")
  status, said = caption(words, before)
  found, count = objects(at "written/a.jsonl")
  check.ok(found["open/shut/3.jpg"] and found["open/shut/3.jpg"].text, "a folder that can be read now: %d, %s", status, said)
  equal(found["open/shut"], nil, "the folder's failure")
  equal(count, 3, "records")
end

assert(luv.fs_mkdir(at "circle", 511))
assert(luv.fs_mkdir(at "circle/below", 511))
bed.write(at "circle/below/1.jpg", bed.picture(1))
local LINKS = { ["circle/below/up"] = "..", ["circle/below/self"] = ".", ["circle/loop"] = "loop", ["circle/gone.jpg"] = "nothing" }
for name, target in pairs(LINKS) do
  assert(luv.fs_symlink(target, at(name)))
end
equal(caption { "circle", "--out", "circle.jsonl" }, 1, "links in a circle")
local found, count = objects(at "circle.jsonl")
equal(count, 3, "records of links")
equal(found["circle/below/1.jpg"].text ~= nil, true, "the picture")
equal({ found["circle/loop"].stage, found["circle/gone.jpg"].stage }, { "read", "read" }, "links to nothing")

-- ---- names --------------------------------------------------------------------------------------

local NAMES = {
  "two\nlines.jpg", "quote\".jpg", "comma,.jpg", "\xff\xfe.jpg", ("n"):rep(251) .. ".jpg", "-dash.jpg", "\u{2028}.jpg", " .jpg", "cr\r.jpg",
  "it's.jpg", "a\\b.jpg", "*.jpg", "%s.jpg", "=1+1.jpg",
}
assert(luv.fs_mkdir(at "names", 511))
for i, name in ipairs(NAMES) do bed.write(at("names/" .. name), bed.picture(i)) end
for turn = 1, 2 do
  local words = { "names", "--sidecar", "txt", "--out", "n.jsonl", "--out", "n.csv", "--out", "n.db", "--out", "n.html", "--batch-size", "1" }
  local status, said = caption(words)
  equal({ status, said }, { 0, "" }, "odd names")
  found, count = objects(at "n.jsonl")
  equal(count, #NAMES, "records of odd names, turn " .. turn)
  local db <close> = assert(sqlite.open(at "n.db"))
  equal(db:row "SELECT count(DISTINCT file) AS n FROM captions".n, #NAMES, "rows")
  for _, name in ipairs(NAMES) do
    local shown = "names/" .. name:gsub("[\xfe\xff]", "\u{fffd}")
    check.ok(found[shown] and found[shown].text, "%q has no caption", name)
    check.ok(bed.read(at("names/" .. name:gsub("jpg$", "txt"))), "%q has no sidecar", name)
  end
end
equal(caption { "names", "--xmp", "--out", "long.jsonl" }, 1, "a name too long for .xmp")
found, count = objects(at "long.jsonl")
equal(count, #NAMES, "records")
equal(found["names/" .. NAMES[5]].stage, "write", "the long name's stage")

check.finish()
