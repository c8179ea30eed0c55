-- plugin_calls.lua - calling a plugin from Lua: every type of argument and result, classes, blocks, errors.
local core  = require "lunette.core"
local build = require "plugin_build"

local check, equal, raises = build.check, build.equal, build.raises

local every = assert(core.load_plugin(build.compile("tests/plugins/every.c", "every")))
equal(core.load_plugin(build.file "every.so"), every, "the same plugin is the same table")

local x, ones = core.tensor({ 1, 2, 3 }), core.tensor({ 1, 1, 1 })
local function values(t) return table.concat(t:totable(), " ") end

-- ---- arguments and results ---------------------------------------------------------------

local function echo(...)
  local results = table.pack(every.echo(...))
  equal(results.n, 8, "results of echo")
  return results
end

local r = echo()
equal(math.type(r[1]), "integer", "type of an int")
equal(r[1], 7, "default of int")
equal(r[2], 0.5, "default of num")
equal(r[3], true, "default of bool")
for i = 4, 8 do equal(r[i], nil, "left out, result " .. i) end

r = echo(-10, 2, false, "a\0b", { list = { ints = { 1, 2.0, math.maxinteger }, nums = { -1.5, 2 }, strs = { "", "x\0y" } }, tensor = x })
equal(r[1], -10, "the least int")
equal(math.type(r[2]), "float", "type of a num")
equal(r[3], false, "false")
equal(r[4], "a\0b", "a string with a zero byte")
equal(table.concat(r[5], " "), "1 2 " .. math.maxinteger, "ints")
equal(math.type(r[5][2]), "integer", "type of an item of ints")
equal(table.concat(r[6], " "), "-1.5 2.0", "nums")
equal(#r[7], 2, "strings")
equal(r[7][1], "", "an empty string in a list")
equal(r[7][2], "x\0y", "a string with a zero byte in a list")
equal(values(r[8]), "1.0 2.0 3.0", "tensor")

r = echo(nil, nil, nil, nil, {})
equal(#r[5], 0, "an empty table where a list is wanted is an empty list")
r = echo { str = "s", int = 3, list = {} }
equal(r[1], 3, "all by name")
equal(r[4], "s", "all by name")
r = echo { str = false, tensor = false, list = false }
equal(r[4], nil, "false is a value left out")
equal(#every.squares(1000), 1000, "a long list")
equal(every.squares(1000)[1000], 999 * 999, "work over the pool")
equal(#every.squares { n = 0 }, 0, "a required argument by name, an empty list")

raises("every.echo: int must be an integer of at least -10, got -11", every.echo, -11)
raises("every.echo: int must be an integer of at least -10, got 1.5", every.echo, 1.5)
raises("every.echo: int must be an integer of at least -10, got \"3\"", every.echo, "3")
raises("every.echo: num must be a number of at least 0, got " .. tostring(0 / 0), every.echo, { num = 0 / 0 })
raises("every.echo: bool must be true or false, got 1", every.echo, { bool = 1 })
raises("every.echo: str must be a string, got 5", every.echo, { str = 5 })
raises("every.echo: list.ints must be a list of integers, got 5", every.echo, { list = { ints = 5 } })
raises("every.echo: list.ints: item 2 must be an integer of at least 0, got -1", every.echo, { list = { ints = { 1, -1 } } })
raises("every.echo: list.strs: item 1 must be a string, got a table", every.echo, { list = { strs = { {} } } })
raises("every.echo: list must be a table, got 3", every.echo, { list = 3 })
raises("every.echo: tensor must be a tensor, got a function", every.echo, { tensor = print })
raises("every.echo: tensor must be a tensor, got every.counter", every.echo, { tensor = every.counters(1) })
raises("every.echo: unknown argument \"itn\" (did you mean \"int\"?)", every.echo, { itn = 1 })
raises("every.echo: unknown argument \"list.int\" (did you mean \"list.ints\"?)", every.echo, { list = { int = 1 } })
raises("every.echo: unknown argument \"something\"", every.echo, { something = 1 })
raises("every.echo: unknown argument \"2\"", every.echo, { int = 1, [2] = 1 })
raises("unknown argument \"" .. ("x"):rep(500) .. "\"", every.echo, { [("x"):rep(500)] = 1 })
raises("every.echo: int is given twice", every.echo, 1, { int = 2 })
raises("every.echo: 9 arguments, takes at most 8", every.echo, nil, nil, nil, nil, nil, nil, nil, nil, 1)
raises("every.squares: n is missing, wanted an integer of at least 0", every.squares)
raises("every.squares: n is missing, wanted an integer of at least 0", every.squares, {})
raises("every.squares: n must be an integer of at least 0, got false", every.squares, false)
local gone = core.tensor({ 1 })
gone:free()
raises("every.echo: tensor: tensor is released", every.echo, { tensor = gone })

local function where() every.squares(-1) end          -- an error names the line that called
local line = debug.getinfo(where, "S").linedefined
check(select(2, pcall(where)):find(":" .. line .. ": every.squares:", 1, true), "the position of an error")

-- ---- errors of the function ---------------------------------------------------------------

local function failure(...)
  local results = table.pack(...)
  equal(results.n, 3, "results of a failure")
  equal(results[1], nil, "the first result of a failure")
  return results[2], results[3]
end

equal(every.open "good", true, "a function that may fail and does not")
local _, message, code
message, code = failure(every.open "f.png")
equal(message, "f.png: no such file", "message")
equal(code, "io", "code name")
for status, name in pairs { "arg", "shape", "dtype", "memory", "io", "device", "abi" } do
  _, code = failure(every.open("f", { code = status }))
  equal(code, name, "code name")
end
message = failure(every.open("f", { silent = true }))
equal(message, "it failed (io) and did not say why", "message of a silent failure")
_, code = failure(every.open("f", { silent = true, code = 99 }))
equal(code, "arg", "a code that is none")
equal(every.open("f", { code = 0 }), nil, "fail() with LUN_OK is a failure")
message = failure(every.open "nothing")
equal(message, "open returned neither a result nor an error", "LUN_OK without a result")
raises("every.open: path must be a string, got 5", every.open, 5)
raises("every.must_open: f.png: no such file", every.must_open, "f.png")
raises("every.careless: the plugin asks for argument nowhere, which it did not declare", every.careless)
raises("every.careless: the plugin asks for argument str as a type that it did not declare", every.careless, "s")
equal(every.open "good", true, "an error leaves nothing behind")

-- ---- classes --------------------------------------------------------------------------------

local function living()
  collectgarbage()
  collectgarbage()
  return every.living()
end

do
  local a, b = every.counters(2, { hold = x })
  equal(a:add(), 1, "a method")
  equal(a:add { by = -5 }, -4, "a method with a named argument")
  equal(b:add(5), 6, "an object has a state of its own")
  equal(values(a:held()), "1.0 2.0 3.0", "a tensor an object holds")
  equal(tostring(a), "every.counter", "an object as a string")
  equal(every.value(b), 6, "an object as an argument")
  equal(every.value(), nil, "an object left out")
  raises("every.value: counter is of class other, wanted counter", every.value, every.other())
  raises("every.value: counter must be an object, got lunette.tensor", every.value, x)
  raises("every.counter:add: called on other, wanted counter (is it called with a colon?)", a.add, every.other())
  raises("every.counter:add: called on number, wanted counter (is it called with a colon?)", a.add, 1)
  raises("every.counter:add: by must be an integer of at least -100, got -101", a.add, a, -101)
  equal(living(), 2, "living objects")
  a:free()
  a:free()
  equal(every.living(), 1, "a released object is dropped at once")
  equal(tostring(a), "every.counter (released)", "a released object as a string")
  raises("every.counter:add: the counter is released", a.add, a)
  raises("every.value: counter: object is released", every.value, a)
  do local scope <close> = b end
  equal(every.living(), 0, "a closed object is dropped at once")
end
raises("every.counters: told to", every.counters, 3, { fail = true })
equal(every.living(), 0, "objects of a call that failed are dropped")
raises("every.secret: the plugin returns an object of a class that it did not register", every.secret)
equal(select("#", every.counters(0)), 0, "no results")
equal(select("#", every.counters(500)), 500, "many results")
equal(living(), 0, "collected objects are dropped")

-- ---- blocks -----------------------------------------------------------------------------------

do
  local block = every.affine { weight = x, extra = { bias = ones } }
  equal(values(block(x)), "2.0 5.0 10.0", "a block")
  equal(values(block(x, ones)), "3.0 6.0 11.0", "an optional input in its place")
  equal(values(block(x, { more = ones })), "3.0 6.0 11.0", "an optional input by name")
  equal(values(block { x = x, more = false }), "2.0 5.0 10.0", "inputs by name")
  equal(tostring(block), "every.affine", "a block as a string")
  equal(block.name, "every.affine", "its name")
  equal(block.path, "", "no path yet")
  equal(block.nonsense, nil, "a field it does not have")
  raises("every.affine: x is missing, wanted a tensor", block)
  local err
  _, err = pcall(block, core.tensor({ 1, 2 }))
  check(err:find("every.affine: mul: ", 1, true), "an operation's error names the block: %s", err)
  block.path = "encoder.layers.0"
  equal(block.path, "encoder.layers.0", "its path")
  equal(tostring(block), "every.affine (encoder.layers.0)", "a block with a path as a string")
  raises("encoder.layers.0: x must be a tensor, got 1", block, 1)
  _, err = pcall(block, core.tensor({ 1, 2 }))
  check(err:find("encoder.layers.0: mul: ", 1, true), "an error names the path: %s", err)
  raises("a block has no field \"name\" to be set, only path", function () block.name = "x" end)
  block:free()
  block:free()
  equal(tostring(block), "lunette.block (released)", "a released block as a string")
  check(not pcall(block, x), "a released block cannot be called")
end
raises("every.affine: mode: 4, wanted 0 to 3", every.affine, { weight = x, mode = 4 })
raises("every.affine: weight is missing, wanted a tensor", every.affine, {})
raises("every.affine: it returned no tensor and did not say why", every.affine { weight = x, mode = 1 }, x)
raises("every.affine: there is no operation named nonsense", every.affine { weight = x, mode = 2 }, x)
equal(values(every.affine { weight = x, mode = 3 }(x)), "1.0 2.0 3.0", "a block that returns its input")
equal(values(x), "1.0 2.0 3.0", "which is still there")
equal(living(), 0, "collected blocks are dropped")

-- ---- built in, by the same way ------------------------------------------------------------------

local linear = core.linear { weight = core.tensor({ { 1, 0 }, { 0, 1 } }) }
equal(tostring(linear), "lunette.linear", "a built-in block")
raises("lunette.linear: unknown argument \"weigth\" (did you mean \"weight\"?)", core.linear, { weigth = x })
local cache = core.kv_cache(8)
equal(cache:length(), 0, "a built-in class")
raises("lunette.kv_cache: capacity must be an integer of at least 1, got 0", core.kv_cache, 0)

build.finish()
