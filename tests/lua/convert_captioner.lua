-- convert_captioner.lua - a small captioner in every type and format: it loads again and says the same.
local lunette = require "lunette"
local json    = require "lunette.json"
local convert = require "lunette.convert".convert
local check   = require "check"

local DIR       = "tests/data/fixtures/ved_vit_gpt2"
local temporary = os.getenv "TMPDIR" or "/tmp"

local tensors <close> = assert(lunette.weights(DIR .. "/expected.safetensors"))
local runs = assert(json.read(DIR .. "/expected.json")).generate
local pixels = { a = tensors:get "input.a.pixel_values", b = tensors:get "input.b.pixel_values" }
local ids = tensors:get "fwd.input.decoder_input_ids"
local wanted = tensors:get "fwd.logits"

-- Largest difference of the logits of a forward pass, relative to the largest logit.
local function difference(model)
  local logits = model:trace { pixel_values = pixels.a, ids = ids }.logits
  local function largest(t) return t:abs():reshape { -1 }:max():item() end
  return largest(logits - wanted) / largest(wanted)
end

local function equal_runs(model)
  local equal = 0
  for _, run in ipairs(runs) do
    local call = { pixel_values = pixels[run.input] }
    for name, value in pairs(run.kwargs) do call[name] = value end
    if check.text(model:generate(call).sequences[1].ids) == check.text(run.sequences[1]):gsub("(, 479)[, 479]*}$", "%1}") then equal = equal + 1 end
  end
  return equal
end

-- Steps between neighbours are 2^-11, 2^-8 and 1/254 of a block's largest; errors grow through six layers.
for _, case in ipairs {
  { "f32", "safetensors", 1e-5, #runs }, { "f32", "gguf", 1e-5, #runs },
  { "f16", "safetensors", 2e-3, #runs }, { "f16", "gguf", 2e-3, #runs },
  { "bf16", "safetensors", 2e-2 }, { "bf16", "gguf", 2e-2 }, { "q8_0", "gguf", 4e-2 },
} do
  local dtype, format, tolerance, least = table.unpack(case)
  local target = ("%s/%s_%s"):format(temporary, dtype, format)
  check.equal(convert(DIR, target, { dtype = dtype, format = format }), true, target)
  local model = assert(lunette.load(target))
  local d = difference(model)
  check.ok(d <= tolerance, "%s %s: logits differ by %.2g of the largest, allowed %.2g", dtype, format, d, tolerance)
  check.ok(d > 0 or dtype == "f32", "%s %s: logits are those of f32", dtype, format)
  if least then check.ok(equal_runs(model) >= least, "%s %s: %d of %d ids are equal", dtype, format, equal_runs(model), least) end
  -- what was converted once converts again, to the same numbers
  local again = target .. "_again"
  check.equal(convert(target, again, { dtype = dtype, format = format }), true, again)
  local first <close> = assert(lunette.weights(("%s/model.%s"):format(target, format)))
  local second <close> = assert(lunette.weights(("%s/model.%s"):format(again, format)))
  for _, name in ipairs(first:names()) do
    check.ok(first:get(name):bytes() == second:get(name):bytes(), "%s: %s changes when converted again", target, name)
  end
end

check.finish()
