-- pool.lua - the worker processes of a job: starts them, gives them tasks, notices when one dies or is stuck.
--
-- A worker that dies takes the tasks it had with it, and any of them may be to blame: each is given again,
-- alone.  One that kills a worker by itself 'retries' + 1 times has failed.
local channel = require "lunette.job.channel"
local luv     = require "luv"

local STARTS = 3             -- workers in a row that die before they are ready: more will not help
local TICK   = 100           -- ms between looks at the clock
local GRACE  = 2000          -- ms for workers to end by themselves
local BATCHES = 2            -- that a worker has at most, so that it never waits

local Pool = {}
Pool.__index = Pool

local start, fill

local function seconds(t) return ("%g s"):format(t) end

-- Signals by name: { [9] = "SIGKILL", ... }
local function signal_name(number)
  for name, value in pairs(luv.constants) do
    if value == number and name:find "^SIG%u+$" then return name end
  end
  return "signal " .. number
end

-- ---- one worker ------------------------------------------------------------------------------

local function touch(self, worker)
  if not self.timeout or worker.count == 0 then
    worker.deadline = nil
  else
    worker.deadline = luv.now() + self.timeout * 1000 * (worker.alone and 1 or math.max(1, self.batch_size))
  end
end

-- How a worker ended, for the record of the picture that did it.
local function cause(worker, code, signal)
  if worker.reason then return worker.reason end
  if signal ~= 0 then return "the worker was ended by " .. signal_name(signal) end
  return ("the worker ended with status %d"):format(code)
end

-- What becomes of the tasks of a worker that is gone.
local function bury(self, worker, why)
  for key, task in pairs(worker.tasks) do
    if worker.alone then task.deaths = (task.deaths or 0) + 1 end
    if worker.alone and task.deaths > self.retries then
      self.on_result(task, { kind = "failed", key = key, stage = "worker",
                             error = task.deaths > 1 and ("%s, %d times"):format(why, task.deaths) or why })
    else
      table.insert(self.suspects, task)
    end
  end
  worker.tasks, worker.count = {}, 0
end

-- Called when the process has ended and its pipe as well, in whatever order.
local function gone(self, worker)
  if not (worker.exited and worker.ended) then return end
  self.workers[worker] = nil
  worker.channel:close()
  local why = cause(worker, worker.code, worker.signal)
  bury(self, worker, why)
  if self.closing then return end
  if not worker.ready then
    self.failed_starts = self.failed_starts + 1
    if self.failed_starts >= STARTS then return self.on_refused(3, ("no worker gets ready: %s"):format(why)) end
  end
  if not self.draining or #self.suspects > 0 then start(self) end
  self:fill()
end

local answers = {}

function answers.ready(self, worker)
  worker.ready, self.failed_starts = true, 0
  while self.size > self:count() do start(self) end
end

function answers.refused(self, _, message) self.on_refused(message.status, message.message) end

local function answered(self, worker, message)
  local task = worker.tasks[message.key]
  if not task then return end
  worker.tasks[message.key] = nil
  worker.count = worker.count - 1
  if worker.count == 0 then worker.alone = nil end
  touch(self, worker)
  self.on_result(task, message)
end

answers.done, answers.failed, answers.dropped = answered, answered, answered

-- The worker ends by itself.
function answers.exhausted(self, worker, message)
  local limit = self.setup.data_limit
  worker.reason = limit and ("%s within %d MiB"):format(message.error, limit >> 20) or message.error
end

-- What one worker measured holds for all.
function answers.batch_size(self, worker, message)
  self.batch_size, self.ahead = message.size, message.size * BATCHES
  self.setup.batch_size, self.setup.measure = message.size, nil
  for other in pairs(self.workers) do
    if other ~= worker then other.channel:send { kind = "batch_size", size = message.size } end
  end
  self.on_batch_size(message.sentence)
end

