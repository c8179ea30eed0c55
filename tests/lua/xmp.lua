-- xmp.lua - packets of XMP: what is set is read again, all else stays; nothing but XMP is taken for it.
local xmp   = require "lunette.xmp"
local check = require "check"

local ok, equal, fails = check.ok, check.equal, check.fails

local RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
local DC  = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'

local function packet(inside, attributes)
  return ('<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF %s><rdf:Description rdf:about="" %s %s>%s</rdf:Description></rdf:RDF></x:xmpmeta>')
    :format(RDF, DC, attributes or "", inside)
end

local function alt(field, items) return ("<dc:%s><rdf:Alt>%s</rdf:Alt></dc:%s>"):format(field, items, field) end
local function item(language, text) return ('<rdf:li xml:lang="%s">%s</rdf:li>'):format(language, text) end

-- what read() gives of describe(), which changes nothing the second time
local function round(before, texts)
  local after = assert(xmp.describe(before, texts))
  equal(xmp.describe(after, texts) == after, true, "described twice")
  return xmp.read(after), after
end

-- ---- texts ----------------------------------------------------------------------------------

for _, case in ipairs {       -- text, what is read
  { "two owls on a branch" }, { "" }, { " spaces  stay " }, { "a < b && c > d ]]> \"quoted\" 'too'" },
  { "&amp; &lt; &#x41;" }, { "lines\nand\ttabs" }, { "\r and \r\n" }, { "\u{e9}\u{1f600}\u{10FFFF}" },
  { "a\0b\1c\8d\v\f\14\31e", "abcde" }, { "\127\u{85}" }, { "\u{FFFE}x\u{FFFF}\u{FFFD}", "x\u{FFFD}" },
  { "\xff", "\u{FFFD}" }, { "a\xc3", "a\u{FFFD}" }, { "\xed\xa0\x80", ("\u{FFFD}"):rep(3) }, { "\xf4\x90\x80\x80", ("\u{FFFD}"):rep(4) },
  { ("long "):rep(20000) },
} do
  local text, want = case[1], case[2] or case[1]
  local got = round(nil, { description = text, title = text })
  equal(got.description, want, "description")
  equal(got.title, want, "title")
end

for byte = 0, 255 do          -- any byte at all gives XML
  ok(xmp.read(xmp.describe(nil, { description = "a" .. string.char(byte) .. "b" })), "byte %d", byte)
end

equal(xmp.read(xmp.describe(nil, {})).description, nil, "no description")
check.raises("a text is a number, wanted a string", xmp.describe, nil, { description = 1 })

-- ---- packets that are there ---------------------------------------------------------------------

-- a packet before and after 'new' is its description
local EDITS = {
  { packet(alt("description", item("x-default", "old"))), packet(alt("description", item("x-default", "new"))) },
  { packet(alt("description", item("de", "alt") .. item("x-default", "old"))),
    packet(alt("description", item("de", "alt") .. item("x-default", "new"))) },
  { packet(alt("description", item("de", "alt"))), packet(alt("description", item("x-default", "new") .. item("de", "alt"))) },
  { packet(alt("description", '<rdf:li xml:lang="x-default"/>')), packet(alt("description", item("x-default", "new"))) },
  { packet(alt("description", "<rdf:li xml:lang='x-default' \n>o<!-- > -->ld</rdf:li >")),
    packet(alt("description", item("x-default", "new"))) },
}
for i, case in ipairs(EDITS) do
  local got, after = round(case[1], { description = "new" })
  equal(after, case[2], "packet " .. i)
  equal(got.description, "new", "packet " .. i)
end

