--[[
campaign.lua - kills at random instants over a job, then one run to its end.

One job gets all kills.  Where it comes to its end before they are spent its outputs are checked; then pictures are
changed, so that it has to make captions again, or everything but the album is thrown away, so that it starts anew.

  campaign.run { images, kills, workers, seed, say } -> report { kills, phases, ends, problems, seconds }
]]
local luv     = require "luv"
local sqlite  = require "lunette.sqlite"
local bed     = require "tests.fault.bed"
local outputs = require "tests.fault.outputs"

local campaign = {}

local ORPHANS = 10           -- s that workers have to end in when their coordinator is gone
local STUCK   = 120          -- s of a run that is not killed
local NOTHING = { images = 0, records = 0 }

local Campaign = {}
Campaign.__index = Campaign

local function problem(self, text, ...)
  table.insert(self.problems, ("kill %d: "):format(self.kills) .. text:format(...))
end

-- ---- what a kill left ------------------------------------------------------------------------

-- What the job file says: a copy of it, so that whoever goes on finds it as it was left.
local function job_file(self)
  local copy = self.bed.folder .. "/copy.job"
  for _, suffix in ipairs { "", "-wal" } do
    bed.remove(copy .. suffix)
    local bytes = bed.read(self.bed.folder .. "/out/captions.job" .. suffix)
    if bytes then bed.write(copy .. suffix, bytes) end
  end
  local db <close> = sqlite.open(copy)
  if not db or db:row "SELECT count(*) AS n FROM sqlite_schema WHERE name = 'output'".n == 0 then return nil end
  local state = db:row [[SELECT count(*) AS images, coalesce(sum(todo = 0), 0) AS records, coalesce(max(position), 0) AS position,
                         count(position) AS positions, coalesce(sum(redone), 0) AS redone FROM image]]
  state.rebuild = db:row "SELECT max(stale) AS n FROM output".n == 1
  state.written = db:row "SELECT min(position) AS n FROM output".n
  if state.positions ~= state.position then problem(self, "%d records have positions to %d", state.positions, state.position) end
  return state
end

local function count_lines(path)
  local text = bed.read(path) or ""
  return select(2, text:gsub("\n", "")), text == "" or text:sub(-1) == "\n"
end

-- Where in the job the kill fell, by what is on disk.
local function phase(self, state, before, workers)
  if not state then return "no job file yet" end
  local lines, whole = count_lines(self.bed.folder .. "/out/captions.jsonl")
  for _, name in ipairs(outputs.temporary(self.bed.folder)) do
    if name:find "%.lunette" then return "a file is being replaced" end
    if name:find "captions.db%-journal" then return "a transaction of captions.db" end
  end
  if not whole then return "a line is being written" end
  if not state.rebuild and lines > state.position then problem(self, "%d lines of %d records", lines, state.position) end
  if state.rebuild then return state.records == state.images and "rebuild" or "captions made again" end
  if workers == 0 and state.images == before.images and state.records == before.records then
    return state.images == 0 and "first start" or "start of a rerun"
  end
  if lines < state.position then return "committed, not written" end
  if state.images < self.images then return "listing" end
  if state.records == before.records then return "workers get ready" end
  if state.records == state.images then return "the end" end
  if state.written < state.position then return "written, not marked" end
  return "captions"
end

-- ---- one run -----------------------------------------------------------------------------------

-- When the kill comes: at a random time, soon after the start, or as an output is being written.
local function aim(self, run, kill)
  local how = math.random(10)
  if how <= 5 then return run:after(math.random(0, self.length), kill) end
  if how <= 7 then return run:after(math.random(0, 250), kill) end
  local left = math.random(how == 8 and 3 or 40)
  local delay = math.random(0, 6)
  run:watch(self.bed.folder .. (how == 10 and "/album" or "/out"), function (name)
    if name and name:find "%.job" then return end
    left = left - 1
    if left == 0 then run:after(delay, kill) end
  end)
end

