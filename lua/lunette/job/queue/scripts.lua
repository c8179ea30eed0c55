-- job/queue/scripts.lua - what must happen at once on the server: Lua 5.1 that Redis runs, each as a whole or not at all.
--
-- KEYS and ARGV are said above each.  All of them may be repeated: the second time they change nothing and say the same.
-- A script that fails stops where it is, so what can fail (a key of another type) comes before what must not stand alone.
local scripts = {}

-- Adds paths that were never added.
-- KEYS  stream, set of paths     ARGV  file, problem ("" if none), file, problem, ...     -> how many were new
scripts.ENQUEUE = [[
local added = 0
for i = 1, #ARGV, 2 do
  if redis.call('SISMEMBER', KEYS[2], ARGV[i]) == 0 then
    if ARGV[i + 1] == '' then
      redis.call('XADD', KEYS[1], '*', 'file', ARGV[i])
    else
      redis.call('XADD', KEYS[1], '*', 'file', ARGV[i], 'problem', ARGV[i + 1])
    end
    redis.call('SADD', KEYS[2], ARGV[i])
    added = added + 1
  end
end
return added
]]

-- Makes the first who asks the owner of a message.  A message with an owner is settled, so it leaves the group and the
-- stream whoever asks.  The owner's result is added only as it becomes the owner.
-- KEYS  stream, owners, results, failures
-- ARGV  group, me, then for each message: id, number of the key for its result, n, n words of the result (0: no result)
--   -> for each message 1 if its owner is me, else 0
scripts.CONFIRM = [[
local said, at = {}, 3
while at <= #ARGV do
  local id, n = ARGV[at], tonumber(ARGV[at + 2])
  local owner = redis.call('HGET', KEYS[2], id)
  if not owner then
    if n > 0 then redis.call('XADD', KEYS[tonumber(ARGV[at + 1])], '*', unpack(ARGV, at + 3, at + 2 + n)) end
    redis.call('HSET', KEYS[2], id, ARGV[2])
    owner = ARGV[2]
  end
  said[#said + 1] = owner == ARGV[2] and 1 or 0
  redis.call('XACK', KEYS[1], ARGV[1], id)
  redis.call('XDEL', KEYS[1], id)
  at = at + 3 + n
end
return said
]]

-- Says that messages are under way (ms 0), or given back (ms long enough for anybody to claim them).  One that somebody
-- else took over stays there, or two would take it from each other for as long as both work on it.
-- KEYS  stream     ARGV  group, consumer, ms, ids     -> how many are still the consumer's
scripts.BEAT = [[
local kept = 0
for i = 4, #ARGV do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3], 'JUSTID')
    kept = kept + 1
  end
end
return kept
]]

-- Removes consumers with nothing pending that were silent for some time.  Asked and done at once: with a consumer that
-- has messages these would be lost.  One that lives after all is made anew by its next command.
-- KEYS  stream     ARGV  group, ms, name of a consumer that need not have been silent     -> how many
scripts.TIDY = [[
local removed = 0
for _, list in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #list, 2 do consumer[ list[i] ] = list[i + 1] end
  if consumer.pending == 0 and (consumer.name == ARGV[3] or consumer.idle > tonumber(ARGV[2])) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    removed = removed + 1
  end
end
return removed
]]

-- KEYS  stream     ARGV  group     -> 1 if every message was delivered and settled, else 0; messages in the stream
scripts.DRAINED = [[
for _, list in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #list, 2 do group[ list[i] ] = list[i + 1] end
  if group.name == ARGV[1] then
    local waiting = redis.call('XRANGE', KEYS[1], '(' .. group['last-delivered-id'], '+', 'COUNT', 1)
    return { group.pending == 0 and #waiting == 0 and 1 or 0, redis.call('XLEN', KEYS[1]) }
  end
end
return redis.error_reply('NOGROUP the stream has no group ' .. ARGV[1])
]]

return scripts