-- packets whose description is elsewhere, or no list of languages, or more than one: what must still be in them
local OTHERS = '<a:b xmlns:a="ns" c="&gt;">\n <!-- kept --> \u{e9}</a:b>'
for i, before in ipairs {
  packet(OTHERS),
  packet(OTHERS .. "<dc:description>old</dc:description>"),
  packet(OTHERS .. "<dc:description/>"),
  packet(OTHERS .. "<dc:description><rdf:Alt/></dc:description>"),
  packet(OTHERS .. "<dc:description><rdf:Bag><rdf:li>old</rdf:li></rdf:Bag></dc:description>"),
  packet(OTHERS .. alt("description", item("x-default", "old")) .. alt("description", item("x-default", "older"))),
  packet(OTHERS, "dc:description='old \"' dc:format = \"image/jpeg\""),
  packet(OTHERS, 'xmlns:p="http://purl.org/dc/elements/1.1/" p:description="old"'),
} do
  local got, after = round(before, { description = "new", title = "name" })
  equal(got.description, "new", "packet " .. i)
  equal(got.title, "name", "packet " .. i)
  ok(after:find(OTHERS, 1, true), "packet %d: the rest went: %s", i, after)
  ok(not after:find "old", "packet %d: the old description stayed: %s", i, after)
  equal(after:find "image/jpeg" ~= nil, before:find "image/jpeg" ~= nil, "other attributes")
end

do  -- RDF that holds nothing, and other prefixes
  local got = round(('<r:RDF %s />'):format((RDF:gsub("xmlns:rdf", "xmlns:r"))), { description = "new" })
  equal(got.description, "new", "empty RDF")
  local _, after = round(packet(""):gsub('rdf:about=""', 'rdf:about="uuid:1&amp;2"'), { title = "new" })
  equal(select(2, after:gsub('rdf:about="uuid:1&amp;2"', "")), 2, "the same resource")
  equal(xmp.read(packet(alt("title", item("de", "eins") .. item("en", "one")))).title, "eins", "the first language")
  equal(xmp.read(packet("", 'dc:title="short"')).title, "short", "an attribute")
end

-- ---- what is no packet ----------------------------------------------------------------------------

for _, case in ipairs {
  { "", "XMP is broken: no element found in line 1, column 1" },
  { "a picture", "XMP is broken: syntax error" },
  { "<html/>", "XML holds no RDF, so it is not XMP" },
  { packet("<open>"), "XMP is broken: mismatched tag" },
  { packet("<p:q/>"), "XMP is broken: unbound prefix" },
  { packet("\xff"), "XMP is broken: not well-formed" },
  { packet("a\0b"), "XMP holds a NUL byte, wanted UTF-8" },
  { '<?xml version="1.0" encoding="ISO-8859-1"?>' .. packet(""), "XMP is in ISO-8859-1, wanted UTF-8" },
  { '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>' .. packet("&b;"), "XMP holds a document type" },
  { packet(("x"):rep(1 << 24)), "at most 16777216 are read" },
} do
  fails(case[2], nil, xmp.describe(case[1], { description = "x" }))
  fails(case[2], nil, xmp.read(case[1]))
end

do  -- deep, wide and cut packets
  local deep = packet(("<a>"):rep(100000) .. ("</a>"):rep(100000))
  equal(round(deep, { description = "new" }).description, "new", "100000 elements deep")
  local before = os.clock()
  local wide = packet(alt("description", item("x-default", ("a<b/>"):rep(200000))) .. ("<dc:title/>"):rep(50000))
  equal(#xmp.read(wide).description, 200000, "a text in many pieces")
  equal(round(wide, { description = "new", title = "t" }).title, "t", "many uses")
  ok(os.clock() - before < 20, "2 MB took %.1f s", os.clock() - before)
  local whole = packet(OTHERS .. alt("description", item("x-default", "old")))
  for n = 0, #whole - 1 do ok(xmp.describe(whole:sub(1, n), { description = "new" }) == nil, "cut at byte %d", n) end
end

do  -- bytes exchanged at random: refused, or as good as any packet
  math.randomseed(4)
  local whole = packet(OTHERS .. alt("description", item("x-default", "old")), 'dc:title="t"')
  for _ = 1, 3000 do
    local bytes = { whole:byte(1, -1) }
    for _ = 1, math.random(3) do bytes[math.random(#bytes)] = math.random(32, 126) end
    local before = string.char(table.unpack(bytes))
    local after = xmp.describe(before, { description = "new" })
    if after then
      local again = xmp.read(after)
      ok(again and again.description == "new", "not described: %q", before)
      ok(xmp.describe(after, { description = "new" }) == after, "not stable: %q", before)
    end
  end
end

check.finish()
