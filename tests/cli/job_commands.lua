-- job_commands.lua - lunette job: status, failures, retry, export, merge of what caption left.
local lfs     = require "lfs"
local json    = require "lunette.json"
local sqlite  = require "lunette.sqlite"
local check   = require "check"
local command = require "tests.cli.command"
local album   = require "tests.cli.album"

local equal, ok, job = check.equal, check.ok, album.job
local here = lfs.currentdir()

album.make "photos"
album.write("photos/b.png", "\137PNG\r\n\26\nno more")
album.write("photos/two\nlines.gif", "GIF89a")
equal((album.caption("photos", "absent.jpg", "--ordered", "--quiet", "--out", "o.jsonl", "--out", "o.csv", "--workers", "2")), 1,
      "a job with failures")
local all = album.records "o.jsonl"

-- ---- status, failures ------------------------------------------------------------------------------------

equal({ job("status", "o.jsonl.job") },
      { 0, ("3 captions, 3 failures, 0 to do\n%s/o.csv: 6 of 6 records\n%s/o.jsonl: 6 of 6 records\nmodel: %s\n"):format(here, here,
      album.MODEL), "" },
      "status")
local status, out, err, _ = job("status", "--json", "o.jsonl.job")
local object = assert(json.decode(out, "status"))
equal({ status, err, object.done, object.failed, object.dropped, object.elsewhere, object.todo, object.outputs[2].path, object.outputs[2].records },
      { 0, "", 3, 3, 0, 0, 0, here .. "/o.jsonl", 6 }, "status --json")
