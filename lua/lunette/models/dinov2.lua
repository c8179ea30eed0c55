-- dinov2.lua - DINOv2 (Oquab et al. 2023, arXiv:2304.07193): a ViT with layer scale,
-- whose positions stretch to any size of picture.
local lunette = require "lunette"

local DINOv2 = lunette.family { "dinov2", tasks = { "image-feature-extraction" }, defaults = {
  hidden_size = 768, num_hidden_layers = 12, num_attention_heads = 12, mlp_ratio = 4.0, hidden_act = "gelu",
  layer_norm_eps = 1e-6, image_size = { 224, 224 }, patch_size = { 14, 14 }, num_channels = 3, qkv_bias = true, use_swiglu_ffn = false,
} }

-- The gated mlp of the giant model keeps gate and up in one tensor.
local function gated(l, C, hidden)
  hidden = ((hidden * 2 / 3 // 1 | 0) + 7) // 8 * 8
  local both = l:linear("mlp.weights_in", C, 2 * hidden)
  local function part(first)
    return { weight = both.weight:narrow(1, first, hidden), bias = both.bias:narrow(1, first, hidden) }
  end
  return { activation = "silu", gate = part(1), up = part(hidden + 1), down = l:linear("mlp.weights_out", hidden, C) }
end

function DINOv2:build(c, w)
  local C = c.hidden_size
  local height, width = lunette.pair(c.image_size)
  self.patch_height, self.patch_width = lunette.pair(c.patch_size)
  local hidden = C * c.mlp_ratio // 1 | 0
  local e = w:sub "embeddings"
  self.rows, self.columns = height // self.patch_height, width // self.patch_width
  self.prefix = { e:f32("cls_token", 1, 1, C) }
  self.positions = e:f32("position_embeddings", 1, 1 + self.rows * self.columns, C)
  self.patches = lunette.vision.patch_embedding {
    weight = e:f32("patch_embeddings.projection.weight", C, c.num_channels, self.patch_height, self.patch_width),
    bias = e:f32("patch_embeddings.projection.bias", C),
  }
  self.layers = w:each("encoder.layer", c.num_hidden_layers, function (l)
    local function projection(name) return l:linear("attention.attention." .. name, C, C, { bias = c.qkv_bias }) end
    local mlp = c.use_swiglu_ffn and gated(l, C, hidden) or {
      activation = lunette.activation(c.hidden_act), up = l:linear("mlp.fc1", C, hidden), down = l:linear("mlp.fc2", hidden, C),
    }
    mlp.norm, mlp.layer_scale = l:norm("norm2", C), l:f32("layer_scale2.lambda1", C)
    return lunette.layer {
      norm      = { eps = c.layer_norm_eps },
      attention = {
        heads = c.num_attention_heads, norm = l:norm("norm1", C), layer_scale = l:f32("layer_scale1.lambda1", C),
        q = projection "query", k = projection "key", v = projection "value", out = l:linear("attention.output.dense", C, C),
      },
      mlp = mlp,
    }
  end)
  self.norm = lunette.layer_norm(w:norm("layernorm", C, c.layer_norm_eps))
end

-- Position embeddings for a grid of y by x patches, bicubic where it is not the trained one.
function DINOv2:positions_for(y, x)
  if y == self.rows and x == self.columns then return self.positions end
  local C = self.config.hidden_size
  local class, patches = self.positions:narrow(2, 1, 1), self.positions:narrow(2, 2, self.rows * self.columns)
  patches = patches:reshape { 1, self.rows, self.columns, C }:permute { 1, 4, 2, 3 }
  patches = patches:interpolate { size = { y, x }, mode = "bicubic" }
  return lunette.concat(class, patches:permute { 1, 3, 4, 2 }:reshape { 1, y * x, C }, { axis = 2 })
end

function DINOv2:forward(pixels)              -- f32 [B, 3, Y, X] -> [B, 1 + N, C]
  local x = lunette.with_prefix(self.prefix, self.patches(pixels))
            + self:positions_for(pixels:dim(3) // self.patch_height, pixels:dim(4) // self.patch_width)
  self:record("hidden_states", 0, x)
  for i, layer in ipairs(self.layers) do x = self:record("hidden_states", i, layer(x)) end
  return self:record("last_hidden_state", self.norm(x))
end

return DINOv2
