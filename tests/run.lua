-- run.lua - runs every test, or those whose name contains one of the words given.
-- usage, from the root of the repository:  lua5.4 tests/run.lua [PATTERN...]
--
-- A test is a program whose last line is "N passed, N failed" or "N passed, N failed,
-- N skipped"; it names what it skips in lines "skip NAME: why".  There are
--
--   c/NAME        tests/c/NAME.c, built into build/tests
--   FOLDER/NAME   tests/FOLDER/NAME.lua, unless the file returns something (then it is a module);
--                 those of bench/ measure and are not run
--   golden/...    tests/golden DIRECTORY, for each directory of fixtures
--   fuzz/NAME     build/tests/fuzz_NAME over tests/fuzz/corpus/NAME
--   asan/...      all of these again, built with AddressSanitizer and UBSan
--
-- Each is a process of its own with a temporary directory ($TMPDIR), the path of the command to
-- test in $LUNETTE, and LIMIT seconds.
local lfs  = require "lfs"
local jobs = require "tests.jobs"

local LIMIT = 300
local root  = lfs.currentdir()

local function list(pattern)
  local folder, files = pattern:match "^(.*)/", {}
  if lfs.attributes(folder, "mode") ~= "directory" then return files end
  for name in lfs.dir(folder) do
    local base = (folder .. "/" .. name):match("^" .. pattern .. "$")
    if base and name:sub(1, 1) ~= "." then files[#files + 1] = base end
  end
  table.sort(files)
  return files
end

local function is_module(path)
  local f <close> = assert(io.open(path))
  return f:read "a":find "\nreturn%f[%W]" ~= nil
end

local function quote(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

-- The tests of one build: 'lua' is the interpreter they run in.
local function collect(prefix, build, lua, environment)
  local tests = {}
  local env = ("LUNETTE=%s LUA_PATH=%s LUA_CPATH=%s %s"):format(
    quote(root .. "/" .. build .. "/bin/lunette"),
    quote(root .. "/lua/?.lua;" .. root .. "/lua/?/init.lua;" .. root .. "/tests/lua/?.lua;;"),
    quote(root .. "/" .. build .. "/lua/?.so;;"), environment)
  local function add(name, ...)
    local command = { ... }
    for i, word in ipairs(command) do command[i] = quote(word) end
    tests[#tests + 1] = { name = prefix .. name, again = prefix ~= "",
      command = ("env %s timeout -k 10 %d %s"):format(env, LIMIT, table.concat(command, " ")) }
  end

  for _, name in ipairs(list "tests/c/(.+)%.c") do add("c/" .. name, build .. "/tests/" .. name) end
  for _, folder in ipairs(list "tests/(.+)") do
    local once = folder == "source"             -- nothing compiled of ours runs, or with a sanitizer of its own
    if folder ~= "bench" and not (once and prefix ~= "") then
      for _, name in ipairs(list("tests/" .. folder .. "/(.+)%.lua")) do
        local path = ("tests/%s/%s.lua"):format(folder, name)
        if not is_module(path) then add(folder .. "/" .. name, lua, path) end
      end
    end
  end
  if lfs.attributes "tests/golden" then
    for _, folder in ipairs { "tests/data/fixtures", "../shared/fixtures" } do
      if lfs.attributes(folder) then add("golden/" .. folder, lua, "tests/golden", folder) end
    end
  end
  for _, name in ipairs(list "tests/fuzz/fuzz_(.+)%.c") do
    add("fuzz/" .. name, build .. "/tests/fuzz_" .. name, "tests/fuzz/corpus/" .. name)
  end
  return tests
end

-- With its own count of thread-local memory LeakSanitizer of gcc 12 reads a wild pointer when a thread is left at the end.
local SANITIZERS = "ASAN_OPTIONS=detect_leaks=1:intercept_tls_get_addr=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1"

local function wanted(test)
  if #arg == 0 then return true end
  for _, word in ipairs(arg) do
    if test.name:find(word, 1, true) then return true end
  end
  return false
end

local function select_tests(tests)
  local chosen = {}
  for _, test in ipairs(tests) do
    if wanted(test) then chosen[#chosen + 1] = test end
  end
  return chosen
end

local passed, failed, skips = 0, 0, {}

-- counts a finished test and prints its line; its output only if it failed
local function report(test, status, seconds, output)
  local good, bad, rest = output:match "(%d+) passed, (%d+) failed([^\n]*)\n$"
  local skipped = tonumber((rest or ""):match "^, (%d+) skipped$" or 0)
  local why
  if status == 124 then why = ("stopped after %d s"):format(LIMIT)
  elseif status == 137 then why = ("killed, for memory or for not stopping after %d s"):format(LIMIT)
  elseif status ~= 0 then why = ("exit status %d"):format(status)
  elseif not good then why = "no line \"N passed, N failed\" at the end"
  elseif tonumber(bad) > 0 then why = bad .. " failed but the exit status is 0"
  elseif good == "0" and skipped == 0 then why = "it checked nothing"
  end
  for line in output:gmatch "[^\n]+" do
    local name = line:match "^%s*[Ss][Kk][Ii][Pp]%S*%s+(.+)"
    if name and not test.again then skips[#skips + 1] = test.name .. ": " .. name end
  end
  if why then
    failed = failed + 1
    print(("FAILED  %6.1f s  %s: %s"):format(seconds, test.name, why))
    print((output:sub(-20000):gsub("([^\n]+)", "    | %1")))
  elseif good == "0" then
    print(("skipped %6.1f s  %s"):format(seconds, test.name))
  else
    passed = passed + 1
    print(("ok      %6.1f s  %-40s %7s checks"):format(seconds, test.name, good))
  end
end

jobs.run(select_tests(collect("", "build", "lua5.4", "")), report)

local sanitized = select_tests(collect("asan/", "build-asan", "build-asan/bin/interpreter", SANITIZERS))
if #sanitized > 0 then
  local build = { name = "asan/build",
    command = "scripts/bootstrap --sanitize && echo 1 passed, 0 failed" }
  local built
  jobs.run({ build }, function (test, status, ...)
    built = status == 0
    report(test, status, ...)
  end)
  if built then jobs.run(sanitized, report) end
end

if #skips > 0 then
  print(#skips .. " skipped:")
  for _, name in ipairs(skips) do print("  " .. name) end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(passed > 0 and failed == 0)
