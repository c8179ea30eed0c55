-- command.lua - runs the command under test as a person does, from the shell.
local command = assert(os.getenv "LUNETTE", "LUNETTE is not set: the path of the command to test")
local temporary = os.getenv "TMPDIR" or "/tmp"

local M = { temporary = temporary }

local function quote(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

function M.write(name, text)
  local path = temporary .. "/" .. name
  local f <close> = assert(io.open(path, "wb"))
  assert(f:write(text))
  return path
end

local function take(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read "a"
end

-- shell(line [, input]) -> exit status, stdout, stderr of a line of shell in which $LUNETTE is the command
function M.shell(line, input)
  local from = input and quote(M.write("stdin", input)) or "/dev/null"
  local out, err = temporary .. "/stdout", temporary .. "/stderr"
  local _, how, status = os.execute(("{ %s\n} <%s >%s 2>%s"):format(line, from, quote(out), quote(err)))
  if how == "signal" then status = 128 + status end
  return status, take(out), take(err)
end

-- run({ word, ... } [, input]) -> exit status, stdout, stderr
function M.run(words, input)
  local list = { quote(command) }
  for i, word in ipairs(words) do list[i + 1] = quote(word) end
  return M.shell(table.concat(list, " "), input)
end

-- The lines of a text, each of which must end.
function M.lines(text)
  local list = {}
  for line in text:gmatch "([^\n]*)\n" do list[#list + 1] = line end
  if text ~= "" and text:sub(-1) ~= "\n" then list[#list + 1] = "(a line without its end)" end
  return list
end

-- A copy of a picture under another name; returns its path.
function M.copy(source, name) return M.write(name, take(source)) end

return M
