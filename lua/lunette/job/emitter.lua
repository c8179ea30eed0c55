-- emitter.lua - brings the outputs of a job to what the job file says.
--
-- Outputs of single pictures (sidecars) come first: a picture whose own output cannot be written has failed, and
-- the collective outputs say so.
local outputs = require "lunette.job.outputs"
local place   = require "lunette.job.place"

local CHUNK  = 256           -- records in memory
local SINGLE = { "sidecar", "xmp" }

local Emitter = {}
Emitter.__index = Emitter

local function want(value, message)
  if value == nil then error(message, 0) end
  return value
end

-- Iterator of lists of records.
local function chunks(records)
  return function ()
    local list = {}
    for record in records do
      list[#list + 1] = record
      if #list == CHUNK then break end
    end
    return list[1] and list
  end
end

-- Writes a list; pictures whose own output failed become failures in the job file, before any other output says so.
local function write(self, entry, list)
  local failed = want(entry.output:write(list))
  if not entry.single or not next(failed) then return end
  for id, message in pairs(failed) do
    self.store:spoil(id, message)
    self.spoiled = self.spoiled + 1
  end
  self.store:commit()
end

local function mark(self, entry, value) self.store:mark(entry.path, value, entry.position) end

-- Writes the records up to position 'last'; the mark is durable with the next commit.
local function advance(self, entry, last)
  if entry.position == last then return end
  while entry.position < last do
    local till = math.min(entry.position + CHUNK, last)
    for list in chunks(self.store:records(entry.position, till)) do write(self, entry, list) end
    entry.position = till
  end
  mark(self, entry, want(entry.output:flush()))
end

-- ---- opening ---------------------------------------------------------------------------------

-- The outputs that settings ask for, those of single pictures first: { { kind, path }, ... }, or nil, message
local function asked_for(settings)
  local list = {}
  for _, name in ipairs(SINGLE) do
    if settings[name] then list[#list + 1] = { kind = require("lunette.job.outputs." .. name), path = name, single = true } end
  end
  for _, path in ipairs(settings.out or {}) do
    local kind, message = outputs.kind(path)
    if not kind then return nil, message end
    list[#list + 1] = { kind = kind, path = place.absolute(path), name = path }
  end
  return list
end

local function every(store) return function (position) return store:records(position) end end

-- Brings an output to the state that its mark names, or to that of the job file if it holds what is not true any more.
local function resume(self, entry, known, rebuild)
  local records = every(self.store)
  local value
  entry.position = known.position
  if rebuild and known.mark and not entry.single then
    value = want(entry.output:rebuild(records))
  else
    local ok, message = entry.output:resume(known.mark, records)
    if not ok then error(message, 0) end
    value = message
  end
  if value then
    entry.position = self.store:last_position()
    if not rebuild then table.insert(self.again, entry.name) end
  end
  if not known.mark then value = want(entry.output:flush()) end
  if value then mark(self, entry, value) end
end

-- open(store, settings) -> emitter; raises.  The outputs are as the job file says of them once that is committed, which
-- has to be before emit().
local function open(store, settings)
  local self = setmetatable({ store = store, again = {} }, Emitter)      -- again: names of outputs that were gone or cut short
  self.entries = want(asked_for(settings))
  local rebuild = store:get "rebuild" == 1
  for _, entry in ipairs(self.entries) do
    local known = store:output(entry.path)
    local given = setmetatable({ mark = known.mark }, { __index = settings })
    entry.output = want(entry.kind.open(entry.name, given))
    resume(self, entry, known, rebuild)
    self.thumbnail = self.thumbnail or entry.output.thumbnail
  end
  store:set("rebuild", 0)
  return self
end

-- export(store, settings) -> number of records; raises.  Writes the outputs and no job file.
local function export(store, settings)
  local failed, function_of = nil, {}
  for _, name in ipairs { "mark", "set", "emitted", "commit" } do function_of[name] = function () end end
  function function_of.get() return nil end
  function function_of.output() return { position = 0 } end
  function function_of.redone() return function () end end
  function function_of.spoil(_, _, message) failed = failed or message end
  function function_of.records(_, ...) return store:records(...) end
  function function_of.last_position() return store:last_position() end
  local self = open(function_of, settings)
  self:emit()
  self:close()
  if failed then error(failed, 0) end
  return store:last_position()
end

-- Whether any output would have a picture's record.
function Emitter:wants(file)
  if #self.entries == 0 then return true end
  for _, entry in ipairs(self.entries) do
    if not entry.output.wants or entry.output:wants(file) then return true end
  end
  return false
end

-- nil and why, where an output cannot name a picture.
function Emitter:accepts(file)
  for _, entry in ipairs(self.entries) do
    if entry.output.accepts then
      local ok, message = entry.output:accepts(file)
      if not ok then return nil, message end
    end
  end
  return true
end

-- What outputs of a single picture have to say before its record is committed: see outputs/sidecar.lua and xmp.lua.
function Emitter:prepare(record)
  for _, entry in ipairs(self.entries) do
    local output = entry.output
    if output.prepare then
      local text, message = output:prepare(record)
      if text == nil then return nil, message end
      record.final = text or nil
    end
    if output.size_after then record.size = output:size_after(record) end
  end
  return true
end

-- Writes the records that have come since; returns those that replace older ones, and how many captions became failures.
function Emitter:emit()
  local last, redone = self.store:last_position(), {}
  self.spoiled = 0
  for record in self.store:redone() do redone[#redone + 1] = record end
  for _, entry in ipairs(self.entries) do
    if entry.single and #redone > 0 then write(self, entry, redone) end
    advance(self, entry, last)
  end
  self.store:emitted(last)
  return redone, self.spoiled
end

-- Collective outputs from nothing, since they hold records that were made again.
function Emitter:rebuild()
  for _, entry in ipairs(self.entries) do
    if not entry.single then mark(self, entry, want(entry.output:rebuild(every(self.store)))) end
  end
  self.store:set("rebuild", 0)
  self.store:emitted(self.store:last_position())
end

function Emitter:close()
  for _, entry in ipairs(self.entries) do want(entry.output:close()) end
end

return { open = open, export = export }
