-- xmp.lua - what a picture shows and its title, in packets of XMP (ISO 16684-1).
--
--   local xmp = require "lunette.xmp"
--   packet = assert(xmp.describe(packet, { description = "two owls on a branch" }))
--   print(xmp.read(packet).description)
--
-- A packet is read with expat and edited as text: what is not replaced stays byte for byte, whatever it means to others.
local lxp  = require "lxp"
local json = require "lunette.json_text"

local xmp = {}

local LARGEST  = 1 << 24      -- bytes of a packet; those of darktable reach a few million
local RDF      = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
local DC       = "http://purl.org/dc/elements/1.1/"
local LANGUAGE = "http://www.w3.org/XML/1998/namespace lang"
local FIELDS   = { "description", "title" }

-- names as expat writes them: namespace, space, local name
local function rdf(name) return RDF .. " " .. name end
local FIELD_OF = {}
for _, field in ipairs(FIELDS) do FIELD_OF[DC .. " " .. field] = field end

-- ---- texts ----------------------------------------------------------------------------------

-- What XML 1.0 can hold of any bytes: U+FFFD for what is no UTF-8, no control characters, no U+FFFE and U+FFFF.
local function clean(text)
  if type(text) ~= "string" then error(("a text is a %s, wanted a string"):format(type(text)), 3) end
  return (json.valid(text):gsub("[\0-\8\v\f\14-\31]", ""):gsub("\xEF\xBF[\xBE\xBF]", ""))
end

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["\r"] = "&#xD;" }

local function escape(text) return (text:gsub("[&<>\"\r]", ESCAPES)) end

-- ---- reading --------------------------------------------------------------------------------

-- A use of a field is { from, past, pieces, items = { { from, past, pieces, language } } }: the bytes 'from' to 'past' - 1 of the
-- packet, an element or an attribute with the space before it; the pieces are its text.

