-- cli/caption.lua - lunette caption: says what pictures show, one or a million.
local durable  = require "lunette.job.durable"
local job      = require "lunette.job"
local memory   = require "lunette.job.memory"
local progress = require "lunette.cli.progress"
local report   = require "lunette.cli.report"
local root     = require "lunette.cli.root"
local settings = require "lunette.job.settings"
local take     = require "lunette.cli.take"

local INPUTS = [[
An INPUT is a picture; a folder, for its pictures (known by their contents, hidden ones left out); a pattern
with *, ?, [a-z] or **, for what the shell did not expand; @FILE, for the files and folders it lists, one a line;
or -, for standard input: a picture if it begins like one, else such a list.

Without --out, --sidecar and --xmp captions go to standard output. With one of them the job file remembers what is
done: the same command again does the rest.]]

local caption = { summary = "Say what pictures show." }

local function generation(parser)
  parser:option("--model", "Model directory (Hugging Face layout)."):argname "DIR"
  parser:option("--num-beams", "Beams of the search; 1 is greedy."):argname "N":convert(take.whole(1)):target "num_beams"
  parser:option("--max-new-tokens", "Tokens to generate at most."):argname "N":convert(take.whole(1)):target "max_new_tokens"
  parser:option("--length-penalty", "Exponent of the length that divides a beam's score."):argname "X":convert(take.finite):target "length_penalty"
  parser:option("--prompt", "Text for the caption to begin with."):argname "TEXT"
  parser:option("--num-return-sequences", "Captions a picture, best first."):argname "N":convert(take.whole(1)):target "num_return_sequences"
  parser:option("--template", "What is made of a caption, such as \"{caption}, {folder}\"."):argname "TEXT":convert(take.template)
end

local function output(parser)
  parser:flag("--json", "One JSON object a line on standard output.")
  parser:option("--out", "Captions into FILE: .jsonl, .csv, .db or .html, or metadata.jsonl; may be given several times.")
    :argname "FILE":count "*":convert(take.output)
  parser:option("--sidecar", "A file beside each picture."):choices { "txt", "caption", "json" }
  parser:option("--sidecar-dir", "Sidecars under DIR instead."):argname "DIR":target "sidecar_dir"
  parser:flag("--xmp", "Captions as dc:description into a .xmp beside each picture.")
  parser:option("--xmp-title", "With --xmp: dc:title, a template."):argname "TEXT":convert(take.template):target "xmp_title"
  parser:flag("--in-place", "With --xmp: into the picture's own file."):target "in_place"
  parser:option("--overwrite", "What becomes of files that are there and not this job's (never)."):choices { "never", "always", "older" }
  parser:mutex(parser:flag("--append", "Captions after what is there."), parser:flag("--prepend", "Captions before what is there."))
  parser:flag("--ordered", "Captions in the order of the inputs.")
  parser:option("--job", "The job file (beside the first output)."):argname "FILE"
end

local function work(parser)
  parser:option("--workers", "Worker processes (1)."):argname "N":convert(take.whole(1, settings.WORKERS))
  parser:option("--threads", "Threads of each; 0 for as many as there are cores (the cores shared out among the workers).")
    :argname "N":convert(take.whole(0, settings.THREADS))
  parser:option("--batch-size", "Pictures captioned together (measured)."):argname "N":convert(take.whole(1, settings.BATCH)):target "batch_size"
  parser:option("--timeout", "Seconds a picture may take (120)."):argname "S":convert(take.positive)
  parser:option("--max-memory", "Memory of a worker, such as 2G."):argname "SIZE":convert(take.bytes):target "max_memory"
  parser:option("--retries", "How often a picture that ended its worker is tried again (1)."):argname "N":convert(take.whole(0))
  parser:option("--max-failures", "Stop after more than N failures."):argname "N":convert(take.whole(0)):target "max_failures"
  parser:flag("--fast-decode", "Decode large JPEGs at reduced scale."):target "fast_decode"
  parser:option("--shard", "Only part I of N of the inputs, I from 1 to N."):argname "I/N":convert(take.shard)
  parser:mutex(
    parser:option("--progress", "How progress is told: auto, line, plain, json or none."):choices { "auto", "line", "plain", "json", "none" },
    parser:flag("--quiet", "Only failures are told."))
end

function caption.setup(parser)
  parser:argument("input", "Pictures, folders, patterns, @FILE or -; see below."):args "*"
  parser:option("--queue", "Pictures out of a Redis Stream (lunette job enqueue), shared with other machines."):argname "redis://HOST/STREAM"
  parser:option("--claim-after", "With --queue: seconds of silence after which another's pictures are taken over (60).")
    :argname "S":convert(take.positive):target "claim_after"
  parser:flag("--recursive", "Also the pictures of folders in folders.")
  parser:flag("-0 --null", "Lists have NUL between their paths; standard input is one.")
  generation(parser)
  output(parser)
  work(parser)
  parser:epilog(INPUTS)
end

-- ---- standard output ---------------------------------------------------------------------------

local function fields(s)
  return report.object { { "text", s.text }, { "ids", s.ids }, { "score", s.score }, { "tokens", s.tokens } }
end

local function json_line(record)
  local several
  if record.sequences then
    several = {}
    for i, s in ipairs(record.sequences) do several[i] = fields(s) end
  end
  return report.encode(report.object {
    { "file", record.file }, { "text", record.text }, { "ids", record.ids }, { "score", record.score },
    { "tokens", record.tokens }, { "ms", record.ms }, { "sequences", several },
  }) .. "\n"
end

local function plain_lines(record, several)
  local lines = {}
  for i, s in ipairs(record.sequences or { record }) do lines[i] = (several and record.file .. ": " or "") .. s.text .. "\n" end
  return table.concat(lines)
