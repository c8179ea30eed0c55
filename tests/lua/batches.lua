-- batches.lua - captions, ids and scores depend neither on the size of a batch nor on the order in it nor on
-- the number of threads; what is finished leaves; one picture's failure is its alone.
local lunette = require "lunette"
local vision  = require "lunette.vision"
local check   = require "check"

local equal, ok = check.equal, check.ok
local SHORT = os.getenv "ASAN_OPTIONS" ~= nil      -- a sanitizer is ten times as slow
local FIXTURES = "tests/data/fixtures/"

-- ---- pictures: crops of the examples, of different sizes and with different captions -----------------

local COUNT = SHORT and 4 or 16
local pictures = {}
do
  local examples = {}
  for i, name in ipairs { "astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg" } do
    examples[i] = assert(vision.load("models/examples/" .. name))
  end
  for i = 1, COUNT do
    local image, part = examples[i % 4 + 1], (i - 1) // 4
    local height, width = image:dim(1), image:dim(2)
    pictures[i] = part == 0 and image or vision.crop(image, {
      top = part * height // 9, left = part * part * width // 20, height = height // 2 + 7 * i, width = width // 2 - 5 * i,
    })
  end
end

-- One line of everything that must be equal: all bits of the scores.
local function line(result)
  local parts = {}
  for i, s in ipairs(result.sequences) do
    parts[i] = ("%s|%a|%s"):format(table.concat(s.ids, " "), s.score, s.text or "")
  end
  return table.concat(parts, "\n")
end

local function shuffled(n, seed)
  local order = {}
  for i = 1, n do order[i] = i end
  for i = n, 2, -1 do
    seed = (seed * 1103515245 + 12345) % 2147483648
    local k = seed // 65536 % i + 1
    order[i], order[k] = order[k], order[i]
  end
  return order
end

