-- rope.lua - the frequencies of rotary positions, as configs describe them.
--
-- Sources: Su et al. 2021, arXiv:2104.09864; linear: Chen et al. 2023, arXiv:2306.15595;
-- yarn: Peng et al. 2023, arXiv:2309.00071; llama3: transformers' modeling_rope_utils.
local core = require "lunette.core"

-- transformers stretches frequencies in f32, step by step; at position 1000 its rounding shows.
local function f32(x) return (string.unpack("<f", string.pack("<f", x))) end

local function frequency(p, i, dim) return f32(1 / f32(p.theta ^ f32(2 * i / dim))) end

local kinds = {}

function kinds.default(p, i, dim) return p.theta ^ (-2 * i / dim) end

function kinds.linear(p, i, dim) return f32(frequency(p, i, dim) / p.factor) end

-- Long waves are stretched, short ones kept, those between blended.
function kinds.llama3(p, i, dim)
  local f, original = frequency(p, i, dim), p.original_max_position_embeddings
  local wave = f32(2 * math.pi / f)
  if wave > original / p.low_freq_factor then return f32(f / p.factor) end
  if wave < original / p.high_freq_factor then return f end
  local smooth = f32(f32(f32(original / wave) - p.low_freq_factor) / (p.high_freq_factor - p.low_freq_factor))
  return f32(f32(f32(f32(1 - smooth) * f) / p.factor) + f32(smooth * f))
end

-- A ramp over the channels from those kept to those stretched.
function kinds.yarn(p, i, dim)
  local function channel(turns)
    return dim * math.log(p.original_max_position_embeddings / (turns * 2 * math.pi)) / (2 * math.log(p.theta))
  end
  local low, high = channel(p.beta_fast or 32), channel(p.beta_slow or 1)
  if p.truncate ~= false then low, high = math.floor(low), math.ceil(high) end
  low, high = math.max(low, 0), math.min(high, dim - 1)
  if low == high then high = high + 0.001 end
  local kept = f32(1 - math.min(1, math.max(0, f32(f32(i - low) / (high - low)))))
  local power = f32(p.theta ^ f32(2 * i / dim))
  return f32(f32(f32(1 / f32(p.factor * power)) * f32(1 - kept)) + f32(f32(1 / power) * kept))
end

-- inv_freq({rope_type=, theta=, factor=, ...}, dim) -> f64 [dim / 2]
local function inv_freq(p, dim)
  local kind = kinds[p.rope_type or "default"]
  if not kind then error({ message = ("unsupported rope_type %q"):format(tostring(p.rope_type)), code = "arg" }, 0) end
  local list = {}
  for i = 0, dim // 2 - 1 do list[i + 1] = kind(p, i, dim) end
  return core.tensor(list, { dtype = "f64" })
end

-- attention_factor(p) -> what cosines and sines are multiplied by
local function attention_factor(p)
  if p.attention_factor then return p.attention_factor end
  if p.rope_type == "yarn" then return p.factor > 1 and 0.1 * math.log(p.factor) + 1 or 1 end
  return 1
end

return { inv_freq = inv_freq, attention_factor = attention_factor }
