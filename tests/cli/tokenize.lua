-- tokenize.lua - lunette tokenize, both directions, plain and JSON, with lines nobody would type.
local cjson   = require "cjson"
local text    = require "lunette".text
local check   = require "check"
local command = require "tests.cli.command"

local equal, run = check.equal, command.run

local GPT2, BERT = "tests/data/tokenizers/gpt2", "tests/data/tokenizers/bert-base-uncased"
local gpt2 = assert(text.load(GPT2 .. "/tokenizer.json"))
local bert = assert(text.load(BERT .. "/tokenizer.json"))

local function join(ids) return table.concat(ids, " ") end

local LINES = {
  "a dog", "", " ", "  two  spaces  ", "h\u{e9}llo w\u{f6}rld", "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}", "e\u{301}\u{323}", "\u{1e9e}\u{130}",
  "\u{4e2d}\u{6587} \u{3042}", "\u{202e}\u{feff}", "<|endoftext|>", "[CLS] [SEP] [MASK]", "\ttab", "\xff\xc3", "nul\0byte", ("x"):rep(5000),
  "1234567890", "I'm, you'll; it's.", "\u{10ffff}\u{e000}",
}

-- ---- plain ------------------------------------------------------------------------------

for dir, tokenizer in pairs { [GPT2] = gpt2, [BERT] = bert } do
  local want, back, decoded = {}, {}, {}
  for i, line in ipairs(LINES) do
    local ids = tokenizer:encode(line)
    want[i], back[i] = join(ids), tokenizer:decode(ids, { skip_special_tokens = true })
    decoded[i] = tokenizer:decode(ids, { skip_special_tokens = false })
  end
  local input = table.concat(LINES, "\n") .. "\n"
  local ids = table.concat(want, "\n") .. "\n"
  equal({ run({ "tokenize", dir }, input) }, { 0, ids, "" }, dir)
  equal({ run({ "tokenize", dir .. "/tokenizer.json" }, input) }, { 0, ids, "" }, dir .. "/tokenizer.json")
  equal({ run({ "tokenize", dir, "--decode" }, ids) }, { 0, table.concat(back, "\n") .. "\n", "" }, dir .. " --decode")
  if dir == BERT then
    equal({ run({ "tokenize", dir, "--decode", "--keep-special-tokens" }, ids) }, { 0, table.concat(decoded, "\n") .. "\n", "" }, "special tokens")
    check.ok(decoded[1] == "[CLS] a dog [SEP]", "special tokens: %s", decoded[1])
  end
end
equal({ run({ "tokenize", GPT2 }, "a dog") }, { 0, "64 3290\n", "" }, "a line without its end")
equal({ run({ "tokenize", GPT2 }, "") }, { 0, "", "" }, "no lines")
equal({ run({ "tokenize", GPT2, "--decode" }, " 64\t3290 \r\n") }, { 0, "a dog\n", "" }, "blanks between ids")

-- ---- JSON --------------------------------------------------------------------------------

