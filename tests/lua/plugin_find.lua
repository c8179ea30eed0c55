-- plugin_find.lua - where require looks for plugins, what core.plugins() and lunette.help say of them,
-- and that the generated types are those of the descriptors.
local core  = require "lunette.core"
local build = require "plugin_build"
local help  = require "lunette.help"

local check, equal = build.check, build.equal

local function quote(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

-- Runs Lua code in a process of its own, with LUNETTE_PLUGINS as given -> what it prints, without the last newline
local function run(plugins, code)
  local script = build.write(build.file "child.lua", code)
  local command = ("LUNETTE_PLUGINS=%s HOME=/nowhere %s %s 2>&1"):format(quote(plugins), quote(arg[-1]), quote(script))
  local pipe <close> = assert(io.popen(command))
  return (pipe:read "a":gsub("\n$", ""))
end

local first, second = build.file "first", build.file "second"
assert(os.execute(("mkdir -p %s %s"):format(quote(first), quote(second))))
local every = build.compile("tests/plugins/every.c", "every")
local function copy(to) assert(os.execute(("cp %s %s"):format(quote(every), quote(to)))) end
copy(first .. "/every.so")
copy(second .. "/every.so")
copy(second .. "/other.so")
build.write(first .. "/broken.so", "not a library")
build.write(first .. "/notes.txt", "not a plugin")

-- ---- require -----------------------------------------------------------------------------------

local CORE = 'local core = require "lunette.core" '
equal(run("", CORE .. 'print(pcall(require, "lunette.every") == false)'), "true", "a plugin that is nowhere")
local message = run(first .. "::/absent", CORE .. 'print(select(2, pcall(require, "lunette.nothing")))')
local tried = {}
for path in message:gmatch "\n\tno plugin '([^\n]*)'" do tried[#tried + 1] = path end
equal(tried[1], first .. "/nothing.so", "the first place")
equal(tried[2], "/absent/nothing.so", "the second place")
check(tried[3]:match "/plugins/nothing%.so$", "the third place, beside the module: %s", tried[3])
equal(tried[4], "/nowhere/.local/share/lunette/plugins/nothing.so", "the fourth place")
equal(tried[5], "/usr/lib/lunette/plugins/nothing.so", "the last place")
equal(#tried, 5, "places")
check(message:find("module 'lunette.nothing' not found", 1, true), "Lua's ordinary message: %s", message)
equal(run(first, CORE .. 'print(select(2, require "lunette.every"))'), first .. "/every.so", "the path that require returns")
equal(run(second .. ":" .. first, CORE .. 'print(select(2, require "lunette.every"))'), second .. "/every.so", "the first one found counts")
equal(run(first, CORE .. 'print(require "lunette.every" == core.load_plugin("' .. first .. '/every.so"))'), "true", "one table a plugin")
check(run(second, CORE .. 'print(pcall(require, "lunette.other"))'):find(second .. "/other.so is the plugin every, wanted other", 1, true),
      "a plugin under another name")
check(run(first, CORE .. 'print(pcall(require, "lunette.broken"))'):find(first .. "/broken.so: not a shared library of this machine", 1, true),
      "a file that is no plugin")
check(run(first, CORE .. 'print(pcall(require, "lunette.../x"))'):find("module 'lunette.../x' not found", 1, true), "a name that is none")
check(not run(first, CORE .. 'print(pcall(require, "every"))'):find("no plugin", 1, true), "only lunette.NAME is looked for")

-- ---- core.plugins() -------------------------------------------------------------------------------

local LIST = CORE .. [[
  if LOAD then require "lunette.every" end
  for _, p in ipairs(core.plugins()) do
    if p.path:find(PLACE, 1, true) then print(p.name, p.path, p.version, p.license, p.abi, p.loaded, p.refused) end
  end
]]
local function listed(load)
  return run(first .. ":" .. second, (LIST:gsub("LOAD", load):gsub("PLACE", function () return ("%q"):format(build.file "") end)))
end
equal(listed "false", table.concat({
  ("broken\t%s/broken.so\t\t\t0.0\tfalse\t%s/broken.so: not a shared library of this machine"):format(first, first),
  ("every\t%s/every.so\t1.2.3\tMIT\t1.0\tfalse\tnil"):format(first),
  ("every\t%s/other.so\t1.2.3\tMIT\t1.0\tfalse\tnil"):format(second),
}, "\n"), "plugins that can be found")
check(listed "true":find(("every\t%s/every.so\t1.2.3\tMIT\t1.0\ttrue\tnil"):format(first), 1, true), "one that is loaded")

-- ---- help -------------------------------------------------------------------------------------------

assert(core.load_plugin(every))
local text = help "every.echo"
for _, part in ipairs {
  "every.echo({ int =, num =, bool =, str =, list =, tensor = })", "echo of the test plugin",
  "int        integer >= -10 = 7  (optional) an integer", "list.strs  strings",
} do check(text:find(part, 1, true), "help of a function has no %q:\n%s", part, text) end
check(help "every.squares":find("every.squares(n)", 1, true), "help of a required argument")
check(help "every.open":find("nil, a message and a code", 1, true), "help of a function that may fail")
check(help "every.affine":find("local block = every.affine { ... }\nlocal y = block(x, [more])", 1, true), "help of a block")
check(help "every.counter":find("  :add({ by = })\n      counts on", 1, true), "help of a class: %s", help "every.counter")
check(help "every.counter:add":find("every.counter:add({ by = })", 1, true), "help of a method")
check(help "every":find("lunette.every 1.2.3 (MIT)", 1, true) and help "every":find("\n  squares ", 1, true), "help of a plugin")
check(help "sdpa":find("lunette.ops.sdpa(q, k, v, [mask], [rows])", 1, true), "help of an operation")
equal(help "lunette.layer", help "layer", "help of a block that is built in")
check(help "kv_cache":find("capacity", 1, true) and help "kv_cache":find("select", 1, true), "a class and its constructor of one name")
check(help():find("\nOperations\n", 1, true) and help():find("\n  layer ", 1, true), "help of everything")
build.raises('help: nothing is named "every.nothing"', help, "every.nothing")
build.raises('help: nothing is named "nothing"', help, "nothing")
build.raises('help: nothing is named ""', help, "")

-- ---- types --------------------------------------------------------------------------------------------

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

for _, name in ipairs { "", "vision", "text" } do
  local path = "lua/meta/" .. (name == "" and "lunette" or name) .. ".lua"
  local command = ("lua5.4 scripts/tools/meta.lua %s"):format(name)
  local pipe <close> = assert(io.popen((quote(arg[-1]) .. command:sub(#"lua5.4" + 1))))
  check(pipe:read "a" == read(path), "%s is out of date: %s > %s", path, command, path)
end

build.finish()
