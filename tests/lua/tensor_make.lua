-- tensor_make.lua - tensors from Lua: making, asking, reading, writing, printing, releasing.
local lunette = require "lunette"
local check   = require "check"

local tensor, equal, raises = lunette.tensor, check.equal, check.raises

-- ---- making ------------------------------------------------------------------

local t = tensor { { 1, 2, 3 }, { 4, 5, 6 } }
equal(t:shape(), { 2, 3 }, "shape of nested lists")
equal(t:dtype(), "f32", "dtype unless told")
equal(t:rank(), 2, "rank")
equal(t:count(), 6, "count")
equal(#t, 2, "#t")
equal(t:dim(2), 3, "dim")
equal(t:dim(-1), 3, "dim from the end")
equal(t, { { 1.0, 2.0, 3.0 }, { 4.0, 5.0, 6.0 } }, "contents")

equal(tensor(7):shape(), {}, "a number")
equal(#tensor(7), 0, "# of a number")
equal(tensor(7):item(), 7.0, "its item")
equal(tensor({}):shape(), { 0 }, "an empty list")
equal(tensor({ {}, {} }):shape(), { 2, 0 }, "empty lists")
equal(tensor({ {}, {} }), { {}, {} }, "their contents")
equal(tensor({ 1, 2, 3, 4 }, { shape = { 2, 2 } }), { { 1.0, 2.0 }, { 3.0, 4.0 } }, "a list with a shape")
equal(tensor({ { 1, 2 }, { 3, 4 } }, { shape = { 4 } }), { 1.0, 2.0, 3.0, 4.0 }, "nested lists with another shape")
equal(tensor({ { { { { { 5 } } } } } }):shape(), { 1, 1, 1, 1, 1, 1 }, "six dimensions")
equal(tensor({ 1, -2 }, { dtype = "i64" }), { 1, -2 }, "i64")
equal(tensor({ math.maxinteger }, { dtype = "i64" }):item(), math.maxinteger, "the largest i64")
equal(tensor({ 2.0 }, { dtype = "i32" }):item(), 2, "a whole float as i32")
equal(tensor({ 255 }, { dtype = "u8" }):item(), 255, "u8")
equal(tensor({ 0.1 }, { dtype = "f64" }):item(), 0.1, "f64 keeps a double")
equal(tensor({ 1 / 3 }, { dtype = "f16" }):item(), 0.333251953125, "f16 rounds")
equal(tensor({ 1 / 3 }, { dtype = "bf16" }):item(), 0.333984375, "bf16 rounds")
equal(tensor({ 1 }, { dtype = "float32" }):dtype(), "f32", "another name of a dtype")

raises("tensor: bytes need a shape", tensor, "\0\0\0\0")
raises("tensor: 3 bytes, wanted 4 for this shape of f32", tensor, "abc", { shape = { 1 } })
raises("tensor: unknown dtype \"f33\"", tensor, { 1 }, { dtype = "f33" })
raises("tensor: dtype is a table, wanted a name", tensor, { 1 }, { dtype = {} })
raises("tensor: shape is a number, wanted a list", tensor, { 1 }, { shape = 1 })
raises("tensor: shape holds -1, wanted whole numbers of at least 0", tensor, { 1 }, { shape = { -1 } })
raises("tensor: shape holds 1.5, wanted whole numbers of at least 0", tensor, { 1 }, { shape = { 1.5 } })
raises("tensor: 7 dimensions, at most 6", tensor, { 1 }, { shape = { 1, 1, 1, 1, 1, 1, 1 } })
raises("tensor: lists nested deeper than 6", tensor, { { { { { { { 1 } } } } } } })
raises("tensor: lists of different lengths (wanted 2 items)", tensor, { { 1, 2 }, { 3 } })
raises("tensor: lists of different lengths (wanted 2 items)", tensor, { { 1, 2 }, 3 })
raises("tensor: item 2 is a table, wanted a number", tensor, { 1, {} })
raises("tensor: item 1 is a string, wanted a number", tensor, { "1" })
raises("tensor: item 1 is a boolean, wanted a number", tensor, { true })
raises("tensor: item 2 is 256, which u8 cannot hold", tensor, { 1, 256 }, { dtype = "u8" })
raises("tensor: item 1 is 1.5, which i64 cannot hold", tensor, { 1.5 }, { dtype = "i64" })
raises("tensor: unknown option \"dtyp\" (takes shape, dtype)", tensor, { 1 }, { dtyp = "i64" })
raises("reshape: [3] has 3 elements, which do not make [2]", tensor, { 1, 2, 3 }, { shape = { 2 } })
raises("no tensor can have shape [4611686018427387904, 4] of type f32", tensor, "", { shape = { 1 << 62, 4 } })
if os.getenv "ASAN_OPTIONS" then check.skip("a petabyte", "a sanitizer ends the program that asks for it")
else raises("out of memory: 4503599627370496 bytes for a tensor [1125899906842624]", tensor, "", { shape = { 1 << 50 } }) end
check.ok(not pcall(tensor), "a tensor of nothing")
check.ok(not pcall(tensor, print), "a tensor of a function")

-- a list with a metatable is read as it is: nothing of Lua runs inside a call
equal(tensor(setmetatable({ 1, 2 }, { __index = error, __len = error })), { 1.0, 2.0 }, "a list with metamethods")

-- ---- bytes ---------------------------------------------------------------------

for dtype, format in pairs { f32 = "<f", f64 = "<d", i64 = "<i8", i32 = "<i4", u8 = "B" } do
  local bytes = string.pack(format, 1) .. string.pack(format, 2) .. string.pack(format, 3)
  local made = tensor(bytes, { shape = { 3 }, dtype = dtype })
  equal(made:bytes(), bytes, "bytes of " .. dtype)
  equal(made:cast "i64", { 1, 2, 3 }, "contents of " .. dtype)
end
equal(tensor({ 1, 2 }, { dtype = "f16" }):bytes(), "\x00\x3c\x00\x40", "bytes of f16")
equal(t:permute({ 2, 1 }):bytes(), string.pack("<ffffff", 1, 4, 2, 5, 3, 6), "bytes of a strided view are in its order")
equal(tensor("", { shape = { 0, 3 } }):bytes(), "", "no bytes")
equal(tensor({ 1, 2 }, { dtype = "i64" }):bytes(), string.pack("<i8i8", 1, 2), "bytes of i64")

raises("item: a tensor [2, 3], wanted one element", t.item, t)
equal(tensor({ { 4 } }):item(), 4.0, "item of one element")

-- ---- indices ---------------------------------------------------------------------

equal(t[1], { 1.0, 2.0, 3.0 }, "t[1]")
equal(t[-1], { 4.0, 5.0, 6.0 }, "t[-1]")
equal(t[2][3], 6.0, "t[2][3]")
equal(t[{ 2, 1 }], 4.0, "t[{2, 1}]")
equal(t[{ {}, 2 }], { 2.0, 5.0 }, "a column")
equal(t[{ {}, { 2, 3 } }], { { 2.0, 3.0 }, { 5.0, 6.0 } }, "columns")
equal(t[{ {}, { -1 } }], { { 3.0 }, { 6.0 } }, "{-1} keeps the axis")
equal(t[{ { 2, -1 } }], { { 4.0, 5.0, 6.0 } }, "rows to the last")
equal(t[{}], t, "no indices")
equal(t[3], nil, "past the end: nil, as ipairs needs it")
do
  local rows = {}
  for i, row in ipairs(t) do rows[i] = row end
  equal(rows, t, "ipairs")
end
equal(t.nonsense, nil, "no such method")
raises("index 0 of dimension 1, which has 2", function () return t[0] end)
raises("index -3 of dimension 1, which has 2", function () return t[-3] end)
raises("index 4 of dimension 2, which has 3", function () return t[{ 1, 4 }] end)
raises("3 indices for a tensor of 2 dimensions", function () return t[{ 1, 1, 1 }] end)
raises("range 3 to 2 of dimension 2 is empty", function () return t[{ 1, { 3, 2 } }] end)
raises("index of dimension 1 is 1.5, wanted a whole number", function () return t[1.5] end)
raises("index of dimension 1 is a boolean, wanted a whole number", function () return t[true] end)
raises("1 indices for a tensor of 0 dimensions", function () return tensor(1)[1] end)

do
  local a = tensor { { 1, 2, 3 }, { 4, 5, 6 } }
  local column = a[{ {}, 2 }]
  a[{ 1, 2 }] = 20
  equal(column, { 20.0, 5.0 }, "a slice is a view")
  column[2] = 50
  equal(a, { { 1.0, 20.0, 3.0 }, { 4.0, 50.0, 6.0 } }, "written through")
  a[1] = 0
  equal(a[1], { 0.0, 0.0, 0.0 }, "a number to a row")
  a[{ {}, { 1, 2 } }] = tensor { { 7 }, { 8 } }
  equal(a, { { 7.0, 7.0, 0.0 }, { 8.0, 8.0, 6.0 } }, "a tensor that broadcasts")
  a[{}] = tensor { 1, 2, 3 }
  equal(a, { { 1.0, 2.0, 3.0 }, { 1.0, 2.0, 3.0 } }, "everything")
  equal(a[1]:assign(9), { 9.0, 9.0, 9.0 }, "assign returns what it wrote")
  equal(a, { { 9.0, 9.0, 9.0 }, { 1.0, 2.0, 3.0 } }, "assign")
  raises("expand: [2] cannot become [3]", function () a[1] = tensor { 1, 2 } end)
  raises("assign: i64 into a tensor of f32", function () a[1] = tensor({ 1 }, { dtype = "i64" }) end)
  check.ok(not pcall(function () a[1] = "x" end), "a string is assigned")
  local ids = tensor({ 1, 2 }, { dtype = "i64" })
  ids[2] = 5
  equal(ids, { 1, 5 }, "a number takes the tensor's type")
  ids[1] = 2^53 | 1
  equal(ids, { 2^53 | 1, 5 }, "an integer that no f32 is")
  equal(ids[{ { 2 } }]:assign(7), { 7 }, "assign, i64")
  raises("tensor: item 1 is 1.5, which i64 cannot hold", function () ids[1] = 1.5 end)
  raises("tensor: item 1 is 256, which u8 cannot hold", function () tensor({ 1 }, { dtype = "u8" })[1] = 256 end)
  local exact = tensor({ 0 }, { dtype = "f64" })
  exact[1] = 0.1
  equal(exact, { 0.1 }, "a number that no f32 is")
  local half = tensor({ 0, 0 }, { dtype = "f16" })
  half[2] = 0.5
  equal(half, { 0.0, 0.5 }, "f16")
  raises("assign: an expanded tensor [3, 2], whose elements repeat, cannot be written", function () tensor({ 1, 2 }):expand { 3, 2 }[{}] = 1 end)
end

-- what no tensor can be
raises("no tensor can have shape [] of type q8_0", tensor, "", { shape = {}, dtype = "q8_0" })
raises("no tensor can have shape [0, 9007199254740992, 1099511627776] of type f32", lunette.fill, { shape = { 0, 2^53, 2^40 } })

-- ---- printing --------------------------------------------------------------------

equal(tostring(tensor { { 1, 0.5 }, { -2, 3 } }), "tensor f32 [2, 2]\n[[  1, 0.5],\n [ -2,   3]]", "print")
equal(tostring(tensor({ 1, 200 }, { dtype = "u8" })), "tensor u8 [2]\n[  1, 200]", "print u8")
equal(tostring(tensor({ 1.5 }, { dtype = "f16" })), "tensor f16 [1]\n[1.5]", "print f16")
equal(tostring(tensor(3)), "tensor f32 []\n3", "print a number")
equal(tostring(tensor {}), "tensor f32 [0]\n[]", "print nothing")
equal(tostring(lunette.arange { stop = 7, dtype = "i64" }), "tensor i64 [7]\n[0, 1, 2, ..., 4, 5, 6]", "a long axis")
equal(tostring(lunette.arange { stop = 6, dtype = "i64" }), "tensor i64 [6]\n[0, 1, 2, 3, 4, 5]", "six are shown")
equal(tostring(lunette.arange { stop = 100, dtype = "i64" }:reshape { 50, 2 }),
      "tensor i64 [50, 2]\n[[ 0,  1],\n [ 2,  3],\n [ 4,  5],\n ...,\n [94, 95],\n [96, 97],\n [98, 99]]", "a long first axis")
equal(tostring(lunette.fill({ 1, 2, 2 }, { value = 1 / 3 })),
      "tensor f32 [1, 2, 2]\n[[[0.33333, 0.33333],\n  [0.33333, 0.33333]]]", "three axes")
check.ok(#tostring(lunette.fill({ 1000, 1000 })) < 1000, "a large one is short")

-- ---- releasing -------------------------------------------------------------------

do
  local gone = tensor { 1 }
  gone:free()
  gone:free()
  equal(tostring(gone), "tensor (released)", "a released one as a string")
  for _, call in ipairs {
    function () return gone:shape() end, function () return gone:item() end, function () return gone:totable() end,
    function () return gone:bytes() end, function () return gone + 1 end, function () return 1 - gone end, function () return -gone end,
    function () return gone[1] end, function () gone[1] = 1 end, function () return #gone end, function () return gone:softmax() end,
    function () return lunette.ops.add(t, gone) end, function () t[1] = gone end, function () return gone:assign(1) end,
  } do
    check.ok(tostring(select(2, pcall(call))):find("tensor is released", 1, true), "%s", tostring(select(2, pcall(call))))
  end
  local kept
  do
    local closed <close> = tensor { 1, 2 }
    kept = closed[{ { 2 } }]
    kept = kept + 0
  end
  equal(kept, { 2.0 }, "a result outlives its input")
  local base = tensor { 1, 2, 3 }
  local view = base[{ { 2, 3 } }]
  base:free()
  equal(view, { 2.0, 3.0 }, "a view outlives its base")
end

-- ---- metatables ------------------------------------------------------------------

local file <close> = assert(require "lunette.core".weights "tests/data/fixtures/ved_vit_gpt2/model.safetensors")
for _, v in ipairs { t, lunette.scope(), lunette.kv_cache(1), lunette.linear { weight = t }, file } do
  check.ok(type(getmetatable(v)) == "string", "the metatable of %s is open", tostring(v))
  check.ok(not pcall(setmetatable, v, {}), "the metatable of %s changes", tostring(v))
end
equal(getmetatable(t), "lunette.tensor", "a metatable is a name")

-- A finalizer runs in the middle of a call, whose tensors must stay: tensors cannot be used there.
do
  local tried, refused, said = 0, 0, nil
  local scope = lunette.scope()
  local function try(fn, ...)
    tried, said = tried + 1, select(2, pcall(fn, ...))
    if tostring(said):find("tensors cannot be used in a finalizer", 1, true) then refused = refused + 1 end
  end
  for _ = 1, 50 do
    setmetatable({}, { __gc = function ()
      try(function () return t + 1 end)
      try(t.free, t)
      try(scope.close, scope)
      try(file.free, file)
    end })
    for _ = 1, 20 do
      local values, indices = t:topk(2)
      equal(values, { { 3.0, 2.0 }, { 6.0, 5.0 } }, "topk while garbage is collected")
      equal(indices, { { 2, 1 }, { 2, 1 } }, "topk while garbage is collected")
    end
  end
  collectgarbage()
  check.ok(tried > 0 and refused == tried, "in finalizers %d of %d are refused: %s", refused, tried, tostring(said))
  scope:close()
end

check.finish()
