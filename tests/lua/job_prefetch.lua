-- job_prefetch.lua - pictures prepared on other threads are, bit for bit, those the model prepares; what
-- cannot be read, decoded or prepared says so; memory stays where it is.
local lunette  = require "lunette"
local vision   = require "lunette.vision"
local image_processor = require "lunette.image_processor"
local prefetch = require "lunette.job.prefetch"
local check    = require "check"
local lfs      = require "lfs"
local luv      = require "luv"

local equal, ok = check.equal, check.ok
local SANITIZED = os.getenv "ASAN_OPTIONS"
local FIXTURES = "tests/data/fixtures/"
local temporary = (os.getenv "TMPDIR" or "/tmp") .. "/lunette-prefetch-" .. luv.os_getpid()

local function write(name, text)
  local path = temporary .. "/" .. name
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
  return path
end

local function contents(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function files_of(folder)
  local files = {}
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if not name:find "%.txt$" and not name:find "LICENSE" and lfs.attributes(path, "mode") == "file" then files[#files + 1] = path end
  end
  table.sort(files)
  return files
end

-- Gives a prefetch all tasks, never more than 8 at once, and hands each finished one to 'each'.
local function run(ahead, tasks, each)
  local added, done = 0, 0
  while done < #tasks do
    while added < #tasks and added - done < 8 do
      added = added + 1
      ahead:add(added, tasks[added])
    end
    local scope <close> = lunette.scope()
    for _, item in ipairs(ahead:take(3, true)) do
      done = done + 1
      each(item)
    end
  end
  equal(#ahead:take(100), 0, "nothing is left")
end

assert(lfs.mkdir(temporary))

-- ---- the same pixels, the same errors ------------------------------------------------------------

-- The item of a file as it ought to be: by the model itself, in this thread.
local function expected(model, path)
  local image, message = vision.load(path)
  if not image then return { error = message:sub(#path + 3), stage = "decode" } end
  return { pixels = assert(model:prepare(image)), height = image:dim(1), width = image:dim(2) }
end

local function compare(item, want, name)
  equal(item.error, want.error, name .. ": error")
  equal(item.stage, want.stage, name .. ": stage")
  equal({ item.height or -1, item.width or -1 }, { want.height or -1, want.width or -1 }, name .. ": size")
  if want.pixels and item.pixels then
    equal(item.pixels:shape(), want.pixels:shape(), name .. ": shape")
    ok(item.pixels:bytes() == want.pixels:bytes(), "%s: other pixels", name)
  end
end

local pictures = {}
for _, folder in ipairs { "exif", "gif", "webp", "jpeg/reftest", "jpeg/crash", "png/primary", "png/corrupt" } do
  table.move(files_of("tests/data/" .. folder), 1, 1000, #pictures + 1, pictures)
end

for _, name in ipairs { "ved_vit_gpt2", "blip_caption" } do
  local model <close> = assert(lunette.load(FIXTURES .. name))
  local ahead <close> = assert(prefetch.new { model = FIXTURES .. name, threads = 3 })
  local tasks, seen = {}, {}
  for i, path in ipairs(pictures) do tasks[i] = i % 5 == 0 and { bytes = contents(path) } or { file = path } end
  run(ahead, tasks, function (item)
    ok(not seen[item.key], "%s twice", pictures[item.key])
    seen[item.key] = true
    compare(item, expected(model, pictures[item.key]), pictures[item.key])
  end)
  equal(#seen, #pictures, "every picture once")
end

-- ---- thumbnails, and JPEGs at reduced scale --------------------------------------------------------

do
  local model <close> = assert(lunette.load(FIXTURES .. "ved_vit_gpt2"))
  local ahead <close> = assert(prefetch.new { model = FIXTURES .. "ved_vit_gpt2", thumbnail = 48, reduce_to = 128 })
  local photo = "tests/data/exif/Landscape_6.jpg"
  run(ahead, { { file = photo }, { file = "models/examples/coffee.png" }, { bytes = "" } }, function (item)
    if item.key == 3 then return equal(item.stage, "decode", "no picture") end
    local file = item.key == 1 and photo or "models/examples/coffee.png"
    local whole, image, by = assert(vision.load(file)), vision.load(file, { reduce_to = 128 })
    equal(by > 1, item.key == 1, "only the JPEG is reduced")
    equal({ item.height, item.width }, { whole:dim(1), whole:dim(2) }, "the size of the whole picture")
    ok(item.pixels:bytes() == model:prepare(image):bytes(), "pixels of the reduced picture")
    ok(item.thumbnail == vision.encode_jpeg(vision.thumbnail(image, { height = 48, width = 48 })), "another thumbnail")
    local small = assert(vision.decode(item.thumbnail))
    equal(math.max(small:dim(1), small:dim(2)), 48, "its longer side")
  end)
end

-- ---- what cannot be read -------------------------------------------------------------------------

local model = FIXTURES .. "ved_vit_gpt2"
do
  local ahead <close> = assert(prefetch.new { model = model, threads = 2 })
  local strange = write("caf\xe9 \"a\"\nb.jpg", "no picture")
  local folder = temporary .. "/folder"
  assert(lfs.mkdir(folder))
  local tasks = { { file = temporary .. "/missing.jpg" }, { file = folder }, { file = write("empty", "") }, { file = strange }, { bytes = "" } }
  local want = { "read", "read", "decode", "decode", "decode" }
  run(ahead, tasks, function (item)
    local file = tasks[item.key].file
    local _, message
    if file then _, message = vision.load(file) else _, message = vision.decode "" end
    equal(item.error, file and message:sub(#file + 3) or message, "error of task " .. item.key)
    equal(item.stage, want[item.key], "stage of task " .. item.key)
  end)
  local unread = write("unreadable.jpg", contents "tests/data/exif/Landscape_0.jpg")
  assert(luv.fs_chmod(unread, 0))
  if luv.getuid() == 0 then check.skip("a file without permission", "root may read it")
  else run(ahead, { { file = unread } }, function (item) equal({ item.error, item.stage }, { "Permission denied", "read" }, "permission") end) end
  run(ahead, { { file = "tests/data/exif/Landscape_0.jpg\0.jpg" } }, function (item)
    equal({ item.error, item.stage }, { "path: holds a zero byte", "read" }, "a path with a zero byte")
  end)
end

do
  write("preprocessor_config.json",
        [[{"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 60000}, "do_center_crop": false}]])
  local ahead <close> = assert(prefetch.new { model = temporary, threads = 2 })
  local image = assert(vision.load "tests/data/exif/Landscape_6.jpg")
  local _, message = assert(image_processor.load(temporary)):resize(image)
  run(ahead, { { file = "tests/data/exif/Landscape_6.jpg" } }, function (item)
    equal(item.error, message, "a picture that would become huge")
    equal({ item.stage, item.height, item.width }, { "prepare", image:dim(1), image:dim(2) }, "its stage and size")
  end)
end

check.fails("no preprocessor_config.json", "io", prefetch.new { model = temporary .. "/folder", threads = 1 })
write("preprocessor_config.json", "[1]")
check.fails("not a JSON object", "io", prefetch.new { model = temporary, threads = 1 })

-- ---- the loop goes on ------------------------------------------------------------------------------

do
  local ahead = assert(prefetch.new { model = model, threads = 2 })
  equal(ahead:take(5, true), {}, "nothing to wait for")
  local heard = {}
  local ends = assert(luv.pipe({ nonblock = true }, { nonblock = true }))
  local reader, writer = luv.new_pipe(), luv.new_pipe()
  reader:open(ends.read)
  writer:open(ends.write)
  reader:read_start(function (_, data) heard[#heard + 1] = data end)
  writer:write "task"
  for i = 1, 20 do ahead:add(i, { file = "tests/data/exif/Landscape_1.jpg" }) end
  local done = 0
  while done < 20 do
    local list = ahead:take(1, true)
    equal(#list, 1, "one at most")
    done = done + 1
  end
  equal(table.concat(heard), "task", "what a pipe said meanwhile")
  reader:close()
  writer:close()
  for i = 1, 20 do ahead:add(i, { file = "tests/data/exif/Landscape_1.jpg" }) end
  ahead:close()                                  -- with work under way
  equal(ahead:take(5, true), {}, "closed")
end

-- ---- a process that ends with work under way ------------------------------------------------------

do
  local script = write("leaves.lua", [[
    local ahead = assert(require "lunette.job.prefetch".new { model = arg[1], threads = 2 })
    for i = 1, 30 do ahead:add(i, { file = "models/examples/astronaut.png" }) end
    if arg[2] == "forgets" then
      ahead = nil
      collectgarbage()
    end
    os.exit(0, true)]])
  for _, how in ipairs { "leaves", "forgets" } do
    local output <close> = assert(io.popen(("%s '%s' %s %s 2>&1 || echo failed"):format(arg[-1], script, model, how)))
    equal(output:read "a", "", how)
  end
end

-- ---- memory -----------------------------------------------------------------------------------------

local function resident()
  collectgarbage()
  collectgarbage()
  local f <close> = assert(io.open "/proc/self/statm")
  return tonumber(f:read "a":match "%d+ (%d+)") * 4
end

do
  local ahead <close> = assert(prefetch.new { model = model, threads = 2 })
  local tasks, failed = {}, 0
  local alike = files_of "tests/data/exif"            -- of one size, so that no picture asks for more than those before it
  alike[#alike + 1] = "tests/data/gif/cut_block.gif"
  for i = 1, SANITIZED and 60 or 500 do tasks[i] = { file = alike[i % #alike + 1] } end
  local function count(item) failed = failed + (item.error and 1 or 0) end
  run(ahead, tasks, count)
  local before, lua_before = resident(), collectgarbage "count"
  run(ahead, tasks, count)
  local after, lua_after = resident(), collectgarbage "count"
  equal(failed, 2 * (#tasks // #alike), "failures")
  ok(lua_after <= lua_before + 20, "Lua holds %.0f KiB, before %.0f", lua_after, lua_before)
  if SANITIZED then check.skip("resident memory", "a sanitizer holds back what is freed")
  else ok(after <= before + 3000, "%d KiB are resident, before %d", after, before) end
end

os.execute("rm -rf '" .. temporary .. "'")
check.finish()
