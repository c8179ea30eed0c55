--[[
job/queue.lua - many machines drain one Redis Stream, and record each input exactly once.

A queue redis://HOST/STREAM is five keys, made as they are needed:

  STREAM            messages, each with the field 'file' (and 'problem', of a folder that could not be listed); read by
                    one consumer group, "lunette"; a message that is settled is deleted
  STREAM:inputs     set of the paths that were ever enqueued, so that none is twice
  STREAM:owners     hash: message id -> who recorded it
  STREAM:results    stream of file, text, ids, score         } if asked for
  STREAM:failures   stream of file, error, stage             }

Anybody may XADD messages, XREAD or XTRIM the last two, and DEL all five when the work is over: until then inputs and
owners grow by some 200 bytes an input.  On a Redis Cluster the five are in one place if the name has braces: {photos}.
Redis 7.0 or newer, which keeps what it is told: appendonly yes, appendfsync always, maxmemory-policy noeviction.

Exactly once.  An input is recorded by its owner only, and the first who finishes it becomes its owner, in one step on
the server (scripts.CONFIRM).  A consumer is a process with a job file; 'me' stands in that file, so it is the same after
a restart.  The order is:  (1) commit the result in the job file,  (2) confirm,  (3) write outputs if the answer is true.
What can happen to a message that A was given:

  A dies before (1).      The message stays pending; after claim_after without a beat somebody takes it over.
  A dies between 1 and 2. The same, and A, when it runs again, confirms what its job file holds.  Whoever confirms
                          first owns it, A or B; the other is told false and drops its result.
  A dies inside (2),      A cannot know whether it became the owner.  It asks again: an owner is never replaced, so
  or the answer is lost.  the answer is what it was or would have been, and no result is added twice, because that is
                          done in the step that makes the owner.
  A dies between 2 and 3, A asks again, hears true again, and brings its outputs to what the job file holds.  Nobody else
  or inside (3).          can have recorded it: the message has an owner.
  A never comes back      The result is in STREAM:results and in A's job file, not in any output of the others.  That
  after (2).              is the price of never twice; 'lunette job export' reads it from the job file.
  A sleeps (stopped, no   B takes the message over.  A wakes up and works on: its beat leaves B the message (scripts.BEAT),
  network, a long pause)  and the first to confirm owns it.  If B finished long ago, A's message is neither pending nor
                          in the stream, but its owner is still known: false.  B dies as well: C takes it, likewise.
  A is given a message    It is one of its own that was pending for claim_after, or one it had before a restart.  The
  that it knows           first is left out here (source.held), the second the job file must know by its key.
  The server dies.        Consumers wait for it to come back (link.lua).  What it forgot never happened: nothing with
                          appendfsync always; with everysec, or after a failover, the last second's owners, and those
                          messages are done again by somebody, who records them once more.
  The server was away.    Every message has been idle meanwhile.  Nobody claims for claim_after once it is back, while
                          those who live beat.

Two processes with the same 'me' would both be told true: a copy of a job file must not run on a second machine.
]]
local luv     = require "luv"
local redis   = require "lunette.redis"
local link    = require "lunette.job.queue.link"
local scripts = require "lunette.job.queue.scripts"
local url     = require "lunette.job.queue.url"

local queue = {}

local GROUP   = "lunette"
local LONGEST = 4096            -- bytes of a path, PATH_MAX of Linux
local BATCH   = 1000            -- paths enqueued at a time
local BATCH_BYTES = 1 << 20
local WAIT    = 2000            -- ms: the most that next() waits, far below what a call may take
local GIVEN_BACK = 30 * 24 * 3600 * 1000        -- ms of idleness that anybody takes for silence
local SILENT  = 10              -- times claim_after: a consumer with nothing pending and silent so long is removed

local function seconds() return luv.hrtime() / 1e9 end

