-- caption.lua - say in one sentence what an image shows.
--   lua5.4 scripts/caption.lua MODEL_DIR IMAGE
dofile((arg[0]:match "^.*/" or "./") .. "tools/path.lua")
local lunette = require "lunette"
local vision  = require "lunette.vision"

local model <close> = assert(lunette.load(arg[1]))        -- a Hugging Face directory
local image         = assert(vision.load(arg[2]))         -- u8 [Y, X, 3], upright, sRGB

-- the short way
print(model:caption(image, { num_beams = 3 }))

-- the same, block by block, with one beam
local pixels = model:prepare(image)                       -- f32 [1, 3, 224, 224]
local memory = model.encoder(pixels)                      -- f32 [1, 257, 384]
local ids    = model:start()                              -- token ids count from 0
local cache  = model.decoder:cache { length = 32 }
cache:attend(memory)                                      -- cross-attention keys and values, projected once
local eos    = model.generation_config.eos_token_id
while #ids <= 30 do
  local scope <close> = lunette.scope()                   -- frees this step's tensors
  local logits = model.decoder(ids[#ids], cache)          -- [1, V]
  local id = logits:argmax(-1):item()
  if id == eos then break end
  ids[#ids + 1] = id
end
print(model.tokenizer:decode(ids))
