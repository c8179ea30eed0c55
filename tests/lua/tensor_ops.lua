-- tensor_ops.lua - operators, and every operation of lunette.ops by position and by name.
-- What kernels compute is tested in C and by fixtures; here, that arguments arrive.
local lunette = require "lunette"
local check   = require "check"

local tensor, ops, equal, near, raises = lunette.tensor, lunette.ops, check.equal, check.near, check.raises

-- ---- operators ---------------------------------------------------------------

local a, b = tensor { { 1, 2, 3 }, { 4, 5, 6 } }, tensor { 10, 20, 30 }
equal(a + b, { { 11.0, 22.0, 33.0 }, { 14.0, 25.0, 36.0 } }, "a + b broadcasts")
equal(a - b, { { -9.0, -18.0, -27.0 }, { -6.0, -15.0, -24.0 } }, "a - b")
equal(a * b, { { 10.0, 40.0, 90.0 }, { 40.0, 100.0, 180.0 } }, "a * b")
equal(b / a, { { 10.0, 10.0, 10.0 }, { 2.5, 4.0, 5.0 } }, "b / a")
equal(-b, { -10.0, -20.0, -30.0 }, "-b")
equal(b + 1, { 11.0, 21.0, 31.0 }, "a tensor and a number")
equal(1 - b, { -9.0, -19.0, -29.0 }, "a number and a tensor")
equal(2 * b / 4, { 5.0, 10.0, 15.0 }, "a chain")
equal(tensor { { 1 }, { 2 } } + tensor { { 1, 2 } }, { { 2.0, 3.0 }, { 3.0, 4.0 } }, "both broadcast")
raises("add: a is [2, 3] and b is [2], which do not broadcast together", function () return a + tensor { 1, 2 } end)
check.ok(not pcall(function () return a + "1" end), "a string is added")
check.ok(not pcall(function () return a + {} end), "a table is added")
check.ok(not pcall(function () return a + nil end), "nil is added")

-- ---- every operation -----------------------------------------------------------

local called = {}
-- One result, or a list of all.
local function call(name, ...)
  called[name] = true
  local results = table.pack(ops[name](...))
  return results.n == 1 and results[1] or results
end

local x = tensor { { 1, -2, 3 }, { 0.5, 0, -1 } }
local w = tensor { { 1, 0, 0 }, { 0, 1, 1 } }

for name, want in pairs {
  add = { { 2.0, -4.0, 6.0 }, { 1.0, 0.0, -2.0 } }, sub = { { 0.0, 0.0, 0.0 }, { 0.0, 0.0, 0.0 } },
  mul = { { 1.0, 4.0, 9.0 }, { 0.25, 0.0, 1.0 } }, maximum = x:totable(), minimum = x:totable(),
} do equal(call(name, x, x), want, name) end
equal(call("div", x, 2), { { 0.5, -1.0, 1.5 }, { 0.25, 0.0, -0.5 } }, "div")
equal(ops.maximum(x, 0), { { 1.0, 0.0, 3.0 }, { 0.5, 0.0, 0.0 } }, "maximum with a number")
equal(ops.minimum(0, x), { { 0.0, -2.0, 0.0 }, { 0.0, 0.0, -1.0 } }, "minimum with a number")

local function erf(z)             -- series; for |z| < 3
  local sum, term = z, z
  for n = 1, 60 do
    term = -term * z * z / n
    sum = sum + term / (2 * n + 1)
  end
  return 2 / math.sqrt(math.pi) * sum
end
local function tanh(z) return (math.exp(z) - math.exp(-z)) / (math.exp(z) + math.exp(-z)) end
local function sigmoid(z) return 1 / (1 + math.exp(-z)) end

