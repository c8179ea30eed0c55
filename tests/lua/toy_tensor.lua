-- toy_tensor.lua - a stand-in, in plain Lua, for the tensor operations that generation uses, so
-- that it can be tested without the core.  Same names and meanings as lunette's; storage
-- is rounded to float32; reshape is a view; slow.
local Tensor = {}
Tensor.__index = Tensor

local function f32(x) return (string.unpack("<f", string.pack("<f", x))) end

local function count(shape)
  local n = 1
  for _, d in ipairs(shape) do n = n * d end
  return n
end

local function make(data, shape, dtype) return setmetatable({ data = data, dims = shape, type = dtype or "f32" }, Tensor) end

local function flatten(values, data, shape, depth)
  if type(values) ~= "table" then
    data[#data + 1] = values
    return
  end
  shape[depth] = shape[depth] or #values
  assert(shape[depth] == #values, "lists of different lengths")
  for _, v in ipairs(values) do flatten(v, data, shape, depth + 1) end
end

local function tensor(values, options)
  options = options or {}
  local data, shape = {}, {}
  flatten(values, data, shape, 1)
  local dtype = options.dtype or "f32"
  for i, v in ipairs(data) do data[i] = dtype == "i64" and assert(math.tointeger(v)) or f32(v) end
  shape = options.shape or shape
  assert(count(shape) == #data, "contents do not fill the shape")
  return make(data, shape, dtype)
end

function Tensor:shape() return table.move(self.dims, 1, #self.dims, 1, {}) end

function Tensor:totable()
  local at = 0
  local function level(axis)
    if axis > #self.dims then
      at = at + 1
      return self.data[at]
    end
    local list = {}
    for i = 1, self.dims[axis] do list[i] = level(axis + 1) end
    return list
  end
  return level(1)
end

function Tensor:reshape(shape)
  local dims, known = {}, 1
  for _, d in ipairs(shape) do known = d ~= -1 and known * d or known end
  for i, d in ipairs(shape) do dims[i] = d == -1 and #self.data // known or d end
  assert(count(dims) == #self.data, "reshape: another number of elements")
  return make(self.data, dims, self.type)
end

-- How far apart in x's data neighbours along each axis of the result are; 0 where x repeats.
local function strides_for(x, rank, dims)
  local strides, step = {}, 1
  for axis = rank, 1, -1 do
    local own = x.dims[#x.dims - rank + axis] or 1
    assert(own == dims[axis] or own == 1, "shapes do not broadcast")
    strides[axis] = own == 1 and 0 or step
    step = step * own
  end
  return strides
end

local function binary(fn)
  return function (a, b)
    if type(a) == "number" then a = make({ f32(a) }, {}) end
    if type(b) == "number" then b = make({ f32(b) }, {}) end
    local rank, dims = math.max(#a.dims, #b.dims), {}
    for axis = 1, rank do
      dims[axis] = math.max(a.dims[#a.dims - rank + axis] or 1, b.dims[#b.dims - rank + axis] or 1)
    end
    local sa, sb, data = strides_for(a, rank, dims), strides_for(b, rank, dims), {}
    local function level(axis, ia, ib)
      if axis > rank then
        data[#data + 1] = f32(fn(a.data[ia], b.data[ib]))
        return
      end
      for i = 0, dims[axis] - 1 do level(axis + 1, ia + i * sa[axis], ib + i * sb[axis]) end
    end
    level(1, 1, 1)
    return make(data, dims)
  end
end

Tensor.__add = binary(function (a, b) return a + b end)
Tensor.__mul = binary(function (a, b) return a * b end)
Tensor.__div = binary(function (a, b) return a / b end)
Tensor.minimum = binary(math.min)
Tensor.maximum = binary(math.max)

function Tensor:assign(value)
  assert(type(value) == "number")
  for i = 1, #self.data do self.data[i] = f32(value) end
  return self
end

-- fn(row, first): for each row along the last axis, the offset of its data
local function each_row(t, fn)
  local n = t.dims[#t.dims]
  for row = 0, #t.data // n - 1 do fn(row, row * n, n) end
end

function Tensor:log_softmax()
  local data = {}
  each_row(self, function (_, base, n)
    local top, sum = -math.huge, 0.0
    for i = 1, n do top = math.max(top, self.data[base + i]) end
    for i = 1, n do sum = sum + math.exp(self.data[base + i] - top) end
    for i = 1, n do data[base + i] = f32(self.data[base + i] - top - math.log(sum)) end
  end)
  return make(data, self.dims)
end

local function without_last(dims, ...) return table.move({ ... }, 1, select("#", ...), #dims, table.move(dims, 1, #dims - 1, 1, {})) end

function Tensor:topk(k)
  local values, indices = {}, {}
  each_row(self, function (row, base, n)
    assert(k <= n, "topk: k is larger than the axis")
    local order = {}
    for i = 1, n do order[i] = i end
    table.sort(order, function (a, b)
      local x, y = self.data[base + a], self.data[base + b]
      if x ~= y then return x > y end
      return a < b
    end)
    for i = 1, k do values[row * k + i], indices[row * k + i] = self.data[base + order[i]], order[i] - 1 end
  end)
  local dims = without_last(self.dims, k)
  return make(values, dims), make(indices, dims, "i64")
end

function Tensor:argmax(axis)
  assert(axis == -1)
  local data = {}
  each_row(self, function (row, base, n)
    local best = 1
    for i = 2, n do if self.data[base + i] > self.data[base + best] then best = i end end
    data[row + 1] = best - 1
  end)
  return make(data, without_last(self.dims), "i64")
end

function Tensor:pick(index)
  assert(index.type == "i64")
  local data, n = {}, self.dims[#self.dims]
  each_row(index, function (row, base, k)
    for i = 1, k do
      assert(index.data[base + i] >= 0 and index.data[base + i] < n, "pick: index outside the axis")
      data[base + i] = self.data[row * n + index.data[base + i] + 1]
    end
  end)
  return make(data, index.dims)
end

function Tensor:put(index, values)
  assert(index.type == "i64" and #index.data == #values.data)
  local n = self.dims[#self.dims]
  each_row(index, function (row, base, k)
    for i = 1, k do
      assert(index.data[base + i] >= 0 and index.data[base + i] < n, "put: index outside the axis")
      self.data[row * n + index.data[base + i] + 1] = values.data[base + i]
    end
  end)
  return self
end

local function scope() return setmetatable({}, { __close = function () end }) end

return { tensor = tensor, scope = scope }
