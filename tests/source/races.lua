-- races.lua - several contexts and Lua states at once, under ThreadSanitizer: no data race.
-- The makefiles of build/ work in any folder beside it; this one keeps what they made.
local function run(command)
  local f <close> = assert(io.popen(command .. " 2>&1"))
  local output = f:read "a"
  return f:close(), output
end

local passed, failed = 0, 0
local function check(what, command)
  local ok, output = run(command)
  if ok then passed = passed + 1 else
    failed = failed + 1
    print(("FAIL %s\n%s"):format(what, output))
  end
  return ok
end

local function finish(skipped)
  print(("%d passed, %d failed%s"):format(passed, failed, skipped or ""))
  os.exit(failed == 0)
end

-- What the build links it with need not be installed, nor run on this kernel.
local probe = [[cd "$TMPDIR" && echo 'int main(void) { return 0; }' >probe.c && gcc -fsanitize=thread probe.c -o probe && ./probe]]
if not run(probe) then
  print "skip ThreadSanitizer: gcc makes no program with it that runs here"
  finish ", 1 skipped"
end

local SANITIZER = "TSAN_OPTIONS=halt_on_error=0:exitcode=66 "
if check("build", [[mkdir -p build-tsan && cp build/Makefile build/*.make build-tsan && CFLAGS='-fsanitize=thread -g' ]] ..
         [[LDFLAGS=-fsanitize=thread make -C build-tsan --no-print-directory config=release core_threads kernel_threads ]] ..
         [[module digest vision text]]) then
  check("tests/c/core_threads.c", SANITIZER .. "build-tsan/tests/core_threads")
  check("tests/c/kernel_threads.c", SANITIZER .. "build-tsan/tests/kernel_threads")
  check("tests/lua/states.lua", SANITIZER .. [[LD_PRELOAD=$(gcc -print-file-name=libtsan.so) ]] ..
        [[LUA_CPATH="$PWD/build-tsan/lua/?.so;;" lua5.4 tests/lua/states.lua]])
end
finish()
