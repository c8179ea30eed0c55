-- rlimit.lua - a process that may have so much memory: more is refused, and it goes on.
local rlimit = require "lunette.rlimit"
local check  = require "check"

local MB = 1 << 20

-- KiB that count already; with AddressSanitizer its shadow does, far beyond any limit
local function data_now()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmData:%s*(%d+) kB"
    if kib then return tonumber(kib) end
  end
  return 0
end

check.raises("a positive number of bytes wanted)", function () rlimit.data(0) end)
check.ok(not pcall(rlimit.data, "much"), "a word is taken for bytes")

if data_now() << 10 > 64 * MB then
  check.skip("memory beyond the limit", "this interpreter has more memory than any limit leaves")
else
  local interpreter = arg[-1]
  local CHILD = [[
    local rlimit = require "lunette.rlimit"
    print(#string.rep("x", 100 << 20))
    print(rlimit.data(64 << 20))
    print(pcall(string.rep, "x", 100 << 20))
    print(pcall(function () local t = {} for i = 1, 1 << 27 do t[i] = i end end))
    print(#string.rep("x", 20 << 20))
    print(rlimit.data(1 << 40))
  ]]
  local child <close> = assert(io.popen(("%s -e '%s' 2>&1"):format(interpreter, CHILD)))
  local lines = {}
  for line in child:lines() do lines[#lines + 1] = line end
  check.equal({ table.unpack(lines, 1, 5) },
              { tostring(100 * MB), "true", "false\tnot enough memory", "false\tnot enough memory", tostring(20 * MB) }, "a process of 64 MiB")
  check.ok(lines[6] and (lines[6] == "true" or lines[6]:find "^nil\tmemory cannot be limited to 1099511627776 bytes: %u"),
           "raising the limit again gave %s", lines[6])       -- allowed to those who may
end

check.finish()
