-- xmp_containers.lua - XMP in JPEG, PNG, WebP and GIF: the packet is there, every other byte as it was; broken files are refused.
local lfs       = require "lfs"
local luv       = require "luv"
local vision    = require "lunette".vision
local xmp       = require "lunette.xmp"
local embed_xmp = require "lunette.job.embed_xmp"
local check     = require "check"

local ok, equal, fails = check.ok, check.equal, check.fails
local root = (os.getenv "TMPDIR" or "/tmp") .. "/xmp_containers"
assert(lfs.mkdir(root))

local function read(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read "a"
end

local function save(bytes)
  local path = root .. "/picture"
  local f <close> = assert(io.open(path, "wb"))
  assert(f:write(bytes))
  return path
end

-- The bytes of a file after a packet is put into it, and the packet it had; nil, message.
local function put(bytes, packet)
  local path = save(bytes)
  local picture <close>, message = embed_xmp.open(path)
  if not picture then return nil, message end
  local done, why = picture:put(packet)
  if not done then return nil, why end
  local after = read(path)
  equal(picture:size_with(packet), #after, "size_with()")
  local again <close> = assert(embed_xmp.open(path))
  ok(again.packet == packet, "the packet is read again")
  return after, picture.packet
end

local PACKET = assert(xmp.describe(nil, { description = "two owls \u{1f600}" }))
local LARGER = assert(xmp.describe(PACKET, { title = ("a name "):rep(500) }))

-- ---- whole pictures of all kinds ------------------------------------------------------------------

-- 'after' must be 'before' with bytes put in at one place.  Returns them, turned round where that place has a choice, and the place.
local function inserted(before, after)
  local at, more = 0, #after - #before
  while at < #before and before:byte(at + 1) == after:byte(at + 1) do at = at + 1 end
  ok(after:sub(at + more + 1) == before:sub(at + 1), "bytes that follow byte %d are others", at)
  return after:sub(at + 1, at + more), at
end

local function pixels(bytes)
  local image, message = vision.decode(bytes)
  return image and table.concat(image:shape(), "x") .. image:bytes() or message
end
-- what is undone where a format says at other places that there is XMP
local UNDO = {}

function UNDO.gif(before, after)                               -- the version
  return after:sub(1, 3) .. before:sub(4, 6) .. after:sub(7)
end

function UNDO.webp(before, after)                              -- the size of all, and VP8X
  local head = before:sub(1, 12)
  equal(("<I4"):unpack(after, 5), ("<I4"):unpack(before, 5) + #after - #before, "size of the RIFF")
  if before:sub(13, 16) == "VP8X" then
    equal(after:byte(21) & 0x04, 0x04, "the bit of XMP")
    return head .. after:sub(13, 20) .. before:sub(21, 21) .. after:sub(22)
  end
  local _, size, flags, width, height = ("<c4I4I4I3I3"):unpack(after, 13)
  local image = vision.decode(before)
  if image then equal(table.concat({ height + 1, width + 1, 3 }, "x"), table.concat(image:shape(), "x"), "size in VP8X") end
  equal(size, 10, "size of VP8X")
  ok(flags == 0x04 or flags == 0x14, "flags 0x%02x", flags)
  return head .. after:sub(31)
end

local count = 0
local function check_picture(path)
  local before = read(path)
  local kind = path:match "%.(%w+)$"
  local after, had = put(before, PACKET)
  if not after then return false end
  count = count + 1
  if not (had and had:find "Orientation") then equal(pixels(after) == pixels(before), true, path .. ": pixels") end
  local undone = UNDO[kind] and UNDO[kind](before, after) or after
  if not had then
    local piece = inserted(before, undone)
    ok((piece .. piece):find(PACKET, 1, true), "%s: the bytes put in hold no packet", path)
  end
  -- another one goes where the first is, and the first again gives the same file
  local larger, first = put(after, LARGER)
  ok(first == PACKET, "%s: it had the first packet", path)
  ok(put(larger, PACKET) == after, "%s: put back", path)
  return true
end

for _, folder in ipairs { "tests/data/webp", "tests/data/gif", "tests/data/exif", "models/examples" } do
  for name in lfs.dir(folder) do
    local kind = name:match "%.(%w+)$"
    if kind == "webp" or kind == "gif" or kind == "jpg" or kind == "png" then check_picture(folder .. "/" .. name) end
  end
end
ok(count >= 70, "%d pictures took XMP", count)
equal(#assert(embed_xmp.open "models/examples/chelsea.png").packet > 1000, true, "XMP that was there")

-- ---- where it goes -----------------------------------------------------------------------------------

local function segment(code, data) return "\xFF" .. string.char(code) .. (">I2"):pack(#data + 2) .. data end

local JFIF, EXIF = segment(0xE0, "JFIF\0\1\1\0\0\1\0\1\0\0"), segment(0xE1, "Exif\0\0MM\0*\0\0\0\8\0\0\0\0\0\0")
local MPF, TABLE = segment(0xE2, "MPF\0MM\0*"), segment(0xDB, ("\1"):rep(65))
local SCAN       = "\xFF\xDA\0\2 scan \xFF\xD9 and more"
local HEADER     = "http://ns.adobe.com/xap/1.0/\0"
local function xmp_segment(packet) return segment(0xE1, HEADER .. packet) end

for _, case in ipairs {
  { { "\xFF\xD8" }, { TABLE, SCAN } },
  { { "\xFF\xD8", JFIF, EXIF }, { MPF, TABLE, SCAN } },
  { { "\xFF\xD8", EXIF }, { TABLE, "\xFF\xFF\xFF\xD9" } },
  { { "\xFF\xD8", JFIF }, { "\xFF", TABLE, EXIF, SCAN } },
} do
  local first, last = table.concat(case[1]), table.concat(case[2])
  ok(put(first .. last, PACKET) == first .. xmp_segment(PACKET) .. last, "place of XMP in %q", first)
  ok(put(first .. TABLE .. xmp_segment("old") .. last, PACKET) == first .. TABLE .. xmp_segment(PACKET) .. last, "it stays in its place")
end

do  -- PNG: a chunk with its CRC, which no decoder of ours looks at in text
  local before = read "models/examples/coffee.png"
  local after = put(before, "123456789")
  local piece = "\0\0\0\31iTXtXML:com.adobe.xmp\0\0\0\0\000123456789" .. (">I4"):pack(0x6f3f0f2c)
  ok(after:sub(1, 33) == before:sub(1, 33) and after:sub(34, 72) == piece:sub(1, -5), "the chunk behind IHDR")
end

-- ---- what is refused ------------------------------------------------------------------------------------

local function refused(message, bytes, packet)
  fails(message, nil, put(bytes, packet or PACKET))
  equal(read(root .. "/picture") == bytes, true, "the file is as it was")
end

local JPEG = "\xFF\xD8" .. JFIF
refused("its XMP would have 65503 bytes, a JPEG holds at most 65502", JPEG .. SCAN, ("x"):rep(65503))
ok(put(JPEG .. SCAN, ("x"):rep(65502)), "the largest in a JPEG")
refused("two packets of XMP", JPEG .. xmp_segment "a" .. xmp_segment "b" .. SCAN)
refused("list of its further pictures", JPEG .. MPF .. xmp_segment "a" .. SCAN)
ok(put(JPEG .. MPF .. xmp_segment(("x"):rep(#PACKET)) .. SCAN, PACKET), "behind MPF, of the same size")
refused("no marker at byte 20", JPEG .. "junk" .. SCAN)
refused("a segment of 1 bytes at byte 20", JPEG .. "\xFF\xDB\0\1" .. SCAN)
refused("only JPEG, PNG, WebP and GIF can hold it here", "II*\0 TIFF")
refused("only JPEG, PNG, WebP and GIF can hold it here", "")

local PNG = "\x89PNG\r\n\x1A\n"
local function chunk(kind, data) return (">I4"):pack(#data) .. kind .. data .. "\0\0\0\0" end
local IHDR, IEND = chunk("IHDR", ("\0"):rep(13)), chunk("IEND", "")
local function text(s) return chunk("iTXt", "XML:com.adobe.xmp\0" .. s) end
refused("compressed XMP", PNG .. IHDR .. text "\1\0\0\0x" .. IEND)
refused("a chunk of XMP without its fields", PNG .. IHDR .. text "\0\0en" .. IEND)
refused("two packets of XMP", PNG .. IHDR .. text "\0\0\0\0a" .. text "\0\0\0\0b" .. IEND)
refused("no IHDR at its beginning", PNG .. IEND)
refused("it ends at byte 49, where byte 2147483692 was wanted", PNG .. IHDR .. "\x7f\xff\xff\xffIDATabcdefgh")
refused("at most 16777216 are read", PNG .. IHDR .. text(("x"):rep(1 << 24)) .. IEND)
equal(select(2, put(PNG .. IHDR .. text "\0\0en\0key\0old" .. IEND, PACKET)), "old", "a packet with a language")

local function riff(chunks) return "RIFF" .. ("<s4"):pack("WEBP" .. chunks) end
refused('chunk "XMP " at byte 12 goes beyond the end of its RIFF, byte 24', riff "XMP \5\0\0\0abcd")
refused('chunk "ALPH" at its beginning', riff "ALPH\4\0\0\0abcd")
refused("no key frame", riff "VP8 \10\0\0\0abcdefghij")
refused("a picture of 0 x 1 pixels", riff "VP8 \10\0\0\0abc\x9D\x01\x2A\0\0\1\0")
refused("two packets of XMP", riff "VP8X\10\0\0\0abcdefghijXMP \0\0\0\0XMP \0\0\0\0")
refused("it ends at byte 12, where byte 16 was wanted", "RIFF\4\0\0\0WEBP")

local GIF = "GIF89a\1\0\1\0\0\0\0"
refused("no block at byte 13", GIF .. "junk")
refused("it is made of more than 4194304 pieces", GIF .. ("\x21\xFE\0"):rep(1500000) .. ";")
refused("XMP without its trailer", GIF .. "\x21\xFF\x0BXMP DataXMP\3abc\0;")
refused("two packets of XMP", (put(GIF .. ";", "a"):gsub(";$", "") .. put(GIF .. ";", "b"):sub(#GIF + 1)))

-- ---- cut and damaged ---------------------------------------------------------------------------------------

-- Files that say how long they are, or have an end, are refused wherever they are cut; a JPEG up to its first scan.
for _, case in ipairs {
  { "tests/data/webp/animation_lossy.webp" }, { "tests/data/webp/lossy_2x3.webp" }, { "tests/data/gif/two_frames.gif" },
  { "tests/data/gif/plain.gif" }, { whole = PNG .. IHDR .. chunk("IDAT", ("x"):rep(50)) .. IEND },
  { whole = JPEG .. EXIF .. TABLE .. "\xFF\xDA", rest = SCAN:sub(3) },
} do
  local whole = case.whole or read(case[1])
  for _, bytes in ipairs { whole, put(whole .. (case.rest or ""), PACKET):sub(1, -1 - #(case.rest or "")) } do
    local taken = 0
    for n = 0, #bytes - 1 do
      local picture <close>, message = embed_xmp.open(save(bytes:sub(1, n)))
      if picture then taken = n elseif not message:find "XMP cannot be written into it: " then taken = message end
    end
    equal(taken, 0, (case[1] or bytes:sub(1, 4)) .. " cut")
  end
end

math.randomseed(5)
for _, path in ipairs { "tests/data/webp/animation_lossy.webp", "tests/data/gif/two_frames.gif", "tests/data/exif/Landscape_6.jpg" } do
  local whole = put(read(path):sub(1, 3000), PACKET) or read(path)
  for _ = 1, 80 do                                             -- an answer, whatever it is, and no error
    local bytes = { whole:byte(1, math.min(#whole, 3000)) }
    for _ = 1, math.random(4) do bytes[math.random(#bytes)] = math.random(0, 255) end
    local before = string.char(table.unpack(bytes))
    local after, message = put(before, LARGER)
    ok(after or message:find "XMP cannot be written into it: ", "%s damaged: %s", path, message)
  end
end

-- ---- the file ------------------------------------------------------------------------------------------------

do
  local path, link = root .. "/mode.jpg", root .. "/link.jpg"
  local f <close> = assert(io.open(path, "wb"))
  f:write(read "tests/data/exif/Landscape_6.jpg")
  f:close()
  assert(luv.fs_chmod(path, tonumber("640", 8)))
  assert(luv.fs_utime(path, 1000000000.25, 1234567890.123456))
  assert(luv.fs_symlink(path, link))
  local before = luv.fs_stat(path)
  local picture <close> = assert(embed_xmp.open(link))
  assert(picture:put(PACKET))
  local after = luv.fs_stat(path)
  equal(luv.fs_lstat(link).type, "link", "the link stays")
  ok(after.ino ~= before.ino and after.size > before.size, "the file it leads to is another")
  for _, key in ipairs { "mode", "uid", "gid" } do equal(after[key], before[key], key) end
  equal(after.mtime.sec, before.mtime.sec, "mtime")
  equal(after.mtime.nsec, before.mtime.nsec, "mtime, nanoseconds")
  fails("it was changed while XMP was written into it", nil, picture:put(LARGER))   -- by itself, before
  for name in lfs.dir(root) do ok(not name:find "^%.lunette", "%s is left", name) end
  fails(root .. ": it is a directory, wanted a file", nil, embed_xmp.open(root))
  fails("no such file or directory", nil, embed_xmp.open(root .. "/none"))
end

check.finish()
