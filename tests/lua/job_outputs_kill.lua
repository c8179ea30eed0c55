-- job_outputs_kill.lua - runs that are killed, at any byte and between any two steps, leave in every output what an undisturbed
-- run writes; what somebody else wrote there is told.
local luv     = require "luv"
local sqlite  = require "lunette.sqlite"
local outputs = require "lunette.job.outputs"
local check   = require "check"
local example = require "job_example"

local equal  = check.equal
local folder = example.folder "kill"
local read, write, contents, start = example.read, example.write, example.contents, example.start

local LIST = {}
for i = 1, 30 do
  local r = example.record(i, folder .. "/")
  LIST[i] = utf8.len(r.file) and not r.file:find "\\" and r or { id = i, position = i, file = r.file, error = "no name", stage = "read" }
end
luv.fs_fsync = function () return true end      -- the machine does not go down here, only processes: many times as fast

local function slice(from, to) return { table.unpack(LIST, from, to) } end

-- Kinds, and what is there before the job that adds to it.
local CASES = {
  { "a.jsonl" }, { "a.csv" }, { "metadata.jsonl" }, { "a.db" },
  { "b.jsonl", "{\"file\":\"old\"}" }, { "b.csv", "file,text,score,error,stage\r\nold,,,,\r\n" },
}

local function prepare(case)
  local name = folder .. "/" .. case[1]
  luv.fs_unlink(name)
  if case[2] then write(name, case[2]) end
  return name, { append = case[2] ~= nil }
end

local WHOLE = {}
for _, case in ipairs(CASES) do
  local name, settings = prepare(case)
  local output = assert(start(name, nil, {}, settings))
  assert(output:write(LIST))
  assert(output:flush())
  output:close()
  WHOLE[case[1]] = contents(name)
end

