-- shared_weights.lua - lunette.load(dir, { shared = fd }) in several processes: one copy of the packed
-- weights, and the same words; whatever happens to the others, to the model or to the room there is.
--
-- The processes are this file again: it says what it found and waits until its standard input closes.
local luv     = require "luv"
local lfs     = require "lfs"
local lunette = require "lunette"

local MINI, SMALL = "models/lunette-mini", "tests/data/fixtures/ved_vit_gpt2"
local PICTURE = "models/examples/coffee.png"

-- ---- a process ----

-- dir -> "found added private ids", of a short caption; and the model, which holds its packs
local function caption(dir, fd)
  local vision = require "lunette.vision"
  local model = assert(lunette.load(dir, { threads = 1, shared = fd }))
  local result = assert(model:generate { image = assert(vision.load(PICTURE)), max_new_tokens = 6, num_beams = 1 })
  local s = model.shared or {}
  return ("%s %s %s %s"):format(s.found, s.added, s.private, table.concat(result.ids, ",")), model
end

if arg[1] == "process" then
  local ok, answer, model = pcall(caption, arg[2], 3)
  io.write(answer, "\n")
  io.flush()
  io.read "a"
  if ok then model:close() end
  os.exit(ok, true)
end

-- ---- starting them ----

local check = require "check"

local running = 0
local function start(dir, fd)
  local input, output = luv.new_pipe(), luv.new_pipe()
  local p = { text = "" }
  running = running + 1
  p.handle, p.pid = luv.spawn(arg[-1], { args = { arg[0], "process", dir }, stdio = { input, output, 2, fd } }, function (code, signal)
    p.code, p.signal = code, signal
    p.handle:close()
    running = running - 1
  end)
  assert(p.handle, p.pid)
  output:read_start(function (_, data)
    if data then p.text = p.text .. data else output:close() p.ended = true end
  end)
  function p:finish()
    if not input:is_closing() then input:close() end
    while not (self.code and self.ended) do luv.run "once" end
  end
  -- found, added, private (numbers) and ids (a string), once it has said them
  function p:answer()
    while not (self.text:find "\n" or self.ended) do luv.run "once" end
    local found, added, private, ids = self.text:match "^(%d+) (%d+) (%d+) ([%d,]+)\n"
    if not found then
      check.ok(false, "a process said %q", self.text)
      return 0, 0, 0, ""
    end
    return tonumber(found), tonumber(added), tonumber(private), ids
  end
  return p
end

local function alone(dir) return caption(dir):match "[%d,]+$" end

-- One process after the other.
local function expect(dir, fd, what, ids)
  local p = start(dir, fd)
  local found, added, private, got = p:answer()
  p:finish()
  check.equal(got, ids, "ids, " .. what)
  return found, added, private
end

-- ---- one copy ----

local whole                      -- bytes of all packs of MINI
local want = { [MINI] = alone(MINI), [SMALL] = alone(SMALL) }

-- bytes of a process's mappings of the file: all, and its share of them
local function mapped(pid)
  local rss, pss, inside = 0, 0, false
  for line in io.lines(("/proc/%d/smaps"):format(pid)) do
    if line:match "^%x+%-%x+ " then inside = line:find("lunette packs", 1, true) ~= nil end
    if inside then
      rss = rss + 1024 * (tonumber(line:match "^Rss:%s+(%d+)") or 0)
      pss = pss + 1024 * (tonumber(line:match "^Pss:%s+(%d+)") or 0)
    end
  end
  return rss, pss
end

