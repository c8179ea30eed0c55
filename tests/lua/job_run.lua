-- job_run.lua - lunette.job from a script: settings, functions in the middle, pictures that end their workers.
local lfs     = require "lfs"
local check   = require "check"
local job     = require "lunette.job"
local command = require "tests.cli.command"
local album   = require "tests.cli.album"
local luv     = require "luv"

local equal, ok = check.equal, check.ok
local A, B, C, D = "photos/a.jpg", "photos/b.png", "photos/c.webp", "photos/d.gif"

album.make "photos"

-- Settings of a job with all that is new to it, and what a test adds.
local function given(more)
  album.remove "o.*"
  local settings = { model = album.MODEL, inputs = { "photos" }, out = { "o.jsonl" }, job = "o.job", ordered = true }
  for name, value in pairs(more or {}) do settings[name] = value end
  return settings
end

-- ---- settings ----------------------------------------------------------------------------------------------

for _, case in ipairs {
  { { modle = "x", zzz = 1 }, "modle is no setting of a job; zzz is no setting of a job" },
  { { retry = true }, "retry is no setting of a job" },
  { { workers = "2" }, 'workers is "2", wanted a whole number from 1 to 256' },
  { { workers = 1.5 }, "workers is 1.5, wanted a whole number from 1 to 256" },
  { { batch_size = 0 }, "batch_size is 0, wanted a whole number from 1 to 1024" },
  { { threads = -1 }, "threads is -1, wanted a whole number from 0 to 256" },
  { { retries = -1 }, "retries is -1, wanted a whole number of at least 0" },
  { { timeout = 0 }, "timeout is 0, wanted a number of seconds above 0" },
  { { out = "o.jsonl" }, 'out is "o.jsonl", wanted a list of strings' },
  { { inputs = { 1 } }, "inputs is a table, wanted a list of strings" },
  { { sidecar = "xml" }, 'sidecar is "xml", wanted txt, caption or json' },
  { { overwrite = true }, "overwrite is a boolean, wanted never, always or older" },
  { { shard = { 3, 2 } }, "shard is a table, wanted { I, N } with I from 1 to N" },
  { { on_image = 3, filter = true }, "filter is a boolean, wanted a function; on_image is 3, wanted a function" },
  { { append = true, prepend = true }, "append and prepend exclude each other" },
  { { queue = "redis://localhost/s" }, "wanted inputs or a queue, one of them" },
} do
  check.raises("job.run: " .. case[2], job.run, given(case[1]))
end
check.raises("job.run: model is missing, wanted the directory of one", job.run, { inputs = {} })
check.raises("job.export: sidcar is no setting of a job", job.export, "o.job", { sidcar = "txt" })
check.raises("job.merge: sidcar is no setting of a job", job.merge, "o.job", {}, { sidcar = "txt" })
check.raises("job.retry: wrokers is no setting of a job", job.retry, "o.job", { wrokers = 1 })
check.fails("template: {x} is no field", 1, job.run(given { template = "{x}" }))
check.fails("absent: no such file or directory", 3, job.run(given { model = "absent" }))
do
  local run = assert(job.run(given { num_beams = 0 }))
  equal({ run.status, run.message }, { 2, "num_beams is 0, wanted a whole number of at least 1" }, "what the model does not take")
end

-- ---- functions in this process ---------------------------------------------------------------------------------

