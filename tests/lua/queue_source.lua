-- queue_source.lua - what a consumer of a queue is told, one interleaving after the other; random ones are in queue_campaign.lua.
local luv   = require "luv"
local check = require "check"
local queue = require "lunette.job.queue"
local url   = require "lunette.job.queue.url"
local redis_server = require "redis_server"

local equal, ok, fails = check.equal, check.ok, check.fails

-- ---- urls --------------------------------------------------------------------------------

for _, case in ipairs {
  { "redis://localhost/photos", "photos", 0, "localhost", 6379 },
  { "redis://10.0.0.2:6380/3/photos", "photos", 3, "10.0.0.2", 6380 },
  { "redis://[::1]:7000/0/3", "3", 0, "::1", 7000 },
  { "redis://host/a%2Fb%20c", "a/b c", 0, "host", 6379 },
  { "redis://me:se%3Acret%40@host/{x}", "{x}", 0, "host", 6379, "me", "se:cret@" },
  { "redis://:p@ss@host/x", "x", 0, "host", 6379, nil, "p@ss" },
} do
  local got = assert(url.read(case[1]))
  for i, name in ipairs { "stream", "db", "host", "port", "username", "password" } do equal(got[name], case[i + 1], case[1]) end
end
equal(url.read("redis://%2Frun%2Fredis.sock/x").path, "/run/redis.sock", "a Unix socket")
equal(url.read("redis://a:secret@host/x").name, "redis://host/x", "the name shows no password")
local FORM = ", wanted redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]/STREAM"
for text, message in pairs {
  ["http://host/x"]           = "http://host/x: not a redis:// url" .. FORM,
  ["photos"]                  = "photos: not a redis:// url" .. FORM,
  ["rediss://a:secret@host/x"] = "rediss://host/x: TLS is not built in",
  ["redis://host"]            = "no stream is named" .. FORM,
  ["redis://host/"]           = "no stream is named",
  ["redis://host/3/"]         = "no stream is named",
  ["redis://host/3"]          = "3 is a number: a database without a stream, or a stream to be named as 0/3",
  ["redis://host/a/b"]        = "\"/a/b\" is no DATABASE/STREAM",
  ["redis://host/1/2/3"]      = "\"/1/2/3\" is no DATABASE/STREAM",
  ["redis://host/x?db=1"]     = "? and # have no meaning here",
  ["redis:///x"]              = "no host is named",
  ["redis://host:0/x"]        = "port \"0\" is none of 1 to 65535",
  ["redis://host:99999/x"]    = "port \"99999\" is none of",
  ["redis://host:ab/x"]       = "port \"ab\" is none of",
  ["redis://secret@host/x"]   = "redis://host/x: the user has no password",
  ["redis://host%00/x"]       = "it holds a NUL byte",
  ["redis://host/" .. ("x"):rep(513)] = "the stream's name has 513 bytes, at most 512",
} do
  fails(message, "usage", url.read(text))
end
fails("127.0.0.1:1: Connection refused", "io", queue.open "redis://127.0.0.1:1/x")

local folder = os.getenv "TMPDIR" or "/tmp"
local server <close> = redis_server.start(folder)
if not server then
  check.skip("queue_source", "there is no redis-server")
  check.finish()
end

-- ---- what the parts below share ------------------------------------------------------------

local CLAIM = 0.2              -- seconds
local streams = 0

-- A stream of its own with these files; returns what opens a consumer of it, and its name.
local function stream_of(...)
  streams = streams + 1
  local name, files, i = "stream" .. streams, { ... }, 0
  assert(queue.enqueue(server:url(name), function ()
    i = i + 1
    return files[i]
  end))
  return function (owner, options)
    local all = { owner = owner, consumer = owner, claim_after = CLAIM }
    for key, value in pairs(options or {}) do all[key] = value end
    return assert(queue.open(server:url(name), all))
  end, name
end

local function files(items)
  local list = {}
  for i, item in ipairs(items) do list[i] = item.file end
  return list
end

local function answer(item, text) return { key = item.key, record = { file = item.file, text = text or "t", ids = { 7, 0 }, score = -0.25 } } end

local function confirm(source, item, text) return assert(source:confirm({ answer(item, text) }, true))[1] end

local function silence() luv.sleep(math.ceil(CLAIM * 1500)) end