local function run(server, script, keys, ...)
  local words = { script, #keys, table.unpack(keys) }
  table.move({ ... }, 1, select("#", ...), #words + 1, words)
  return server:ask("EVAL", table.unpack(words))
end

local function strange(server, command)
  return nil, ("%s: strange answer to %s"):format(server.place.name, command), "redis"
end

-- ---- messages ------------------------------------------------------------------------------

-- { name, value, ... } -> { [name] = value }, the first of each name
local function fields_of(list)
  local fields = {}
  for i = 1, #list - 1, 2 do
    if fields[list[i]] == nil then fields[list[i]] = list[i + 1] end
  end
  return fields
end

-- What makes a message no input; nil if nothing.
local function flaw(file)
  if type(file) ~= "string" then return "has no field file" end
  if file == "" then return "names no file" end
  if #file > LONGEST then return ("names a file of %d bytes, at most %d"):format(#file, LONGEST) end
  if file:find("\0", 1, true) then return "names a file with a NUL byte" end
end

-- An entry of the stream -> { key =, file = }, with error and stage if there is nothing to read.
local function message_of(stream, id, list)
  local fields = fields_of(list)
  local wrong = flaw(fields.file)
  if wrong then
    return { key = id, file = stream .. ":" .. id, error = ("message %s of %s %s"):format(id, stream, wrong), stage = "list" }
  end
  local item = { key = id, file = fields.file }
  if type(fields.problem) == "string" then item.error, item.stage = fields.problem, "list" end
  return item
end

-- Appends the messages of a list of entries { id, fields } that are not held already; false if it is no such list.
local function take(source, entries, items)
  if type(entries) ~= "table" then return false end
  for _, entry in ipairs(entries) do
    local id, list = table.unpack(type(entry) == "table" and entry or {})
    if type(id) ~= "string" or type(list) ~= "table" then return false end
    if not source.held[id] then
      source.held[id] = true
      items[#items + 1] = message_of(source.stream, id, list)
    end
  end
  return true
end

-- ---- the source ------------------------------------------------------------------------------

local Source = {}
Source.__index = Source

-- The server has been away, and every message idle: those who live beat first.
local function come_back(source)
  source.beat_at = 0
  source.claim_at = seconds() + source.claim_after
end

-- Messages whose consumers have been silent.  The scan goes on where it stopped, and begins anew after a while.
local function claim(source, most, items)
  local reply, message, code = source.server:ask("XAUTOCLAIM", source.stream, GROUP, source.consumer,
    math.ceil(source.claim_after * 1000), source.cursor, "COUNT", most)
  if not reply then return nil, message, code end
  if type(reply) ~= "table" or type(reply[1]) ~= "string" or not take(source, reply[2], items) then
    return strange(source.server, "XAUTOCLAIM")
  end
  source.cursor = reply[1]
  if source.cursor == "0-0" then source.claim_at = seconds() + source.claim_after / 4 end
  return true
end

local function read_new(source, most, wait_ms, items)
  local words = { "GROUP", GROUP, source.consumer, "COUNT", most }
  if wait_ms > 0 then table.move({ "BLOCK", math.min(wait_ms, WAIT) }, 1, 2, #words + 1, words) end
  table.move({ "STREAMS", source.stream, ">" }, 1, 3, #words + 1, words)
  local reply, message, code = source.server:ask("XREADGROUP", table.unpack(words))
  if not reply then return nil, message, code end
  if reply == redis.null then return true end
  local entries = type(reply) == "table" and type(reply[1]) == "table" and reply[1][2]
  return take(source, entries, items) or strange(source.server, "XREADGROUP")
end

--[[
source:next(most, wait_ms) -> list of { key =, file = }, or nil, message, code

At most 'most' messages, those of consumers that fell silent first; {} if there are none within wait_ms (0: does not wait;
at most 2000).  One with 'error' and 'stage' is a failure already.  Until it is confirmed a message is the source's.
]]
function Source:next(most, wait_ms)
  local items = {}
  if seconds() >= self.claim_at then
    local done, message, code = claim(self, most, items)
    if not done then return nil, message, code end
  end
  if #items == 0 then
    local done, message, code = read_new(self, most, wait_ms, items)
    if not done then return nil, message, code end
  end
  return items
end

-- source:drained() -> whether every message was given to somebody and settled, how many are not; or nil, message, code
function Source:drained()
  local reply, message, code = run(self.server, scripts.DRAINED, { self.stream }, GROUP)
  if not reply then return nil, message, code end
  if type(reply) ~= "table" or not math.tointeger(reply[2]) then return strange(self.server, "EVAL") end
  return reply[1] == 1, reply[2]
end

-- Says of the messages held that they are under way, or with ms > 0 that they have been idle so long.
local function touch(source, ms)
  local ids = {}
  for id in pairs(source.held) do ids[#ids + 1] = id end
  if #ids == 0 then return 0 end
  return run(source.server, scripts.BEAT, { source.stream }, GROUP, source.consumer, ms, table.unpack(ids))
end

local function tidy(source, leaving)
  return run(source.server, scripts.TIDY, { source.stream }, GROUP, math.ceil(source.claim_after * 1000 * SILENT), leaving)
end

-- source:beat() -> true, or nil, message, code.  Keeps the messages that are under way; to be called several times in
-- claim_after, and does nothing when that is too often.
function Source:beat()
  if seconds() < self.beat_at then return true end
  local done, message, code = touch(self, 0)
  if not done then return nil, message, code end
  self.beat_at = seconds() + self.claim_after / 4
  if seconds() < self.tidy_at then return true end
  done, message, code = tidy(self, "")
  if not done then return nil, message, code end
  self.tidy_at = seconds() + self.claim_after
  return true
end

-- The words of a record in a result stream, and the number of its key among those of scripts.CONFIRM; one that a script
-- dropped has no words.
local function words_of(record)
  if record.error then return 4, { "file", record.file, "error", record.error, "stage", record.stage } end
  if record.state == "dropped" or not record.text then return 0, {} end
  local words = { "file", record.file, "text", record.text, "ids", "[" .. table.concat(record.ids or {}, ",") .. "]" }
  if record.score then table.move({ "score", ("%.9g"):format(record.score) }, 1, 2, #words + 1, words) end
  return 3, words
end

--[[
source:confirm(list, results) -> list of booleans, or nil, message, code

list      { key =, record = } of what is committed in the job file; record as lunette.job has it
results   whether the records are added to STREAM:results and STREAM:failures

True: this job is the one that records the input.  False: another has, or will.  May be asked again, with the same answer.
]]
function Source:confirm(list, results)
  if #list == 0 then return {} end
  local words = {}
  for _, item in ipairs(list) do
    local key, fields = 0, {}
    if results then key, fields = words_of(item.record) end
    table.move({ item.key, key, #fields }, 1, 3, #words + 1, words)
    table.move(fields, 1, #fields, #words + 1, words)
  end
  local stream = self.stream
  local reply, message, code = run(self.server, scripts.CONFIRM,
    { stream, stream .. ":owners", stream .. ":results", stream .. ":failures" }, GROUP, self.owner, table.unpack(words))
  if not reply then return nil, message, code end
  if type(reply) ~= "table" or #reply ~= #list then return strange(self.server, "EVAL") end
  local mine = {}
  for i, item in ipairs(list) do
    mine[i] = reply[i] == 1
    self.held[item.key] = nil
  end
  return mine
end

-- Gives back what is under way, for others to take at once.  A server that is away is not waited for.
function Source:close()
  if self.closed then return end
  self.closed = true
  self.server.patience = 0
  if touch(self, GIVEN_BACK) then tidy(self, self.consumer) end
  self.server:close()
end
Source.__close = Source.close

-- ---- opening and filling -----------------------------------------------------------------------

local function name_of_process()
  local random = luv.random(6):gsub(".", function (byte) return ("%02x"):format(byte:byte()) end)
  return ("%s-%d-%s"):format(luv.os_gethostname(), luv.os_getpid(), random)
end

--[[
queue.open(url, options) -> source, or nil, message, code

url                  of lunette.job.queue.url
options.owner        who records: the same whenever this job file is used, and no other's (the consumer's name)
options.consumer     name of this process in the group (HOST-PID-random)
options.claim_after  seconds without a beat after which the messages of a consumer are taken over (60)
options.patience     seconds to go on asking a server that went away (60)
options.sleep        function(seconds) that waits for it; false from it ends the waiting: nil, message, "interrupted"

The source is one process's, and blocks while it asks.  Code "usage": the url is none; "io": the server cannot be
reached; "redis": it refused.
]]
function queue.open(text, options)
  options = options or {}
  local place, message, code = url.read(text)
  if not place then return nil, message, code end
  local consumer = options.consumer or name_of_process()
  local source = setmetatable({
    stream = place.stream, consumer = consumer, owner = options.owner or consumer, claim_after = options.claim_after or 60,
    held = {},                  -- set of keys: given by next() and not confirmed
    cursor = "0-0",             -- where XAUTOCLAIM goes on
    claim_at = 0, beat_at = 0, tidy_at = 0,           -- seconds: not before
  }, Source)
  source.server, message, code = link.open(place, {
    patience = options.patience, sleep = options.sleep, on_connect = function () come_back(source) end })
  if not source.server then return nil, message, code end
  local made
  made, message, code = source.server:ask("XGROUP", "CREATE", place.stream, GROUP, "0", "MKSTREAM")
  if not made and not message:find("BUSYGROUP", 1, true) then          -- else it is there already
    source.server:close()
    return nil, message, code
  end
  return source
end

--[[
queue.enqueue(url, iterator, options) -> { added =, known = }, or nil, message, code

iterator   of lunette.inputs.each, or any that gives file, problem: what could not be listed goes into the queue too, to
           become a failure there
options    patience and sleep of queue.open

added are new, known were enqueued before, now or ever.  What was interrupted is done again from its beginning.
]]
function queue.enqueue(text, iterator, options)
  local place, wrong, kind = url.read(text)
  if not place then return nil, wrong, kind end
  local server <close>, message, code = link.open(place, options or {})
  if not server then return nil, message, code end
  local counts, words, bytes = { added = 0, known = 0 }, {}, 0
  local function flush()
    if #words == 0 then return true end
    local added
    added, message, code = run(server, scripts.ENQUEUE, { place.stream, place.stream .. ":inputs" }, table.unpack(words))
    if added and not math.tointeger(added) then added, message, code = strange(server, "EVAL") end
    if not added then return false end
    counts.added, counts.known = counts.added + added, counts.known + #words // 2 - added
    words, bytes = {}, 0
    return true
  end
  for file, problem, picture in iterator do
    if picture then return nil, file .. ": a picture on standard input cannot be enqueued", "usage" end
    table.move({ file, problem or "" }, 1, 2, #words + 1, words)
    bytes = bytes + #file
    if (#words >= 2 * BATCH or bytes >= BATCH_BYTES) and not flush() then return nil, message, code end
  end
  if not flush() then return nil, message, code end
  return counts
end

return queue
