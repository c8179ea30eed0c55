-- cli/report.lua - how commands speak: errors on stderr, JSON lines on stdout.
local json = require "lunette.json_text"

-- One line, whatever the names in it hold.
local function warn(format, ...)
  local line = format:format(...):gsub("%c", function (c) return ("\\x%02x"):format(c:byte()) end)
  io.stderr:write("lunette: ", line, "\n")
end

local function fail(status, ...)
  warn(...)
  return status
end

-- "1 caption", "2 captions"
local function count(n, one) return n == 1 and "1 " .. one or ("%d %ss"):format(n, one) end

return { warn = warn, fail = fail, encode = json.encode, object = json.object, count = count }
