-- vision_reduced.lua - JPEG decoded at a half, a quarter or an eighth: when, and how far from the whole picture.
local lfs    = require "lfs"
local core   = require "lunette.core"
local vision = require "lunette".vision
local check  = require "check"

local SIDES = { 28, 56 }     -- of the square that pictures are resized to: small, so that 500 pixels are many

local function read(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read "a"
end

-- mean and largest absolute difference of two strings of bytes
local function difference(a, b)
  local sum, largest = 0, 0
  for from = 1, #a, 1024 do
    local x, y = { a:byte(from, from + 1023) }, { b:byte(from, from + 1023) }
    for i = 1, #x do
      local d = math.abs(x[i] - y[i])
      sum = sum + d
      largest = math.max(largest, d)
    end
  end
  return sum / #a, largest
end

-- ---- how far ------------------------------------------------------------------------------

-- Sides that 8 divides: every reduction is possible.
local function jpeg_of(image)
  image = vision.crop(image, { top = 0, left = 0, height = image:dim(1) // 8 * 8, width = image:dim(2) // 8 * 8 })
  return vision.encode_jpeg(image, { quality = 95 })
end

-- What a model sees of a JPEG file decoded for 'multiple' times its size, against all of it; how much it was reduced.
local function compare(bytes, side, multiple, resample)
  local size = { height = side, width = side, resample = resample }
  local reduced, by = assert(vision.decode(bytes, { reduce_to = multiple * side }))
  local mean, largest = difference(vision.resize(reduced, size):bytes(), vision.resize(assert(vision.decode(bytes)), size):bytes())
  return mean, largest, by
end

-- Twice the model's size: each photo's mean is below 1 of 255, and no value is off by more than 16.
local function check_photo(name, bytes)
  for _, side in ipairs(SIDES) do
    for _, resample in ipairs { "bilinear", "bicubic" } do
      local mean, largest, by = compare(bytes, side, 2, resample)
      check.ok(by > 1, "%s is not reduced for %d", name, 2 * side)
      check.ok(mean <= 1 and largest <= 16, "%s at 1/%d to %d, %s: mean %.3f, largest %d", name, by, side, resample, mean, largest)
    end
  end
end

for _, name in ipairs { "astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg" } do
  check_photo(name, jpeg_of(assert(vision.load("models/examples/" .. name))))
end

local PHOTOS = "../shared/data/photos_full"
if lfs.attributes(PHOTOS) then
  for name in lfs.dir(PHOTOS) do
    if name:find "%.jpg$" then check_photo(name, jpeg_of(assert(vision.load(PHOTOS .. "/" .. name)))) end
  end
else
  check.skip("photos_full", PHOTOS .. " is not there")
end

-- A picture of 448 x 448 whose pixel (y, x) is f(y, x): a string of three bytes.
local function drawn(f)
  local bytes = {}
  for y = 0, 447 do
    for x = 0, 447 do bytes[#bytes + 1] = f(y, x) end
  end
  return vision.encode_jpeg(core.tensor(table.concat(bytes), { shape = { 448, 448, 3 }, dtype = "u8" }), { quality = 95 })
end

local function check_drawn(name, bytes, most)
  local mean, _, by = compare(bytes, 56, 2, "bicubic")
  check.ok(by == 4 and mean <= most, "%s at 1/%d: mean %.3f, limit %g", name, by, mean, most)
end

-- What is no photo may differ more; the limits are a quarter above what was found.
math.randomseed(1)
check_drawn("gradient", drawn(function (y, x) return string.char(x * 255 // 447, y * 255 // 447, (x + y) * 255 // 894) end), 0.5)
check_drawn("noise", drawn(function () return string.char(math.random(0, 255), math.random(0, 255), math.random(0, 255)) end), 2.5)
check_drawn("stripes", drawn(function (_, x) return (x // 8 % 2 == 0 and "\0" or "\255"):rep(3) end), 9.5)

-- ---- when ------------------------------------------------------------------------------------

local function by_of(bytes, reduce_to)
  local image, by = assert(vision.decode(bytes, { reduce_to = reduce_to }))
  return { image:dim(1), image:dim(2), by }
end

local function blank(height, width)
  return vision.encode_jpeg(core.tensor(("\100"):rep(height * width * 3), { shape = { height, width, 3 }, dtype = "u8" }))
end

for _, case in ipairs {      -- height, width, reduce_to, by
  { 96, 64, 0, 1 }, { 96, 64, 65, 1 }, { 96, 64, 64, 1 }, { 96, 64, 33, 1 }, { 96, 64, 32, 2 }, { 96, 64, 17, 2 },
  { 96, 64, 16, 4 }, { 96, 64, 9, 4 }, { 96, 64, 8, 8 }, { 96, 64, 1, 8 }, { 64, 96, 32, 2 },
  { 96, 65, 1, 1 }, { 95, 64, 1, 1 }, { 96, 66, 1, 2 }, { 92, 64, 1, 4 }, { 8, 8, 1, 8 }, { 1, 1, 1, 1 },
  { 96, 64, math.maxinteger, 1 },
} do
  local height, width, least, by = table.unpack(case)
  check.equal(by_of(blank(height, width), least), { height // by, width // by, by }, ("%d x %d for %d"):format(width, height, least))
end

check.equal(select("#", assert(vision.decode(blank(8, 8)))), 1, "results without reduce_to")
check.equal(by_of(read "tests/data/png/primary/basn2c08.png", 1), { 32, 32, 1 }, "PNG")
check.equal(by_of(read "tests/data/webp/lossy_96x65.webp", 1), { 65, 96, 1 }, "WebP")
check.ok(not pcall(vision.decode, blank(8, 8), { reduce_to = -1 }), "reduce_to of -1")

-- A picture that is not reduced is the same picture.
local whole = read "tests/data/exif/Landscape_6.jpg"
check.ok(assert(vision.decode(whole, { reduce_to = 300 })):bytes() == assert(vision.decode(whole)):bytes(), "other pixels, not reduced")

-- Reduced, then turned upright.
local upright, by = assert(vision.load("tests/data/exif/Landscape_6.jpg", { reduce_to = 200 }))
check.equal({ upright:dim(1), upright:dim(2), by }, { 200, 300, 2 }, "turned upright")
local mean = difference(upright:bytes(), vision.reduce(assert(vision.decode(whole)), { factor = { 2, 2 } }):bytes())
check.ok(mean < 2, "reduced and turned upright: mean difference %.3f from the whole picture reduced", mean)

-- Grey, and four inks.
for _, name in ipairs { "jpg-gray", "jpg-cmyk-1" } do
  local bytes = read("tests/data/jpeg/reftest/mozilla/" .. name .. ".jpg")
  local halved = assert(vision.decode(bytes, { reduce_to = 16 }))
  mean = difference(halved:bytes(), vision.reduce(assert(vision.decode(bytes)), { factor = { 2, 2 } }):bytes())
  check.ok(halved:dim(1) == 16 and mean < 2, "%s: %d rows, mean difference %.3f", name, halved:dim(1), mean)
end

check.finish()
