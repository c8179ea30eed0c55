-- containers/gif.lua - XMP in GIF: an application extension that holds the packet as it is, not in sub-blocks (ISO 16684-3,
-- section 1.1.2).  Its trailer, each byte as large as the way to the end, leads readers who step over sub-blocks out of it.
local gif = {}

local BEGIN = "\x21\xFF\x0BXMP DataXMP"
local END   = { "\x01" }
for i = 255, 0, -1 do END[#END + 1] = string.char(i) end
END = table.concat(END) .. "\0"

local EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B

function gif.begins(head) return head:find "^GIF8[79]a" ~= nil end

-- Behind the sub-blocks at 'at'.
local function skip_blocks(source, at)
  repeat
    local size = source:byte(at)
    at = at + 1 + size
  until size == 0
  return at
end

-- Bytes of the colour table that a byte of flags announces.
local function table_size(flags) return flags & 0x80 ~= 0 and 3 << (flags & 7) + 1 or 0 end

-- Behind the block at 'at'.
local function skip(source, at, kind)
  if kind == EXTENSION then return skip_blocks(source, at + 2) end
  if kind == IMAGE then return skip_blocks(source, at + 11 + table_size(source:byte(at + 9))) end
  source:refuse("no block at byte %d", at)
end

function gif.read(source)
  local at, old, packet = 13 + table_size(source:byte(10)), nil, nil
  while true do
    local kind = source:byte(at)
    if kind == TRAILER then break end
    local is_xmp = kind == EXTENSION and source:byte(at + 1) == 0xFF and source:bytes(at, #BEGIN) == BEGIN
    local past = skip(source, at, kind)
    if is_xmp then
      if old then source:refuse "two packets of XMP" end
      local size = past - at - #BEGIN - #END
      if size < 0 or source:bytes(past - #END, #END) ~= END then source:refuse "XMP without its trailer" end
      old, packet = { from = at, past = past }, source:bytes(at + #BEGIN, size)
    end
    at = past
  end

  return packet, function (new)
    local from, past = at, at
    if old then from, past = old.from, old.past end
    local edits = { { from = from, past = past, text = BEGIN .. new .. END } }
    if source:bytes(3, 3) == "87a" then table.insert(edits, 1, { from = 3, past = 6, text = "89a" }) end   -- has no such extensions
    return edits
  end
end

return gif