local elementwise = {
  neg = function (z) return -z end, exp = math.exp, abs = math.abs, tanh = tanh, sigmoid = sigmoid,
  softplus = function (z) return math.log(1 + math.exp(z)) end,
  relu = function (z) return math.max(z, 0.0) end, relu6 = function (z) return math.min(math.max(z, 0.0), 6) end,
  silu = function (z) return z * sigmoid(z) end,
  gelu_erf = function (z) return z * (1 + erf(z / math.sqrt(2))) / 2 end,
  gelu_tanh = function (z) return z * (1 + tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z ^ 3))) / 2 end,
  gelu_quick = function (z) return z * sigmoid(1.702 * z) end,
}
for name, f in pairs(elementwise) do
  local want = x:totable()
  for _, row in ipairs(want) do for i, v in ipairs(row) do row[i] = f(v) end end
  near(call(name, x), want, 1e-6, name)
  near(x[name](x), want, 1e-6, name .. " as a method")
end
near(call("log", tensor { 1, 10 }), { 0, math.log(10) }, 1e-6, "log")
equal(call("sqrt", tensor { 4, 9 }), { 2.0, 3.0 }, "sqrt")

equal(call("linear", x, w), { { 1.0, 1.0 }, { 0.5, -1.0 } }, "linear")
equal(x:linear(w, tensor { 10, 20 }), { { 11.0, 21.0 }, { 10.5, 19.0 } }, "linear with a bias")
equal(x:linear(w:permute({ 2, 1 }):contiguous(), { transposed = true }), { { 1.0, 1.0 }, { 0.5, -1.0 } }, "linear, transposed")
equal(x:linear(w, nil, 0, "relu"), { { 1.0, 1.0 }, { 0.5, 0.0 } }, "linear, activation by position")
equal(x:linear(w, { activation = "relu" }), { { 1.0, 1.0 }, { 0.5, 0.0 } }, "linear, activation by name")
equal(call("matmul", x, w, 1), { { 1.0, 1.0 }, { 0.5, -1.0 } }, "matmul")
equal(x:matmul(w, { transpose_b = true }), { { 1.0, 1.0 }, { 0.5, -1.0 } }, "matmul by name")
equal(x:matmul(tensor { { 1 }, { 1 }, { 1 } }), { { 2.0 }, { -0.5 } }, "matmul plain")

local one_head = tensor({ 1, 0, 0, 1 }, { shape = { 1, 1, 2, 2 } })
local function attended(causal, scale)        -- of queries, keys and values that are the unit vectors
  local e = math.exp(scale)
  return { { { causal and { 1.0, 0.0 } or { e / (e + 1), 1 / (e + 1) }, { 1 / (e + 1), e / (e + 1) } } } }
end
near(call("sdpa", one_head, one_head, one_head), attended(false, 2 ^ -0.5), 1e-6, "sdpa")
near(ops.sdpa(one_head, one_head, one_head, { causal = true, scale = 1 }), attended(true, 1), 1e-6, "sdpa by name")
near(ops.sdpa(one_head, one_head, one_head, nil, nil, 1, 1), attended(true, 1), 1e-6, "sdpa by position")
local mask = tensor({ 0, -math.huge, 0, 0 }, { shape = { 2, 2 } })
near(ops.sdpa(one_head, one_head, one_head, mask, { scale = 1 }), attended(true, 1), 1e-6, "sdpa with a mask")

