-- job_changes.lua - what somebody does between two runs: to the job file, the outputs, the pictures, the options, the model.
local luv    = require "luv"
local check  = require "check"
local sqlite = require "lunette.sqlite"
local bed    = require "tests.fault.bed"

local equal = check.equal
local IMAGES = 60
local subject <close> = bed.new { images = IMAGES, seed = 12 }
subject:know()

local function at(name) return subject.folder .. "/" .. name end

local function same(what)
  for _, text in ipairs(subject:differences()) do check.ok(false, "%s: %s", what, text) end
end

-- What it says without --quiet.
local function run(words)
  local list = {}
  for _, word in ipairs(words) do if word ~= "--quiet" then list[#list + 1] = word end end
  return subject:run(list)
end

local function fails(message, what)
  local status, said = subject:run(subject:words())
  equal(status, 1, what)
  check.ok(said:find(message, 1, true), "%s: %q is not said: %s", what, message, said)
end

equal(subject:run(subject:words()), 1, "a first run")
same "a first run"
local JOB = at "out/captions.job"
local good = bed.read(JOB)

-- ---- the job file ---------------------------------------------------------------------------

bed.write(JOB, "a text that is no database, of some length, whatever it may say")
fails("out/captions.job: not a job file", "a text")
bed.write(JOB, good:sub(1, #good // 2))
fails("out/captions.job: database disk image is malformed", "half a job file")
bed.write(JOB, good:sub(1, 4096) .. ("x"):rep(#good - 4096))
fails("out/captions.job: database disk image is malformed", "a job file that is overwritten")
bed.remove(JOB)
do
  local db <close> = assert(sqlite.open(JOB))
  assert(db:exec "CREATE TABLE image(id); PRAGMA user_version = 99")
end
fails("out/captions.job: not a job file of this version", "another version")
bed.remove(JOB)
do
  local db <close> = assert(sqlite.open(JOB))
  assert(db:exec "CREATE TABLE mine(id)")
end
fails("out/captions.job: not a job file of this version", "another database")
bed.remove(JOB)
assert(luv.fs_mkdir(JOB, 511))
fails("out/captions.job: ", "a folder")
bed.remove(JOB)
fails("out/captions.jsonl exists and belongs to another job or none", "no job file")
bed.remove(JOB)
bed.write(JOB, good)
equal(subject:run(subject:words()), 1, "the job file that was")
same "the job file that was"

-- ---- outputs --------------------------------------------------------------------------------

for _, name in ipairs { "out/captions.jsonl", "out/captions.csv", "out/captions.db", "album/metadata.jsonl" } do
  bed.remove(at(name))
  equal(subject:run(subject:words()), 1, name .. " deleted")
  same(name .. " deleted")
end
for _, name in ipairs { "out/captions.jsonl", "out/captions.csv", "album/metadata.jsonl" } do
  local text = bed.read(at(name))
  bed.write(at(name), text .. "mine\n")
  fails(("%s: byte %d is not what the job wrote there: move the file away, and it is written again"):format(name, #text + 1), name)
  bed.remove(at(name))
  equal(subject:run(subject:words()), 1, name .. " moved away")
  bed.write(at(name), text:sub(1, -20))
  equal(subject:run(subject:words()), 1, name .. " cut short")
  same(name .. " cut short")
end

-- ---- pictures ---------------------------------------------------------------------------------

for i = 3, 30, 9 do subject:put(i, 2) end
local status, said = run(subject:words())
equal(status, 1, "pictures that changed: " .. said)
check.ok(said:find "4 captions", "four pictures changed: %s", said)
same "pictures that changed"

-- ---- options and the model ----------------------------------------------------------------------

local before = bed.read(at "out/captions.jsonl")
local beams = subject:words()
for i, word in ipairs(beams) do if word == "--num-beams" then beams[i + 1] = "2" end end
status, said = run(beams)
equal(status, 1, "another option")
check.ok(said:find "num_beams was 3 and is 2", "%s", said)
check.ok(bed.read(at "out/captions.jsonl") ~= before, "the captions are those of before")
status, said = run(subject:words())
check.ok(said:find "num_beams was 2 and is 3", "back: %d %s", status, said)
same "the first options again"

local model = subject:make "model"
for name in luv.fs_scandir_next, assert(luv.fs_scandir(subject.model)) do
  bed.write(model .. "/" .. name, bed.read(subject.model .. "/" .. name))
end
local config = bed.read(model .. "/preprocessor_config.json")
bed.write(model .. "/preprocessor_config.json", (config:gsub("0%.5", "0.4")))
check.ok(bed.read(model .. "/preprocessor_config.json") ~= config, "the model is the same")
local other = subject:words()
for i, word in ipairs(other) do if word == "--model" then other[i + 1] = "model" end end
status, said = run(other)
check.ok(status == 1 and said:find "the model is another", "another model: %d %s", status, said)

check.finish()
