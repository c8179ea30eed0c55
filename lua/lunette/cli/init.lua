-- cli/init.lua - the command: lunette COMMAND ...
--
-- A command is a module lunette.cli.NAME with 'summary', setup(parser) and
-- run(options) -> exit status; listed here, it exists.
local argparse = require "argparse"

local COMMANDS = { "caption", "tokenize", "info", "convert", "run" }

-- Exit status: 0 all done, 1 some inputs failed, 2 usage, 3 model or device could not be opened.
local USAGE = 2

local function build()
  local parser = argparse("lunette", "Captions pictures, and runs vision and text models in Lua.")
  parser:add_help(true)
  parser:flag("--version", "Print the version and exit."):action(function ()
    print("lunette " .. require "lunette.core".version)
    os.exit(0)
  end)
  parser:command_target "command"
  parser:require_command(true)
  for _, name in ipairs(COMMANDS) do
    local command = require("lunette.cli." .. name)
    command.setup(parser:command(name, command.summary):add_help(true))
  end
  return parser
end

-- main(args) -> exit status
local function main(args)
  local list = {}
  for i = 1, #args do list[i] = args[i] end
  if list[1] == "run" and list[2] and list[2]:sub(1, 1) ~= "-" then     -- what follows the script is the script's
    return require "lunette.cli.run".run { script = list[2], args = table.move(list, 3, #list, 1, {}) }
  end
  local parser = build()
  local ok, options = parser:pparse(list)
  if not ok then
    io.stderr:write("lunette: ", options, "\n", "Try: lunette --help\n")
    return USAGE
  end
  return require("lunette.cli." .. options.command).run(options)
end

return { main = main }
