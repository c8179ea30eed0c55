-- vision_encoder_decoder.lua - a picture encoder and a text decoder that attends to
-- it (transformers' VisionEncoderDecoderModel): captions, and text read from pictures.
local lunette = require "lunette"

local VED = lunette.family { "vision-encoder-decoder", tasks = { "image-to-text" } }

function VED:build(c, w)
  local encoder, decoder = lunette.sub_config(c, "encoder"), lunette.sub_config(c, "decoder")
  if not decoder.add_cross_attention then
    error({ message = "config.json: decoder.add_cross_attention is not true: this decoder cannot attend to a picture", code = "io" }, 0)
  end
  self.encoder = self:part("encoder", encoder, w:sub "encoder")
  self.decoder = self:part("decoder", decoder, w:sub "decoder")
  local width, wanted = encoder.hidden_size, decoder.n_embd or decoder.hidden_size or decoder.d_model
  if width ~= wanted and not decoder.cross_attention_hidden_size then
    self.decoder.memory_projection = lunette.linear(w:linear("enc_to_dec_proj", width, wanted))
  end
end

-- The ids that generation starts from; a prompt follows them.
function VED:start(prompt)
  local id = self.generation_config.decoder_start_token_id or self.config.decoder_start_token_id
             or self.generation_config.bos_token_id or self.config.decoder.bos_token_id
  if math.type(id) ~= "integer" or id < 0 or id >= self.decoder.config.vocab_size then
    error(("decoder_start_token_id is %s, wanted a token id from 0 to %d"):format(
      type(id) == "table" and "a table" or tostring(id), self.decoder.config.vocab_size - 1), 0)
  end
  local ids = { id }
  for _, v in ipairs(prompt and self.tokenizer:encode(prompt, { add_special_tokens = false }) or {}) do ids[#ids + 1] = v end
  return ids
end

return VED
