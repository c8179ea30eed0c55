-- gallery_browser.lua - the HTML output in a headless Chromium: what the page shows, finds and does with hostile names.
local luv      = require "luv"
local json     = require "lunette.json_text"
local vision   = require "lunette".vision
local chromium = require "tests.cli.chromium"
local check    = require "check"
local example  = require "job_example"

local equal = check.equal
local root  = example.folder "browser"

local browser <close>, why = chromium.start(root .. "/profile")
if not browser then
  check.skip("the gallery in Chromium", why)
  check.finish()
end

-- ---- a gallery ------------------------------------------------------------------------------------

local COUNT = 3000
local HOSTILE = {      -- file, text or { error, stage }
  { "<script>document.title='owned'<\\script>.jpg", "<img src=x onerror=document.title='owned'>" },
  { "a\"b'c&amp;.jpg",                              "</script><script>document.title='owned'</script>" },
  { "two\nlines\u{2028}.jpg",                       "\u{2028}]);document.title='owned';//" },
  { "\xff\xfe%41#x?y.jpg",                          "\u{202e}gpj.exe \u{e9}" },
  { "javascript:document.title='owned'",            { "<b>no</b> JPEG\nat all", "<i>decode</i>" } },
}

local function copy(from, to) assert(luv.fs_copyfile(from, to)) end

local folder = root .. "/album"
assert(luv.fs_mkdir(folder, 511))
copy("models/examples/rocket.jpg", folder .. "/photo.jpg")

local function record(i)
  local text = ("picture number %d of a %s"):format(i, i % 2 == 0 and "dog" or "cat")
  local r = { id = i, position = i, file = folder .. "/photo.jpg", text = text, ids = {}, score = -i / 1000, width = 640, height = 427 }
  if i % 10 == 0 then
    r = { id = i, position = i, file = ("%s/gone %d.jpg"):format(folder, i), error = ("truncated file: %d bytes"):format(i), stage = "decode" }
  end
  local hostile = HOSTILE[i - 2]
  if hostile then
    r.file = folder .. "/" .. hostile[1]
    copy(folder .. "/photo.jpg", r.file)
    if type(hostile[2]) == "table" then r.text, r.score, r.error, r.stage = nil, nil, table.unpack(hostile[2])
    else r.text = hostile[2] end
  end
  return r
end

local f <close> = assert(io.open("models/examples/rocket.jpg", "rb"))
local rocket = f:read "a"

local page = root .. "/my photos %41.html"
local output = assert(example.start(page))
local list, failures = {}, 0
for i = 1, COUNT do
  list[i] = record(i)
  if list[i].error then failures = failures + 1 end
end
list[1].thumbnail, list[1].file = rocket, folder .. "/absent.jpg"     -- a thumbnail, and no original
list[2].thumbnail = "no JPEG"                                         -- a broken one: the original stands in for it
list[2].text = "Stra\u{df}e, CAFE\u{301}"
list[2].sequences = { { text = "Stra\u{df}e", score = -0.5 }, { text = "<b>road</b>", score = -1.5 } }
assert(output:write(list))
assert(output:flush())

-- ---- what is shown ----------------------------------------------------------------------------------

local function url(path) return "file://" .. path:gsub("[ %%#?]", function (c) return ("%%%02X"):format(c:byte()) end) end
local function eval(expression) return browser:eval(expression) end
local function wait(expression, what) check.ok(browser:wait(expression), "%s: %s is never true", what, expression) end
local function note() return eval "document.getElementById('note').textContent" end
local function cards() return eval "document.querySelectorAll('#grid .card').length" end
local function text_of(selector) return eval(("document.querySelector(%s).textContent"):format(json.encode(selector))) end
local function focused() return eval "[...document.querySelectorAll('.card')].indexOf(document.activeElement) + 1" end

-- Types into the search field as a person does, and waits for the end of the search.
local function search(words)
  eval "document.getElementById('query').focus(); document.getElementById('query').select()"
  browser:type(words)
  wait("/^[0-9,]+ of |^Nothing/.test(document.getElementById('note').textContent)", "search for " .. words)
end

