-- vision_functions.lua - the plugin "vision" as scripts use it: what functions return, and what they say when they cannot.
local core   = require "lunette.core"
local vision = require "lunette.vision"

local passed, failed = 0, 0
local function check(ok, format, ...)
  if ok then passed = passed + 1 return end
  failed = failed + 1
  print("FAIL " .. format:format(...))
end

local function check_shape(t, ...)
  local got, wanted = table.concat(t:shape(), " "), table.concat({ ... }, " ")
  check(got == wanted, "shape is %s, wanted %s", got, wanted)
end

local function check_bytes(t, wanted, what)
  local got = t:bytes()
  check(got == wanted, "%s: bytes are%s, wanted%s", what, got:gsub(".", function (c) return " " .. c:byte() end),
        (wanted:gsub(".", function (c) return " " .. c:byte() end)))
end

-- f must raise a message that holds 'wanted'
local function check_error(wanted, f, ...)
  local ok, message = pcall(f, ...)
  check(not ok and tostring(message):find(wanted, 1, true), "error is '%s', wanted '%s'", tostring(message), wanted)
end

-- nil, message, code "io"
local function check_fails(wanted, value, message, code)
  check(value == nil and code == "io" and tostring(message):find(wanted, 1, true),
        "got %s, '%s', %s, wanted '%s'", tostring(value), tostring(message), tostring(code), wanted)
end

local function picture(bytes, height, width, channels)
  return core.tensor(bytes, { shape = { height, width, channels }, dtype = "u8" })
end