-- Where the tag at 'from' ends, and the places of its attributes but xmlns in their order; expat has found it well-formed.
local function read_tag(packet, from)
  local places = {}
  local at = packet:match("^<[^%s/>]+()", from)
  while true do
    local name, quote, value = packet:match("^%s+([^%s=/>]+)%s*=%s*([\"'])()", at)
    if not name then return packet:match("^%s*/?>()", at), places end
    local past = packet:find(quote, value, true) + 1
    if name ~= "xmlns" and name:sub(1, 6) ~= "xmlns:" then places[#places + 1] = { from = at, past = past } end
    at = past
  end
end

-- The uses of fields that are attributes of an rdf:Description.
local function take_attributes(found, packet, from, attributes)
  local _, places = read_tag(packet, from)
  for i, name in ipairs(attributes) do
    local field = FIELD_OF[name]
    if field then
      places[i].pieces, places[i].items = { attributes[name] }, {}
      table.insert(found[field], places[i])
    end
  end
end

-- Whether the element at 'from' is <empty/>, and where its first tag ends.
local function is_empty(packet, from)
  local past = read_tag(packet, from)
  return packet:sub(past - 2, past - 2) == "/", past
end

-- Where the element at 'from' ends, whose end expat reports at byte 'at'.
local function past_end(packet, from, at)
  local empty, past = is_empty(packet, from)
  return empty and past or packet:find(">", at, true) + 1
end

-- The events of a packet become 'found': its uses of fields, rdf:about of its first rdf:Description, and where the tags of its RDF
-- begin, { from, stop }.
local function events(packet, found)
  local depth, root = 0, nil                   -- elements that are open; how many when rdf:RDF was
  local use, item
  local on = {}

  local function start(at, name, attributes)
    local level = root and depth - root
    if not root then
      if name == rdf "RDF" and not found.rdf then root, found.rdf = depth, { from = at } end
    elseif level == 1 and name == rdf "Description" then
      found.about = found.about or attributes[rdf "about"] or attributes.about or ""
      take_attributes(found, packet, at, attributes)
    elseif level == 2 and FIELD_OF[name] then
      use = { from = at, pieces = {}, items = {} }
      table.insert(found[FIELD_OF[name]], use)
    elseif use and level == 4 and name == rdf "li" then
      item = { from = at, pieces = {}, language = attributes[LANGUAGE] or "" }
      table.insert(use.items, item)
    elseif use and level == 3 then
      use.is_alt = name == rdf "Alt"
    end
  end

  local function stop(at)
    local level = root and depth - root
    if level == 4 and item then item.past, item = past_end(packet, item.from, at), nil
    elseif level == 2 and use then use.past, use = past_end(packet, use.from, at), nil
    elseif level == 0 then found.rdf.stop, root = at, nil
    end
  end

  function on.StartElement(parser, name, attributes)
    depth = depth + 1
    start(select(3, parser:pos()), name, attributes)
  end

  function on.EndElement(parser)
    stop(select(3, parser:pos()))
    depth = depth - 1
  end

  function on.CharacterData(_, text)
    local to = item or use
    if to then table.insert(to.pieces, text) end
  end

  function on.StartDoctypeDecl(parser)         -- entities could grow without end
    found.refused = "holds a document type"
    parser:stop()
  end

  function on.XmlDecl(parser, _, encoding)
    if encoding and encoding:lower() ~= "utf-8" then
      found.refused = ("is in %s, wanted UTF-8"):format(encoding)
      parser:stop()
    end
  end

  return on
end

-- What the events of a packet tell; nil, message if it is none.
local function scan(packet)
  if #packet > LARGEST then return nil, ("XMP has %d bytes, at most %d are read"):format(#packet, LARGEST) end
  if packet:find("\0", 1, true) then return nil, "XMP holds a NUL byte, wanted UTF-8" end
  local found = {}
  for _, field in ipairs(FIELDS) do found[field] = {} end
  local parser = lxp.new(events(packet, found), " ")
  local ok, why, line, column = parser:parse(packet)
  if ok then ok, why, line, column = parser:parse() end
  pcall(parser.close, parser)                  -- frees it, then raises if it did not come to the end
  if found.refused then return nil, "XMP " .. found.refused end
  if not ok then return nil, ("XMP is broken: %s in line %d, column %d"):format(why, line, column) end
  if not found.rdf then return nil, "XML holds no RDF, so it is not XMP" end
  return found
end

-- The x-default item of a use, else its first, else itself.
local function best(use)
  for _, item in ipairs(use.items) do
    if item.language:lower() == "x-default" then return item end
  end
  return use.items[1] or use
end

-- xmp.read(packet) -> { description =, title = }, the texts of x-default or else of the first language; nil, message
function xmp.read(packet)
  local found, message = scan(packet)
  if not found then return nil, message end
  local texts = {}
  for _, field in ipairs(FIELDS) do
    local use = found[field][1]
    texts[field] = use and table.concat(best(use).pieces)
  end
  return texts
end

-- ---- writing --------------------------------------------------------------------------------

local EMPTY = [[
<?xpacket begin="]] .. "\u{FEFF}" .. [[" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>
</x:xmpmeta>
<?xpacket end="w"?>]]

local DESCRIPTION = [[
 <rdf:Description rdf:about="%s" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/">
%s  </rdf:Description>
 ]]

local PROPERTY = [[
   <dc:%s><rdf:Alt><rdf:li xml:lang="x-default">%s</rdf:li></rdf:Alt></dc:%s>
]]

local function replace(edits, from, past, text)
  edits[#edits + 1] = { from = from, past = past, text = text }
end

-- The edits that give a field of one use, a list of languages, a text of x-default.
local function set_item(edits, packet, use, text)
  local item = best(use)
  local name = packet:match("^<([^%s/>]+)", item.from)
  local line = ('<%s xml:lang="x-default">%s</%s>'):format(name, escape(text), name)
  local is_default = item.language:lower() == "x-default"
  replace(edits, item.from, is_default and item.past or item.from, line)
end

-- The edit that puts 'properties' in front of the end of the RDF.
local function add_properties(edits, packet, found, properties)
  local block = DESCRIPTION:format(escape(found.about or ""), table.concat(properties))
  local empty, past = is_empty(packet, found.rdf.from)
  if empty then
    local name = packet:match("^<([^%s/>]+)", found.rdf.from)
    replace(edits, past - 2, past, (">\n %s</%s>"):format(block, name))
  else
    replace(edits, found.rdf.stop, found.rdf.stop, block)
  end
end

local function apply(packet, edits)
  table.sort(edits, function (a, b) return a.from < b.from end)
  local pieces, at = {}, 1
  for _, edit in ipairs(edits) do
    pieces[#pieces + 1] = packet:sub(at, edit.from - 1)
    pieces[#pieces + 1] = edit.text
    at = edit.past
  end
  pieces[#pieces + 1] = packet:sub(at)
  return table.concat(pieces)
end

--[[
xmp.describe(packet, { description =, title = }) -> packet, or nil, message

Sets dc:description and dc:title of language x-default in a packet, or with nil in a new one; what is nil stays, and so
do the texts of other languages.  The texts may be any bytes: what is no UTF-8 becomes U+FFFD, and characters that XML
cannot hold are left out.  Doing it again changes nothing.
]]
function xmp.describe(packet, texts)
  packet = packet or EMPTY
  local found, message = scan(packet)
  if not found then return nil, message end
  local edits, properties = {}, {}
  for _, field in ipairs(FIELDS) do
    local uses, text = found[field], texts[field] and clean(texts[field])
    if text and #uses == 1 and uses[1].is_alt and #uses[1].items > 0 then
      set_item(edits, packet, uses[1], text)
    elseif text then
      for _, use in ipairs(uses) do replace(edits, use.from, use.past, "") end
      properties[#properties + 1] = PROPERTY:format(field, escape(text), field)
    end
  end
  if #properties > 0 then add_properties(edits, packet, found, properties) end
  return apply(packet, edits)
end

return xmp
