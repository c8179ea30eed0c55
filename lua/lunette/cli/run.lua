-- cli/run.lua - lunette run SCRIPT ARGS: a Lua script with lunette's modules on its path.
local report = require "lunette.cli.report"
require "lunette"       -- so that a script may require a plugin first

local run = { summary = "Run a Lua script." }

function run.setup(parser)
  parser:argument("script", "A Lua file.")
  parser:argument("args", "Its arguments."):args "*"
end

function run.run(options)
  local chunk, message = loadfile(options.script)
  if not chunk then return report.fail(2, "%s", message) end
  arg = table.move(options.args, 1, #options.args, 1, { [0] = options.script })   -- luacheck: globals arg
  local ok, result = xpcall(chunk, debug.traceback, table.unpack(options.args))
  if not ok then
    io.stderr:write("lunette: ", tostring(result), "\n")
    return 1
  end
  return math.type(result) == "integer" and result or 0
end

return run
