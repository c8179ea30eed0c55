-- emitter.lua - brings the outputs of a job to what the job file says.
--
-- Outputs of single pictures (sidecars) come first: a picture whose own output cannot be written has failed, and
-- the collective outputs say so.
local outputs = require "lunette.job.outputs"

local CHUNK = 256            -- records in memory

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

-- Writes a list; pictures whose own output failed become failures in the job file.
local function write(self, entry, list)
  local failed = want(entry.output:write(list))
  if not entry.single then return end
  for _, record in ipairs(list) do
    local message = failed[record.id]
    if message then self.store:spoil(record.id, message) end
    if not message and record.touched then self.store:touched(record.id, record.touched.size, record.touched.mtime) end
  end
end

local function advance(self, entry, last)
  while entry.position < last do
    for list in chunks(self.store:records(entry.position, math.min(entry.position + CHUNK, last))) do write(self, entry, list) end
    entry.position = math.min(entry.position + CHUNK, last)
  end
end

local function flush(self, entry)
  self.store:mark(entry.path, want(entry.output:flush()), entry.position)
end

-- The outputs that settings ask for: { path, output, single }, those of single pictures first; or nil, message.
local function make(settings, mark_of)
  local list = {}
  local function add(kind, path, single)
    settings.mark = mark_of(path)
    local output, message = kind.open(path, settings)
    if not output then return nil, message end
    list[#list + 1] = { path = path, output = output, single = single }
    return true
  end
  for _, name in ipairs(outputs.single) do
    if settings[name] then
      local ok, message = add(require("lunette.job.outputs." .. name), name, true)
      if not ok then return nil, message end
    end
  end
  for _, path in ipairs(settings.out or {}) do
    local kind, message = outputs.kind(path)
    if kind then kind, message = add(kind, path, false) end
    if not kind then return nil, message end
  end
  return list
end

-- open(store, settings) -> emitter, or nil, message.  The outputs are as their marks say when it returns.
local function open(store, settings)
  local self = setmetatable({ store = store }, Emitter)
  local message
  self.entries, message = make(settings, function (path) return store:output(path).mark end)
  if not self.entries then return nil, message end
  for _, entry in ipairs(self.entries) do
    local known = store:output(entry.path)
    entry.position = known.position
    self.thumbnail = self.thumbnail or entry.output.thumbnail
    local ok, why = entry.output:resume(known.mark, function (position) return store:records(position) end)
    if not ok then return nil, why end
  end
  return self
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

-- What a single picture's output will hold, for the job file: see outputs/sidecar.lua.
function Emitter:prepare(record)
  for _, entry in ipairs(self.entries) do
    if entry.output.prepare then record.final = entry.output:prepare(record) or record.final end
  end
end

-- Writes the records that have come since, up to position 'last'.
function Emitter:emit()
  local last = self.store:last_position()
  local redone = {}
  for record in self.store:redone() do redone[#redone + 1] = record end
  for _, entry in ipairs(self.entries) do
    if entry.single and #redone > 0 then write(self, entry, redone) end
    local behind = entry.position < last
    advance(self, entry, last)
    if behind then flush(self, entry) end
  end
  self.store:emitted(last)
end

-- The collective outputs from nothing, where they hold records that were made again.
function Emitter:rebuild()
  for _, entry in ipairs(self.entries) do
    if not entry.single then
      self.store:mark(entry.path, want(entry.output:rebuild(function (position) return self.store:records(position) end)),
                      self.store:last_position())
    end
  end
end

function Emitter:close()
  for _, entry in ipairs(self.entries) do want(entry.output:close()) end
end

return { open = open }
