-- check.lua - counted checks of the tests written in Lua: those that fail are printed, finish() ends the test.
local M = { passed = 0, failed = 0, skipped = 0 }

-- the line of the test that called, however deep
local function where()
  for level = 3, 20 do
    local info = debug.getinfo(level, "Sl")
    if not info then break end
    if info.what == "main" then return ("%s:%d"):format(info.short_src, info.currentline) end
  end
  return "?"
end

function M.ok(ok, format, ...)
  if ok then
    M.passed = M.passed + 1
  else
    M.failed = M.failed + 1
    print(("FAIL %s: %s"):format(where(), format:format(...)))
  end
  return ok
end

-- A value as one line; lists item by item, tensors as theirs.
local function text(v)
  if type(v) == "userdata" and v.totable then return text(v:totable()) end
  if type(v) == "string" then return ("%q"):format(v) end
  if type(v) ~= "table" then return tostring(v) end
  local items = {}
  for i, item in ipairs(v) do items[i] = text(item) end
  return "{" .. table.concat(items, ", ") .. "}"
end
M.text = text

-- Equal values, types of numbers too; lists item by item; a tensor counts as its contents.
function M.equal(got, want, what)
  return M.ok(text(got) == text(want), "%s: got %s, wanted %s", what or "value", text(got), text(want))
end

local function largest_difference(a, b)
  if type(b) ~= "table" then return a == b and 0 or math.abs(a - b) end
  if #a ~= #b then return math.huge end
  local most = 0
  for i, v in ipairs(b) do
    local d = largest_difference(a[i], v)
    if d > most or d ~= d then most = d end
  end
  return most
end

-- Numbers, nested lists or tensors, each number within 'tolerance'.
function M.near(got, want, tolerance, what)
  local a = type(got) == "userdata" and got:totable() or got
  local b = type(want) == "userdata" and want:totable() or want
  local d = largest_difference(a, b)
  return M.ok(d <= tolerance, "%s: differs by %g: got %s, wanted %s", what or "value", d, text(a):sub(1, 300), text(b):sub(1, 300))
end

-- fn(...) must raise a message that ends with 'message'
function M.raises(message, fn, ...)
  local ok, got = pcall(fn, ...)
  got = tostring(got)
  return M.ok(not ok and got:sub(-#message) == message, "raised %q, wanted %q", ok and "nothing" or got, message)
end

-- nil, a message that holds 'message', and 'code' must be what follows
function M.fails(message, code, value, got, got_code)
  return M.ok(value == nil and tostring(got):find(message, 1, true) and got_code == code and not tostring(got):find "[\n.]$",
              "got %s, %q, %s, wanted nil, %q, %s", tostring(value), tostring(got), tostring(got_code), message, code)
end

function M.skip(name, why)
  M.skipped = M.skipped + 1
  print(("skip %s: %s"):format(name, why))
end

function M.finish()
  local skipped = M.skipped > 0 and (", %d skipped"):format(M.skipped) or ""
  print(("%d passed, %d failed%s"):format(M.passed, M.failed, skipped))
  os.exit(M.failed == 0, true)
end

return M
