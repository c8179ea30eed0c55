--[[
album.lua - a folder to work in with small pictures, and what a job made of them; the working directory is that folder.

  local album = require "tests.cli.album"
  album.make "photos"                     photos/, with a JPEG, a PNG, a WebP and a GIF: album.NAMES
  album.caption("photos", ...)            -> exit status, standard output, standard error of lunette caption with a small model
  album.records "captions.jsonl"          -> its objects
]]
local lfs     = require "lfs"
local json    = require "lunette.json"
local command = require "tests.cli.command"

local root = lfs.currentdir()

local M = { MODEL = root .. "/tests/data/fixtures/ved_vit_gpt2", ROOT = root, NAMES = { "a.jpg", "b.png", "c.webp", "d.gif" } }

-- Pictures by the names that they get.
M.SOURCES = {
  ["a.jpg"]  = "tests/data/exif/Landscape_6.jpg",
  ["b.png"]  = "tests/data/png/primary/basn2c08.png",
  ["c.webp"] = "tests/data/webp/lossy_63x41.webp",
  ["d.gif"]  = "tests/data/gif/plain.gif",
}

-- Whether the command is the one built with AddressSanitizer: slow, and unable to live with a limit of memory.
M.SANITIZED = os.getenv "LUNETTE":find("/build-asan/", 1, true) ~= nil

assert(lfs.mkdir(command.temporary .. "/job"))
assert(lfs.chdir(command.temporary .. "/job"))

-- The bytes of a file, nil if there is none.
function M.read(path)
  local f <close> = io.open(path, "rb")
  return f and f:read "a"
end

function M.write(path, bytes)
  local f <close> = assert(io.open(path, "wb"))
  assert(f:write(bytes))
  return path
end

-- The picture of a name of album.NAMES at a path.
function M.put(name, path) return M.write(path, assert(M.read(root .. "/" .. M.SOURCES[name]))) end

function M.make(folder)
  assert(lfs.mkdir(folder))
  for _, name in ipairs(M.NAMES) do M.put(name, folder .. "/" .. name) end
  return folder
end

-- Away with files and folders by patterns of the shell, of this folder.
function M.remove(patterns) assert(os.execute("rm -rf -- " .. patterns)) end

function M.caption(...) return command.run { "caption", "--model", M.MODEL, ... } end
function M.job(...) return command.run { "job", ... } end

-- Of a file of JSON lines; each line must end.
function M.records(path)
  local list = command.lines(assert(M.read(path), path))
  for i, line in ipairs(list) do list[i] = assert(json.decode(line, path)) end
  return list
end

-- Files and what they say, in the order they have there: "a.jpg: text" or "a.jpg: stage: error".
function M.say(path)
  local list = {}
  for i, r in ipairs(M.records(path)) do list[i] = r.file .. ": " .. (r.text or r.stage .. ": " .. r.error) end
  return list
end

-- The lines of a text in order of their bytes.
function M.sorted(text)
  local list = command.lines(text)
  table.sort(list)
  return table.concat(list, "\n")
end

return M
