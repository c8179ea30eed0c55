-- rouge_l.lua - ROUGE-L: the longest common subsequence of caption and reference.
--
--     P = max_r lcs / |caption|,  R = max_r lcs / |r|,  F = (1 + b^2) P R / (R + b^2 P),  b = 1.2
--
-- averaged over captions; P and R may come from different references.
-- Source: Lin 2004 (ACL W04-1013), as in coco-caption.
local BETA2 = 1.2 ^ 2

local function common_subsequence(a, b)
  local row = {}
  for j = 0, #b do row[j] = 0 end
  for i = 1, #a do
    local diagonal = 0          -- the former row, one to the left
    for j = 1, #b do
      local above = row[j]
      row[j] = a[i] == b[j] and diagonal + 1 or math.max(above, row[j - 1])
      diagonal = above
    end
  end
  return row[#b]
end

local function one(words, references)
  local precision, recall = 0.0, 0.0
  for _, r in ipairs(references) do
    local common = common_subsequence(words, r)
    if common > 0 then
      precision = math.max(precision, common / #words)
      recall = math.max(recall, common / #r)
    end
  end
  if precision == 0 then return 0.0 end
  return (1 + BETA2) * precision * recall / (recall + BETA2 * precision)
end

-- rouge_l(hypotheses, references) -> number
return function (hypotheses, references)
  local sum = 0.0
  for i, words in ipairs(hypotheses) do sum = sum + one(words, references[i]) end
  return sum / #hypotheses
end