local function show(which)
  eval(("document.querySelector('input[value=%s]').click()"):format(which))
  wait("!/searched/.test(document.getElementById('note').textContent)", "show " .. which)
end

browser:size(1280, 900)
check.ok(browser:open(url(page)), "the page opens")
wait("document.querySelectorAll('#grid .card').length === 120", "the first page")
equal(text_of "#title", "my photos %41", "the title")
equal(text_of "#totals", ("2,%d captioned, %d failed"):format(COUNT - failures - 2000, failures), "the totals")
equal(text_of "#last", "25", "pages")
equal(eval "document.querySelector('.card img').alt", list[1].text, "the caption is the picture's other text")
wait("[1, 2, 3].every(k => document.querySelectorAll('.card img')[k - 1].naturalWidth > 0)", "a thumbnail, and originals where there is none")
check.ok(eval "document.querySelectorAll('.card img')[1].src.endsWith('/album/photo.jpg')", "no original in place of a broken thumbnail")

for i, hostile in ipairs(HOSTILE) do
  local k = i + 2
  local failed = type(hostile[2]) == "table"
  local want = { hostile[1]:gsub("[\xff\xfe]", "\u{fffd}"):gsub("\n", "\u{240a}"), failed and hostile[2][1] or hostile[2] }
  local card = ("document.querySelectorAll('.card')[%d]"):format(k - 1)
  equal({ eval(card .. ".querySelector('.file').textContent"), eval(card .. ".querySelector('.text').textContent") }, want, "hostile " .. i)
  check.ok(eval(card .. ".querySelectorAll('script, b, i').length === 0"), "hostile %d has become HTML", i)
  wait(card .. ".querySelector('img')?.naturalWidth > 0", "the picture of hostile " .. i)
end
equal(eval "document.title", "my photos %41", "no script of a caption has run")

-- ---- pages ------------------------------------------------------------------------------------------

eval "document.getElementById('after').click()"
wait("document.querySelector('.card .text').textContent.startsWith('picture number 121 ')", "the next page")
eval "(p => { p.value = 25; p.dispatchEvent(new Event('change')); })(document.getElementById('page'))"
wait("document.querySelector('.card .text').textContent.startsWith('picture number 2881 ')", "the last page")
equal({ cards(), eval "document.getElementById('after').disabled" }, { 120, true }, "the last page")

-- ---- search and failures ------------------------------------------------------------------------------

browser:key "/"
equal(eval "document.activeElement.id", "query", "/ goes to the search field")
search "NUMBER dog 299"
equal({ note(), cards() }, { "4 of 3,000", 4 }, "all words, in any case")       -- 2992, 2994, 2996, 2998
equal(text_of ".card .text", "picture number 2992 of a dog", "the first of them")
search "no such caption"
equal({ note(), cards() }, { "Nothing matches.", 0 }, "nothing")
for _, words in ipairs { "STRASSE", "stra\u{df}e caf\u{e9}", "caf\u{c9}", "ROAD" } do
  search(words)
  equal({ note(), cards() }, { "1 of 3,000", 1 }, words)
end
search "gone truncated"
equal({ note(), cards() }, { ("%d of 3,000"):format(failures - 1), 120 }, "words of file and failure")
browser:key "Escape"
wait("document.querySelectorAll('.card').length === 120 && document.getElementById('note').textContent === ''", "Escape ends the search")

show "failed"
equal({ note(), cards() }, { ("%d of 3,000"):format(failures), 120 }, "the failures")
equal(eval "document.querySelectorAll('.card.failed').length", 120, "nothing but failures")
equal({ text_of ".card .stage", text_of ".card .text" }, { "Failed: <i>decode</i>", HOSTILE[5][2][1] }, "stage and reason of the first")
search "truncated 2990"
equal({ note(), text_of ".card .text", text_of ".card .stage" }, { "1 of 3,000", "truncated file: 2990 bytes", "Failed: decode" },
      "search among failures")
browser:key "Escape"
show "captioned"
equal({ note(), eval "document.querySelectorAll('.card.failed').length" }, { ("2,%d of 3,000"):format(COUNT - failures - 2000), 0 }, "the captions")
show "all"

-- ---- one picture ---------------------------------------------------------------------------------------

