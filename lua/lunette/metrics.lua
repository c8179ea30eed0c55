-- metrics.lua - how close captions are to what people wrote: BLEU, ROUGE-L, CIDEr.
--
--   local metrics = require "lunette.metrics"
--   local scores = metrics.score(hypotheses, references)
--   print(scores.bleu[4], scores.rouge_l, scores.cider)
--
--   hypotheses   a list of captions, each a list of words
--   references   for each caption a list of reference captions, each a list of words
--
-- Values are those of coco-caption (Chen et al. 2015, arXiv:1504.00325).  It leaves cutting
-- text into words to a tokenizer: metrics.words here, or metrics.split for text already cut.
local bleu    = require "lunette.metrics.bleu"
local rouge_l = require "lunette.metrics.rouge_l"
local cider   = require "lunette.metrics.cider"

-- split(text) -> list of the words between white space
local function split(text)
  local list = {}
  for word in text:gmatch "%S+" do list[#list + 1] = word end
  return list
end

-- words(text) -> list of words: in lower case, without punctuation other than hyphens and
-- apostrophes ("snow-covered", "'s").  Bytes above 127 are letters (UTF-8).  A small stand-in for
-- the tokenizer of the Penn Treebank that coco-caption uses.
local function words(text)
  local list = {}
  for run in text:lower():gmatch "[%w\128-\255'-]+" do
    if run:find "[^'-]" then list[#list + 1] = run end
  end
  return list
end

local function check(hypotheses, references)
  if #hypotheses == 0 then error("score: no captions", 0) end
  if #hypotheses ~= #references then
    error(("score: %d captions, but references for %d"):format(#hypotheses, #references), 0)
  end
  for i, list in ipairs(references) do
    if #list == 0 then error(("score: caption %d has no reference"):format(i), 0) end
  end
end

-- score(hypotheses, references) -> { bleu = { BLEU-1, ..., BLEU-4 }, rouge_l =, cider = }
local function score(hypotheses, references)
  check(hypotheses, references)
  return {
    bleu    = bleu(hypotheses, references),
    rouge_l = rouge_l(hypotheses, references),
    cider   = cider(hypotheses, references),
  }
end

return { score = score, split = split, words = words, captions = require "lunette.metrics.captions" }
