-- warnings.lua - the C code compiles without a warning, as it is built for use.
-- The makefiles of build/ work in any folder beside it; this one keeps what passed.
local command = "mkdir -p build-strict && cp build/Makefile build/*.make build-strict && " ..
                "CFLAGS=-Werror make -k -C build-strict --no-print-directory config=release 2>&1"
local make <close> = assert(io.popen(command))
local output = make:read "a"
local ok = make:close()
if not ok then print(output) end
print(ok and "1 passed, 0 failed" or "0 passed, 1 failed")
os.exit(ok == true)
