-- containers/png.lua - XMP in PNG: an iTXt chunk of a known keyword (ISO 16684-3, section 1.1.5; W3C PNG, section 11.3.3).
local png = {}

local SIGNATURE = "\x89PNG\r\n\x1A\n"
local KEYWORD   = "XML:com.adobe.xmp\0"

function png.begins(head) return head:sub(1, 8) == SIGNATURE end

-- CRC-32 of the polynomial that PNG, zip and Ethernet have
local TABLE = {}
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do c = c & 1 == 1 and 0xEDB88320 ~ (c >> 1) or c >> 1 end
  TABLE[i] = c
end

local function crc(bytes)
  local c = 0xFFFFFFFF
  for i = 1, #bytes do c = TABLE[(c ~ bytes:byte(i)) & 0xFF] ~ (c >> 8) end
  return c ~ 0xFFFFFFFF
end

local function chunk(kind, data) return (">I4"):pack(#data) .. kind .. data .. (">I4"):pack(crc(kind .. data)) end

-- The packet in the chunk at 'at'.
local function read_packet(source, at, size)
  local data = source:bytes(at + 8, size)
  local flag, text = data:match("^(.).[^\0]*\0[^\0]*\0()", #KEYWORD + 1)
  if not flag then source:refuse "a chunk of XMP without its fields" end
  if flag ~= "\0" then source:refuse "compressed XMP" end
  return data:sub(text)
end

function png.read(source)
  local at, place, old, packet = #SIGNATURE, nil, nil, nil
  repeat
    local size, kind = source:number(at, ">I4"), source:bytes(at + 4, 4)
    local past = at + 12 + size
    source:within(past)
    if not place and kind ~= "IHDR" then source:refuse "no IHDR at its beginning" end
    place = place or past
    if kind == "iTXt" and size > #KEYWORD and source:bytes(at + 8, #KEYWORD) == KEYWORD then
      if old then source:refuse "two packets of XMP" end
      old, packet = { from = at, past = past }, read_packet(source, at, size)
    end
    at = past
  until kind == "IEND"

  return packet, function (new)
    local from, past = place, place
    if old then from, past = old.from, old.past end
    return { { from = from, past = past, text = chunk("iTXt", KEYWORD .. "\0\0\0\0" .. new) } }
  end
end

return png
