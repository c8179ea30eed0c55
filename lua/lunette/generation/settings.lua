-- settings.lua - options of generation: checked, merged, made definite.
--
-- Names and rules are those of transformers' GenerationConfig.  An option that would
-- change the output and is not supported is an error by name, never passed over.

-- ---- checks: value -> the value to use, or nil and what was wanted ----------------

local function whole(least)
  return function (v)
    local n = type(v) == "number" and math.tointeger(v)
    if n and n >= least then return n end
    return nil, ("a whole number of at least %d"):format(least)
  end
end

local id = whole(0)

local function number(v)
  if type(v) == "number" and v == v then return v + 0.0 end
  return nil, "a number"
end

local function above_zero(v)
  if type(v) == "number" and v > 0 then return v + 0.0 end
  return nil, "a number above 0"
end

local function early_stopping(v)
  if type(v) == "boolean" or v == "never" then return v end
  return nil, "true, false or \"never\""
end

-- Published configs hold -1 for "no token": it matches none, so every whole number will do.
local function list_of_ids(v)
  local list = {}
  for i, item in ipairs(type(v) == "table" and v or { v }) do
    list[i] = type(item) == "number" and math.tointeger(item) or nil
    if not list[i] then return nil, "a token id or a list of them" end
  end
  return list
end

local function word(v)
  local list = type(v) == "table" and #v > 0 and {}
  for i = 1, list and #v or 0 do
    list[i] = id(v[i])
    if not list[i] then return nil end
  end
  return list or nil
end

local function words(v)
  local list = {}
  for i, item in ipairs(type(v) == "table" and v or { v }) do
    list[i] = word(item)
    if not list[i] then return nil, "a list of lists of token ids" end
  end
  return list
end

-- A sequence given twice counts with its last bias.
local function biases(v)
  local list, place = {}, {}
  for _, item in ipairs(type(v) == "table" and v or { v }) do
    local ids = type(item) == "table" and word(item[1])
    if not ids or not number(item[2]) then return nil, "a list of { token ids, bias }" end
    local key = table.concat(ids, " ")
    place[key] = place[key] or #list + 1
    list[place[key]] = { ids = ids, bias = number(item[2]) }
  end
  return list
end

-- ---- the options -----------------------------------------------------------------

local supported = {
  max_length = whole(1), max_new_tokens = whole(1), min_length = whole(0), min_new_tokens = whole(0),
  num_beams = whole(1), num_return_sequences = whole(1), early_stopping = early_stopping, length_penalty = number,
  repetition_penalty = above_zero, no_repeat_ngram_size = whole(0), encoder_no_repeat_ngram_size = whole(0),
  bad_words_ids = words, sequence_bias = biases, suppress_tokens = list_of_ids, begin_suppress_tokens = list_of_ids,
  forced_bos_token_id = id, forced_eos_token_id = list_of_ids, eos_token_id = list_of_ids,
}

local defaults = {
  min_length = 0, num_beams = 1, num_return_sequences = 1, early_stopping = false, length_penalty = 1.0,
  repetition_penalty = 1.0, no_repeat_ngram_size = 0, encoder_no_repeat_ngram_size = 0,
}

local DEFAULT_NEW_TOKENS = 20      -- without max_length and max_new_tokens

-- Options that are not there yet, with the values at which they do nothing.
local unsupported = {
  do_sample = false, num_beam_groups = 1, diversity_penalty = 0, penalty_alpha = 0, guidance_scale = 1,
  encoder_repetition_penalty = 1, renormalize_logits = false, remove_invalid_values = false, token_healing = false,
  low_memory = false, use_mtp = false,
}
for _, name in ipairs {
  "exponential_decay_length_penalty", "watermarking_config", "constraints", "force_words_ids", "dola_layers", "max_time",
  "stop_strings", "prompt_lookup_num_tokens", "assistant_early_exit", "speculation_type", "prefix_allowed_tokens_fn",
  "assistant_model", "logits_processor", "stopping_criteria", "negative_prompt_ids", "streamer",
} do unsupported[name] = "none" end

