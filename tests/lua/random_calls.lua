-- random_calls.lua - every operation, block and index with whatever arguments: nothing crashes, no memory is
-- touched that is not there (the sanitized build says so), and what is refused is refused in one clear line.
-- usage: random_calls.lua [SEED [CALLS]]
local lunette = require "lunette"
local check   = require "check"

local seed, calls = tonumber(arg and arg[1]) or 1, tonumber(arg and arg[2]) or 20000
local unpack, random = table.unpack, math.random
math.randomseed(seed)

local function pick(list) return list[random(#list)] end
local function chance(percent) return random(100) <= percent end

-- ---- tensors -------------------------------------------------------------------

local dtypes = { "f32", "f32", "f32", "f32", "i64", "i64", "f16", "bf16", "f64", "i32", "u8", "q8_0" }
local sizes  = { 1, 2, 2, 3, 4, 4, 4, 5, 0 }
local made   = {}                     -- what calls returned

local function shape(rank)
  local s = {}
  for i = 1, rank or random(0, 6) do s[i] = pick(sizes) end
  return s
end

local function fresh()
  local dtype = pick(dtypes)
  local t = lunette.fill { shape = shape(), value = random(0, 3) }
  if dtype == "q8_0" then
    local dims = shape(random(0, 3))
    dims[#dims + 1] = 32
    t = lunette.fill { shape = dims, value = random() }
  end
  return t:cast(dtype)
end

local function view(t)
  local rank = t:rank()
  local kind = random(4)
  if kind == 1 and rank > 0 then
    local axes = {}
    for i = 1, rank do table.insert(axes, random(i), i) end
    return t:permute(axes)
  elseif kind == 2 and rank > 0 then
    local axis = random(rank)
    local start = random(math.max(t:dim(axis), 1))
    return t:narrow(axis, start, random(0, math.max(t:dim(axis) - start + 1, 0)))
  elseif kind == 3 and rank < 6 then
    local dims = t:shape()
    table.insert(dims, 1, pick(sizes))
    return t:expand(dims)
  end
  return t:reshape { -1 }
end

local function viewed(t)
  for _ = 1, pick { 0, 0, 1, 2 } do
    local ok, v = pcall(view, t)
    if ok then
      t = v
      check.ok(t:reshape({ -1 }):bytes() == t:bytes(), "a view %s has other elements when it is reshaped", table.concat(t:shape(), " "))
    end
  end
  return t
end

local function tensor() return viewed(chance(25) and #made > 0 and pick(made) or fresh()) end

-- Small, or so large that it is refused: no call makes a tensor that fills the memory.
local numbers = { 0, 1, 1, 2, 2, 3, 4, 5, -1, -2, 0.5, -0.5, 1e-5, 1e300, -1e300, 2^53, -2^53, math.huge, -math.huge, 0 / 0,
                  math.maxinteger, math.mininteger }
local words   = { "f32", "f16", "q8_0", "i64", "bilinear", "bicubic", "nearest", "gelu_erf", "silu", "layer", "rms", "x", "" }

local function number() return pick(numbers) end
local function small() return random(0, 3) end
local function list(item)
  local l = {}
  for i = 1, pick { 0, 1, 2, 2, 3, 4, 6, 7 } do l[i] = item() end
  return l
end

local function any()
  return pick { number, number, tensor, function () return pick(words) end, function () return list(number) end,
                function () return list(tensor) end, function () return chance(50) end, function () return nil end,
                function () return print end, function () return lunette.kv_cache(random(4)) end } ()
end

-- ---- calls ---------------------------------------------------------------------

-- What is refused is said in one line, without a full stop, and names 'label'.
local function refusal(message, label)
  if type(message) ~= "string" then return "no string" end
  local text = message:gsub("^[^ ]+:%d+: ", "")
  if text:find "\n" then return "more than a line" end
  if text:find "%.$" then return "a full stop" end
  if label and not text:find(label, 1, true) then return "no " .. label end
end

local refused, went = 0, 0
local function try(label, f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then
    went = went + 1
    for i = 2, results.n do
      local t = results[i]
      if type(t) == "userdata" and t.totable and t:count() <= 1000 then
        tostring(t)
        t:bytes()
        if t:count() > 0 then t:totable() end
        made[#made % 100 + 1] = t
        if #made == 100 then made[random(100)] = t end
      end
    end
    return unpack(results, 2, results.n)
  end
  refused = refused + 1
  local why = refusal(results[2], label)
  check.ok(not why, "%s in what %s says: %s", tostring(why), tostring(label), tostring(results[2]))
end

local ops = {}
for _, about in ipairs(lunette.describe "".operations) do
  local names = {}
  for name in about.params:gmatch "@?([%a_]+)[^ ]*" do names[#names + 1] = name end
  ops[#ops + 1] = { name = about.name, call = lunette.ops[about.name], parameters = names, inputs = about.inputs }
end

local function parameters(names)
  local p = {}
  for _, name in ipairs(names) do
    if chance(60) then p[name] = pick { small, small, small, number, function () return pick(words) end, function () return list(number) end } () end
  end
  return p
end

-- One that may fit beside t.
local function beside(t)
  local dims = t:shape()
  local last = dims[#dims] or 1
  return pick {
    function () return t end,
    function () return lunette.fill { shape = { last }, value = 0.5 } end,
    function () return lunette.fill { shape = { pick(sizes), last }, value = 0.5 } end,
    function () return lunette.fill { shape = { last, pick(sizes) }, value = 0.5 } end,
    function () return lunette.fill { shape = { dims[2] or 1 }, value = 0.5 } end,
    function () return lunette.fill { shape = { pick(sizes), dims[2] or 1, pick { 1, 2, 3 }, 2 }, value = 0.5 } end,
    function () return lunette.fill { shape = dims, value = pick { 0, 0, 1, -1 }, dtype = "i64" } end,
    function () return lunette.fill { shape = { pick(sizes) }, value = pick { 0, 0, 1, -1 }, dtype = "i64" } end,
  } ()
end

local function operation()
  local o, args = pick(ops), {}
  local count = chance(85) and select(2, o.inputs:gsub("%S+", "")) or random(0, 4)
  local first = chance(60) and lunette.fill { shape = shape(pick { 1, 2, 3, 4, 4, 4, 6 }), value = 0.5 } or tensor()
  if not pcall(first.rank, first) then return try(nil, o.call, first) end
  first = viewed(first)
  for i = 1, count do args[i] = i == 1 and first or chance(70) and beside(first) or chance(95) and tensor() or any() end
  if chance(70) then args[count + 1] = #o.parameters > 0 and parameters(o.parameters) or nil
  else for _ = 1, random(0, 2) do args[#args + 1] = any() end end
  try(nil, o.call, unpack(args))
end

local function position() return chance(80) and pick { 1, 1, 2, -1 } or number() end
local function place()
  return pick { position, function () return list(position) end, function () return list(function () return list(position) end) end } ()
end

local function index()
  local t, at = tensor(), place()
  if chance(50) then try(nil, function () return t[at] end)
  else
    local value = chance(60) and small() or any()
    try(nil, function () t[at] = value end)
  end
end

local function assign()
  local to = tensor()
  try(nil, fresh().assign, to, chance(60) and viewed(to) or chance(80) and tensor() or any())
end

-- ---- blocks --------------------------------------------------------------------

local function matrix(n, k)
  return lunette.fill { shape = { n, k }, value = 0.1 }:cast(pick { "f32", "f32", "f16", k == 32 and "q8_0" or "f32", "f64", "i64" })
end
local width = { 32, 32, 32, 32, 32, 32, 32, 8, 0 }
local function weight(outputs)
  return { weight = chance(95) and matrix(outputs or pick(width), pick(width)) or any(), bias = chance(5) and tensor() or nil }
end

local function attention_arguments()
  return { heads = pick { 2, 4, 4, 4, number() }, kv_heads = pick { 0, 0, 4, 2, number() }, causal = chance(50), transposed = chance(30),
           qkv = chance(60) and weight(96) or nil, q = chance(80) and weight() or nil, kv = chance(50) and weight(64) or nil,
           k = chance(30) and weight() or nil, v = chance(30) and weight() or nil, out = chance(95) and weight() or nil,
           scale = chance(20) and number() or nil, layer_scale = chance(5) and tensor() or nil }
end

local function mlp_arguments()
  return { activation = pick { "silu", "relu", "gelu_erf", "gelu_tanh", "none", "zzz" }, up = weight(), down = weight(),
           gate = chance(30) and weight() or nil, transposed = chance(30) }
end

local builders = {
  linear     = function () local w = weight() w.transposed = chance(30) return w end,
  mlp        = mlp_arguments,
  attention  = attention_arguments,
  embedding  = function () return { weight = chance(50) and matrix(4, 32) or tensor() } end,
  layer_norm = function () return { weight = chance(50) and lunette.fill { shape = { 32 } } or tensor(), eps = small() } end,
  rms_norm   = function () return { weight = chance(30) and tensor() or nil, eps = number(), weight_offset = number() } end,
  layer      = function ()
    return { norm = { kind = pick { "layer", "rms" }, before = chance(50) }, attention = attention_arguments(), mlp = mlp_arguments(),
             cross = chance(50) and attention_arguments() or nil }
  end,
}
local kinds = {}
for name in pairs(builders) do kinds[#kinds + 1] = name end
table.sort(kinds)

local blocks, caches = {}, {}
local function input()
  if chance(30) then return tensor() end
  return lunette.fill { shape = { chance(70) and 2 or random(0, 3), random(0, 3), pick(width) }, value = 0.5 }
end

local function block()
  if #caches < 8 or chance(5) then caches[#caches % 8 + 1] = try("kv_cache", lunette.kv_cache, pick { 1, 2, 4, 8, number() }) end
  if #blocks < 20 or chance(20) then
    local name = pick(kinds)
    local b = try(name, lunette[name], builders[name]())
    if b then blocks[#blocks < 20 and #blocks + 1 or random(20)] = b end
    return
  end
  local b = pick(blocks)
  local args = { b.name == "lunette.embedding" and chance(70) and lunette.fill { shape = shape(random(0, 3)), dtype = "i64" } or input() }
  if b.name == "lunette.attention" or b.name == "lunette.layer" then
    args[2] = { cache = chance(60) and pick(caches) or nil, memory = chance(60) and input() or nil, mask = chance(10) and tensor() or nil }
  end
  try(b.name, b, unpack(args))
  local cache = pick(caches)
  if cache and chance(20) then try("select", cache.select, cache, list(function () return chance(5) and 0 or random(2) end)) end
end

local turns = { operation, operation, operation, index, assign, block, block }
for call = 1, calls do
  local scope <close> = chance(10) and lunette.scope() or nil
  pick(turns) ()
  if chance(1) and #made > 0 then pick(made):free() made = {} end
end

check.ok(went > calls / 20, "only %d of %d calls went through", went, calls)
check.ok(refused > calls / 20, "only %d of %d calls were refused", refused, calls)
print(("seed %d: %d calls went through, %d were refused"):format(seed, went, refused))
check.finish()
