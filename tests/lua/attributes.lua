-- attributes.lua - what a file is besides its bytes, given to another.
local luv        = require "luv"
local attributes = require "lunette.attributes"
local check      = require "check"

local root = os.getenv "TMPDIR" or "/tmp"

local function create(name, mode)
  local fd = assert(luv.fs_open(root .. "/" .. name, "w", 384))
  assert(luv.fs_fchmod(fd, mode))
  return fd
end

for _, mode in ipairs { 420, 256, 511, 0, 1448 } do        -- 0644, 0400, 0777, 0, 02650
  local from, to = create("from", mode), create("to", 384)
  assert(luv.fs_futime(from, 1000000000.5, 1234567890.123456))
  local want = luv.fs_fstat(from)
  check.equal(attributes.copy(from, to), true, "copy")
  local got = luv.fs_fstat(to)
  for _, key in ipairs { "mode", "uid", "gid" } do check.equal(got[key], want[key], key) end
  check.ok(got.mtime.sec ~= want.mtime.sec, "times are not copied when not asked for")
  check.equal(attributes.copy(from, to, true), true, "copy with times")
  got = luv.fs_fstat(to)
  for _, key in ipairs { "mtime", "atime" } do
    check.equal(got[key].sec, want[key].sec, key)
    check.equal(got[key].nsec, want[key].nsec, key)
  end
  luv.fs_close(from)
  luv.fs_close(to)
  os.remove(root .. "/from")
  os.remove(root .. "/to")
end

check.fails("reading attributes: Bad file descriptor", nil, attributes.copy(-1, 1))
do
  local from = create("from", 420)
  check.fails("setting the mode: Bad file descriptor", nil, attributes.copy(from, -1))
  luv.fs_close(from)
end

check.finish()