do
  local fd, list = assert(lunette.make_packs()), {}
  local sum = { found = 0, added = 0 }
  for i = 1, 3 do list[i] = start(MINI, fd) end
  for i, p in ipairs(list) do
    local found, added, private, ids = p:answer()
    check.equal(ids, want[MINI], "ids of process " .. i)
    check.equal(private, 0, "bytes private in process " .. i)
    sum.found, sum.added, whole = sum.found + found, sum.added + added, found + added
  end
  check.equal(sum.found, 2 * sum.added, "all three started at once: each pack was added once and found twice")
  local all = 0
  for i, p in ipairs(list) do
    local rss, pss = mapped(p.pid)
    check.ok(rss > 0.9 * whole, "process %d maps %d of %d bytes", i, rss, whole)
    all = all + pss
  end
  check.ok(all > 0.9 * whole and all < 1.1 * whole, "the three hold %d bytes together, one copy is %d", all, whole)
  for _, p in ipairs(list) do p:finish() end

  check.equal({ expect(MINI, fd, "one that comes later", want[MINI]) }, { whole, 0, 0 }, "found, added, private of one that comes later")
  local found = expect(SMALL, fd, "another model", want[SMALL])
  check.equal(found, 0, "found of another model")
  luv.fs_close(fd)
end

-- ---- killed ----

do
  local fd, killed = assert(lunette.make_packs()), 0
  for i = 1, 12 do
    local p, timer = start(MINI, fd), luv.new_timer()
    timer:start(4 * i, 0, function ()
      p.handle:kill "sigkill"
      timer:close()
    end)
    while not p.code do luv.run "once" end
    if p.signal == 9 then killed = killed + 1 end
    p:finish()
  end
  check.equal(killed, 12, "processes killed")
  local found, added, private = expect(MINI, fd, "after twelve that were killed", want[MINI])
  check.equal({ found + added, private }, { whole, 0 }, "found or added, and private, after twelve that were killed")
  luv.fs_close(fd)
end

-- ---- no room ----

local function no_room()
  local folder = assert(luv.fs_mkdtemp((os.getenv "TMPDIR" or "/tmp") .. "/room-XXXXXX"))
  if not os.execute(("mount -t tmpfs -o size=4m lunette-test '%s' 2>/dev/null"):format(folder)) then
    check.skip("shared memory without room", "this takes the right to mount a tmpfs")
    lfs.rmdir(folder)
    return
  end
  local fd = assert(luv.fs_open(folder .. "/packs", "wx+", tonumber("600", 8)))
  luv.fs_unlink(folder .. "/packs")
  local found, added, private = expect(MINI, fd, "room for a part", want[MINI])
  check.ok(found == 0 and added > 0 and private > added, "found %d, added %d, private %d where 4 MiB are free", found, added, private)
  check.equal({ expect(MINI, fd, "the part is found", want[MINI]) }, { added, 0, private }, "found, added, private of the second")
  luv.fs_close(fd)
  os.execute(("umount '%s' && rmdir '%s'"):format(folder, folder))
end
no_room()

-- ---- refused ----

-- The small model, whose config speaks of more layers than there are: some are packed before that is found out.
local function with_layers(count)
  local dir = (os.getenv "TMPDIR" or "/tmp") .. "/layers"
  assert(lfs.mkdir(dir))
  for name in lfs.dir(SMALL) do
    if name ~= "config.json" and name:sub(1, 1) ~= "." then
      assert(luv.fs_symlink(lfs.currentdir() .. "/" .. SMALL .. "/" .. name, dir .. "/" .. name))
    end
  end
  local from <close> = assert(io.open(SMALL .. "/config.json"))
  local to <close> = assert(io.open(dir .. "/config.json", "w"))
  to:write((from:read "a":gsub('"n_layer": %d+', '"n_layer": ' .. count)))
  return dir
end

check.fails("shared weights, file descriptor 99: Bad file descriptor", "arg", lunette.load(SMALL, { shared = 99 }))
check.raises("load: shared is a string, wanted a number", lunette.load, SMALL, { shared = "3" })
do
  local fd = assert(lunette.make_packs())
  check.fails("no/such/model: not a directory", "io", lunette.load("no/such/model", { shared = fd }))
  check.fails("h.3.ln_1.weight", "io", lunette.load(with_layers(10), { shared = fd }))
  check.ok(lunette.load(SMALL, { shared = fd }), "a model loads after one that did not")
  check.ok(lunette.load(SMALL).shared == nil, "shared without being asked")
  luv.fs_close(fd)
end

luv.run()
check.equal(running, 0, "processes left")
check.finish()
