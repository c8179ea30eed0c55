-- job/outputs/lines.lua - text files that grow by lines: what JSON lines and CSV have in common.
--
-- The mark of a file is "BASE BYTES POSITION": its first BASE bytes were there before the job, with the first BYTES of it the
-- records up to POSITION are written.  What comes after that was written by a run that was killed, and is cut off - if it is
-- what that run would have written; else somebody changed the file, who is told.
local luv     = require "luv"
local durable = require "lunette.job.durable"
local path    = require "lunette.job.path"

local Lines = {}
Lines.__index = Lines

local PIECE = 1 << 16      -- bytes read at a time

local function size_of(self)
  local stat, message = durable.stat(self.real)
  if stat == nil then return nil, message end
  return stat and stat.size or 0
end

-- ---- what the file should say ---------------------------------------------------------------

-- What comes between the bytes that were there and the first line.
local function set_prefix(self)
  self.prefix = self.kind.header
  if self.base == 0 then return true end
  local last, message = durable.read(self.real, self.base - 1, 1)
  if not last then return nil, message end
  self.prefix = last == "\n" and "" or self.kind.newline
  return true
end

-- Gives take() the bytes from 'at' on, piece by piece, when those of the records that '...' iterates over are still to come;
-- true when there are no more, else what take() returned if not true, or nil, message.
local function each_piece(self, at, take, ...)
  local ok, message, code = true, nil, nil
  if at == self.base then ok, message, code = take(self.prefix) end
  if not ok then return ok, message, code end
  for record in ... do
    local line
    line, message = self.kind.format(self, record)
    if message then return nil, message end
    ok, message, code = take(line or "", record)
    if not ok then return ok, message, code end
  end
  return true
end

