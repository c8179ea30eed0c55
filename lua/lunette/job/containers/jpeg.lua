-- containers/jpeg.lua - XMP in JPEG: an APP1 segment (ISO 16684-3, section 1.1.3).
local jpeg = {}

local HEADER  = "http://ns.adobe.com/xap/1.0/\0"
local LARGEST = 65502                       -- bytes of a packet, of a segment that says its length in 16 bits

local SOS, EOI, APP0, APP1, APP2 = 0xDA, 0xD9, 0xE0, 0xE1, 0xE2

function jpeg.begins(head) return head:sub(1, 3) == "\xFF\xD8\xFF" end

-- The code of the marker at 'at', after its fill bytes, and where it ends.
local function marker(source, at)
  if source:byte(at) ~= 0xFF then source:refuse("no marker at byte %d", at) end
  repeat at = at + 1 until source:byte(at) ~= 0xFF
  return source:byte(at), at + 1
end

-- Where the segments before the picture are: XMP, the list of further pictures, and where new XMP goes: after JFIF and
-- Exif, which want to be first.
local function find(source)
  local found = { place = 2 }
  local at, leading = 2, true
  while true do
    local code, after = marker(source, at)
    if code == SOS or code == EOI then return found end
    local past = after
    if code ~= 0x01 and not (code >= 0xD0 and code <= 0xD7) then        -- those have no length
      local size = source:number(after, ">I2")
      past = after + size
      if size < 2 then source:refuse("a segment of %d bytes at byte %d", size, at) end
      source:within(past)
      local head = source:bytes(after + 2, math.min(size - 2, #HEADER))
      if code == APP1 and head == HEADER then
        if found.xmp then source:refuse "two packets of XMP" end
        found.xmp = { from = at, past = past, body = after + 2 + #HEADER }
      elseif code == APP2 and head:sub(1, 4) == "MPF\0" then
        found.pictures = at
      end
      leading = leading and (code == APP0 or code == APP1 and head:sub(1, 5) == "Exif\0")
      if leading then found.place = past end
    end
    at = past
  end
end

function jpeg.read(source)
  local found = find(source)
  local old = found.xmp or { from = found.place, past = found.place }
  local packet = found.xmp and source:bytes(old.body, old.past - old.body)

  local function edits(new)
    if #new > LARGEST then source:refuse("its XMP would have %d bytes, a JPEG holds at most %d", #new, LARGEST) end
    local segment = "\xFF\xE1" .. (">I2"):pack(2 + #HEADER + #new) .. HEADER .. new
    if found.pictures and found.pictures < old.from and #segment ~= old.past - old.from then
      source:refuse "its XMP lies behind the list of its further pictures (MPF), which a packet of another size would break"
    end
    return { { from = old.from, past = old.past, text = segment } }
  end

  return packet, edits
end

return jpeg
