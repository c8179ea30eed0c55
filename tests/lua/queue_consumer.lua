-- queue_consumer.lua - a job that pretends to caption, for queue_campaign.lua to kill: it keeps its results as the real
-- one does, commits before it confirms and writes after, and takes its time wherever being killed could hurt.
local luv   = require "luv"
local queue = require "lunette.job.queue"

local function read(path)
  local f <close> = io.open(path, "rb")
  return f and f:read "a" or ""
end

local function linger(most) luv.sleep(math.random(0, most)) end

-- Appends a line in two pieces, so that some lines are torn.
local function append(path, line)
  local f <close> = assert(io.open(path, "ab"))
  f:setvbuf "no"
  local half = #line // 2
  f:write(line:sub(1, half))
  linger(2)
  f:write(line:sub(half + 1), "\n")
end

local function record_of(item, owner)
  if item.error then return { file = item.file, error = item.error, stage = item.stage } end
  if item.file:find "bad" then return { file = item.file, error = "cut off", stage = "decode" } end
  return { file = item.file, text = ("%s by %s"):format(item.file, owner), ids = { 1, 2 }, score = -0.5 }
end

local function line_of(record) return record.file .. "\t" .. (record.text or record.error) end

-- The results in the job file, without the torn end that is cut off; list of { key =, record = }.
local function committed(path, owner)
  local text = read(path)
  local whole = text:match "^.*\n" or ""
  if #whole < #text then
    local f <close> = assert(io.open(path .. ".new", "wb"))
    f:write(whole)
    f:close()
    assert(os.rename(path .. ".new", path))
  end
  local list = {}
  for key, file, wrong, stage in whole:gmatch "([^\t]+)\t([^\t]+)\t([^\t]*)\t([^\n]*)\n" do
    list[#list + 1] = { key = key, record = record_of({ file = file, error = wrong ~= "" and wrong or nil, stage = stage }, owner) }
  end
  return list
end

-- Brings the output to what the job file and the queue say, whatever it holds.
local function restore(source, job, out)
  local list = committed(job, source.owner)
  local mine = assert(source:confirm(list, true))
  linger(10)
  local f <close> = assert(io.open(out .. ".new", "wb"))
  for i, item in ipairs(list) do
    if mine[i] then f:write(line_of(item.record), "\n") end
  end
  f:close()
  assert(os.rename(out .. ".new", out))
end

-- Takes some messages and sees them through.
local function work(source, job, out)
  local items = assert(source:next(math.random(1, 5), 20))
  local list = {}
  for i, item in ipairs(items) do
    linger(100)
    assert(source:beat())
    local record = record_of(item, source.owner)
    append(job, ("%s\t%s\t%s\t%s"):format(item.key, item.file, item.error or "", item.stage or ""))
    list[i] = { key = item.key, record = record }
  end
  linger(10)
  local mine = assert(source:confirm(list, true))
  linger(10)
  for i, item in ipairs(list) do
    if mine[i] then append(out, line_of(item.record)) end
  end
end

-- The server may be away at this very moment, and opening does not wait for it.
local function open(url, options)
  for _ = 1, 200 do
    local source, message = queue.open(url, options)
    if source then return source end
    io.stderr:write("waiting: ", message, "\n")
    luv.sleep(50)
  end
  error "the server did not come back"
end

local function drained(source)
  local done, left = source:drained()
  assert(done ~= nil, left)
  return done
end

-- Drains the queue; 'folder' is where the job file and the output of 'owner' are.
local function drain(url, folder, owner, claim_after, seed)
  math.randomseed(seed)
  local job, out = folder .. "/job", folder .. "/out"
  local source <close> = open(url, { owner = owner, claim_after = claim_after, patience = 60 })
  restore(source, job, out)
  while not drained(source) do work(source, job, out) end
end

return { drain = drain, read = read }
