-- usage.lua - help, version, and what is said of wrong usage.
local check   = require "check"
local command = require "tests.cli.command"

local equal, run = check.equal, command.run

local COMMANDS = { "caption", "tokenize", "info", "convert", "run", "job" }

local status, out, err = run { "--version" }
equal({ status, out, err }, { 0, "lunette " .. require "lunette".version .. "\n", "" }, "--version")

local help
status, help, err = run { "--help" }
equal({ status, err }, { 0, "" }, "--help")
for _, name in ipairs(COMMANDS) do
  check.ok(help:find("\n   " .. name .. " +%u"), "--help does not list %s", name)
  status, out, err = run { name, "--help" }
  equal({ status, err }, { 0, "" }, name .. " --help")
  check.ok(out:find("^Usage: lunette " .. name), "%s --help begins %q", name, out:sub(1, 40))
  equal(select(2, run { name, "-h" }), out, name .. " -h")
end
for name in help:match "Commands:\n(.*)$":gmatch "\n?   (%l+)" do
  check.ok((" " .. table.concat(COMMANDS, " ") .. " "):find(" " .. name .. " ", 1, true), "--help lists %s, which this test does not know", name)
end

-- wrong usage: status 2, nothing on stdout, what is wrong and where help is on stderr
for _, case in ipairs {
  { {}, "a command is required", "lunette" },
  { { "nonsense" }, "unknown command 'nonsense'", "lunette" },
  { { "--nonsense" }, "unknown option '--nonsense'", "lunette" },
  { { "caption" }, "missing argument 'input'", "lunette caption" },
  { { "caption", "--nonsense", "x.png" }, "unknown option '--nonsense'", "lunette caption" },
  { { "caption", "--num-beams", "0", "x.png" }, "\"0\" is not a whole number of at least 1", "lunette caption" },
  { { "caption", "--num-beams", "-2", "x.png" }, "\"-2\" is not a whole number of at least 1", "lunette caption" },
  { { "caption", "--num-beams", "two", "x.png" }, "\"two\" is not a whole number of at least 1", "lunette caption" },
  { { "caption", "--num-beams", "1.5", "x.png" }, "\"1.5\" is not a whole number of at least 1", "lunette caption" },
  { { "caption", "--max-new-tokens", "0", "x.png" }, "\"0\" is not a whole number of at least 1", "lunette caption" },
  { { "caption", "--length-penalty", "much", "x.png" }, "\"much\" is not a number", "lunette caption" },
  { { "caption", "--length-penalty", "1e999", "x.png" }, "\"1e999\" is not a number", "lunette caption" },
  { { "caption", "--threads", "5000", "x.png" }, "\"5000\" is not a whole number from 0 to 256", "lunette caption" },
  { { "caption", "--model" }, "option '--model' requires an argument", "lunette caption" },
  { { "caption", "x.png", "--out", "a.txt" }, "a.txt: an output's name ends in .jsonl, .csv, .db, .sqlite or .html", "lunette caption" },
  { { "info" }, "missing argument 'model'", "lunette info" },
  { { "tokenize" }, "missing argument 'model'", "lunette tokenize" },
  { { "convert", "x" }, "missing argument 'target'", "lunette convert" },
  { { "convert", "x", "y", "--dtype", "int4" }, "must be one of 'f32', 'f16', 'bf16', 'q8_0'", "lunette convert" },
  { { "run" }, "missing argument 'script'", "lunette run" },
} do
  status, out, err = run(case[1])
  local what = "lunette " .. table.concat(case[1], " ")
  equal({ status, out }, { 2, "" }, what)
  check.ok(err:find("^lunette: ") and err:find(case[2], 1, true), "%s: %s", what, err)
  check.ok(err:sub(-#case[3] - 14) == "\nTry: " .. case[3] .. " --help\n", "%s: the hint is missing: %s", what, err)
  check.ok(not err:find "traceback", "%s: a traceback: %s", what, err)
end

check.finish()
