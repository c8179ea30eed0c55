-- cli/info.lua - lunette info DIR: what a model directory holds.
local lunette = require "lunette"
local report  = require "lunette.cli.report"

local info = { summary = "Show what a model directory holds." }

function info.setup(parser)
  parser:argument("model", "Model directory (Hugging Face layout).")
  parser:flag("--json", "As one JSON object.")
end

-- Tensors, parameters and element types of the weights.
local function count(weights)
  local tensors, parameters, types = 0, 0, {}
  for _, name in ipairs(weights.file:names()) do
    local dtype, shape = weights.file:about(name)
    local n = 1
    for _, d in ipairs(shape) do n = n * d end
    tensors, parameters = tensors + 1, parameters + n
    types[dtype] = (types[dtype] or 0) + n
  end
  local list = {}
  for dtype in pairs(types) do list[#list + 1] = dtype end
  table.sort(list, function (a, b) return types[a] > types[b] end)
  return tensors, parameters, list
end

function info.run(options)
  local model, message = lunette.load(options.model)
  if not model then return report.fail(3, "%s", message) end
  local c = model.config
  local weights = assert(require "lunette.weights".open(options.model))
  local tensors, parameters, types = count(weights)
  local fields = {
    { "model", options.model }, { "model_type", c.model_type },
    { "encoder", c.encoder and c.encoder.model_type or c.vision_config and c.vision_config.model_type },
    { "decoder", c.decoder and c.decoder.model_type or c.text_config and c.text_config.model_type },
    { "tasks", table.concat(model.tasks, ", ") }, { "weights", weights.path }, { "tensors", tensors },
    { "parameters", parameters }, { "dtypes", table.concat(types, ", ") },
    { "vocab_size", model.tokenizer and model.tokenizer:vocab_size() },
    { "image_processor", model.image_processor and model.image_processor.kind },
  }
  if options.json then
    print(report.encode(report.object(fields)))
    return 0
  end
  for _, pair in ipairs(fields) do
    if pair[2] ~= nil then print(("%-16s %s"):format(pair[1], pair[2])) end
  end
  return 0
end

return info