local function words(self)
  local list = self.bed:words("--workers", tostring(math.random(self.workers)), "--retries", "50")
  if math.random(2) == 1 then table.move({ "--batch-size", tostring(math.random(8)) }, 1, 2, #list + 1, list) end
  return list
end

-- Runs the job until it ends or is killed; true if it came to its end.
local function once(self)
  local before = job_file(self) or NOTHING
  local run <close> = self.bed:start(words(self))
  local workers
  for _ = 1, math.random(4) == 1 and math.random(3) or 0 do
    run:after(math.random(0, self.length), function ()
      if run:kill "worker" > 0 then self.worker_kills = self.worker_kills + 1 end
    end)
  end
  aim(self, run, function ()
    workers = #run:workers()
    run:kill(math.random(2) == 1 and "all" or "coordinator")
  end)
  if not run:wait(STUCK) then
    problem(self, "still at it after %d s: %s", STUCK, run:said())
    run:kill "all"
    run:wait()
  end
  local left = run:left(ORPHANS)
  if left > 0 then problem(self, "%d processes are left", left) end
  local state = job_file(self)
  if run.signal == 9 then
    self.kills = self.kills + 1
    local name = phase(self, state, before, workers or 0)
    self.phases[name] = (self.phases[name] or 0) + 1
    state = state or NOTHING
    if before.images > state.images then problem(self, "%d pictures of %d are known", state.images, before.images) end
    if not self.again and before.records > state.records then problem(self, "%d records of %d are left", state.records, before.records) end
    return false
  end
  if run.status == 3 and run:said():find "no worker gets ready" then return false end       -- three kills of workers in turn
  if run.status ~= 1 then problem(self, "exit status %d, signal %d: %s", run.status, run.signal, run:said()) end
  if not state or state.records ~= self.images then
    problem(self, "%d records of %d pictures at the end: %s", (state or NOTHING).records, self.images, run:said())
  end
  return true
end

-- ---- the whole of it ---------------------------------------------------------------------------

local function verify(self)
  self.ends = self.ends + 1
  for i, text in ipairs(self.bed:differences()) do
    if i > 5 then break end
    problem(self, "%s", text)
  end
end

-- Something to do, for a job that is done.
local function go_on(self)
  self.again = math.random(3) > 1
  if not self.again then return self.bed:clear() end
  local share = math.random() ^ 2
  for i = 1, self.images do
    if math.random() < share then self.bed:put(i, 3 - self.bed.version[i]) end
  end
end

local function measure(self)
  local began = luv.hrtime()
  local status, said = self.bed:run(words(self))
  self.length = (luv.hrtime() - began) // 1000000
  if status ~= 1 then problem(self, "exit status %d: %s", status, said) end
  verify(self)
  self.bed:clear()
end

function campaign.run(self)
  setmetatable(self, Campaign)
  math.randomseed(self.seed)
  local began = luv.hrtime()
  local subject <close> = bed.new { images = self.images, seed = self.seed, command = self.command, model = self.model }
  self.bed, self.kills, self.worker_kills, self.ends, self.phases, self.problems = subject, 0, 0, 0, {}, {}
  subject:know()
  measure(self)
  while self.kills < self.most and #self.problems == 0 do
    if once(self) then
      verify(self)
      go_on(self)
    end
    if self.say then self.say(self) end
  end
  local status, said = subject:run(words(self))
  if status ~= 1 then problem(self, "the last run: exit status %d: %s", status, said) end
  verify(self)
  self.seconds = (luv.hrtime() - began) / 1e9
  return self
end

-- The table of a report, and what was wrong.
function campaign.print(report)
  local names = {}
  for name in pairs(report.phases) do names[#names + 1] = name end
  table.sort(names, function (a, b) return report.phases[a] > report.phases[b] end)
  print(("%d kills and %d of workers, %d times to the end, %.0f s"):format(report.kills, report.worker_kills, report.ends, report.seconds))
  for _, name in ipairs(names) do print(("%6d  %s"):format(report.phases[name], name)) end
  for _, text in ipairs(report.problems) do print("FAIL " .. text) end
end

return campaign
