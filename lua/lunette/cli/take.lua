-- cli/take.lua - what options take: numbers, sizes, shards; each a function of the word that gives a value, or nil, message.
local outputs  = require "lunette.job.outputs"
local template = require "lunette.job.template"
local luv      = require "luv"

local take = {}

-- whole(least [, most])
function take.whole(least, most)
  local wanted = most and ("from %d to %d"):format(least, most) or ("of at least %d"):format(least)
  return function (text)
    local v = math.tointeger(tonumber(text))
    if v and v >= least and v <= (most or v) then return v end
    return nil, ("%q is not a whole number %s"):format(text, wanted)
  end
end

function take.finite(text)
  local v = tonumber(text)
  if v and math.abs(v) < math.huge then return v end
  return nil, ("%q is not a number"):format(text)
end

function take.positive(text)
  local v = tonumber(text)
  if v and v > 0 and v < math.huge then return v end
  return nil, ("%q is not a number above 0"):format(text)
end

local UNITS = { [""] = 1, K = 1 << 10, M = 1 << 20, G = 1 << 30, T = 1 << 40 }

-- "512M", "2G", "1.5GiB"; bytes
function take.bytes(text)
  local number, unit = text:upper():match "^([%d.]+)%s*([KMGT]?)I?B?$"
  local v = tonumber(number)
  if v and v > 0 then return math.floor(v * UNITS[unit]) end
  return nil, ("%q is not a size such as 512M or 2G"):format(text)
end

-- "3/16" -> { 3, 16 }
function take.shard(text)
  local i, n = text:match "^(%d+)/(%d+)$"
  i, n = math.tointeger(i), math.tointeger(n)
  if i and i >= 1 and i <= n then return { i, n } end
  return nil, ("%q is not I/N with I from 1 to N"):format(text)
end

-- A file whose name says a kind of output.
function take.output(path)
  local kind, message = outputs.kind(path)
  return kind and path, message
end

-- A template of lunette.job.template, as it is.
function take.template(text)
  local ok, message = template.compile(text)
  if ok then return text end
  return nil, message
end

function take.is_folder(path)
  local stat = luv.fs_stat(path)
  return stat ~= nil and stat.type == "directory"
end

return take