local ramp = tensor { { 1, 2, 3 } }
local s = math.sqrt(1.5)
near(call("layer_norm", ramp, { eps = 0 }), { { -s, 0, s } }, 1e-6, "layer_norm")
near(ramp:layer_norm(tensor { 2, 2, 2 }, tensor { 1, 1, 1 }, 0), { { 1 - 2 * s, 1, 1 + 2 * s } }, 1e-6, "layer_norm by position")
local r = math.sqrt(14 / 3)
near(call("rms_norm", ramp, nil, 0), { { 1 / r, 2 / r, 3 / r } }, 1e-6, "rms_norm")
near(ramp:rms_norm(tensor { 1, 1, 1 }, { eps = 0, weight_offset = 1 }), { { 2 / r, 4 / r, 6 / r } }, 1e-6, "rms_norm by name")
near(call("group_norm", tensor { { { 1, 3 }, { 5, 5 } } }, { groups = 2, eps = 1e-12 }), { { { -1, 1 }, { 0, 0 } } }, 1e-5, "group_norm")
near(ops.group_norm(tensor { { { 1, 3 }, { 5, 5 } } }, nil, nil, 2, 1e-12), { { { -1, 1 }, { 0, 0 } } }, 1e-5, "group_norm by position")
near(call("batch_norm", tensor { { { 4 }, { 9 } } }, tensor { 2, 3 }, tensor { 4, 9 }, { eps = 0 }), { { { 1 }, { 2 } } }, 1e-6, "batch_norm")
near(call("softmax", tensor { 0, math.log(3) }), { 0.25, 0.75 }, 1e-6, "softmax")
near(call("log_softmax", tensor { 0, math.log(3) }), { math.log(0.25), math.log(0.75) }, 1e-6, "log_softmax")

local ids = tensor({ 1, 0 }, { dtype = "i64" })
equal(call("embedding", ids, x), { { 0.5, 0.0, -1.0 }, { 1.0, -2.0, 3.0 } }, "embedding")
near(call("rope", tensor { { 1, 0 }, { 1, 0 } }, tensor { 0, 1 }, tensor { 1 }), { { 1, 0 }, { math.cos(1), math.sin(1) } }, 1e-6, "rope")
near(ops.rope(tensor { { 1, 0 } }, tensor { 1 }, tensor { 1 }, 1, 2), { { 2 * math.cos(1), 2 * math.sin(1) } }, 1e-6, "rope by position")
near(call("alibi_slopes", 2), { 2 ^ -4, 2 ^ -8 }, 1e-9, "alibi_slopes")
near(ops.alibi_slopes { heads = 2 }, { 2 ^ -4, 2 ^ -8 }, 1e-9, "alibi_slopes by name")
equal(call("relative_buckets", tensor({ -1, 0, 1 }, { dtype = "i64" })), { 1, 0, 17 }, "relative_buckets")
equal(ops.relative_buckets(tensor({ -1, 0, 1 }, { dtype = "i64" }), { bidirectional = false }), { 1, 0, 0 }, "relative_buckets by name")

local square = lunette.arange { stop = 9 }:reshape { 1, 1, 3, 3 }
local box = lunette.fill({ 1, 1, 2, 2 }, 1)
equal(call("conv2d", square, box), { { { { 8.0, 12.0 }, { 20.0, 24.0 } } } }, "conv2d")
equal(square:conv2d(box, { stride = 2, padding = { 1, 0 } }), { { { { 1.0 }, { 20.0 } } } }, "conv2d by name")
equal(square:conv2d(box, nil, 2, { 1, 0 }), { { { { 1.0 }, { 20.0 } } } }, "conv2d by position")
equal(square:conv2d(box, tensor { 1 }), { { { { 9.0, 13.0 }, { 21.0, 25.0 } } } }, "conv2d with a bias")
equal(call("conv_transpose2d", tensor { { { { 1, 2 } } } }, box, { stride = 2 }), { { { { 1.0, 1.0, 2.0, 2.0 }, { 1.0, 1.0, 2.0, 2.0 } } } },
      "conv_transpose2d")
equal(call("max_pool2d", square, 2, 1), { { { { 4.0, 5.0 }, { 7.0, 8.0 } } } }, "max_pool2d")
equal(square:max_pool2d { kernel = 2 }, { { { { 4.0 } } } }, "max_pool2d by name")
equal(call("avg_pool2d", square, { kernel = { 1, 3 } }), { { { { 1.0 }, { 4.0 }, { 7.0 } } } }, "avg_pool2d")
equal(call("interpolate", square, { 1, 1 }), { { { { 0.0 } } } }, "interpolate")
equal(square:interpolate { scale = 2, mode = "nearest" }:shape(), { 1, 1, 6, 6 }, "interpolate by name")
near(square:interpolate { size = 2, mode = "bilinear", align_corners = true }, { { { { 0, 2 }, { 6, 8 } } } }, 1e-6, "interpolate, bilinear")

