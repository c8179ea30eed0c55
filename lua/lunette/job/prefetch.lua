-- prefetch.lua - pictures are read, decoded and prepared ahead, on other threads.
--
--   local prefetch = assert(prefetch.new { model = dir, threads = 2 })
--   prefetch:add(key, { file = path })
--   for _, item in ipairs(prefetch:take(8, true)) do ... item.key, item.pixels or item.error, item.stage ... end
--   prefetch:close()
--
-- The threads are those of luv.new_work: each has a Lua state of its own, with the vision plugin
-- and the model's image processor but no weights.  What add() was given waits in libuv's queue,
-- so that the threads go on while the main thread computes; the caller bounds how much that is.
local core = require "lunette.core"
local image_processor = require "lunette.image_processor"
local preparation = require "lunette.job.preparation"
local luv = require "luv"

local Prefetch = {}
Prefetch.__index = Prefetch

-- Those with work under way: luv holds on to neither the function its threads run nor the state they report to.
local busy = {}            -- luacheck: ignore 241

-- Runs in a thread: no upvalues.
local function work(path, cpath, ticket, ...)
  package.path, package.cpath = path, cpath
  return ticket, require "lunette.job.preparation".in_thread(...)
end

-- new { model = dir, threads = 1, reduce_to = nil, thumbnail = nil, on_image = nil } -> prefetch, or nil, message, code
--
-- reduce_to, thumbnail and on_image as in lunette.job.preparation; the values shown are the defaults.  libuv starts its threads
-- when they are first used and never again, so the first prefetch of a process says how many there are.  A function cannot
-- go to another thread: with on_image pictures are prepared where they are taken, none ahead.
local function new(options)
  local processor, message, code = image_processor.load(options.model)
  if not processor then return nil, message or options.model .. ": no preprocessor_config.json", code or "io" end
  luv.os_setenv("UV_THREADPOOL_SIZE", tostring(options.threads or 1))
  local self = { options = options, processor = processor, keys = {}, last = 0, under_way = 0, finished = {}, waiting = {} }
  self.pool = luv.new_work(work, function (ticket, ...) self:finish(math.tointeger(ticket), ...) end)
  return setmetatable(self, Prefetch)            -- after the pool is made, so that at the end of the state it is closed before
end

function Prefetch:finish(ticket, bytes, ...)
  local item = { key = self.keys[ticket] }
  self.keys[ticket] = nil
  self.under_way = self.under_way - 1
  if self.under_way == 0 then busy[self] = nil end
  if bytes then
    item.bytes, item.y, item.x, item.height, item.width, item.thumbnail = bytes, ...
  else
    item.stage, item.error, item.height, item.width = ...
  end
  self.finished[#self.finished + 1] = item
end

-- prefetch:add(key, { file = path } or { bytes = string })
function Prefetch:add(key, task)
  local o, ticket = self.options, self.last + 1
  self.last, self.keys[ticket], self.under_way, busy[self] = ticket, key, self.under_way + 1, true
  if o.on_image then
    self.waiting[#self.waiting + 1] = { ticket, task }
    return
  end
  self.pool:queue(package.path, package.cpath, ticket, o.model, o.reduce_to, o.thumbnail, task.file, task.bytes)
end

-- Numbers pass between threads as floats.
local function integer(x) return x and x // 1 | 0 end

function Prefetch:opened(item)
  item.height, item.width = integer(item.height), integer(item.width)
  if item.bytes then
    local resized <close> = core.tensor(item.bytes, { shape = { integer(item.y), integer(item.x), 3 }, dtype = "u8" })
    item.pixels, item.bytes, item.y, item.x = self.processor:normalize(resized), nil, nil, nil
  end
  return item
end

-- Prepares on this thread up to 'most' of what waits for on_image.
local function prepare_here(self, most)
  local o = self.options
  while #self.waiting > 0 and #self.finished < most do
    local ticket, task = table.unpack(table.remove(self.waiting, 1))
    self:finish(ticket, preparation.safely(o.model, o.reduce_to, o.thumbnail, task.file, task.bytes, o.on_image))
  end
end

-- take(most, wait) -> list of at most 'most' finished ones, in the order in which they were finished:
--
--   { key =, pixels = f32 [1, 3, Y, X], width =, height =, thumbnail = bytes or nil }
--   { key =, error =, stage = "read" | "decode" | "prepare", width =, height = where it was decoded }
--   { key =, stage = "dropped" } where on_image said so
--
-- With 'wait' at least one, if any is under way.  It runs luv's loop, so whatever else the caller
-- reads there goes on; it may not be called from a callback of the loop.
function Prefetch:take(most, wait)
  luv.run "nowait"
  prepare_here(self, most)
  while wait and #self.finished == 0 and self.under_way > 0 do luv.run "once" end
  local finished, list = self.finished, {}
  local count = math.min(most, #finished)
  for i = 1, count do list[i] = self:opened(finished[i]) end
  table.move(finished, count + 1, #finished + count, 1)
  return list
end

-- Waits for what is under way, since a Lua state cannot be closed around it, and drops it.
function Prefetch:close()
  for _, pair in ipairs(self.waiting) do self:finish(pair[1], nil, "dropped") end
  self.waiting = {}
  while self.under_way > 0 do luv.run "once" end
  self.finished = {}
end

Prefetch.__close, Prefetch.__gc = Prefetch.close, Prefetch.close

return { new = new }