-- The only message that a source is given.
local function take(source)
  local items = assert(source:next(5, 0))
  equal(#items, 1, "messages given to " .. source.owner)
  return items[1]
end

local function entries(name, word)
  local list = {}
  for i, entry in ipairs(server:ask("XRANGE", name .. ":" .. word, "-", "+")) do list[i] = entry[2] end
  return list
end

local function consumers(stream)
  local names = {}
  for i, consumer in ipairs(server:ask("XINFO", "CONSUMERS", stream, "lunette")) do names[i] = consumer[2] end
  table.sort(names)
  return table.concat(names, " ")
end

-- ---- one consumer ----------------------------------------------------------------------------

local ODD = { "a\nb", "\"q\"", "\xff\xfe", ("n"):rep(255), "x\r\n*1", "-", " " }
local open, name = stream_of(table.unpack(ODD))
do
  local a <close> = open "a"
  equal({ a:drained() }, { false, #ODD }, "before")
  local items = assert(a:next(3, 0))
  equal(files(items), { ODD[1], ODD[2], ODD[3] }, "at most 3")
  for _, item in ipairs(a:next(100, 0)) do items[#items + 1] = item end
  equal(files(items), ODD, "names are bytes")
  equal(a:next(5, 0), {}, "no more")
  equal({ a:drained() }, { false, #ODD }, "under way")
  local list = {}
  for i, item in ipairs(items) do list[i] = answer(item) end
  equal(a:confirm({ list[1], list[2] }, false), { true, true }, "confirmed, without results")
  list[3].record = { file = list[3].record.file, error = "cut off", stage = "decode" }
  list[5].record = { file = list[5].record.file }      -- dropped by a script
  table.remove(list, 1)
  equal(a:confirm(list, true), { true, true, true, true, true, true }, "confirmed, with one of these before")
  equal({ a:drained() }, { true, 0 }, "after")
  equal(a:confirm({}, true), {}, "nothing to confirm")
  equal(#entries(name, "results"), #ODD - 4, "results")
  equal(entries(name, "results")[1], { "file", ODD[4], "text", "t", "ids", "[7,0]", "score", "-0.25" }, "a result")
  equal(entries(name, "failures"), { { "file", ODD[3], "error", "cut off", "stage", "decode" } }, "a failure")
  equal(server:ask("XLEN", name), 0, "what is settled leaves the stream")
end
equal(consumers(name), "", "who closes leaves the group")

-- ---- two consumers and one message -------------------------------------------------------------

do                              -- B takes over; A, asleep meanwhile, is first all the same
  open = stream_of "x"
  local a <close> = open "a"
  local b <close> = open "b"
  local item = take(a)
  equal(b:next(5, 0), {}, "not for b while a is new")
  silence()
  equal(take(b).key, item.key, "taken over")
  ok(confirm(a, item), "a is first")
  ok(not confirm(b, item), "b is second")
  ok(confirm(a, item) and confirm(a, item), "a asks again")
  ok(not confirm(b, item), "b asks again")
end
do                              -- B takes over and is first; A wakes up
  open, name = stream_of "x"
  local a <close> = open "a"
  local b <close> = open "b"
  local item = take(a)
  silence()
  take(b)
  a.beat_at = 0
  ok(a:beat(), "a beats")
  equal(server:ask("XPENDING", name, "lunette", "-", "+", 9)[1][2], "b", "whose it is after a's beat")
  ok(confirm(b, item, "b's"), "b is first")
  ok(not confirm(a, item, "a's"), "a is second")
  equal(entries(name, "results")[1][4], "b's", "the result")
  equal(#entries(name, "results"), 1, "results")
  equal({ a:drained() }, { true, 0 }, "drained")
end
do                              -- A dies before its confirm is answered; the same job asks again
  open, name = stream_of "x"
  local a, b <close> = open "a", open "b"
  local item = take(a)
  ok(confirm(a, item), "a confirms")
  local again <close> = open("a", { consumer = "a2" })
  ok(confirm(again, item), "a confirms after its restart")
  silence()
  equal(b:next(5, 0), {}, "nothing left for b")
  equal(#entries(name, "results"), 1, "results")
  a:close()
  a:close()
end
do                              -- who beats keeps its messages, for as long as it takes
  open = stream_of("x", "y")
  local a <close> = open "a"
  local b <close> = open "b"
  equal(#a:next(2, 0), 2, "given")
  local until_then = luv.hrtime() + CLAIM * 4e9
  while luv.hrtime() < until_then do
    ok(a:beat(), "a beats")
    equal(b:next(5, 0), {}, "a is alive")
    luv.sleep(20)
  end
end
do                              -- its own messages do not come again to who forgot to beat
  open = stream_of "x"
  local a <close> = open "a"
  take(a)
  silence()
  equal(a:next(5, 0), {}, "its own")
end
do                              -- who leaves gives back at once what it has not done
  open, name = stream_of("x", "y")
  local a, b <close> = open("a", { claim_after = 60 }), open("b", { claim_after = 60 })
  local items = a:next(2, 0)
  ok(confirm(a, items[1]), "one is done")
  a:close()
  equal(take(b).file, "y", "given back")
  b:close()
  equal(consumers(name), "a b", "b leaves the last message behind")      -- and a had one when it left
end
do                              -- the dead with nothing pending are removed, the others not
  open, name = stream_of("x", "y")
  local a, b, c <close> = open "a", open "b", open("c", { claim_after = 0.05 })
  local item = take { next = function () return a:next(1, 0) end, owner = "a" }
  equal(#b:next(1, 0), 1, "b has one")
  ok(confirm(a, item), "a has none")
  c:next(1, 0)
  luv.sleep(600)
  c.held, c.tidy_at, c.beat_at = {}, 0, 0
  ok(c:beat(), "tidy")
  equal(consumers(name), "b", "who is left")       -- c was as silent, and is made anew by its next command
  b:close()
end

-- ---- messages that are no inputs ----------------------------------------------------------------

open, name = stream_of()
server:ask("XADD", name, "*", "path", "x")
server:ask("XADD", name, "*", "file", "")
server:ask("XADD", name, "*", "file", "a\0b")
server:ask("XADD", name, "*", "file", ("x"):rep(4097))
server:ask("XADD", name, "*", "file", "good", "file", "second", "more", "z")
do
  local a <close> = open "a"
  local items = assert(a:next(10, 0))
  local first = name .. ":" .. items[1].key
  equal(items[1].file, first, "what has no name")
  for i, why in ipairs { "has no field file", "names no file", "names a file with a NUL byte", "names a file of 4097 bytes, at most 4096" } do
    equal({ items[i].error, items[i].stage }, { ("message %s of %s %s"):format(items[i].key, name, why), "list" }, why)
  end
  equal({ items[5].file, items[5].error }, { "good" }, "a good one")
  equal(a:confirm({ { key = items[1].key, record = items[1] } }, true), { true }, "recorded as a failure")
  equal(entries(name, "failures")[1], { "file", first, "error", items[1].error, "stage", "list" }, "the failure")
end

-- ---- enqueue --------------------------------------------------------------------------------------

local function counter(n)
  local i = 0
  return function ()
    i = i + 1
    if i <= n then return "folder/picture" .. i, i == 2 and "Permission denied" or nil end
  end
end
local counts = assert(queue.enqueue(server:url "many", counter(2500)))
equal({ counts.added, counts.known }, { 2500, 0 }, "new")
counts = assert(queue.enqueue(server:url "many", counter(2501)))
equal({ counts.added, counts.known }, { 1, 2500 }, "one more")
equal(server:ask("XLEN", "many"), 2501, "messages")
fails("-: a picture on standard input cannot be enqueued", "usage", queue.enqueue(server:url "many", function () return "-", nil, "bytes" end))
do
  local a <close> = assert(queue.open(server:url "many"))
  local items = a:next(2, 0)
  equal({ items[1].file, items[1].error }, { "folder/picture1" }, "an input")
  equal({ items[2].file, items[2].error, items[2].stage }, { "folder/picture2", "Permission denied", "list" }, "a problem")
end

-- ---- waiting, and a server that goes away -----------------------------------------------------------

open, name = stream_of "x"
local slept = 0
local function sleep(seconds)
  slept = slept + 1
  luv.sleep(math.ceil(seconds * 1000))
end
do
  local a <close> = open("a", { patience = 0.5, sleep = sleep })
  local item = take(a)
  local begun = luv.hrtime()
  equal(a:next(1, 100), {}, "nothing within 100 ms")
  local ms = (luv.hrtime() - begun) // 1000000
  ok(ms >= 95 and ms < 1500, "it waited %d ms", ms)

  ok(confirm(a, item), "confirmed")
  server:stop "sigkill"
  server:start()
  ok(confirm(a, item), "after a restart of the server")
  ok(slept == 1, "it waited %d times for the new connection", slept)
  equal({ a:drained() }, { true, 0 }, "still drained")
  server:stop "sigkill"
  begun = luv.hrtime()
  fails("gave up after 0.5 s", "io", a:confirm({ answer(item) }, true))
  ms = (luv.hrtime() - begun) // 1000000
  ok(ms >= 450 and ms < 5000, "it gave up after %d ms", ms)
  fails("", "io", a:next(1, 0))
  a.server.sleep = function () return false end
  fails(server.path .. ": Connection refused", "interrupted", a:drained())
end
server:start()
do
  local a <close> = open "a"
  server:ask("DEL", name)
  fails(server:url(name) .. ": NOGROUP", "redis", a:next(1, 0))
end
server:ask("SET", "text", "x")
fails("WRONGTYPE", "redis", queue.open(server:url "text"))
fails("WRONGTYPE", "redis", queue.enqueue(server:url "text", counter(1)))
equal(server:ask("EXISTS", "text:inputs"), 0, "what was not enqueued is not known")
do                              -- a result that cannot be added leaves no owner
  open, name = stream_of "x"
  local a <close> = open "a"
  local item = take(a)
  server:ask("SET", name .. ":results", "x")
  fails("WRONGTYPE", "redis", a:confirm({ answer(item) }, true))
  server:ask("DEL", name .. ":results")
  local b <close> = open "b"
  ok(confirm(b, item), "b can become the owner")
  equal(#entries(name, "results"), 1, "results")
end

server:stop()
check.finish()
