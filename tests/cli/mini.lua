-- mini.lua - the built-in captioner says what the examples show.
local json    = require "lunette.json"
local check   = require "check"
local command = require "tests.cli.command"

local equal, run, lines = check.equal, command.run, command.lines

local EXAMPLES = { "coffee.png", "chelsea.png", "rocket.jpg", "astronaut.png" }

local words = { "caption", "--progress", "none" }
for i, name in ipairs(EXAMPLES) do words[i + 3] = "models/examples/" .. name end
local status, out, err = run(words)
equal({ status, err }, { 0, "" }, "all examples")
local captions = lines(out)
equal(#captions, #EXAMPLES, "a line each")
for i, name in ipairs(EXAMPLES) do
  local path = "models/examples/" .. name
  local text = captions[i]:sub(#path + 3)
  equal(captions[i]:sub(1, #path + 2), path .. ": ", "the name before a caption")
  check.ok(text:find "^%u[%a ,'-]+[%a.]%s*$" and select(2, text:gsub("%a+", "")) >= 3, "no sentence: %q", text)
  equal({ run { "caption", path } }, { 0, text .. "\n", "" }, "the same caption alone")
end
equal(captions[1], "models/examples/coffee.png: A cup of espresso", "the coffee")
for i = 2, #captions do check.ok(captions[i]:match ": (.*)" ~= captions[1]:match ": (.*)", "one caption for all: %s", captions[i]) end

status, out, err = run { "caption", "--json", "--num-beams", "3", "--num-return-sequences", "3", "models/examples/coffee.png" }
equal({ status, err }, { 0, "" }, "three beams")
local object = assert(json.decode(out, "caption"))
equal(#object.sequences, 3, "three captions")
check.ok(object.score < 0 and object.score > -3, "score %g", object.score)
equal(object.tokens, #object.ids - 1, "tokens")
status, out = run { "info", "models/lunette-mini" }
check.ok(status == 0 and out:find "dinov2" and out:find "q8_0", "info: %s", out)

check.finish()
