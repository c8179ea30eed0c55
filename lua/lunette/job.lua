-- job.lua - captions many pictures to the end: resumes, isolates bad files, keeps what is done.
--
--   local job = require "lunette.job"
--   local report = assert(job.run { inputs = { "photos" }, recursive = true, out = { "captions.jsonl" } })
--   print(report.done, report.failed)
--
-- docs/architecture.md says how it works; run() below what it takes.
local emitter  = require "lunette.job.emitter"
local identity = require "lunette.job.identity"
local listing  = require "lunette.job.listing"
local pool     = require "lunette.job.pool"
local store    = require "lunette.job.store"
local luv      = require "luv"

local TICK    = 100          -- ms between reports of progress
local FLUSH   = 500          -- ms between flushes
local RESULTS = 64           -- results that bring a flush forward
local AHEAD   = 2            -- batches a worker has at most
local TAKE    = 32           -- pictures taken from the job file at a time
local SIGNALS = { "sigint", "sigterm", "sighup" }

local job = {}

local Job = {}
Job.__index = Job

-- ---- settings --------------------------------------------------------------------------------

local ARGUMENTS = { "prompt", "num_beams", "max_new_tokens", "length_penalty", "num_return_sequences" }

local function arguments_of(settings)
  local arguments = {}
  for _, name in ipairs(ARGUMENTS) do arguments[name] = settings[name] end
  return arguments
end

-- BUILD/bin/lunette of the core that is loaded
local function command_path()
  local core = assert(package.searchpath("lunette.core", package.cpath))
  return (core:gsub("lua/lunette/core%.so$", "bin/lunette"))
end

-- An absolute path that says the same, links as they are.
local function absolute(path)
  if path:sub(1, 1) ~= "/" then path = luv.cwd() .. "/" .. path end
  return (path:gsub("/%./", "/"):gsub("/+", "/"):gsub("/%.$", ""))
end

-- ---- the store and what it knows ---------------------------------------------------------------

-- Finds the run this is: the same model and options as before, or says what changed.
local function identify(self)
  local values = arguments_of(self.settings)
  values.template, values.fast_decode = self.settings.template, self.settings.fast_decode
  if self.durable then
    local message
    values.model, message = identity.model(self.settings.model)
    if not values.model then return nil, message end
  end
  local text = identity.settings(values)
  local last = self.store:run_settings(self.store:get "run")
  self.run = self.store:run_id(text, text)
  if last and last ~= text then
    self:say(("%s: captions are made again"):format(identity.changes(last, text)))
  end
  self.store:set("run", self.run)
  return true
end

-- ---- pictures come ---------------------------------------------------------------------------

local function stat_of(file)
  local stat = luv.fs_stat(file)
  if not stat then return nil, nil end
  return stat.size, stat.mtime.sec * 1000000000 + stat.mtime.nsec
end

local function fail_at_once(self, id, stage, message)
  self.store:put(id, { state = "failed", stage = stage, error = message })
  self.failed = self.failed + 1
  self.unflushed = self.unflushed + 1
end

-- A picture that an input names: it is new, changed, left from an earlier run, or needs nothing.
function Job:meet(file, problem, bytes)
  local image = { file = file, path = absolute(file), run = self.run }
  if not problem and not bytes then image.size, image.mtime = stat_of(file) end
  if not problem and not self.emitter:wants(file) then
    self.kept = self.kept + 1
    return
  end
  local known = self.durable and self.store:find(image.path)
  if known and known.todo ~= 1 and known.todo ~= 3 and known.todo ~= 2 and not problem and not bytes
     and known.size == image.size and known.mtime == image.mtime and known.run == self.run then
    self.skipped = self.skipped + 1
    return
  end
  if known and (known.todo == 1 or known.todo == 3) then return end         -- met before
  local id
  if known then
    id = known.id
    if known.state == "done" and known.todo == 0 then self.changed = self.changed + 1 end
    self.store:again(id, image)
  else
    id = self.store:add(image)
  end
  self.total = self.total + 1
  self.current = file
  if problem then return fail_at_once(self, id, "list", problem) end
  local ok, why = self.emitter:accepts(file)
  if not ok then return fail_at_once(self, id, "write", why) end
  self.bytes[id] = bytes
end

-- The next picture for a worker.
local function next_task(self)
  if #self.taken == 0 then self.taken = self.store:take(TAKE) end
  local row = table.remove(self.taken, 1)
  if row then return { key = row.id, file = row.file, bytes = self.bytes[row.id] } end
end

-- ---- results -----------------------------------------------------------------------------------

