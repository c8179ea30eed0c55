-- blip.lua - BLIP captioning (Li et al. 2022, arXiv:2201.12086): a ViT and a BERT-like
-- decoder that attends to it, with or without a prompt to go on from.
local lunette = require "lunette"

local Vision = lunette.family { "blip_vision_model", defaults = {
  hidden_size = 768, intermediate_size = 3072, num_hidden_layers = 12, num_attention_heads = 12, image_size = 384,
  patch_size = 16, hidden_act = "gelu", layer_norm_eps = 1e-5,
} }

function Vision:build(c, w)
  local C, P = c.hidden_size, c.patch_size
  local e = w:sub "embeddings"
  self.prefix = { e:f32("class_embedding", 1, 1, C) }
  self.positions = e:f32("position_embedding", 1, 1 + (c.image_size // P) ^ 2 | 0, C)
  self.patches = lunette.vision.patch_embedding {
    weight = e:f32("patch_embedding.weight", C, 3, P, P), bias = e:f32("patch_embedding.bias", C),
  }
  self.layers = w:each("encoder.layers", c.num_hidden_layers, function (l)
    return lunette.layer {
      norm      = { eps = c.layer_norm_eps },
      attention = {
        heads = c.num_attention_heads, norm = l:norm("layer_norm1", C),
        qkv = l:linear("self_attn.qkv", C, 3 * C), out = l:linear("self_attn.projection", C, C),
      },
      mlp = {
        activation = lunette.activation(c.hidden_act), norm = l:norm("layer_norm2", C),
        up = l:linear("mlp.fc1", C, c.intermediate_size), down = l:linear("mlp.fc2", c.intermediate_size, C),
      },
    }
  end)
  self.norm = lunette.layer_norm(w:norm("post_layernorm", C, c.layer_norm_eps))
end

function Vision:forward(pixels)                 -- f32 [B, 3, Y, X] -> [B, 1 + N, C]
  lunette.want_size(pixels, self.config.image_size, self.config.image_size)
  local x = self:record("hidden_states", 0, lunette.with_prefix(self.prefix, self.patches(pixels)) + self.positions)
  for i, layer in ipairs(self.layers) do x = self:record("hidden_states", i, layer(x)) end
  return self:record("last_hidden_state", self.norm(x))
end

local Text = lunette.family { "blip_text_model", decoder = true, defaults = {
  vocab_size = 30524, hidden_size = 768, encoder_hidden_size = 768, intermediate_size = 3072, num_hidden_layers = 12,
  num_attention_heads = 8, max_position_embeddings = 512, hidden_act = "gelu", layer_norm_eps = 1e-12,
  bos_token_id = 30522, eos_token_id = 2, pad_token_id = 0, sep_token_id = 102,
} }

function Text:build(c, w)
  local C, E = c.hidden_size, c.encoder_hidden_size
  local function norm(at, name) return lunette.layer_norm(at:norm(name, C, c.layer_norm_eps)) end
  local e = w:sub "bert.embeddings"
  self.max_positions = c.max_position_embeddings
  self.tokens = lunette.embedding { weight = e:tensor("word_embeddings.weight", c.vocab_size, C) }
  self.positions = lunette.embedding { weight = e:tensor("position_embeddings.weight", c.max_position_embeddings, C) }
  self.embedding_norm = norm(e, "LayerNorm")
  self.path = w.prefix .. "bert.encoder.layer."
  self.layers = w:each("bert.encoder.layer", c.num_hidden_layers, function (l)
    local function attention(name, width, causal)
      return {
        heads = c.num_attention_heads, causal = causal, norm = l:norm(name .. ".output.LayerNorm", C),
        q = l:linear(name .. ".self.query", C, C), k = l:linear(name .. ".self.key", width, C),
        v = l:linear(name .. ".self.value", width, C), out = l:linear(name .. ".output.dense", C, C),
      }
    end
    return lunette.layer {
      norm      = { eps = c.layer_norm_eps, before = false },
      attention = attention("attention", C, true),
      cross     = attention("crossattention", E),
      mlp       = {
        activation = lunette.activation(c.hidden_act), norm = l:norm("output.LayerNorm", C),
        up = l:linear("intermediate.dense", C, c.intermediate_size), down = l:linear("output.dense", c.intermediate_size, C),
      },
    }
  end)
  local p = w:sub "cls.predictions"
  self.transform = lunette.linear(p:linear("transform.dense", C, C))
  self.act = lunette.activation(c.hidden_act)
  self.norm = norm(p, "transform.LayerNorm")
  self.head = lunette.linear {
    weight = p:has "decoder.weight" and p:tensor("decoder.weight", c.vocab_size, C)
             or e:tensor("word_embeddings.weight", c.vocab_size, C),
    bias = p:f32(p:has "decoder.bias" and "decoder.bias" or "bias", c.vocab_size),
  }
end

function Text:hidden(ids, cache)                -- ids [B, T] -> [B, T, C]
  local x = self.embedding_norm(self.tokens(ids) + self.positions(cache:positions(ids)))
  for i, layer in ipairs(self.layers) do
    x = layer(x, cache[i], cache.memory)
    self:record_module(self.path .. i - 1, x)
  end
  x = self.transform(x)
  return self.norm(x[self.act](x))
end

local BLIP = lunette.family {
  "blip", tasks = { "image-to-text" }, architectures = { "BlipForConditionalGeneration" },
}

function BLIP:build(c, w)
  local vision, text = lunette.sub_config(c, "vision_config"), lunette.sub_config(c, "text_config")
  vision.model_type, text.model_type = "blip_vision_model", "blip_text_model"
  self.encoder = self:part("encoder", vision, w:sub "vision_model")
  text.encoder_hidden_size = vision.hidden_size
  self.decoder = self:part("decoder", text, w:sub "text_decoder")
end

-- BlipForConditionalGeneration.generate hands over to the text model, which does not see generation_config.json.
function BLIP:generation_defaults()
  local c = self.decoder.config
  return { eos_token_id = c.sep_token_id, pad_token_id = c.pad_token_id }
end

-- [DEC], then the prompt without its [CLS] and its last [SEP].
function BLIP:start(prompt)
  if not prompt then return { self.decoder.config.bos_token_id } end
  local ids = self.tokenizer:encode(prompt)
  ids[1] = self.decoder.config.bos_token_id
  ids[#ids] = nil
  return ids
end

return BLIP