-- Options without influence on ids and scores; those of sampling while do_sample is false.
local harmless = {}
for name in ([[
  bos_token_id pad_token_id decoder_start_token_id use_cache cache_implementation cache_config max_cache_len
  output_scores output_logits output_attentions output_hidden_states return_dict_in_generate
  temperature top_k top_p min_p top_h typical_p epsilon_cutoff eta_cutoff
  is_assistant num_assistant_tokens num_assistant_tokens_schedule assistant_confidence_threshold max_matching_ngram_size
  assistant_lookbehind target_lookbehind assistant_ensemble_weight compile_config disable_compile prefill_chunk_size
  continuous_batching_config synced_gpus
  transformers_version _from_model_config _commit_hash generation_kwargs
]]):gmatch "%S+" do harmless[name] = true end

local function shown(v)
  if type(v) == "table" then return "a table" end
  return type(v) == "string" and ("%q"):format(v) or tostring(v)
end

-- 'strict': a name nobody knows is an error.  transformers keeps such entries of a
-- generation_config.json and does nothing with them; in a call it raises.
local function merge(into, options, strict)
  for name, value in pairs(options) do
    local check = supported[name]
    if check then
      local checked, wanted = check(value)
      if checked == nil then error(("%s is %s, wanted %s"):format(name, shown(value), wanted), 0) end
      into[name] = checked
    elseif unsupported[name] ~= nil then
      into[name] = value
    elseif strict and not harmless[name] then
      error(("unknown generation option %q"):format(tostring(name)), 0)
    end
  end
end

local function check_supported(settings)
  for name, neutral in pairs(unsupported) do
    local value = settings[name]
    if value ~= nil and value ~= neutral then error(("unsupported generation option %q"):format(name), 0) end
    settings[name] = nil
  end
end

local function check_together(settings)
  local sequences, beams = settings.num_return_sequences, settings.num_beams
  if sequences > beams then
    error(("num_return_sequences is %d, wanted at most num_beams, which is %d"):format(sequences, beams), 0)
  end
  if settings.prompt_length >= settings.max_length then
    error(("max_length is %d, wanted more than the %d start ids"):format(settings.max_length, settings.prompt_length), 0)
  end
  local suppressed = {}
  for _, token in ipairs(settings.suppress_tokens or {}) do suppressed[token] = true end
  for _, name in ipairs { "forced_bos_token_id", "forced_eos_token_id" } do
    local free = settings[name] == nil
    for _, token in ipairs(list_of_ids(settings[name])) do free = free or not suppressed[token] end
    if not free then error(("%s is also in suppress_tokens, which leaves no token"):format(name), 0) end
  end
end

-- settings(config, arguments, prompt_length [, max_position_embeddings]) -> a table of definite values
--
--   config                   generation_config.json as a table
--   arguments                those of the call, which win
--   prompt_length            start ids an input, which max_length and min_length count in
--   max_position_embeddings  of the model's config, where it has one: bounds the default length
--
-- Raises what is wrong, by name.
local function resolve(config, arguments, prompt_length, max_position_embeddings)
  local settings = { prompt_length = prompt_length }
  merge(settings, defaults, true)
  merge(settings, config, false)
  merge(settings, arguments, true)
  check_supported(settings)
  if settings.max_new_tokens then
    settings.max_length = prompt_length + settings.max_new_tokens
  elseif not settings.max_length then
    settings.max_length = math.min(prompt_length + DEFAULT_NEW_TOKENS, max_position_embeddings or math.maxinteger)
  end
  if settings.min_new_tokens then settings.min_length = prompt_length + settings.min_new_tokens end
  check_together(settings)
  settings.is_eos = {}
  for _, token in ipairs(settings.eos_token_id or {}) do settings.is_eos[token] = true end
  return settings
end

-- Every option that says something about ids and scores, supported or not.
local names = {}
for _, list in ipairs { supported, unsupported } do
  for name in pairs(list) do names[#names + 1] = name end
end

return { resolve = resolve, names = names }
