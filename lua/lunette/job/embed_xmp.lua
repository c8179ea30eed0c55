-- embed_xmp.lua - reads the packet of XMP in a picture and exchanges it; all else in the file stays byte for byte.
--
--   local picture <close> = assert(embed_xmp.open "owls.jpg")
--   assert(picture:put(assert(xmp.describe(picture.packet, { description = "two owls" }))))
local luv        = require "luv"
local attributes = require "lunette.attributes"
local durable    = require "lunette.job.durable"

local CONTAINERS = {}
for i, name in ipairs { "jpeg", "png", "webp", "gif" } do CONTAINERS[i] = require("lunette.job.containers." .. name) end

local LARGEST = 1 << 24       -- bytes of a packet, and of all that is read at once
local PIECES  = 1 << 22       -- that a file may be made of: a GIF of 1 GB as it should be, or a few seconds of one that should not
local WINDOW  = 1 << 14       -- bytes read ahead
local BLOCK   = 1 << 18       -- bytes copied at a time

-- ---- a file that is not trusted ---------------------------------------------------------------

-- "EIO: i/o error" of luv -> "i/o error"
local function reason(message) return message:match "^%u+: ([^:]*)" or message end

-- Positions count from 0; what the file does not hold or what it should not hold raises { message }.
local source = {}
source.__index = source

function source.refuse(_, format, ...) error { format:format(...) } end

-- The file must go on to 'past'.
function source:within(past)
  if past > self.size then self:refuse("it ends at byte %d, where byte %d was wanted", self.size, past) end
end

-- Exactly 'count' bytes from 'at' on.
function source:bytes(at, count)
  self:within(at + count)
  if count > LARGEST then self:refuse("XMP of %d bytes, at most %d are read", count, LARGEST) end
  self.reads = self.reads + 1
  if self.reads > PIECES then self:refuse("it is made of more than %d pieces", PIECES) end
  if at < self.from or at + count > self.from + #self.window then
    local window, message = luv.fs_read(self.fd, math.max(count, WINDOW), at)
    if not window then error { reason(message) } end
    self.window, self.from = window, at
    if #window < count then self:refuse("it has become shorter") end
  end
  return self.window:sub(at - self.from + 1, at - self.from + count)
end

function source:byte(at) return self:bytes(at, 1):byte() end

function source:number(at, form) return (form:unpack(self:bytes(at, form:packsize()))) end

-- ---- pictures ------------------------------------------------------------------------------------

local picture = {}
picture.__index = picture

-- fn(...), or nil, "PATH: message" if it refuses
local function attempt(path, fn, ...)
  local ok, a, b = pcall(fn, ...)
  if ok then return a or true, b end
  if type(a) ~= "table" then error(a, 0) end
  return nil, ("%s: XMP cannot be written into it: %s"):format(path, a[1])
end

local function read(self)
  local head = self:bytes(0, math.min(self.size, 12))
  for _, container in ipairs(CONTAINERS) do
    if container.begins(head) then return { container.read(self) } end
  end
  self:refuse "only JPEG, PNG, WebP and GIF can hold it here"
end

--[[
open(path) -> picture, or nil, message

picture.packet is the XMP of a JPEG, PNG, WebP or GIF, nil if it has none.  A picture whose structure is broken is refused, as are those
with two packets or a compressed one, which nobody should have written.  Close it with picture:close() or <close>.
]]
local function open(path)
  local stat, message = luv.fs_stat(path)
  if stat and stat.type ~= "file" then return nil, ("%s: it is a %s, wanted a file"):format(path, stat.type) end
  local fd
  if stat then fd, message = luv.fs_open(path, "r", 0) end
  if not fd then return nil, ("%s: %s"):format(path, reason(message)) end
  stat = luv.fs_fstat(fd)
  local self = setmetatable({ path = path, target = luv.fs_realpath(path) or path, fd = fd, stat = stat }, picture)
  self.source = setmetatable({ fd = fd, size = stat.size, window = "", from = 0, reads = 0 }, source)
  local found
  found, message = attempt(path, read, self.source)
  if not found then
    self:close()
    return nil, message
  end
  self.packet, self.edits = found[1], found[2]
  return self
end

-- The size of the file with another packet: size, or nil, message.
function picture:size_with(packet)
  local edits, message = attempt(self.path, self.edits, packet)
  if not edits then return nil, message end
  local size = self.stat.size
  for _, edit in ipairs(edits) do size = size + #edit.text - (edit.past - edit.from) end
  return size
end

local function unchanged(self)
  local now = luv.fs_stat(self.path)
  local was = self.stat
  return now and now.ino == was.ino and now.dev == was.dev and now.size == was.size and
         now.ctime.sec == was.ctime.sec and now.ctime.nsec == was.ctime.nsec
end

-- Gives put() the bytes 'from' to 'past' - 1.
local function copy(self, put, from, past)
  while from < past do
    local piece, message, code = luv.fs_read(self.fd, math.min(past - from, BLOCK), from)
    if not piece then return nil, ("%s: %s"):format(self.path, reason(message)), code end
    if piece == "" then return nil, self.path .. ": it became shorter while XMP was written into it" end
    local ok, why, kind = put(piece)
    if not ok then return nil, why, kind end
    from = from + #piece
  end
  return true
end

-- The file with its edits made
local function produce(self, put, edits)
  local at = 0
  for _, edit in ipairs(edits) do
    local ok, message, code = copy(self, put, at, edit.from)
    if ok then ok, message, code = put(edit.text) end
    if not ok then return nil, message, code end
    at = edit.past
  end
  local ok, message, code = copy(self, put, at, self.stat.size)
  if ok and not unchanged(self) then return nil, self.path .. ": it was changed while XMP was written into it" end
  return ok, message, code
end

--[[
picture:put(packet) -> true, or nil, message, code

Replaces the file at once by one with this packet, of the same mode, extended attributes and times, and owner as far as may be.
Where the path is a link it stays one, and what it leads to is replaced; other hard links keep the old file.
]]
function picture:put(packet)
  local edits, message = attempt(self.path, self.edits, packet)
  if not edits then return nil, message end
  return durable.replace(self.target,
    function (put) return produce(self, put, edits) end,
    function (fd)
      local ok, why = attributes.copy(self.fd, fd, true)
      return ok, why and self.path .. ": " .. why
    end)
end

function picture:close()
  if self.fd then luv.fs_close(self.fd) end
  self.fd = nil
end

picture.__close = picture.close
picture.__gc = picture.close

return { open = open }
