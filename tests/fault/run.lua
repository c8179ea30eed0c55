--[[
run.lua - the processes of one lunette caption: its coordinator and workers, found through /proc.

  local run = run.start(command, words, folder)        under way in that folder
  run:after(ms, fn)                                    fn() is called then, if the coordinator is still there
  run:wait([seconds])                                  to its end, or so long: true if it ended; then run.status or run.signal
  run:kill(target, signal)                             "coordinator", "worker" or "all"
  run:left(seconds)                                    how many processes of it there are yet, when so long has passed
  run:said()                                           its stderr
]]
local luv = require "luv"

local run = {}

local Run = {}
Run.__index = Run

local MARK = "LUNETTE_FAULT_RUN"       -- in the environment of all its processes
local serial = 0

local function read(path)
  local f <close> = io.open(path, "rb")
  return f and f:read "a" or ""
end

-- pids of the children of a process
local function children(pid)
  local list = {}
  for child in read(("/proc/%d/task/%d/children"):format(pid, pid)):gmatch "%d+" do list[#list + 1] = math.tointeger(child) end
  return list
end

-- Those that are programs of their own already: until then their coordinator waits for them.
function Run:workers()
  local list = {}
  for _, pid in ipairs(self.over and {} or children(self.pid)) do
    if read(("/proc/%d/cmdline"):format(pid)):find "%f[%a]worker%f[%A]" then list[#list + 1] = pid end
  end
  return list
end

function Run:after(ms, fn)
  local timer = luv.new_timer()
  self.timers[#self.timers + 1] = timer
  luv.update_time()
  timer:start(ms, 0, function () if not self.over then fn() end end)
end

-- Calls fn(name) for each change below a folder.
function Run:watch(folder, fn)
  local event = luv.new_fs_event()
  self.timers[#self.timers + 1] = event
  assert(event:start(folder, {}, function (_, name) if not self.over then fn(name) end end))
end

function Run:wait(seconds)
  local late = false
  local timer = luv.new_timer()
  luv.update_time()                            -- else a timer is due before the loop waits, and wakes nobody
  if seconds then timer:start(math.floor(seconds * 1000), 0, function () late = true end) end
  while not self.over and not late do luv.run "once" end
  timer:close()
  if self.over then
    for _, handle in ipairs(self.timers) do if not handle:is_closing() then handle:close() end end
  end
  luv.run "nowait"
  return self.over
end

-- A worker is one of them at random.
function Run:kill(target, signal)
  local list = self:workers()
  if target == "worker" then list = { list[#list > 0 and math.random(#list) or 1] }
  elseif target == "coordinator" then list = { self.pid }
  else list[#list + 1] = self.pid end
  for _, pid in ipairs(list) do luv.kill(pid, signal or "sigkill") end
  return #list
end

-- pids of the processes that have its mark
function Run:processes()
  local list, wanted = {}, ("\0%s=%s\0"):format(MARK, self.mark)
  local request = assert(luv.fs_scandir "/proc")
  for name in luv.fs_scandir_next, request do
    if name:find "^%d+$" and ("\0" .. read("/proc/" .. name .. "/environ")):find(wanted, 1, true) then list[#list + 1] = math.tointeger(name) end
  end
  return list
end

function Run:left(seconds)
  local till = luv.hrtime() + seconds * 1e9
  local list = self:processes()
  while #list > 0 and luv.hrtime() < till do
    luv.sleep(20)
    list = self:processes()
  end
  return #list
end

function Run:said() return read(self.log) end

-- Ends whatever is left.
function Run:__close()
  if not self.over then self:kill "coordinator" end
  self:wait()
  for _, pid in ipairs(self:processes()) do luv.kill(pid, "sigkill") end
  luv.fs_unlink(self.log)
end

local function environment(mark)
  local list = { MARK .. "=" .. mark }
  for name, value in pairs(luv.os_environ()) do
    if name ~= MARK then list[#list + 1] = name .. "=" .. value end
  end
  return list
end

-- start(command, words, folder [, before]) -> run; 'before' is a command that runs it: { "setpriv", ... }
function run.start(command, words, folder, before)
  serial = serial + 1
  local self = setmetatable({ timers = {}, mark = ("%d-%d"):format(luv.os_getpid(), serial), log = ("%s/stderr-%d"):format(folder, serial) }, Run)
  local log = assert(luv.fs_open(self.log, "w", 420))
  local line = table.move(before or {}, 1, #(before or {}), 1, {})
  line[#line + 1] = command
  table.move(words, 1, #words, #line + 1, line)
  local message
  self.handle, message = luv.spawn(line[1], {
    args = table.move(line, 2, #line, 1, {}), cwd = folder, stdio = { nil, log, log }, env = environment(self.mark), detached = true,
  }, function (status, signal)
    self.over, self.status, self.signal = true, status, signal
    self.handle:close()
  end)
  luv.fs_close(log)
  assert(self.handle, message)
  self.pid = message
  return self
end

return run