-- Sizes of batches and numbers of threads: every pair of them, and a few for where it would take long.
local FEW = SHORT and { { 3, 2 }, { 4, 3 } } or { { 2, 1 }, { 3, 3 }, { 8, 2 }, { 16, 3 } }
local ALL = SHORT and FEW or {}
for _, size in ipairs(SHORT and {} or { 1, 2, 3, 8, 16 }) do
  for threads = 1, 3 do ALL[#ALL + 1] = { size, threads } end
end

-- Generates for all pictures in batches of 'size' in 'order'; gives lines by picture.
local function lines_of(model, inputs, order, size, options)
  local scope <close> = lunette.scope()
  local lines = {}
  for first = 1, #order, size do
    local call = {}
    for name, value in pairs(options) do call[name] = value end
    local list = {}
    for i = first, math.min(first + size - 1, #order) do list[#list + 1] = inputs[order[i]] end
    call.pixel_values = list
    for i, result in ipairs(model:generate(call)) do
      lines[order[first + i - 1]] = result.error or line(result)
    end
  end
  return lines
end

-- The bits of what the encoder gives, each picture alone and all in batches.
local function compare_encoder(model, inputs, name)
  local alone = {}
  for i, pixels in ipairs(inputs) do alone[i] = model:encode(pixels):bytes() end
  for _, case in ipairs(FEW) do
    local size = lunette.threads(case[2]) and case[1]
    for first = 1, COUNT, size do
      local scope <close> = lunette.scope()
      local all = inputs[first]
      for i = first + 1, math.min(first + size - 1, COUNT) do all = lunette.concat(all, inputs[i], { axis = 1 }) end
      local memory = model:encode(all)
      for i = 1, #memory do
        ok(memory[i]:bytes() == alone[first + i - 1], "%s, %d threads: picture %d in a batch of %d: other bits of the encoder",
           name, case[2], first + i - 1, #memory)
      end
    end
  end
end

local function compare(model, inputs, name, options, cases)
  lunette.threads(1)
  local want, different, count = lines_of(model, inputs, shuffled(COUNT, 1), 1, options), {}, 0
  for k, case in ipairs(cases) do
    lunette.threads(case[2])
    local got = lines_of(model, inputs, shuffled(COUNT, 10 + k), case[1], options)
    for i = 1, COUNT do
      ok(got[i] == want[i], "%s, %d threads, batches of %d: picture %d:\n%s\nwanted\n%s", name, case[2], case[1], i, got[i], want[i])
    end
  end
  for i = 1, COUNT do
    count = count + (different[want[i]] and 0 or 1)
    different[want[i]] = true
  end
  ok(count >= COUNT // 4, "%s: %d different results of %d pictures say little", name, count, COUNT)
end

local RUNS = {
  greedy = { max_new_tokens = 12 },
  beams  = { max_new_tokens = 12, num_beams = 3 },
  all    = { max_new_tokens = 10, num_beams = 3, num_return_sequences = 3, no_repeat_ngram_size = 2 },
}

for _, name in ipairs { "ved_vit_gpt2", "ved_dinov2_gpt2", "ved_deit_gpt2", "blip_caption" } do
  local model <close> = assert(lunette.load(FIXTURES .. name, { threads = 1 }))
  local inputs = {}
  for i, image in ipairs(pictures) do inputs[i] = assert(model:prepare(image)) end
  compare_encoder(model, inputs, name)
  for run, options in pairs(RUNS) do compare(model, inputs, name .. ", " .. run, options, name == "ved_vit_gpt2" and ALL or FEW) end
  if name == "blip_caption" then
    compare(model, inputs, "blip with a prompt", { max_new_tokens = 12, prompt = "a picture of" }, FEW)
    compare(model, inputs, "blip with a prompt, beams", { max_new_tokens = 8, prompt = "a picture of", num_beams = 3, num_return_sequences = 2 },
            FEW)
  end
end

do
  local model <close> = assert(lunette.load("models/lunette-mini", { threads = 1 }))
  COUNT = COUNT // 2                            -- its encoder takes its time
  local inputs = {}
  for i = 1, COUNT do inputs[i] = assert(model:prepare(pictures[i])) end
  compare(model, inputs, "lunette-mini, greedy", {}, SHORT and { { 2, 3 } } or { { 3, 2 }, { 8, 3 } })
  if not SHORT then compare(model, inputs, "lunette-mini, beams", { num_beams = 3, num_return_sequences = 3 }, { { 5, 2 } }) end
  COUNT = #pictures
end

-- ---- rows that are finished -----------------------------------------------------------------------------

-- Rows that the decoder computes at each step of a call.
local function rows_of(model, call)
  local step, rows = model.decoder.step, {}
  model.decoder.step = function (self, ids, cache)
    rows[#rows + 1] = #ids
    return step(self, ids, cache)
  end
  local results = model:generate(call)
  model.decoder.step = nil
  return rows, results
end

do
  local model <close> = assert(lunette.load(FIXTURES .. "ved_vit_gpt2"))
  local inputs = {}
  for i, image in ipairs(pictures) do inputs[i] = assert(model:prepare(image)) end
  for _, beams in ipairs { 1, 3 } do
    local singles, call = {}, { num_beams = beams, max_new_tokens = 16 }
    for _, pixels in ipairs(inputs) do
      call.pixel_values = { pixels }
      for t, count in ipairs((rows_of(model, call))) do singles[t] = (singles[t] or 0) + count end
    end
    call.pixel_values = inputs
    local rows = rows_of(model, call)
    equal(rows, singles, ("%d beams: rows of a batch are those of its pictures"):format(beams))
    ok(rows[#rows] < COUNT * beams, "%d beams: all pictures were finished at once", beams)
  end
end

-- ---- failures ---------------------------------------------------------------------------------------------

do
  local model <close> = assert(lunette.load(FIXTURES .. "ved_vit_gpt2"))
  local huge = lunette.fill({ 1, 60000, 3 }, { dtype = "u8" })
  local images = { pictures[1], huge, pictures[2] }
  model.image_processor.size = { shortest_edge = 64 }        -- of 1 x 60000 pixels that makes too many
  local results = model:generate { images = images, max_new_tokens = 5 }
  equal(results[2].stage, "prepare", "stage")
  ok(results[2].error:find "would become", "%s", results[2].error)
  equal({ results[1].stage or "none", results[3].stage or "none" }, { "caption", "caption" }, "pictures of a size this model does not take")
  model.image_processor.size = { height = 64, width = 64 }
  local wrong = lunette.fill { 1, 3, 32, 32 }
  local one, two = model:prepare(pictures[1]), model:prepare(pictures[2])
  results = model:generate { pixel_values = { one, wrong, two }, max_new_tokens = 5 }
  equal(results[2], {}, "no sequence")
  equal({ results[2].stage, results[2].error }, { "caption", "a picture of 32 x 32, but this model takes 64 x 64" }, "its failure")
  equal({ line(results[1]), line(results[3]) },
        { line(model:generate { pixel_values = one, max_new_tokens = 5 }), line(model:generate { pixel_values = two, max_new_tokens = 5 }) },
        "the others")
  local memory = model:encode(lunette.concat(one, two, { axis = 1 }))
  results = model:generate { memory = memory, max_new_tokens = 5 }
  equal(line(results[2]), line(model:generate { pixel_values = two, max_new_tokens = 5 }), "memory of several")
  model.image_processor.size = { height = 60000, width = 60000 }
  check.fails("picture 1: a picture of", "io", model:caption { pictures[1], pictures[2] })
end

check.finish()
