-- job_signals.lua - signals that end a job, and two runs of one job at once.
local check = require "check"
local bed   = require "tests.fault.bed"

local equal = check.equal
local IMAGES = 150
local subject <close> = bed.new { images = IMAGES, seed = 9 }
subject:know()

local function told(words)                         -- without --quiet
  local list = {}
  for _, word in ipairs(words) do if word ~= "--quiet" then list[#list + 1] = word end end
  return list
end

local function same(what)
  for _, text in ipairs(subject:differences()) do check.ok(false, "%s: %s", what, text) end
end

-- Starts it with small batches, and waits until something is committed.
local function under_way(...)
  subject:clear()
  local process = subject:start(told(subject:words("--batch-size", "1", ...)))
  repeat until process:wait(0.01) or #(bed.read(subject.folder .. "/out/captions.jsonl") or "") > 0
  return process
end

local function records()
  local n = 0
  for _ in pairs(subject:records()) do n = n + 1 end
  return n
end

for signal, status in pairs { sigint = 130, sigterm = 143, sighup = 129 } do
  local process <close> = under_way "--workers=2"
  process:kill("coordinator", signal)
  check.ok(process:wait(30), "%s does not end it", signal)
  equal({ process.status, process.signal }, { status, 0 }, signal)
  equal(process:left(5), 0, "processes after " .. signal)
  local said = process:said()
  check.ok(said:find "lunette: interrupted\n" and said:find "the same command goes on where this one stopped\n", "%s: %s", signal, said)
  local done = records()
  check.ok(done > 0 and done < IMAGES, "%s: %d records", signal, done)
  local _, lines = bed.read(subject.folder .. "/out/captions.jsonl"):gsub("\n", "\n")
  equal(lines, done, "lines of what is done")
  local again <close> = subject:start(told(subject:words()))
  again:wait()
  equal(again.status, 1, "the same command")
  check.ok(again:said():find(("%d done before"):format(done)) or again:said():find "failed before", "it does all again: %s", again:said())
  same(signal)
end

do
  local process <close> = under_way "--workers=2"
  process:kill("worker", "sigstop")                -- so that it does not end before the second one comes
  process:kill("coordinator", "sigint")
  process:wait(0.3)
  process:kill("coordinator", "sigint")
  check.ok(process:wait(5), "a second SIGINT does not end it at once")
  equal({ process.status, process.signal }, { 130, 0 }, "two of SIGINT")
  equal(process:left(5), 0, "processes after two of SIGINT")
  equal(subject:run(subject:words()), 1, "the same command")
  same "two of SIGINT"
end

do
  local process <close> = under_way()
  local status, said = subject:run(subject:words())
  equal({ status, said }, { 1, "lunette: out/captions.job: another process is running this job\n" }, "a second run")
  status, said = subject:run(subject:base("--out", "out/captions.jsonl", "--job", "out/other.job"))
  equal(status, 1, "another job with that output")
  check.ok(said:find "^lunette: out/captions.jsonl exists and belongs to another job", "%s", said)
  process:wait()
  equal(process.status, 1, "the first run")
  bed.remove(subject.folder .. "/out/other.job")
  same "two runs at once"
end

check.finish()
