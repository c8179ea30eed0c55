-- caption.lua - images a second of captioning: lua5.4 tests/bench/caption.lua MODEL_DIR THREADS BATCH BEAMS PHOTO...
-- Prints one JSON object: seconds a pass over all photos (decoding included), best and mean of three, after a warm-up.
local here = (arg[0]:match "^(.*)/[^/]*$" or ".")
dofile(here .. "/../../scripts/tools/path.lua")

local lunette = require "lunette"
local vision  = require "lunette.vision"
local luv     = require "luv"

local model = assert(lunette.load(arg[1], { threads = tonumber(arg[2]) }))
local batch, beams = tonumber(arg[3]), tonumber(arg[4])
local photos = table.move(arg, 5, #arg, 1, {})

local function pass()
  local started = luv.hrtime()
  for first = 1, #photos, batch do
    local images = {}
    for i = first, math.min(first + batch - 1, #photos) do images[#images + 1] = assert(vision.load(photos[i])) end
    assert(model:caption(images, { num_beams = beams }))
    for _, image in ipairs(images) do image:free() end
  end
  return (luv.hrtime() - started) / 1e9
end

pass()
local times = { pass(), pass(), pass() }
table.sort(times)
print(('{"photos":%d,"best":%.4f,"mean":%.4f}'):format(#photos, times[1], (times[1] + times[2] + times[3]) / 3))