do
  local strings, arrays, texts = {}, {}, {}
  for i, line in ipairs(LINES) do
    local ids = bert:encode(line)
    strings[i] = cjson.encode(line)
    arrays[i] = "[" .. table.concat(ids, ",") .. "]"
    texts[i] = bert:decode(ids, { skip_special_tokens = true })
  end
  equal({ run({ "tokenize", BERT, "--json" }, table.concat(strings, "\n") .. "\n") }, { 0, table.concat(arrays, "\n") .. "\n", "" }, "--json")
  local status, out, err = run({ "tokenize", BERT, "--json", "--decode" }, table.concat(arrays, "\n") .. "\n")
  equal({ status, err }, { 0, "" }, "--json --decode")
  for i, line in ipairs(command.lines(out)) do
    check.ok(utf8.len(line), "line %d is not UTF-8", i)
    equal(cjson.decode(line), texts[i], "text of line " .. i)
  end
  equal(#command.lines(out), #LINES, "as many lines out as in")
end
equal({ run({ "tokenize", GPT2, "--json" }, '"\\ud83d\\ude00\\u0000\\n"\n') },
      { 0, "[" .. join(gpt2:encode "\u{1f600}\0\n"):gsub(" ", ",") .. "]\n", "" }, "escapes")
equal({ run({ "tokenize", GPT2, "--json", "--decode" }, "[]\n[64, 3290.0]\n[198]\n") }, { 0, '""\n"a dog"\n"\\n"\n', "" }, "arrays")
equal({ run({ "tokenize", GPT2, "--json", "--decode" }, "[160]\n") }, { 0, '"\u{fffd}"\n', "" }, "a byte that is no character")

-- ---- lines that are wrong ---------------------------------------------------------------------

-- Each is answered on stderr with its number, those around it as ever.
local function wrong(words, around, answer, input, complaint)
  local status, out, err = run(words, around .. "\n" .. input .. "\n" .. around .. "\n")
  local what = ("%s of %q"):format(table.concat(words, " "), input)
  equal({ status, out }, { 1, answer .. "\n" .. answer .. "\n" }, what)
  check.ok(#command.lines(err) == 1 and err:find("lunette: line 2: " .. complaint, 1, true) == 1, "%s: %s", what, err)
end

for input, complaint in pairs {
  [""] = "Expected value but found T_END", ["null"] = "wanted a JSON string", ["5"] = "wanted a JSON string", ["[1]"] = "wanted a JSON string",
  ['"\\ud83d"'] = "Expected value but found invalid unicode", ['"open'] = "Expected value but found", ['"a" "b"'] = "Expected the end",
  ["plain"] = "Expected value but found invalid token", ["false"] = "wanted a JSON string", ["{}"] = "wanted a JSON string",
} do wrong({ "tokenize", GPT2, "--json" }, '"a dog"', "[64,3290]", input, complaint) end
for input, complaint in pairs {
  [""] = "Expected value but found T_END", ["5"] = "wanted an array of ids", ['"a"'] = "wanted an array of ids",
  ['{"a":1}'] = "wanted an array of ids", ["[1,null,2]"] = "null is not a token id", ["[null]"] = "null is not a token id",
  ["[-1]"] = "-1 is not a token id", ["[1.5]"] = "1.5 is not a token id",
  ['["1"]'] = "1 is not a token id", ["[1,[2]]"] = "table: ", ["[1e300]"] = "1e+300 is not a token id", ["null"] = "wanted an array of ids",
} do wrong({ "tokenize", GPT2, "--json", "--decode" }, "[64,3290]", '"a dog"', input, complaint) end
for input, complaint in pairs {
  ["64 dog"] = "dog is not a token id", ["-1"] = "-1 is not a token id", ["1.5"] = "1.5 is not a token id",
  ["64 99999999999999999999"] = "1e+20 is not a token id", ["64,3290"] = "64,3290 is not a token id",
} do wrong({ "tokenize", GPT2, "--decode" }, "64 3290", "a dog", input, complaint) end

-- ---- tokenizers and streams that cannot be read --------------------------------------------------

equal({ run { "tokenize", "absent" } }, { 3, "", "lunette: absent: No such file or directory\n" }, "no such file")
local status, out, err = run { "tokenize", "README.md" }
equal({ status, out }, { 3, "" }, "no tokenizer")
check.ok(#command.lines(err) == 1 and err:find "^lunette: README.md: ", "%s", err)
equal({ command.shell('"$LUNETTE" tokenize ' .. GPT2 .. " </") }, { 1, "", "lunette: standard input: Is a directory\n" }, "a directory as input")
status, out, err = command.shell('"$LUNETTE" tokenize ' .. GPT2 .. " <&-")
check.ok(status == 1 and out == "" and err:find "^lunette: standard input: ", "standard input is closed: %d %s%s", status, out, err)
equal({ command.shell('"$LUNETTE" tokenize ' .. GPT2 .. " >/dev/full", "a dog\n") },
      { 1, "", "lunette: cannot write the results: No space left on device\n" }, "a full disk")

-- a reader that goes away ends it, quietly (SIGPIPE)
status, out, err = command.shell('{ "$LUNETTE" tokenize ' .. GPT2 .. "; echo $? >&2; } | head -n 1", ("a dog\n"):rep(200000))
equal({ status, out, err }, { 0, "64 3290\n", "141\n" }, "a reader that goes away")

check.finish()
