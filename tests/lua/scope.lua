-- scope.lua - lunette.scope(): what is made inside goes when it closes, what is kept stays.
local lunette = require "lunette"
local check   = require "check"

local tensor, equal, raises = lunette.tensor, check.equal, check.raises

local function released(t) return tostring(t) == "tensor (released)" end

-- ---- closing --------------------------------------------------------------------

do
  local inside, view
  local outside = tensor { 1, 2 }
  do
    local scope <close> = lunette.scope()
    inside = outside + 1
    view = outside[{ { 1 } }]
  end
  check.ok(released(inside) and released(view), "made inside, and not released")
  equal(outside, { 1.0, 2.0 }, "made outside")
end

do
  local scope = lunette.scope()
  local a, b, c = tensor { 1 }, tensor { 2 }, tensor { 3 }
  local first, second = scope:keep(a, b)
  equal(rawequal(first, a) and rawequal(second, b), true, "keep returns its arguments")
  scope:close()
  scope:close()
  equal(a, { 1.0 }, "kept")
  check.ok(released(c), "not kept, and not released")
  raises("scope is closed)", scope.keep, scope, a)
  equal(tensor { 5 }, { 5.0 }, "made after it closed")
end

-- kept in an inner scope it belongs to the outer one
do
  local outer = lunette.scope()
  local inner = lunette.scope()
  local t = inner:keep(tensor { 1 })
  inner:close()
  equal(t, { 1.0 }, "kept by the inner scope")
  outer:close()
  check.ok(released(t), "kept by nobody outside")
end

-- what an outer scope, or none, owns is not kept any shorter
do
  local free = tensor { 1 }
  local outer = lunette.scope()
  local a = tensor { 2 }
  local middle = lunette.scope()
  local inner = lunette.scope()
  inner:keep(free, a)
  inner:close()
  middle:close()
  equal(a, { 2.0 }, "of the outer scope")
  outer:close()
  check.ok(released(a), "of the outer scope, closed")
  equal(free, { 1.0 }, "of no scope")
end

-- an outer scope closes what was opened inside it
do
  local outer = lunette.scope()
  local inner = lunette.scope()
  local a = tensor { 1 }
  outer:close()
  check.ok(released(a), "of a scope inside a closed one")
  raises("scope is closed)", inner.keep, inner)
  inner:close()
  equal(tensor { 5 }, { 5.0 }, "no scope is open")
end

-- what is released inside, and a tensor of outside that is kept
do
  local outside = tensor { 1 }
  do
    local scope <close> = lunette.scope()
    tensor({ 2 }):free()
    scope:keep(outside)
  end
  equal(outside, { 1.0 }, "outside, kept")
  local scope = lunette.scope()
  raises("tensor expected, got number)", scope.keep, scope, 1)
  local gone = tensor { 1 }
  gone:free()
  raises("tensor is released)", scope.keep, scope, gone)
  scope:close()
end

-- ---- errors ----------------------------------------------------------------------

do
  local inside
  local ok, message = pcall(function ()
    local scope <close> = lunette.scope()
    inside = tensor { 1, 2 }
    return inside + tensor { 1, 2, 3 }
  end)
  check.ok(not ok and message:find("do not broadcast", 1, true), "the error: %s", tostring(message))
  check.ok(released(inside), "not released by the error")
  equal(tensor { 5 }, { 5.0 }, "after the error")
end

-- a scope nobody closed leaves when it is collected; its tensors, which somebody may hold, go outside
do
  local inside
  do
    local scope = lunette.scope()             -- luacheck: ignore 211
    inside = tensor { 1 }
  end
  collectgarbage()
  collectgarbage()
  equal(inside, { 1.0 }, "of a scope that was collected")
end
do
  local a, b, c
  local outer = lunette.scope()
  do
    local middle = lunette.scope()            -- luacheck: ignore 211
    a = tensor { 1 }
  end
  local inner = lunette.scope()
  b = tensor { 2 }
  collectgarbage()
  collectgarbage()
  inner:close()
  c = tensor { 3 }
  equal({ released(a), released(b), released(c) }, { false, true, false }, "the scope between two was collected")
  outer:close()
  equal({ released(a), released(c) }, { true, true }, "the scope outside has its tensors")
end

-- tensors collected before their scope closes
do
  local scope <close> = lunette.scope()
  for i = 1, 1000 do
    local t = tensor { i }                    -- luacheck: ignore 211
    if i % 100 == 0 then collectgarbage() end
  end
end

-- scopes and coroutines: a scope is open until it closes, whoever runs
do
  local a, b
  local co = coroutine.wrap(function ()
    local scope <close> = lunette.scope()
    a = tensor { 1 }
    coroutine.yield()
    b = tensor { 2 }
  end)
  co()
  equal(a, { 1.0 }, "while the coroutine waits")
  co()
  check.ok(released(a) and released(b), "of a coroutine's scope")
end

check.finish()
