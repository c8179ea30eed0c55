-- job_xmp.lua - captions in XMP as a job writes them: beside the pictures and into them, once and again, killed half way.
local lfs    = require "lfs"
local luv    = require "luv"
local vision = require "lunette".vision
local xmp    = require "lunette.xmp"
local kind   = require "lunette.job.outputs.xmp"
local embed  = require "lunette.job.embed_xmp"
local check  = require "check"

local ok, equal = check.ok, check.equal
local root = (os.getenv "TMPDIR" or "/tmp") .. "/job_xmp/"
assert(lfs.mkdir(root))

local function read(path)
  local f <close> = io.open(path, "rb")
  return f and f:read "a"
end

local function save(path, bytes)
  local f <close> = assert(io.open(path, "wb"))
  assert(f:write(bytes))
  return path
end

local PICTURE = read "tests/data/exif/Landscape_6.jpg"
local function picture(name) return save(root .. name, PICTURE) end

local function open(settings) return assert(kind.open(nil, settings)) end

-- What an output says when it writes a caption for a file: nil, or its failure.
local function write(output, file, text)
  local failed = assert(output:write { { id = 7, position = 3, file = file, text = text, score = -0.5 } })
  return failed[7]
end

local function texts(file) return assert(xmp.read(assert(read(file .. ".xmp")))) end

