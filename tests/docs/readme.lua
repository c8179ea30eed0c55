-- readme.lua - README.md and docs/*.md: their commands and Lua snippets run, captions they quote are what the command says.
--
-- A block after a line <!-- not run: why --> is skipped; the line after
-- <!-- caption: FILE --> quotes the caption of that picture.
local lfs     = require "lfs"
local check   = require "check"
local command = require "tests.cli.command"

local SANITIZED = os.getenv "ASAN_OPTIONS" ~= nil

local function lines_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end

-- The sh and lua blocks of a document: { language =, line =, text =, skipped = why or nil }
local function blocks_of(lines)
  local blocks, open = {}, nil
  for i, line in ipairs(lines) do
    local language = line:match "^```(%w*)"
    if open and language == "" then
      if open.language == "sh" or open.language == "lua" then blocks[#blocks + 1] = open end
      open.text = table.concat(lines, "\n", open.line + 1, i - 1) .. "\n"
      open = nil
    elseif language then
      check.ok(not open, "a block inside another, line %d", i)
      open = { language = language, line = i, skipped = (lines[i - 1] or ""):match "^<!%-%- not run: (.-) %-%->$" }
    end
  end
  check.ok(not open, "a block without its end")
  return blocks
end

local run = {}

-- As a person's shell would run them: without the paths of the tests.
function run.sh(text, name)
  if SANITIZED then return check.skip(name, "it runs the plain build") end
  for line in text:gmatch "[^\n]+" do
    local status, out, err = command.shell("unset LUA_PATH LUA_CPATH LUNETTE\n" .. line)
    check.ok(status == 0 and out ~= "" and err == "", "%s: %s: status %d\n%s%s", name, line, status, out, err)
  end
end

function run.lua(text, name)
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
  local lines = lines_of(path)
  local blocks = blocks_of(lines)
  for _, block in ipairs(blocks) do
    local name = ("%s:%d"):format(path, block.line)
    if block.skipped then check.ok(block.skipped ~= "", "%s: no reason", name)
    else run[block.language](block.text, name) end
  end
  return #blocks, check_captions(path, lines)
end

local blocks, captions = check_document "README.md"
check.ok(blocks >= 4 and captions >= 1, "README.md has %d blocks and %d captions", blocks, captions)
for name in lfs.dir "docs" do
  if name:find "%.md$" then check_document("docs/" .. name) end
end

check.finish()
