-- cli/caption.lua - lunette caption: says what pictures show.
local lunette = require "lunette"
local vision  = require "lunette.vision"
local root    = require "lunette.cli.root"
local report  = require "lunette.cli.report"
local luv     = require "luv"

local THREADS = 256         -- at most, as in the core
local LIMIT   = 2 << 30     -- bytes of standard input: no readable picture has more

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
  parser:argument("file", "Pictures (JPEG, PNG); - reads one from standard input."):args "+"
  parser:option("--model", "Model directory (Hugging Face layout)."):argname "DIR"
  parser:option("--num-beams", "Beams of the search; 1 is greedy."):argname "N":convert(whole(1)):target "num_beams"
  parser:option("--max-new-tokens", "Tokens to generate at most."):argname "N":convert(whole(1)):target "max_new_tokens"
  parser:option("--length-penalty", "Exponent of the length that divides a beam's score."):argname "X":convert(finite):target "length_penalty"
  parser:option("--prompt", "Text for the caption to begin with."):argname "TEXT"
  parser:option("--num-return-sequences", "Captions a picture, best first."):argname "N":convert(whole(1)):target "num_return_sequences"
  parser:option("--threads", "Threads; 0 for as many as there are cores."):argname "N":convert(whole(0, THREADS))
  parser:flag("--json", "One JSON object a line.")
end

local function read(file)
  if file ~= "-" then return vision.load(file) end
  local pieces, size = {}, 0
  repeat
    local piece, message = io.stdin:read(1 << 16)
    if message then return nil, message end
    pieces[#pieces + 1] = piece
    size = size + #(piece or "")
    if size > LIMIT then return nil, ("more than %d bytes"):format(LIMIT) end
  until not piece
  return vision.decode(table.concat(pieces))
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

-- Captions one picture and prints it; nil, message where the picture cannot be read.
local function caption_file(model, file, options)
  local scope <close> = lunette.scope()
  local started = luv.hrtime()
  local image, message = read(file)
  if not image then return nil, message end
  local result
  result, message = model:generate {
    image = image, prompt = options.prompt, num_beams = options.num_beams, max_new_tokens = options.max_new_tokens,
    length_penalty = options.length_penalty, num_return_sequences = options.num_return_sequences,
  }
  if not result then return nil, message end
  local ms = (luv.hrtime() - started) // 1000 / 1000
  if options.json then print_json(file, result, #model:start(options.prompt), ms)
  else print_plain(file, result, #options.file > 1) end
  return true
end

function caption.run(options)
  local dir = options.model or root .. "/models/lunette-mini"
  local model, message = lunette.load(dir, { threads = options.threads })
  if not model then return report.fail(3, "%s", message) end
  if not model.start then return report.fail(3, "%s: %s does not caption pictures", dir, model.config.model_type) end
  if not model.tokenizer then return report.fail(3, "%s holds no tokenizer.json", dir) end
  if not model.image_processor then return report.fail(3, "%s holds no preprocessor_config.json", dir) end
  local failed = false
  for _, file in ipairs(options.file) do
    local ok, done, why = pcall(caption_file, model, file, options)
    if not ok then return report.fail(2, "%s", tostring(done)) end       -- what was asked for does not fit the model
    if not done then
      report.warn("%s: %s", file, (why:gsub("^" .. file:gsub("%p", "%%%0") .. ": ", "")))
      failed = true
    elseif not io.stdout:flush() then return 1 end                       -- nobody reads the results
  end
  return failed and 1 or 0
end

return caption
