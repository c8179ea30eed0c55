-- cli/progress.lua - says how far a job is: a line on a terminal, lines now and then elsewhere, JSON for machines.
local report = require "lunette.cli.report"
local luv    = require "luv"

local FIRST, OFTEN = 1.0, 0.2          -- s before the line on a terminal appears; between its updates
local PLAIN        = { 10, 30, 60 }    -- s of the first lines elsewhere; then every minute
local JSON         = 1.0               -- s
local WINDOW       = 30                -- s over which images a second are counted

local function now() return luv.hrtime() / 1e9 end

-- 3725 -> "1:02:05"
local function clock(seconds)
  local s = math.floor(seconds + 0.5)
  if s >= 3600 then return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60) end
  return ("%d:%02d"):format(s // 60, s % 60)
end

local Progress = {}
Progress.__index = Progress

-- Images a second of late, and how many seconds are left; nil where that cannot be known.
local function speed(self, state)
  local time, samples = now(), self.samples
  samples[#samples + 1] = { time, state.done + state.failed }
  while samples[2] and samples[2][1] < time - WINDOW do table.remove(samples, 1) end
  local first = samples[1]
  local rate = time > first[1] and (state.done + state.failed - first[2]) / (time - first[1]) or 0
  if rate == 0 then return rate end
  return rate, state.listed and (state.total - state.done - state.failed) / rate or nil
end

-- ---- terminal ----

-- Cut to 'columns' characters, for a terminal; what is no UTF-8 counts a column a byte.
local function fit(text, columns)
  text = text:gsub("%c", "?")
  local stop = utf8.len(text) and utf8.offset(text, columns + 1) or columns + 1
  return stop and text:sub(1, stop - 1) or text
end

-- Of the terminal that standard error is; 80 where it does not say.
local function columns()
  local tty = luv.new_tty(2, false)
  local width = tty and tty:get_winsize()
  if tty then tty:close() end
  return width and width > 0 and width or 80          -- 0: it does not know
end

local kinds = {}

function kinds.line(self, state)
  local rate, left = speed(self, state)
  local parts = { ("%d/%d%s"):format(state.done + state.failed, state.total, state.listed and "" or "+") }
  parts[#parts + 1] = ("%.1f images/s"):format(rate)
  if left then parts[#parts + 1] = clock(left) .. " left" end
  if state.failed > 0 then parts[#parts + 1] = state.failed .. " failed" end
  parts[#parts + 1] = state.file
  io.stderr:write("\r", fit(table.concat(parts, ", "), columns() - 1), "\27[K")
  self.shown = true
end

function kinds.plain(self, state)
  local rate, left = speed(self, state)
  report.warn("%d of %d%s, %.1f images/s%s%s", state.done + state.failed, state.total, state.listed and "" or " so far", rate,
              left and ", " .. clock(left) .. " left" or "", state.failed > 0 and (", %d failed"):format(state.failed) or "")
end

function kinds.json(self, state)
  local rate, left = speed(self, state)
  io.stderr:write(report.encode(report.object {
    { "done", state.done }, { "failed", state.failed }, { "skipped", state.skipped }, { "total", state.total }, { "listed", state.listed },
    { "images_per_second", rate }, { "seconds_left", left }, { "file", state.file },
  }), "\n")
end

function kinds.none() end

-- seconds from one report to the next
local function interval(self)
  if self.kind == "line" then return self.count == 0 and FIRST or OFTEN end
  if self.kind == "json" then return JSON end
  return PLAIN[self.count + 1] and PLAIN[self.count + 1] - (PLAIN[self.count] or 0) or PLAIN[#PLAIN]
end

-- update { done, failed, skipped, total, listed, file }: 'listed' once the total is known
function Progress:update(state, final)
  if now() < self.next and not (final and self.kind == "json") then return end
  kinds[self.kind](self, state)
  self.count = self.count + 1
  self.next = now() + interval(self)
end

-- Makes room for other lines on the terminal.
function Progress:clear()
  if not self.shown then return end
  io.stderr:write "\r\27[K"
  self.shown = false
end

-- open("auto" | "terminal" | "line" | "plain" | "json" | "none") -> progress, on standard error.  Where that is no terminal
-- auto is plain and terminal is none.
local function open(kind)
  local self = setmetatable({ kind = kind, count = 0, samples = { { now(), 0 } } }, Progress)
  if kind == "auto" or kind == "terminal" then
    self.kind = luv.guess_handle(2) == "tty" and "line" or kind == "auto" and "plain" or "none"
  end
  self.next = now() + interval(self)
  return self
end

return { open = open }
