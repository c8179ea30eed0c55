--[[
job.lua - captions many pictures to the end: resumes, isolates bad files, keeps what is done.

  local job = require "lunette.job"
  local report = assert(job.run { model = "models/lunette-mini", inputs = { "photos" }, recursive = true,
                                  out = { "captions.jsonl" }, job = "captions.job" })
  print(report.done, report.failed)

docs/architecture.md says how it works.
]]
local engine = require "lunette.job.engine"

local job = {}

--[[
job.run(settings) -> report, or nil, message, status

What to caption   inputs (list, see lunette.inputs), recursive, null, shard = { i, n }; or queue = "redis://HOST/STREAM", claim_after (s)
With what         model (directory), prompt, num_beams, max_new_tokens, length_penalty, num_return_sequences
What to write     out (list of files), sidecar, sidecar_dir, xmp, xmp_title, in_place, overwrite, append, prepend, template, ordered
How               job (the job file; without one nothing is remembered), workers, threads, batch_size, timeout (s), max_memory (bytes),
                  retries, max_failures, fast_decode
Functions         filter(file) -> false to pass a picture over
                  on_caption(record) -> false to drop the caption, a string to replace its text; the record may be changed as well
                  on_record(record), once the record is durable, in the order of the outputs
                  on_message(text), on_progress(state, final)

The report has done, failed, dropped, skipped (done before), kept (their outputs are there), total, counts (of the whole job file),
not_pictures; status and message where the job ended early: 130 interrupted, 1 stopped.
]]
function job.run(settings)
  local run, message = engine.open(settings)
  if not run then return nil, message, 1 end
  run:work()
  run.not_pictures = run.source.counts.not_pictures
  return run
end

return job
