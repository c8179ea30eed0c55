-- generate_settings.lua - options of generation: which win, which are refused and how; what leaves the batch.
package.path = "lua/?.lua;tests/lua/?.lua;" .. package.path
package.loaded.lunette = require "toy_tensor"
local generate    = require "lunette.generate"
local toy_decoder = require "toy_decoder"

local passed, failed = 0, 0

local function check(name, got, wanted)
  if got == wanted then
    passed = passed + 1
  else
    failed = failed + 1
    print(("%s: got %s, wanted %s"):format(name, got, wanted))
  end
end

local function refused(config, arguments, wanted)
  local ok, message = pcall(generate.settings, config, arguments, 1)
  check("refused", not ok and message, wanted)
end

-- lengths
local function max_length(config, arguments, prompt, positions)
  return generate.settings(config, arguments, prompt, positions).max_length
end
check("default: 20 new tokens", max_length({}, {}, 3), 23)
check("default within the model's positions", max_length({}, {}, 3, 16), 16)
check("max_length counts the prompt", max_length({ max_length = 10 }, {}, 3), 10)
check("positions do not bound a given max_length", max_length({ max_length = 10 }, {}, 3, 8), 10)
check("max_new_tokens", max_length({}, { max_new_tokens = 7 }, 3), 10)
check("max_new_tokens of the config wins over max_length of the call", max_length({ max_new_tokens = 7 }, { max_length = 5 }, 3), 10)
check("min_new_tokens wins over min_length", generate.settings({ min_length = 9 }, { min_new_tokens = 2 }, 3).min_length, 5)
check("the call wins", generate.settings({ num_beams = 4 }, { num_beams = 2 }, 1).num_beams, 2)
check("whole floats are integers", math.type(generate.settings({ num_beams = 4.0 }, {}, 1).num_beams), "integer")

-- refusals
refused({ do_sample = true }, {}, 'unsupported generation option "do_sample"')
refused({}, { num_beam_groups = 2 }, 'unsupported generation option "num_beam_groups"')
refused({}, { penalty_alpha = 0.6 }, 'unsupported generation option "penalty_alpha"')
refused({}, { stop_strings = { "." } }, 'unsupported generation option "stop_strings"')
refused({}, { num_beam = 2 }, 'unknown generation option "num_beam"')
refused({}, { num_beams = 0 }, "num_beams is 0, wanted a whole number of at least 1")
refused({}, { num_beams = 2.5 }, "num_beams is 2.5, wanted a whole number of at least 1")
refused({}, { max_new_tokens = "ten" }, 'max_new_tokens is "ten", wanted a whole number of at least 1')
refused({}, { early_stopping = "always" }, 'early_stopping is "always", wanted true, false or "never"')
refused({}, { repetition_penalty = 0 }, "repetition_penalty is 0, wanted a number above 0")
refused({}, { num_return_sequences = 3, num_beams = 2 }, "num_return_sequences is 3, wanted at most num_beams, which is 2")
refused({}, { num_return_sequences = 2 }, "num_return_sequences is 2, wanted at most num_beams, which is 1")
refused({ max_length = 1 }, {}, "max_length is 1, wanted more than the 1 start ids")
refused({}, { forced_bos_token_id = 3, suppress_tokens = { 3 } }, "forced_bos_token_id is also in suppress_tokens, which leaves no token")
refused({}, { eos_token_id = { "x" } }, "eos_token_id is a table, wanted a token id or a list of them")
refused({}, { bad_words_ids = { {} } }, "bad_words_ids is a table, wanted a list of lists of token ids")
refused({}, { sequence_bias = { { { 1 } } } }, "sequence_bias is a table, wanted a list of { token ids, bias }")

-- accepted: neutral values, options of sampling without sampling, entries of a config that nobody reads
check("harmless", pcall(generate.settings, { do_sample = false, temperature = 0.6, top_k = 4, transformers_version = "4.30.0",
  chat_format = "x", bos_token_id = 1, num_beam_groups = 1 }, { output_scores = true, use_cache = false }, 1), true)

-- ids the model does not have
local model = { vocab = 20, table = 97, seed = 5, boosted = { 1 }, boost = 2 }
local function run(start, options, step)
  options.eos_token_id = options.eos_token_id or 1
  return generate.run(step or toy_decoder(model), start, generate.settings({}, options, #start[1]))
end
local outside = { bad_words_ids = { { 3, 20 } }, forced_bos_token_id = 20, forced_eos_token_id = { 20 }, sequence_bias = { { { 20 }, 1.0 } } }
for name, value in pairs(outside) do
  local ok, message = pcall(run, { { 0 } }, { [name] = value, max_new_tokens = 1 })
  check(name, not ok and message, name .. " holds token id 20, but the model has 20")
end
check("suppressed ids outside the vocabulary match nothing",
  pcall(run, { { 0 } }, { suppress_tokens = { -1, 99 }, eos_token_id = { 1, -1 }, min_length = 4 }), true)

-- A row's result does not depend on the others, and a finished row costs nothing more.
local start = { { 0, 3 }, { 4, 5 }, { 6, 7 }, { 8, 9 } }
for _, beams in ipairs { 1, 3 } do
  local step, alone, longest = toy_decoder(model), 0, 0
  local together = run(start, { num_beams = beams, max_new_tokens = 30 }, step)
  for i, ids in ipairs(start) do
    local single_step = toy_decoder(model)
    local single = run({ ids }, { num_beams = beams, max_new_tokens = 30 }, single_step)
    check("ids of a row", table.concat(together[i].sequences[1].ids, " "), table.concat(single[1].sequences[1].ids, " "))
    check("score of a row", together[i].sequences[1].score, single[1].sequences[1].score)
    alone, longest = alone + single_step.evaluated, math.max(longest, single_step.evaluated)
  end
  check("rows evaluated together are those evaluated alone", step.evaluated, alone)
  check("not all rows take the longest's steps", alone < longest * #start, true)
  check("the prompt is evaluated once an input", (longest - 1) % beams, 0)
end

local ok, message = pcall(generate.run, toy_decoder(model), { { 0 }, { 1, 2 } }, generate.settings({}, {}, 1))
check("unequal prompts", not ok and message, "generate: start ids of input 2 are 2, wanted 1 as in the settings")

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
