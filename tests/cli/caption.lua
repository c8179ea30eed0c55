-- caption.lua - lunette caption, on small models with random weights; what the captions mean is tested elsewhere.
local lunette = require "lunette"
local json    = require "lunette.json"
local vision  = require "lunette.vision"
local check   = require "check"
local command = require "tests.cli.command"

local equal, run, shell, lines = check.equal, command.run, command.shell, command.lines

local VED, BLIP = "tests/data/fixtures/ved_vit_gpt2", "tests/data/fixtures/blip_caption"
local COFFEE, ROCKET = "models/examples/coffee.png", "models/examples/rocket.jpg"

local model = assert(lunette.load(VED))
local function wanted(path, options) return model:caption(assert(vision.load(path)), options) end

local function caption(...) return run { "caption", "--model", VED, ... } end

-- One JSON object a line, with these fields alone.
local FIELDS = { file = "string", text = "string", ids = "table", score = "number", tokens = "number", ms = "number", sequences = "table" }
local function objects(_, text)
  local list = lines(text)
  for i, line in ipairs(list) do
    check.ok(utf8.len(line), "a line is not UTF-8: %q", line)
    list[i] = assert(json.decode(line, line))
    for name, value in pairs(list[i]) do
      equal(type(value), FIELDS[name], "type of " .. name)
    end
    for name in pairs(FIELDS) do
      check.ok(name == "sequences" or list[i][name] ~= nil, "no field %s in %s", name, line)
    end
  end
  return list
end

-- ---- plain ----------------------------------------------------------------------------

local status, out, err = caption(COFFEE)
equal({ status, out, err }, { 0, wanted(COFFEE) .. "\n", "" }, "one file")
equal({ caption("--num-beams", "3", COFFEE) }, { 0, wanted(COFFEE, { num_beams = 3 }) .. "\n", "" }, "three beams")
equal({ caption(COFFEE, ROCKET) }, { 0, ("%s: %s\n%s: %s\n"):format(COFFEE, wanted(COFFEE), ROCKET, wanted(ROCKET)), "" }, "two files")

local many, names = {}, {}
for i = 1, 19 do
  names[i] = i % 2 == 0 and COFFEE or ROCKET
  many[i] = ("%s: %s\n"):format(names[i], wanted(names[i]))
end
equal(select(2, caption(table.unpack(names))), table.concat(many), "more than a batch, in order")

