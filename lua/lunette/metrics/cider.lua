-- cider.lua - CIDEr: agreement of n-grams, weighted by how rare they are in the references.
--
--     g_n(c)[w] = count of n-gram w in c * (log I - log max(1, df(w)))
--     CIDEr = mean over captions of 10 * mean_{n=1..4} mean_r
--             exp(-d^2 / (2 * 6^2)) * sum_w min(g_n(c)[w], g_n(r)[w]) g_n(r)[w] / (|g_n(c)| |g_n(r)|)
--
--   I      pictures;  df(w): pictures with w in one of their references
--   d      difference in length, which coco-caption takes as the number of bigrams
--
-- This is the variant with clipped counts and a penalty for length, CIDEr-D, but with
-- coco-caption's idf from the references of the set itself: of one picture it is 0.
-- Source: Vedantam et al. 2015, arXiv:1411.5726, as in coco-caption.
local ngrams = require "lunette.metrics.ngrams"

local MAX_N, SIGMA = 4, 6.0

local function counts_of(words)
  local counts = {}
  for n = 1, MAX_N do counts[n] = ngrams(words, n) end
  return counts
end

local function document_frequency(references)
  local df = {}
  for _, list in ipairs(references) do
    local seen = {}
    for _, counts in ipairs(list) do
      for n = 1, MAX_N do
        for _, gram in ipairs(counts[n]) do
          if not seen[gram] then
            seen[gram] = true
            df[gram] = (df[gram] or 0) + 1
          end
        end
      end
    end
  end
  return df
end

-- Weights of a caption's n-grams for each n, with their norm; its length in bigrams.
local function weigh(counts, df, log_pictures)
  local vector = { length = 0 }
  for n = 1, MAX_N do
    local weights, square = { grams = counts[n] }, 0.0
    for _, gram in ipairs(counts[n]) do
      weights[gram] = counts[n][gram] * (log_pictures - math.log(math.max(1, df[gram] or 0)))
      square = square + weights[gram] ^ 2
      if n == 2 then vector.length = vector.length + counts[n][gram] end
    end
    weights.norm = math.sqrt(square)
    vector[n] = weights
  end
  return vector
end

local function similarity(caption, reference)
  local d, sum = caption.length - reference.length, 0.0
  for n = 1, MAX_N do
    local c, r, product = caption[n], reference[n], 0.0
    for _, gram in ipairs(c.grams) do
      local weight = r[gram] or 0.0
      product = product + math.min(c[gram], weight) * weight
    end
    if c.norm ~= 0 and r.norm ~= 0 then product = product / (c.norm * r.norm) end
    sum = sum + product
  end
  return math.exp(-d * d / (2 * SIGMA * SIGMA)) * sum / MAX_N
end

-- cider(hypotheses, references) -> number
return function (hypotheses, references)
  local counted = {}
  for i, list in ipairs(references) do
    counted[i] = {}
    for j, words in ipairs(list) do counted[i][j] = counts_of(words) end
  end
  local df, log_pictures, sum = document_frequency(counted), math.log(#references), 0.0
  for i, words in ipairs(hypotheses) do
    local caption, own = weigh(counts_of(words), df, log_pictures), 0.0
    for _, counts in ipairs(counted[i]) do own = own + similarity(caption, weigh(counts, df, log_pictures)) end
    sum = sum + 10 * own / #counted[i]
  end
  return sum / #hypotheses
end
