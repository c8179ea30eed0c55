--[[
bed.lua - a job to do harm to: pictures made for it, the command that captions them, the processes of a run, and what its
outputs must say.

  local bed = bed.new { images = 500, seed = 1 }       a folder with album/00001.jpg ...; every 50th picture is broken
  bed:know()                                           runs undisturbed, so that bed:differences() knows what is right
  local run = bed:start(words)                         lunette caption ..., under way; see run.lua
  bed:words(), bed:base(...)                           of that command with all outputs; without any
  bed:differences() -> list of sentences               what the outputs of bed.folder say that an undisturbed run's do not
]]
local luv     = require "luv"
local core    = require "lunette.core"
local sqlite  = require "lunette.sqlite"
local vision  = require "lunette.vision"
local run     = require "tests.fault.run"
local outputs = require "tests.fault.outputs"

local bed = {}

local Bed = {}
Bed.__index = Bed

local BROKEN = 50            -- every so many pictures one that cannot be decoded
local HEAD   = 400           -- bytes of a picture that are left of a broken one

-- ---- folders -------------------------------------------------------------------------------

local function folder(path)
  assert(luv.fs_mkdir(path, 511))
  return path
end

local function remove(path)
  local stat = luv.fs_lstat(path)
  if not stat then return end
  if stat.type == "directory" then
    local request = assert(luv.fs_scandir(path))
    for name in luv.fs_scandir_next, request do remove(path .. "/" .. name) end
    return assert(luv.fs_rmdir(path))
  end
  assert(luv.fs_unlink(path))
end
bed.remove = remove

-- A new folder, in memory where that can be: processes are killed here, not the machine, and waiting for a disk takes minutes.
function bed.temporary(name)
  local place = luv.fs_access("/dev/shm", "W") and "/dev/shm" or os.getenv "TMPDIR" or "/tmp"
  return assert(luv.fs_mkdtemp(("%s/lunette-%s-XXXXXX"):format(place, name)))
end

function bed.write(path, bytes)
  local f <close> = assert(io.open(path, "wb"))
  assert(f:write(bytes))
end

function bed.read(path)
  local f <close> = io.open(path, "rb")
  return f and f:read "a"
end

-- ---- pictures ------------------------------------------------------------------------------

-- Numbers that follow from some others: xorshift64* (Vigna 2016), seeded by their mix.
local function stream(...)
  local x = 0x9e3779b97f4a7c15
  for _, n in ipairs { ... } do x = (x ~ n) * 0x5851f42d4c957f2d + 1 end
  return function (most)
    x = x ~ (x >> 12)
    x = x ~ (x << 25)
    x = x ~ (x >> 27)
    return (x * 0x2545f4914f6cdd1d >> 33) % most + 1
  end
end

-- A small JPEG, another one for each number, version and seed: stripes of some colours.
function bed.picture(...)
  local random = stream(...)
  local rows, columns = 24 + random(40), 24 + random(40)
  local a, b, c, d = random(255), random(255), 1 + random(9), random(17)
  local bytes = {}
  for y = 1, rows do
    for x = 1, columns do bytes[#bytes + 1] = string.char((x * c + a) & 255, (y * d + b) & 255, (x * y // c + a) & 255) end
  end
  return vision.encode_jpeg(core.tensor(table.concat(bytes), { shape = { rows, columns, 3 }, dtype = "u8" }))
end

function bed.name(i) return ("%05d.jpg"):format(i) end

local function bytes_of(self, i, version)
  local scope <close> = core.scope()
  local bytes = bed.picture(self.seed, i, version)
  return (i + version) % BROKEN == 0 and bytes:sub(1, HEAD) or bytes
end

function Bed:put(i, version)
  bed.write(("%s/album/%s"):format(self.folder, bed.name(i)), bytes_of(self, i, version))
  self.version[i] = version
end

-- ---- runs ----------------------------------------------------------------------------------

-- The command for the album, with these words.
function Bed:base(...)
  return { "caption", "--model", self.model, "album", "--threads", "1", "--num-beams", "3", "--max-new-tokens", "10", "--quiet", ... }
end

-- All outputs at once.
function Bed:words(...)
  local words = self:base("--sidecar", "txt", "--xmp", "--overwrite", "older", "--job", self.job, ...)
  for _, name in ipairs(outputs.names) do table.move({ "--out", name }, 1, 2, #words + 1, words) end
  return words
end

function Bed:start(words) return run.start(self.command, words, self.folder) end

-- To its end; status, what it said.
function Bed:run(words)
  local process <close> = self:start(words)
  process:wait()
  return process.status, process:said()
end

-- Captions every version of the album once, undisturbed and elsewhere.
function Bed:know()
  local calm <close> = bed.new { images = self.images, seed = self.seed, command = self.command, model = self.model }
  for version = 1, self.versions do
    for i = 1, self.images do calm:put(i, version) end
    calm:clear()
    local status, said = calm:run(calm:words("--workers", "2"))
    assert(status == 1, said)
    self.known[version] = outputs.read(calm.folder, self.images)
  end
end

-- Away with outputs and the job file.
function Bed:clear()
  for name in luv.fs_scandir_next, assert(luv.fs_scandir(self.folder .. "/out")) do remove(self.folder .. "/out/" .. name) end
  remove(self.folder .. "/album/metadata.jsonl")
  for i = 1, self.images do
    for _, suffix in ipairs { "txt", "jpg.xmp" } do remove(("%s/album/%05d.%s"):format(self.folder, i, suffix)) end
  end
end

-- The records of the job file that outputs may have: { [file] = state }
function Bed:records()
  local found = {}
  local db <close> = assert(sqlite.open(self.folder .. "/" .. self.job))
  if db:row "SELECT count(*) AS n FROM sqlite_schema WHERE name = 'image'".n == 0 then return found end
  for row in db:rows "SELECT file, state FROM image WHERE todo = 0" do found[row.file] = row.state end
  return found
end

-- Another folder of it.
function Bed:make(name) return folder(self.folder .. "/" .. name) end

-- What is wrong with the outputs: a list, empty where each picture is there once, with what an undisturbed run says of it.
function Bed:differences()
  return outputs.differences(outputs.read(self.folder, self.images), self.known, self.version)
end

function Bed:__close() remove(self.folder) end

-- new { images, seed [, command, model] } -> bed with pictures of version 1
function bed.new(self)
  setmetatable(self, Bed)
  self.versions, self.version, self.known, self.job = 2, {}, {}, "out/captions.job"
  self.folder = bed.temporary "faults"
  self.command = assert(luv.fs_realpath(self.command or assert(os.getenv "LUNETTE", "LUNETTE is not set: the path of the command to test")))
  self.model = assert(luv.fs_realpath(self.model or "tests/data/fixtures/ved_vit_gpt2"))
  folder(self.folder .. "/album")
  folder(self.folder .. "/out")
  for i = 1, self.images do self:put(i, 1) end
  return self
end

return bed