end

local NOBODY, EPIPE = "nobody reads the results", 32        -- as "| head" ends it: nothing to tell

-- Not print(), which passes over that a line cannot be written.
local function put(text)
  local ok, why, code = io.stdout:write(text)
  if ok then ok, why, code = io.stdout:flush() end
  if not ok then error(code == EPIPE and NOBODY or "cannot write the results: " .. why, 0) end
end

-- What a person should know who wonders why there are so few captions.
local function note(found, not_pictures)
  if found == 0 then report.warn "no pictures" end
  if not_pictures == 1 then report.warn "1 file is no picture"
  elseif not_pictures > 1 then report.warn("%d files are no pictures", not_pictures) end
end

-- ---- a job -------------------------------------------------------------------------------------

-- The job file beside the first output; of sidecars alone in their folder, or that of the first input.
local function default_job(options)
  if options.out[1] then return options.out[1] .. ".job" end
  if options.sidecar_dir then return options.sidecar_dir .. "/lunette.job" end
  local first = options.input[1] or "."
  local folder = take.is_folder(first) and first or first:match "^@?(.*)/[^/]*$" or "."
  return folder .. "/lunette.job"
end

-- What a job says at its end.
local function summary(options, result)
  local parts = { report.count(result.done, "caption") }
  if result.failed > 0 then parts[#parts + 1] = report.count(result.failed, "failure") end
  if result.skipped > 0 then parts[#parts + 1] = result.skipped .. " done before" end
  if result.failed_before > 0 then parts[#parts + 1] = result.failed_before .. " failed before" end
  if result.kept > 0 then parts[#parts + 1] = result.kept .. " that have one kept" end
  if result.dropped > 0 then parts[#parts + 1] = result.dropped .. " dropped" end
  if result.changed > 0 then parts[#parts + 1] = report.count(result.changed, "picture") .. " had changed" end
  report.warn("%s", table.concat(parts, ", "))
  if options.job and result.failed + result.failed_before > 0 then report.warn("why: lunette job failures %s", options.job) end
end

-- finish(options, run) -> exit status.  Tells progress and failures while run(settings) works, and what came of it.
function caption.finish(options, run, on_caption)
  memory.keep_flat()
  local given = settings.pick(options)
  local bar = progress.open(options.quiet and "none" or options.progress or options.job and "auto" or "terminal")
  function given.on_message(text)
    if options.quiet then return end
    bar:clear()
    report.warn("%s", text)
  end
  function given.on_record(record)
    if record.error or on_caption then bar:clear() end
    if record.error then report.warn("%s: %s", record.file, record.error)
    elseif on_caption then on_caption(record) end
  end
  function given.on_progress(state, final) bar:update(state, final) end
  local result, message, status = run(given)
  bar:clear()
  if not result then return report.fail(status, "%s", message) end
  if result.message == NOBODY then return 128 + 13 end                  -- as if by SIGPIPE
  if result.message then report.warn("%s", result.message) end
  if result.status and result.status ~= 2 and result.status ~= 3 and options.job then
    report.warn "what was done is kept: the same command goes on where this one stopped"
  end
  if not result.aborted and not options.quiet then
    if options.input and not options.queue then note(result.total + result.skipped + result.failed_before + result.kept, result.not_pictures) end
    if options.job or options.queue then summary(options, result) end
  end
  return result.status or (result.failed + result.failed_before > 0 and 1 or 0)
end

local NEEDS = {
  { "job",         function (o) return o.durable end,              "--out, --sidecar or --xmp" },
  { "overwrite",   function (o) return o.durable end,              "--out, --sidecar or --xmp" },
  { "append",      function (o) return o.sidecar or #o.out > 0 end, "--out or --sidecar" },
  { "prepend",     function (o) return o.sidecar end,              "--sidecar" },
  { "sidecar_dir", function (o) return o.sidecar or o.xmp end,     "--sidecar or --xmp" },
  { "xmp_title",   function (o) return o.xmp end,                  "--xmp" },
  { "in_place",    function (o) return o.xmp end,                  "--xmp" },
  { "claim_after", function (o) return o.queue end,                "--queue" },
}

local function check(options)
  if options.queue and #options.input > 0 then return nil, "--queue takes the place of inputs" end
  if options.queue and options.shard then return nil, "--shard is for inputs, --queue shares by itself" end
  if not options.queue and #options.input == 0 then return nil, "missing argument 'input'" end
  if options.json and options.durable then return nil, "--json is for standard output, which --out, --sidecar and --xmp take the place of" end
  for _, row in ipairs(NEEDS) do
    if options[row[1]] and not row[2](options) then return nil, ("--%s needs %s"):format(row[1]:gsub("_", "-"), row[3]) end
  end
  if options.sidecar == "json" and (options.append or options.prepend) then
    return nil, ("--%s adds to texts: wanted --sidecar txt or caption, found json"):format(options.append and "append" or "prepend")
  end
  return true
end

function caption.run(options)
  options.durable = #options.out > 0 or options.sidecar or options.xmp
  local ok, message = check(options)
  if not ok then return nil, message end
  if options.sidecar_dir then
    ok, message = durable.make_folders(options.sidecar_dir .. "/")
    if not ok then return report.fail(1, "%s", message) end
  end
  if options.durable then options.job = options.job or default_job(options) end
  options.model = options.model or root .. "/models/lunette-mini"
  options.inputs = not options.queue and options.input or nil
  options.ordered = options.ordered or not options.durable
  options.to_queue = options.queue and not options.durable
  local several = #options.input > 1
  return caption.finish(options, job.run, not options.durable and not options.queue and function (record)
    put(options.json and json_line(record) or plain_lines(record, several or record.file ~= options.input[1]))
  end)
end

return caption
