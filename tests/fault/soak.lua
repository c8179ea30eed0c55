--[[
soak.lua - a long job, watched through /proc: memory and file descriptors of its processes must not grow.

  soak.run { images, workers, photos, after, interval, ... } -> report

    photos     a folder of pictures, repeated through links; nil: made ones
    after      pictures from which on nothing may grow
    interval   ms between looks

  report.processes: of each process { name, pid, first, last: its memory in KiB at 'after' and at the end, curve, descriptors }
]]
local luv    = require "luv"
local bed    = require "tests.fault.bed"
local run    = require "tests.fault.run"

local soak = {}

local MADE = 100             -- pictures that are made where there are no photos
local ALONE = 500            -- pictures a folder

local function pictures(self, album)
  local sources = {}
  if self.photos then
    for name in luv.fs_scandir_next, assert(luv.fs_scandir(self.photos)) do
      if name:find "%.jpg$" then sources[#sources + 1] = self.photos .. "/" .. name end
    end
    table.sort(sources)
  else
    for i = 1, MADE do
      sources[i] = ("%s/made-%03d.jpg"):format(self.folder, i)
      bed.write(sources[i], bed.picture(i))
    end
  end
  for i = 1, self.images do
    local folder = ("%s/%03d"):format(album, (i - 1) // ALONE)
    luv.fs_mkdir(folder, 511)
    assert(luv.fs_symlink(sources[(i - 1) % #sources + 1], ("%s/%06d.jpg"):format(folder, i)))
  end
end

-- KiB by name of /proc/PID/status and smaps_rollup
local function memory_of(pid)
  local values = {}
  for _, file in ipairs { "status", "smaps_rollup" } do
    for name, kib in (bed.read(("/proc/%d/%s"):format(pid, file)) or ""):gmatch "(%w+):%s*(%d+) kB" do
      values[name] = values[name] or math.tointeger(kib)
    end
  end
  return values
end

local function descriptors_of(pid)
  local count, request = 0, luv.fs_scandir(("/proc/%d/fd"):format(pid))
  if not request then return nil end
  while luv.fs_scandir_next(request) do count = count + 1 end
  return count
end

-- Pictures that are done, as the first output has them.
local function done(self)
  return select(2, (bed.read(self.folder .. "/captions.jsonl") or ""):gsub("\n", ""))
end

local function note(self, p, memory, fds, count)
  p.last = memory
  local mark = p.curve[#p.curve] and p.curve[#p.curve][1] * 2 or self.after
  if count >= mark then p.curve[#p.curve + 1] = { count, memory.VmHWM } end
  if count < self.after or count == self.images then return end       -- at its end it closes what it had open
  p.first, p.first_at = p.first or memory, p.first_at or count
  p.descriptors[#p.descriptors + 1] = fds
end

local function look(self, process, seen)
  local found = {}
  for i, pid in ipairs { process.pid, table.unpack(process:workers()) } do
    found[i] = { pid, memory_of(pid), descriptors_of(pid) }
  end
  local count = done(self)                         -- behind the rest, which is from before the end if this is
  for i, row in ipairs(found) do
    local pid, memory, fds = table.unpack(row, 1, 3)
    if memory.VmHWM and fds and fds > 0 then
      seen[pid] = seen[pid] or { pid = pid, name = i == 1 and "coordinator" or "worker", curve = {}, descriptors = {} }
      note(self, seen[pid], memory, fds, count)
    end
  end
  return count
end

function soak.run(self)
  self.folder = bed.temporary "soak"
  local scope <close> = setmetatable({}, { __close = function () bed.remove(self.folder) end })
  local album = self.folder .. "/album"
  assert(luv.fs_mkdir(album, 511))
  pictures(self, album)
  local words = { "caption", "--model", assert(luv.fs_realpath(self.model)), "--recursive", "album", "--threads", "1",
                  "--workers", tostring(self.workers), "--quiet", "--job", "captions.job",
                  "--sidecar", "txt", "--sidecar-dir", "sidecars", "--xmp", "--max-new-tokens", "10" }
  for _, name in ipairs { "captions.jsonl", "captions.csv", "captions.db", "album/metadata.jsonl", "captions.html" } do
    table.move({ "--out", name }, 1, 2, #words + 1, words)
  end
  local began, seen = luv.hrtime(), {}
  local process <close> = run.start(assert(luv.fs_realpath(self.command)), words, self.folder)
  while not process:wait(self.interval / 1000) do
    local count = look(self, process, seen)
    if self.say then self.say(count) end
  end
  self.seconds, self.status, self.said = (luv.hrtime() - began) / 1e9, process.status, process:said()
  self.lines = done(self)
  self.processes = {}
  for _, p in pairs(seen) do self.processes[#self.processes + 1] = p end
  table.sort(self.processes, function (a, b) return a.pid < b.pid end)
  return self
end

-- How much the peak of a process grew, of 1.
function soak.growth(p) return p.last.VmHWM / p.first.VmHWM - 1 end

-- Descriptors that a process has all the time, at first and at the end; a file that is just being written has one more.
function soak.descriptors(p)
  local n = math.max(1, #p.descriptors // 4)
  return math.min(table.unpack(p.descriptors, 1, n)), math.min(table.unpack(p.descriptors, #p.descriptors - n + 1))
end

function soak.print(report)
  print(("%d pictures, %.0f s, %.1f images/s, exit status %d"):format(report.lines, report.seconds, report.lines / report.seconds, report.status))
  print(("%-12s %8s %12s %12s %8s %10s %10s"):format("process", "at", "peak RSS", "at the end", "growth", "RSS", "PSS"))
  for _, p in ipairs(report.processes) do
    if p.first then
      print(("%-12s %8d %8d KiB %8d KiB %6.2f %% %6d KiB %6d KiB"):format(p.name, p.first_at, p.first.VmHWM, p.last.VmHWM,
            100 * soak.growth(p), p.last.VmRSS, p.last.Pss or 0))
      print(("             descriptors %d, at the end %d"):format(soak.descriptors(p)))
      print(("             anonymous %d to %d KiB, files %d to %d, shared %d to %d"):format(p.first.RssAnon, p.last.RssAnon,
            p.first.RssFile, p.last.RssFile, p.first.RssShmem, p.last.RssShmem))
      for i, point in ipairs(p.curve) do p.curve[i] = ("%d KiB at %d"):format(point[2], point[1]) end
      print("             " .. table.concat(p.curve, ", "))
    end
  end
end

return soak
