-- job_example.lua - records, folders and bytes that the tests of a job's outputs share.
local luv     = require "luv"
local sqlite  = require "lunette.sqlite"
local outputs = require "lunette.job.outputs"

local M = {}

-- An empty folder of that name in the test's own.
function M.folder(name)
  local path = (os.getenv "TMPDIR" or "/tmp") .. "/" .. name
  assert(luv.fs_mkdir(path, 511))
  return path
end

function M.write(name, bytes)
  local f <close> = assert(io.open(name, "wb"))
  assert(f:write(bytes))
end

-- The bytes of a file, nil if there is none.
function M.read(name)
  local f <close> = io.open(name, "rb")
  return f and f:read "a"
end

-- Names that a format could stumble over.
M.NAMES = { "plain.jpg", "two\nlines.jpg", "quote\".jpg", "comma,.jpg", "\xff\xfe.jpg", "cr\r\n.jpg", "a\\b.jpg", "\u{e9}.jpg", " .jpg", "tab\t.jpg",
            "=1+1.jpg", "'.jpg", ("n"):rep(251) .. ".jpg", "no suffix", ".jpg" }

-- Record number i of a job; every fifth failed.
function M.record(i, folder)
  local file = (folder or "album/") .. M.NAMES[(i - 1) % #M.NAMES + 1]
  if i > #M.NAMES then file = file:gsub("[^/]*$", i .. "%0"):sub(1, #(folder or "album/") + 255) end
  if i % 5 == 0 then
    return { id = i, position = i, file = file, error = ("%s: truncated file, \"byte\" %d"):format(file, i), stage = "decode" }
  end
  return { id = i, position = i, file = file, text = ("a \"dog\", number %d"):format(i), ids = { 1, i, 50256 }, score = -i / 7,
           sequences = i % 3 == 0 and { { text = "a dog", ids = { 1 }, score = -0.5 }, { text = "\u{e9}\n", ids = {}, score = -1.25 } } or nil }
end

-- records(n) as an output asks for it: those of a list with position > n.
function M.records(list)
  return function (n)
    local i = 0
    return function ()
      repeat i = i + 1 until not list[i] or list[i].position > n
      return list[i]
    end
  end
end

-- What an output says, as one string; nil if there is none.
function M.contents(name)
  if not name:find "%.db$" or not luv.fs_stat(name) then return M.read(name) end
  local db <close> = assert(sqlite.open(name))
  if not db:row "SELECT name FROM sqlite_master WHERE name = 'captions'" then return "" end
  local lines = {}
  for r in db:rows "SELECT id, file, typeof(file) AS type, text, ids, score, error, stage FROM captions ORDER BY id" do
    lines[#lines + 1] = ("%d|%s|%s|%s|%s|%s|%s|%s"):format(r.id, r.file, r.type, r.text, r.ids, r.score, r.error, r.stage)
  end
  return table.concat(lines, "\n")
end

-- Opens an output and brings it to its mark; a new one gets its first mark, as the job does before it writes.  Returns the
-- output, its mark, and whether it was written again up to the last record of 'list'.
function M.start(name, mark, list, settings)
  settings = settings or {}
  settings.mark = mark
  local output, message = assert(outputs.kind(name)).open(name, settings)
  if not output then return nil, message end
  local ok, again = output:resume(mark, M.records(list or {}))
  if not ok then
    output:close()
    return nil, again
  end
  return output, again or mark or assert(output:flush()), again ~= nil
end

return M
