-- load.lua - lunette.load of directories that lack something: nil, a message that names it, a code.
local lunette = require "lunette"
local json    = require "lunette.json"
local cjson   = require "cjson"
local lfs     = require "lfs"
local check   = require "check"

local SOURCE    = "tests/data/fixtures/ved_vit_gpt2"
local temporary = os.getenv "TMPDIR" or "/tmp"

local function read(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read "a"
end

local function write(path, text)
  local f <close> = assert(io.open(path, "wb"))
  assert(f:write(text))
end

local count = 0
-- A copy of the fixture; 'changes' by file name: new contents, or false for none.
local function directory(changes)
  count = count + 1
  local dir = ("%s/model%d"):format(temporary, count)
  assert(lfs.mkdir(dir))
  for _, name in ipairs { "config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors" } do
    local text = changes[name]
    if text == nil then text = read(SOURCE .. "/" .. name) end
    if text then write(dir .. "/" .. name, text) end
  end
  return dir
end

-- The config with fields of its decoder or encoder set.
local function config(part, fields)
  local c = assert(json.read(SOURCE .. "/config.json"))
  for name, value in pairs(fields) do (part and c[part] or c)[name] = value end
  return cjson.encode(c)
end

-- The weights without one tensor, or with another in its place.
local function weights(changed, replacement)
  local core = require "lunette.core"
  local path = temporary .. "/changed.safetensors"
  local file <close> = assert(core.weights(SOURCE .. "/model.safetensors"))
  local out <close> = assert(core.safetensors_writer(path))
  for _, name in ipairs(file:names()) do
    local t = file:get(name)
    if name == changed then t = replacement end
    if t then assert(out:add(name, t)) end
  end
  assert(out:close())
  return read(path)
end

local function fails(message, code, changes, options)
  local dir = directory(changes)
  check.fails(message:gsub("DIR", dir), code, lunette.load(dir, options))
end

-- ---- what works ------------------------------------------------------------------

local model <close> = assert(lunette.load(SOURCE))
check.equal(model.config.model_type, "vision-encoder-decoder", "model_type")
check.equal(model.tokenizer:vocab_size(), 480, "tokenizer")
check.ok(lunette.load(SOURCE .. "/"), "a final slash")
check.ok(lunette.load(directory { ["generation_config.json"] = false }), "without generation_config.json")
local bare = assert(lunette.load(directory { ["tokenizer.json"] = false, ["preprocessor_config.json"] = false }))
check.fails("preprocessor_config.json", "io", bare:prepare(lunette.fill({ 8, 8, 3 }, { dtype = "u8" })))
local ids = bare:generate { pixel_values = lunette.fill { 1, 3, 64, 64 } }
check.ok(#ids.ids > 1 and ids.text == nil, "ids without a tokenizer")

-- ---- what does not -----------------------------------------------------------------

check.fails(temporary .. "/absent: not a directory", "io", lunette.load(temporary .. "/absent"))
check.fails(SOURCE .. "/config.json: not a directory", "io", lunette.load(SOURCE .. "/config.json"))
check.fails("config.json", "io", lunette.load(temporary))
check.raises("load needs the path of a model directory", lunette.load)
check.fails("no device \"vulkan9\"", "device", lunette.load(SOURCE, { device = "vulkan9" }))
check.fails("dtype \"int4\" is not supported, wanted f32", "arg", lunette.load(SOURCE, { dtype = "int4" }))

fails("DIR/config.json", "io", { ["config.json"] = "{" })
fails("DIR/config.json", "io", { ["config.json"] = "" })
fails("DIR/config.json: not a JSON object", "io", { ["config.json"] = "[1]" })
fails("model_type is missing", "io", { ["config.json"] = "{}" })
fails("unsupported model_type \"../../cli/run\"", "io", { ["config.json"] = config(nil, { model_type = "../../cli/run" }) })
fails("unsupported model_type \"lm-of-tomorrow\"", "io", { ["config.json"] = config("decoder", { model_type = "lm-of-tomorrow" }) })
fails("unsupported activation \"mish\"", "arg", { ["config.json"] = config("decoder", { activation_function = "mish" }) })
fails("DIR holds no model.safetensors, model.safetensors.index.json or .gguf file", "io", { ["model.safetensors"] = false })
fails("DIR/model.safetensors: no safetensors file, or cut short", "io", { ["model.safetensors"] = "cut short" })
fails("DIR/model.safetensors", "io", { ["model.safetensors"] = read(SOURCE .. "/model.safetensors"):sub(1, -2) })
fails("DIR/generation_config.json", "io", { ["generation_config.json"] = "[}" })
fails("DIR/tokenizer.json", "io", { ["tokenizer.json"] = "{" })
fails("DIR/preprocessor_config.json", "io", { ["preprocessor_config.json"] = "{" })
fails("DIR: preprocessor_config.json: unknown field \"do_sharpen\"", "io",
      { ["preprocessor_config.json"] = '{"image_processor_type":"ViTImageProcessor","do_sharpen":true}' })
fails("DIR: unsupported image processor \"OwlImageProcessor\"", "io",
      { ["preprocessor_config.json"] = '{"image_processor_type":"OwlImageProcessor"}' })

-- every tensor that is missing or misshapen is named, with both shapes
local file <close> = assert(lunette.weights(SOURCE .. "/model.safetensors"))
for _, name in ipairs {
  "encoder.embeddings.cls_token", "encoder.encoder.layer.1.attention.attention.query.weight", "encoder.layernorm.bias",
  "decoder.transformer.h.2.crossattention.c_attn.weight", "decoder.transformer.h.0.ln_cross_attn.weight", "decoder.transformer.wpe.weight",
} do
  local _, shape = file:about(name)
  local wanted = "[" .. table.concat(shape, ", ") .. "]"
  fails(("DIR/model.safetensors: tensor %q is missing, wanted %s"):format(name, wanted), "io", { ["model.safetensors"] = weights(name) })
  local odd = lunette.fill { 2, 3, 5 }
  fails(("DIR/model.safetensors: tensor %q is [2, 3, 5], wanted %s"):format(name, wanted), "io", { ["model.safetensors"] = weights(name, odd) })
end
local wide = config("decoder", { n_embd = 68 })
fails("wanted [480, 68]", "io", { ["config.json"] = wide })

check.finish()
