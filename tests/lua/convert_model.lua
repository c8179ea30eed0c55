-- convert_model.lua - model files from Lua, and converting a model directory to every type and format.
local core    = require "lunette.core"
local convert = require "lunette.convert".convert
local lfs     = require "lfs"

local passed, failed = 0, 0
local function check(ok, format, ...)
  if ok then passed = passed + 1 return end
  failed = failed + 1
  print("FAIL " .. format:format(...))
end

-- value must be nil, with a message that holds 'wanted' and this code
local function check_fails(wanted, wanted_code, value, message, code)
  check(value == nil and code == wanted_code and tostring(message):find(wanted, 1, true),
        "got %s, '%s', %s, wanted '%s', %s", tostring(value), tostring(message), tostring(code), wanted, wanted_code)
end

local temporary = os.getenv "TMPDIR" or "/tmp"
local source = temporary .. "/model"
local function write(name, text)
  local f <close> = assert(io.open(source .. "/" .. name, "wb"))
  f:write(text)
end

local function read(path)
  local f <close> = io.open(path, "rb")
  return f and f:read "a"
end

-- ---- a small model ---------------------------------------------------------

-- Numbers that differ, both signs, exact in f16.
local function numbers(shape, dtype)
  local values, count = {}, 1
  for _, d in ipairs(shape) do count = count * d end
  for i = 1, count do values[i] = (i * 37 % 1000 - 500) / 256 end
  return core.tensor(values, { shape = shape }):cast(dtype)
end

local MODEL = {                          -- name, shape, type in the source; its type for q8_0
  { "h.0.attn.weight", { 64, 96 }, "f16", "q8_0" },
  { "head.weight", { 33, 32 }, "bf16", "q8_0" },
  { "small.weight", { 16, 32 }, "f16", "f32" },
  { "odd.weight", { 64, 33 }, "f32", "f32" },
  { "wpe.weight", { 64, 96 }, "f16", "f32" },
  { "embeddings.position_embeddings", { 1, 17, 96 }, "f16", "f32" },
  { "patch.weight", { 32, 3, 4, 32 }, "f16", "f32" },
  { "norm.bias", { 96 }, "f64", "f32" },
  { "scale", {}, "f32", "f32" },
  { "huge.weight", { 32, 32 }, "f32", "f32" },
  { "position_ids", { 1, 8 }, "i64", "i64" },
}

assert(lfs.mkdir(source))
write("config.json", '{"model_type": "toy"}')
write("tokenizer.json", "{}")
write("README.md", "the card")
write("NOTICE", "the notice")
write("LICENSE.txt", "the licence")
write("pytorch_model.bin", "not copied")
write("other.index.json", "not copied")

local made = {}
do
  local out <close> = assert(core.safetensors_writer(source .. "/model.safetensors"))
  assert(out:metadata("format", "pt"))
  for _, row in ipairs(MODEL) do
    local name, shape, dtype = table.unpack(row)
    local t = name == "huge.weight" and core.ops.fill(shape, { value = 1e9 }) or numbers(shape, dtype)
    made[name] = t
    assert(out:add(name, t))
  end
  check(not lfs.attributes(source .. "/model.safetensors"), "the file is there before it is closed")
  check(out:close() == true, "close")
  check(not pcall(out.close, out), "a closed file closes twice")
end

-- ---- to every type and format -----------------------------------------------

local function largest_difference(a, b)
  if a:count() == 0 then return 0 end
  return (a:cast "f32" - b:cast "f32"):abs():reshape { -1 }:max():item()
end

-- Steps between neighbours, relative to the largest number: f16 holds all of ours exactly.
local ERROR = { f32 = 0, f16 = 0, bf16 = 2 ^ -8, q8_0 = 0.51 / 127 + 2 ^ -11 }

local function check_model(target, format, dtype)
  local file <close> = core.weights(target .. "/model." .. format)
  if not file then return check(false, "%s: no model.%s", target, format) end
  check(#file:names() == #MODEL, "%s: %d tensors", target, #file:names())
  for _, row in ipairs(MODEL) do
    local name, shape, from, q8_0 = table.unpack(row)
    local wanted = from == "i64" and from or dtype == "q8_0" and q8_0 or dtype
    if name == "huge.weight" and (dtype == "f16" or dtype == "q8_0") then wanted = "f32" end
    local got, got_shape = file:about(name)
    check(got == wanted and table.concat(got_shape, " ") == table.concat(shape, " "), "%s: %s is %s [%s], wanted %s", target, name, got,
          table.concat(got_shape, " "), wanted)
    local scale = name == "huge.weight" and 1e9 or 2
    check(largest_difference(file:get(name), made[name]) <= scale * (ERROR[wanted] or 0), "%s: %s differs by %g", target, name,
          largest_difference(file:get(name), made[name]))
  end
  if format == "gguf" then
    check(file:metadata "general.architecture" == "toy" and file:metadata "general.name" == "model", "%s: metadata", target)
    check(file:metadata "general.file_type" == ({ f32 = 0, f16 = 1, q8_0 = 7, bf16 = 32 })[dtype], "%s: file type", target)
  else
    check(file:metadata "format" == "pt" and file:metadata "absent" == nil, "%s: metadata", target)
  end
end

for _, case in ipairs { "q8_0 gguf", "f16 gguf", "bf16 gguf", "f32 gguf", "f16 safetensors", "bf16 safetensors", "f32 safetensors" } do
  local dtype, format = case:match "(%S+) (%S+)"
  local target = ("%s/%s_%s"):format(temporary, dtype, format)
  local ok, message = convert(source, target, { dtype = dtype, format = format })
  check(ok, "%s: %s", case, message)
  check_model(target, format, dtype)
  for _, name in ipairs { "config.json", "tokenizer.json", "README.md", "NOTICE", "LICENSE.txt" } do
    check(read(target .. "/" .. name) == read(source .. "/" .. name), "%s: %s is not copied", case, name)
  end
  local count = 0
  for name in lfs.dir(target) do count = count + (name:sub(1, 1) ~= "." and 1 or 0) end
  check(count == 6, "%s: %d files", case, count)
end

-- ---- what is refused -----------------------------------------------------------

check_fails("the folder to make is the one to convert", "arg", convert(source, source .. "/"))
check_fails("safetensors has no type for q8_0", "dtype", convert(source, temporary .. "/x", { dtype = "q8_0", format = "safetensors" }))
check_fails("config.json", "io", convert(temporary .. "/absent", temporary .. "/x"))
check_fails("No such file or directory", "io", convert(source, temporary .. "/absent/x"))
check(not pcall(convert, source, temporary .. "/x", { dtype = "int4" }), "dtype int4 is taken")
check(not pcall(convert, source, temporary .. "/x", { format = "onnx" }), "format onnx is taken")

write("model.safetensors", "cut short")
check_fails("model.safetensors: no safetensors file, or cut short", "io", convert(source, temporary .. "/broken"))
check(not lfs.attributes(temporary .. "/broken/model.gguf"), "a broken model leaves a file")

do
  local file = assert(core.weights(temporary .. "/q8_0_gguf/model.gguf"))
  local t = file:get "norm.bias"
  check_fails("no tensor 'absent'", "arg", file:get "absent")
  check(file:about "absent" == nil, "an absent tensor is known")
  file:free()
  file:free()
  check(not pcall(file.names, file), "a closed file has names")
  check(t:count() == 96 and largest_difference(t, made["norm.bias"]) == 0, "a tensor goes with its file")
end

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0, true)
