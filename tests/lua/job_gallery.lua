-- job_gallery.lua - the files of the HTML output: what they say, what their marks mean, and that a run which is killed between
-- any two steps, or half way through a write, leaves a whole gallery and ends with that of an undisturbed run.
local luv     = require "luv"
local json    = require "lunette.json"
local to_json = require "lunette.json_text".encode
local href    = require "lunette.job.outputs.html.href"
local check   = require "check"
local example = require "job_example"

local equal = check.equal
local root  = example.folder "gallery"
local read, write, start = example.read, example.write, example.start

luv.fs_fsync = function () return true end      -- the machine does not go down here, only processes: many times as fast

local CHUNK = 500

local function record(i)
  local r = example.record(i)
  r.path = "/elsewhere/" .. r.file               -- absolute, as the engine gives it
  r.thumbnail = not r.error and ("JPEG of record %d"):format(i) or nil
  r.width, r.height = 640, 480
  return r
end

local function make_list(count)
  local list = {}
  for i = 1, count do list[i] = record(i) end
  return list
end

local function slice(list, from, to) return { table.unpack(list, from, to) } end

-- ---- what is there ------------------------------------------------------------------------------

local function walk(folder, into, prefix)
  for name, kind in function (request) return luv.fs_scandir_next(request) end, assert(luv.fs_scandir(folder)) do
    if kind == "directory" then walk(folder .. "/" .. name, into, prefix .. name .. "/")
    else into[#into + 1] = prefix .. name end
  end
  return into
end

-- Every file of a folder with its bytes as one string; an edition's number is no matter.
local function tree(folder)
  local names = walk(folder, {}, "")
  for i, name in ipairs(names) do
    local bytes = read(folder .. "/" .. name)
    if name:find "/index%.js$" then bytes = bytes:gsub('"edition":%d+', '"edition":N') end
    names[i] = ("%s\n%s\n"):format(name:gsub("_files/%d+/", "_files/N/"), bytes)
  end
  table.sort(names)
  return table.concat(names)
end

-- The records as the page takes them, and what index.js says; raises if anything it names is not there.
local function shown(page)
  local folder = page:gsub("%.html$", "_files")
  local index = assert(json.decode(assert(read(folder .. "/index.js")):match "^records%.index%((.*)%);\n$", "index"))
  local list = {}
  for number = 1, (index.records + index.chunk - 1) // index.chunk do
    local script = assert(read(("%s/%d/%06d.js"):format(folder, index.edition, number)), "no chunk " .. number)
    local at, items = script:match "^records%.chunk%((%d+),(%[\n.*\n%])%);\n$"
    assert(at == tostring(number - 1), "the chunk's number")
    for i, item in ipairs(assert(json.decode(items, "chunk"))) do
      if #list < index.records then list[#list + 1] = item end
      assert(i <= index.chunk)
    end
  end
  assert(#list == index.records, ("%d records where index.js says %d"):format(#list, index.records))
  for _, item in ipairs(list) do
    if item.thumbnail then assert(read(("%s/%d/%s"):format(folder, index.edition, item.thumbnail)), "no thumbnail") end
  end
  return list, index
end

-- ---- one run ---------------------------------------------------------------------------------------

local LIST = make_list(1203)
local one = example.folder "gallery/one"
local page = one .. "/my photos #1 100%.html"
local output = assert(start(page))
equal(output.thumbnail, 320, "the thumbnails that are wanted")
equal(walk(one, {}, ""), {}, "nothing before the first record")
assert(output:write(slice(LIST, 1, 64)))
equal(assert(output:flush()), "1 64 12 0", "the mark in the first chunk")
local list, index = shown(page)
equal({ index.title, index.records, index.failed, index.chunk, #list }, { "my photos #1 100%", 64, 12, CHUNK, 64 }, "index.js")
assert(output:write(slice(LIST, 65, #LIST)))
equal(assert(output:flush()), "1 1203 240 1000", "the mark")
list, index = shown(page)
equal({ index.records, index.failed }, { 1203, 240 }, "records and failures")

local first = list[1]
check.ok(first.href:find "^%.%./.*/elsewhere/album/plain%.jpg$", "the way to the original: %s", first.href)
equal({ first.file, first.text, first.score, first.width, first.thumbnail, first.error or "none" },
      { LIST[1].file, LIST[1].text, -0.142857143, 640, "thumbs/0/1.jpg", "none" }, "a caption")
equal({ list[3].sequences[1].text, list[3].sequences[2].text, list[3].sequences[2].score, #list[3].sequences },
      { "a dog", "\u{e9}\n", -1.25, 2 }, "sequences")
equal({ list[5].error, list[5].stage, list[5].text or "none", list[5].thumbnail or "none" },
      { json.decode(to_json(LIST[5].error), ""), "decode", "none", "none" }, "a failure")
equal({ list[999].thumbnail, list[1001].thumbnail }, { "thumbs/0/999.jpg", "thumbs/1/1001.jpg" }, "a thousand thumbnails a folder")
equal(read(one .. "/my photos #1 100%_files/1/thumbs/1/1001.jpg"), "JPEG of record 1001", "a thumbnail")

local html = read(page)
check.ok(html:find('"my%20photos%20%231%20100%25_files/gallery.js"', 1, true), "the page names its script")
check.ok(not html:find "{{" and html:find "default%-src 'none'" and not html:find "https?://", "the page takes nothing from elsewhere")

-- ---- ways to the originals -------------------------------------------------------------------------

for _, case in ipairs {       -- page, file, URL
  { "/a/b/page.html",  "/a/b/c.jpg",            "c.jpg" },
  { "/a/b/page.html",  "/a/c/d.jpg",            "../c/d.jpg" },
  { "/a/b/page.html",  "/c.jpg",                "../../c.jpg" },
  { "/a/b/page.html",  "/a/b",                  "../b" },
  { "/page.html",      "/x/../y//./z.jpg",      "y/z.jpg" },
  { "page.html",       "javascript:alert(1)",   "javascript%3Aalert%281%29" },
  { "out/page.html",   "in/\xff<\"'>\n%.jpg",   "../in/%FF%3C%22%27%3E%0A%25.jpg" },
  { "page.html",       "//host/x?y#z",          nil },
  { "page.html",       "\u{e9}/a~b_c-d.e",      "%C3%A9/a~b_c-d.e" },
} do
  local url = href.from(case[1])(case[2])
  if case[3] then equal(url, case[3], case[2]) else check.ok(url:find "^%.%./.*host/x%%3Fy%%23z$", "%s", url) end
end

-- ---- strings that would be something else elsewhere -------------------------------------------------

local hostile = example.folder "gallery/hostile"
local STRINGS = { "</script><script>alert(1)</script>", "\u{2028}\u{2029}", "\0\1\n\r\t\\", "\xff\xfe\xed\xa0\x80", "]);alert(1);//", "`${1}`", "" }
local hostiles = {}
for i, text in ipairs(STRINGS) do
  hostiles[2 * i - 1] = { id = i, position = 2 * i - 1, file = "/x/" .. text:gsub("[%z/]", "") .. i, text = text, ids = {}, score = 0 / 0 }
  hostiles[2 * i] = { id = i + 100, position = 2 * i, file = "-", path = "/y/-", error = text, stage = text }
end
output = assert(start(hostile .. "/a.html"))
assert(output:write(hostiles))
assert(output:flush())
list = shown(hostile .. "/a.html")
for i, string in ipairs(STRINGS) do
  local want = json.decode(to_json(string), "")
  equal({ list[2 * i - 1].text, list[2 * i].error, list[2 * i].stage, list[2 * i].href or "none" }, { want, want, want, "none" }, "string " .. i)
end
check.ok(not read(hostile .. "/a_files/1/000001.js"):find("\u{2028}", 1, true), "U+2028 ends a line of a script")

-- ---- whose gallery it is -----------------------------------------------------------------------------

check.fails("a.html exists and belongs to another job or none: --overwrite always replaces it", nil, start(hostile .. "/a.html"))
luv.fs_unlink(hostile .. "/a.html")
check.fails("a_files exists and belongs to another job or none: --overwrite always replaces it", nil, start(hostile .. "/a.html"))
write(hostile .. "/b.html", "my page")
check.fails("b.html exists and belongs", nil, start(hostile .. "/b.html", nil, {}, { overwrite = "older" }))
equal(read(hostile .. "/b.html"), "my page", "somebody's page")
write(hostile .. "/a_files/notes.txt", "mine")
local mark
output, mark = start(hostile .. "/a.html", nil, {}, { overwrite = "always" })
equal({ mark, #shown(hostile .. "/a.html") }, { "0 0 0 0", #hostiles }, "what is there stays until there is something else")
local bare = record(1)
bare.thumbnail = nil
write(hostile .. "/a_files/1/thumbs", "no folder")
assert(output:write { bare })
assert(output:flush())
list, index = shown(hostile .. "/a.html")
equal({ #list, index.edition, list[1].thumbnail or "none" }, { 1, 2, "none" }, "replaced, without thumbnails of another job")
equal({ read(hostile .. "/a_files/notes.txt"), read(hostile .. "/a_files/1/000001.js") or "gone" }, { "mine", "gone" },
      "somebody's file in the folder")
check.fails("the job's mark is \"x\", which no gallery wrote", nil, start(hostile .. "/a.html", "x"))

output = assert(start(hostile .. "/none.html"))
assert(output:flush())
list, index = shown(hostile .. "/none.html")
equal({ #list, index.records }, { 0, 0 }, "a job without pictures has a page")

-- ---- what is gone is written again; other records take the place of the old ----------------------------

local UNDISTURBED = tree(one)
local again
output, mark, again = assert(start(page, "1 1203 240 1000", LIST))
equal({ mark, again, tree(one) == UNDISTURBED }, { "1 1203 240 1000", false, true }, "nothing to do")
local bare_list = {}
for i, r in ipairs(LIST) do
  bare_list[i] = {}
  for key, value in pairs(r) do bare_list[i][key] = key ~= "thumbnail" and value or nil end
end
luv.fs_unlink(one .. "/my photos #1 100%_files/1/000002.js")
output:close()
output, mark, again = assert(start(page, mark, bare_list))
equal({ mark, again, tree(one) == UNDISTURBED }, { "2 1203 240 1000", true, true }, "a chunk that was gone; thumbnails are kept")
bare_list[7].text = "another caption"
equal(assert(output:rebuild(example.records(bare_list))), "3 1203 240 1000", "the mark of a rebuilt gallery")
equal({ shown(page)[7].text, shown(page)[7].thumbnail }, { "another caption", "thumbs/0/7.jpg" }, "a changed record")
output:close()

-- ---- killed ---------------------------------------------------------------------------------------------

local KILLED = {}
local CALLS = { "fs_open", "fs_write", "fs_rename", "fs_mkdir", "fs_unlink", "fs_rmdir", "fs_link" }
local real = {}
for _, name in ipairs(CALLS) do real[name] = luv[name] end

-- Runs f(...), which is killed before its n-th step, or half way through it if that writes; true if it came to its end.
local function run_to(n, f, ...)
  local step = 0
  for _, name in ipairs(CALLS) do
    luv[name] = function (...)
      step = step + 1
      if step == n then
        if name == "fs_write" then
          local fd, bytes, at = ...
          real.fs_write(fd, bytes:sub(1, #bytes // 2), at)
        end
        error(KILLED, 0)
      end
      return real[name](...)
    end
  end
  local ok, message = pcall(f, ...)
  for _, name in ipairs(CALLS) do luv[name] = real[name] end
  if not ok and message ~= KILLED then error(message, 0) end
  return ok
end

local function remove(folder)
  assert(os.execute(("rm -rf '%s'"):format(folder)))
end

local SHORT = make_list(506)
for i, r in ipairs(SHORT) do if i < 497 then r.thumbnail = nil end end
local STOPS = { 497, 499, 503, 506 }         -- flushes: one before a chunk is full, one over its end

-- What the job file knows: the mark and the records that were decided.
local function job(state, name)
  local out, new, was_again = assert(start(name, state.mark, slice(SHORT, 1, state.decided)))
  local position = state.position
  if was_again then position = state.decided end
  state.mark, state.position = new, position
  if position < state.decided then assert(out:write(slice(SHORT, position + 1, state.decided))) end
  for _, stop in ipairs(STOPS) do
    if stop > state.decided then
      local from = state.decided
      state.decided = stop
      assert(out:write(slice(SHORT, from + 1, stop)))
    end
    if stop == state.decided then
      local flushed = assert(out:flush())
      state.mark, state.position = flushed, stop
    end
  end
end

local function new_state() return { position = 0, decided = 0 } end

local calm = example.folder "gallery/calm"
job(new_state(), calm .. "/a.html")
local WANT, WANT_RECORDS = tree(calm), shown(calm .. "/a.html")
local WANT_TEXT = {}
for i, r in ipairs(WANT_RECORDS) do WANT_TEXT[i] = r.file .. (r.text or r.error) end

-- Whatever happened: the page, if it is there, shows a beginning of the records.
local function is_good(name)
  if not read(name) then return true end
  local ok, items = pcall(shown, name)
  if not ok then return false, items end
  for i, r in ipairs(items) do
    if r.file .. (r.text or r.error) ~= WANT_TEXT[i] then return false, ("record %d is another one"):format(i) end
  end
  return true
end

local rough = root .. "/rough"
local bad, n = {}, 0
local function note(n_steps, what)
  if #bad < 5 then bad[#bad + 1] = ("killed at step %d: %s"):format(n_steps, tostring(what)) end
end
repeat
  n = n + 1
  remove(rough)
  assert(luv.fs_mkdir(rough, 511))
  local name, state = rough .. "/a.html", new_state()
  local done = run_to(n, job, state, name)
  local good, why = is_good(name)
  if not good then note(n, why) end
  run_to(n // 2 + 3, job, state, name)        -- and once more, sooner
  good, why = is_good(name)
  if not good then note(n, why) end
  job(state, name)
  if tree(rough) ~= WANT then note(n, "the end is another one") end
until done
check.ok(n > 50, "only %d steps", n)
check.ok(#bad == 0, "%s", table.concat(bad, "; "))

bad, n = {}, 0
local function rebuild(state, name)
  local out = assert(require("lunette.job.outputs.html").open(name, { mark = state.mark }))
  state.mark = assert(out:rebuild(example.records(SHORT)))
end
for _, r in ipairs(SHORT) do r.thumbnail = nil end      -- those that are there are kept
local state = { mark = "1 506 101 500" }
remove(rough)
assert(os.execute(("cp -r '%s' '%s'"):format(calm, rough)))
repeat
  n = n + 1
  local name = rough .. "/a.html"
  local done = run_to(n, rebuild, state, name)
  local ok, items = pcall(shown, name)
  if not ok or #items ~= #SHORT then note(n, ok and #items or items) end
  if not done and n % 3 == 0 then
    rebuild(state, name)
    if tree(rough) ~= WANT then note(n, "the end is another one") end
  end
until done
check.ok(n > 20, "only %d steps", n)
if tree(rough) ~= WANT then note(n, "the end is another one") end
check.ok(#bad == 0, "rebuild: %s", table.concat(bad, "; "))

-- ---- a full disk ----------------------------------------------------------------------------------------

local full = example.folder "gallery/full"
for _, call in ipairs { "write", "flush" } do
  local name = ("%s/%s.html"):format(full, call)
  output = assert(start(name))
  if call == "flush" then assert(output:write { record(1) }) end
  luv.fs_write = function () return nil, "ENOSPC: no space left on device", "ENOSPC" end
  check.fails(": no space left on device", "ENOSPC", output[call](output, { record(1) }))
  luv.fs_write = real.fs_write
  local left = table.concat(walk(full, {}, ""), " ")
  check.ok(not left:find "%.lunette%-", "left over: %s", left)
end

check.finish()
