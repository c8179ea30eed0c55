-- job/queue/url.lua - where a queue is: redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]/STREAM
--
--   redis://localhost/photos                     stream photos of database 0, port 6379
--   redis://:secret@10.0.0.2:6380/3/photos       stream photos of database 3
--   redis://%2Frun%2Fredis.sock/photos           the server behind a Unix socket: a host that begins with %2F
--
-- %XX is a byte anywhere; a stream whose name holds "/" or is a number is written so, or after its database.
local url = {}

local FORM = "wanted redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]/STREAM"
local LONGEST = 512         -- bytes of a stream's name

local function decode(s)
  return (s:gsub("%%(%x%x)", function (digits) return string.char(tonumber(digits, 16)) end))
end

-- The text without what is secret in it.
local function public(text) return (text:gsub("^(%w+://).*@", "%1")) end

-- "/3/photos" -> "photos", 3; or nil and what is wrong
local function read_path(path)
  local parts = {}
  for part in path:gmatch "/([^/]*)" do parts[#parts + 1] = part end
  local db = 0
  if #parts == 2 and parts[1]:find "^%d%d?%d?%d?%d?$" then db = tonumber(table.remove(parts, 1)) end
  if #parts > 1 then return nil, ("%q is no DATABASE/STREAM"):format(path) end
  if not path:find "^/%d+/" and parts[1] and parts[1]:find "^%d+$" then
    return nil, ("%s is a number: a database without a stream, or a stream to be named as 0/%s"):format(parts[1], parts[1])
  end
  local stream = decode(parts[1] or "")
  if stream == "" then return nil, "no stream is named" end
  if #stream > LONGEST then return nil, ("the stream's name has %d bytes, at most %d"):format(#stream, LONGEST) end
  return stream, db
end

local function read_place(place)
  local host, port = place:match "^%[([%x:.]+)%](.*)$"
  if not host then host, port = place:match "^([^:%[%]]+)(.*)$" end
  if not host then return nil, "no host is named" end
  if port == "" then port = ":6379" end
  local number = tonumber(port:match "^:(%d%d?%d?%d?%d?)$" or "")
  if not number or number < 1 or number > 65535 then
    return nil, ("port %q is none of 1 to 65535"):format(port:gsub("^:", ""))
  end
  return decode(host), number
end

--[[
url.read(text) -> place, or nil, message, code

place = { name =, stream =, db =, host = and port =, or path = of a Unix socket, username =, password = }, as redis.connect
takes it; 'name' is the url without user and password, for messages.
]]
function url.read(text)
  local function refuse(why) return nil, ("%s: %s, %s"):format(public(text), why, FORM), "usage" end
  local scheme, rest = text:match "^(%w+)://(.*)$"
  if scheme == "rediss" then
    return nil, public(text) .. ": TLS is not built in; let stunnel or ssh -L carry the connection and name its near end", "usage"
  end
  if scheme ~= "redis" then return refuse "not a redis:// url" end
  local authority, path = rest:match "^([^/]*)(.*)$"
  if path:find "[?#]" then return refuse "? and # have no meaning here (as bytes of a name: %3F and %23)" end
  local secret, place = authority:match "^(.*)@(.*)$"
  local stream, db = read_path(path)
  if not stream then return refuse(db) end
  local host, port = read_place(place or authority)
  if not host then return refuse(port) end
  local found = { name = public(text), stream = stream, db = db }
  if host:find "^/" then found.path = host else found.host, found.port = host, port end
  if secret then
    local user, password = secret:match "^([^:]*):(.*)$"
    if not user then return refuse "the user has no password" end
    found.username = user ~= "" and decode(user) or nil
    found.password = decode(password)
  end
  if (table.concat { host, found.username or "", found.password or "" }):find("\0", 1, true) then return refuse "it holds a NUL byte" end
  return found
end

return url
