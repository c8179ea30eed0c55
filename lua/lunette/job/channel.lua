-- channel.lua - Lua values through a pipe, for a coordinator and its workers.
--
-- A message is 8 bytes of length, then a value: strings (any bytes), numbers (exact), booleans and tables of
-- these.  Both ends are this program on this machine, so the byte order is the machine's.
local luv = require "luv"

local LIMIT = 1 << 32        -- bytes of a message: a picture from standard input has at most 2 GiB
local DEPTH = 16

local channel = {}

-- ---- values ------------------------------------------------------------------------------

local function put(out, value, depth)
  local kind = math.type(value) or type(value)
  if kind == "integer" then out[#out + 1] = string.pack("=c1i8", "i", value)
  elseif kind == "float" then out[#out + 1] = string.pack("=c1d", "f", value)
  elseif kind == "boolean" then out[#out + 1] = value and "t" or "n"
  elseif kind == "string" then
    out[#out + 1] = string.pack("=c1I8", "s", #value)
    out[#out + 1] = value
  elseif kind == "table" and depth < DEPTH then
    local at, count = #out + 1, 0
    out[at] = ""
    for k, v in pairs(value) do
      put(out, k, depth + 1)
      put(out, v, depth + 1)
      count = count + 1
    end
    out[at] = string.pack("=c1I8", "o", count)
  else
    error(("a %s cannot be sent to another process"):format(depth < DEPTH and kind or "table this deep"), 0)
  end
end

local function get(text, at, depth)
  local kind
  kind, at = string.unpack("=c1", text, at)
  if kind == "i" then return string.unpack("=i8", text, at) end
  if kind == "f" then return string.unpack("=d", text, at) end
  if kind == "t" or kind == "n" then return kind == "t", at end
  local count
  count, at = string.unpack("=I8", text, at)
  if kind == "s" then
    if count > #text - at + 1 then error("a string beyond the message", 0) end
    return text:sub(at, at + count - 1), at + count
  end
  if kind ~= "o" or depth == DEPTH then error("not a message", 0) end
  local t = {}
  for _ = 1, count do
    local k, v
    k, at = get(text, at, depth + 1)
    v, at = get(text, at, depth + 1)
    t[k] = v
  end
  return t, at
end

-- encode(value) -> bytes, with their length before them
function channel.encode(value)
  local out = { "" }
  put(out, value, 0)
  local size = 0
  for _, piece in ipairs(out) do size = size + #piece end
  out[1] = string.pack("=I8", size)
  return table.concat(out)
end

-- ---- pipes ---------------------------------------------------------------------------------

local Channel = {}
Channel.__index = Channel

-- open(pipe, on_message(value), on_end(problem)) -> channel over a luv pipe; on_end is called once: when the other end is
-- gone, or with a problem when it has sent what is no message.
function channel.open(pipe, on_message, on_end)
  local self = setmetatable({ pipe = pipe }, Channel)
  local pieces, size, wanted = {}, 0, 8
  local function finish(problem)
    if self.ended then return end
    self.ended = true
    on_end(problem)
  end
  local function take(text)                     -- the messages in what has come; what is left of it
    local at = 1
    while #text - at + 1 >= 8 and not self.ended do
      local length = string.unpack("=I8", text, at)
      if length > LIMIT then return finish(("a message of %d bytes"):format(length)) end
      wanted = length + 8
      if #text - at + 1 < wanted then break end
      local ok, value = pcall(get, text, at + 8, 0)
      if not ok then return finish(value) end
      at = at + wanted
      wanted = 8
      on_message(value)
    end
    return text:sub(at)
  end
  pipe:read_start(function (message, bytes)
    if message or not bytes then return finish() end
    pieces[#pieces + 1], size = bytes, size + #bytes
    if size < wanted then return end
    local rest = take(table.concat(pieces))
    pieces, size = { rest }, rest and #rest or 0
  end)
  return self
end

-- Sends a value; a channel whose other end is gone takes it and says so to on_end.
function Channel:send(value)
  if not self.closed then self.pipe:write(channel.encode(value)) end
end

function Channel:close()
  self.ended = true
  if self.closed then return end
  self.closed = true
  if not self.pipe:is_closing() then self.pipe:close() end
end

-- Bytes that are sent but not yet taken by the other end.
function Channel:waiting() return self.pipe:get_write_queue_size() end

-- pipe(fd) -> luv pipe over an open file descriptor
function channel.pipe(fd)
  local pipe = assert(luv.new_pipe(false))
  assert(pipe:open(fd))
  return pipe
end

return channel