equal(call("sum", x), { 2.0, -0.5 }, "sum")
equal(x:sum(1), { 1.5, -2.0, 2.0 }, "sum along the first axis")
equal(x:sum(-1, true), { { 2.0 }, { -0.5 } }, "sum that keeps the axis")
equal(x:sum { axis = 1, keep = true }, { { 1.5, -2.0, 2.0 } }, "sum by name")
near(call("mean", x), { 2 / 3, -0.5 / 3 }, 1e-7, "mean")
equal(call("max", x, 2), { 3.0, 0.5 }, "max")
equal(call("argmax", x), { 2, 0 }, "argmax counts from 0")
local top = call("topk", x, 2)
equal(top[1], { { 3.0, 1.0 }, { 0.5, 0.0 } }, "topk")
equal(top[2], { { 2, 0 }, { 0, 1 } }, "topk counts from 0")
equal((x:topk { k = 1 }), { { 3.0 }, { 0.5 } }, "topk by name")

equal(call("reshape", x, { 3, -1 }), { { 1.0, -2.0 }, { 3.0, 0.5 }, { 0.0, -1.0 } }, "reshape")
equal(tensor({ 5 }):reshape({}):shape(), {}, "reshape to no dimensions")
equal(x:reshape { shape = { 6 } }:shape(), { 6 }, "reshape by name")
equal(call("permute", x, { 2, 1 }), { { 1.0, 0.5 }, { -2.0, 0.0 }, { 3.0, -1.0 } }, "permute")
equal(x:permute { axes = { -1, 1 } }:shape(), { 3, 2 }, "permute by name")
equal(call("narrow", x, 2, 2, 2), { { -2.0, 3.0 }, { 0.0, -1.0 } }, "narrow")
equal(x:narrow { axis = -1, start = -1, length = 1 }, { { 3.0 }, { -1.0 } }, "narrow by name, from the end")
equal(call("expand", tensor { { 1 }, { 2 } }, { 2, 2 }), { { 1.0, 1.0 }, { 2.0, 2.0 } }, "expand")
equal(call("contiguous", x:permute { 2, 1 }), { { 1.0, 0.5 }, { -2.0, 0.0 }, { 3.0, -1.0 } }, "contiguous")
equal(call("cast", tensor { 1.7, -1.7 }, "i64"), { 1, -1 }, "cast")
equal(x:cast { dtype = "f16" }:dtype(), "f16", "cast by name")
near(lunette.fill({ 1, 32 }, 2):cast "q8_0":cast "f32"[{ 1, 32 }], 2, 1e-3, "cast to q8_0 and back")
equal(call("concat", x, x)[3], { 1.0, -2.0, 3.0 }, "concat")
equal(ops.concat(x, w, 2):shape(), { 2, 6 }, "concat along the second axis")
equal(lunette.concat(x, x, x, x, x, x, x, x, { axis = -1 }):shape(), { 2, 24 }, "eight")
equal(call("gather", x, ids), { { 0.5, 0.0, -1.0 }, { 1.0, -2.0, 3.0 } }, "gather")
equal(x:gather(ids, { axis = 2 }), { { -2.0, 1.0 }, { 0.0, 0.5 } }, "gather along the second axis")
equal(call("pick", x, tensor({ { 2 }, { 0 } }, { dtype = "i64" })), { { 3.0 }, { 0.5 } }, "pick")
local target = x + 0
equal(call("put", target, tensor({ { 0 }, { 2 } }, { dtype = "i64" }), tensor { { 7 }, { 8 } }), { { 7.0, -2.0, 3.0 }, { 0.5, 0.0, 8.0 } }, "put")
equal(target, { { 7.0, -2.0, 3.0 }, { 0.5, 0.0, 8.0 } }, "put changes its input")
equal(call("fill", { 2, 2 }, 3), { { 3.0, 3.0 }, { 3.0, 3.0 } }, "fill")
equal(lunette.fill { shape = 2, value = 1, dtype = "i64" }, { 1, 1 }, "fill by name")
equal(call("arange", 1, 4), { 1.0, 2.0, 3.0 }, "arange")
equal(lunette.arange { stop = 1, step = 0.5 }, { 0.0, 0.5 }, "arange by name")