local function temporary_files()
  local names = {}
  for name in lfs.dir(root) do names[#names + 1] = name:match "^%.lunette.*" end
  return names
end

-- ---- beside the pictures --------------------------------------------------------------------

do
  local output = open { xmp_title = "{stem} & {caption}" }
  ok(output:resume(nil, nil), "resume")
  local file = picture "a <b>\n\xff.jpg"
  ok(output:wants(file), "a picture without a .xmp is wanted")
  equal(write(output, file, "owls\1 \xff"), nil, "failure")
  equal(texts(file).description, "owls \u{FFFD}", "description")
  equal(texts(file).title, "a <b>\n\u{FFFD} & owls \u{FFFD}", "title")
  equal(output:flush(), "3", "mark")
  equal(output:size_after { file = file, text = "other" }, nil, "the picture stays as it is")
  equal(read(file) == PICTURE, true, "the picture")

  equal(output:wants(file), false, "never: it has a description")
  equal(write(output, file, "other"), nil, "failure")
  equal(texts(file).description, "owls \u{FFFD}", "never: it stays")

  local always = open { overwrite = "always" }
  ok(always:wants(file), "always")
  write(always, file, "other")
  equal(texts(file).description, "other", "always: it is replaced")
  equal(texts(file).title, "a <b>\n\u{FFFD} & owls \u{FFFD}", "the title stays")

  local older = open { overwrite = "older" }
  luv.fs_utime(file, 1000, 1000)
  equal(older:wants(file), false, "older: the .xmp is newer")
  write(older, file, "newer")
  equal(texts(file).description, "other", "older: it stays")
  luv.fs_utime(file .. ".xmp", 900, 900)
  ok(older:wants(file), "older: the picture is newer")
  write(older, file, "newer")
  equal(texts(file).description, "newer", "older: it is replaced")
end

do  -- a .xmp of others
  local file = picture "edited.jpg"
  local theirs = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' ..
                 '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"/></rdf:RDF></x:xmpmeta>'
  save(file .. ".xmp", theirs)
  luv.fs_chmod(file .. ".xmp", 416)
  local output = open {}
  ok(output:wants(file), "a .xmp without a description")
  equal(write(output, file, "owls"), nil, "failure")
  ok(read(file .. ".xmp"):find('xmp:Rating="5"', 1, true), "the rating stays")
  equal(texts(file).description, "owls", "description")
  equal(luv.fs_stat(file .. ".xmp").mode & 511, 416, "mode")

  save(file .. ".xmp", "not XML")
  ok(output:wants(file), "a broken .xmp")
  equal(write(output, file, "owls"), file .. ".xmp: XMP is broken: syntax error in line 1, column 1", "a broken .xmp")
  equal(read(file .. ".xmp"), "not XML", "it stays")
  save(file .. ".xmp", theirs .. (" "):rep(1 << 24))
  ok(tostring(write(output, file, "owls")):find "at most 16777216 are read", "a huge .xmp")
end

do  -- a folder of their own
  local output = open { sidecar_dir = root .. "out" }
  local file = picture "inside.jpg"
  equal(write(output, file, "owls"), nil, "failure")
  equal(read(file .. ".xmp"), nil, "none beside the picture")
  local place = root .. "out" .. (file:find "^/" and "" or "/") .. file .. ".xmp"
  equal(xmp.read(read(place) or "").description, "owls", "description")
  ok(output:flush(), "flush")
  save(root .. "plain", "")
  local blocked = open { sidecar_dir = root .. "plain/below" }
  ok(tostring(write(blocked, file, "owls")):find "not a directory", "a folder that cannot be made")
end

-- ---- into the pictures -----------------------------------------------------------------------

do
  local output = open { in_place = true }
  local file = picture "b.jpg"
  local before = luv.fs_stat(file)
  local record = { id = 7, position = 3, file = file, text = "owls" }
  local size = output:size_after(record)
  equal(write(output, file, "owls"), nil, "failure")
  local after = luv.fs_stat(file)
  equal(after.size, size, "the size that was announced")
  equal(after.mtime.sec == before.mtime.sec and after.mtime.nsec == before.mtime.nsec, true, "mtime")
  equal(output:size_after(record), nil, "nothing to do again")
  equal(write(output, file, "owls"), nil, "again")
  equal(luv.fs_stat(file).ino, after.ino, "nothing was written again")
  equal(output:wants(file), false, "never")
  equal(vision.decode(read(file)):bytes() == vision.decode(PICTURE):bytes(), true, "pixels")

  equal(write(output, root .. "none.jpg", "owls"), root .. "none.jpg: no such file or directory", "no file")
  equal(write(output, "-", "owls"), "standard input has no file that could hold XMP", "standard input")
  local tiff = save(root .. "c.tif", "II*\0")
  equal(write(output, tiff, "owls"), tiff .. ": XMP cannot be written into it: only JPEG, PNG, WebP and GIF can hold it here", "TIFF")
  equal(#temporary_files(), 0, "temporary files")

  -- the name of the temporary file is taken by what cannot be removed
  local other = picture "d.jpg"
  local probe = root .. ".lunette-" .. require "lunette.digest".string("d.jpg"):sub(1, 16)
  assert(lfs.mkdir(probe))
  local again = write(output, other, "owls")
  ok(again and again:find "file already exists", "failure: %s", again)
  equal(read(other) == PICTURE, true, "the picture stays when its copy cannot be made")
  assert(lfs.rmdir(probe))
end

do  -- failures are no captions; rebuild
  local output = open { in_place = true }
  local list = { { id = 1, position = 1, file = picture "e.jpg", text = "one" }, { id = 2, position = 2, file = root .. "x", error = "broken" },
                 { id = 5, position = 3, file = root .. "y", text = "three" } }
  local mark, failed = output:rebuild(function (n)
    return function ()
      n = n + 1
      return list[n]
    end
  end)
  equal(mark, "3", "mark")
  equal(check.text { failed[1] or "-", failed[2] or "-", failed[5] }, check.text { "-", "-", root .. "y: no such file or directory" }, "failures")
end

for _, case in ipairs { { { xmp_title = "{who}" }, "{who} is no field" } } do
  local output, message = kind.open(nil, case[1])
  ok(output == nil and message:find(case[2], 1, true), "%s", message)
end
equal(select(2, open {}:resume "x"), 'XMP: the job file says "x" of it, which is no mark', "a mark of others")

-- ---- killed -----------------------------------------------------------------------------------

-- A process that writes one caption after the other into a picture, until it is killed.
local CHILD = [[
  local kind = require "lunette.job.outputs.xmp"
  local output = assert(kind.open(nil, { in_place = true, overwrite = "always" }))
  for i = 1, math.huge do
    local failed = output:write { { id = 1, position = i, file = arg[1], text = ("caption "):rep(i % 900 + 1) } }
    assert(failed and not failed[1], failed and failed[1])
  end
]]

do
  local file = picture "killed.jpg"
  save(root .. "child.lua", CHILD)
  local pixels = vision.decode(PICTURE):bytes()
  local before = luv.fs_stat(file)
  local left = 0
  math.randomseed(6)
  for _ = 1, 30 do
    local status
    local process = assert(luv.spawn(arg[-1], { args = { root .. "child.lua", file } }, function (_, signal) status = signal end))
    local function changed() return check.text { luv.fs_stat(file).ctime.sec, luv.fs_stat(file).ctime.nsec } end
    local start = changed()
    for _ = 1, 6000 do                             -- until it writes
      if changed() ~= start then break end
      luv.sleep(5)
    end
    luv.sleep(math.random(0, 30))
    process:kill "sigkill"
    luv.run()
    process:close()
    luv.run()
    equal(status, 9, "killed")
    ok(changed() ~= start, "the process wrote nothing in 30 s")
    local now <close> = assert(embed.open(file))
    local text = now.packet and xmp.read(now.packet).description
    ok(text == nil or #text % 8 == 0 and text == ("caption "):rep(#text // 8), "a caption and a half: %s", text)
    equal(vision.decode(read(file)):bytes() == pixels, true, "pixels")
    equal(luv.fs_stat(file).mtime.nsec, before.mtime.nsec, "mtime")
    left = math.max(left, #temporary_files())
  end
  ok(left <= 1, "%d temporary files are left", left)
  equal(write(open { in_place = true, overwrite = "always" }, file, "the end"), nil, "after the kills")
  equal(#temporary_files(), 0, "temporary files, after the picture was written again")
end

check.finish()
