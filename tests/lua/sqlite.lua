-- sqlite.lua - databases: values there and back, errors by name and code, statements that are left half read, closing.
local lfs    = require "lfs"
local sqlite = require "lunette.sqlite"
local check  = require "check"

local equal, fails, raises = check.equal, check.fails, check.raises
local folder = (os.getenv "TMPDIR" or "/tmp") .. "/sqlite"
assert(lfs.mkdir(folder))
local path = folder .. "/a.db"

local function write(name, bytes)
  local f <close> = assert(io.open(name, "wb"))
  assert(f:write(bytes))
end

local function column(db, sql, ...)
  local found = {}
  for row in db:rows(sql, ...) do found[#found + 1] = row.x end
  return found
end

-- ---- values ----

local db = assert(sqlite.open(path))
equal(db:exec "CREATE TABLE t(id INTEGER PRIMARY KEY, x); CREATE TABLE u(x UNIQUE)", true, "two statements")
local VALUES = { 1, math.maxinteger, math.mininteger, 0.1, -1e300, math.huge, "", "a\0b", "\xff\xfe", "two\nlines", ("z"):rep(100000) }
for i, value in ipairs(VALUES) do
  equal(db:run("INSERT INTO t(x) VALUES(?)", value), 1, "rows inserted")
  equal(db:last_id(), i, "row")
end
equal(column(db, "SELECT x FROM t ORDER BY id"), VALUES, "values")
equal(column(db, "SELECT typeof(?) AS x UNION ALL SELECT typeof(?) UNION ALL SELECT typeof(?) UNION ALL SELECT typeof(?) UNION ALL SELECT typeof(?)",
             1, 1.0, "1", sqlite.blob "1", true), { "integer", "real", "text", "blob", "integer" }, "types")
equal(db:row("SELECT ? AS x", sqlite.blob "\0\xff").x, "\0\xff", "a blob")
equal(db:row("SELECT ? AS x", sqlite.blob "").x, "", "an empty blob")
equal(next(db:row("SELECT ? AS x", nil)), nil, "NULL is absent")
equal(db:row("SELECT ? AS x", false).x, 0, "false")
equal(db:row "SELECT x FROM t WHERE id = 999", nil, "no row")
equal(db:run("UPDATE t SET x = 0 WHERE id <= ?", 3), 3, "rows changed")
equal(db:run "CREATE TABLE v(x)", 0, "rows changed by no change")
equal(db:run("DELETE FROM t WHERE id <= ?", -1), 0, "rows deleted")

-- ---- errors ----

assert(db:run("INSERT INTO u VALUES(?)", 1))
fails(path .. ": UNIQUE constraint failed: u.x", "constraint", db:run("INSERT INTO u VALUES(?)", 1))
fails(path .. ": near \"nonsense\": syntax error", "error", db:exec "nonsense")
fails(path .. ": no such table: nowhere", "error", db:run "DELETE FROM nowhere")
raises(path .. ": no such table: nowhere", db.row, db, "SELECT * FROM nowhere")
raises("one statement wanted, found more", db.run, db, "DELETE FROM u; DELETE FROM t")
raises("one statement wanted, found none", db.run, db, " -- nothing")
raises("1 parameters given, the statement has 2", db.run, db, "INSERT INTO t VALUES(?, ?)", 1)
raises("1 parameters given, the statement has 0", db.row, db, "SELECT 1", 1)
raises("bad argument #3 to 'run' (lunette.sqlite.blob expected, got table)", function () db:run("SELECT ?", 1, {}) end)
check.ok(not pcall(db.run, db, "SELECT ?", print), "a function is stored")
check.ok(not pcall(db.exec, db, "SELECT 1\0"), "NUL in a statement")
check.ok(not pcall(sqlite.open, "a\0b"), "NUL in a path")
raises("timeout must be milliseconds from 0 to 2147483647", sqlite.open, path, { timeout = -1 })
equal(db:row "SELECT count(*) AS x FROM u".x, 1, "rows after all that")

fails(folder .. "/absent/a.db: unable to open database file: No such file or directory", "cantopen", sqlite.open(folder .. "/absent/a.db"))
fails(folder .. "/b.db: unable to open database file: No such file or directory", "cantopen", sqlite.open(folder .. "/b.db", { readonly = true }))
write(folder .. "/text", ("no database "):rep(100))
fails(folder .. "/text: file is not a database", "corrupt", sqlite.open(folder .. "/text"))

local reader = assert(sqlite.open(path, { readonly = true }))
equal(reader:row "SELECT count(*) AS x FROM u".x, 1, "another reader")
fails(path .. ": attempt to write a readonly database", "readonly", reader:run "DELETE FROM u")
assert(db:exec "BEGIN EXCLUSIVE")
fails(path .. ": database is locked", "busy", sqlite.open(path))
raises(path .. ": database is locked", reader.row, reader, "SELECT x FROM u")
assert(db:exec "COMMIT")
reader:close()

assert(db:exec "PRAGMA max_page_count = 60")
fails(path .. ": database or disk is full", "full", db:run("INSERT INTO t(x) VALUES(?)", ("y"):rep(1000000)))

-- ---- what a stranger's database may not do ----

fails("not authorized", "error", db:run "SELECT load_extension('x.so')")
assert(db:exec "PRAGMA writable_schema = on")
fails("table sqlite_master may not be modified", "error", db:run "DELETE FROM sqlite_master")

-- ---- rows that are left half read, and within each other ----

for _, value in ipairs { 1, 2, 3 } do assert(db:run("INSERT INTO v VALUES(?)", value)) end
local pairs_seen = {}
for a in db:rows "SELECT x FROM v ORDER BY x" do
  for b in db:rows "SELECT x FROM v ORDER BY x" do pairs_seen[#pairs_seen + 1] = a.x * 10 + b.x end
end
equal(pairs_seen, { 11, 12, 13, 21, 22, 23, 31, 32, 33 }, "a statement within itself")
for row in db:rows "SELECT x FROM v" do
  if row.x then break end
end
pcall(function () for _ in db:rows "SELECT x FROM v" do error "out" end end)
equal(db:exec "DROP TABLE v", true, "a table whose readers left")
for i = 1, 100 do equal(column(db, ("SELECT %d AS x"):format(i % 40)), { i % 40 }, "more statements than are kept") end
for round = 1, 3 do
  assert(db:exec(("CREATE TABLE w(%s)"):format(round == 2 and "y, x" or "x")))
  equal(column(db, "SELECT x FROM w"), {}, "a table that was made again")
  assert(db:exec "DROP TABLE w")
end

-- ---- closing ----

local next_row, rows = db:rows "SELECT x FROM t"
db:close()
db:close()
raises("database is closed", next_row, rows)
raises("database is closed", db.row, db, "SELECT 1")
raises("database is closed", db.exec, db, "SELECT 1")
rows, next_row = nil, nil       -- luacheck: ignore
collectgarbage()

do
  local again <close> = assert(sqlite.open(path))
  equal(again:row "SELECT count(*) AS x FROM t".x, #VALUES, "rows on disk")
end
for _ = 1, 50 do assert(sqlite.open(path)):rows "SELECT x FROM t" end
collectgarbage()
equal(os.rename(path, folder .. "/moved.db"), true, "renamed")

-- ---- names that SQLite would take for something else ----

assert(lfs.chdir(folder))
for _, name in ipairs { ":memory:", "file:x?mode=memory", "two\nlines.db", "\xff.db", ("n"):rep(240) } do
  local odd <close> = assert(sqlite.open(name))
  assert(odd:exec "CREATE TABLE t(x)")
  check.ok((lfs.attributes(folder .. "/" .. name, "size") or 0) > 0, "%q is no file", name)
end
local temporary <close> = assert(sqlite.open "")
assert(temporary:exec "CREATE TABLE t(x)")
fails("temporary database: no such table: nowhere", "error", temporary:run "DELETE FROM nowhere")

check.finish()
