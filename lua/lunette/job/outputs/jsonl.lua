-- job/outputs/jsonl.lua - captions.jsonl: one JSON object a line, as lunette.job.record makes it.
local lines  = require "lunette.job.outputs.lines"
local record = require "lunette.job.record"

local KIND = { header = "", newline = "\n", format = function (_, r) return record.json(r) .. "\n" end }

return { open = function (path, settings) return lines.open(path, settings, KIND) end }
