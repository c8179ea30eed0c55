-- readme.lua - README.md and docs/*.md: their commands and Lua snippets run, what they show is what these say.
--
-- The sh blocks of a document are one session of a shell, from the repository, as a person would type them: none may fail.  A
-- text block right after one shows what it says on standard output and standard error, "..." standing for anything; without one it
-- says something on standard output and nothing else.
--
-- A block after a line <!-- not run: why --> is skipped, so is one after <!-- needs: COMMAND --> where that is not installed
-- ("redis": a server for it listens at port $PORT).  The line after <!-- caption: FILE --> quotes the caption of that picture.
local lfs     = require "lfs"
local check   = require "check"
local command = require "tests.cli.command"
local server  = require "redis_server"

local SANITIZED = os.getenv "ASAN_OPTIONS" ~= nil
local SAID      = command.temporary .. "/said"               -- where sessions leave what their blocks said

local function lines_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

-- ---- blocks ------------------------------------------------------------------------------------------

-- Whether nothing but empty lines stands between two lines.
local function adjoin(lines, first, last)
  for i = first + 1, last - 1 do
    if lines[i] ~= "" then return false end
  end
  return true
end

-- The blocks of a document: { language, line, text, comment = what a comment before it says, shown = text of the text block after it }
local function blocks_of(lines)
  local blocks, open, ended = {}, nil, 0
  for i, line in ipairs(lines) do
    local language = line:match "^```(%w*)"
    if open and language == "" then
      open.text = table.concat(lines, "\n", open.line + 1, i - 1) .. "\n"
      local before = blocks[#blocks]
      if open.language == "text" and before and before.language == "sh" and adjoin(lines, ended, open.line) then before.shown = open.text end
      blocks[#blocks + 1] = open
      open, ended = nil, i
    elseif language then
      check.ok(not open, "a block inside another, line %d", i)
      open = { language = language, line = i, comment = (lines[i - 1] or ""):match "^<!%-%- (.-) %-%->$" or "" }
    end
  end
  check.ok(not open, "a block without its end")
  return blocks
end

-- ---- sh ----------------------------------------------------------------------------------------------

local redis          -- the server, once a document needs it

local function has(name)
  if name ~= "redis" then return (command.shell("command -v " .. name)) == 0 end
  redis = redis or server.start(command.temporary) or false
  return redis
end

-- Whether a block is to be run; says so where it is not.
local function runs(block, path)
  local name = ("%s:%d"):format(path, block.line)
  local why, needs = block.comment:match "^not run: (.*)$", block.comment:match "^needs: (.*)$"
  if why then check.ok(why ~= "", "%s: no reason", name)
  elseif needs and not has(needs) then check.skip(name, needs .. " is not installed")
  elseif block.language == "sh" and SANITIZED then check.skip(name, "it runs the plain build")
  else return true end
end

local function said(number, stream) return ("%s.%d.%s"):format(SAID, number, stream) end

local function read(path)
  local f <close> = io.open(path, "rb")
  return f and f:read "a"
end

-- As a person's shell would run them: without the paths of the tests.
local function script_of(blocks)
  local parts = { "unset LUA_PATH LUA_CPATH LUNETTE; set -e\n" }
  for i, block in ipairs(blocks) do
    parts[#parts + 1] = ("{\n%s} >'%s' 2>%s\n"):format(block.text, said(i, "out"), block.shown and "&1" or "'" .. said(i, "err") .. "'")
  end
  if redis then table.insert(parts, 1, ("export PORT=%d\n"):format(redis.port)) end
  return table.concat(parts)
end

-- "..." in a line is any text, alone in a line any number of lines.
local function matches(text, shown)
  local pattern = ("\n" .. shown):gsub("%p", "%%%0"):gsub("\n%%%.%%%.%%%.%f[\n]", ".-"):gsub("%%%.%%%.%%%.", "[^\n]-")
  return ("\n" .. text):find("^" .. pattern .. "$") ~= nil
end

-- One session of all blocks; the one that fails ends it.
local function run_session(blocks, path)
  local status, _, message = command.shell("sh '" .. command.write("session.sh", script_of(blocks)) .. "'")
  local last = 0
  while read(said(last + 1, "out")) do last = last + 1 end
  check.ok(last == #blocks and status == 0, "%s:%d: status %d, the session ends\n%s%s", path, (blocks[last] or blocks[1]).line, status, message,
           (read(said(last, "out")) or "") .. (read(said(last, "err")) or ""))
  for i = 1, last do
    local name, out, err = ("%s:%d"):format(path, blocks[i].line), read(said(i, "out")):gsub("\r\n", "\n"), read(said(i, "err")) or ""
    if blocks[i].shown then check.ok(matches(out, blocks[i].shown), "%s says\n%sand is shown as\n%s", name, out, blocks[i].shown)
    else check.ok(out ~= "" and err == "", "%s says %q, and on standard error %q", name, out, err) end
    os.remove(said(i, "out"))
    os.remove(said(i, "err"))
  end
end

-- ---- lua ---------------------------------------------------------------------------------------------

local function run_lua(text, name)
  local printed = {}
  local environment = setmetatable({ print = function (...)
    for _, v in ipairs { ... } do printed[#printed + 1] = tostring(v) end
  end }, { __index = _G, __newindex = function (_, global) error("global " .. global) end })
  local chunk, message = load(text, "=" .. name, "t", environment)
  if not check.ok(chunk, "%s", tostring(message)) then return end
  local ok, err = xpcall(chunk, debug.traceback)
  check.ok(ok, "%s", tostring(err))
  check.ok(#printed > 0, "%s prints nothing", name)
  for _, s in ipairs(printed) do check.ok(s ~= "" and s ~= "nil", "%s prints %q", name, s) end
end

-- ---- documents ---------------------------------------------------------------------------------------

local function check_captions(path, lines)
  local count = 0
  for i, line in ipairs(lines) do
    local picture = line:match "^<!%-%- caption: (.-) %-%->$"
    if picture then
      local status, out, err = command.run { "caption", picture }
      check.equal({ status, "> " .. out, err }, { 0, (lines[i + 1] or "") .. "\n", "" }, ("%s:%d"):format(path, i + 1))
      count = count + 1
    end
  end
  return count
end

local function check_document(path)
  local lines, session, count = lines_of(path), {}, 0
  for _, block in ipairs(blocks_of(lines)) do
    local code = block.language == "sh" or block.language == "lua"
    if code then count = count + 1 end
    if code and runs(block, path) then
      if block.language == "sh" then session[#session + 1] = block
      else run_lua(block.text, ("%s:%d"):format(path, block.line)) end
    end
  end
  if #session > 0 then run_session(session, path) end
  return count, check_captions(path, lines)
end

local blocks, captions = check_document "README.md"
check.ok(blocks >= 4 and captions >= 1, "README.md has %d blocks and %d captions", blocks, captions)
for name in lfs.dir "docs" do
  if name:find "%.md$" then check_document("docs/" .. name) end
end
if redis then redis:stop() end

check.finish()
