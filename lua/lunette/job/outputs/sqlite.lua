-- job/outputs/sqlite.lua - captions.db: the table captions, a row a picture.
--
-- A flush is one transaction, which says as well how far the job is: the table lunette_jobs has a row for each job that wrote
-- here, by a random name, and the last of them goes on where the ids end.  The mark is "NAME BASE POSITION": rows up to BASE
-- were there before, records up to POSITION are written.  A row is BASE plus the record's id, so writing it twice is
-- writing it once.
local luv     = require "luv"
local durable = require "lunette.job.durable"
local json    = require "lunette.json_text"
local sqlite  = require "lunette.sqlite"

local Database = {}
Database.__index = Database

local PATIENCE = 10000     -- ms to wait for somebody who reads the file

local SCHEMA = [[
  CREATE TABLE IF NOT EXISTS captions(id INTEGER PRIMARY KEY, file, text TEXT, ids JSON, score REAL, error TEXT, stage TEXT);
  CREATE TABLE IF NOT EXISTS lunette_jobs(job TEXT PRIMARY KEY, base INTEGER NOT NULL, position INTEGER NOT NULL);
]]
local INSERT = "INSERT OR REPLACE INTO captions(id, file, text, ids, score, error, stage) VALUES(?, ?, ?, ?, ?, ?, ?)"
local COLUMNS = "SELECT id, file, text, ids, score, error, stage FROM captions LIMIT 0"

local function size_of(self)
  local stat, message = durable.stat(self.real)
  if stat == nil then return nil, message end
  return stat and stat.size or 0
end

local function connect(self)
  if self.db then return true end
  local db, message, code = sqlite.open(self.real, { timeout = PATIENCE })
  if not db then return nil, message, code end
  self.db = db
  return db:exec "PRAGMA synchronous = EXTRA"          -- the end of a journal is on disk as well
end

-- db:row(), with its error returned
local function row(self, sql, ...)
  local ok, found = pcall(self.db.row, self.db, sql, ...)
  if not ok then return nil, found end
  return found or {}
end

local function has_table(self, name)
  local found, message = row(self, "SELECT count(*) AS n FROM sqlite_master WHERE type = 'table' AND name = ?", name)
  if not found then return nil, message end
  return found.n == 1
end

-- The last id in the table, 0 if it has none.
local function top(self)
  local has, message = has_table(self, "captions")
  if not has then return has == false and 0 or nil, message end
  local found
  found, message = row(self, COLUMNS)
  if not found then return nil, message end
  found, message = row(self, "SELECT coalesce(max(id), 0) AS id FROM captions")
  if not found then return nil, message end
  return found.id
end

-- How far the database says that this job is, false if it knows nothing of it and has no more rows than at its start; or nil, message.
local function progress(self)
  local has, message = has_table(self, "lunette_jobs")
  if has == nil then return nil, message end
  local last = {}
  if has then last, message = row(self, "SELECT job, position FROM lunette_jobs ORDER BY rowid DESC LIMIT 1") end
  if not last then return nil, message end
  if last.job == self.job then return last.position end
  local id
  id, message = top(self)
  if not id then return nil, message end
  if id == self.base then return false end
  return nil, ("%s has captions of another job after those of this one: move it away, and it is written again"):format(self.path)
end

-- ---- opening and resuming -----------------------------------------------------------------------

local function read_mark(self, mark)
  local job, base, position = mark:match "^(%x+) (%d+) (%d+)$"
  if not job then return nil, ("%s: the job file says %q of it, which is no mark"):format(self.path, mark) end
  self.job, self.base, self.position = job, math.tointeger(base), math.tointeger(position)
  return true
end

local function take_place(self, settings)
  if settings.append then
    local ok, message = connect(self)
    if not ok then return nil, message end
    self.base, message = top(self)
    if not self.base then return nil, message end
    return true
  end
  if settings.overwrite == "always" then
    self.replaces = true
    return true
  end
  return nil, ("%s exists and belongs to another job or none: --overwrite always replaces it, --append adds to it"):format(self.path)
end

local function open(name, settings)
  local self = setmetatable({ path = name, real = luv.fs_realpath(name) or name, base = 0, position = 0,
                              known = settings.mark ~= nil }, Database)
  local stat, message = durable.stat(self.real)
  if stat == nil then return nil, message end
  if stat and stat.type ~= "file" then return nil, ("%s is a %s, a file is wanted"):format(name, stat.type) end
  local ok = true
  if self.known then ok, message = read_mark(self, settings.mark)
  elseif stat and stat.size > 0 then ok, message = take_place(self, settings) end
  if not ok then return nil, message end
  return self
