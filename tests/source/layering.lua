-- layering.lua - reads every #include and require against the table of docs/architecture.md (who may
-- use whom), and looks for what may not be in a source file: too many lines, catch-all names, paths of
-- the machine it was written on, ways out of a library.

local passed, failures = 0, {}
local function check(ok, where, what, ...)
  if ok then passed = passed + 1 else failures[#failures + 1] = where .. ": " .. what:format(...) end
end

local function set(words)
  local s = {}
  for word in words:gmatch "%S+" do s[word] = true end
  return s
end

-- ---- the table ----

local LIBC = set [[
  assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h iso646.h limits.h locale.h math.h setjmp.h signal.h
  stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h time.h
  dirent.h dlfcn.h elf.h fcntl.h libgen.h poll.h pthread.h sched.h semaphore.h strings.h unistd.h
  sys/auxv.h sys/mman.h sys/resource.h sys/stat.h sys/syscall.h sys/time.h sys/types.h sys/uio.h sys/wait.h sys/xattr.h linux/futex.h
]]
local SIMD = set "immintrin.h emmintrin.h cpuid.h arm_neon.h"
local LUA  = set "lua.h lauxlib.h lualib.h"

local function either(...)
  local sets = { ... }
  return function (header)
    for _, s in ipairs(sets) do if s[header] then return true end end
    return false
  end
end

-- The first row whose pattern a C file's path matches holds: which <system> headers it may include, and
-- which files of the repository.
local C_ROWS = {
  { "^core/lun_plugin%.h$",   system = either(set "stddef.h stdint.h"),             own = {} },
  { "^core/cpu/gemm%.c$",     system = either(LIBC, SIMD, set "cblas.h"),           own = { "^core/" } },
  { "^core/vulkan/",          system = either(LIBC, set "vulkan/vulkan.h volk.h"),  own = { "^core/", "^shaders/inc/push%.h$" } },
  { "^core/files/",           system = either(LIBC, set "cjson/cJSON.h"),           own = { "^core/" } },
  { "^core/",                 system = either(LIBC, SIMD),                          own = { "^core/" } },
  { "^lua/bindings/",         system = either(LIBC, LUA, set "malloc.h sqlite3.h hiredis/hiredis.h sys/socket.h xxhash.h"),
                                                                                    own = {} },
  { "^lua/",                  system = either(LIBC, LUA),                           own = { "^lua/", "^core/lun[%w_]*%.h$" } },
  { "^vision/",               system = either(LIBC, set "jpeglib.h jerror.h png.h webp/decode.h webp/demux.h gif_lib.h",
                                              set "libexif/exif-data.h avif/avif.h jxl/decode.h jxl/version.h libheif/heif.h"),
                                                                                    own = { "^vision/", "^core/lun_plugin%.h$" } },
  { "^text/",                 system = either(LIBC, set "cjson/cJSON.h utf8proc.h pcre2.h"),
                                                                                    own = { "^text/", "^core/lun_plugin%.h$" } },
}

-- The same for Lua: the modules it may require.  A file that no row matches may require anything.
local public = function (name) return not (name == "lunette.core" or name:match "^lunette%.cli") end
local LUA_ROWS = {
  { "^lua/lunette/models/", function (name) return name:match "^lunette" and public(name) end },
  { "^lua/lunette/cli",     function () return true end },
  { "^lua/lunette/",        function (name) return not name:match "^lunette%.cli" end },
  { "^scripts/[^/]+%.lua$", function (name)
      return name:match "^lunette" and public(name) or set("argparse cjson lfs luv")[name]
    end },
}

-- what a library in C must not call: a plugin or a script decides what is printed and when the process ends
local FORBIDDEN = set "printf fprintf vprintf vfprintf puts putchar perror exit _exit _Exit quick_exit abort assert"
local PROGRAMS = set "lua/main.c"

-- ---- reading ----

-- every file but what is built, and the models
local FIND = "find . '(' -name .git -o -path './build*' -o -path ./bin -o -path ./models ')' -prune " ..
             "-o -type f -print"

local function read_files()
  local files = {}
  local find <close> = assert(io.popen(FIND))
  for path in find:lines() do
    local f <close> = assert(io.open(path, "rb"))
    files[#files + 1] = { path = path:sub(3), text = f:read "a" }
  end
  return files
end

-- the token of C that begins at byte i: what it is and its last byte
local function token(text, i)
  local two, mark = text:sub(i, i + 1), text:sub(i, i)
  if two == "/*" then return "comment", select(2, text:find("*/", i + 2, true)) or #text end
  if two == "//" then return "comment", (text:find("\n", i, true) or #text + 1) - 1 end
  if mark == "\"" or mark == "'" then
    local last = i + 1
    while last <= #text and not text:find("^[" .. mark .. "\n]", last) do
      last = last + (text:sub(last, last) == "\\" and 2 or 1)
    end
    return "string", math.min(last, #text)
  end
  return "code", (text:find("[/\"']", i + 1) or #text + 1) - 1
end

-- the text with its comments blanked, lines kept; and with its strings blanked too
local function strip(text)
  local function blank(s) return (s:gsub("[^\n]", " ")) end
  local code, bare, i = {}, {}, 1
  while i <= #text do
    local kind, last = token(text, i)
    local piece = text:sub(i, last)
    code[#code + 1] = kind == "comment" and blank(piece) or piece
    bare[#bare + 1] = kind == "code" and piece or blank(piece)
    i = last + 1
  end
  return table.concat(code), table.concat(bare)
end

-- numbers and lines of a text
local function lines(text)
  local n, next_line = 0, text:gmatch "([^\n]*)\n?"
  return function ()
    local line = next_line()
    n = n + 1
    if line then return n, line end
  end
end

-- "core/cpu", "../lun.h" -> "core/lun.h"
local function join(folder, name)
  local parts = {}
  for part in (folder .. "/" .. name):gmatch "[^/]+" do
    if part == ".." then parts[#parts] = nil elseif part ~= "." then parts[#parts + 1] = part end
  end
  return table.concat(parts, "/")
end

local function first_row(rows, path)
  for _, row in ipairs(rows) do if path:match(row[1]) then return row end end
end

-- ---- checks ----

local files = read_files()
local exists = {}
for _, file in ipairs(files) do exists[file.path] = true end

-- the file a #include "name" of 'path' means: beside it, or in one of the -I folders of premake5.lua
local function resolve(path, name)
  for _, folder in ipairs { path:match "^(.*)/" or ".", "core", "shaders/inc" } do
    local found = join(folder, name)
    if exists[found] then return found end
  end
end

local function check_includes(path, code)
  local row = first_row(C_ROWS, path)
  if not row then return end
  for n, line in lines(code) do
    local where = path .. ":" .. n
    local system, own = line:match "^%s*#%s*include%s*<([^>]+)>", line:match "^%s*#%s*include%s*\"([^\"]+)\""
    if system then check(row.system(system), where, "may not include <%s>", system) end
    if own then
      local file, allowed = resolve(path, own), false
      for _, pattern in ipairs(row.own) do allowed = allowed or (file and file:match(pattern)) end
      check(allowed, where, "may not include \"%s\"%s", own, file and "" or ", which is no file of the repository")
    end
  end
end

local function check_calls(path, bare)
  if not first_row(C_ROWS, path) or PROGRAMS[path] then return end
  for n, line in lines(bare) do
    for name in line:gmatch "([%a_][%w_]*)%s*%(" do
      check(not FORBIDDEN[name], path .. ":" .. n, "a library may not call %s()", name)
    end
  end
end

local function check_requires(path, text)
  local row = first_row(LUA_ROWS, path)
  if not row then return end
  for n, line in lines(text) do
    local code = line:gsub("%-%-.*", "")
    for name in code:gmatch "require%s*%(?%s*[\"']([^\"']+)[\"']" do
      check(row[2](name), path .. ":" .. n, "may not require \"%s\"", name)
    end
  end
end

local function check_file(path, text)
  local name = path:match "[^/]+$"
  local kind = name:match "%.(%w+)$"
  check(not text:find("/" .. "work/", 1, true), path, "names a path of the machine it was written on")
  if path:match "^tests/data/" then return end   -- made elsewhere
  check(not name:match "^utils?%f[%W]" and not name:match "^common%f[%W]" and not name:match "^misc%f[%W]" and
        not name:match "^helpers?%f[%W]", path, "a file is named after its subject")
  if set("c h inc def lua comp glsl")[kind] then
    local _, count = text:gsub("\n", "")
    check(count <= 900, path, "has %d lines, limit 900", count)
  end
  if kind == "c" or kind == "h" or kind == "inc" or kind == "def" then
    local code, bare = strip(text)
    check_includes(path, code)
    check_calls(path, bare)
  elseif kind == "lua" then
    check_requires(path, text)
  end
end

for _, file in ipairs(files) do check_file(file.path, file.text) end
table.sort(failures)
for _, failure in ipairs(failures) do print(failure) end
print(("%d passed, %d failed"):format(passed, #failures))
os.exit(#failures == 0)