for name in pairs(ops) do check.ok(called[name], "operation %s is not called in this test", name) end
for name in pairs(ops) do
  local method = x[name]
  check.ok(type(method) == "function", "%s is no method", name)
end

-- ---- views, and nothing at all ---------------------------------------------------

do     -- an axis of 1 whose stride happens to be that of its neighbour
  local view = lunette.arange { stop = 20 }:reshape { 4, 1, 5 }:narrow(3, 1, 3)
  equal(view:reshape { -1 }, { 0.0, 1.0, 2.0, 5.0, 6.0, 7.0, 10.0, 11.0, 12.0, 15.0, 16.0, 17.0 }, "reshape of a view with an axis of 1")
  equal(view:reshape { 2, 6 }[2], { 10.0, 11.0, 12.0, 15.0, 16.0, 17.0 }, "reshape of a view, in part")
end
equal(ops.conv_transpose2d(lunette.fill { shape = { 1, 0, 1, 1 } }, lunette.fill { shape = { 0, 1, 1, 2 } }, tensor { 3 }), { { { { 3.0, 3.0 } } } },
      "conv_transpose2d of no channels is its bias")

-- ---- what is refused --------------------------------------------------------------

raises("sum: axis is 0, but positions count from 1 (-1 is the last)", x.sum, x, 0)
raises("sum: axis 3 of a tensor of 2 dimensions", x.sum, x, 3)
raises("sum: axis is a boolean, wanted a number", x.sum, x, true)
raises("narrow: start is 0, but positions count from 1 (-1 is the last)", x.narrow, x, 1, 0, 1)
raises("cast: dtype is f33, wanted one of f32|f16|bf16|f64|i64|i32|u8|q8_0", x.cast, x, "f33")
raises("cast: dtype is true, wanted one of f32|f16|bf16|f64|i64|i32|u8|q8_0", x.cast, x, true)
raises("cast: dtype is a userdata, wanted one of f32|f16|bf16|f64|i64|i32|u8|q8_0", x.cast, x, x)
raises("put: an expanded tensor [2, 1], whose elements repeat, cannot be written", ops.put, tensor { 1 }:expand { 2, 1 },
       tensor({ { 0 }, { 0 } }, { dtype = "i64" }), tensor { { 1 }, { 2 } })
raises("linear: unknown argument \"activaton\" (takes transposed=0 activation=none|gelu_erf|gelu_tanh|gelu_quick|silu|relu)",
       x.linear, x, w, { activaton = "relu" })
raises("softmax: 1 arguments too many", x.softmax, x, 2)
raises("reshape: shape holds 7 numbers, at most 6", x.reshape, x, { 1, 1, 1, 1, 1, 1, 6 })
raises("reshape: shape is a string, wanted a number", x.reshape, x, { "6" })
raises("embedding: ids is f32, wanted i64", ops.embedding, tensor { 1 }, x)
for _, name in ipairs { "topk", "narrow", "permute", "group_norm", "max_pool2d" } do
  local ok, message = pcall(ops[name], square)
  check.ok(not ok and message:find("^" .. name .. ":") and not message:find "%f[%a]nan", "%s without its arguments: %s", name, tostring(message))
end
for _, call_wrong in ipairs { ops.arange, ops.alibi_slopes, ops.add, ops.exp } do
  local ok, message = pcall(call_wrong)
  check.ok(not ok and not message:find "nan", "without arguments: %s", tostring(message))
end

check.finish()