local function accept(self, task, answer)
  local record = answer
  record.state, record.id, record.file = answer.kind, task.key, task.file
  if record.error then
    local prefix = task.file .. ": "
    if record.error:sub(1, #prefix) == prefix then record.error = record.error:sub(#prefix + 1) end
  end
  self.bytes[task.key] = nil
  if record.state == "done" and self.settings.on_caption then
    local verdict = self.settings.on_caption(record)
    if verdict == false then record.state = "dropped" end
    if type(verdict) == "string" then record.text = verdict end
  end
  if record.state == "done" then self.emitter:prepare(record) end
  self.store:put(task.key, record)
  self[record.state] = self[record.state] + 1
  self.unflushed = self.unflushed + 1
  self.current = task.file
  local most = self.settings.max_failures
  if most and self.failed > most and not self.stopping then
    self:stop(1, ("stopped after %d failures (--max-failures %d)"):format(self.failed, most))
  end
  if self.unflushed >= RESULTS or not self.durable then self:flush() end
end

-- What came since is committed, then written.
function Job:flush()
  if self.unflushed == 0 then return end
  self.unflushed, self.flushed = 0, luv.now()
  self.store:assign(self.settings.ordered and self.store:first_todo() or nil)
  self.store:commit()
  self.emitter:emit()
  self:tell()
end

-- Hands the records that have become final to on_record.
function Job:tell()
  local last = self.store:last_position()
  if self.settings.on_record and self.told < last then
    for record in self.store:records(self.told, last) do self.settings.on_record(record) end
  end
  self.told = last
end

function Job:progress(final)
  if not self.settings.on_progress then return end
  self.settings.on_progress({ done = self.done + self.dropped, failed = self.failed, skipped = self.skipped, total = self.total,
                              listed = self.listing.finished == true, file = self.current }, final)
end

-- ---- ends ----------------------------------------------------------------------------------------

-- Whatever is raised in a callback stops the job as it stands.
local function guard(self, f)
  return function (...)
    if self.over then return end
    local ok, message = pcall(f, ...)
    if not ok then self:abort(message) end
  end
end

local function close_handles(self)
  self.over = true
  if self.listing then self.listing:stop() end
  for _, handle in ipairs(self.handles) do handle:close() end
  self.handles = {}
end

-- Stops as it stands: what is not committed is not done.
function Job:abort(message, status)
  if self.over then return end
  close_handles(self)
  if self.pool then self.pool:close(true) end
  self.aborted, self.status, self.message = true, status or 1, tostring(message)
  pcall(self.store.close, self.store)
end

-- Takes no more pictures; those under way are finished.
function Job:stop(status, message)
  if self.stopping then return end
  self.stopping, self.status, self.message = true, status, message
  if self.listing then self.listing:stop() end
  self.taken = {}
  if self.pool then self.pool:drain() end
end

local function finish(self)
  self:flush()
  if self.store:get "rebuild" == 1 then
    self.emitter:rebuild()
    self.store:set("rebuild", 0)
  end
  self.emitter:close()
  self.store:leave()
  self.counts = self.store:counts()
  close_handles(self)
  self.pool:close()
  self.store:close(true)
end

-- Called whenever no worker has anything to do.
local function idle(self)
  if self.over then return end
  if not self.stopping and (not self.listing.finished or #self.taken > 0) then return end
  if not self.stopping and #self.taken == 0 then
    self.taken = self.store:take(TAKE)
    if #self.taken > 0 then return self.pool:fill() end
  end
  finish(self)
end

local function on_signal(self, name)
  if self.stopping then return self:abort("interrupted", 130) end
  self:stop(name == "sigint" and 130 or 143, "interrupted")
end

-- ---- starting ------------------------------------------------------------------------------------

local function open_pool(self)
  local settings = self.settings
  local batch = settings.batch_size or 1
  return pool.open {
    size = settings.workers or 1, command = { command_path(), "worker" }, timeout = settings.timeout,
    retries = settings.retries or 1, ahead = batch * AHEAD, batch_size = batch,
    setup = { kind = "setup", model = settings.model, threads = settings.threads, arguments = arguments_of(settings), batch_size = batch,
              data_limit = settings.max_memory, thumbnail = self.emitter.thumbnail },
    next_task = function () return next_task(self) end,
    on_result = guard(self, function (...) accept(self, ...) end),
    on_ready = function () end,
    on_refused = function (status, message) self:abort(message, status) end,
    on_idle = guard(self, function () idle(self) end),
  }
end

local function watch(self)
  local timer = luv.new_timer()
  timer:start(TICK, TICK, guard(self, function ()
    if luv.now() - self.flushed >= FLUSH then self:flush() end
    self:progress()
  end))
  self.handles[#self.handles + 1] = timer
  for _, name in ipairs(SIGNALS) do
    local signal = luv.new_signal()
    signal:start(name, function () on_signal(self, name) end)
    self.handles[#self.handles + 1] = signal
  end
end

local function start_listing(self)
  self.listing = listing.start {
    inputs = self.settings.inputs, recursive = self.settings.recursive, null = self.settings.null,
    guard = function (f) return guard(self, f) end,
    meet = function (...) self:meet(...) end,
    on_slice = function () self.pool:fill() end,
    on_end = function () end,
  }
end

function Job:say(text) if self.settings.on_message then self.settings.on_message(text) end end

local function open(settings)
  local self = setmetatable({ settings = settings, done = 0, failed = 0, dropped = 0, skipped = 0, kept = 0, changed = 0, total = 0,
                              unflushed = 0, flushed = luv.now(), taken = {}, bytes = {}, handles = {} }, Job)
  local message
  self.durable = settings.job ~= nil
  self.store, message = store.open(settings.job or "")
  if not self.store then return nil, message end
  local ok, why = pcall(function ()
    self.store:leave()
    assert(identify(self))
    self.emitter = assert(emitter.open(self.store, settings))
    self.told = self.store:last_position()
    if self.store:get "rebuild" == 1 then
      self.emitter:rebuild()
      self.store:set("rebuild", 0)
    else
      self.emitter:emit()
    end
    self.store:commit()
  end)
  if ok then return self end
  self.store:close()
  return nil, why
end

--[[
job.run(settings) -> report, or nil, message, status

(documentation to come)
]]
function job.run(settings)
  local self, message = open(settings)
  if not self then return nil, message, 1 end
  watch(self)
  self.pool = open_pool(self)
  start_listing(self)
  while not self.over do luv.run "once" end
  luv.run "nowait"
  self.not_pictures = self.listing.counts.not_pictures
  self:progress(true)
  return self
end

return job
