-- model.lua - lunette info, convert and run.
local json    = require "lunette.json"
local check   = require "check"
local command = require "tests.cli.command"

local equal, run, lines, write = check.equal, command.run, command.lines, command.write

local VED = "tests/data/fixtures/ved_vit_gpt2"

-- ---- info ------------------------------------------------------------------------------

local WANTED = {
  { "model", VED }, { "model_type", "vision-encoder-decoder" }, { "encoder", "vit" }, { "decoder", "gpt2" }, { "tasks", "image-to-text" },
  { "weights", VED .. "/model.safetensors" }, { "tensors", 120 }, { "parameters", 390272 }, { "dtypes", "f32" }, { "vocab_size", 480 },
  { "image_processor", "ViTImageProcessor" },
}
local plain = {}
for i, pair in ipairs(WANTED) do plain[i] = ("%-16s %s\n"):format(pair[1], pair[2]) end
equal({ run { "info", VED } }, { 0, table.concat(plain), "" }, "info")
local status, out, err = run { "info", "--json", VED }
equal({ status, err, #lines(out) }, { 0, "", 1 }, "info --json")
local object = assert(json.decode(out, "info"))
for _, pair in ipairs(WANTED) do equal(object[pair[1]], pair[2], pair[1]) end
equal({ run { "info", "absent" } }, { 3, "", "lunette: absent: not a directory\n" }, "info of nothing")

-- ---- convert ---------------------------------------------------------------------------

local target = command.temporary .. "/small er"
equal({ run { "convert", VED, target } }, { 0, "", "" }, "convert")
status, out, err = run { "info", "--json", target }
equal({ status, err }, { 0, "" }, "info of what was converted")
object = assert(json.decode(out, "info"))
equal({ object.weights, object.dtypes, object.parameters }, { target .. "/model.gguf", "q8_0, f32", 390272 }, "eight bits")
status, out = run { "caption", "--model", target, "models/examples/coffee.png" }
check.ok(status == 0 and #lines(out) == 1, "a caption by what was converted: %d %s", status, out)
equal({ run { "convert", VED, target, "--dtype", "bf16" } }, { 0, "", "" }, "convert to bf16")
check.ok(io.open(target .. "/model.safetensors"), "bf16 is written as safetensors")
equal({ run { "convert", VED, VED } }, { 3, "", ("lunette: %s: the folder to make is the one to convert\n"):format(VED) }, "convert onto itself")
equal({ run { "convert", "absent", target } }, { 3, "", "lunette: absent/config.json: No such file or directory\n" }, "convert nothing")
equal({ run { "convert", VED, target, "--dtype", "q8_0", "--format", "safetensors" } },
      { 3, "", "lunette: safetensors has no type for q8_0, gguf has\n" }, "q8_0 as safetensors")

-- ---- run -------------------------------------------------------------------------------

local script = write("a script.lua", [[
io.write(#arg, " ", arg[0] == ... and "" or tostring(...), "\n")
for i = 1, #arg do io.write(("%q\n"):format(arg[i])) end
print(require "lunette".tensor { 1, 2 }:sum():item())
]])
equal({ run { "run", script, "--help", "a b", "-", "" } },
      { 0, "4 --help\n\"--help\"\n\"a b\"\n\"-\"\n\"\"\n3.0\n", "" }, "a script and its arguments")
equal({ run { "run", write("seven.lua", "return 7") } }, { 7, "", "" }, "a script's status")
equal({ run { "run", write("exit.lua", "io.write 'text' os.exit(4)") } }, { 4, "text", "" }, "os.exit")
equal({ run { "run", write("nothing.lua", "#!/usr/bin/env lua5.4\n") } }, { 0, "", "" }, "an empty script")
status, out, err = run { "run", write("wrong.lua", "local function f() error 'told so' end\nf()") }
equal({ status, out }, { 1, "" }, "a script that fails")
check.ok(err:find("^lunette: .*wrong.lua:1: told so\nstack traceback:\n"), "%s", err)
status, out, err = run { "run", write("syntax.lua", "local = 1") }
equal({ status, out, #lines(err) }, { 2, "", 1 }, "a script that is none")
equal({ run { "run", "absent.lua" } }, { 2, "", "lunette: cannot open absent.lua: No such file or directory\n" }, "no script")
status, out, err = run { "run", "scripts/caption.lua", VED, "models/examples/coffee.png" }
check.ok(status == 0 and err == "" and #lines(out) == 2, "scripts/caption.lua: %d %s%s", status, out, err)

check.finish()
