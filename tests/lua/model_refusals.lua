-- model_refusals.lua - what a model directory or a caller gets wrong is said by name.
local lunette = require "lunette"
local vision  = require "lunette.vision"
local lfs     = require "lfs"
local check   = require "check"

local FIXTURES = "tests/data/fixtures/"
local folder = os.getenv "TMPDIR"
local function says(wanted, message)
  check.ok(tostring(message):find(wanted, 1, true), "%q, wanted %q", tostring(message), wanted)
end

local function read(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read "a"
end

local function write(path, bytes)
  local f <close> = assert(io.open(path, "wb"))
  f:write(bytes)
end

-- A copy of a fixture with one file changed by 'change'.
local count = 0
local function changed(fixture, file, change)
  count = count + 1
  local dir = ("%s/%d"):format(folder, count)
  assert(lfs.mkdir(dir))
  for name in lfs.dir(FIXTURES .. fixture) do
    if name:match "%.json$" or name == "model.safetensors" then
      local bytes = read(FIXTURES .. fixture .. "/" .. name)
      write(dir .. "/" .. name, name == file and change(bytes) or bytes)
    end
  end
  return dir
end

-- Renames a tensor in the header of a safetensors file, to a name as long: it is missing then.
local function without(tensor)
  return function (bytes)
    local other = "unused." .. ("x"):rep(#tensor - 7)
    local from, to = bytes:find('"' .. tensor .. '"', 1, true)
    return bytes:sub(1, from) .. other .. bytes:sub(to)
  end
end

-- every kind of missing bias is an error by name with the shape that was wanted
for fixture, tensors in pairs {
  ved_vit_gpt2 = {
    "encoder.encoder.layer.0.attention.attention.query.bias", "encoder.encoder.layer.1.output.dense.bias",
    "decoder.transformer.h.0.attn.c_attn.bias", "decoder.transformer.h.2.crossattention.c_proj.bias",
  },
  ved_dinov2_gpt2 = { "encoder.encoder.layer.0.mlp.fc1.bias", "enc_to_dec_proj.bias" },
  blip_caption = { "vision_model.encoder.layers.0.self_attn.qkv.bias", "text_decoder.cls.predictions.transform.dense.bias" },
} do
  for _, tensor in ipairs(tensors) do
    local model, message, code = lunette.load(changed(fixture, "model.safetensors", without(tensor)))
    check.ok(model == nil and code == "io", tensor .. " may be missing")
    says(('tensor "%s" is missing, wanted ['):format(tensor), message)
  end
end

-- another model of the same type, and options of generation that old directories keep in config.json
local model, message = lunette.load(changed("blip_caption", "config.json", function (s)
  return s:gsub("BlipForConditionalGeneration", "BlipForQuestionAnswering")
end))
check.ok(model == nil, "BlipForQuestionAnswering loads as a captioner")
says('unsupported architecture "BlipForQuestionAnswering"', message)

local dir = changed("ved_vit_gpt2", "config.json", function (s) return (s:gsub("^{", '{"max_new_tokens": 3, "num_beams": 1,')) end)
os.remove(dir .. "/generation_config.json")
model = assert(lunette.load(dir))
local grey = lunette.fill { shape = { 1, 3, 64, 64 }, value = 0.5 }
check.ok(#model:generate { pixel_values = grey }.ids <= 4, "max_new_tokens of config.json is passed over")

-- nulls: a step that is null is off; a value that a step needs is named
local function with_processor(from, to)
  return lunette.load(changed("ved_vit_gpt2", "preprocessor_config.json", function (t) return (t:gsub(from, to)) end))
end
local function white(m) return m:prepare(lunette.fill { shape = { 64, 64, 3 }, value = 255, dtype = "u8" }):reshape { -1 }:max():item() end
check.ok(math.abs(white(assert(lunette.load(FIXTURES .. "ved_vit_gpt2"))) - 1) < 1e-6, "white is not 1 by this fixture's processor")
check.ok(math.abs(white(assert(with_processor('"do_rescale": true', '"do_rescale": null'))) - 509) < 1e-3, "a step that is null is not off")
model, message = with_processor('"rescale_factor": [%d.e-]+', '"rescale_factor": null')
check.ok(model == nil, "a rescale_factor of null")
says("rescale_factor is null, wanted a number", message)

-- processor_config.json of transformers 5 comes before preprocessor_config.json
dir = changed("ved_vit_gpt2", "", nil)
write(dir .. "/processor_config.json", '{"image_processor": {"image_processor_type": "NoImageProcessor"}}')
model, message = lunette.load(dir)
check.ok(model == nil, "processor_config.json is passed over")
says('unsupported image processor "NoImageProcessor"', message)

-- callers
model = assert(lunette.load(FIXTURES .. "ved_dinov2_gpt2"))
local ok
ok, message = pcall(model.caption, model, "photo.jpg")
check.ok(not ok, "a string is a picture")
says("image is a string, wanted a tensor u8 [Y, X, 3]", message)
ok, message = pcall(lunette.load, FIXTURES .. "ved_vit_gpt2", { bogus = 1 })
check.ok(not ok, "an unknown option is passed over")
says('load: unknown option "bogus"', message)
check.ok(not pcall(lunette.load, FIXTURES .. "ved_vit_gpt2", { threads = -1 }), "-1 threads")

-- a picture so thin that its shortest edge would make it huge is refused, not resized
local thin = folder .. "/thin.png"
assert(vision.save_png(thin, lunette.fill { shape = { 300000, 1, 3 }, value = 9, dtype = "u8" }))
local pixels
pixels, message = model:prepare(assert(vision.load(thin)))
check.ok(pixels == nil, "a picture of 80 x 24000000")
says("a picture of 1 x 300000 pixels would become 80 x 24000000 (limit 200 megapixels)", message)

-- more text than there are positions
grey = lunette.fill { shape = { 1, 3, 70, 70 } }
ok, message = pcall(model.generate, model, { pixel_values = grey, max_new_tokens = 500, min_new_tokens = 400 })
check.ok(not ok, "500 tokens in 64 positions")
says("the text needs position 65, but there are 64", message)

-- a closed model says so
model:close()
ok, message = pcall(function () return model:caption(1) end)
check.ok(not ok, "a closed model captions")
says("the model is closed", message)

check.finish()