-- Whether the file, from 'at' to its end at 'size', is a beginning of that; else false and the offset of the first byte that
-- is not; or nil, message.
local function compare(self, at, size, ...)
  local offset
  local _, why = each_piece(self, at, function (piece)
    local want = piece:sub(1, size - at)
    local got, message = durable.read(self.real, at, #want)
    if not got then return nil, message end
    if got ~= want then
      local same = 0
      while got:byte(same + 1) == want:byte(same + 1) do same = same + 1 end
      offset = at + same
      return false
    end
    at = at + #want
    return at < size
  end, ...)
  if why then return nil, why end
  if at == size then return true end
  return false, offset or at
end

-- ---- opening and resuming ---------------------------------------------------------------------

local function check_header(self)
  local wanted = self.kind.header
  local got, message = durable.read(self.real, 0, math.min(#wanted, self.base))
  if not got then return nil, message end
  if got == wanted then return true end
  return nil, ("%s: --append needs a file that begins with the line %s"):format(self.path, wanted:match "^[^\r\n]*")
end

local function read_mark(self, mark)
  local base, bytes, position = mark:match "^(%d+) (%d+) (%d+)$"
  if not base then return nil, ("%s: the job file says %q of it, which is no mark"):format(self.path, mark) end
  self.base, self.bytes, self.position = math.tointeger(base), math.tointeger(bytes), math.tointeger(position)
  return true
end

-- A new output where there may be a file already.
local function take_place(self, size, settings)
  if size == 0 then return true end
  if settings.append then
    self.base, self.bytes = size, size
    return check_header(self)
  end
  if settings.overwrite == "always" then
    self.replaces = true
    return true
  end
  return nil, ("%s exists and belongs to another job or none: --overwrite always replaces it, --append adds to it"):format(self.path)
end

--[[
lines.open(name, settings, kind) -> output, or nil, message

  kind.header               what a file begins with, or ""
  kind.newline              how a line ends
  kind.format(self, record) -> the line with its end, or nil for a record that has none, and why if that is an error
]]
local function open(name, settings, kind)
  local self = setmetatable({ path = name, real = luv.fs_realpath(name) or name, kind = kind,
                              base = 0, bytes = 0, position = 0, known = settings.mark ~= nil }, Lines)
  local stat, message = durable.stat(self.real)
  if stat == nil then return nil, message end
  if stat and stat.type ~= "file" then return nil, ("%s is a %s, a file is wanted"):format(name, stat.type) end
  local ok
  if self.known then ok, message = read_mark(self, settings.mark)
  else ok, message = take_place(self, stat and stat.size or 0, settings) end
  if not ok then return nil, message end
  return self
end

local function descriptor(self)
  if self.fd then return self.fd end
  local message, code
  self.fd, message, code = durable.open(self.real)
  return self.fd, message, code
end

local function truncate(self, size)
  local fd, message = descriptor(self)
  if not fd then return nil, message end
  local ok
  ok, message = luv.fs_ftruncate(fd, size)
  if not ok then return nil, ("%s: %s"):format(self.path, message) end
  return true
end

local function write_again(self, records)
  local mark, message = self:rebuild(records)
  if not mark then return nil, message end
  return true, mark
end

local function begin(self)
  if not self.replaces then return set_prefix(self) end
  local ok, message = truncate(self, 0)
  if not ok then return nil, message end
  return set_prefix(self)
end

-- Cuts off what the file has after what the mark says.
local function cut(self, size, records)
  local ours, offset = compare(self, self.bytes, size, records(self.position))
  if ours == nil then return nil, offset end
  if ours then return truncate(self, self.bytes) end
  return nil, ("%s: byte %d is not what the job wrote there: move the file away, and it is written again"):format(self.path, offset + 1)
end

function Lines:resume(_, records)
  if not self.known then return begin(self) end
  local size, message = size_of(self)
  if not size then return nil, message end
  if size < self.bytes then return write_again(self, records) end
  local ok
  ok, message = set_prefix(self)
  if not ok then return nil, message end
  if size == self.bytes then return true end
  return cut(self, size, records)
end

-- ---- writing -------------------------------------------------------------------------------------

local function append(self, bytes)
  local fd, message, code = descriptor(self)
  if not fd then return nil, message, code end
  local ok
  ok, message, code = durable.write(self.path, fd, bytes, self.bytes)
  if not ok then return nil, message, code end
  self.bytes = self.bytes + #bytes
  return true
end

function Lines:write(list)
  local out, i = {}, 0
  local ok, message, code = each_piece(self, self.bytes, function (piece)
    out[#out + 1] = piece
    return true
  end, function ()
    i = i + 1
    return list[i]
  end)
  if ok then ok, message, code = append(self, table.concat(out)) end
  if not ok then return nil, message, code end
  self.position = #list > 0 and list[#list].position or self.position
  return true
end

local function mark_of(self) return ("%d %d %d"):format(self.base, self.bytes, self.position) end

function Lines:flush()
  if not self.known and not self.fd then
    self.known = true
    return mark_of(self)
  end
  local ok, message, code = self:write {}              -- a file of no captions has its header
  if ok then ok, message, code = durable.sync(self.path, self.fd) end
  if ok and not self.in_folder then ok, message, code = durable.sync_folder((path.split(self.real))) end
  if not ok then return nil, message, code end
  self.in_folder = true
  return mark_of(self)
end

-- Copies the bytes that were there before the job.
local function copy_base(self, put)
  local at = 0
  while at < self.base do
    local piece, message, code = durable.read(self.real, at, math.min(PIECE, self.base - at))
    if not piece then return nil, message, code end
    local ok
    ok, message, code = put(piece)
    if not ok then return nil, message, code end
    at = at + #piece
  end
  return true
end

function Lines:rebuild(records)
  local size, why = size_of(self)
  if not size then return nil, why end
  if size < self.base then self.base = 0 end           -- what was there before the job is lost
  local ok, message = set_prefix(self)
  if not ok then return nil, message end
  local bytes, position, code = self.base, 0
  ok, message, code = durable.replace(self.real, function (put)
    local copied, reason, what = copy_base(self, put)
    if not copied then return nil, reason, what end
    return each_piece(self, self.base, function (piece, record)
      bytes = bytes + #piece
      position = record and record.position or position
      return put(piece)
    end, records(0))
  end)
  if not ok then return nil, message, code end
  self:close()
  self.bytes, self.position, self.known, self.in_folder = bytes, position, true, false
  return self:flush()
end

function Lines:close()
  if self.fd then luv.fs_close(self.fd) end
  self.fd = nil
  return true
end

return { open = open }
