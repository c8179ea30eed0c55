-- captioner_memory.lua - captions in a loop: memory stays where it is.
local lunette = require "lunette"
local check   = require "check"

-- Pages this process holds, in KiB.
local function resident()
  local f <close> = assert(io.open "/proc/self/statm")
  return tonumber(f:read "a":match "%d+ (%d+)") * 4
end

local model = assert(lunette.load "tests/data/fixtures/ved_vit_gpt2")
local image = lunette.fill({ 50, 70, 3 }, { value = 99, dtype = "u8" })

local function registry()
  local count = 0
  for _ in pairs(debug.getregistry()) do count = count + 1 end
  return count
end

local function captions(count)
  for i = 1, count do
    check.ok(model:caption(image, { num_beams = i % 2 == 0 and 3 or 1, max_new_tokens = 6 }), "a caption")
    pcall(model.caption, model, image, { num_beams = 0 })         -- what errors leave behind goes too
    pcall(model.encoder, lunette.fill { 1, 3, 8, 8 })
    if i % 10 == 0 then assert(lunette.load "tests/data/fixtures/ved_vit_gpt2"):close() end
  end
  collectgarbage()
  collectgarbage()
  return collectgarbage "count", registry(), resident()
end

local lua_before, registry_before, resident_before = captions(200)
local lua_after, registry_after, resident_after = captions(200)
check.ok(lua_after <= lua_before + 20, "Lua holds %.0f KiB, before %.0f", lua_after, lua_before)
check.equal(registry_after, registry_before, "entries of the registry")
-- a sanitizer keeps what is freed for a while
if os.getenv "ASAN_OPTIONS" then check.skip("resident memory", "a sanitizer holds back what is freed")
else check.ok(resident_after <= resident_before + 3000, "%d KiB are resident, before %d", resident_after, resident_before) end

check.finish()
