-- blocks.lua - built-in blocks against formulas written out in Lua, in double precision.
local lunette = require "lunette"
local check   = require "check"

local tensor, equal, near, raises = lunette.tensor, check.equal, check.near, check.raises

local seed = 7
local function random()                       -- in [-1, 1); the same on every machine
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed / 1073741824 - 1
end

local function filled(...)                    -- a tensor of random numbers
  local shape, values, count = { ... }, {}, 1
  for _, d in ipairs(shape) do count = count * d end
  for i = 1, count do values[i] = random() end
  return tensor(values, { shape = shape })
end

-- ---- formulas, on lists ----------------------------------------------------------

local function map(list, f)
  local out = {}
  for i, v in ipairs(list) do out[i] = f(v, i) end
  return out
end

local function dot(a, b)
  local sum = 0
  for i = 1, #a do sum = sum + a[i] * b[i] end
  return sum
end

local function add(a, b) return map(a, function (v, i) return v + b[i] end) end

-- rows [T][K], p { weight [N, K], bias [N] } -> [T][N]
local function linear(rows, p)
  local w, b = p.weight:totable(), p.bias and p.bias:totable()
  return map(rows, function (row) return map(w, function (v, n) return dot(row, v) + (b and b[n] or 0) end) end)
end

local function transposed(p) return { weight = p.weight:permute { 2, 1 }, bias = p.bias } end

local function layer_norm(rows, p, eps)
  local w, b = p.weight:totable(), p.bias:totable()
  return map(rows, function (row)
    local mean, var = 0, 0
    for _, v in ipairs(row) do mean = mean + v / #row end
    for _, v in ipairs(row) do var = var + (v - mean) ^ 2 / #row end
    return map(row, function (v, i) return (v - mean) / math.sqrt(var + eps) * w[i] + b[i] end)
  end)
end

