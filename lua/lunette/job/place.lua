-- place.lua - where things are: pictures as the job file knows them, the program that workers run.
local luv = require "luv"

local place = {}

-- An absolute path that says the same, links as they are.
function place.absolute(path)
  if path:sub(1, 1) ~= "/" then path = luv.cwd() .. "/" .. path end
  path = path:gsub("/+", "/"):gsub("/%.%f[/\0]", "")
  return path == "" and "/" or path
end

-- Bytes and nanoseconds of modification; nil, nil where there is no such file.
function place.stat(path)
  local stat = luv.fs_stat(path)
  if not stat then return nil, nil end
  return stat.size, stat.mtime.sec * 1000000000 + stat.mtime.nsec
end

-- BUILD/bin/lunette of the core that is loaded.
function place.command()
  local core = assert(package.searchpath("lunette.core", package.cpath))
  return (core:gsub("lua/lunette/core%.so$", "bin/lunette"))
end

local WORKER = "LUNETTE_JOB_WORKER"

-- The command that this process was started with: { program, argument, ... }.
function place.this_process()
  local f <close> = assert(io.open("/proc/self/cmdline", "rb"))
  local words = {}
  for word in f:read "a":gmatch "([^\0]*)\0" do words[#words + 1] = word end
  words[1] = luv.exepath()
  return words
end

-- The environment of one that is to work for a job when it comes to job.run.
function place.worker_environment()
  local list = { WORKER .. "=1" }
  for name, value in pairs(luv.os_environ()) do list[#list + 1] = name .. "=" .. value end
  return list
end

function place.is_worker() return luv.os_getenv(WORKER) ~= nil end

return place
