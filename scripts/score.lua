-- score.lua - compare captions with what people wrote: BLEU, ROUGE-L, CIDEr.
--   lua5.4 scripts/score.lua CAPTIONS REFERENCES [--json]
dofile((arg[0]:match "^.*/" or "./") .. "tools/path.lua")
local argparse = require "argparse"
local cjson    = require "cjson"
local metrics  = require "lunette.metrics"

local NAMED = 10      -- missing pictures named one by one

local parser = argparse("score.lua", "Compares captions with references: BLEU, ROUGE-L, CIDEr.",
  "Exit status: 0 every picture was compared, 1 some were not, 2 nothing could be compared.")
parser:argument("captions", "JSON lines as `lunette caption --json` prints them, or CSV with file_name,text.")
parser:argument("references", "CSV with file_name,text; several rows a picture.")
parser:flag("--json", "One JSON object.")
local options = parser:parse()

local function fail(...)
  io.stderr:write("score.lua: ", string.format(...), "\n")
  os.exit(2, true)
end

local function read(path)
  local captions, message = metrics.captions.read(path)
  return captions or fail("%s", message)
end

-- Names in one file that the other does not have.
local function missing(from, other)
  local names = {}
  for _, name in ipairs(from) do
    if not other[name] then names[#names + 1] = name end
  end
  return names
end

local function complain(names, path)
  for i = 1, math.min(#names, NAMED) do io.stderr:write("score.lua: ", names[i], ": missing in ", path, "\n") end
  if #names > NAMED then io.stderr:write("score.lua: ", #names - NAMED, " more missing in ", path, "\n") end
end

local captions, references = read(options.captions), read(options.references)
local hypotheses, wanted = {}, {}
for _, name in ipairs(captions) do
  if #captions[name] > 1 then fail("%s: %d captions of %s, wanted one", options.captions, #captions[name], name) end
  if references[name] then
    hypotheses[#hypotheses + 1] = metrics.words(captions[name][1])
    wanted[#wanted + 1] = {}
    for i, text in ipairs(references[name]) do wanted[#wanted][i] = metrics.words(text) end
  end
end
local no_reference, no_caption = missing(captions, references), missing(references, captions)
complain(no_reference, options.references)
complain(no_caption, options.captions)
if #hypotheses == 0 then fail("no picture has both a caption and a reference") end

local scores = metrics.score(hypotheses, wanted)
if options.json then
  print(cjson.encode {
    matched = #hypotheses, without_reference = #no_reference, without_caption = #no_caption,
    bleu = scores.bleu, rouge_l = scores.rouge_l, cider = scores.cider,
  })
else
  print(("%d of %d captions matched, %d of %d references"):format(#hypotheses, #captions, #hypotheses, #references))
  print("BLEU-1  BLEU-2  BLEU-3  BLEU-4  ROUGE-L  CIDEr")
  print(("%.4f  %.4f  %.4f  %.4f  %.4f   %.4f"):format(
    scores.bleu[1], scores.bleu[2], scores.bleu[3], scores.bleu[4], scores.rouge_l, scores.cider))
end
os.exit(#no_reference + #no_caption == 0 and 0 or 1, true)
