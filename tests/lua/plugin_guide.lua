-- plugin_guide.lua - the plugin of docs/plugins.md compiles with the line given there, and its Lua prints what it says.
local build = require "plugin_build"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local guide = read "docs/plugins.md"
local function block(language) return assert(guide:match("\n```" .. language .. "\n(.-)\n```"), language) end

build.write(build.file "color.c", block "c" .. "\n")
local folder = build.file "":gsub("/$", "")
local line = block "sh":gsub("%f[%w]color%.%w+", folder .. "/%0") .. " -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror"
build.check(os.execute(line), "the compiler line fails: %s", line)

local script = build.write(build.file "guide.lua", block "lua" .. "\n")
local command = ("LUNETTE_PLUGINS='%s' '%s' '%s' 2>&1"):format(folder, arg[-1], script)
local pipe <close> = assert(io.popen(command))
for expected in block "lua":gmatch "print[^\n]*%-%- ([^\n]+)" do build.equal(pipe:read(), expected, "a line of the guide's script") end
build.equal(pipe:read(), "color.mean(image, { scale = })", "help")
pipe:read "a"
build.check(pipe:close(), "the guide's script fails")

build.finish()
