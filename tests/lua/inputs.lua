-- inputs.lua - which pictures files, folders, patterns and lists name; every byte a name may have.
local lfs    = require "lfs"
local luv    = require "luv"
local inputs = require "lunette.inputs"
local glob   = require "lunette.glob"
local check  = require "check"

local equal = check.equal
local root  = (os.getenv "TMPDIR" or "/tmp") .. "/inputs"

local PICTURE = "\137PNG\r\n\26\n"        -- as far as anybody looks

local function folder(name)
  local path = name and root .. "/" .. name or root
  assert(lfs.mkdir(path))
  return path
end

local function file(name, bytes)
  local f <close> = assert(io.open(root .. "/" .. name, "wb"))
  assert(f:write(bytes or PICTURE))
end

-- What each() gives, without the root: files, "! NAME: problem"; then the count of what is no picture.
local function take(list, options)
  for i, input in ipairs(list) do
    list[i] = input:gsub("^@?", "%0" .. root:gsub("%%", "%%%%") .. "/", input:find "^/" and 0 or 1)
  end
  local found = {}
  local each, counts = inputs.each(list, options)
  for path, problem in each do
    if path:sub(1, #root) == root then path = path:sub(#root + 2) end
    found[#found + 1] = problem and ("! %s: %s"):format(path, problem) or path
  end
  return found, counts.not_pictures
end

local RECURSIVE = { recursive = true }

folder()

-- ---- patterns of one name -----------------------------------------------------------------

for _, case in ipairs {       -- pattern, what it matches, what it does not
  { "*",            { "a", "a b", "\xff", "two\nlines", "[" },  { ".a", "." } },
  { ".*",           { ".a" },                                   { "a" } },
  { "?",            { "a", "\u{e9}", "\u{1f600}", "\xff" },     { "", "ab", ".", "\xff\xfe" } },
  { "a*b*c",        { "abc", "aXbYc", "abcbc", "a*b*c" },       { "ab", "abcd", "acb" } },
  { "[a-c]x",       { "ax", "cx" },                             { "dx", "x", "-x" } },
  { "[!a-c]x",      { "dx", "\u{e9}x" },                        { "ax", "x" } },
  { "[^a]",         { "b", "^" },                               { "a" } },
  { "[]a]",         { "]", "a" },                               { "b" } },
  { "[a-]",         { "a", "-" },                               { "b" } },
  { "[\u{e0}-\u{ef}]", { "\u{e9}" },                            { "e", "\u{c9}" } },
  { "[ab",          { "[ab" },                                  { "a" } },
  { "100%.+-^$()",  { "100%.+-^$()" },                          { "100%a" } },
  { "*" .. ("a*"):rep(40) .. "b", { ("a"):rep(40) .. "b" },     { ("a"):rep(255) } },
} do
  local matches = glob.matcher(case[1])
  for _, name in ipairs(case[2]) do check.ok(matches(name), "%q does not match %q", case[1], name) end
  for _, name in ipairs(case[3]) do check.ok(not matches(name), "%q matches %q", case[1], name) end
end

-- ---- a folder -------------------------------------------------------------------------------

folder "album"
for _, name in ipairs { "b.png", "B.png", "a.png", "no suffix", ".hidden.png", "a b.png", "z\xff\xfe.png", "two\nlines.png" } do
  file("album/" .. name)
end
file("album/text.png", "no picture at all")
file("album/empty.jpg", "")
file("album/paper.png", "%PDF-1.7")
file("album/page.xml", "<?xml version='1.0'?>")
file("album/drawing.svg", "<svg/>")
file("album/photo.jpg.txt", "\xff\xd8\xff\xe0")
file("album/other", "8BPS\0\1")                  -- a picture, if one nobody here reads
assert(os.execute(("mkfifo '%s/album/pipe'"):format(root)))
folder "album/sub"
folder "album/sub/deep"
folder "album/.git"
file "album/sub/one.png"
file "album/sub/deep/two.png"
file "album/.git/three.png"

local ALBUM = { "album/B.png", "album/a b.png", "album/a.png", "album/b.png", "album/no suffix", "album/other",
                "album/photo.jpg.txt", "album/two\nlines.png", "album/z\xff\xfe.png" }
local ALL = { table.unpack(ALBUM) }
ALL[#ALL + 1] = "album/sub/one.png"
ALL[#ALL + 1] = "album/sub/deep/two.png"

equal({ take { "album" } }, { ALBUM, 6 }, "a folder")
equal({ take({ "album" }, RECURSIVE) }, { ALL, 6 }, "a folder and those in it")
equal(take { "album/" }, ALBUM, "a folder with a slash")
equal({ take { "album/text.png", "album/.hidden.png", "absent", "album/sub" } },
      { { "album/text.png", "album/.hidden.png", "absent", "album/sub/one.png" }, 0 }, "files that are named are taken")
folder "nothing"
equal({ take({ "nothing" }, RECURSIVE) }, { {}, 0 }, "an empty folder")
equal({ take {} }, { {}, 0 }, "no inputs")

-- ---- patterns -----------------------------------------------------------------------------------

equal({ take { "album/*.png" } },
      { { "album/B.png", "album/a b.png", "album/a.png", "album/b.png", "album/two\nlines.png", "album/z\xff\xfe.png" }, 2 }, "*.png")
equal(take { "album/[a-b].png" }, { "album/a.png", "album/b.png" }, "[a-b].png")
equal(take { "album/*/*.png" }, { "album/sub/one.png" }, "*/*.png")
equal(take { "a*m/s?b/*/t*" }, { "album/sub/deep/two.png" }, "stars in every part")
equal(take { "album/**/*o*.png" }, { "album/two\nlines.png", "album/sub/one.png", "album/sub/deep/two.png" }, "**")
equal(take { "album/**/**/*.png" }, take { "album/**/*.png" }, "** twice is **")
equal(take { "album/**/deep/**/*.png" }, { "album/sub/deep/two.png" }, "** at two places")
equal(take { "album/**" }, ALL, "** at the end")
equal(take { "alb*" }, ALBUM, "a folder that matches is a folder")
equal(take({ "alb*" }, RECURSIVE), ALL, "and those in it")
equal({ take { "album/*.gif" } }, { { "album/*.gif" }, 0 }, "a pattern that matches nothing is a file")
equal({ take { "album/text*" } }, { {}, 1 }, "a pattern that matches no pictures")
file "[ab].png"
file "a.png"
file "b.png"
equal(take { "[ab].png" }, { "[ab].png" }, "a file of that very name")
equal(take { "[ab].pn?" }, { "a.png", "b.png" }, "none of that very name")
assert(lfs.chdir(root))
local function names(...)
  local found = {}
  for path in inputs.each({ ... }) do found[#found + 1] = path end
  return found
end
equal(names("?.png", "alb*/a.png"), { "a.png", "b.png", "album/a.png" }, "patterns from here")
equal(names("./?.png"), { "./a.png", "./b.png" }, "patterns from ./")

-- ---- links, and what cannot be read -----------------------------------------------------------------

folder "ring"
folder "ring/x"
file "ring/x/a.png"
assert(luv.fs_symlink("..", root .. "/ring/x/up"))
assert(luv.fs_symlink("../x", root .. "/ring/x/self"))
assert(luv.fs_symlink("../album/a.png", root .. "/ring/a link"))
assert(luv.fs_symlink("../album/sub", root .. "/ring/sub"))
assert(luv.fs_symlink("circle", root .. "/ring/circle"))
assert(luv.fs_symlink("nowhere", root .. "/ring/lost"))
equal({ take({ "ring" }, RECURSIVE) },
      { { "ring/a link", "ring/circle", "ring/lost", "ring/sub/one.png", "ring/sub/deep/two.png", "ring/x/a.png" }, 0 }, "links in a circle")
equal(take { "ring/**/*.png" }, { "ring/sub/one.png", "ring/sub/deep/two.png", "ring/x/a.png" }, "a pattern and links in a circle")
equal(#take({ "ring", "ring" }, RECURSIVE), 12, "what is named twice is taken twice")

folder "unread"
assert(luv.fs_symlink("/proc/self/mem", root .. "/unread/memory"))      -- opens; reading its first bytes fails
equal({ take { "unread" } }, { { "unread/memory" }, 0 }, "a file of a folder that cannot be read is no file passed over")

-- a folder goes away while the walk is on its way to it: the tests may run as root, who can read everything
folder "going"
folder "going/a"
folder "going/b"
file "going/first.png"
file "going/b/last.png"
local got = {}
for path, problem in inputs.each({ root .. "/going" }, RECURSIVE) do
  got[#got + 1] = { path:sub(#root + 2), problem or "" }
  if #got == 1 then assert(lfs.rmdir(root .. "/going/a")) end
end
equal(got, { { "going/first.png", "" }, { "going/a", "no such file or directory" }, { "going/b/last.png", "" } }, "a folder that went away")
equal(take { "absent/*.png" }, { "! absent: no such file or directory" }, "a pattern in no folder")
equal(take { "a.png/*.png" }, { "! a.png: not a directory" }, "a pattern in a file")

-- ---- names of 255 bytes, deep folders -----------------------------------------------------------------

folder "long"
local long = ("\u{e9}"):rep(125) .. "x.png"
equal(#long, 255, "bytes")
file("long/" .. long)
equal(take { "long" }, { "long/" .. long }, "a name of 255 bytes")
equal(take { "long/*x.p[n]g" }, { "long/" .. long }, "a pattern for it")
local deep = "long"
for _ = 1, 12 do
  deep = deep .. "/" .. ("d"):rep(255)
  folder(deep)
end
file(deep .. "/end.png")
equal(take({ "long" }, RECURSIVE), { "long/" .. long, deep .. "/end.png" }, "a path of 3000 bytes")

folder "deep"
deep = "deep"
for _ = 1, 1000 do
  deep = deep .. "/d"
  folder(deep)
end
file(deep .. "/end.png")
equal(take({ "deep" }, RECURSIVE), { deep .. "/end.png" }, "1000 folders deep")

-- ---- lists -------------------------------------------------------------------------------------------

local function path_of(name) return root .. "/" .. name end

file("list", table.concat({ path_of "a.png", "", path_of "album/two", path_of "album/sub", path_of "[a]*.png", "@list", "-" }, "\n"))
equal(take { "@list" }, { "a.png", "album/two", "album/sub/one.png", "[a]*.png", "@list", "-" }, "no patterns in a list, no lists")
file("list0", table.concat({ path_of "a.png", path_of "album/two\nlines.png", path_of "album" }, "\0") .. "\0")
equal(take({ "@list0" }, { null = true, recursive = true }), { "a.png", "album/two\nlines.png", table.unpack(ALL) }, "a list with NUL")
equal(take { "@list0" }, { "! list0: path 1 holds a NUL byte: a list with NUL between its paths needs --null" }, "NUL without being told")
file("empty", "")
equal(take { "@empty" }, {}, "an empty list")
equal(take { "@absent" }, { "! absent: No such file or directory" }, "no list")
equal(take { "@album", "a.png" }, { "! album: Is a directory", "a.png" }, "a folder is no list")
file("endless", ("x"):rep(300000) .. "\na\n" .. ("y"):rep(4097) .. "\n" .. ("z"):rep(4096))
equal(take { "@endless" }, { "! endless: path 1 is longer than 4096 bytes", "a",
                             "! endless: path 3 is longer than 4096 bytes", ("z"):rep(4096) }, "paths that are too long")

local many = {}
for i = 1, 30000 do many[i] = ("file %d"):format(i) end     -- several blocks, cut anywhere
file("many", table.concat(many, "\n") .. "\n")
equal(table.concat(take { "@many" }, "\n"), table.concat(many, "\n"), "a list of many blocks")

-- ---- nothing is left open -----------------------------------------------------------------------------

local function descriptors()
  local count = 0
  for _ in lfs.dir "/proc/self/fd" do count = count + 1 end
  return count
end
local before = descriptors()
for _ = 1, 20 do take({ "album", "@list", "album/**/*.png" }, RECURSIVE) end
equal(descriptors(), before, "open files")

check.finish()
