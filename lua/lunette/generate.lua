-- generate.lua - token by token: ids and scores equal to transformers' generate.
--
--   local generate = require "lunette.generate"
--   local settings = generate.settings(model.generation_config, { num_beams = 3 }, #start[1])
--   local results  = generate.run(step, start, settings)
--   results[1].sequences[1].ids, results[1].sequences[1].score
--
-- This file knows no model.  A stepper is what it is given:
--
--   step:logits(ids)     ids: for each live row the list of its new token ids (first the
--                        whole prompt) -> f32 [R, V], the logits of the last position.
--                        It runs inside a scope that closes with the step.
--   step:reorder(index)  the live rows become rows index[1], index[2], ... (from 1) of
--                        those before: beams that change places, rows that are finished
--   step.encoder_ids     may be nil: the encoder's ids of each input, for encoder_no_repeat_ngram_size;
--                        a decoder alone gives its prompts
--
-- A prompt is evaluated once an input, whatever num_beams is.  What is finished leaves
-- the batch; the others' results do not change by it.
--
-- Source of the semantics: transformers 5 (GenerationMixin.generate, GenerationConfig).
local settings   = require "lunette.generation.settings"
local processors = require "lunette.generation.processors"
local greedy     = require "lunette.generation.greedy"
local beam       = require "lunette.generation.beam"

local function check_start(start, prompt_length)
  for i, ids in ipairs(start) do
    if #ids ~= prompt_length then
      error(("generate: start ids of input %d are %d, wanted %d as in the settings"):format(i, #ids, prompt_length), 0)
    end
  end
end

-- run(step, start, settings) -> for each input { sequences = { { ids =, score = }, ... } }, best first
--
--   start     for each input its first ids (a decoder's start token, a prompt); equal lengths
--   ids       begin with those of start, end with the end token where one was reached
--   score     sum of the log-probabilities over (generated tokens ^ length_penalty)
local function run(step, start, chosen)
  check_start(start, chosen.prompt_length)
  local search = chosen.num_beams > 1 and beam or greedy
  return search(step, start, chosen, processors(chosen, step.encoder_ids))
end

return { settings = settings.resolve, options = settings.names, run = run }
