-- captioner.lua - a small captioner from Lua: the short way and the same by hand, traces,
-- and results that depend neither on the batch nor on the number of threads.
local lunette = require "lunette"
local vision  = require "lunette.vision"
local json    = require "lunette.json"
local check   = require "check"

local equal, near, raises = check.equal, check.near, check.raises

local DIR = "tests/data/fixtures/ved_vit_gpt2"
local model <close>   = assert(lunette.load(DIR, { threads = 1 }))
local tensors <close> = assert(lunette.weights(DIR .. "/expected.safetensors"))
local expected = assert(json.read(DIR .. "/expected.json"))
local pixels_a, pixels_b = tensors:get "input.a.pixel_values", tensors:get "input.b.pixel_values"

local runs = {}
for _, run in ipairs(expected.generate) do runs[run.name] = run end

-- ---- the short way -----------------------------------------------------------------

local greedy = model:generate { pixel_values = pixels_a, max_new_tokens = 16 }
equal(greedy.ids, runs.greedy.sequences[1], "greedy ids")
equal(greedy.text, runs.greedy.texts[1], "greedy text")
equal(#greedy.sequences, 1, "one sequence")
equal(greedy.sequences[1].ids, greedy.ids, "the first sequence is the result")

local three = model:generate { pixel_values = pixels_a, max_new_tokens = 16, num_beams = 4, num_return_sequences = 3 }
equal(#three.sequences, 3, "three sequences")
for i = 1, 3 do
  near(three.sequences[i].score, runs.beam4_return3.sequences_scores[i], 1e-4, "score " .. i)
  equal(three.sequences[i].text, runs.beam4_return3.texts[i], "text " .. i)
end
equal(three.ids, three.sequences[1].ids, "best first")

local both = model:generate { pixel_values = lunette.concat(pixels_a, pixels_b), max_new_tokens = 16 }
equal(#both, 2, "two results of two pictures")
equal({ both[1].ids, both[2].ids }, { runs.greedy.sequences[1], runs.greedy_b.sequences[1] }, "both greedy")

raises("generate needs image, images or pixel_values", model.generate, model, {})
raises("unknown generation option \"num_beam\"", model.generate, model, { pixel_values = pixels_a, num_beam = 2 })
raises("num_return_sequences is 2, wanted at most num_beams, which is 1", model.generate, model,
       { pixel_values = pixels_a, num_return_sequences = 2 })
check.ok(not pcall(model.generate, model, { pixel_values = lunette.fill { 1, 3, 32, 32 } }), "a picture of the wrong size")

-- ---- pictures ------------------------------------------------------------------------

-- A u8 picture of bands and a gradient; no two alike.
local function picture(height, width, seed)
  local bytes = {}
  for y = 0, height - 1 do
    for x = 0, width - 1 do
      bytes[#bytes + 1] = string.char((x * 255 // width + seed * 40) % 256, (y * 7 + seed * 90) % 256, (x * y + seed * 13) % 256)
    end
  end
  return lunette.tensor(table.concat(bytes), { shape = { height, width, 3 }, dtype = "u8" })
end

local images = {}
for i = 1, 8 do images[i] = picture(40 + 9 * i, 100 - 5 * i, i) end

local prepared = model:prepare(images[1])
equal(prepared:shape(), { 1, 3, 64, 64 }, "shape of pixel values")
do
  local small = vision.resize(images[1], { height = 64, width = 64, resample = "bilinear" })
  near(prepared[1], ((small:cast "f32" / 255 - 0.5) / 0.5):permute { 3, 1, 2 }, 1e-6, "prepare, by hand")
end

local text = model:caption(images[1])
equal(text, model:generate { image = images[1] }.text, "caption is generate's text")
equal(text, model:generate { pixel_values = prepared }.text, "from its pixel values")
equal(text, model:generate { memory = model:encode(prepared) }.text, "from what the encoder gave")
local texts = model:caption(images)
equal(#texts, 8, "eight captions")
equal(texts[1], text, "the first of eight")
local list = model:generate { images = { images[1] } }
equal(#list, 1, "a list of one gives a list of one")

-- ---- by hand --------------------------------------------------------------------------

local function by_hand(pixels, length)
  local memory = model.encoder(pixels)
  local ids    = model:start()
  local cache  = model.decoder:cache { length = length }
  cache:attend(memory)
  while #ids < length do
    local scope <close> = lunette.scope()
    local id = model.decoder(ids[#ids], cache):argmax(-1):item()
    ids[#ids + 1] = id
    if id == model.generation_config.eos_token_id then break end
  end
  return ids
end
equal(by_hand(pixels_a, 17), greedy.ids, "the loop by hand")
equal(model.tokenizer:decode(by_hand(pixels_a, 17), { skip_special_tokens = true }), greedy.text, "its text")
equal(by_hand(prepared, 16), model:generate { image = images[1] }.ids, "the loop by hand, a picture")

-- whole sequences at once, without a cache of one's own, equal step by step
do
  local memory = model:encode(pixels_a)
  local ids = lunette.tensor({ greedy.ids }, { dtype = "i64" })
  local whole = model.decoder(ids, model.decoder:cache { length = #greedy.ids }:attend(memory))
  equal(whole:shape(), { 1, #greedy.ids, 480 }, "logits of all positions")
  local cache = model.decoder:cache { length = #greedy.ids }:attend(memory)
  for i, id in ipairs(greedy.ids) do near(model.decoder(id, cache)[1], whole[1][i], 1e-4, "position " .. i) end
  raises("the text needs position 11, but there are 10", model.decoder.forward, model.decoder, greedy.ids[1], cache)
  raises("65 positions, but this model has 64", model.decoder.cache, model.decoder, { length = 65 })

  -- rows of the cache: two beams of one picture
  local cache2 = model.decoder:cache { length = 8 }:attend(memory)
  model.decoder:step({ { greedy.ids[1] } }, cache2)
  cache2:select { 1, 1 }
  local logits = model.decoder:step({ { greedy.ids[2] }, { 5 } }, cache2)
  near(logits[1], whole[1][2], 1e-4, "the first of two beams")
  check.ok(math.abs((logits[1] - logits[2]):abs():max():item()) > 1e-3, "two beams that differ")
end

-- ---- traces -----------------------------------------------------------------------------

do
  local ids = tensors:get "fwd.input.decoder_input_ids"
  local trace = model:trace { pixel_values = pixels_a, ids = ids }
  for _, name in ipairs { "logits", "encoder_hidden_states.0", "encoder_hidden_states.3", "encoder_last_hidden_state", "decoder_hidden_states.3" } do
    check.ok(trace[name], "the trace has no %s", name)
    if trace[name] and tensors:about("fwd." .. name) then near(trace[name], tensors:get("fwd." .. name), 1e-3, name) end
  end
  equal(model:trace { pixel_values = pixels_a }.logits, nil, "a trace of the encoder alone")
  check.ok(model:trace { image = images[1], ids = model:start() }.logits, "a trace of a picture and a list of ids")
end

-- ---- the same bits ------------------------------------------------------------------------

-- logits of the first step, as bytes, of one row or of all
local function logits(pixels, rows)
  local cache = model.decoder:cache { length = 4 }:attend(model:encode(pixels))
  local start = {}
  for i = 1, rows do start[i] = model:start() end
  return model.decoder:step(start, cache)
end

local all = {}
for i, image in ipairs(images) do all[i] = model:prepare(image) end
local batch = lunette.concat(table.unpack(all))
local alone = {}
for i = 1, 8 do alone[i] = logits(all[i], 1):bytes() end
local function compare(what)
  local together = logits(batch, 8)
  for i = 1, 8 do
    equal(together[i]:bytes() == alone[i], true, ("%s: logits of row %d of eight are those of it alone"):format(what, i))
    equal(logits(all[i], 1):bytes() == alone[i], true, ("%s: logits of %d alone"):format(what, i))
  end
end
compare "1 thread"
local singles = {}
for i = 1, 8 do singles[i] = model:generate { pixel_values = all[i], num_beams = 3, num_return_sequences = 3, max_new_tokens = 12 } end
for _, threads in ipairs { 1, 2, 5 } do
  equal(lunette.threads(threads), threads, "threads")
  if threads > 1 then compare(threads .. " threads") end
  local together = model:generate { pixel_values = batch, num_beams = 3, num_return_sequences = 3, max_new_tokens = 12 }
  for i = 1, 8 do
    for k = 1, 3 do
      local one, other = singles[i].sequences[k], together[i].sequences[k]
      equal(other.ids, one.ids, ("%d threads: beam %d of picture %d in a batch"):format(threads, k, i))
      equal(other.score, one.score, ("%d threads: score %d of picture %d in a batch"):format(threads, k, i))
    end
  end
  equal(model:generate { pixel_values = all[3], max_new_tokens = 12 }.ids, model:generate { pixel_values = batch, max_new_tokens = 12 }[3].ids,
        threads .. " threads: greedy in a batch")
end

check.finish()
