-- cli/job.lua - lunette job: what a job file holds, its failures again, its captions elsewhere; queues.
local job     = require "lunette.job"
local caption = require "lunette.cli.caption"
local report  = require "lunette.cli.report"
local settings = require "lunette.job.settings"
local take    = require "lunette.cli.take"

local command = { summary = "Look into the job file of caption, retry failures, export, merge, fill a queue." }

local function output_options(parser)
  parser:option("--out", "Captions into FILE: .jsonl, .csv, .db or .html, or metadata.jsonl; may be given several times.")
    :argname "FILE":count "*":convert(take.output)
  parser:option("--sidecar", "A file beside each picture."):choices { "txt", "caption", "json" }
  parser:option("--sidecar-dir", "Sidecars under DIR instead."):argname "DIR":target "sidecar_dir"
  parser:option("--overwrite", "What becomes of files that are there (never)."):choices { "never", "always", "older" }
end

function command.setup(parser)
  parser:require_command(true)
  parser:command_target "action"
  local status = parser:command("status", "How many captions, failures and pictures to do."):add_help(true)
  status:argument("job", "A job file.")
  status:flag("--json", "As one JSON object.")
  local failures = parser:command("failures", "What failed, where and why."):add_help(true)
  failures:argument("job", "A job file.")
  failures:mutex(failures:flag("--json", "One JSON object a line."), failures:flag("-0 --null", "The paths alone, a NUL after each."))
  local retry = parser:command("retry", "Caption what failed once more, as the last run did."):add_help(true)
  retry:argument("job", "A job file.")
  retry:option("--timeout", "Seconds a picture may take."):argname "S":convert(take.positive)
  retry:option("--max-memory", "Memory of a worker, such as 2G."):argname "SIZE":convert(take.bytes):target "max_memory"
  retry:option("--retries", "How often a picture that ended its worker is tried again."):argname "N":convert(take.whole(0))
  retry:flag("--quiet", "Only failures are told.")
  local export = parser:command("export", "Write what a job file holds to other outputs."):add_help(true)
  export:argument("job", "A job file.")
  output_options(export)
  local merge = parser:command("merge", "Make one job file of several, and its outputs."):add_help(true)
  merge:argument("parts", "Job files, such as those of --shard."):args "+"
  merge:option("--job", "The job file to make (beside the first output)."):argname "FILE"
  output_options(merge)
  local enqueue = parser:command("enqueue", "Put pictures into a Redis Stream, for caption --queue."):add_help(true)
  enqueue:argument("queue", "redis://HOST/STREAM")
  enqueue:argument("input", "Pictures, folders, patterns, @FILE or -, as for caption."):args "+"
  enqueue:flag("--recursive", "Also the pictures of folders in folders.")
  enqueue:flag("-0 --null", "Lists have NUL between their paths.")
end

local actions = {}

function actions.status(options)
  local status, message = job.status(options.job)
  if not status then return report.fail(3, "%s", message) end
  local counts, outputs = status.counts, {}
  if options.json then
    for i, o in ipairs(status.outputs) do outputs[i] = report.object { { "path", o.path }, { "records", o.position } } end
    print(report.encode(report.object { { "done", counts.done }, { "failed", counts.failed }, { "dropped", counts.dropped },
                                        { "elsewhere", counts.elsewhere }, { "todo", counts.todo }, { "outputs", outputs } }))
    return 0
  end
  print(("%s, %s, %d to do"):format(report.count(counts.done, "caption"), report.count(counts.failed, "failure"), counts.todo))
  if counts.dropped > 0 then print(("%d dropped by a script"):format(counts.dropped)) end
  if counts.elsewhere > 0 then print(("%d recorded by another consumer of the queue"):format(counts.elsewhere)) end
  for _, o in ipairs(status.outputs) do print(("%s: %d of %d records"):format(o.path, o.position, status.positions)) end
  if status.settings then print("model: " .. status.settings.model) end
  return 0
end

function actions.failures(options)
  local list, message = job.failures(options.job)
  if not list then return report.fail(3, "%s", message) end
  for _, row in ipairs(list) do
    if options.json then
      print(report.encode(report.object { { "file", row.file }, { "stage", row.stage }, { "error", row.error } }))
    elseif options.null then io.stdout:write(row.path, "\0")
    else print(("%s: %s: %s"):format(row.file:gsub("%c", "?"), row.stage, row.error)) end
  end
  return 0
end

function actions.retry(options)
  return caption.finish(options, function (given) return job.retry(options.job, given) end)
end

function actions.export(options)
  if #options.out == 0 and not options.sidecar then return nil, "export needs --out or --sidecar" end
  local count, message = job.export(options.job, settings.pick(options))
  if not count then return report.fail(1, "%s", message) end
  report.warn("%s", report.count(count, "record"))
  return 0
end

function actions.merge(options)
  if #options.out == 0 and not options.job then return nil, "merge needs --out or --job" end
  local counts, message = job.merge(options.job or options.out[1] .. ".job", options.parts, settings.pick(options))
  if not counts then return report.fail(1, "%s", message) end
  report.warn("%s, %s", report.count(counts.done, "caption"), report.count(counts.failed, "failure"))
  return 0
end

function actions.enqueue(options)
  local counts, message, code = job.enqueue(options.queue, options.input, { recursive = options.recursive, null = options.null })
  if not counts then return report.fail(code == "usage" and 2 or 3, "%s", message) end
  report.warn("%d enqueued, %d were in the queue before", counts.added, counts.known)
  return 0
end

function command.run(options) return actions[options.action](options) end

return command
