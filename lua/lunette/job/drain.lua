-- drain.lua - meets the pictures that a queue (queue.lua) hands out, as many as the workers have room for.
local luv = require "luv"

local TICK = 50              -- ms between looks at the queue

local Drain = {}
Drain.__index = Drain

local function want(value, message)
  if value == nil then error(message, 0) end
  return value
end

local function look(self)
  want(self.queue:beat())
  local room = self.room()
  if room > 0 then
    local list = want(self.queue:next(room, 0))
    for _, item in ipairs(list) do self.meet(item.file, item.error, nil, item.key) end
    if #list == 0 and self.queue:drained() then
      self.finished = true
      self:stop()
    end
  end
  self.on_slice()
end

function Drain:stop()
  self.stopped = true
  if self.timer then
    self.timer:close()
    self.timer = nil
  end
end

-- start { queue, room() -> pictures, meet(file, problem, bytes, ticket), on_slice(), guard } -> drain, in the manner of listing.lua
local function start(self)
  setmetatable(self, Drain)
  self.counts = { not_pictures = 0 }
  self.timer = luv.new_timer()
  self.timer:start(0, TICK, self.guard(function () look(self) end))
  return self
end

return { start = start }