local why = {}
for _, r in ipairs(all) do
  if r.error then why[#why + 1] = r end
end
equal(#why, 3, "failures")
local FAILURES = "photos/b.png: decode: %s\nphotos/two?lines.gif: decode: %s\nabsent.jpg: read: No such file or directory\n"
equal({ job("failures", "o.jsonl.job") }, { 0, FAILURES:format(why[1].error, why[2].error), "" },
      "failures")
_, out = job("failures", "--json", "o.jsonl.job")
for i, line in ipairs(command.lines(out)) do
  local r = assert(json.decode(line, "failures"))
  equal({ r.file, r.stage, r.error }, { why[i].file, why[i].stage, why[i].error }, "failures --json")
end
equal({ job("failures", "-0", "o.jsonl.job") }, { 0, ("%s/photos/b.png\0%s/photos/two\nlines.gif\0%s/absent.jpg\0"):format(here, here,
      here), "" }, "failures -0")
ok(not album.read "o.jsonl.job-wal" and not album.read "o.jsonl.job-shm", "looking at a job file leaves files beside it")

-- ---- what is no job file -----------------------------------------------------------------------------------

album.write("text", ("no database\n"):rep(100))
album.write("empty", "")
do
  local db <close> = assert(sqlite.open "other.db")
  assert(db:exec "CREATE TABLE t(x); PRAGMA user_version = 7")
end
for _, case in ipairs { { "absent", "unable to open database file: No such file or directory" }, { "text", "not a job file" },
                        { "other.db", "not a job file of this version" }, { "empty", "not a job file of this version" } } do
  local message = ("lunette: %s: %s\n"):format(case[1], case[2])
  for _, action in ipairs { "status", "failures" } do equal({ job(action, case[1]) }, { 3, "", message }, action .. " " .. case[1]) end
  equal({ job("export", case[1], "--out", "x.csv") }, { 1, "", message }, "export " .. case[1])
  equal({ job("merge", case[1], "--out", "x.csv") }, { 1, "", message }, "merge " .. case[1])
  equal({ job("retry", case[1]) }, { 1, "", (message:gsub(case[1], here .. "/%0", 1)) }, "retry " .. case[1])
end
ok(not album.read "x.csv" and not album.read "x.csv.job" and not album.read "absent", "what is refused leaves nothing")
equal({ album.caption("photos", "--out", "x.jsonl", "--job", "text") }, { 1, "", "lunette: text: not a job file\n" }, "caption --job text")
for _, case in ipairs { { "a command is required" }, { "unknown command 'look'", "look" }, { "missing argument 'job'", "status" },
                        { "export needs --out or --sidecar", "export", "o.jsonl.job" }, { "merge needs --out or --job", "merge", "o.jsonl.job" },
                        { "x.txt: an output's name ends in .jsonl, .csv, .db, .sqlite or .html", "export", "o.jsonl.job", "--out", "x.txt" } } do
  equal({ job(table.unpack(case, 2)) }, { 2, "", ("lunette: %s\nTry: lunette job --help\n"):format(case[1]) }, case[1])
end

-- ---- one that is being run -----------------------------------------------------------------------------------

do
  local run <close> = assert(sqlite.open "o.jsonl.job")
  assert(run:exec "BEGIN IMMEDIATE")
  local busy = "lunette: %so.jsonl.job: another process is running this job\n"
  equal({ job("retry", "o.jsonl.job") }, { 1, "", busy:format(here .. "/") }, "retry of a job that is being run")
  equal({ album.caption("photos", "--out", "o.jsonl") }, { 1, "", busy:format "" }, "caption of a job that is being run")
  equal((job("status", "o.jsonl.job")), 0, "status of a job that is being run")
  equal((job("failures", "o.jsonl.job")), 0, "failures of a job that is being run")
end

-- ---- retry ---------------------------------------------------------------------------------------------------

status, out, err = job("retry", "o.jsonl.job")
equal({ status, out }, { 1, "" }, "retry while all is as it was")
ok(err:find "\nlunette: 0 captions, 3 failures\n", "%s", err)
album.put("b.png", "photos/b.png")
assert(lfs.mkdir "elsewhere" and lfs.chdir "elsewhere")
status, out, err = job("retry", "../o.jsonl.job")
assert(lfs.chdir "..")
equal({ status, out }, { 1, "" }, "retry from another folder")
ok(err:find "\nlunette: 1 caption, 2 failures\n" and #command.lines(err) == 4, "%s", err)
local now = album.records "o.jsonl"
for i, r in ipairs(now) do equal(r.file, all[i].file, "retry keeps the order") end
ok(now[2].text and #now == 6, "a failure that is mended takes the place of the failure")
ok(album.read "o.csv":find("\nphotos/b.png," .. now[2].text, 1, true), "in each output")
album.put("a.jpg", "absent.jpg")
album.put("d.gif", "photos/two\nlines.gif")
equal({ job("retry", "o.jsonl.job") }, { 0, "", "lunette: 2 captions\n" }, "retry of what is mended")
equal({ job("retry", "o.jsonl.job") }, { 0, "", "lunette: 0 captions\n" }, "nothing to retry")
equal({ album.caption("photos", "absent.jpg", "--out", "o.jsonl", "--ordered") }, { 0, "", "lunette: 0 captions, 6 done before\n" },
      "the command again")

-- ---- export --------------------------------------------------------------------------------------------------

equal({ job("export", "o.jsonl.job", "--out", "e.jsonl", "--out", "e.csv", "--out", "e.db", "--out", "e.html") }, { 0, "",
      "lunette: 6 records\n" }, "export")
equal(album.read "e.jsonl", album.read "o.jsonl", "exported JSON lines")
equal({ job("export", "o.jsonl.job", "--out", "e.jsonl") },
      { 1, "", "lunette: e.jsonl exists and belongs to another job or none: --overwrite always replaces it, --append adds to it\n" },
      "export again")
equal((job("export", "o.jsonl.job", "--out", "e.jsonl", "--overwrite", "always")), 0, "export --overwrite always")
equal(album.read "e.jsonl", album.read "o.jsonl", "exported again")
equal((job("export", "o.jsonl.job", "--sidecar", "txt", "--sidecar-dir", "side")), 0, "export --sidecar")
equal(album.read "side/photos/a.txt", all[1].text .. "\n", "an exported sidecar")
album.remove "o.* e.* e_files side absent.jpg photos text empty other.db elsewhere"

-- ---- merge ---------------------------------------------------------------------------------------------------

album.make "photos"
for i = 1, 8 do album.put(album.NAMES[i % 4 + 1], "photos/m" .. i) end
album.write("photos/m9.png", "\137PNG\r\n\26\nno more")
equal((album.caption("photos", "--out", "w.jsonl", "--ordered", "--quiet")), 1, "one run")
for i = 1, 3 do album.caption("photos", "--shard", i .. "/3", "--out", i .. ".jsonl", "--ordered", "--quiet") end
equal({ job("merge", "1.jsonl.job", "2.jsonl.job", "3.jsonl.job", "--out", "m.jsonl", "--out", "m.csv") },
      { 0, "", "lunette: 12 captions, 1 failure\n" }, "merge")
equal(album.sorted(album.read "m.jsonl"), album.sorted(album.read "w.jsonl"), "shards together are one run")
equal(#command.lines(album.read "m.csv"), 14, "lines of m.csv")
ok(not album.read "m.jsonl.job-wal", "merge leaves files beside the job file")
equal({ job("merge", "1.jsonl.job", "2.jsonl.job", "3.jsonl.job", "--out", "m.jsonl", "--out", "m.csv") },
      { 0, "", "lunette: 12 captions, 1 failure\n" }, "merge again")
equal(album.sorted(album.read "m.jsonl"), album.sorted(album.read "w.jsonl"), "nothing is there twice")
equal({ album.caption("photos", "--out", "m.jsonl") },
      { 1, "", "lunette: 0 captions, 12 done before, 1 failed before\nlunette: why: lunette job failures m.jsonl.job\n" }, "a merged job goes on")
album.put("b.png", "photos/m9.png")
equal({ job("retry", "m.jsonl.job") }, { 0, "", "lunette: 1 caption\n" }, "retry of a merged job")
equal((album.caption("photos/m9.png", "--out", "one.jsonl", "--quiet")), 0, "the mended picture alone")
equal({ job("merge", "w.jsonl.job", "one.jsonl.job", "--out", "better.jsonl") }, { 0, "", "lunette: 13 captions, 0 failures\n" },
      "a caption counts before a failure")
equal({ job("merge", "one.jsonl.job", "w.jsonl.job", "--out", "best.jsonl") }, { 0, "", "lunette: 13 captions, 0 failures\n" },
      "whichever comes first")
equal({ job("merge", "w.jsonl.job", "--out", "better.jsonl") }, { 0, "", "lunette: 13 captions, 0 failures\n" }, "and a failure never after")
equal(album.sorted(album.read "better.jsonl"), album.sorted(album.read "m.jsonl"), "records")
equal(album.sorted(album.read "best.jsonl"), album.sorted(album.read "m.jsonl"), "records")

-- ---- enqueue ---------------------------------------------------------------------------------------------------

equal({ job("enqueue", "s", "photos") },
      { 2, "", "lunette: s: not a redis:// url, wanted redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]/STREAM\n" },
      "enqueue into what is no queue")
equal((job("enqueue", "redis://localhost:1/s", "photos")), 3, "enqueue where no Redis is")

check.finish()
