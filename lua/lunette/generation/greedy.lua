-- greedy.lua - the best token each time; a row that reached its end leaves the batch.
local lunette = require "lunette"

-- One token for every live row: appends it, adds its log-probability.
local function advance(step, rows, new, process)
  local scope <close> = lunette.scope()
  local scores = process(step:logits(new), rows)
  local best = scores:argmax(-1)
  local log_probs = scores:log_softmax():pick(best:reshape { #rows, 1 }):totable()
  for r, id in ipairs(best:totable()) do
    local row = rows[r]
    row.ids[#row.ids + 1] = id
    row.log_prob = row.log_prob + log_probs[r][1]
  end
end

-- greedy(step, start, settings, process) -> as generate.run
--
-- transformers gives no score here; this is the one its compute_transition_scores
-- (normalize_logits = true) leads to: log-probabilities after processing.
return function (step, start, settings, process)
  local results, rows, new = {}, {}, {}
  for i, ids in ipairs(start) do
    rows[i], new[i] = { input = i, ids = table.move(ids, 1, #ids, 1, {}), log_prob = 0.0 }, ids
  end
  while #rows > 0 do
    advance(step, rows, new, process)
    local live, index = {}, {}
    new = {}
    for r, row in ipairs(rows) do
      local count, id = #row.ids - settings.prompt_length, row.ids[#row.ids]
      if settings.is_eos[id] or #row.ids >= settings.max_length then
        results[row.input] = { sequences = { { ids = row.ids, score = row.log_prob / count ^ settings.length_penalty } } }
      else
        live[#live + 1], index[#index + 1], new[#new + 1] = row, r, { id }
      end
    end
    if #live > 0 and #live < #rows then step:reorder(index) end
    rows = live
  end
  return results
end
