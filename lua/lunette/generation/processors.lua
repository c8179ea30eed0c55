-- processors.lua - what generation does to the scores of the next token before it chooses.
--
-- A processor is a function (scores, rows, vocab) that edits scores in place:
--
--   scores  f32 [R * V], flat: token id t of row r is at (r - 1) * V + t, from 0
--   rows    the R live rows, each with ids (prompt and generated) and input (which input it continues)
--   vocab   V
--
-- Only the tokens concerned are touched from Lua, not all V.  The list keeps transformers'
-- order (GenerationMixin._get_logits_processor), which matters: a forced token overrides
-- bans before it, a suppressed token overrides the forced one.  Sampling's go at its end.
local lunette = require "lunette"

local function index_of(positions) return lunette.tensor(positions, { dtype = "i64" }) end

local function ban(scores, positions)
  if #positions == 0 then return end
  local index = index_of(positions)
  scores:put(index, scores:pick(index):minimum(-math.huge))
end

-- The same tokens in every row; ids outside the vocabulary match nothing.
local function everywhere(tokens, rows, vocab)
  local positions = {}
  for r = 0, #rows - 1 do
    for _, token in ipairs(tokens) do
      if token >= 0 and token < vocab then positions[#positions + 1] = r * vocab + token end
    end
  end
  return positions
end

local function check_in_vocab(name, tokens, vocab)
  for _, token in ipairs(tokens) do
    if token < 0 or token >= vocab then error(("%s holds token id %d, but the model has %d"):format(name, token, vocab), 0) end
  end
end

local function force(scores, name, tokens, rows, vocab)
  check_in_vocab(name, tokens, vocab)
  scores:assign(-math.huge)
  local positions, zeros = everywhere(tokens, rows, vocab), {}
  for i = 1, #positions do zeros[i] = 0.0 end
  scores:put(index_of(positions), lunette.tensor(zeros))
end

-- Whether ids end with the first 'count' items of 'prefix'.
local function ends_with(ids, prefix, count)
  local offset = #ids - count
  if offset < 0 then return false end
  for i = 1, count do
    if ids[offset + i] ~= prefix[i] then return false end
  end
  return true
end

-- ---- the processors: maker(settings, ...) -> function, or nil where it has nothing to do ----

local function sequence_bias(settings)
  local list = settings.sequence_bias
  return list and function (scores, rows, vocab)
    local positions, values, place = {}, {}, {}
    for r, row in ipairs(rows) do
      for _, item in ipairs(list) do
        local ids = item.ids
        check_in_vocab("sequence_bias", ids, vocab)
        if ends_with(row.ids, ids, #ids - 1) then
          local position = (r - 1) * vocab + ids[#ids]
          local at = place[position] or #positions + 1
          place[position], positions[at], values[at] = at, position, (values[at] or 0.0) + item.bias
        end
      end
    end
    if #positions == 0 then return end
    local index = index_of(positions)
    scores:put(index, scores:pick(index) + lunette.tensor(values))
  end
end

local function repetition_penalty(settings)
  local penalty = settings.repetition_penalty
  return penalty ~= 1 and function (scores, rows, vocab)
    local positions = {}
    for r, row in ipairs(rows) do
      local seen = {}
      for _, token in ipairs(row.ids) do
        if not seen[token] and token < vocab then
          seen[token] = true
          positions[#positions + 1] = (r - 1) * vocab + token
        end
      end
    end
    if #positions == 0 then return end
    local index = index_of(positions)
    local seen = scores:pick(index)
    scores:put(index, seen:minimum(0) * penalty + seen:maximum(0) / penalty)
  end
end

-- Bans each token that would complete an n-gram of 'source' after the end of ids.
local function ban_repeats(positions, base, vocab, ids, source, n)
  if #ids < n - 1 then return end
  local offset = #ids - (n - 1)
  for first = 1, #source - n + 1 do
    local i = 1
    while i < n and source[first + i - 1] == ids[offset + i] do i = i + 1 end
    local token = source[first + n - 1]
    if i == n and token < vocab then positions[#positions + 1] = base + token end
  end
end

-- source(row) -> the ids whose n-grams must not come (again)
local function no_repeat_ngram(n, source)
  return function (scores, rows, vocab)
    local positions = {}
    for r, row in ipairs(rows) do ban_repeats(positions, (r - 1) * vocab, vocab, row.ids, source(row), n) end
    ban(scores, positions)
  end
end

local function no_repeat_ngram_size(settings)
  local n = settings.no_repeat_ngram_size
  return n > 0 and no_repeat_ngram(n, function (row) return row.ids end)
end

-- Where the encoder reads no ids (pictures), transformers leaves this out as well.
local function encoder_no_repeat_ngram_size(settings, encoder_ids)
  local n = settings.encoder_no_repeat_ngram_size
  return n > 0 and encoder_ids and no_repeat_ngram(n, function (row) return encoder_ids[row.input] end)
end

local function bad_words_ids(settings)
  local words = {}
  for _, ids in ipairs(settings.bad_words_ids or {}) do
    if #ids > 1 or not settings.is_eos[ids[1]] then words[#words + 1] = ids end    -- an end token alone is never bad
  end
  return #words > 0 and function (scores, rows, vocab)
    local positions = {}
    for r, row in ipairs(rows) do
      for _, ids in ipairs(words) do
        check_in_vocab("bad_words_ids", ids, vocab)
        if ends_with(row.ids, ids, #ids - 1) then positions[#positions + 1] = (r - 1) * vocab + ids[#ids] end
      end
    end
    ban(scores, positions)
  end
end

local function min_length(settings)
  local eos = settings.eos_token_id
  return eos and settings.min_length > 0 and function (scores, rows, vocab)
    if #rows[1].ids < settings.min_length then ban(scores, everywhere(eos, rows, vocab)) end
  end
end

local function forced_bos_token_id(settings)
  local bos = settings.forced_bos_token_id
  return bos and function (scores, rows, vocab)
    if #rows[1].ids == 1 then force(scores, "forced_bos_token_id", { bos }, rows, vocab) end
  end
end

local function forced_eos_token_id(settings)
  local eos = settings.forced_eos_token_id
  return eos and function (scores, rows, vocab)
    if #rows[1].ids == settings.max_length - 1 then force(scores, "forced_eos_token_id", eos, rows, vocab) end
  end
end

local function suppress_tokens(settings)
  local tokens = settings.suppress_tokens
  return tokens and function (scores, rows, vocab) ban(scores, everywhere(tokens, rows, vocab)) end
end

local function begin_suppress_tokens(settings)
  local tokens, begin = settings.begin_suppress_tokens, settings.prompt_length
  if begin == 1 and settings.forced_bos_token_id then begin = 2 end
  return tokens and function (scores, rows, vocab)
    if #rows[1].ids == begin then ban(scores, everywhere(tokens, rows, vocab)) end
  end
end

local order = {
  sequence_bias, repetition_penalty, no_repeat_ngram_size, encoder_no_repeat_ngram_size, bad_words_ids, min_length,
  forced_bos_token_id, forced_eos_token_id, suppress_tokens, begin_suppress_tokens,
}

-- processors(settings, encoder_ids) -> process(scores [R, V], rows) -> [R, V]: a new tensor
-- where there is anything to do, since the scores may belong to the model
return function (settings, encoder_ids)
  local list = {}
  for _, maker in ipairs(order) do
    local processor = maker(settings, encoder_ids)
    if processor then list[#list + 1] = processor end
  end
  return function (scores, rows)
    if #list == 0 then return scores end
    local shape = scores:shape()
    local flat = (scores + 0):reshape { -1 }
    for _, processor in ipairs(list) do processor(flat, rows, shape[2]) end
    return flat:reshape(shape)
  end
end
