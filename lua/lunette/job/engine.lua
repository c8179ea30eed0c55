-- engine.lua - one run of a job: pictures come, workers caption them, results are committed and then written.
local core     = require "lunette.core"
local digest   = require "lunette.digest"
local drain    = require "lunette.job.drain"
local emitter  = require "lunette.job.emitter"
local identity = require "lunette.job.identity"
local listing  = require "lunette.job.listing"
local place    = require "lunette.job.place"
local pool     = require "lunette.job.pool"
local queue    = require "lunette.job.queue"
local store    = require "lunette.job.store"
local template = require "lunette.job.template"
local luv      = require "luv"

local TICK    = 100          -- ms between reports of progress
local FLUSH   = 500          -- ms between flushes
local RESULTS = 64           -- results that bring a flush forward
local TAKE    = 32           -- pictures taken from the job file at a time
local PACKS   = 4            -- file descriptor of the packed weights in a worker
local AHEAD_THREADS = 1      -- threads of a worker that prepare pictures; with more, memory depends on which of them meet
local LARGEST = 8            -- batch that is tried

-- Signals that end a job in good order, and the exit status then: 128 + number but for 130 of the keyboard's.
local SIGNALS = { sigint = 130, sigterm = 143, sighup = 129 }

local ARGUMENTS = { "prompt", "num_beams", "max_new_tokens", "length_penalty", "num_return_sequences" }

local Engine = {}
Engine.__index = Engine

-- What cannot go on is raised as its message.
local function want(value, message)
  if value == nil then error(message, 0) end
  return value
end

local function arguments_of(settings)
  local arguments = {}
  for _, name in ipairs(ARGUMENTS) do arguments[name] = settings[name] end
  return arguments
end

-- ---- pictures come ---------------------------------------------------------------------------

-- The number of this run: that of the last one with the same model and options; says what changed since the one before.
local function identify(self)
  local values = arguments_of(self.settings)
  values.template, values.fast_decode = self.settings.template, self.settings.fast_decode
  values.model = self.model
  local text = identity.settings(values)
  local last = self.store:run_settings(self.store:get "run")
  if last and last ~= text and self.store:counts().done > 0 then self:say(("%s: captions are made again"):format(identity.changes(last, text))) end
  self.store:set("run", self.store:run_id(text))
  return self.store:get "run"
end

-- Whether part I of N has this name, wherever it runs.
local function in_shard(shard, file)
  return tonumber(digest.string(file):sub(1, 8), 16) % shard[2] + 1 == shard[1]
end

-- Stops where there are more failures than wanted.
local function check_failures(self)
  local most = self.settings.max_failures
  if most and self.failed > most then
    self:stop(1, ("stopped: %d %s, --max-failures %d"):format(self.failed, self.failed == 1 and "failure" or "failures", most))
  end
end

local function fail_at_once(self, id, stage, message)
  self.store:put(id, { state = "failed", stage = stage, error = message })
  self.failed, self.unflushed = self.failed + 1, self.unflushed + 1
  check_failures(self)
end

-- Whether nothing is to be done for a picture that the job file knows.
local function settled(known, image)
  return known.todo == 0 and known.size == image.size and known.mtime == image.mtime and known.run == image.run
end

-- Rows of a picture that is to be captioned: a new one, or the one that is known.
local function row_of(self, known, image)
  self.total = self.total + 1
  if not known then return self.store:add(image) end
  if known.todo == 0 and known.state == "done" and known.run == image.run then self.changed = self.changed + 1 end
  self.store:again(known.id, image)
  return known.id
end

-- A picture that an input names: new, changed, left by an earlier run, or in need of nothing.
function Engine:meet(file, problem, bytes, ticket)
  local settings = self.settings
  if settings.shard and not in_shard(settings.shard, file) then return end
  if settings.filter and not problem and settings.filter(file) == false then return end
  local image = { file = file, path = place.absolute(file), run = self.run, ticket = ticket }
  if not bytes then image.size, image.mtime = place.stat(file) end
  local known = self.durable and not bytes and self.store:find(image.path)
  if known and (known.todo == 1 or known.todo == 3) then return end         -- met before
  if known and (settled(known, image) or problem and known.error == problem) then
    if ticket then self.store:ticket(known.id, ticket) end
    if problem then self.problems[image.path] = true end
    if known.state == "failed" then self.failed_before = self.failed_before + 1 else self.skipped = self.skipped + 1 end
    return
  end
  if not problem and not self.emitter:wants(file) then
    self.kept = self.kept + 1
    return
  end
  local id = row_of(self, known, image)
  if problem then
    self.problems[image.path] = true
    return fail_at_once(self, id, "list", problem)
  end
  local ok, why = self.emitter:accepts(file)
  if not ok then return fail_at_once(self, id, "write", why) end
  self.bytes[id] = bytes
end