function start(self)
  local worker = { tasks = {}, count = 0 }
  local pipe = assert(luv.new_pipe(false))
  local stdio = { luv.new_pipe(false), 2, 2, pipe }
  for i, fd in ipairs(self.descriptors) do stdio[4 + i] = fd end
  local handle, message = luv.spawn(self.command[1], {
    args = table.move(self.command, 2, #self.command, 1, {}), stdio = stdio, env = self.environment, detached = true,
  }, function (code, signal)
    worker.exited, worker.code, worker.signal = true, code, signal
    worker.handle:close()
    gone(self, worker)
  end)
  stdio[1]:close()                                  -- its standard input is at its end
  if not handle then
    pipe:close()
    return self.on_refused(3, ("cannot start a worker: %s"):format(message))
  end
  worker.handle, worker.pid = handle, message
  worker.channel = channel.open(pipe, function (answer)
    answers[answer.kind](self, worker, answer)
    self:fill()
  end, function (problem)
    if problem then worker.reason = "the worker sent what is no message: " .. problem end
    if problem and not worker.exited then worker.handle:kill "sigkill" end
    worker.ended = true
    gone(self, worker)
  end)
  self.workers[worker] = true
  worker.channel:send(self.setup)
  self.setup.measure = nil                          -- one of them is enough
end

-- ---- tasks -----------------------------------------------------------------------------------

local function give(self, worker, task)
  worker.tasks[task.key] = task
  worker.count = worker.count + 1
  if worker.count == 1 then touch(self, worker) end
  worker.channel:send { kind = "task", key = task.key, file = task.path, bytes = task.bytes }
end

-- Gives a worker as much as it may have at a time.
function fill(self, worker)
  if not worker.ready or worker.alone or worker.ended or self.closing then return end
  if #self.suspects > 0 then
    if worker.count == 0 then
      worker.alone = true
      give(self, worker, table.remove(self.suspects))
    end
    return
  end
  while worker.count < self.ahead and not self.draining do
    local task = self.next_task()
    if not task then break end
    give(self, worker, task)
  end
end

function Pool:fill()
  for worker in pairs(self.workers) do fill(self, worker) end
  if self:idle() then self.on_idle() end
end

-- Whether nothing is under way.
function Pool:idle()
  if #self.suspects > 0 then return false end
  for worker in pairs(self.workers) do
    if worker.count > 0 then return false end
  end
  return true
end

-- How many more tasks the workers could have.
function Pool:room()
  local n = 0
  for worker in pairs(self.workers) do
    if worker.ready and not worker.alone and #self.suspects == 0 then n = n + self.ahead - worker.count end
  end
  return n
end

function Pool:count()
  local n = 0
  for _ in pairs(self.workers) do n = n + 1 end
  return n
end

-- No more tasks: what is under way ends.
function Pool:drain()
  self.draining = true
  if self:idle() then self.on_idle() end
end

local function watch(self)
  local now = luv.now()
  for worker in pairs(self.workers) do
    if worker.deadline and now > worker.deadline and not worker.reason then
      worker.reason = "took more than " .. seconds(self.timeout)
      worker.handle:kill "sigkill"
    end
  end
end

-- Ends the workers; with 'now' whatever they are doing.
function Pool:close(now)
  if self.closing then return end
  self.closing = true
  self.timer:close()
  for worker in pairs(self.workers) do
    worker.channel:close()
    worker.ended = true
    if now and not worker.exited then worker.handle:kill "sigkill" end
  end
  local timer = luv.new_timer()
  timer:start(GRACE, 0, function ()
    for worker in pairs(self.workers) do
      if not worker.exited then worker.handle:kill "sigkill" end
    end
    timer:close()
  end)
  timer:unref()
end

-- open { size, command, environment, setup, descriptors, timeout (s), retries, batch_size, next_task(),
--        on_result(task, answer), on_batch_size(sentence), on_refused(status, message), on_idle() } -> pool
-- A task is { key =, path =, bytes = }.  batch_size may be the largest that is going to be tried.
local function open(self)
  setmetatable(self, Pool)
  self.workers, self.suspects, self.failed_starts = {}, {}, 0
  self.descriptors, self.ahead = self.descriptors or {}, self.batch_size * BATCHES
  self.timer = luv.new_timer()
  self.timer:start(TICK, TICK, function () watch(self) end)
  start(self)                                       -- the others when it is ready: they share what it prepares
  return self
end

return { open = open }
