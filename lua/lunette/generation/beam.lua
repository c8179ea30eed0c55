-- beam.lua - beam search, as transformers 5 does it (GenerationMixin._beam_search).
--
-- For each input num_beams unfinished beams run and the num_beams best finished ones
-- are kept.  At each step the candidates are the best (1 + end tokens) * num_beams
-- continuations of all beams together, so that num_beams of them are unfinished; one
-- that ends counts as finished only if it is among the best num_beams.
--
-- Scores are float32, as in torch: sums over beams and tokens are done by tensor
-- operations, the few numbers handled here are rounded after each operation.
local lunette = require "lunette"

local NEVER = -1.0e9      -- transformers' "cannot be chosen", a float32 as it is

local function f32(x) return (string.unpack("<f", string.pack("<f", x))) end

-- The best n of a list by score, descending; of equals the first one first.
local function best_of(list, n)
  local best = {}
  for _, item in ipairs(list) do
    local at = #best + 1
    while at > 1 and best[at - 1].score < item.score do at = at - 1 end
    if at <= n then
      table.insert(best, at, item)
      best[n + 1] = nil
    end
  end
  return best
end

local function extend(ids, id)
  local n = #ids
  local longer = table.move(ids, 1, n, 1, {})
  longer[n + 1] = id
  return longer
end

local function best_sequences(search, count)
  local sequences = {}
  for i = 1, count do sequences[i] = { ids = search.finished[i].ids, score = search.finished[i].score } end
  return sequences
end

-- beam(step, start, settings, process) -> as generate.run
return function (step, start, settings, process)
  local beams, max_length, length_penalty = settings.num_beams, settings.max_length, settings.length_penalty
  local early_stopping = settings.early_stopping
  local keep = math.max(2, 1 + #(settings.eos_token_id or {})) * beams
  local length = settings.prompt_length         -- ids a running beam has

  -- The running beams of an input after this step, and its finished ones.
  -- candidates: descending { beam = number of its beam, id =, score = }
  local function select(search, candidates)
    local divisor = f32((length + 1 - settings.prompt_length) ^ length_penalty)
    local finished = search.finished
    for k, c in ipairs(candidates) do
      c.ended = settings.is_eos[c.id] or length + 1 >= max_length
      if c.ended then
        if k <= beams then
          local ids = extend(search.running[c.beam].ids, c.id)
          finished[#finished + 1] = { ids = ids, score = f32(c.score / divisor), ended = true }
        end
        c.score = f32(c.score + NEVER)
      end
    end
    search.finished = best_of(finished, beams)
    return best_of(candidates, beams)
  end

  -- Whether a running beam could still get ahead of a finished one, by transformers' estimate.
  local function is_done(search, running)
    local reach = length + 1
    if early_stopping == "never" and length_penalty > 0 then reach = max_length end
    local possible = f32(running[1].score / f32((reach - settings.prompt_length) ^ length_penalty))
    local full, improvable, open = true, false, false
    local worst = search.finished[beams].score
    for _, beam in ipairs(search.finished) do
      full = full and beam.ended
      improvable = improvable or possible > (beam.ended and worst or NEVER)
    end
    for _, candidate in ipairs(search.candidates) do open = open or not candidate.ended end
    return not improvable or (full and early_stopping == true) or not open
  end

  -- Candidates of every search from the logits of its 'per' rows: all its beams', or
  -- at first the one row of its prompt, from which only the first beam may continue.
  local function find_candidates(searches, rows, new, per)
    local scope <close> = lunette.scope()
    local log_probs = process(step:logits(new):log_softmax(), rows)
    local vocab, scores = log_probs:shape()[2], {}
    for s, search in ipairs(searches) do
      for b, beam in ipairs(search.running) do scores[(s - 1) * beams + b] = beam.score end
    end
    local total = log_probs:reshape { #searches, per, vocab } + lunette.tensor(scores, { shape = { #searches, beams, 1 } })
    local values, indices = total:reshape { #searches, beams * vocab }:topk(keep)
    values, indices = values:totable(), indices:totable()
    for s, search in ipairs(searches) do
      local candidates = {}
      for k, index in ipairs(indices[s]) do
        candidates[k] = { beam = index // vocab + 1, id = index % vocab, score = values[s][k] }
      end
      search.candidates = candidates
    end
  end

  local results, searches, rows, new, per = {}, {}, {}, {}, 1
  for i, ids in ipairs(start) do
    local search = { input = i, running = {}, finished = {} }
    for b = 1, beams do
      search.running[b] = { input = i, ids = ids, score = b == 1 and 0.0 or NEVER }
      search.finished[b] = { ids = ids, score = NEVER, ended = false }
    end
    searches[i], rows[i], new[i] = search, search.running[1], ids
  end

  while #searches > 0 do
    find_candidates(searches, rows, new, per)
    local live, index, moved = {}, {}, false
    local former = #rows
    rows, new = {}, {}
    for s, search in ipairs(searches) do
      local chosen = select(search, search.candidates)
      if is_done(search, chosen) then
        results[search.input] = { sequences = best_sequences(search, settings.num_return_sequences) }
      else
        local running = {}
        for b, c in ipairs(chosen) do
          running[b] = { input = search.input, ids = extend(search.running[c.beam].ids, c.id), score = c.score }
          rows[#rows + 1], new[#new + 1] = running[b], { c.id }
          index[#index + 1] = (s - 1) * per + math.min(c.beam, per)
          moved = moved or index[#index] ~= #index
        end
        search.running = running
        live[#live + 1] = search
      end
    end
    if #rows > 0 and (moved or #rows ~= former) then step:reorder(index) end
    searches, per, length = live, beams, length + 1
  end
  return results
end