local told, states, last = {}, 0, nil
local settings = given {
  workers = 2, threads = 1,
  filter = function (file) return file ~= C end,
  on_caption = function (r)
    if r.file == A then return false end
    if r.file == B then return "another text" end
    r.text, r.score = r.text:upper(), -0.5
  end,
  on_record = function (r) told[#told + 1] = ("%d %s %s"):format(r.position, r.file, r.text or r.error) end,
  on_progress = function (state, final) states, last = states + 1, final and state end,
}
settings.inputs = { "photos", "absent.jpg" }
local before = #settings.inputs
local report = assert(job.run(settings))
equal({ report.done, report.failed, report.dropped, report.skipped, report.total, report.status or "none" }, { 2, 1, 1, 0, 4, "none" }, "report")
equal({ report.counts.done, report.counts.failed, report.counts.dropped, report.counts.todo }, { 2, 1, 1, 0 }, "counts")
local records = album.records "o.jsonl"
equal(album.say "o.jsonl", { B .. ": another text", D .. ": " .. records[2].text, "absent.jpg: read: No such file or directory" },
      "what is written")
equal({ records[2].score, records[2].text:find "%l" or "none" }, { -0.5, "none" }, "a record may be changed")
equal(told, { "1 " .. B .. " another text", "2 " .. D .. " " .. records[2].text, "3 absent.jpg No such file or directory" }, "on_record")
ok(states >= 1 and last, "on_progress was not told the end")
equal({ last.done, last.failed, last.total, last.listed }, { 3, 1, 4, true }, "the last progress")
equal({ #settings.inputs, settings.remember == nil }, { before, true }, "the settings are as they were")
report = assert(job.run(settings))
equal({ report.done, report.skipped, report.failed_before, report.total, #told }, { 0, 3, 1, 0, 3 }, "once more: nothing to do, nothing to tell")

local messages = {}
settings.num_beams = 2
settings.on_message = function (text) messages[#messages + 1] = text end
assert(job.run(settings))
equal(messages[1], "num_beams was not given and is 2: captions are made again", "on_message")

-- What is raised ends the job and is its message.
for _, name in ipairs { "filter", "on_caption", "on_record", "on_progress" } do
  local run = assert(job.run(given { [name] = function () error(name .. " went wrong", 0) end }))
  equal({ run.status, run.message }, { 1, name .. " went wrong" }, "an error in " .. name)
end
for _, case in ipairs { { function () return 3 end, "number" }, { function (r) r.text = nil end, "nil" } } do
  local run = assert(job.run(given { on_caption = case[1] }))
  equal({ run.status, run.message }, { 1, ("on_caption made a %s of the caption, wanted a string, false or nothing"):format(case[2]) },
        "on_caption")
end
assert(job.run(given()))
equal(#album.records "o.jsonl", 4, "the job goes on after an error")

-- ---- on_image: in workers, which are this script again; so it is a script of its own ---------------------------------

-- Runs a script with a job whose settings are these lines; what it prints.
local function script(lines, ...)
  album.remove "o.*"
  album.write("script.lua", ([[
local job, core, luv = require "lunette.job", require "lunette.core", require "luv"
local words = { "b.png" }
local report, message = job.run { model = arg[1], inputs = { "photos" }, out = { "o.jsonl" }, job = "o.job", ordered = true, batch_size = 2,
      threads = 1,
  %s
}
print(report and report.done, report and report.failed, report and report.dropped, message or report.message)
]]):format(lines))
  local status, out, err = command.shell(("'%s' script.lua '%s'"):format(luv.exepath(), table.concat({ album.MODEL, ... }, "' '")))
  equal({ status, err }, { 0, "" }, "a script")
  return out
end

assert(job.run(given()))
local plain = album.say "o.jsonl"
equal(script([[workers = 2, on_image = function (image, file)
    if file:find(words[1], 1, true) then return false end
    if file:find(arg[2], 1, true) then return core.tensor(("\0"):rep(32 * 32 * 3), { shape = { 32, 32, 3 }, dtype = "u8" }) end
    if file:find "d.gif" then error "went wrong" end
  end]], "a.jpg"), "2\t1\t1\tnil\n", "on_image drops, replaces, fails")
local said = album.say "o.jsonl"
equal({ #said, said[2], said[3]:gsub("script.lua:%d+", "script.lua") },
      { 3, plain[3], "photos/d.gif: prepare: script.lua: went wrong", 1 }, "what on_image does not touch is as before, an error is a failure")
ok(said[1]:find "^photos/a.jpg: " and said[1] ~= plain[1], "the picture that took its place: %s", said[1])

local went, number = script([[on_image = function (image, file) if file:find "a.jpg" then return "text" end end]]), album.say "o.jsonl"[1]
equal({ went, number }, { "3\t1\t0\tnil\n", A .. ": prepare: on_image gave a string, wanted a tensor u8 [Y, X, 3], false or nothing" },
      "on_image gives a string")

-- Pictures that end their workers cost themselves and no other.
local BAD = [[workers = 2, timeout = 1.5, retries = %d, on_image = function (image, file)
    if file:find "a.jpg" then luv.kill(luv.os_getpid(), "sigkill") luv.sleep(10000) end
    if file:find "b.png" then os.exit(7) end
    if file:find "c.webp" then while true do end end
  end]]
equal(script(BAD:format(0)), "1\t3\t0\tnil\n", "bad pictures")
equal(album.say "o.jsonl", { A .. ": worker: the worker was ended by SIGKILL", B .. ": worker: the worker ended with status 7",
                             C .. ": worker: took more than 1.5 s", plain[4] }, "--retries 0")
equal(script(BAD:format(1)), "1\t3\t0\tnil\n", "bad pictures")
equal(album.say "o.jsonl", { A .. ": worker: the worker was ended by SIGKILL, 2 times", B .. ": worker: the worker ended with status 7, 2 times",
                             C .. ": worker: took more than 1.5 s, 2 times", plain[4] }, "one retry")

if not album.SANITIZED then
  equal(script [[timeout = 60, retries = 0, max_memory = 100 << 20, on_image = function (image, file)
    local list = {}
    while file:find "a.jpg" do list[#list + 1] = ("x"):rep(1 << 20) .. #list end
  end]], "3\t1\t0\tnil\n", "a picture that takes all memory")
  local first = album.say "o.jsonl"[1]
  ok(first:find "^photos/a.jpg: worker: .*memory within 100 MiB$", "%s", first)
else
  check.skip("a picture that takes all memory", "AddressSanitizer needs more address space than the limit")
end

-- The first picture is slow: with ordered the others wait for it.
equal(script [[workers = 2, on_image = function (_, file) if file:find "a.jpg" then luv.sleep(700) end end]], "4\t0\t0\tnil\n",
      "a slow first picture")
equal(album.say "o.jsonl", plain, "order with a slow first picture")

-- ---- scripts/caption_folder.lua ----------------------------------------------------------------------------------------

assert(lfs.chdir(album.ROOT))
local out = command.temporary .. "/job/folder.jsonl"
local line = ("lua5.4 scripts/caption_folder.lua models/examples '%s'"):format(out)
if not album.SANITIZED then
  local status, printed, err = command.shell(line)
  equal({ status, err }, { 0, "" }, "caption_folder.lua")
  local list = album.records(out)
  equal({ #list, #command.lines(printed) }, { 4, 4 }, "pictures")
  for _, r in ipairs(list) do ok(r.text:find "%.$" and printed:find(r.file .. "\t" .. r.text, 1, true), "%s: %s", r.file, r.text) end
  equal({ command.shell(line) }, { 0, "", "" }, "again: all is done")
  equal({ command.shell "lua5.4 scripts/caption_folder.lua models/examples" }, { 2, "", "usage: caption_folder.lua FOLDER OUT.jsonl\n" }, "usage")
else
  check.skip("caption_folder.lua", "run with the interpreter of the first build")
end

check.finish()
