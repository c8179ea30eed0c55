--
-- premake5.lua - builds the core, its Lua module, the command, the plugins and the test programs.
--
--   premake5 gmake && make -C build config=release
--
-- Debian 12 ships only premake 4.3, which reads this file through the shim
-- below:  premake4 --file=premake5.lua gmake && make -C build config=release
-- scripts/bootstrap does either, after installing what is missing.
--

if not workspace then dofile "scripts/tools/premake4.lua" end

newoption {
  trigger     = "sanitize",
  value       = "LIST",
  description = "Instrument everything, into build-asan/; e.g. --sanitize=address,undefined"
}

local sanitize = _OPTIONS["sanitize"]
local build = sanitize and "build-asan" or "build"

workspace "lunette"
  configurations { "Release", "Debug" }
  location(build)
  language "C"
  cdialect "C11"
  warnings "Extra"
  defines { "_POSIX_C_SOURCE=200809L" }
  buildoptions { "-Wshadow", "-Wstrict-prototypes", "-fvisibility=hidden", "-fPIC",
                 "-ffp-contract=off" }     -- our loops round alike everywhere; OpenBLAS may not
  if sanitize then
    symbols "On"
    buildoptions { "-O1", "-fsanitize=" .. sanitize, "-fno-sanitize-recover=all",
                   "-fno-omit-frame-pointer" }
    linkoptions  { "-fsanitize=" .. sanitize, "-Wl,-z,nodelete" }   -- a leak's stack needs the code it names
  else
    filter "configurations:Debug"
      symbols "On"
    filter "configurations:Release"
      optimize "Speed"
    filter {}
  end

-- Folders for #include "...", seen from the makefiles.  Not includedirs, or text/strings.h would
-- stand in for <strings.h>.
local function own_headers(folders)
  for _, folder in ipairs(folders) do buildoptions { "-iquote../" .. folder } end
end

-- Each part in C is compiled once, into an archive that the shared library
-- made of it and its test programs link.
local parts = {
  core   = { "cjson", "pthread", "dl", "m" },
  vision = { "jpeg", "png", "webpdemux", "webp", "gif", "exif", "m" },
  text   = { "cjson", "utf8proc", "pcre2-8", "m" },
}
for part in pairs(parts) do
  project(part .. "_objects")
    kind "StaticLib"
    targetdir(build .. "/archives")
    files { part .. "/**.c" }
    own_headers { "core" }
end

local function link_part(part)
  own_headers { "core" }
  links { part .. "_objects" }
  links(parts[part])
end

-- The Lua module: core and binding in one object, so that plugins, which are
-- handed a table of functions, never meet a second copy of the core.
project "module"
  kind "SharedLib"
  targetprefix ""
  targetname "core"
  targetdir(build .. "/lua/lunette")
  files { "lua/lua_*.c" }
  includedirs { "/usr/include/lua5.4" }
  link_part "core"

-- Libraries that scripts need and tensors do not: one Lua module a file, lunette.NAME, and what it links.
local bindings = {
  sqlite = { "sqlite3" },
  redis  = { "hiredis" },
}
for _, file in ipairs(os.matchfiles "lua/bindings/*.c") do
  local name = file:match "([^/]+)%.c$"
  project(name)
    kind "SharedLib"
    targetprefix ""
    targetdir(build .. "/lua/lunette")
    files { file }
    includedirs { "/usr/include/lua5.4" }
    buildoptions { "-fvisibility=default" }
    links(bindings[name] or {})
end

project "launcher"
  kind "ConsoleApp"
  targetname "lunette"
  targetdir(build .. "/bin")
  files { "lua/main.c" }
  includedirs { "/usr/include/lua5.4" }
  links { "lua5.4" }

-- The two symbols of the plugin ABI are all that a plugin exports: the archive
-- is linked from lun_about down.
for _, part in ipairs { "vision", "text" } do
  project(part)
    kind "SharedLib"
    targetprefix ""
    targetdir(build .. "/plugins")
    linkoptions { "-Wl,--require-defined=lun_about", "-Wl,--require-defined=lun_plugin_open",
                  "-Wl,--no-undefined" }   -- nothing of the host's, which hands over a table
    link_part(part)
end

-- Test programs and benchmarks: one a file, against the part its name begins with, else the core.
local part_of = { image = "vision", tokenizer = "text", vision = "vision", text = "text" }

local function program(file, name, subject)
  local part = part_of[subject:match "^%a+"] or "core"
  project(name)
    kind "ConsoleApp"
    targetdir(build .. "/tests")
    files { file }
    own_headers { "tests/c", part }
    link_part(part)
end

for _, file in ipairs(os.matchfiles "tests/c/*.c") do
  local name = file:match "([^/]+)%.c$"
  program(file, name, name)
end
for _, file in ipairs(os.matchfiles "tests/bench/*.c") do
  local name = file:match "([^/]+)%.c$"
  program(file, "bench_" .. name, name)
    links { "openblas" }                   -- what it is compared with
end
for _, file in ipairs(os.matchfiles "tests/fuzz/fuzz_*.c") do
  local name = file:match "([^/]+)%.c$"
  program(file, name, name:match "^fuzz_(.+)")
    files { "tests/fuzz/replay.c" }
end

if sanitize then
  project "interpreter"                    -- lua5.4, instrumented
    kind "ConsoleApp"
    targetdir(build .. "/bin")
    files { "tests/interpreter.c" }
    includedirs { "/usr/include/lua5.4" }
    links { "lua5.4" }
end
