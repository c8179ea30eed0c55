-- store.lua - the job file: which pictures there are, what was made of each, and what the outputs hold of it.
--
-- A SQLite database in WAL mode.  Whoever runs the job has a write transaction open all the time, so a second
-- one that tries is told that the job is being run; others may read.
local cjson  = require "cjson"
local json   = require "lunette.json"
local sqlite = require "lunette.sqlite"

local VERSION = 2

local SCHEMA = [[
CREATE TABLE job(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE run(                       -- what captions depend on beside the picture
  id INTEGER PRIMARY KEY, settings TEXT UNIQUE);
CREATE TABLE image(
  id INTEGER PRIMARY KEY,
  path TEXT,                            -- absolute; what the picture is known by
  file TEXT,                            -- as it was given
  size INTEGER, mtime INTEGER,          -- bytes, nanoseconds; NULL where there was no such file
  run INTEGER,                          -- run.id the record is of
  todo INTEGER NOT NULL,                -- 1: to be captioned (again if there is a record), 2: the same, left by an
                                        -- earlier run, 3: a worker has it, 0: no
  state TEXT,                           -- of the record: done, failed, dropped, elsewhere; NULL: none yet
  position INTEGER,                     -- of the record in the outputs
  redone INTEGER NOT NULL DEFAULT 0,    -- 1: the outputs of single pictures hold an older record
  text TEXT, ids TEXT, score REAL, tokens INTEGER, sequences TEXT, ms REAL, width INTEGER, height INTEGER,
  error TEXT, stage TEXT,
  ticket TEXT,                          -- of a queue: its name for this input, until the queue has confirmed it
  final TEXT, thumbnail BLOB);          -- for outputs, until they have it; final: { output = what its prepare() gave }, JSON
CREATE INDEX image_path ON image(path);
CREATE INDEX image_todo ON image(todo, id);
CREATE INDEX image_next ON image(id) WHERE position IS NULL AND ticket IS NULL AND todo = 0 AND state IN ('done', 'failed');
CREATE INDEX image_ticket ON image(id) WHERE ticket IS NOT NULL;
CREATE INDEX image_final ON image(position) WHERE final IS NOT NULL;
CREATE INDEX image_thumbnail ON image(position) WHERE thumbnail IS NOT NULL;
CREATE INDEX image_redone ON image(id) WHERE redone = 1;
CREATE INDEX image_state ON image(state, id);
CREATE UNIQUE INDEX image_position ON image(position);
CREATE TABLE output(
  path TEXT PRIMARY KEY, mark TEXT, position INTEGER NOT NULL DEFAULT 0,
  stale INTEGER NOT NULL DEFAULT 0      -- 1: it holds records that are not true any more
) WITHOUT ROWID;
]]

local Store = {}
Store.__index = Store
Store.__close = function (self) self:close() end

-- Errors of the database stop whatever the job does: they are raised.
local function want(value, message)
  if value == nil then error(message, 0) end
  return value
end

function Store:run(sql, ...) return want(self.db:run(sql, ...)) end

-- SQLite's message, but what is no database at all is no job file to who reads it.
local function in_our_words(path, message)
  return message:find("file is not a database", 1, true) and path .. ": not a job file" or message
end

-- open(path [, {readonly=}]) -> store, or nil, message; path "" is a job that ends with the process
local function open(path, options)
  local readonly = options and options.readonly
  local db, message, code = sqlite.open(path, { readonly = readonly })
  if not db then return nil, in_our_words(path, message), code end
  local self = setmetatable({ db = db, path = path }, Store)
  local ok, why = pcall(function ()
    if not readonly then want(db:exec "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL") end
    local version = db:row "PRAGMA user_version".user_version
    if version == 0 and db:row "SELECT count(*) AS n FROM sqlite_schema".n == 0 and not readonly then
      want(db:exec("BEGIN IMMEDIATE;" .. SCHEMA .. ("PRAGMA user_version = %d; COMMIT"):format(VERSION)))
      self.empty = path ~= ""
    elseif version ~= VERSION or not db:row "SELECT 1 AS n FROM sqlite_schema WHERE name = 'image'" then
      error(path .. ": not a job file of this version", 0)
    end
    if not readonly then self:begin() end
  end)
  if ok then return self end
  db:close()
  return nil, in_our_words(path, why)
end

function Store:begin()
  local ok, message, code = self.db:exec "BEGIN IMMEDIATE"
  if ok then return end
  if code == "busy" then message = self.path .. ": another process is running this job" end
  error(message, 0)
end

-- What was done so far is durable when this returns.
function Store:commit()
  want(self.db:exec "COMMIT")
  self.empty = nil
  self:begin()
end

-- Ends it; what was not committed is lost unless keep.
function Store:close(keep)
  if self.closed then return end
  self.closed = true
  local ok, message = true, nil
  if keep then ok, message = self.db:exec "COMMIT" end
  self.db:close()
  if not ok then error(message, 0) end
end

-- Ends it; a file that was made for this and holds nothing yet is removed.
function Store:discard()
  self:close()
  if self.empty then os.remove(self.path) end
end

-- ---- records -----------------------------------------------------------------------------

local COLUMNS = "id, position, file, path, text, ids, score, tokens, sequences, ms, width, height, error, stage, final, thumbnail"

local function revive(row)
  row.ids = row.ids and json.decode(row.ids, "ids")
  row.sequences = row.sequences and json.decode(row.sequences, "sequences")
  row.final = row.final and cjson.decode(row.final)            -- of any bytes, where JSON from elsewhere is UTF-8
  return row
end

-- Iterator of the records that a query finds.
local function revived(next_row, rows)
  return function ()
    local row = next_row(rows)
    return row and revive(row)
  end
end

-- ---- what the job is ------------------------------------------------------------------------

function Store:get(name)
  local row = self.db:row("SELECT value FROM job WHERE name = ?", name)
  return row and row.value
end

function Store:set(name, value) self:run("INSERT OR REPLACE INTO job VALUES (?, ?)", name, value) end

-- The number of the run with these settings (identity.lua).
function Store:run_id(settings)
  self:run("INSERT OR IGNORE INTO run(settings) VALUES (?)", settings)
  return self.db:row("SELECT id FROM run WHERE settings = ?", settings).id
end

function Store:run_settings(id)
  local row = id and self.db:row("SELECT settings FROM run WHERE id = ?", id)
  return row and row.settings
end

-- ---- pictures -------------------------------------------------------------------------------

function Store:find(path)
  return self.db:row("SELECT id, size, mtime, run, todo, state, error FROM image WHERE path = ? LIMIT 1", path)
end

-- A picture that is to be captioned; its row number.
function Store:add(image)
  self:run("INSERT INTO image(path, file, size, mtime, run, todo, ticket) VALUES (?, ?, ?, ?, ?, 1, ?)",
           image.path, image.file, image.size, image.mtime, image.run, image.ticket)
  return self.db:last_id()
end

-- One that has to be captioned again, or still.
function Store:again(id, image)
  self:run("UPDATE image SET todo = 1, file = ?, size = ?, mtime = ?, run = ?, ticket = ? WHERE id = ?",
           image.file, image.size, image.mtime, image.run, image.ticket, id)
end

-- What earlier runs left is taken up when it is met again.
function Store:leave()
  self:run "UPDATE image SET todo = 2 WHERE todo IN (1, 3)"
end

-- Up to 'most' pictures to be captioned, in order of their numbers; they count as under way.
function Store:take(most)
  local list = {}
  for row in self.db:rows("SELECT id, file, path FROM image INDEXED BY image_todo WHERE todo = 1 ORDER BY id LIMIT ?", most) do
    list[#list + 1] = row
  end
  for _, row in ipairs(list) do self:run("UPDATE image SET todo = 3 WHERE id = ?", row.id) end
  return list
end

-- The record of a picture.  Where the outputs hold an older one they have to be made anew.
function Store:put(id, record)
  local was = self.db:row("SELECT position FROM image WHERE id = ?", id)
  local redone = was and was.position ~= nil
  self:run([[UPDATE image SET todo = 0, state = ?, text = ?, ids = ?, score = ?, tokens = ?, sequences = ?, ms = ?, width = ?, height = ?,
             error = ?, stage = ?, final = ?, thumbnail = ?, redone = ? WHERE id = ?]],
           record.state, record.text, record.ids and cjson.encode(record.ids), record.score, record.tokens,
           record.sequences and cjson.encode(record.sequences), record.ms, record.width, record.height,
           record.error, record.stage, record.final and cjson.encode(record.final),
           record.thumbnail and sqlite.blob(record.thumbnail), redone and 1 or 0, id)
  if record.size then self:run("UPDATE image SET size = ? WHERE id = ?", record.size, id) end     -- once an output has written into it
  if redone then self:outdate() end
end

-- Outputs that may have the record at a position, or any, are to be written again.
function Store:outdate(position) self:run("UPDATE output SET stale = 1 WHERE position >= ?", position or 0) end

-- Writing what a picture's own output holds has failed.
function Store:spoil(id, message)
  self:run([[UPDATE image SET state = 'failed', error = ?, stage = 'write', text = NULL, ids = NULL, score = NULL, tokens = NULL,
             sequences = NULL WHERE id = ?]], message, id)
  local position = self.db:row("SELECT position FROM image WHERE id = ?", id).position
  if position then self:outdate(position) end
end

-- What could not be listed and was not met again is no failure any more; how many.
function Store:forget_problems(met)
  local gone = {}
  for row in self.db:rows "SELECT id, path, position FROM image WHERE stage = 'list' AND state = 'failed'" do
    if not met[row.path] then gone[#gone + 1] = row end
  end
  for _, row in ipairs(gone) do
    self:run("UPDATE image SET state = 'dropped' WHERE id = ?", row.id)
    if row.position then self:outdate(row.position) end
  end
  return #gone
end

-- ---- queues ---------------------------------------------------------------------------------

function Store:ticket(id, ticket) self:run("UPDATE image SET ticket = ? WHERE id = ?", ticket, id) end

-- Iterator of the records that a queue has to confirm.
function Store:unconfirmed()
  return revived(self.db:rows("SELECT ticket, " .. COLUMNS .. [[ FROM image WHERE ticket IS NOT NULL AND todo = 0
                               AND state IN ('done', 'failed', 'dropped') ORDER BY id]]))
end

-- Whether the queue says that a record is ours; one that is not stays out of the outputs, unless they have it.
function Store:confirmed(id, ours)
  self:run("UPDATE image SET ticket = NULL WHERE id = ?", id)
  if not ours then self:run("UPDATE image SET state = 'elsewhere' WHERE id = ? AND position IS NULL", id) end
end

-- ---- outputs --------------------------------------------------------------------------------

-- Gives records that have none their positions, in the order of the pictures: of pictures before number 'limit', or of all.
function Store:assign(limit)
  local next_position = (self.db:row "SELECT max(position) AS n FROM image".n or 0) + 1
  local ids = {}
  for row in self.db:rows([[SELECT id FROM image INDEXED BY image_next WHERE position IS NULL AND ticket IS NULL AND todo = 0
                            AND state IN ('done', 'failed') AND id < ? ORDER BY id]], limit or math.maxinteger) do
    ids[#ids + 1] = row.id
  end
  for i, id in ipairs(ids) do self:run("UPDATE image SET position = ? WHERE id = ?", next_position + i - 1, id) end
  return #ids
end

-- The number of the first picture that has no record yet.
function Store:first_todo()
  return self.db:row([[SELECT min(n) AS n FROM (SELECT min(id) AS n FROM image WHERE todo = 1
                       UNION ALL SELECT min(id) FROM image WHERE todo = 3)]]).n
end

-- Iterator of the records after a position, in order; of those before or at 'last' if given.
function Store:records(position, last)
  return revived(self.db:rows("SELECT " .. COLUMNS .. [[ FROM image WHERE position > ? AND position <= ? AND state IN ('done', 'failed')
                               ORDER BY position]], position, last or math.maxinteger))
end

-- The caption that the outputs have of a picture, nil if they have none.
function Store:caption(path)
  local row = self.db:row("SELECT text FROM image WHERE path = ? AND state = 'done' AND position IS NOT NULL LIMIT 1", path)
  return row and row.text
end

-- Iterator of the records that replace an older one in the outputs of single pictures.
function Store:redone()
  return revived(self.db:rows("SELECT " .. COLUMNS .. " FROM image WHERE redone = 1 AND state IN ('done', 'failed') ORDER BY id"))
end

-- The outputs have the records up to a position: what was kept for them alone may go; thumbnails not yet where an output is
-- stale, since it is to be made anew with them.
function Store:emitted(position, stale)
  self:run("UPDATE image SET final = NULL WHERE position <= ? AND final IS NOT NULL", position)
  if not stale then self:run("UPDATE image SET thumbnail = NULL WHERE position <= ? AND thumbnail IS NOT NULL", position) end
  self:run "UPDATE image SET redone = 0 WHERE redone = 1"
end

-- Iterator of all records, with what they depend on.
function Store:all()
  return revived(self.db:rows("SELECT size, mtime, run, state, " .. COLUMNS .. [[ FROM image WHERE todo = 0 AND state IN ('done', 'failed', 'dropped')
                               ORDER BY position IS NULL, position, id]]))
end

function Store:outputs()
  local list = {}
  for row in self.db:rows "SELECT path, position FROM output ORDER BY path" do list[#list + 1] = row end
  return list
end

function Store:last_position() return self.db:row "SELECT max(position) AS n FROM image".n or 0 end

function Store:output(path)
  return self.db:row("SELECT mark, position, stale FROM output WHERE path = ?", path) or { position = 0, stale = 0 }
end

function Store:mark(path, mark, position)
  self:run([[INSERT INTO output(path, mark, position) VALUES (?, ?, ?)
             ON CONFLICT(path) DO UPDATE SET mark = excluded.mark, position = excluded.position]], path, mark, position)
end

-- An output holds what is true.
function Store:fresh(path) self:run("UPDATE output SET stale = 0 WHERE path = ?", path) end

-- ---- counting -------------------------------------------------------------------------------

-- { done =, failed =, dropped =, elsewhere =, todo = }
function Store:counts()
  local counts = { done = 0, failed = 0, dropped = 0, elsewhere = 0, todo = 0 }
  for row in self.db:rows "SELECT state, count(*) AS n FROM image WHERE todo = 0 GROUP BY state" do
    if row.state then counts[row.state] = row.n end
  end
  counts.todo = self.db:row "SELECT count(*) AS n FROM image WHERE todo > 0".n
  return counts
end

-- Iterator of the failures: { id, file, path, error, stage }.
function Store:failures()
  return self.db:rows "SELECT id, file, path, error, stage FROM image WHERE state = 'failed' AND todo = 0 ORDER BY id"
end

return { open = open }
