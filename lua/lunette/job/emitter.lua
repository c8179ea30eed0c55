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
  for _, record in ipairs(list) do record.prepared = record.final and record.final[entry.name] end
  local failed = want(entry.output:write(list))
  if not entry.single or not next(failed) then return end
  for _, record in ipairs(list) do
    local message = failed[record.id]
    if message then
      self.store:spoil(record.id, message)
      record.text, record.error, record.stage = nil, message, "write"
      self.spoiled = self.spoiled + 1
    end
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

-- What an output of single pictures is known by: where it writes.
local function single_path(name, settings)
  local path = name == "sidecar" and "sidecar ." .. settings.sidecar or settings.in_place and "xmp in place" or name
  if not settings.sidecar_dir or path == "xmp in place" then return path end
  return path .. " under " .. place.absolute(settings.sidecar_dir)
end

-- The outputs that settings ask for, those of single pictures first: { { kind, path, name }, ... }, or nil, message
local function asked_for(settings)
  local list = {}
  for _, name in ipairs(SINGLE) do
    if settings[name] then
      list[#list + 1] = { kind = require("lunette.job.outputs." .. name), path = single_path(name, settings), name = name, single = true }
    end
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
local function resume(self, entry, known)
  local records = every(self.store)
  local value
  local rebuild = known.stale == 1 and known.mark and not entry.single
  entry.position = known.position
  if rebuild then
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
  self.store:fresh(entry.path)
end

-- open(store, settings) -> emitter; raises.  The outputs are as the job file says of them once that is committed, which
-- has to be before emit().
local function open(store, settings)
  local self = setmetatable({ store = store, again = {} }, Emitter)      -- again: names of outputs that were gone or cut short
  self.entries = want(asked_for(settings))
  local function caption(file) return store:caption(place.absolute(file)) end
  for _, entry in ipairs(self.entries) do
    local known = store:output(entry.path)
    local given = setmetatable({ mark = known.mark, caption = caption }, { __index = settings })
    entry.output = want(entry.kind.open(entry.name, given))
    resume(self, entry, known)
    self.thumbnail = self.thumbnail or entry.output.thumbnail
  end
  return self
end

-- export(store, settings) -> number of records; raises.  Writes the outputs and no job file.
local function export(store, settings)
  local failed, function_of = nil, {}
  for _, name in ipairs { "mark", "fresh", "emitted", "commit", "caption" } do function_of[name] = function () end end
  function function_of.output() return { position = 0, stale = 0 } end
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
  local final = {}
  for _, entry in ipairs(self.entries) do
    local output = entry.output
    if output.prepare then
      local value, message = output:prepare(record)
      if value == nil then return nil, message end
      final[entry.name] = value or nil
      record.prepared = final[entry.name]
    end
    if output.size_after then record.size = output:size_after(record) end
  end
  record.final = next(final) and final
  return true
end

-- Whether an output is still to be made anew.
local function has_stale(self)
  for _, entry in ipairs(self.entries) do
    if self.store:output(entry.path).stale == 1 then return true end
  end
  return false
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
  self.store:emitted(last, has_stale(self))
  return redone, self.spoiled
end

-- Collective outputs from nothing where they hold records that are not true any more.
function Emitter:rebuild()
  for _, entry in ipairs(self.entries) do
    if self.store:output(entry.path).stale == 1 then
      if not entry.single then mark(self, entry, want(entry.output:rebuild(every(self.store)))) end
      self.store:fresh(entry.path)
    end
  end
  self.store:emitted(self.store:last_position(), false)
end

function Emitter:close()
  for _, entry in ipairs(self.entries) do want(entry.output:close()) end
end

return { open = open, export = export }
