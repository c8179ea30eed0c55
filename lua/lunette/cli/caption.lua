-- cli/caption.lua - lunette caption: says what pictures show.
local lunette = require "lunette"
local vision  = require "lunette.vision"
local root    = require "lunette.cli.root"
local report  = require "lunette.cli.report"
local inputs  = require "lunette.inputs"
local luv     = require "luv"

local THREADS = 256         -- at most, as in the core

local INPUTS = [[
An INPUT is a picture; a folder, for its pictures (known by their contents, hidden ones left out); a pattern
with *, ?, [a-z] or **, for what the shell did not expand; @FILE, for the files and folders it lists, one a line;
or -, for standard input: a picture if it begins like one, else such a list.]]

local caption = { summary = "Say what pictures show." }

local function whole(least, most)
  local wanted = most and ("from %d to %d"):format(least, most) or ("of at least %d"):format(least)
  return function (text)
    local v = math.tointeger(tonumber(text))
    if v and v >= least and v <= (most or v) then return v end
    return nil, ("%q is not a whole number %s"):format(text, wanted)
  end
end

local function finite(text)
  local v = tonumber(text)
  if v and math.abs(v) < math.huge then return v end
  return nil, ("%q is not a number"):format(text)
end

function caption.setup(parser)
  parser:argument("input", "Pictures, folders, patterns, @FILE or -; see below."):args "+"
  parser:flag("--recursive", "Also the pictures of folders in folders.")
  parser:flag("-0 --null", "Lists have NUL between their paths; standard input is one.")
  parser:option("--model", "Model directory (Hugging Face layout)."):argname "DIR"
  parser:option("--num-beams", "Beams of the search; 1 is greedy."):argname "N":convert(whole(1)):target "num_beams"
  parser:option("--max-new-tokens", "Tokens to generate at most."):argname "N":convert(whole(1)):target "max_new_tokens"
  parser:option("--length-penalty", "Exponent of the length that divides a beam's score."):argname "X":convert(finite):target "length_penalty"
  parser:option("--prompt", "Text for the caption to begin with."):argname "TEXT"
  parser:option("--num-return-sequences", "Captions a picture, best first."):argname "N":convert(whole(1)):target "num_return_sequences"
  parser:option("--threads", "Threads; 0 for as many as there are cores."):argname "N":convert(whole(0, THREADS))
  parser:flag("--json", "One JSON object a line.")
  parser:epilog(INPUTS)
end

local function sequence_fields(s, start)
  return report.object { { "text", s.text }, { "ids", s.ids }, { "score", s.score }, { "tokens", #s.ids - start } }
end

local function print_json(file, result, start, ms)
  local best = result.sequences[1]
  local several
  if #result.sequences > 1 then
    several = {}
    for i, s in ipairs(result.sequences) do several[i] = sequence_fields(s, start) end
  end
  print(report.encode(report.object {
    { "file", file }, { "text", best.text }, { "ids", best.ids }, { "score", best.score },
    { "tokens", #best.ids - start }, { "ms", ms }, { "sequences", several },
  }))
end

local function print_plain(file, result, several)
  for _, s in ipairs(result.sequences) do print(several and file .. ": " .. s.text or s.text) end
end

-- Captions one picture, a file or its bytes, and prints it; nil, message where the picture cannot be read.
local function caption_picture(model, file, bytes, arguments, prompt_length, options)
  local scope <close> = lunette.scope()
  local started = luv.hrtime()
  local image, message
  if bytes then image, message = vision.decode(bytes) else image, message = vision.load(file) end
  if not image then return nil, message end
  local call = { image = image }
  for name, value in pairs(arguments) do call[name] = value end
  local result
  result, message = model:generate(call)
  if not result then return nil, message end
  local ms = (luv.hrtime() - started) // 1000 / 1000
  if options.json then print_json(file, result, prompt_length, ms)
  else print_plain(file, result, #options.input > 1 or file ~= options.input[1]) end
  return true
end

-- What a person should know who wonders why there are so few captions.
local function note(found, not_pictures, failed)
  if found == 0 and not failed then report.warn "no pictures" end
  if not_pictures == 1 then report.warn "1 file is no picture"
  elseif not_pictures > 1 then report.warn("%d files are no pictures", not_pictures) end
end

function caption.run(options)
  local dir = options.model or root .. "/models/lunette-mini"
  local model, message = lunette.load(dir, { threads = options.threads })
  if not model then return report.fail(3, "%s", message) end
  if not model.start then return report.fail(3, "%s: %s does not caption pictures", dir, model.config.model_type) end
  if not model.tokenizer then return report.fail(3, "%s holds no tokenizer.json", dir) end
  if not model.image_processor then return report.fail(3, "%s holds no preprocessor_config.json", dir) end
  local arguments = {
    prompt = options.prompt, num_beams = options.num_beams, max_new_tokens = options.max_new_tokens,
    length_penalty = options.length_penalty, num_return_sequences = options.num_return_sequences,
  }
  local fits, settings = pcall(model.settings, model, {})
  if not fits then return report.fail(3, "%s: %s", dir, settings) end
  fits, settings = pcall(model.settings, model, arguments)
  if not fits then return report.fail(2, "%s", settings) end
  local each, counts = inputs.each(options.input, { recursive = options.recursive, null = options.null })
  local found, failed = 0, false
  for file, why, bytes in each do
    local done = false
    if not why then
      local ok
      found = found + 1
      ok, done, why = pcall(caption_picture, model, file, bytes, arguments, settings.prompt_length, options)
      if not ok then done, why = nil, tostring(done) end
    end
    if not done then
      report.warn("%s: %s", file, (why:gsub("^" .. file:gsub("%p", "%%%0") .. ": ", "")))
      failed = true
    elseif not io.stdout:flush() then return 1 end                       -- nobody reads the results
  end
  note(found, counts.not_pictures, failed)
  return failed and 1 or 0
end

return caption
