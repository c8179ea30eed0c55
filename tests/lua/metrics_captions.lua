-- metrics_captions.lua - BLEU, ROUGE-L and CIDEr against coco-caption's values, by the module and
-- by scripts/score.lua; reading of caption files.
-- usage, from the root of the repository:  lua5.4 tests/lua/metrics_captions.lua
package.path = "lua/?.lua;" .. package.path
local cjson   = require "cjson"
local metrics = require "lunette.metrics"

local passed, failed, skipped = 0, 0, 0

local function check(name, got, wanted)
  if got == wanted then
    passed = passed + 1
  else
    failed = failed + 1
    print(("%s: got %s, wanted %s"):format(name, got, wanted))
  end
end

local function shown(scores, digits)
  local list = { scores.bleu[1], scores.bleu[2], scores.bleu[3], scores.bleu[4], scores.rouge_l, scores.cider }
  for i, v in ipairs(list) do list[i] = ("%." .. digits .. "f"):format(v) end
  return table.concat(list, " ")
end

-- nlg-eval's example: values in its README
local function lines(name)
  local list = {}
  for line in io.lines("tests/data/caption_metrics/" .. name) do list[#list + 1] = metrics.split(line) end
  return list
end
local hypotheses, first, second, references = lines "hyp.txt", lines "ref1.txt", lines "ref2.txt", {}
for i in ipairs(hypotheses) do references[i] = { first[i], second[i] } end
check("nlg-eval's example", shown(metrics.score(hypotheses, references), 6),
  "0.550000 0.428174 0.284043 0.201143 0.522104 1.242192")

-- corners worked by hand
local function score(caption, ...)
  local list = { ... }
  for i, text in ipairs(list) do list[i] = metrics.split(text) end
  return metrics.score({ metrics.split(caption) }, { list })
end
check("counts are clipped", ("%.4f"):format(score("the the the", "the cat").bleu[1]), "0.3333")
check("a short caption pays", ("%.4f"):format(score("a b", "a b c d").bleu[1]), ("%.4f"):format(math.exp(-1)))
check("of two lengths as close the shorter counts", ("%.4f"):format(score("a b c", "a b", "a b c d").bleu[1]), "1.0000")
check("one picture has no rare words", score("a b c d", "a b c d").cider, 0.0)
check("nothing in common", score("a b", "c d").rouge_l, 0.0)
check("an empty caption", ("%.4f"):format(score("", "c d").rouge_l), "0.0000")
check("words", table.concat(metrics.words "A dog's red, snow-covered \"T-shirt\" - it 's caf\xC3\xA9 .", " "),
  "a dog's red snow-covered t-shirt it 's caf\xC3\xA9")
for message, arguments in pairs {
  ["score: no captions"] = { {}, {} },
  ["score: 1 captions, but references for 0"] = { { {} }, {} },
  ["score: caption 1 has no reference"] = { { {} }, { {} } },
} do
  local ok, got = pcall(metrics.score, arguments[1], arguments[2])
  check("refused", not ok and got, message)
end

-- files
local folder = os.getenv "TMPDIR" or "/tmp"
local function write(name, text)
  local path = ("%s/metrics_captions_%s"):format(folder, name)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  return path
end
local function read_text(text)
  local path = write("file", text)
  local captions, message = metrics.captions.read(path)
  os.remove(path)
  return captions or message:sub(#path + 1)
end
local csv = read_text('\xEF\xBB\xBFid,file_name,text\r\n1,photos/a.jpg,"Two dogs, one ""big"""\r\n2,a.jpg,plain\r\n\r\n' ..
  '3,b.jpg,"on two\nlines"\r\n4,c.jpg,')
check("CSV: names in order", table.concat(csv, " "), "a.jpg b.jpg c.jpg")
check("CSV: quotes", csv["a.jpg"][1], 'Two dogs, one "big"')
check("CSV: several captions", csv["a.jpg"][2], "plain")
check("CSV: a line break in quotes", csv["b.jpg"][1], "on two\nlines")
check("CSV: an empty field at the end", csv["c.jpg"][1], "")
local json = read_text '{"file":"x/a.jpg","text":"one","score":-1.5}\n{"file":"b.jpg","text":"two"}\n'
check("JSON lines", json["a.jpg"][1] .. json["b.jpg"][1], "onetwo")
check("CSV: open quote", read_text 'file_name,text\na,"b\n', ": row 2: a quote is not closed")
check("CSV: text after quotes", read_text 'file_name,text\na,"b"c\n', ": row 2: text after a closing quote")
check("CSV: no header", read_text "a.jpg,text\n", ": the first row names no file_name and text")
check("CSV: short row", read_text "file_name,text\na.jpg\n", ": row 2 has 1 fields, wanted file_name and text")
check("JSON lines: no text", read_text '{"file":"a"}\n', ": line 1 holds no file and text")
check("empty file", read_text "", ": empty file")
check("no file", select(3, metrics.captions.read(folder .. "/not there")), "io")

-- the command
local function run(...)
  local words = { "lua5.4", "scripts/score.lua", ... }
  for i, word in ipairs(words) do words[i] = "'" .. word .. "'" end
  local pipe = assert(io.popen(table.concat(words, " ") .. " 2>&1"))
  local text = pipe:read "a"
  return text, select(3, pipe:close())
end
local captions = write("captions.jsonl", '{"file":"a.jpg","text":"a dog runs"}\n{"file":"d/b.jpg","text":"a red boat"}\n')
local whole = write("whole.csv", "file_name,text\na.jpg,A dog runs .\na.jpg,The dog is running .\nb.jpg,A boat\n")
local part = write("part.csv", "file_name,text\na.jpg,A dog runs .\nc.jpg,A cat\n")
local text, status = run(captions, whole)
check("score.lua: all matched", text:match "[^\n]*", "2 of 2 captions matched, 2 of 2 references")
check("score.lua: status", status, 0)
text, status = run(captions, part, "--json")
for _, name in ipairs { "b.jpg", "c.jpg" } do
  check("score.lua: names what is missing", text:find("score.lua: " .. name .. ": missing in ", 1, true) ~= nil, true)
end
check("score.lua: status of a part", status, 1)
check("score.lua: --json", cjson.decode(text:match "{.*}").matched, 1)
text, status = run(captions, captions .. ".none")
check("score.lua: no file", status, 2)
check("score.lua: why", text:find("No such file", 1, true) ~= nil, true)
for _, path in ipairs { captions, whole, part } do os.remove(path) end

-- the rows of the model card, from the captions that transformers gave
local photos = metrics.captions.read "../shared/data/photos/captions.csv"
local file <close> = io.open "../shared/model/expected_captions.json"
if photos and file then
  local expected = cjson.decode(file:read "a")
  local function card(kind)
    local said, wanted = {}, {}
    for i, name in ipairs(photos) do
      said[i], wanted[i] = metrics.words(expected[name][kind]), {}
      for j, reference in ipairs(photos[name]) do wanted[i][j] = metrics.words(reference) end
    end
    return shown(metrics.score(said, wanted), 4)
  end
  check("model card, greedy", card "greedy", "0.5569 0.3797 0.2556 0.1698 0.4273 0.4109")
  check("model card, beam 3", card "beam3", "0.5851 0.4070 0.2803 0.1931 0.4327 0.4553")
else
  skipped = 1
  print("skip model card: ../shared has no photos")
end

print(("%d passed, %d failed, %d skipped"):format(passed, failed, skipped))
os.exit(failed == 0)
