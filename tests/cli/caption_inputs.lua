-- caption_inputs.lua - lunette caption on folders, patterns, lists and standard input; which files those are is tested in lua/inputs.
local lfs     = require "lfs"
local lunette = require "lunette"
local json    = require "lunette.json"
local vision  = require "lunette.vision"
local check   = require "check"
local command = require "tests.cli.command"

local equal, run, shell = check.equal, command.run, command.shell

local VED = "tests/data/fixtures/ved_vit_gpt2"
local COFFEE, ROCKET = "models/examples/coffee.png", "models/examples/rocket.jpg"

local model <close> = assert(lunette.load(VED))
local TEXTS = {}
for _, path in ipairs { COFFEE, ROCKET } do TEXTS[path] = model:caption(assert(vision.load(path))) end

local function caption(...) return run { "caption", "--model", VED, ... } end

local root = command.temporary .. "/album"
for _, folder in ipairs { root, root .. "/sub", command.temporary .. "/empty", command.temporary .. "/texts" } do
  assert(lfs.mkdir(folder))
end
command.copy(COFFEE, "album/b.png")
command.copy(ROCKET, "album/a")
command.copy(ROCKET, "album/two\nlines")
command.copy(COFFEE, "album/sub/\xff.png")
command.copy(COFFEE, "album/.hidden.png")
command.write("album/notes.txt", "no picture")
command.write("texts/1.txt", "no picture")
command.write("texts/2.txt", "no picture")

-- The lines that caption prints for these { file, source } where it names the file.
local function named(...)
  local list = {}
  for i, pair in ipairs { ... } do list[i] = ("%s: %s\n"):format(pair[1], TEXTS[pair[2]]) end
  return table.concat(list)
end

local ALBUM = named({ root .. "/a", ROCKET }, { root .. "/b.png", COFFEE }, { root .. "/two\nlines", ROCKET })
local BELOW = named { root .. "/sub/\xff.png", COFFEE }
local ONE = "lunette: 1 file is no picture\n"

-- ---- folders and patterns ---------------------------------------------------------------

equal({ caption(root) }, { 0, ALBUM, ONE }, "a folder")
equal({ caption(root, "--recursive") }, { 0, ALBUM .. BELOW, ONE }, "--recursive")
equal({ caption(root .. "/sub") }, { 0, BELOW, "" }, "a folder of one picture: its file is named")
equal({ caption(root .. "/*.png") }, { 0, named { root .. "/b.png", COFFEE }, "" }, "a pattern")
equal({ caption(root .. "/**/*.png") }, { 0, named { root .. "/b.png", COFFEE } .. BELOW, "" }, "a pattern with **")
equal({ caption(root .. "/*.gif") },
      { 1, "", ("lunette: %s/*.gif: No such file or directory\n"):format(root) }, "a pattern that matches nothing")
equal({ caption(root .. "/notes.txt") },
      { 1, "", ("lunette: %s/notes.txt: not an image: first bytes are 6e 6f 20 70 69 63 74 75\n"):format(root) }, "a text that is named")
equal({ caption(command.temporary .. "/empty") }, { 0, "", "lunette: no pictures\n" }, "an empty folder")
equal({ caption(command.temporary .. "/texts") }, { 0, "", "lunette: no pictures\nlunette: 2 files are no pictures\n" }, "no pictures in it")

local status, out, err = caption("--json", root, "--recursive")
equal({ status, err }, { 0, ONE }, "--json")
local list = command.lines(out)
equal(#list, 4, "lines")
for i, want in ipairs { { "a", ROCKET }, { "b.png", COFFEE }, { "two\nlines", ROCKET }, { "sub/\u{fffd}.png", COFFEE } } do
  local object = assert(json.decode(list[i], list[i]))
  equal({ object.file, object.text }, { root .. "/" .. want[1], TEXTS[want[2]] }, "line " .. i)
end

-- ---- a bad picture in a folder is one line, and the job goes on --------------------------------

command.write("album/aa.png", "\137PNG\r\n\26\nno more")
status, out, err = caption(root, "--recursive")
equal({ status, out, #command.lines(err) }, { 1, ALBUM .. BELOW, 2 }, "a picture that is cut off")
check.ok(err:find("lunette: " .. root .. "/aa.png: ", 1, true) == 1 and err:sub(-#ONE) == ONE, "%s", err)
assert(os.remove(root .. "/aa.png"))
equal({ caption(COFFEE .. "/*", ROCKET) },
      { 1, named { ROCKET, ROCKET }, ("lunette: %s: not a directory\n"):format(COFFEE) }, "a folder that is none")

-- ---- lists and standard input --------------------------------------------------------------------

local PAIR = named({ ROCKET, ROCKET }, { COFFEE, COFFEE })
local listed = command.write("list.txt", ROCKET .. "\n" .. COFFEE .. "\n")
equal({ caption("@" .. listed) }, { 0, PAIR, "" }, "@FILE")
equal({ caption "@absent.txt" }, { 1, "", "lunette: absent.txt: No such file or directory\n" }, "no such list")
equal({ run({ "caption", "--model", VED, "-" }, ROCKET .. "\n" .. COFFEE) }, { 0, PAIR, "" }, "a list on standard input")
equal({ run({ "caption", "--model", VED, "-" }, "\n") }, { 0, "", "lunette: no pictures\n" }, "a list of nothing")
equal({ run({ "caption", "--model", VED, "-" }, "absent\n" .. root .. "/sub\n") },
      { 1, BELOW, "lunette: absent: No such file or directory\n" }, "a list with a folder and a file that is not there")
for _, flag in ipairs { "-0", "--null" } do
  equal({ run({ "caption", "--model", VED, "--recursive", flag, "-" }, root .. "/two\nlines\0" .. root .. "/sub\0") },
        { 0, named { root .. "/two\nlines", ROCKET } .. BELOW, "" }, flag)
end
equal({ run({ "caption", "--model", VED, "-0", "-" }, "") }, { 0, "", "lunette: no pictures\n" }, "-0: an empty list")
equal({ run({ "caption", "--model", VED, "-" }, "%PDF-1.7\n") }, { 1, "", "lunette: -: unsupported format PDF\n" }, "no list")
equal({ run({ "caption", "--model", VED, "-" }, "\0\1\2\3") },
      { 1, "", "lunette: -: path 1 holds a NUL byte: a list with NUL between its paths needs --null\n" }, "neither picture nor list")

local line = ('"$LUNETTE" caption --model %s - '):format(VED)
equal({ shell(("{ printf %%s %s; sleep 0.1; echo; printf '%%s\\n' %s; } | %s"):format(ROCKET, COFFEE, line)) }, { 0, PAIR, "" }, "a list in pieces")
equal({ shell(("{ head -c 3 %s; sleep 0.1; tail -c +4 %s; } | %s"):format(COFFEE, COFFEE, line)) },
      { 0, TEXTS[COFFEE] .. "\n", "" }, "a picture in pieces")
equal({ shell(line .. "<&-") }, { 1, "", "lunette: -: bad file descriptor\n" }, "standard input is closed")

check.finish()