end

-- The journals go first: with another database they would spoil it.
local function remove(self)
  for _, suffix in ipairs { "-journal", "-wal", "-shm", "" } do
    local ok, message, code = luv.fs_unlink(self.real .. suffix)
    if not ok and code ~= "ENOENT" then return nil, message end
  end
  return true
end

local function begin_job(self)
  self.job = luv.random(8):gsub(".", function (c) return ("%02x"):format(c:byte()) end)
  if self.replaces then return remove(self) end
  return true
end

local function write_again(self, records)
  local mark, message = self:rebuild(records)
  if not mark then return nil, message end
  return true, mark
end

function Database:resume(_, records)
  if not self.known then return begin_job(self) end
  local size, message = size_of(self)
  if not size then return nil, message end
  if size == 0 and self.position == 0 and self.base == 0 then return true end
  if size == 0 then return write_again(self, records) end
  local ok
  ok, message = connect(self)
  if not ok then return nil, message end
  local written
  written, message = progress(self)
  if written == nil then return nil, message end
  if (written or 0) < self.position then return write_again(self, records) end
  return true
end

-- ---- writing ----------------------------------------------------------------------------------------

local function begin(self)
  if self.failure then return nil, table.unpack(self.failure) end
  if self.begun then return true end
  local ok, message, code = connect(self)
  if not ok then return nil, message, code end
  ok, message, code = self.db:exec "BEGIN IMMEDIATE"
  if not ok then return nil, message, code end
  self.begun = true
  local written
  written, message = progress(self)
  if written == nil then return nil, message end
  if written then return true end
  ok, message, code = self.db:exec(SCHEMA)
  if not ok then return nil, message, code end
  return self.db:run("INSERT INTO lunette_jobs(job, base, position) VALUES(?, ?, 0)", self.job, self.base)
end

local function insert(self, r)
  local file = utf8.len(r.file) and r.file or sqlite.blob(r.file)         -- TEXT is UTF-8
  if r.error then return self.db:run(INSERT, self.base + r.id, file, nil, nil, nil, json.valid(r.error), r.stage) end
  return self.db:run(INSERT, self.base + r.id, file, json.valid(r.text), json.encode(r.ids), r.score, nil, nil)
end

-- Ends the transaction without what was written in it.  More than the last write() is undone, so nothing can follow.
local function undo(self, message, code)
  if self.begun then self.db:exec "ROLLBACK" end
  self.begun, self.failure = false, { message, code }
  return nil, message, code
end

local function write_each(self, ...)
  local ok, message, code = begin(self)
  if not ok then return nil, message, code end
  for r in ... do
    ok, message, code = insert(self, r)
    if not ok then return nil, message, code end
    self.position = r.position
  end
  return true
end

function Database:write(list)
  local i = 0
  local ok, message, code = write_each(self, function ()
    i = i + 1
    return list[i]
  end)
  if not ok then return undo(self, message, code) end
  return true
end

local function mark_of(self) return ("%s %d %d"):format(self.job, self.base, self.position) end

function Database:flush()
  if not self.known and not self.begun then
    self.known = true
    return mark_of(self)
  end
  local ok, message, code = begin(self)
  if ok then ok, message, code = self.db:run("UPDATE lunette_jobs SET position = ? WHERE job = ?", self.position, self.job) end
  if ok then ok, message, code = self.db:exec "COMMIT" end
  if not ok then return undo(self, message, code) end
  self.begun = false
  return mark_of(self)
end

function Database:rebuild(records)
  local size, message = size_of(self)
  if not size then return nil, message end
  if size == 0 then
    if self.db then self:close() end             -- of a file that is gone
    self.base = 0
  end
  self.position, self.known = 0, true
  local ok, code
  ok, message, code = begin(self)
  if ok then ok, message, code = self.db:run("DELETE FROM captions WHERE id > ?", self.base) end
  if ok then ok, message, code = write_each(self, records(0)) end
  if not ok then return undo(self, message, code) end
  return self:flush()
end

function Database:close()
  if self.db then self.db:close() end            -- what was not committed is undone
  self.db, self.begun = nil, false
  return true
end

return { open = open }
