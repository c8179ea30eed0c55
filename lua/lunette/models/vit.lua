-- vit.lua - ViT (Dosovitskiy et al. 2020, arXiv:2010.11929) and DeiT with its
-- distillation token (Touvron et al. 2020, arXiv:2012.12877): pictures to tokens.
local lunette = require "lunette"

local ViT = lunette.family { "vit", "deit", tasks = { "image-feature-extraction" }, defaults = {
  hidden_size = 768, num_hidden_layers = 12, num_attention_heads = 12, intermediate_size = 3072, hidden_act = "gelu",
  layer_norm_eps = 1e-12, image_size = { 224, 224 }, patch_size = { 16, 16 }, num_channels = 3, qkv_bias = true,
} }

function ViT:build(c, w)
  local C, PY, PX = c.hidden_size, lunette.pair(c.patch_size)
  self.height, self.width = lunette.pair(c.image_size)
  local e = w:sub "embeddings"
  self.prefix = { e:f32("cls_token", 1, 1, C) }
  if c.model_type == "deit" then self.prefix[2] = e:f32("distillation_token", 1, 1, C) end
  self.positions = e:f32("position_embeddings", 1, #self.prefix + (self.height // PY) * (self.width // PX), C)
  self.patches = lunette.vision.patch_embedding {
    weight = e:f32("patch_embeddings.projection.weight", C, c.num_channels, PY, PX),
    bias = e:f32("patch_embeddings.projection.bias", C),
  }
  self.layers = w:each("encoder.layer", c.num_hidden_layers, function (l)
    local function projection(name) return l:linear("attention.attention." .. name, C, C, { bias = c.qkv_bias }) end
    return lunette.layer {
      norm      = { eps = c.layer_norm_eps },
      attention = {
        heads = c.num_attention_heads, norm = l:norm("layernorm_before", C),
        q = projection "query", k = projection "key", v = projection "value", out = l:linear("attention.output.dense", C, C),
      },
      mlp = {
        activation = lunette.activation(c.hidden_act), norm = l:norm("layernorm_after", C),
        up = l:linear("intermediate.dense", C, c.intermediate_size), down = l:linear("output.dense", c.intermediate_size, C),
      },
    }
  end)
  self.norm = lunette.layer_norm(w:norm("layernorm", C, c.layer_norm_eps))
end

function ViT:forward(pixels)                 -- f32 [B, 3, Y, X] -> [B, N, C]
  lunette.want_size(pixels, self.height, self.width)
  local x = self:record("hidden_states", 0, lunette.with_prefix(self.prefix, self.patches(pixels)) + self.positions)
  for i, layer in ipairs(self.layers) do x = self:record("hidden_states", i, layer(x)) end
  return self:record("last_hidden_state", self.norm(x))
end

return ViT