-- The next picture for a worker, or nil.
local function next_task(self)
  if #self.taken == 0 and not self.stopping then self.taken = self.store:take(TAKE) end
  local row = table.remove(self.taken, 1)
  if row then return { key = row.id, file = row.file, path = row.path, bytes = self.bytes[row.id] } end
end

-- ---- results -----------------------------------------------------------------------------------

-- A script may change the text or take the caption away; then the template makes of it what is written.
local function edit(self, record)
  local verdict = self.settings.on_caption and self.settings.on_caption(record)
  if verdict == false then
    record.state = "dropped"
    return
  end
  if verdict ~= nil then record.text = verdict end
  if type(record.text) ~= "string" then
    error(("on_caption made a %s of the caption, wanted a string, false or nothing"):format(type(record.text)), 0)
  end
  if self.template then record.text = self.template(record) end
end

local function accept(self, task, answer)
  local record = answer
  record.state, record.id, record.file, record.path = answer.kind, task.key, task.file, task.path
  self.bytes[task.key] = nil
  if record.state == "done" then edit(self, record) end
  if record.state == "done" then
    local ok, message = self.emitter:prepare(record)
    if not ok then record = { state = "failed", stage = "write", error = message } end
  end
  self.store:put(task.key, record)
  self[record.state], self.unflushed, self.current = self[record.state] + 1, self.unflushed + 1, task.file
  check_failures(self)
  if self.unflushed >= RESULTS or not self.durable then self:flush() end
end

