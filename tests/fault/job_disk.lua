-- job_disk.lua - a job whose disk is full or cannot be written: it stops, says which file, and goes on when there is room.
local check = require "check"
local bed   = require "tests.fault.bed"

local ROOM = "16m"
local subject <close> = bed.new { images = 120, seed = 3 }

local function sh(line, ...) return (os.execute((line .. " 2>/dev/null"):format(...))) end

local side = subject:make "side"
if not sh("mount -t tmpfs -o size=1m none %s && umount %s", side, side) then
  check.skip("full and read-only disks", "mounting a tmpfs needs root")
  check.finish()
end
subject:know()

-- A small disk at a folder, for as long as it is in sight.
local function disk(folder, size)
  assert(sh("mount -t tmpfs -o size=%s none %s", size, folder))
  return setmetatable({
    resize = function (options) assert(sh("mount -o remount,%s %s", options, folder)) end,
  }, { __close = function () sh("umount -l %s", folder) end })
end

-- Runs into the end of the disk, then with room; nothing that the job file had as done may be lost.
local function stops_and_goes_on(what, words, small, named)
  local status, said = subject:run(words)
  check.equal(status, 1, what .. ": exit status; it says " .. said)
  check.ok(said:find(named), "%s: %q is not said: %s", what, named, said)
  local before = subject:records()
  small.resize("size=" .. ROOM)
  status, said = subject:run(words)
  check.ok(status == 1, "%s: exit status %d with room again: %s", what, status, said)        -- the broken pictures
  local after = subject:records()
  for file, state in pairs(before) do
    if state == "done" then check.ok(after[file] == "done", "%s: %s was done", what, file) end
  end
  for _, text in ipairs(subject:differences()) do check.ok(false, "%s: %s", what, text) end
end

for _, kib in ipairs { 60, 120, 200, 260 } do
  local small <close> = disk(subject.folder .. "/out", kib .. "k")
  stops_and_goes_on(("job file and outputs on %d KiB"):format(kib), subject:words "--workers=2", small, "out/captions")
  subject:clear()
end

subject.job = "elsewhere.job"
for _, kib in ipairs { 8, 20, 40 } do
  local small <close> = disk(subject.folder .. "/out", kib .. "k")
  stops_and_goes_on(("outputs on %d KiB"):format(kib), subject:words "--workers=2", small, "out/captions[^\n]*: ")
  subject:clear()
  for _, suffix in ipairs { "", "-wal", "-shm" } do bed.remove(subject.folder .. "/elsewhere.job" .. suffix) end
end

-- ---- sidecars ------------------------------------------------------------------------------

local function count(command)
  local f <close> = assert(io.popen(command))
  return f:read "n"
end

for _, case in ipairs { { "size=100k", "no space left on device" }, { "size=1m,ro", "read%-only file system" } } do
  local small <close> = disk(side, "1m")
  small.resize(case[1])
  local words = subject:base("--sidecar", "txt", "--sidecar-dir", "side", "--out", "out/captions.jsonl", "--job", subject.job)
  local status, said = subject:run(words)
  check.equal(status, 1, case[2])
  check.ok(said:find("side[^\n]*: " .. case[2]), "%s: %s", case[2], said)
  small.resize("rw,size=" .. ROOM)
  status, said = subject:run(words)
  check.equal(status, 1, "sidecars with room again: " .. said)          -- the broken pictures
  check.equal(count(("find %s -type f -name '*.txt' | wc -l"):format(side)), subject.images - 2, "sidecars")
  check.equal(count(("find %s -name '.lunette*' | wc -l"):format(side)), 0, "temporary files")
  check.equal(count(("wc -l < %s/out/captions.jsonl"):format(subject.folder)), subject.images, "lines")
  check.equal(count(("sort %s/out/captions.jsonl | uniq | wc -l"):format(subject.folder)), subject.images, "lines that differ")
  subject:clear()
  for _, suffix in ipairs { "", "-wal", "-shm" } do bed.remove(subject.folder .. "/elsewhere.job" .. suffix) end
end

-- ---- outputs that cannot be written from the start -----------------------------------------------

do
  local small <close> = disk(subject.folder .. "/out", "1m")
  small.resize "ro"
  local status, said = subject:run(subject:words())
  check.equal(status, 1, "a read-only folder")
  check.ok(said:find "out/captions", "which file: %s", said)
  small.resize "rw"
  status, said = subject:run(subject:words())
  check.equal(status, 1, "a folder that can be written again: " .. said)
  for _, text in ipairs(subject:differences()) do check.ok(false, "a folder that can be written again: %s", text) end
end

check.finish()
