-- redis_calls.lua - lunette.redis against a real server, and against one that answers what no server should.
local luv   = require "luv"
local check = require "check"
local redis = require "lunette.redis"
local redis_server = require "redis_server"

local equal, fails, raises = check.equal, check.fails, check.raises
local temporary = os.getenv "TMPDIR" or "/tmp"

-- ---- arguments and places ----------------------------------------------------------------

raises("table expected, got no value)", redis.connect)
raises("(port is 0, wanted 1 to 65535)", redis.connect, { port = 0 })
raises("(port is x, wanted 1 to 65535)", redis.connect, { port = "x" })
raises("(timeout is 0, wanted 0.001 to 86400)", redis.connect, { timeout = 0 })
raises("(db is -1, wanted 0 to 65535)", redis.connect, { db = -1 })
raises("(host is no string)", redis.connect, { host = 1 })
raises("(password holds a NUL byte)", redis.connect, { password = "a\0b" })
fails(temporary .. "/absent: No such file or directory", "io", redis.connect { path = temporary .. "/absent" })
fails("127.0.0.1:1: Connection refused", "io", redis.connect { port = 1 })
fails("[::1]:1: ", "io", redis.connect { host = "::1", port = 1 })
fails("no.such.host.invalid:6379: ", "io", redis.connect { host = "no.such.host.invalid" })

-- ---- a server that lies -------------------------------------------------------------------

-- Answers the word N with the N-th of these: a string, or pieces with pauses between them.
local ANSWERS = {
  ("*%d\r\n"):format((1 << 20) + 1),
  "*1048576\r\n*1\r\n",
  "$99999999999\r\nx",
  "*-2\r\n",
  ("*1\r\n"):rep(40),
  "hello\r\n",
  "+one\r\n+two\r\n",
  "-ERR a\nb\27" .. ("c"):rep(500) .. "\r\n",
  "*2\r\n:1\r\n-ERR inside\r\n",
  "",
  "slow",
  "big",
  ":1\r\n",
}
local LIAR = [[
local luv = require "luv"
local listener = luv.new_pipe(false)
assert(listener:bind(path))
local function slow(client)
  local timer = luv.new_timer()
  timer:start(0, 50, function ()
    if not client:is_closing() then client:write("$1000\r\n") else timer:close() end
  end)
end
local function big(client)
  client:write("$80000000\r\n")
  for _ = 1, 80 do client:write(("x"):rep(1000000)) end
end
listener:listen(8, function ()
  local client = luv.new_pipe(false)
  listener:accept(client)
  client:read_start(function (_, bytes)
    if not bytes then return client:close() end
    local answer = answers[tonumber(bytes:match "(%d+)\r\n$")]
    if answer == "" then client:close()
    elseif answer == "slow" then slow(client)
    elseif answer == "big" then big(client)
    else client:write(answer) end
  end)
end)
luv.run()
]]

local liar_path = temporary .. "/liar"
do
  local script <close> = assert(io.open(liar_path .. ".lua", "wb"))
  script:write(("local path, answers = %q, {"):format(liar_path))
  for _, answer in ipairs(ANSWERS) do script:write(("%q,"):format(answer)) end
  script:write("}\n", LIAR)
end
local liar = assert(luv.spawn(luv.exepath(), { args = { liar_path .. ".lua" }, stdio = { nil, 1, 2 } }, function () end))
for _ = 1, 400 do
  if luv.fs_stat(liar_path) then break end
  luv.sleep(25)
end

local function lie(n, timeout)
  local connection <close> = assert(redis.connect { path = liar_path, timeout = timeout or 0.5 })
  local results = table.pack(connection:call(n))
  if results[3] == "io" then fails(results[2], "io", connection:call(n)) end       -- lost for good, for the same reason
  return table.unpack(results, 1, results.n)
end

equal(lie(13), 1, "a good answer")
fails("an answer of more than 1048576 elements", "io", lie(1))
fails("an answer of more than 1048576 elements", "io", lie(2))
fails("no answer within 0.5 s", "io", lie(3))
fails("no answer of Redis: ", "io", lie(4))
fails("no answer of Redis: No support for nested multi bulk replies with depth", "io", lie(5))
fails("no answer of Redis: Protocol error, got \"h\" as reply type byte", "io", lie(6))
fails("an answer that nobody asked for", "io", lie(7))
local _, refusal = lie(8)
equal(refusal, "ERR a?b?" .. ("c"):rep(192), "a refusal with control characters, of 500 bytes")
fails("ERR inside", "redis", lie(9))
fails("the server closed the connection", "io", lie(10))
local begun = luv.hrtime()
fails("no answer", "io", lie(11))
check.ok(luv.hrtime() - begun < 2e9, "a trickle of bytes held the call for %d ms", (luv.hrtime() - begun) // 1000000)
fails("an answer of more than 67108864 bytes", "io", lie(12, 60))
liar:kill "sigkill"

-- ---- a server that does not ---------------------------------------------------------------

local server <close> = redis_server.start(temporary)
if not server then
  check.skip("redis_calls", "there is no redis-server")
  check.finish()
end

local connection = assert(redis.connect { path = server.path })
equal(connection:call "PING", "PONG", "PING")
equal(connection:call("SET", "key", "a\0\r\n\xff"), "OK", "SET")
equal(connection:call("GET", "key"), "a\0\r\n\xff", "bytes")
check.ok(connection:call("GET", "absent") == redis.null, "nothing")
equal(connection:call("INCRBY", "number", 41), 41, "an integer")
equal(connection:call("SET", "long", ("x"):rep(3000000)), "OK", "3 MB there")
equal(#connection:call("GET", "long"), 3000000, "3 MB back")
local list = connection:call("EVAL", "return {1, 'two', {3}, {}, false, 6}", 0)
check.ok(list[5] == redis.null, "nothing in a list")
list[5] = 5
equal(list, { 1, "two", { 3 }, {}, 5, 6 }, "lists")
fails("ERR unknown command 'NONSENSE'", "redis", connection:call("NONSENSE"))
equal(connection:call "PING", "PONG", "after a refusal")
raises("(string expected, got no value)", connection.call, connection)
raises("(string or number expected)", connection.call, connection, "GET", true)
connection:close()
connection:close()
fails(server.path .. ": the connection is closed", "io", connection:call "PING")

server:ask("CONFIG", "SET", "requirepass", "se:cret@")
fails("NOAUTH", "redis", redis.connect { port = server.port, db = 1 })
fails("WRONGPASS", "redis", redis.connect { port = server.port, password = "wrong" })
local tcp <close> = assert(redis.connect { host = "localhost", port = server.port, username = "default", password = "se:cret@", db = 3 })
equal(tcp:call("SET", "in3", 1), "OK", "TCP")
local other <close> = assert(redis.connect { path = server.path, password = "se:cret@" })
equal({ other:call("EXISTS", "in3"), other:call("SELECT", 3), other:call("EXISTS", "in3") }, { 0, "OK", 1 }, "db")
fails("ERR DB index is out of range", "redis", redis.connect { path = server.path, password = "se:cret@", db = 99 })

server:stop "sigkill"
fails("127.0.0.1", "io", redis.connect { port = server.port })
fails("localhost:" .. server.port .. ": ", "io", tcp:call "PING")
for _ = 1, 3 do check.ok(not other:call("SET", "x", ("x"):rep(1 << 20)), "a lost connection took a command") end       -- and no SIGPIPE

check.finish()
