-- job_same.lua - the same captions whatever the batch size, workers, threads and order of a job.
local check   = require "check"
local command = require "tests.cli.command"
local album   = require "tests.cli.album"

local equal = check.equal

local FOLDER = "photos"
album.make(FOLDER)
for i = 5, 12 do album.put(album.NAMES[i % 4 + 1], ("%s/e%02d"):format(FOLDER, i)) end
album.write(FOLDER .. "/f.png", "\137PNG\r\n\26\nno more")

local function lines_of(...)
  local status, out, err = album.caption("--out", "now.jsonl", "--quiet", ...)
  equal({ status, out, #command.lines(err) }, { 1, "", 1 }, "a run with one broken picture")
  local text = album.read "now.jsonl"
  album.remove "now.jsonl*"
  return text
end

local CASES = album.SANITIZED and { { "2", "2", "3" } } or
  { { "1", "1", "3" }, { "1", "2", "8" }, { "2", "1" }, { "2", "1", "3" }, { "3", "1", "1" }, { "3", "2", "8" } }

for _, beams in ipairs { "1", "3" } do
  local wanted = lines_of("--num-beams", beams, "--ordered", "--batch-size", "1", FOLDER)
  equal(#command.lines(wanted), 13, "lines")
  for _, case in ipairs(CASES) do
    local words = { "--num-beams", beams, "--workers", case[1], "--threads", case[2] }
    if case[3] then table.move({ "--batch-size", case[3] }, 1, 2, #words + 1, words) end
    local what = table.concat(words, " ")
    words[#words + 1] = FOLDER
    equal(lines_of("--ordered", table.unpack(words)), wanted, what .. " --ordered")
    if case[1] == "2" then equal(album.sorted(lines_of(table.unpack(words))), album.sorted(wanted), what) end
  end
  local names = {}
  for line in wanted:gmatch "[^\n]+" do table.insert(names, 1, line:match '"file":"([^"]*)"') end
  local list = album.write("list.txt", table.concat(names, "\n") .. "\n")
  local backwards = lines_of("--num-beams", beams, "--ordered", "--workers", "2", "@" .. list)
  equal(backwards:match '"file":"([^"]*)"', names[1], "the order is that of the list")
  equal(album.sorted(backwards), album.sorted(wanted), "input order")
end

if album.SANITIZED then
  check.skip("lunette-mini", "slow with AddressSanitizer")
  check.finish()
end

-- The captioner that comes with it, on photos.
local function mini(...)
  local words = { "caption", "--model", album.ROOT .. "/models/lunette-mini", album.ROOT .. "/models/examples", "--ordered", "--quiet",
        "--out", "m.jsonl", ... }
  equal({ command.run(words) }, { 0, "", "" }, "lunette-mini")
  local text = album.read "m.jsonl"
  album.remove "m.jsonl*"
  return text
end
local wanted = mini("--batch-size", "1")
equal(#command.lines(wanted), 4, "examples")
equal(mini("--workers", "2", "--threads", "1", "--batch-size", "3"), wanted, "lunette-mini: two workers, batches of 3")

check.finish()