local function contents(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read "a"
end
equal({ run({ "caption", "--model", VED, "-" }, contents(COFFEE)) }, { 0, wanted(COFFEE) .. "\n", "" }, "from standard input")
equal({ run({ "caption", "--model", VED, ROCKET, "-" }, contents(COFFEE)) },
      { 0, ("%s: %s\n-: %s\n"):format(ROCKET, wanted(ROCKET), wanted(COFFEE)), "" }, "a file and standard input")

-- ---- JSON -----------------------------------------------------------------------------

status, out, err = caption("--json", COFFEE, ROCKET)
equal({ status, err }, { 0, "" }, "--json")
local list = objects(status, out)
equal(#list, 2, "lines of --json")
for i, path in ipairs { COFFEE, ROCKET } do
  local result = model:generate { image = assert(vision.load(path)) }
  local object = list[i]
  equal(object.file, path, "file")
  equal(object.text, result.text, "text")
  equal({ table.unpack(object.ids) }, result.ids, "ids: start token first")
  check.near(object.score, result.score, 1e-6, "score")
  equal(object.tokens, #result.ids - 1, "tokens")
  check.ok(object.ms > 0 and object.ms < 60000, "%g ms", object.ms)
  equal(object.sequences, nil, "sequences of one")
end

list = objects(caption("--json", "--num-beams", "4", "--num-return-sequences", "3", COFFEE))
equal(#list, 1, "one object a picture")
equal(#list[1].sequences, 3, "three sequences")
equal({ list[1].text, list[1].score }, { list[1].sequences[1].text, list[1].sequences[1].score }, "the best one first")
for i, s in ipairs(list[1].sequences) do
  equal(s.tokens, #s.ids - 1, "tokens of sequence " .. i)
  check.ok(i == 1 or s.score <= list[1].sequences[i - 1].score, "sequence %d has a higher score than the one before", i)
end
equal(#lines(select(2, caption("--num-beams", "4", "--num-return-sequences", "3", COFFEE))), 3, "three lines, plain")

-- ---- options change what they should ------------------------------------------------------

local function ids(...)
  local objs = objects(caption("--json", ...))
  return #objs == 1 and table.concat(objs[1].ids, " ") or "nothing", objs[1]
end
local greedy = ids(ROCKET)
check.ok(ids("--num-beams", "4", ROCKET) ~= greedy, "--num-beams changes nothing")
local short = select(2, ids("--max-new-tokens", "3", ROCKET))
equal(short.tokens, 3, "--max-new-tokens")
equal(greedy:sub(1, #table.concat(short.ids, " ")), table.concat(short.ids, " "), "a shorter caption begins the longer one")
for _, penalty in ipairs { "-2", "0", "3" } do
  local text, object = ids("--num-beams", "4", "--length-penalty", penalty, ROCKET)
  equal({ text, object.score }, { ids("--num-beams", "4", "--length-penalty=" .. penalty, ROCKET), object.score }, "--length-penalty in one word")
  local result = model:generate { image = assert(vision.load(ROCKET)), num_beams = 4, length_penalty = tonumber(penalty) }
  equal(text, table.concat(result.ids, " "), "ids with --length-penalty " .. penalty)
  check.near(object.score, result.score, 1e-5, "score with --length-penalty " .. penalty)
end
check.ok(ids("--num-beams", "4", "--length-penalty", "-2", ROCKET) ~= ids("--num-beams", "4", "--length-penalty", "3", ROCKET),
         "--length-penalty changes nothing")
for _, threads in ipairs { "0", "1", "2", "7" } do
  local text, object = ids("--threads", threads, ROCKET)
  equal({ text, object.score }, { greedy, select(2, ids(ROCKET)).score }, "--threads " .. threads)
end
check.ok(select(2, caption("--json", "--length-penalty", "-1e308", COFFEE)):find('"score":null,', 1, true), "a score JSON has no number for")

local blip = assert(lunette.load(BLIP))
local image = assert(vision.load(COFFEE))
for _, prompt in ipairs { "a picture of", "" } do
  status, out, err = run { "caption", "--model", BLIP, "--prompt", prompt, COFFEE }
  equal({ status, out, err }, { 0, blip:caption(image, { prompt = prompt }) .. "\n", "" }, "--prompt " .. prompt)
end
check.ok(blip:caption(image, { prompt = "a picture of" }):find "^a picture of", "the prompt begins the caption")
check.ok(blip:caption(image) ~= blip:caption(image, { prompt = "a picture of" }), "--prompt changes nothing")
local prompted = objects(run { "caption", "--model", BLIP, "--prompt", "a picture of", "--json", COFFEE })[1]
equal(prompted.tokens, #prompted.ids - #blip:start "a picture of", "tokens that were generated")

-- ---- files that cannot be read --------------------------------------------------------------

local bad = command.write("bad.png", "\137PNG\r\n\26\nno more")
status, out, err = caption(COFFEE, bad, "absent.png", "README.md", ROCKET)
equal(status, 1, "status with bad files")
equal(out, ("%s: %s\n%s: %s\n"):format(COFFEE, wanted(COFFEE), ROCKET, wanted(ROCKET)), "the good ones")
local complaints = lines(err)
equal(#complaints, 3, "one line a bad file")
for i, name in ipairs { bad, "absent.png", "README.md" } do
  check.ok(complaints[i]:find("lunette: " .. name .. ": ", 1, true) == 1 and not complaints[i]:find("[.]$"), "%s", complaints[i])
  check.ok(select(2, complaints[i]:gsub(name:gsub("%p", "%%%0"), "")) == 1, "the name twice: %s", complaints[i])
end
equal(complaints[2], "lunette: absent.png: No such file or directory", "an absent file")
equal({ caption("absent.png") }, { 1, "", "lunette: absent.png: No such file or directory\n" }, "a bad file alone")
equal({ run({ "caption", "--model", VED, "-" }, "") }, { 1, "", "lunette: -: not an image: no bytes\n" }, "nothing on standard input")

-- ---- names ------------------------------------------------------------------------------------

for _, name in ipairs {
  "a b.png", "it's \"q\".png", "two\nlines\t.png", "\xff\xfe\xc3.png", "h\u{e9}llo \u{1f600}.png", "100%d %s.png", "a\\b.png", "[x]*?.png",
} do
  local path = command.copy(COFFEE, name)
  status, out, err = caption(path)
  equal({ status, out, err }, { 0, wanted(COFFEE) .. "\n", "" }, name)
  list = objects(caption("--json", path))
  equal(#list, 1, "one line for " .. name)
  if utf8.len(name) then equal(list[1].file, path, "name in JSON")
  else equal(list[1].file, command.temporary .. "/\u{fffd}\u{fffd}\u{fffd}.png", "bytes that are no UTF-8") end
  local absent = path .. "x"
  status, out, err = caption(absent)
  equal({ status, out, #lines(err) }, { 1, "", 1 }, "absent: " .. name)
  check.ok(err:find(": No such file or directory\n$"), "%s", err)
end

-- ---- models that cannot be opened ------------------------------------------------------------------

equal({ run { "caption", "--model", "absent", COFFEE } }, { 3, "", "lunette: absent: not a directory\n" }, "no such model")
status, out, err = run { "caption", "--model", "tests/data", COFFEE }
equal({ status, out }, { 3, "" }, "no model in the directory")
check.ok(err:find "^lunette: tests/data/config.json: ", "%s", err)
for _, missing in ipairs { "tokenizer.json", "preprocessor_config.json" } do
  local dir = command.temporary .. "/without_" .. missing
  assert(os.execute(("cp -r '%s' '%s' && rm -f '%s/%s'"):format(VED, dir, dir, missing)))
  equal({ run { "caption", "--model", dir, COFFEE } }, { 3, "", ("lunette: %s holds no %s\n"):format(dir, missing) }, missing)
end
status, out, err = caption("--num-return-sequences", "2", COFFEE)
equal({ status, out, err }, { 2, "", "lunette: num_return_sequences is 2, wanted at most num_beams, which is 1\n" }, "more sequences than beams")

-- ---- results that nobody takes ----------------------------------------------------------------------

local line = ('"$LUNETTE" caption --model %s %s %s'):format(VED, COFFEE, ROCKET)
status, out, err = shell(line .. " >/dev/full")
equal({ status, out, err }, { 1, "", "lunette: cannot write the results: No space left on device\n" }, "a full disk")
status, out, err = shell(line .. " >&-")
equal({ status, out, err }, { 1, "", "lunette: cannot write the results: Bad file descriptor\n" }, "stdout is closed")
equal({ shell(line .. " 2>&- <&-") },
      { 0, ("%s: %s\n%s: %s\n"):format(COFFEE, wanted(COFFEE), ROCKET, wanted(ROCKET)), "" }, "stdin and stderr are closed")

check.finish()
