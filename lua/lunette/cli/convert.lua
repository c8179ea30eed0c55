-- cli/convert.lua - lunette convert: a model directory in another number type or file format.
local report = require "lunette.cli.report"

local convert = { summary = "Convert or quantise a model directory." }

function convert.setup(parser)
  parser:argument("source", "Model directory (Hugging Face layout).")
  parser:argument("target", "Folder to make.")
  parser:option("--dtype", "Number type of the matrices."):choices { "f32", "f16", "bf16", "q8_0" }:default "q8_0"
  parser:option("--format", "File format; gguf for q8_0, else safetensors."):choices { "gguf", "safetensors" }
end

function convert.run(options)
  local ok, message = require "lunette.convert".convert(options.source, options.target, { dtype = options.dtype, format = options.format })
  if not ok then return report.fail(3, "%s", message) end
  return 0
end

return convert