local function rms_norm(rows, p, eps, offset)
  local w = p.weight:totable()
  return map(rows, function (row)
    local scale = 1 / math.sqrt(dot(row, row) / #row + eps)
    return map(row, function (v, i) return v * scale * (w[i] + offset) end)
  end)
end

local function gelu_tanh(z)
  local e = math.exp(2 * math.sqrt(2 / math.pi) * (z + 0.044715 * z ^ 3))
  return z * (1 + (e - 1) / (e + 1)) / 2
end
local function silu(z) return z / (1 + math.exp(-z)) end

local function slice(row, from, count) return table.move(row, from, from + count - 1, 1, {}) end

-- q [T][H D], k v [S][G D] -> [T][H D]; head h reads group h * G // H; causal: query t sees keys up to t + S - T
local function attend(q, k, v, heads, groups, options)
  local width = #q[1] // heads
  local scale = options.scale or width ^ -0.5
  return map(q, function (row, t)
    local out = {}
    for h = 0, heads - 1 do
      local g = h * groups // heads
      local query, weights, total = slice(row, h * width + 1, width), {}, 0
      for s = 1, #k do
        local seen = not options.causal or s <= t + #k - #q
        local score = scale * dot(query, slice(k[s], g * width + 1, width)) + (options.mask and options.mask[t][s] or 0)
        weights[s] = seen and math.exp(score) or 0
        total = total + weights[s]
      end
      for d = 1, width do
        local sum = 0
        for s = 1, #k do sum = sum + weights[s] / total * v[s][g * width + d] end
        out[#out + 1] = sum
      end
    end
    return out
  end)
end

local function projection(outputs, inputs) return { weight = filled(outputs, inputs), bias = filled(outputs) } end
local function norm(channels) return { weight = filled(channels), bias = filled(channels) } end

local function self_attention(rows, a)
  local q, k, v = linear(rows, a.q), linear(rows, a.k), linear(rows, a.v)
  return linear(attend(q, k, v, a.heads, a.kv_heads or a.heads, a), a.out)
end

local function cross_attention(rows, memory, a)
  return linear(attend(linear(rows, a.q), linear(memory, a.k), linear(memory, a.v), a.heads, a.heads, a), a.out)
end

local function mlp(rows, m, act)
  local up = linear(rows, m.up)
  local gate = m.gate and linear(rows, m.gate)
  local hidden = map(up, function (row, t)
    return map(row, function (v, i) return gate and act(gate[t][i]) * v or act(v) end)
  end)
  return linear(hidden, m.down)
end

local CLOSE = 2e-5

-- ---- linear, embedding, norms -----------------------------------------------------

local C, T = 8, 5
local x = filled(1, T, C)
local rows = x:totable()[1]

do
  local p = projection(6, C)
  near(lunette.linear(p)(x)[1], linear(rows, p), CLOSE, "linear")
  near(lunette.linear { weight = p.weight }(x)[1], linear(rows, { weight = p.weight }), CLOSE, "linear without bias")
  near(lunette.linear { weight = p.weight:permute { 2, 1 }, bias = p.bias, transposed = true }(x)[1], linear(rows, p), CLOSE,
       "linear, transposed")
  raises("lunette.linear: linear: weight is [6, 8], wanted [*, 7] to fit x [5, 7]", lunette.linear(p), filled(T, 7))
  local ok, message = pcall(lunette.linear, { weight = filled(2, 2, 2) })
  check.ok(not ok and message:find("lunette.linear: .*weight is %[2, 2, 2%], wanted 2 dimensions"), "%s", tostring(message))
  ok, message = pcall(lunette.linear, { weight = filled(2, 3), bias = filled(3) })
  check.ok(not ok and message:find("bias is %[3%], wanted %[2%]"), "%s", tostring(message))

  local n = norm(C)
  near(lunette.layer_norm { weight = n.weight, bias = n.bias, eps = 0.1 }(x)[1], layer_norm(rows, n, 0.1), CLOSE, "layer_norm")
  near(lunette.rms_norm { weight = n.weight, eps = 0.1, weight_offset = 1 }(x)[1], rms_norm(rows, n, 0.1, 1), CLOSE, "rms_norm")

  local table_ = filled(4, 3)
  equal(lunette.embedding { weight = table_ }(tensor({ { 3, 0 } }, { dtype = "i64" }))[1], { table_[4]:totable(), table_[1]:totable() },
        "embedding")
  raises("embedding: id 4 is outside the 4 rows of weight (from 0)", lunette.embedding { weight = table_ },
         tensor({ 4 }, { dtype = "i64" }))
end

-- ---- attention ---------------------------------------------------------------------

local H = 2
local function attention_weights(kv_heads, width)
  local g = (kv_heads or H) * C // H
  return { heads = H, kv_heads = kv_heads, q = projection(C, C), k = projection(g, width or C), v = projection(g, width or C),
           out = projection(C, C) }
end

-- The same weights under qkv or kv, as one projection.
local function joined(...)
  local weights, biases = {}, {}
  for i, p in ipairs { ... } do weights[i], biases[i] = p.weight, p.bias end
  return { weight = lunette.concat(table.unpack(weights)), bias = lunette.concat(table.unpack(biases)) }
end

do
  local a = attention_weights()
  near(lunette.attention(a)(x)[1], self_attention(rows, a), CLOSE, "attention by q, k and v")
  near(lunette.attention { heads = H, qkv = joined(a.q, a.k, a.v), out = a.out }(x)[1], self_attention(rows, a), CLOSE, "by qkv")
  near(lunette.attention { heads = H, q = a.q, kv = joined(a.k, a.v), out = a.out }(x)[1], self_attention(rows, a), CLOSE, "by q and kv")
  local qkv = transposed(joined(a.q, a.k, a.v))
  near(lunette.attention { heads = H, transposed = true, qkv = qkv, out = transposed(a.out) }(x)[1], self_attention(rows, a), CLOSE,
       "attention, transposed")
  a.causal, a.scale = true, 0.3
  near(lunette.attention(a)(x)[1], self_attention(rows, a), CLOSE, "attention, causal, its own scale")
  a.causal, a.scale, a.mask = nil, nil, filled(T, T):totable()
  local block = lunette.attention { heads = H, q = a.q, k = a.k, v = a.v, out = a.out }
  near(block(x, { mask = tensor(a.mask) })[1], self_attention(rows, a), CLOSE, "attention with a mask")

  local grouped = attention_weights(1)
  near(lunette.attention(grouped)(x)[1], self_attention(rows, grouped), CLOSE, "one key head for two")
  near(lunette.attention { heads = H, kv_heads = 1, qkv = joined(grouped.q, grouped.k, grouped.v), out = grouped.out }(x)[1],
       self_attention(rows, grouped), CLOSE, "one key head for two, by qkv")

  local scaled = { heads = H, q = a.q, k = a.k, v = a.v, out = a.out, layer_scale = filled(C) }
  local plain = self_attention(rows, { heads = H, q = a.q, k = a.k, v = a.v, out = a.out })
  local factors = scaled.layer_scale:totable()
  near(lunette.attention(scaled)(x)[1], map(plain, function (row) return map(row, function (v, i) return v * factors[i] end) end), CLOSE,
       "layer_scale")
  raises("lunette.attention: heads is 3 and kv_heads 3, which do not divide 8 outputs", lunette.attention,
         { heads = 3, q = a.q, k = a.k, v = a.v, out = a.out })
  raises("lunette.attention: attention needs qkv, or q and kv, or q, k and v", lunette.attention, { heads = 2, q = a.q, out = a.out })
  raises("lunette.attention: heads is 2 and kv_heads 3, wanted 1 to 2147483647 heads, a multiple of kv_heads", lunette.attention,
         { heads = 2, kv_heads = 3, q = a.q, k = a.k, v = a.v, out = a.out })
  raises("lunette.attention: heads is 9223372036854775807 and kv_heads 9223372036854775807, wanted 1 to 2147483647 heads, a multiple of kv_heads",
         lunette.attention, { heads = math.maxinteger, q = a.q, k = a.k, v = a.v, out = a.out })
  raises("lunette.attention: heads is 2 and kv_heads 2, which do not divide 3 outputs", lunette.attention,
         { heads = 2, q = a.q, k = { weight = filled(3, C) }, v = a.v, out = a.out })
  raises("lunette.attention: x is [5, 8], wanted 3 dimensions", block, filled(5, 8))
  raises("lunette.attention: memory is [8], wanted 3 dimensions", block, x, { memory = filled(8) })
  raises("lunette.linear: weight is [1, 2, 3, 4], wanted 2 dimensions", lunette.linear, { weight = filled(1, 2, 3, 4) })
  raises("lunette.linear: bias is [2, 1, 3], wanted [2]", lunette.linear, { weight = filled(2, 3), bias = filled(2, 1, 3) })
  raises("lunette.attention: attention needs out", lunette.attention, { heads = 2, q = a.q, k = a.k, v = a.v })
end

-- ---- finalizers ------------------------------------------------------------------------

do     -- one may run in the middle of a call, so it cannot release what the call uses
  local used, said = { lunette.kv_cache(1), lunette.layer_norm {} }, {}
  for i, thing in ipairs(used) do
    setmetatable({}, { __gc = function () said[i] = select(2, pcall(thing.free, thing)) end })
  end
  collectgarbage()
  for i = 1, #used do check.ok(tostring(said[i]):find "tensors cannot be used in a finalizer$", "said %s", tostring(said[i])) end
  equal(used[1]:length(), 0, "a cache is not released by a finalizer")
  equal(used[2](tensor { 1, 1 }), { 0.0, 0.0 }, "a block is not released by a finalizer")
end

-- ---- caches --------------------------------------------------------------------------

do
  local a = attention_weights()
  a.causal = true
  local block, batch = lunette.attention(a), filled(2, T, C)
  local whole = block(batch)
  local cache = lunette.kv_cache(T)
  near(block(batch:narrow(2, 1, 2), cache), whole:narrow(2, 1, 2), CLOSE, "the first two steps with a cache")
  equal(cache:length(), 2, "length of the cache")
  for t = 3, T do near(block(batch:narrow(2, t, 1), cache), whole:narrow(2, t, 1), CLOSE, "step with a cache " .. t) end
  equal(cache:length(), T, "length of the cache")
  raises("cache: 5 positions and 1 more, capacity 5", block, batch:narrow(2, 1, 1), cache)

  -- rows change places, repeat and leave
  cache = lunette.kv_cache(T)
  block(batch:narrow(2, 1, 3), cache)
  cache:select { 2, 1, 2 }
  local next_step = lunette.concat(batch[{ { 2 } }], batch[{ { 1 } }], batch[{ { 2 } }])
  local wanted = lunette.concat(whole[{ { 2 } }], whole[{ { 1 } }], whole[{ { 2 } }])
  near(block(next_step:narrow(2, 4, 1), cache), wanted:narrow(2, 4, 1), CLOSE, "after select")
  cache:select { 2 }
  raises("cache: a batch of 2, the cache holds 1", block, batch:narrow(2, 1, 1), cache)
  near(block(batch[{ { 1 } }]:narrow(2, 5, 1), cache), whole[{ { 1 } }]:narrow(2, 5, 1), CLOSE, "after rows left")
  raises("lunette.kv_cache:select: select: row 2 of 1", cache.select, cache, { 2 })

  -- a step that fails leaves the cache as it was, and an empty one takes any batch
  cache = lunette.kv_cache(T)
  raises("sdpa: mask is [7, 7], which does not broadcast to [B, H, T, S] = [2, 2, 5, 5]", block, batch, { cache = cache, mask = filled(7, 7) })
  equal(cache:length(), 0, "length after a step that failed")
  near(block(batch[{ { 1 } }], cache), whole[{ { 1 } }], CLOSE, "another batch, after a step that failed")

  -- a cache of another layer
  local narrow = attention_weights(1)
  narrow.causal, cache = true, lunette.kv_cache(T)
  block(batch:narrow(2, 1, 1), cache)
  raises("lunette.attention: cache: 1 key heads of 4 channels, the cache holds 2 of 4", lunette.attention(narrow), batch:narrow(2, 2, 1), cache)
  raises("lunette.kv_cache:select: index: item 1 must be an integer of at least 1, got 0", cache.select, cache, { 0 })
end

-- ---- cross attention -------------------------------------------------------------------

local E, S = 6, 4                                    -- channels and positions of the memory
local memory = filled(2, S, E)                       -- of two pictures
local pictures = memory:totable()

do
  local a = attention_weights(nil, E)
  local block, queries = lunette.attention(a), filled(2, 3, C)
  local lists = queries:totable()
  local function wanted(picture, row) return cross_attention(lists[row], pictures[picture], a) end
  near(block(queries, { memory = memory }), { wanted(1, 1), wanted(2, 2) }, CLOSE, "cross attention")

  -- beams: rows 1 to 3 look at picture 2, 1 and 2, whose keys and values were projected once
  local cache = lunette.kv_cache(8)
  near(block(queries, { memory = memory, cache = cache }), { wanted(1, 1), wanted(2, 2) }, CLOSE, "cross attention with a cache")
  cache:select { 2, 1, 2 }
  local beams = lunette.concat(queries, queries[{ { 1 } }])
  near(block(beams, { cache = cache }), { wanted(2, 1), wanted(1, 2), wanted(2, 1) }, CLOSE, "rows that share a picture")
  cache:select { 3, 3 }
  near(block(queries, { cache = cache }), { wanted(2, 1), wanted(2, 2) }, CLOSE, "rows of the last picture alone")
  equal(cache:length(), 0, "a memory takes no positions")
  raises("cross attention needs q beside kv, or q, k and v",
         lunette.attention { heads = H, qkv = projection(3 * C, C), out = a.out }, x, { memory = memory })
end

-- ---- mlp ----------------------------------------------------------------------------------

do
  local m = { up = projection(12, C), down = projection(C, 12) }
  near(lunette.mlp { activation = "gelu_tanh", up = m.up, down = m.down }(x)[1], mlp(rows, m, gelu_tanh), CLOSE, "mlp")
  m.gate = projection(12, C)
  near(lunette.mlp { activation = "silu", up = m.up, down = m.down, gate = m.gate }(x)[1], mlp(rows, m, silu), CLOSE, "mlp with a gate")
  raises("lunette.mlp: activation is \"gelu\", wanted none, gelu_erf, gelu_tanh, gelu_quick, silu or relu", lunette.mlp,
         { activation = "gelu", up = m.up, down = m.down })
  raises("lunette.mlp: mlp needs up and down", lunette.mlp, { activation = "relu", up = m.up })
end

-- ---- layers ----------------------------------------------------------------------------------

do
  local parts = { self = attention_weights(), cross = attention_weights(nil, E), mlp = { up = projection(12, C), down = projection(C, 12) } }
  parts.self.causal = true
  local norms = { self = norm(C), cross = norm(C), mlp = norm(C) }
  local function arguments(before, crosses, kind)
    local function with(part, name, extra)
      local t = { norm = norms[name] }
      if kind == "rms" then t.norm = { weight = norms[name].weight } end
      for k, v in pairs(part) do t[k] = v end
      for k, v in pairs(extra or {}) do t[k] = v end
      return t
    end
    return { norm = { eps = 0.01, before = before, kind = kind }, attention = with(parts.self, "self"),
             cross = crosses and with(parts.cross, "cross") or nil, mlp = with(parts.mlp, "mlp", { activation = "gelu_tanh" }) }
  end
  local function wanted(before, crosses, kind)
    local function normal(r, p) return kind == "rms" and rms_norm(r, p, 0.01, 0) or layer_norm(r, p, 0.01) end
    local steps = {
      { norms.self, function (r) return self_attention(r, parts.self) end },
      crosses and { norms.cross, function (r) return cross_attention(r, pictures[1], parts.cross) end } or false,
      { norms.mlp, function (r) return mlp(r, parts.mlp, gelu_tanh) end },
    }
    local y = rows
    for i = 1, 3 do
      if steps[i] then
        local p, part = steps[i][1], steps[i][2]
        local input = y
        if before then y = map(part(normal(input, p)), function (row, t) return add(row, input[t]) end)
        else y = normal(map(part(input), function (row, t) return add(row, input[t]) end), p) end
      end
    end
    return y
  end
  for _, before in ipairs { true, false } do
    for _, crosses in ipairs { true, false } do
      for _, kind in ipairs { "layer", "rms" } do
        local what = ("layer, norms %s %s%s"):format(kind, before and "before" or "after", crosses and ", cross attention" or "")
        local layer = lunette.layer(arguments(before, crosses, kind))
        local want = wanted(before, crosses, kind)
        near(layer(x, { memory = crosses and memory[{ { 1 } }] or nil })[1], want, 1e-4, what)
        local cache, out = lunette.kv_cache(T), {}
        for t = 1, T do out[t] = layer(x:narrow(2, t, 1), cache, crosses and memory[{ { 1 } }] or nil):reshape { C }:totable() end
        near(out, want, 1e-4, what .. ", step by step")
      end
    end
  end
  raises("lunette.layer: norm.kind is \"batch\", wanted layer or rms", lunette.layer, arguments(true, false, "batch"))
  raises("cross attention needs a memory", lunette.layer(arguments(true, true)), x)
  local layer = lunette.layer(arguments(true, false))
  layer.path = "decoder.layers.0"
  raises("decoder.layers.0: x must be a tensor, got 1", layer, 1)
end

check.finish()
