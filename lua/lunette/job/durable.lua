-- job/durable.lua - files that are on disk when a function says so; errors are nil, "PATH: reason", code ("ENOSPC", ...).
local luv    = require "luv"
local digest = require "lunette.digest"
local path   = require "lunette.job.path"

local durable = {}

local PIECE = 1 << 16      -- bytes read or written at a time
local MODE  = 438          -- 0666, less what the umask says

-- What luv.fs_...() said: "ENOENT: no such file or directory: PATH" -> nil, "NAME: no such file or directory", "ENOENT"
local function refuse(name, message, code)
  return nil, ("%s: %s"):format(name, message:match "^%u+: ([^:]*)" or message), code
end

-- Whether the disk, full or read-only, not one file, is the reason, by the code of luv or of lunette.sqlite: going on with
-- other files is no use.
function durable.is_full(code)
  return code == "ENOSPC" or code == "EROFS" or code == "full" or code ~= nil and code:find "%-122$" ~= nil     -- EDQUOT has no name in libuv
end

-- durable.stat(name) -> stat, false if there is no such file, or nil, message, code
function durable.stat(name)
  local stat, message, code = luv.fs_stat(name)
  if stat then return stat end
  if code == "ENOENT" then return false end
  return refuse(name, message, code)
end

-- durable.open(name) -> descriptor to read and write, of a new file if there is none
function durable.open(name)
  local flags = luv.constants.O_RDWR | luv.constants.O_CREAT
  local fd, message, code = luv.fs_open(name, flags, MODE)
  if not fd then return refuse(name, message, code) end
  return fd
end

function durable.write(name, fd, bytes, at)
  while #bytes > 0 do
    local n, message, code = luv.fs_write(fd, bytes, at)
    if not n then return refuse(name, message, code) end
    bytes, at = bytes:sub(n + 1), at + n
  end
  return true
end

-- durable.read(name, from, size) -> that many bytes of a file, fewer if it ends before
function durable.read(name, from, size)
  local fd, message, code = luv.fs_open(name, "r", 0)
  if not fd then return refuse(name, message, code) end
  local pieces, found = {}, 0
  while found < size do
    local piece
    piece, message, code = luv.fs_read(fd, math.min(PIECE, size - found), from + found)
    if not piece or piece == "" then break end
    pieces[#pieces + 1] = piece
    found = found + #piece
  end
  luv.fs_close(fd)
  if code then return refuse(name, message, code) end
  return table.concat(pieces)
end

function durable.sync(name, fd)
  local ok, message, code = luv.fs_fsync(fd)
  if not ok then return refuse(name, message, code) end
  return true
end

-- Names of new and renamed files are on disk when their folder is.
function durable.sync_folder(folder)
  if folder == "" then folder = "." end
  local fd, message, code = luv.fs_open(folder, "r", 0)
  if not fd then return refuse(folder, message, code) end
  local ok
  ok, message, code = durable.sync(folder, fd)
  luv.fs_close(fd)
  return ok, message, code
end

function durable.make_folders(folder)
  local at = folder:match "^/+" or ""
  for part in folder:gmatch "[^/]+" do
    at = at .. part
    local ok, message, code = luv.fs_mkdir(at, 511)
    if not ok and code ~= "EEXIST" then return refuse(at, message, code) end
    at = at .. "/"
  end
  return true
end

-- Fills a new file of that name by produce(put); put(bytes) -> true or nil, message, code.
local function fill(name, temporary, stat, produce, finish)
  luv.fs_unlink(temporary)                    -- of a run that was killed
  local fd, message, code = luv.fs_open(temporary, "wx", MODE)
  if not fd then return refuse(name, message, code) end
  local ok, pieces, held, at = true, {}, 0, 0
  local function drain()
    local bytes = table.concat(pieces)
    pieces, held = {}, 0
    ok, message, code = durable.write(name, fd, bytes, at)
    at = at + #bytes
    return ok, message, code
  end
  local function put(bytes)
    pieces[#pieces + 1] = bytes
    held = held + #bytes
    if held < PIECE then return true end
    return drain()
  end
  if stat then luv.fs_fchmod(fd, stat.mode & 511) end
  ok, message, code = produce(put)
  if ok then ok, message, code = drain() end
  if ok and finish then ok, message, code = finish(fd) end
  if ok then ok, message, code = durable.sync(name, fd) end
  luv.fs_close(fd)
  return ok, message, code
end

--[[
durable.replace(name, produce [, finish]) -> true, or nil, message, code

Puts a file with the bytes that produce(put) writes by put(bytes) where 'name' is, at once: the old one is there until the
new one is complete on disk.  finish(descriptor) is called behind the last byte, to set what a file has besides bytes.
The temporary file's name follows from 'name', so that the next try takes the place of one that was killed.  A link is
replaced, not what it leads to.  The name itself is on disk after durable.sync_folder().
]]
function durable.replace(name, produce, finish)
  local folder, stem, suffix = path.split(name)
  local temporary = ("%s.lunette-%s"):format(folder, digest.string(stem .. "." .. suffix):sub(1, 16))
  local ok, message, code = fill(name, temporary, durable.stat(name), produce, finish)
  if ok then
    ok, message, code = luv.fs_rename(temporary, name)
    if ok then return true end
    message = select(2, refuse(name, message))
  end
  luv.fs_unlink(temporary)
  return nil, message, code
end

return durable