eval "document.querySelectorAll('.card')[0].focus()"
browser:key "ArrowRight"
equal(focused(), 2, "an arrow goes to the next card")
browser:key "ArrowDown"
check.ok(focused() > 3, "an arrow goes to the next row")
browser:key "ArrowUp"
equal(focused(), 2, "and back")
browser:key "Enter"
wait("document.getElementById('viewer').open", "Enter opens a picture")
equal(text_of "#viewer-text", list[2].text, "the whole caption")
equal(eval "[...document.querySelectorAll('#viewer-facts dt')].map(e => e.textContent).join()", "File,Size,Score,Sequences", "what is known")
equal(eval "[...document.querySelectorAll('#viewer-facts li')].map(e => e.textContent).join('|')",
      "Stra\u{df}e -0.500|<b>road</b> -1.500", "other sequences")
wait("(p => p.naturalWidth === 640 && p.src.endsWith('/album/photo.jpg'))(document.getElementById('viewer-picture'))", "the original")
equal(eval "decodeURIComponent(document.getElementById('viewer-link').href)", "file://" .. folder .. "/photo.jpg", "the link")
for i, hostile in ipairs(HOSTILE) do
  browser:key "ArrowRight"
  local text = type(hostile[2]) == "table" and hostile[2][1] or hostile[2]
  wait(("document.getElementById('viewer-text').textContent.includes(%s)"):format(json.encode(text)), "the next picture")
  wait("document.getElementById('viewer-picture').naturalWidth === 640", "hostile " .. i)
  equal(eval "document.getElementById('viewer-link').protocol", "file:", "the link of hostile " .. i)
end
equal(text_of "#viewer-text", "Failed (<i>decode</i>): " .. HOSTILE[5][2][1], "a failure")
browser:key "ArrowLeft"
wait("!document.getElementById('viewer').classList.contains('failed')", "an arrow goes back")
browser:key "Escape"
wait("!document.getElementById('viewer').open", "Escape closes it")
wait("document.querySelectorAll('.card')[5] === document.activeElement", "its card is at hand")

-- ---- wide, narrow, light, dark ------------------------------------------------------------------------------

for _, width in ipairs { 320, 390, 800, 1920 } do
  browser:size(width, 800)
  check.ok(eval "document.documentElement.scrollWidth <= innerWidth", "at %d pixels it is wider than the window", width)
end
local grounds = {}
for i, dark in ipairs { false, true } do
  browser:size(390, 800, dark)
  grounds[i] = eval "getComputedStyle(document.body).backgroundColor"
  local image = assert(vision.decode(browser:screenshot()))
  equal({ image:dim(1), image:dim(2) }, { 800, 390 }, "a picture of the page")
end
check.ok(grounds[1] ~= grounds[2], "light and dark are the same")

-- ---- while the job goes on -------------------------------------------------------------------------------------

browser:open "about:blank"
-- What is left of a list when those that match are taken away.
local function without(items, pattern)
  local left = {}
  for _, item in ipairs(items) do
    if not item:find(pattern) then left[#left + 1] = item end
  end
  return left
end

-- that an original is gone is said by the browser, not by the page
equal(without(browser.problems, "^Failed to load resource: net::ERR_FILE_NOT_FOUND file://.*/album/gone%%20%d+%.jpg$"), {}, "errors in the console")
check.ok(#browser.requests > 100, "only %d requests", #browser.requests)
equal(without(browser.requests, "^file://"), {}, "requests that leave the folder")

local young = root .. "/young.html"
output = assert(example.start(young))
assert(output:flush())
browser:open(url(young))
wait("document.getElementById('note').textContent.startsWith('No pictures yet')", "a job that has just begun")
assert(output:write { record(1) })
assert(output:flush())
assert(output:write { record(2) })             -- in no chunk yet
browser:open(url(young))
wait("document.querySelectorAll('.card').length === 1", "a job on its way")
equal(text_of "#totals", "1 captioned, 0 failed", "how far it is")
luv.fs_unlink(root .. "/young_files/1/000001.js")
browser:open(url(young))
wait("/could not be read/.test(document.getElementById('note').textContent)", "a chunk that is gone is said")

check.finish()
