-- containers/webp.lua - XMP in WebP: a chunk "XMP ", and a bit of the chunk VP8X that says so.
-- Source: RFC 9649, sections 2.5 to 2.7; the sizes of a VP8 frame RFC 6386, section 9.1.
local webp = {}

local HAS_XMP, HAS_ALPHA = 0x04, 0x10

function webp.begins(head) return head:sub(1, 4) == "RIFF" and head:sub(9, 12) == "WEBP" end

local function chunk(name, data) return name .. ("<s4"):pack(data) .. ("\0"):rep(#data & 1) end

-- A VP8X for a file that begins with its only frame.
local function extended(source, name)
  local width, height, flags
  if name == "VP8 " then
    if source:bytes(23, 3) ~= "\x9D\x01\x2A" then source:refuse "no key frame" end
    width, height, flags = source:number(26, "<I2") & 0x3FFF, source:number(28, "<I2") & 0x3FFF, 0
  elseif name == "VP8L" then
    local bits = source:number(21, "<I4")
    width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    flags = bits >> 28 & 1 == 1 and HAS_ALPHA or 0
  else
    source:refuse("chunk %q at its beginning", name)
  end
  if width * height == 0 then source:refuse("a picture of %d x %d pixels", width, height) end
  return chunk("VP8X", ("<I4I3I3"):pack(flags | HAS_XMP, width - 1, height - 1))
end

-- The edit that makes the head say that there is XMP.
local function mark_head(source, name)
  if name ~= "VP8X" then return { from = 12, past = 12, text = extended(source, name) } end
  return { from = 20, past = 21, text = string.char(source:byte(20) | HAS_XMP) }
end

function webp.read(source)
  local size = source:number(4, "<I4")
  local past_all = 8 + size
  source:within(past_all)
  local at, old, packet = 12, nil, nil
  while at < past_all do
    local name, length = source:bytes(at, 4), source:number(at + 4, "<I4")
    local past = at + 8 + length + (length & 1)
    if past > past_all then source:refuse("chunk %q at byte %d goes beyond the end of its RIFF, byte %d", name, at, past_all) end
    if name == "XMP " then
      if old then source:refuse "two packets of XMP" end
      old, packet = { from = at, past = past }, source:bytes(at + 8, length)
    end
    at = past
  end
  local first = source:bytes(12, 4)

  return packet, function (new)
    local from, past = past_all, past_all
    if old then from, past = old.from, old.past end
    local edits = { mark_head(source, first), { from = from, past = past, text = chunk("XMP ", new) } }
    local total = size
    for _, edit in ipairs(edits) do total = total + #edit.text - (edit.past - edit.from) end
    if total > 0xFFFFFFFE then source:refuse("%d bytes with its XMP, RIFF says sizes in 32 bits", total) end
    table.insert(edits, 1, { from = 4, past = 8, text = ("<I4"):pack(total) })
    return edits
  end
end

return webp