-- Brings it to 'mark' of a job that has 'list', and goes on from record 'position'; the end must be WHOLE.
local function finish(case, name, mark, position, settings, what)
  local output, message, again = start(name, mark, LIST, settings)
  if not check.ok(output, "%s: %s", what, message) then return end
  if again then position = #LIST end
  assert(output:write(slice(position + 1, #LIST)))
  assert(output:flush())
  output:close()
  check.ok(contents(name) == WHOLE[case[1]], "%s: the end is another one", what)
end

-- ---- every byte of the last flush ---------------------------------------------------------------------------

for _, case in ipairs(CASES) do
  for _, k in ipairs { 0, 11 } do                    -- at a new file, and in the midst of it
    if case[1] ~= "a.db" then
      local name, settings = prepare(case)
      local output, mark = assert(start(name, nil, {}, settings))
      if k > 0 then
        assert(output:write(slice(1, k)))
        mark = assert(output:flush())
      end
      local at_mark = read(name) or ""
      assert(output:write(slice(k + 1, k + 4)))
      output:close()
      local tail = read(name):sub(#at_mark + 1)
      for length = 0, #tail do
        write(name, at_mark .. tail:sub(1, length))
        output = assert(start(name, mark, LIST, settings))
        output:close()
        if read(name) ~= at_mark then check.ok(false, "%s cut %d bytes after record %d is not as its mark says", case[1], length, k) end
      end
      equal(read(name) == at_mark, true, case[1] .. " at its mark")
      finish(case, name, mark, k, settings, case[1])

      local told = 0
      for length = 1, #tail do                       -- the last byte is somebody else's
        write(name, at_mark .. tail:sub(1, length - 1) .. "\1")
        local got, message = start(name, mark, LIST, settings)
        local want = ("%s: byte %d is not what the job wrote there: move the file away, and it is written again"):format(name, #at_mark + length)
        if got == nil and message == want then told = told + 1 end
      end
      equal(told, #tail, case[1] .. ": changes that are told")
      write(name, at_mark .. tail .. "more")
      local got, message = start(name, mark, slice(1, k + 4), settings)
      check.ok(not got and message:find(("byte %d is not"):format(#at_mark + #tail + 1), 1, true), "more than the job wrote: %s", message)
    end
  end
end

-- ---- files that are gone, shorter, moved or changed ------------------------------------------------------------

for _, case in ipairs(CASES) do
  local name, settings = prepare(case)
  local output = assert(start(name, nil, {}, settings))
  assert(output:write(slice(1, 11)))
  local mark = assert(output:flush())
  output:close()
  local at_mark = read(name)

  luv.fs_unlink(name)
  local got, new, again = start(name, mark, slice(1, 11), settings)
  check.ok(again, "%s that was gone is not said to be written again", case[1])
  got:close()
  if case[2] then                                  -- what was before the job is lost
    equal(contents(name):find "old", nil, "what was there")
  else
    finish(case, name, new, 11, settings, case[1] .. " that was gone")
  end

  if case[1] ~= "a.db" then
    write(name, at_mark:sub(1, -2))
    got, new, again = start(name, mark, slice(1, 11), settings)
    got:close()
    check.ok(again and read(name) == at_mark, "%s that was cut short", case[1])
    finish(case, name, new, 11, settings, case[1] .. " that was cut short")
  end
  check.fails(name .. ": the job file says \"x\" of it, which is no mark", nil, outputs.kind(name).open(name, { mark = "x" }))
end

-- ---- databases of several jobs -------------------------------------------------------------------------------------

do
  local name = folder .. "/two.db"
  local one = assert(start(name))
  assert(one:write(slice(1, 5)))
  local mark = assert(one:flush())
  assert(one:write(slice(6, 7)))
  one:close()                                      -- not flushed
  local db <close> = assert(sqlite.open(name))
  local function count() return db:row "SELECT count(*) AS n FROM captions".n end
  equal(count(), 5, "rows of a run that was killed")
  local two = assert(start(name, nil, {}, { append = true }))
  one = assert(start(name, mark, LIST))
  assert(two:write(slice(1, 3)))
  check.fails("two.db: database is locked", "busy", (function ()
    local third <close> = assert(sqlite.open(name))
    return third:exec "BEGIN IMMEDIATE"
  end)())
  assert(two:flush())
  equal(count(), 8, "rows of two jobs")
  local MESSAGE = name .. " has captions of another job after those of this one: move it away, and it is written again"
  check.fails(MESSAGE, nil, one:write(slice(6, 7)))
  check.fails(MESSAGE, nil, one:flush())
  one:close()
  check.fails(MESSAGE, nil, start(name, mark, LIST))
  assert(two:write(slice(4, 5)))
  assert(two:flush())
  two:close()
  equal(count(), 10, "rows of two jobs")
  assert(db:exec "DELETE FROM lunette_jobs")
  check.fails(MESSAGE, nil, start(name, mark, LIST))
end

-- ---- a job at random: commits, writes, flushes, kills, rebuilds ----------------------------------------------------------

-- One job from its start to its end.  'job' is what the job file has: how many records, the mark, and its position.
local function random_job(case, seed)
  math.randomseed(seed)
  local name, settings = prepare(case)
  local job = { size = 0, position = 0 }
  local output, written, pending
  local function kill()
    if output then output:close() end
    output, pending = nil, nil
    local base, bytes = (job.mark or ""):match "^(%d+) (%d+) "
    local size = luv.fs_stat(name) and luv.fs_stat(name).size or 0
    if case[1] ~= "a.db" and base and size > tonumber(bytes) and math.random(2) == 1 then      -- not all of it came to the disk
      local fd = assert(luv.fs_open(name, "r+", 0))
      assert(luv.fs_ftruncate(fd, math.random(tonumber(bytes), size)))
      luv.fs_close(fd)
    end
  end
  local function run()
    local mark, again
    output, mark, again = start(name, job.mark, slice(1, job.size), settings)
    if not output then error(("%s, seed %d: %s"):format(case[1], seed, mark)) end
    written = again and job.size or job.position
    pending = { mark, written }
    if math.random(4) == 1 then return kill() end      -- before the first mark is in the job file
    job.mark, job.position = mark, written
  end
  for _ = 1, 40 do
    if not output then run() end
    local step = output and math.random(10) or 0
    if step == 1 then kill()
    elseif step == 2 then                              -- rebuilt, and killed before or after that is in the job file
      local mark = assert(output:rebuild(example.records(slice(1, job.size))))
      written, pending = job.size, nil
      if math.random(2) == 1 then kill() else job.mark, job.position = mark, written end
    elseif step > 2 then
      if step > 6 then job.size = math.min(job.size + math.random(0, 3), #LIST) end
      if pending then job.mark, job.position = table.unpack(pending) end          -- one commit: results and the last marks
      if step > 4 then
        assert(output:write(slice(written + 1, job.size)))
        written = job.size
      end
      if step ~= 6 then pending = { assert(output:flush()), written } end
    end
  end
  kill()
  job.size = #LIST
  finish(case, name, job.mark, job.position, settings, ("%s, seed %d"):format(case[1], seed))
end

for _, case in ipairs(CASES) do
  for seed = 1, case[1] == "a.db" and 12 or 60 do random_job(case, seed) end
end

check.finish()
