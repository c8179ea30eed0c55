-- plugin_build.lua - what the tests of plugins share: a compiler line, and counted checks.
local M = { passed = 0, failed = 0 }

local temporary = os.getenv "TMPDIR" or "/tmp"
local function quote(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

-- compile(source file, name [, flags]) -> path of NAME.so; raises what the compiler says
function M.compile(source, name, flags)
  local path = temporary .. "/" .. name .. ".so"
  local command = ("gcc -shared -fPIC -Wall -Wextra -Werror -I core %s %s -o %s 2>&1"):format(flags or "", quote(source), quote(path))
  local pipe <close> = assert(io.popen(command))
  local said = pipe:read "a"
  if not pipe:close() then error(said, 2) end
  return path
end

function M.write(path, text)
  local f <close> = assert(io.open(path, "wb"))
  assert(f:write(text))
  return path
end

-- A file of this test's own.
function M.file(name) return temporary .. "/" .. name end

function M.check(ok, what, ...)
  if ok then
    M.passed = M.passed + 1
  else
    M.failed = M.failed + 1
    print("FAIL " .. debug.getinfo(2, "S").short_src .. ":" .. debug.getinfo(2, "l").currentline .. ": " .. what:format(...))
  end
end

function M.equal(got, want, what)
  M.check(got == want, "%s: got %s, wanted %s", what, tostring(got), tostring(want))
end

-- fn(...) must raise a message that ends with 'message'
function M.raises(message, fn, ...)
  local ok, got = pcall(fn, ...)
  got = tostring(got)
  M.check(not ok and got:sub(-#message) == message, "raised %q, wanted %q", ok and "nothing" or got, message)
end

function M.finish()
  print(("%d passed, %d failed"):format(M.passed, M.failed))
  os.exit(M.failed == 0, true)
end

return M
