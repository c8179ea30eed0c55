-- job/queue/link.lua - a connection that comes back: a server that restarts or is busy is asked again, for a while.
--
-- So a question may reach the server twice, once with its answer lost; whoever asks must mean the same by both.
local luv   = require "luv"
local redis = require "lunette.redis"

local Link = {}
Link.__index = Link

local TIMEOUT   = 10              -- seconds a call may take
local PAUSES    = { 0.05, 2 }     -- seconds between attempts: the first, doubled up to the last

-- Refusals that pass: the server starts, its disk or memory is full, another machine has become the master, a script runs.
local PASSING = { LOADING = true, MISCONF = true, OOM = true, READONLY = true, MASTERDOWN = true, CLUSTERDOWN = true,
                  TRYAGAIN = true, BUSY = true }

local function seconds() return luv.hrtime() / 1e9 end

local function sleep(s) luv.sleep(math.ceil(s * 1000)) end

local function passes(message, code) return code == "io" or PASSING[message:match "^%u+"] end

function Link:connect()
  local connection, message, code = redis.connect(self.place)
  self.connection = connection
  if connection then self.on_connect() end
  return connection, message, code
end

function Link:attempt(...)
  local connection, message, code = self.connection
  if not connection then
    connection, message, code = self:connect()
    if not connection then return nil, message, code end
  end
  local value
  value, message, code = connection:call(...)
  if value == nil and (code == "io" or message:find "^READONLY") then       -- a new connection may meet the new master
    connection:close()
    self.connection = nil
  end
  return value, message, code
end

-- The message of a lost connection names the place, that of a refusal is the server's.
function Link:named(message, code)
  return code == "io" and message or ("%s: %s"):format(self.place.name, message)
end

-- link:ask(word, ...) -> value, or nil, message, code; code "interrupted": sleep() said to stop waiting
function Link:ask(...)
  local begun, pause = seconds(), PAUSES[1]
  while true do
    local value, message, code = self:attempt(...)
    if value ~= nil then return value end
    local lasting = not passes(message, code)
    message = self:named(message, code)
    if lasting then return nil, message, code end
    if seconds() - begun > self.patience then
      return nil, ("%s; gave up after %g s"):format(message, self.patience), code
    end
    if self.sleep(pause) == false then return nil, message, "interrupted" end
    pause = math.min(2 * pause, PAUSES[2])
  end
end

function Link:close()
  if self.connection then self.connection:close() end
  self.connection = nil
end
Link.__close = Link.close

--[[
link.open(place, settings) -> link, or nil, message, code

place     of lunette.job.queue.url
settings  patience    seconds to go on asking a server that does not answer (60)
          sleep       function(seconds) that waits; false from it ends the waiting
          on_connect  called after each connection but the first

The first connection is not waited for: who names a wrong host hears of it at once.
]]
local function open(place, settings)
  local connect_settings = { timeout = TIMEOUT }
  for key, value in pairs(place) do connect_settings[key] = value end
  local link = setmetatable({ place = connect_settings, patience = settings.patience or 60, sleep = settings.sleep or sleep,
                              on_connect = function () end }, Link)
  local connection, message, code = link:connect()
  if not connection then return nil, link:named(message, code), code end
  link.on_connect = settings.on_connect or link.on_connect
  return link
end

return { open = open }
