-- job_workers.lua - workers that die, hang or run out of memory cost their picture, not the job.
local luv   = require "luv"
local check = require "check"
local json  = require "lunette.json"
local core  = require "lunette.core"
local vision = require "lunette.vision"
local bed   = require "tests.fault.bed"

local equal = check.equal
local IMAGES = 60
local subject <close> = bed.new { images = IMAGES, seed = 8 }
subject:know()

local function at(name) return subject.folder .. "/" .. name end

-- The object of a file in captions.jsonl, and how many there are.
local function object_of(file)
  local found, count = nil, 0
  for line in io.lines(at "out/captions.jsonl") do
    local object = assert(json.decode(line, "captions.jsonl"))
    if object.file == file then found = object end
    count = count + 1
  end
  return found, count
end

local function same(what)
  for _, text in ipairs(subject:differences()) do check.ok(false, "%s: %s", what, text) end
end

-- ---- killed while the coordinator does not look: it is ready by what its pipe holds, and tasks are sent to who is gone -----------

do
  local process <close> = subject:start(subject:words("--batch-size", "1"))
  repeat until process:wait(0.005) or #process:workers() > 0
  process:wait(0.03)                               -- for the setup to be sent
  process:kill("coordinator", "sigstop")
  luv.sleep(1000)
  process:kill "worker"
  luv.sleep(50)
  process:kill("coordinator", "sigcont")
  check.ok(process:wait(30), "still at it")
  equal({ process.status, process.signal }, { 1, 0 }, "a worker killed behind its back: " .. process:said())
  same "a worker killed behind its back"
  subject:clear()
end

-- ---- a file that cannot be read to its end -----------------------------------------------------------------

assert(os.execute(("mkfifo '%s'"):format(at "hang.jpg")))

local function with_fifo(options, act)
  local process <close> = subject:start(subject:words("hang.jpg", table.unpack(options)))
  act(process)
  check.ok(process:wait(60), "still at it")
  equal(process.status, 1, table.concat(options, " "))
  equal(process:left(5), 0, "processes")
  local object, count = object_of "hang.jpg"
  equal(count, IMAGES + 1, "records")
  check.ok(object, "nothing is said of hang.jpg")
  subject:clear()
  return object or {}
end

local metadata = table.remove(require "tests.fault.outputs".names)      -- hang.jpg is not in its folder
local object = with_fifo({ "--timeout", "1", "--retries", "1", "--batch-size", "4" }, function () end)
equal({ object.stage, object.error }, { "worker", "took more than 1 s, 2 times" }, "a file that hangs")
object = with_fifo({ "--retries", "2", "--batch-size", "1" }, function (process)
  local last
  repeat                                           -- whoever has it is killed
    process:wait(0.4)
    local pid = process:workers()[1]
    if pid == last then process:kill "worker" end
    last = pid
  until process.over
end)
equal({ object.stage, object.error }, { "worker", "the worker was ended by SIGKILL, 3 times" }, "a file that kills")
table.insert(require "tests.fault.outputs".names, metadata)

-- ---- memory ------------------------------------------------------------------------------------

local sanitized = subject.command:find "asan" ~= nil
if sanitized then
  check.skip("--max-memory", "AddressSanitizer has more memory than any limit leaves")
else
  do
    local scope <close> = core.scope()
    local side = 9000                              -- 243 MB as it is decoded
    bed.write(at "album/00061.jpg", vision.encode_jpeg(core.tensor(("\0"):rep(side * side * 3), { shape = { side, side, 3 }, dtype = "u8" })))
  end
  local status, said = subject:run(subject:words("--max-memory", "200M", "--batch-size", "4"))
  equal(status, 1, "--max-memory")
  check.ok(said:find "00061.jpg: ", "the large picture is not named: %s", said)
  local large, count = object_of "album/00061.jpg"
  equal(count, IMAGES + 1, "records")
  check.ok(large and large.error and large.error:find "memory", "%s", large and large.error)
end

check.finish()