-- Of what a queue gave, only what it says is ours goes into the outputs.
local function confirm(self)
  local list = {}
  for record in self.store:unconfirmed() do list[#list + 1] = { key = record.ticket, record = record } end
  if #list == 0 then return end
  local mine = want(self.queue:confirm(list, self.settings.to_queue))
  for i, item in ipairs(list) do self.store:confirmed(item.record.id, mine[i]) end
end

-- What came since is committed, confirmed, and written.
function Engine:flush()
  self.flushed = luv.now()
  if self.unflushed == 0 then return end
  self.unflushed = 0
  if self.queue then
    self.store:commit()
    confirm(self)
  end
  self.store:assign(self.settings.ordered and self.store:first_todo() or nil)
  self.store:commit()
  local redone, spoiled = self.emitter:emit()
  self.done, self.failed = self.done - spoiled, self.failed + spoiled
  self:tell(redone)
end

-- Hands the records that have become final to on_record.
function Engine:tell(redone)
  local tell, last = self.settings.on_record or function () end, self.store:last_position()
  for _, record in ipairs(redone) do tell(record) end
  for record in self.store:records(self.told, last) do tell(record) end
  self.told = last
end

function Engine:say(text) if self.settings.on_message then self.settings.on_message(text) end end

function Engine:progress(final)
  if not self.settings.on_progress then return end
  self.settings.on_progress({ done = self.done + self.dropped, failed = self.failed, skipped = self.skipped, total = self.total,
                              listed = self.source.finished == true, file = self.current }, final)
end

-- ---- ends ----------------------------------------------------------------------------------------

-- Whatever is raised in a callback stops the job as it stands.
function Engine:guard(f)
  return function (...)
    if self.over then return end
    local ok, result = pcall(f, ...)
    if ok then return result end
    self:abort(result)
  end
end

local function close_handles(self, now)
  self.over = true
  if self.source then self.source:stop() end
  if self.pool then self.pool:close(now) end
  for _, handle in ipairs(self.handles) do handle:close() end
  if self.packs then luv.fs_close(self.packs) end
  if self.queue then self.queue:close() end
end

-- Stops as it stands: what is not committed is not done.
function Engine:abort(message, status)
  if self.over then return end
  close_handles(self, true)
  self.aborted, self.status, self.message = true, status or 1, tostring(message)
  pcall(self.store.close, self.store)
end

-- Takes no more pictures; those under way are finished.
function Engine:stop(status, message)
  if self.stopping then return end
  self.stopping, self.status, self.message = true, status, message
  self.source:stop()
  self.taken = {}
  self.pool:drain()
end

local function finish(self)
  if not self.stopping and not self.settings.retry and not self.queue then         -- everything was listed again
    self.unflushed = self.unflushed + self.store:forget_problems(self.problems)
  end
  self:flush()
  self.emitter:rebuild()
  self.emitter:close()
  self.store:leave()
  self.counts = self.store:counts()
  self.store:close(true)
  close_handles(self)
end

-- Called whenever no worker has anything to do.
local function idle(self)
  if self.stopping then return finish(self) end
  if #self.taken == 0 then self.taken = self.store:take(TAKE) end
  if #self.taken == 0 and self.source.finished then finish(self) end
end

local function on_signal(self, status)
  if self.stopping then return self:abort("interrupted", status) end
  self:stop(status, "interrupted")
end

-- ---- starting ------------------------------------------------------------------------------------

-- Threads of a worker where nobody said: the cores are shared out.
local function share_of_cores(workers)
  return workers > 1 and math.max(1, luv.available_parallelism() // workers) or nil
end

local function open_pool(self)
  local settings = self.settings
  local workers = settings.workers or 1
  local measure = self.durable and not settings.batch_size
  self.packs = core.make_packs()                    -- nil where there is no room: then each worker has its own
  return pool.open {
    size = workers, timeout = settings.timeout or 120, retries = settings.retries or 1,
    batch_size = settings.batch_size or measure and LARGEST or 1,
    command = settings.on_image and place.this_process() or { place.command(), "worker" },
    environment = settings.on_image and place.worker_environment() or nil,
    descriptors = { self.packs },
    setup = { kind = "setup", model = settings.model, threads = settings.threads or share_of_cores(workers), ahead_threads = AHEAD_THREADS,
              shared = self.packs and PACKS, arguments = arguments_of(settings), batch_size = settings.batch_size or 1, measure = measure,
              fast_decode = settings.fast_decode, data_limit = settings.max_memory, thumbnail = self.emitter.thumbnail },
    next_task = self:guard(function () return next_task(self) end),
    on_result = self:guard(function (...) accept(self, ...) end),
    on_batch_size = function (sentence) self:say(sentence) end,
    on_refused = function (status, message) self:abort(message, status) end,
    on_idle = self:guard(function () idle(self) end),
  }
end

local function watch(self)
  local timer = luv.new_timer()
  timer:start(TICK, TICK, self:guard(function ()
    if luv.now() - self.flushed >= FLUSH then self:flush() end
    self:progress()
  end))
  self.handles[1] = timer
  for name, status in pairs(SIGNALS) do
    local signal = luv.new_signal()
    signal:start(name, function () on_signal(self, status) end)
    table.insert(self.handles, signal)
  end
  -- A worker may be gone when something is sent to it: that is what its pipe says, not the end of the job.
  local pipe = luv.new_signal()
  pipe:start("sigpipe", function () end)
  table.insert(self.handles, pipe)
end

local function start_source(self)
  local settings = self.settings
  local common = {
    guard = function (f) return self:guard(f) end,
    meet = function (...) self:meet(...) end,
    on_slice = function () self.pool:fill() end,
  }
  if self.queue then
    common.queue = self.queue
    function common.room() return self.pool:room() - #self.taken end
    return drain.start(common)
  end
  common.inputs, common.recursive, common.null = settings.inputs or {}, settings.recursive, settings.null
  return listing.start(common)
end

-- The failures are to be tried again; what could not be listed is listed again.
local function retry(self)
  for row in self.store:failures() do
    if row.stage == "list" then table.insert(self.settings.inputs, row.path)
    else
      local size, mtime = place.stat(row.path)
      self.store:again(row.id, { file = row.file, size = size, mtime = mtime, run = self.run })
      self.total = self.total + 1
    end
  end
end

local function owner(self)
  local name = self.store:get "owner"
  if not name then
    name = luv.random(12):gsub(".", function (byte) return ("%02x"):format(byte:byte()) end)
    self.store:set("owner", name)
  end
  return name
end

local function prepare(self)
  local settings = self.settings
  if settings.template then self.template = want(template.compile(settings.template)) end
  self.store:leave()
  self.run = identify(self)
  self.emitter = emitter.open(self.store, settings)
  for _, name in ipairs(self.emitter.again) do self:say(name .. " was gone or cut short: written again from the job file") end
  if settings.remember then self.store:set("settings", settings.remember) end
  local name = owner(self)
  self.store:commit()
  if settings.queue then
    self.queue = want(queue.open(settings.queue, { owner = name, claim_after = settings.claim_after }))
    confirm(self)
    self.store:assign()
  end
  self.told = self.store:last_position()
  self.failed = self.failed + select(2, self.emitter:emit())
  if settings.retry then retry(self) end
  self.store:commit()
end

-- open(settings) -> engine, or nil, message and where it is not 1 the exit status
local function open(settings)
  local self = setmetatable({
    settings = settings,
    done = 0, failed = 0, dropped = 0, skipped = 0, failed_before = 0, kept = 0, changed = 0, total = 0,      -- pictures
    unflushed = 0, flushed = luv.now(), taken = {}, bytes = {}, problems = {}, handles = {},
  }, Engine)
  self.durable = settings.job ~= nil
  local message
  if self.durable then
    self.model, message = identity.model(settings.model)
    if not self.model then return nil, message, 3 end
  end
  self.store, message = store.open(settings.job or "")
  if not self.store then return nil, message end
  local ok, why = pcall(prepare, self)
  if ok then return self end
  self.store:discard()
  if self.queue then self.queue:close() end
  return nil, why
end

-- Runs to the end.
function Engine:work()
  watch(self)
  self.source = start_source(self)
  self.pool = open_pool(self)
  while not self.over or self.pool:count() > 0 do luv.run "once" end
  luv.run "nowait"                                  -- handles that were closed go
  local ok, message = pcall(self.progress, self, true)
  if not ok then self.status, self.message = self.status or 1, self.message or tostring(message) end
end

return { open = open }
