-- bleu.lua - BLEU-1 to BLEU-4 of a whole set of captions.
--
--     BLEU-N = brevity * (prod_{n<=N} matched_n / total_n) ^ (1/N)
--     brevity = min(1, exp(1 - R/H))
--
--   matched_n   n-grams of the captions that a reference has, each at most as often as in the
--               reference that has it most often; total_n: all n-grams of the captions
--   H, R        words of all captions; of the references closest in length to each (the shorter of two)
--
-- Source: Papineni et al. 2002 (ACL P02-1040); the small constants are coco-caption's.
local ngrams = require "lunette.metrics.ngrams"

local MAX_N, TINY, SMALL = 4, 1e-15, 1e-9

local function closest_length(length, references)
  local best
  for _, r in ipairs(references) do
    local d, b = math.abs(#r - length), best and math.abs(best - length)
    if not best or d < b or (d == b and #r < best) then best = #r end
  end
  return best
end

local function matched(words, references, n)
  local most, sum = {}, 0
  for _, r in ipairs(references) do
    local count = ngrams(r, n)
    for _, gram in ipairs(count) do most[gram] = math.max(most[gram] or 0, count[gram]) end
  end
  local count = ngrams(words, n)
  for _, gram in ipairs(count) do sum = sum + math.min(count[gram], most[gram] or 0) end
  return sum
end

-- bleu(hypotheses, references) -> { BLEU-1, ..., BLEU-4 }
return function (hypotheses, references)
  local length, reference_length, correct, total = 0, 0, { 0, 0, 0, 0 }, { 0, 0, 0, 0 }
  for i, words in ipairs(hypotheses) do
    length = length + #words
    reference_length = reference_length + closest_length(#words, references[i])
    for n = 1, MAX_N do
      correct[n] = correct[n] + matched(words, references[i], n)
      total[n] = total[n] + math.max(0, #words - n + 1)
    end
  end
  local ratio = (length + TINY) / (reference_length + SMALL)
  local brevity = ratio < 1 and math.exp(1 - 1 / ratio) or 1
  local scores, product = {}, 1.0
  for n = 1, MAX_N do
    product = product * (correct[n] + TINY) / (total[n] + SMALL)
    scores[n] = product ^ (1 / n) * brevity
  end
  return scores
end