local function read(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read "a"
end

-- load and decode
local upright = assert(vision.load "tests/data/exif/Landscape_1.jpg")
check_shape(upright, 400, 600, 3)
check_shape(assert(vision.load "tests/data/exif/Landscape_6.jpg"), 400, 600, 3)
check_shape(assert(vision.decode(read "tests/data/exif/Landscape_6.jpg", { orient = false })), 600, 400, 3)
check_shape(assert(vision.decode(read "tests/data/png/primary/basn3p04.png")), 32, 32, 3)
check_fails("tests/data/none.jpg: No such file or directory", vision.load "tests/data/none.jpg")
check_fails("tests/data/jpeg/expected.txt: not an image: first bytes are", vision.load "tests/data/jpeg/expected.txt")
check_fails("tests/data: ", vision.load "tests/data")
check_fails("not an image: no bytes", vision.decode "")
check_fails("unsupported format TIFF", vision.decode "II*\0")
check_fails("0.24 megapixels, limit 0.2", vision.load("tests/data/exif/Landscape_1.jpg", { max_megapixels = 0.2 }))
check_error("path", vision.load)

-- format
for _, case in ipairs {       -- first bytes, format, decoded, document
  { "\xff\xd8\xff\xe0",     "JPEG",       true,  false },
  { read "tests/data/gif/plain.gif",       "GIF",  true, false },
  { read "tests/data/webp/lossless.webp",  "WebP", true, false },
  { "8BPS\0\1",             "Photoshop",  false, false },
  { " \n%PDF-1.7",          "PDF",        false, true },
  { "\xef\xbb\xbf<?xml",    "XML (SVG?)", false, true },
} do
  local name, decoded, document = vision.format(case[1])
  check(name == case[2] and decoded == case[3] and document == case[4],
        "%s: format is %s, %s, %s", case[2], name, decoded, document)
end
check(not vision.format "" and not vision.format " JPEG" and not vision.format "\xff\xd8", "a format of what is none")

-- save_png
local path = os.tmpname()
local rgb = picture("abcdefghijkl", 2, 2, 3)
check(vision.save_png(path, rgb) == true, "save_png does not return true")
check_bytes(assert(vision.load(path)), "abcdefghijkl", "saved and loaded")
os.remove(path)
check_fails("no/such/folder/a.png: No such file", vision.save_png("no/such/folder/a.png", rgb))

-- encode_jpeg
local function fnv(bytes)
  local h = 0xcbf29ce484222325
  for i = 1, #bytes do h = (h ~ bytes:byte(i)) * 0x100000001b3 end
  return h
end
local small = vision.thumbnail(upright, { height = 160, width = 160 })
for _, case in ipairs {
  { small, nil, 0xd55e09f73d0c22d9 }, { small, 95, 0x6318ccca1fa1db4f }, { vision.convert(small, "L"), 80, 0x32124b63f2dbab39 } } do
  local got = fnv(vision.encode_jpeg(case[1], { quality = case[2] }))
  check(got == case[3], "JPEG of quality %s: digest %016x, Pillow's %016x", case[2], got, case[3])
end
check_shape(assert(vision.decode(vision.encode_jpeg(small))), 107, 160, 3)
check_error("image: 4 channels, JPEG holds 1 or 3", vision.encode_jpeg, vision.convert(rgb, "RGBA"))
check_error("image: 65501 x 1 pixels, JPEG holds 65500 each way at most", vision.encode_jpeg, picture(("a"):rep(65501), 1, 65501, 1))
check_error("quality: 101, wanted 1 to 100", vision.encode_jpeg, rgb, { quality = 101 })

-- resize, thumbnail, reduce
check_shape(vision.resize(upright, { height = 224, width = 100 }), 224, 100, 3)
check_bytes(vision.resize(picture("\0\100\200\255", 2, 2, 1), { height = 1, width = 1, resample = "box" }), "\139", "box")
check_bytes(vision.resize(picture("\0\100\200\255", 2, 2, 1), { height = 1, width = 2, box = { 0, 1, 2, 2 } }), "\200\255", "box of a row")
check_shape(vision.thumbnail(upright, { height = 128, width = 128 }), 85, 128, 3)
check_shape(vision.thumbnail(rgb, { height = 128, width = 128 }), 2, 2, 3)
check_bytes(vision.reduce(picture("\0\100\200\255\7\9", 2, 3, 1), { factor = { 2, 2 } }), "\91\105", "reduce")
check_error("height", vision.resize, rgb, { width = 5 })
check_error("wanted nearest, lanczos, bilinear, bicubic, box or hamming", vision.resize, rgb, { height = 5, width = 5, resample = "cubic" })
check_error("is outside the picture of 2 x 2", vision.resize, rgb, { height = 5, width = 5, box = { 0, 0, 3, 2 } })
check_error("wanted 4: left, top, right, bottom", vision.resize, rgb, { height = 5, width = 5, box = { 0, 0 } })
check_error("factor", vision.reduce, rgb, {})
check_error("u8", vision.resize, core.tensor({ 1, 2, 3 }, { shape = { 1, 1, 3 } }), { height = 5, width = 5 })
check_error("2 channels, wanted 1, 3 or 4", vision.resize, picture("ab", 1, 1, 2), { height = 5, width = 5 })

-- the number of threads changes nothing
local threads, results = core.threads(), {}
for _, n in ipairs { 1, 2, 5 } do
  core.threads(n)
  results[#results + 1] = vision.resize(upright, { height = 700, width = 900, resample = "lanczos" }):bytes()
      .. vision.reduce(upright, { factor = { 3, 2 } }):bytes()
end
core.threads(threads)
check(results[1] == results[2] and results[1] == results[3], "the result depends on the number of threads")

-- crop, pad, convert
local letters = picture("abcdef", 2, 3, 1)
check_bytes(vision.crop(letters, { top = 0, left = 1, height = 2, width = 2 }), "bcef", "crop")
check_bytes(vision.crop(letters, { top = -1, left = 2, height = 3, width = 2 }), "\0\0c\0f\0", "crop beyond")
check_bytes(vision.pad(letters, { top = 1, right = 1, value = { 46 } }), "....abc.def.", "pad")
check_bytes(vision.pad(letters, { bottom = 1 }), "abcdef\0\0\0", "pad with black")
check_error("value: 2 numbers, wanted 1, one a channel", vision.pad, letters, { value = { 1, 2 } })
check_error("value: 256, wanted 0 to 255", vision.pad, letters, { value = { 256 } })
check_bytes(vision.convert(picture("\255\0\0\12\200\77", 1, 2, 3), "L"), "\76\130", "convert to L")
check_bytes(vision.convert(letters, "RGB"), "aaabbbcccdddeeefff", "convert to RGB")
check_error("mode: 'HSV', wanted L, RGB or RGBA", vision.convert, letters, "HSV")

-- normalize
local planes = vision.normalize(picture("\0\50\100\200\250\255", 1, 2, 3), { mean = { 0, 0.5, 0 }, std = { 1, 0.5, 2 } })
check_shape(planes, 3, 1, 2)
local function floats(t) return { string.unpack(("<f"):rep(t:count()), t:bytes()) } end
for i, wanted in ipairs { 0, 200 / 255, (50 / 255 - 0.5) / 0.5, (250 / 255 - 0.5) / 0.5, 100 / 255 / 2, 0.5 } do
  check(math.abs(floats(planes)[i] - wanted) < 1e-6, "normalize %d: %g, wanted %g", i, floats(planes)[i], wanted)
end
check_bytes(vision.normalize(letters, { do_rescale = false, do_normalize = false }),
            string.pack("<ffffff", ("abcdef"):byte(1, -1)), "normalize without anything")
check_error("mean: 0 numbers, wanted 3, one a channel", vision.normalize, rgb, {})
check_error("std: 0", vision.normalize, letters, { mean = { 0 }, std = { 0 } })

-- patch_embedding: sums over patches of 2 x 1, and ten times the first pixel
local weight = core.tensor({ 1, 1, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0 }, { shape = { 2, 3, 2, 1 } })
local embed  = vision.patch_embedding { weight = weight, bias = core.tensor({ 0, 0.5 }, { shape = { 2 } }) }
local pixels = core.tensor({ 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, { shape = { 1, 3, 4, 2 } })
local tokens = embed(pixels)
check_shape(tokens, 1, 4, 2)
for i, wanted in ipairs { 4, 10.5, 6, 20.5, 12, 50.5, 14, 60.5 } do
  check(floats(tokens)[i] == wanted, "patch_embedding %d: %g, wanted %g", i, floats(tokens)[i], wanted)
end
check_error("weight: rank 1, wanted 4", vision.patch_embedding, { weight = core.tensor({ 1 }, { shape = { 1 } }) })

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
