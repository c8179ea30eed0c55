-- redis_server.lua - a Redis server of a test's own, which can be killed and started again with what it had stored.
local luv = require "luv"
local redis = require "lunette.redis"

local Server = {}
Server.__index = Server

local function output(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "l"
end

-- Debian's redis-server is a link to redis-check-rdb of redis-tools, and the name makes it the server.
local function program(folder)
  local found = output "command -v redis-server"
  if found then return found end
  found = output "command -v redis-check-rdb"
  if not found then return nil end
  local link = folder .. "/redis-server"
  assert(luv.fs_symlink(found, link))
  return link
end

local function free_port()
  local socket = luv.new_tcp()
  assert(socket:bind("127.0.0.1", 0))
  local port = socket:getsockname().port
  socket:close()
  luv.run "nowait"
  return port
end

function Server:start()
  local log = assert(luv.fs_open(self.folder .. "/log", "a", 384))
  self.process = assert(luv.spawn(self.program, { stdio = { nil, log, log }, args = {
    "--port", tostring(self.port), "--bind", "127.0.0.1", "--unixsocket", self.path, "--dir", self.folder, "--save", "",
    "--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning" } }, function () self.process = nil end))
  luv.fs_close(log)
  for _ = 1, 400 do                              -- it listens before it has loaded
    local connection <close> = redis.connect { path = self.path }
    if connection and connection:call "PING" then return self end
    luv.sleep(25)
    luv.run "nowait"
    if not self.process then break end
  end
  local f <close> = assert(io.open(self.folder .. "/log"))
  error("the Redis server did not start: " .. f:read "a")
end

function Server:stop(signal)
  if self.process then self.process:kill(signal or "sigterm") end
  while self.process do luv.run "once" end
end
function Server:__close() self:stop() end

-- The url of a stream on it, through its Unix socket.
function Server:url(stream) return ("redis://%s/%s"):format(self.path:gsub("/", "%%2F"), stream) end

-- server:ask(word, ...) -> value; raises what the server refuses
function Server:ask(...)
  local connection <close> = assert(redis.connect { path = self.path })
  return assert(connection:call(...))
end

-- start(folder) -> server, listening on server.path and server.port of 127.0.0.1; nil if there is no Redis here
local function start(folder)
  local path = program(folder)
  if not path then return nil end
  return setmetatable({ program = path, folder = folder, path = folder .. "/socket", port = free_port() }, Server):start()
end

return { start = start }
