-- listing.lua - meets the pictures that a job's inputs name, a little at a time beside its other work.
local inputs = require "lunette.inputs"
local luv    = require "luv"

local SLICE = 2e6            -- ns of listing before anything else gets its turn

local Listing = {}
Listing.__index = Listing

local function finish(self)
  self.finished = true
  self:stop()
end

-- Meets inputs until the slice is over; false when nothing more can be met now.
local function slice(self)
  local till = luv.hrtime() + SLICE
  repeat
    local file, problem, bytes = self.next()
    if file == nil then
      finish(self)
      return false
    end
    if file == false then return false end       -- standard input has nothing yet
    self.meet(file, problem, bytes)
  until luv.hrtime() > till or self.stopped
  return true
end

local resume

-- Goes on when standard input has something.
local function wait_for_input(self)
  self.poll = luv.new_poll(0)
  self.poll:start("r", function ()
    self.poll:close()
    self.poll = nil
    resume(self)
  end)
end

function resume(self)
  self.idle = luv.new_idle()
  self.idle:start(self.guard(function ()
    if self.stopped or slice(self) then return end
    if self.idle then
      self.idle:close()
      self.idle = nil
    end
    if not self.finished and not self.stopped then wait_for_input(self) end
    self.on_slice()
  end))
end

function Listing:stop()
  self.stopped = true
  for _, name in ipairs { "idle", "poll" } do
    if self[name] then
      self[name]:close()
      self[name] = nil
    end
  end
end

-- start { inputs, recursive, null, meet(file, problem, bytes), on_slice(), guard } -> listing
-- listing.counts is that of lunette.inputs.
local function start(self)
  setmetatable(self, Listing)
  self.next, self.counts = inputs.each(self.inputs, { recursive = self.recursive, null = self.null, patient = true })
  resume(self)
  return self
end

return { start = start }
