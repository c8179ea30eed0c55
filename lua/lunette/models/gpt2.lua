-- gpt2.lua - GPT-2 (Radford et al. 2019), alone or as the decoder of an encoder-decoder.
local lunette = require "lunette"

local GPT2 = lunette.family { "gpt2", tasks = { "text-generation" }, decoder = true, defaults = {
  vocab_size = 50257, n_positions = 1024, n_embd = 768, n_layer = 12, n_head = 12, activation_function = "gelu_new",
  layer_norm_epsilon = 1e-5, scale_attn_weights = true, scale_attn_by_inverse_layer_idx = false,
  add_cross_attention = false, tie_word_embeddings = true,
} }

function GPT2:build(c, w)
  local C, F = c.n_embd, c.n_inner or 4 * c.n_embd
  local t = w:has "transformer.wte.weight" and w:sub "transformer" or w
  local memory = c.cross_attention_hidden_size or C
  self.max_positions = c.n_positions
  self.tokens = lunette.embedding { weight = t:tensor("wte.weight", c.vocab_size, C) }
  self.positions = lunette.embedding { weight = t:tensor("wpe.weight", c.n_positions, C) }
  self.path = t.prefix .. "h."
  self.layers = t:each("h", c.n_layer, function (l, i)
    local function conv1d(name, inputs, outputs) return l:linear(name, inputs, outputs, { transposed = true }) end
    local scale = (c.scale_attn_weights and (C / c.n_head) ^ -0.5 or 1)
                  / (c.scale_attn_by_inverse_layer_idx and i + 1 or 1)
    return lunette.layer {
      norm      = { eps = c.layer_norm_epsilon },
      attention = {
        heads = c.n_head, causal = true, scale = scale, transposed = true, norm = l:norm("ln_1", C),
        qkv = conv1d("attn.c_attn", C, 3 * C), out = conv1d("attn.c_proj", C, C),
      },
      cross = c.add_cross_attention and {
        heads = c.n_head, scale = scale, transposed = true, norm = l:norm("ln_cross_attn", C),
        q = conv1d("crossattention.q_attn", C, C), kv = conv1d("crossattention.c_attn", memory, 2 * C),
        out = conv1d("crossattention.c_proj", C, C),
      } or nil,
      mlp = {
        activation = lunette.activation(c.activation_function), transposed = true, norm = l:norm("ln_2", C),
        up = conv1d("mlp.c_fc", C, F), down = conv1d("mlp.c_proj", F, C),
      },
    }
  end)
  self.norm = lunette.layer_norm(t:norm("ln_f", C, c.layer_norm_epsilon))
  local tied = c.tie_word_embeddings and not w:has "lm_head.weight"     -- a head of its own counts, tied or not
  self.head = lunette.linear { weight = (tied and t or w):tensor(tied and "wte.weight" or "lm_head.weight", c.vocab_size, C) }
end

function GPT2:hidden(ids, cache)                -- ids [B, T] -> [B, T, C]
  local x = self:record("hidden_states", 0, self.tokens(ids) + self.positions(cache:positions(ids)))
  for i, layer in ipairs(self.layers) do
    x = layer(x, cache[i], cache.memory)
    if i < #self.layers then self:record("hidden_states", i, x) end
    self:record_module(self.path .. i - 1, x)
  end
  return self:record("hidden_states", #self.layers, self.norm(x))
end

return GPT2
