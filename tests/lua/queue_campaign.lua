-- queue_campaign.lua - consumers of a queue are killed or stopped at random instants, the server once: each input must be
-- recorded exactly once, in the results and over the outputs of all consumers.
-- usage: lua5.4 tests/run.lua queue_campaign, or by hand with  [INPUTS [KILLS [SEED]]]
local luv      = require "luv"
local check    = require "check"
local consumer = require "queue_consumer"
local queue    = require "lunette.job.queue"
local redis_server = require "redis_server"

local INPUTS = tonumber(arg[1]) or 300
local KILLS  = tonumber(arg[2]) or 40          -- at most; at least half of them must have come before the queue is empty
local SEED   = tonumber(arg[3]) or os.time()
local JOBS, CLAIM_AFTER = 4, 0.3               -- processes; seconds

local folder = (os.getenv "TMPDIR" or "/tmp") .. "/campaign"
assert(luv.fs_mkdir(folder, 448))
local server <close> = redis_server.start(folder)
if not server then
  check.skip("queue_campaign", "there is no redis-server")
  check.finish()
end
local url = server:url "photos"
print("seed " .. SEED)
math.randomseed(SEED)

-- ---- the inputs --------------------------------------------------------------------------

local expected = {}                            -- file -> true
local function next_input(_, last)
  local i = last and tonumber(last:match "%d+") + 1 or 1
  local file = i <= INPUTS and ("album/%s %d"):format(i % 10 == 0 and "bad" or "picture", i) or nil
  if file then expected[file] = true end
  return file
end
check.equal(assert(queue.enqueue(url, next_input)).added, INPUTS, "enqueued")
check.equal(assert(queue.enqueue(url, next_input)).known, INPUTS, "enqueued again")
for _ = 1, 3 do expected["photos:" .. server:ask("XADD", "photos", "*", "path", "x")] = true end      -- names no file

-- ---- the consumers -----------------------------------------------------------------------

local jobs, kills, stops = {}, 0, 0

local function later(ms, fn)
  local timer = luv.new_timer()
  timer:start(ms, 0, function ()
    timer:close()
    fn()
  end)
end

local start

-- One that was killed comes back, at once or when others have had time to take its messages over.
local function ended(job, status, signal)
  job.process = nil
  if signal ~= 0 then return later(math.random(1, math.floor(2000 * CLAIM_AFTER)), function () start(job) end) end
  job.done = true
  if not check.equal(status, 0, job.owner .. "'s exit status") then print(consumer.read(job.folder .. "/messages")) end
end

function start(job)
  local messages = assert(luv.fs_open(job.folder .. "/messages", "a", 384))
  do
    local script <close> = assert(io.open(job.folder .. "/script.lua", "wb"))
    script:write(("require 'queue_consumer'.drain(%q, %q, %q, %f, %d)"):format(
      url, job.folder, job.owner, CLAIM_AFTER, math.random(1 << 30)))
  end
  job.process = assert(luv.spawn(luv.exepath(), { args = { job.folder .. "/script.lua" }, stdio = { nil, messages, messages } },
    function (...) ended(job, ...) end))
  luv.fs_close(messages)
end

local function kill(job)
  kills = kills + 1
  job.process:kill "sigkill"
end

-- Asleep until others have taken its messages over; then it wakes up and goes on.
local function stop(job)
  stops = stops + 1
  local process = job.process
  job.stopped = true
  process:kill "sigstop"
  later(math.floor(2000 * CLAIM_AFTER), function ()
    job.stopped = false
    process:kill "sigcont"
  end)
end

local function strike()
  local job = jobs[math.random(JOBS)]
  if not job.process or job.stopped then return end
  if math.random(4) == 1 then stop(job) else kill(job) end
end

for i = 1, JOBS do
  jobs[i] = { owner = "job" .. i, folder = folder .. "/job" .. i }
  assert(luv.fs_mkdir(jobs[i].folder, 448))
  start(jobs[i])
end

local function all_done()
  for _, job in ipairs(jobs) do
    if not job.done then return false end
  end
  return true
end

local restarted
while not all_done() do
  luv.sleep(math.random(20, 100))
  luv.run "nowait"
  if kills < KILLS then strike() end
  if kills >= KILLS // 3 and not restarted then
    restarted = true
    server:stop "sigkill"
    luv.sleep(300)
    server:start()
  end
end

-- ---- what is there in the end ---------------------------------------------------------------

check.ok(kills >= KILLS // 2, "only %d kills before the queue was empty", kills)
check.ok(restarted, "the server was not restarted")

-- { { id, { name, value, ... } }, ... } -> file -> its text or error; counts what is there twice
local function recorded(stream, word)
  local found, count = {}, 0
  for _, entry in ipairs(server:ask("XRANGE", stream, "-", "+")) do
    local fields = {}
    for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
    found[fields.file] = fields[word]
    count = count + 1
  end
  return found, count
end

local texts, results   = recorded("photos:results", "text")
local errors, failures = recorded("photos:failures", "error")
check.equal(results, INPUTS - INPUTS // 10, "results")
check.equal(failures, INPUTS // 10 + 3, "failures")

local written, lines = {}, 0
for _, job in ipairs(jobs) do
  local text = consumer.read(job.folder .. "/out")
  check.ok(text == "" or text:sub(-1) == "\n", "%s's output ends in a torn line", job.owner)
  local own = 0
  for file, said in text:gmatch "([^\t\n]*)\t([^\n]*)\n" do
    check.ok(not written[file], "%s is in the outputs of %s and %s", file, job.owner, tostring(written[file]))
    check.equal(said, texts[file] or errors[file], file)
    written[file] = job.owner
    own = own + 1
  end
  lines = lines + own
  print(("%s wrote %d"):format(job.owner, own))
end
check.equal(lines, INPUTS + 3, "lines in the outputs")
for file in pairs(expected) do
  check.ok(written[file], "%s is in no output", file)
  check.ok((texts[file] == nil) ~= (errors[file] == nil), "%s has a result and a failure, or neither", file)
end

check.equal(server:ask("XLEN", "photos"), 0, "messages left in the stream")
check.equal(server:ask("XPENDING", "photos", "lunette")[1], 0, "messages pending")
local names = #server:ask("XINFO", "CONSUMERS", "photos", "lunette")
check.ok(names < kills, "%d consumers are left of %d", names, kills + JOBS)
print(("%d inputs, %d kills, %d stops, %d consumers' names left"):format(INPUTS, kills, stops, names))
server:stop()
check.finish()
