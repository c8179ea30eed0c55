-- cli/init.lua - the command: lunette COMMAND ...
--
-- A command is a module lunette.cli.NAME with 'summary', setup(parser) and
-- run(options) -> exit status, or nil, message for wrong usage; listed here, it exists.  'hidden': people are not told.
local argparse = require "argparse"

local COMMANDS = { "caption", "tokenize", "info", "convert", "run", "job", "worker" }

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
    command.setup(parser:command(name, command.summary):add_help(true):hidden(command.hidden == true))
  end
  return parser
end

local function is_command(word)
  for _, name in ipairs(COMMANDS) do
    if name == word then return true end
  end
  return false
end

-- "--length-penalty -1" as one word: argparse would take the number for an option.  "-0" is one (--null).
local function with_negatives(args)
  local list = {}
  for _, word in ipairs(args) do
    local before = list[#list] or ""
    if word:find "^%-%.?%d" and word ~= "-0" and before:find "^%-%-[^=]+$" then list[#list] = before .. "=" .. word
    else list[#list + 1] = word end
  end
  return list
end

-- main(args) -> exit status
local function main(args)
  if args[1] == "run" and args[2] and args[2]:sub(1, 1) ~= "-" then     -- what follows the script is the script's
    return require "lunette.cli.run".run { script = args[2], args = table.move(args, 3, #args, 1, {}) }
  end
  local function refuse(message)
    io.stderr:write("lunette: ", message, "\nTry: lunette ", is_command(args[1]) and args[1] .. " " or "", "--help\n")
    return USAGE
  end
  local ok, options = build():pparse(with_negatives(args))
  if not ok then return refuse(options) end
  local status, message = require("lunette.cli." .. options.command).run(options)
  return status or refuse(message)
end

return { main = main }
