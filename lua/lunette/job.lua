--[[
job.lua - captions many pictures to the end: resumes, isolates bad files, keeps what is done.

  local job = require "lunette.job"
  local report = assert(job.run { model = "models/lunette-mini", inputs = { "photos" }, recursive = true,
                                  out = { "captions.jsonl" }, job = "captions.jsonl.job" })
  print(report.done, report.failed)

docs/architecture.md says how it works.
]]
local cjson    = require "cjson"
local emitter  = require "lunette.job.emitter"
local engine   = require "lunette.job.engine"
local inputs   = require "lunette.inputs"
local json     = require "lunette.json"
local merging  = require "lunette.job.merge"
local place    = require "lunette.job.place"
local queue    = require "lunette.job.queue"
local settings = require "lunette.job.settings"
local store    = require "lunette.job.store"
local worker   = require "lunette.job.worker"
local luv      = require "luv"

local job = {}

-- What a job file keeps of the settings, for retry.
local function remembered(given)
  local kept = settings.remembered(given)
  kept.folder = luv.cwd()
  return cjson.encode(kept)
end

-- Raises what is wrong with the settings of job.NAME.
local function want_settings(name, given)
  local ok, message = settings.check(given)
  if not ok then error(("job.%s: %s"):format(name, message), 3) end
end

-- extra: what the engine is told beside the settings
local function start(given, extra)
  local own = {}
  for name, value in pairs(given) do own[name] = value end
  for name, value in pairs(extra or {}) do own[name] = value end
  local run, message, status = engine.open(own)
  if not run then return nil, message, status or 1 end
  run:work()
  run.not_pictures = run.source.counts.not_pictures
  return run
end

--[[
job.run(settings) -> report, or nil, message, status

What to caption   inputs (list, see lunette.inputs), recursive, null, shard = { i, n }; or queue = "redis://HOST/STREAM", claim_after (s),
                  to_queue (results go into streams of the queue)
With what         model (directory), prompt, num_beams, max_new_tokens, length_penalty, num_return_sequences
What to write     out (list of files), sidecar, sidecar_dir, xmp, xmp_title, in_place, overwrite, append, prepend, template, ordered
How               job (the job file; without one nothing is remembered), workers, threads, batch_size, timeout (s), max_memory (bytes),
                  retries, max_failures, fast_decode
Functions         filter(file) -> false to pass a picture over
                  on_image(image, file) -> false to drop the picture, a tensor u8 [Y, X, 3] to take its place.  It runs in the
                  workers: each of them runs the script that called job.run, up to that call
                  on_caption(record) -> false to drop the caption, a string to replace its text; the record may be changed as well
                  on_record(record), once the record is durable, in the order of the outputs
                  on_message(text), on_progress(state, final)

The report has done, failed, dropped, skipped (done before), failed_before, kept (their outputs are there), total, counts (of the whole job
file), not_pictures; status and message where the job ended early: 130 interrupted, 1 stopped, or what a function raised.

Raises for a setting that is not one of these (lunette.job.settings has them all) or that is of another kind.
]]
function job.run(given)
  if given.on_image and place.is_worker() then
    worker.serve(given.on_image)
    os.exit(0, true)
  end
  want_settings("run", given)
  if not given.model then error("job.run: model is missing, wanted the directory of one", 2) end
  if (given.inputs == nil) == (given.queue == nil) then error("job.run: wanted inputs or a queue, one of them", 2) end
  return start(given, given.job and { remember = remembered(given) })
end

-- job.retry(path [, given]) -> report, or nil, message, status: the failures of a job file once more, with the settings of its last
-- run but for those given.
function job.retry(path, given)
  want_settings("retry", given or {})
  path = place.absolute(path)
  local known <close>, message = store.open(path, { readonly = true })
  if not known then return nil, message, 1 end
  local text = known:get "settings"
  known:close()
  local kept = text and json.decode(text, path)
  if not kept or type(kept.folder) ~= "string" then return nil, path .. ": its settings are not known", 1 end
  local folder = luv.cwd()
  local there
  there, message = luv.chdir(kept.folder)
  if not there then return nil, message, 1 end
  kept = settings.pick(kept)
  for name, value in pairs(given or {}) do kept[name] = value end
  kept.job, kept.inputs = path, {}
  local ok
  ok, message = settings.check(kept)
  local results = table.pack(nil, path .. ": " .. tostring(message), 1)
  if ok then results = table.pack(start(kept, { retry = true, remember = text })) end
  luv.chdir(folder)
  return table.unpack(results, 1, results.n)
end

-- job.status(path) -> { counts =, outputs = { { path, position } }, positions =, settings = }, or nil, message
function job.status(path)
  local known <close>, message = store.open(path, { readonly = true })
  if not known then return nil, message end
  local text = known:get "settings"
  return { counts = known:counts(), outputs = known:outputs(), positions = known:last_position(), settings = text and json.decode(text, path) }
end

-- job.failures(path) -> list of { file, path, stage, error }, or nil, message
function job.failures(path)
  local known <close>, message = store.open(path, { readonly = true })
  if not known then return nil, message end
  local list = {}
  for row in known:failures() do list[#list + 1] = row end
  return list
end

-- job.export(path, given) -> number of records, or nil, message: outputs (out, sidecar, xmp, ...) of what a job file holds
function job.export(path, given)
  want_settings("export", given)
  local known <close>, message = store.open(path, { readonly = true })
  if not known then return nil, message end
  local ok, count = pcall(emitter.export, known, given)
  if ok then return count end
  return nil, count
end

-- job.merge(path, parts, given) -> counts of the job file 'path', or nil, message.  It gets what the job files 'parts' hold, and the outputs
-- of the settings are written.  Of a picture that several know a caption counts before a failure.
function job.merge(path, parts, given)
  want_settings("merge", given)
  for _, part in ipairs(parts) do                   -- before there is a new file
    local known <close>, message = store.open(part, { readonly = true })
    if not known then return nil, message end
  end
  local whole <close>, message = store.open(path)
  if not whole then return nil, message end
  local ok, why = pcall(function ()
    for _, part in ipairs(parts) do merging.take(whole, part) end
    whole:assign()
    local made = emitter.open(whole, given)
    whole:commit()
    made:emit()
    made:rebuild()
    made:close()
    whole:close(true)
  end)
  if not ok then return nil, why end
  return job.status(path).counts
end

-- job.enqueue(url, list [, options]) -> { added =, known = }, or nil, message: the pictures that inputs name, by absolute paths, into a queue.
-- Options are those of lunette.inputs.
function job.enqueue(url, list, options)
  local each = inputs.each(list, options)
  return queue.enqueue(url, function ()
    local file, problem, bytes = each()
    return file and (bytes and file or place.absolute(file)), problem, bytes
  end)
end

return job
