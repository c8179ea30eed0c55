---@meta lunette
-- Written by scripts/tools/meta.lua; what it says is said in C.
-- luacheck: ignore 241

---@class lunette.tensor

---@class lunette.ops
local ops = {}

--- a + b
---@param a lunette.tensor|number
---@param b lunette.tensor|number
---@return lunette.tensor y
function ops.add(a, b) end

--- a - b
---@param a lunette.tensor|number
---@param b lunette.tensor|number
---@return lunette.tensor y
function ops.sub(a, b) end

--- a * b
---@param a lunette.tensor|number
---@param b lunette.tensor|number
---@return lunette.tensor y
function ops.mul(a, b) end

--- a / b
---@param a lunette.tensor|number
---@param b lunette.tensor|number
---@return lunette.tensor y
function ops.div(a, b) end

--- the larger of a and b
---@param a lunette.tensor|number
---@param b lunette.tensor|number
---@return lunette.tensor y
function ops.maximum(a, b) end

--- the smaller of a and b
---@param a lunette.tensor|number
---@param b lunette.tensor|number
---@return lunette.tensor y
function ops.minimum(a, b) end

--- -x
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.neg(x) end

--- e^x
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.exp(x) end

--- natural logarithm
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.log(x) end

--- square root
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.sqrt(x) end

--- |x|
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.abs(x) end

--- hyperbolic tangent
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.tanh(x) end

--- 1 / (1 + e^-x)
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.sigmoid(x) end

--- log(1 + e^x)
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.softplus(x) end

--- max(x, 0)
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.relu(x) end

--- min(max(x, 0), 6)
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.relu6(x) end

--- x sigmoid(x); Elfwing et al. 2017, arXiv:1702.03118
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.silu(x) end

--- x (1 + erf(x / sqrt 2)) / 2; Hendrycks and Gimpel 2016, arXiv:1606.08415
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.gelu_erf(x) end

--- x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2; the same paper, section 2
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.gelu_tanh(x) end

--- x sigmoid(1.702 x); the same paper, section 2
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.gelu_quick(x) end

--- activation(x weight^T + bias); x [..., K], weight [N, K] of any float type or q8_0 ([K, N] if transposed), bias [N]
--- -> [..., N]
---@param x lunette.tensor|number
---@param weight lunette.tensor|number
---@param bias? lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: transposed=0 activation=none|gelu_erf|gelu_tanh|gelu_quick|silu|relu
---@return lunette.tensor y
function ops.linear(x, weight, bias, ...) end

--- a [..., M, K] b [..., K, N] ([..., N, K] if transpose_b) -> [..., M, N]; leading axes broadcast
---@param a lunette.tensor|number
---@param b lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: transpose_b=0
---@return lunette.tensor y
function ops.matmul(a, b, ...) end

--- scaled dot-product attention, all heads at once; q [B,H,T,D], k v [R,G,S,D], G divides H, any strides with
--- contiguous D (k also transposed, in rows of a multiple of 32); mask broadcasts to [B,H,T,S] and is added; rows [B]
--- i64: batch row b reads k v [rows[b]] (without it R is B); scale 0 stands for 1/sqrt(D); causal: query t sees keys s
--- <= t + S - T; window w > 0: and s > t + S - T - w; softcap c > 0: scores become c tanh(score / c); y [B,H,T,D]
--- stored as [B,T,H,D]; a row that sees no key gives zeros; Vaswani et al. 2017, arXiv:1706.03762; groups: Ainslie et
--- al. 2023, arXiv:2305.13245
---@param q lunette.tensor|number
---@param k lunette.tensor|number
---@param v lunette.tensor|number
---@param mask? lunette.tensor|number
---@param rows? lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: scale=0 causal=0 window=0 softcap=0
---@return lunette.tensor y
function ops.sdpa(q, k, v, mask, rows, ...) end

--- (x - mean) / sqrt(var + eps) * weight + bias; x [..., C]; Ba et al. 2016, arXiv:1607.06450
---@param x lunette.tensor|number
---@param weight? lunette.tensor|number
---@param bias? lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: eps=1e-5
---@return lunette.tensor y
function ops.layer_norm(x, weight, bias, ...) end

--- x / sqrt(mean(x^2) + eps) * (weight + weight_offset); x [..., C]; Zhang and Sennrich 2019, arXiv:1910.07467
---@param x lunette.tensor|number
---@param weight? lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: eps=1e-6 weight_offset=0
---@return lunette.tensor y
function ops.rms_norm(x, weight, ...) end

--- x [B, C, ...], groups divides C; Wu and He 2018, arXiv:1803.08494
---@param x lunette.tensor|number
---@param weight? lunette.tensor|number
---@param bias? lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: groups= eps=1e-5
---@return lunette.tensor y
function ops.group_norm(x, weight, bias, ...) end

--- with given statistics; x [B, C, ...]; Ioffe and Szegedy 2015, arXiv:1502.03167
---@param x lunette.tensor|number
---@param mean lunette.tensor|number
---@param var lunette.tensor|number
---@param weight? lunette.tensor|number
---@param bias? lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: eps=1e-5
---@return lunette.tensor y
function ops.batch_norm(x, mean, var, weight, bias, ...) end

--- e^x / sum e^x over the last axis; a row of -inf alone gives zeros
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.softmax(x) end

--- x - log sum e^x over the last axis
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.log_softmax(x) end

--- rows of weight [V, C] (any float type or q8_0) by ids [...] i64 -> [..., C]
---@param ids lunette.tensor|number
---@param weight lunette.tensor|number
---@return lunette.tensor y
function ops.embedding(ids, weight) end

--- rotary positions; x [..., T, D], positions [T] or [B, T] f32 or i64, inv_freq [R/2] f32 or f64, R <= D: the first R
--- channels turn; Su et al. 2021, arXiv:2104.09864
---@param x lunette.tensor|number
---@param positions lunette.tensor|number
---@param inv_freq lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: interleaved=0 attention_factor=1
---@return lunette.tensor y
function ops.rope(x, positions, inv_freq, ...) end

--- [H]; Press et al. 2021, arXiv:2108.12409
---@param ... any
--- parameters, in order or as a table by name: heads=
---@return lunette.tensor y
function ops.alibi_slopes(...) end

--- T5's bucket of key - query, i64 -> i64; Raffel et al. 2019, arXiv:1910.10683
---@param relative_position lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: bidirectional=1 num_buckets=32 max_distance=128
---@return lunette.tensor y
function ops.relative_buckets(relative_position, ...) end

--- weight [O, C/groups, KY, KX], bias [O] -> [B, O, Y', X']
---@param x lunette.tensor|number
---@param weight lunette.tensor|number
---@param bias? lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: stride[2]=1 padding[2]=0 dilation[2]=1 groups=1
---@return lunette.tensor y
function ops.conv2d(x, weight, bias, ...) end

--- weight [C, O/groups, KY, KX]
---@param x lunette.tensor|number
---@param weight lunette.tensor|number
---@param bias? lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: stride[2]=1 padding[2]=0 output_padding[2]=0 groups=1 dilation[2]=1
---@return lunette.tensor y
function ops.conv_transpose2d(x, weight, bias, ...) end

--- stride: the kernel's size if left out
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: kernel[2]= stride[2]= padding[2]=0
---@return lunette.tensor y
function ops.max_pool2d(x, ...) end

--- stride: the kernel's size if left out
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: kernel[2]= stride[2]= padding[2]=0 count_include_pad=1
---@return lunette.tensor y
function ops.avg_pool2d(x, ...) end

--- as torch's interpolate: size or scale; with scale the coordinates use the given factor, not the ratio of sizes
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: size[2]= mode=nearest|bilinear|bicubic align_corners=0 antialias=0
--- scale[2]=
---@return lunette.tensor y
function ops.interpolate(x, ...) end

--- sum along an axis
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: @axis=-1 keep=0
---@return lunette.tensor y
function ops.sum(x, ...) end

--- mean along an axis
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: @axis=-1 keep=0
---@return lunette.tensor y
function ops.mean(x, ...) end

--- largest along an axis
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: @axis=-1 keep=0
---@return lunette.tensor y
function ops.max(x, ...) end

--- position (from 0) of the largest, i64; the first of equals
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: @axis=-1 keep=0
---@return lunette.tensor y
function ops.argmax(x, ...) end

--- the k largest along the last axis, descending, and their positions (from 0, i64); of equals the first one first
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: k=
---@return lunette.tensor values
---@return lunette.tensor indices
function ops.topk(x, ...) end

--- the same elements in another shape; one -1 is worked out; a view where it can be
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: shape[6]=
---@return lunette.tensor y
function ops.reshape(x, ...) end

--- a view with its axes in another order
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: @axes[6]=
---@return lunette.tensor y
function ops.permute(x, ...) end

--- a view of [start, start + length) of one axis
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: @axis= @start= length=
---@return lunette.tensor y
function ops.narrow(x, ...) end

--- a view in which axes of 1 repeat
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: shape[6]=
---@return lunette.tensor y
function ops.expand(x, ...) end

--- the same contents, row-major; x itself where it is already
---@param x lunette.tensor|number
---@return lunette.tensor y
function ops.contiguous(x) end

--- converted to another type; to q8_0 the last axis must be a multiple of 32
---@param x lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: dtype=f32|f16|bf16|f64|i64|i32|u8|q8_0
---@return lunette.tensor y
function ops.cast(x, ...) end

--- along one axis; any one type
---@param a lunette.tensor|number
---@param b? lunette.tensor|number
---@param c? lunette.tensor|number
---@param d? lunette.tensor|number
---@param e? lunette.tensor|number
---@param f? lunette.tensor|number
---@param g? lunette.tensor|number
---@param h? lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: @axis=0
---@return lunette.tensor y
function ops.concat(a, b, c, d, e, f, g, h, ...) end

--- slices of x along an axis by index [N] i64 (from 0) -> that axis becomes N; any type
---@param x lunette.tensor|number
---@param index lunette.tensor|number
---@param ... any
--- parameters, in order or as a table by name: @axis=0
---@return lunette.tensor y
function ops.gather(x, index, ...) end

--- y[..., j] = x[..., index[..., j]]; leading axes equal
---@param x lunette.tensor|number
---@param index lunette.tensor|number
---@return lunette.tensor y
function ops.pick(x, index) end

--- x with x[..., index[..., j]] = values[..., j], later j win; x itself is changed and returned
---@param x lunette.tensor|number
---@param index lunette.tensor|number
---@param values lunette.tensor|number
---@return lunette.tensor y
function ops.put(x, index, values) end

--- one value everywhere
---@param ... any
--- parameters, in order or as a table by name: shape[6]= value=0 dtype=f32|f16|bf16|f64|i64|i32|u8
---@return lunette.tensor y
function ops.fill(...) end

--- [N]: start, start + step, ... below stop
---@param ... any
--- parameters, in order or as a table by name: start=0 stop= step=1 dtype=f32|f16|bf16|f64|i64|i32|u8
---@return lunette.tensor y
function ops.arange(...) end

--- keys and values of one layer
---@class lunette.kv_cache
local kv_cache = {}

--- positions held
---@return any ...
function kv_cache:length() end

--- keeps, reorders or repeats rows; the picture's keys and values stay where they are
---@param index integer[] the rows to keep, in their new order; positions from 1, any may repeat
---@return any ...
function kv_cache:select(index) end

---@class lunette
local lunette = {}

lunette.ops = ops

--- an empty cache for one layer
---@param capacity integer positions it can hold
---@return any ...
function lunette.kv_cache(capacity) end

---@class lunette.linear_arguments
--- [N, K], any float type or q8_0
---@field weight lunette.tensor
--- [N]
---@field bias? lunette.tensor
--- weight is [K, N], as GPT-2 stores it
---@field transposed? boolean

--- x weight^T + bias: [..., K] -> [..., N]
---@class lunette.linear_block
---@field path string
---@overload fun(x: lunette.tensor): lunette.tensor

---@param arguments lunette.linear_arguments
---@return lunette.linear_block
function lunette.linear(arguments) end

---@class lunette.embedding_arguments
--- [V, C], any float type or q8_0
---@field weight lunette.tensor

--- rows of a table: ids [...] -> [..., C]
---@class lunette.embedding_block
---@field path string
---@overload fun(ids: lunette.tensor): lunette.tensor

---@param arguments lunette.embedding_arguments
---@return lunette.embedding_block
function lunette.embedding(arguments) end

---@class lunette.layer_norm_arguments
--- [C]
---@field weight? lunette.tensor
--- [C]
---@field bias? lunette.tensor
--- added to the variance; the config names it
---@field eps? number

--- (x - mean) / sqrt(var + eps) * weight + bias over the last axis; Ba et al. 2016, arXiv:1607.06450
---@class lunette.layer_norm_block
---@field path string
---@overload fun(x: lunette.tensor): lunette.tensor

---@param arguments lunette.layer_norm_arguments
---@return lunette.layer_norm_block
function lunette.layer_norm(arguments) end

---@class lunette.rms_norm_arguments
--- [C]
---@field weight? lunette.tensor
--- added to the mean square; the config names it
---@field eps? number
--- added to the weight: 1 in Gemma
---@field weight_offset? number

--- x / sqrt(mean(x^2) + eps) * weight over the last axis; Zhang and Sennrich 2019, arXiv:1910.07467
---@class lunette.rms_norm_block
---@field path string
---@overload fun(x: lunette.tensor): lunette.tensor

---@param arguments lunette.rms_norm_arguments
---@return lunette.rms_norm_block
function lunette.rms_norm(arguments) end

---@class lunette.attention_arguments
--- H, which divides the outputs of q
---@field heads? integer
--- G, which divides H; 0: H
---@field kv_heads? integer
--- of the scores; 0: 1/sqrt(D)
---@field scale? number
--- a query sees no later key
---@field causal? boolean
--- weights are [K, N], as GPT-2 stores them
---@field transposed? boolean
---@field q? lunette.attention_arguments.q
---@field k? lunette.attention_arguments.k
---@field v? lunette.attention_arguments.v
---@field qkv? lunette.attention_arguments.qkv
---@field kv? lunette.attention_arguments.kv
---@field out? lunette.attention_arguments.out
--- [C], multiplies what is added to x (Touvron et al. 2021, arXiv:2103.17239)
---@field layer_scale? lunette.tensor

---@class lunette.attention_arguments.q
--- [H D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.attention_arguments.k
--- [G D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.attention_arguments.v
--- [G D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.attention_arguments.qkv
--- q, k and v in one: [(H + 2 G) D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.attention_arguments.kv
--- k and v in one: [2 G D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.attention_arguments.out
--- [C, H D]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

--- multi-head attention: [B, T, C] -> [B, T, C]; Vaswani et al. 2017, arXiv:1706.03762
---@class lunette.attention_block
---@field path string
---@overload fun(x: lunette.tensor, cache?: userdata, memory?: lunette.tensor, mask?: lunette.tensor): lunette.tensor

---@param arguments lunette.attention_arguments
---@return lunette.attention_block
function lunette.attention(arguments) end

---@class lunette.mlp_arguments
--- gelu_erf, gelu_tanh, gelu_quick, silu or relu
---@field activation? string
--- weights are [K, N], as GPT-2 stores them
---@field transposed? boolean
---@field up? lunette.mlp_arguments.up
---@field down? lunette.mlp_arguments.down
---@field gate? lunette.mlp_arguments.gate
--- [C], multiplies what is added to x
---@field layer_scale? lunette.tensor

---@class lunette.mlp_arguments.up
--- [F, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.mlp_arguments.down
--- [C, F]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.mlp_arguments.gate
--- [F, C]; multiplies up (Shazeer 2020, arXiv:2002.05202)
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

--- down(activation(up(x))), or down(activation(gate(x)) up(x)): [..., C] -> [..., C]
---@class lunette.mlp_block
---@field path string
---@overload fun(x: lunette.tensor): lunette.tensor

---@param arguments lunette.mlp_arguments
---@return lunette.mlp_block
function lunette.mlp(arguments) end

---@class lunette.layer_arguments
---@field norm? lunette.layer_arguments.norm
---@field attention? lunette.layer_arguments.attention
---@field cross? lunette.layer_arguments.cross
---@field mlp? lunette.layer_arguments.mlp

---@class lunette.layer_arguments.norm
--- layer (without it) or rms
---@field kind? string
--- the config names it
---@field eps? number
--- norms come before their part, not after the sum
---@field before? boolean

---@class lunette.layer_arguments.attention
--- H, which divides the outputs of q
---@field heads? integer
--- G, which divides H; 0: H
---@field kv_heads? integer
--- of the scores; 0: 1/sqrt(D)
---@field scale? number
--- a query sees no later key
---@field causal? boolean
--- weights are [K, N], as GPT-2 stores them
---@field transposed? boolean
---@field q? lunette.layer_arguments.attention.q
---@field k? lunette.layer_arguments.attention.k
---@field v? lunette.layer_arguments.attention.v
---@field qkv? lunette.layer_arguments.attention.qkv
---@field kv? lunette.layer_arguments.attention.kv
---@field out? lunette.layer_arguments.attention.out
--- [C], multiplies what is added to x (Touvron et al. 2021, arXiv:2103.17239)
---@field layer_scale? lunette.tensor
---@field norm? lunette.layer_arguments.attention.norm

---@class lunette.layer_arguments.attention.q
--- [H D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.attention.k
--- [G D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.attention.v
--- [G D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.attention.qkv
--- q, k and v in one: [(H + 2 G) D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.attention.kv
--- k and v in one: [2 G D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.attention.out
--- [C, H D]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.attention.norm
--- [C]
---@field weight? lunette.tensor
--- [C], of a layer norm
---@field bias? lunette.tensor

---@class lunette.layer_arguments.cross
--- H, which divides the outputs of q
---@field heads? integer
--- G, which divides H; 0: H
---@field kv_heads? integer
--- of the scores; 0: 1/sqrt(D)
---@field scale? number
--- a query sees no later key
---@field causal? boolean
--- weights are [K, N], as GPT-2 stores them
---@field transposed? boolean
---@field q? lunette.layer_arguments.cross.q
---@field k? lunette.layer_arguments.cross.k
---@field v? lunette.layer_arguments.cross.v
---@field qkv? lunette.layer_arguments.cross.qkv
---@field kv? lunette.layer_arguments.cross.kv
---@field out? lunette.layer_arguments.cross.out
--- [C], multiplies what is added to x (Touvron et al. 2021, arXiv:2103.17239)
---@field layer_scale? lunette.tensor
---@field norm? lunette.layer_arguments.cross.norm

---@class lunette.layer_arguments.cross.q
--- [H D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.cross.k
--- [G D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.cross.v
--- [G D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.cross.qkv
--- q, k and v in one: [(H + 2 G) D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.cross.kv
--- k and v in one: [2 G D, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.cross.out
--- [C, H D]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.cross.norm
--- [C]
---@field weight? lunette.tensor
--- [C], of a layer norm
---@field bias? lunette.tensor

---@class lunette.layer_arguments.mlp
--- gelu_erf, gelu_tanh, gelu_quick, silu or relu
---@field activation? string
--- weights are [K, N], as GPT-2 stores them
---@field transposed? boolean
---@field up? lunette.layer_arguments.mlp.up
---@field down? lunette.layer_arguments.mlp.down
---@field gate? lunette.layer_arguments.mlp.gate
--- [C], multiplies what is added to x
---@field layer_scale? lunette.tensor
---@field norm? lunette.layer_arguments.mlp.norm

---@class lunette.layer_arguments.mlp.up
--- [F, C]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.mlp.down
--- [C, F]
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.mlp.gate
--- [F, C]; multiplies up (Shazeer 2020, arXiv:2002.05202)
---@field weight? lunette.tensor
--- [N]
---@field bias? lunette.tensor

---@class lunette.layer_arguments.mlp.norm
--- [C]
---@field weight? lunette.tensor
--- [C], of a layer norm
---@field bias? lunette.tensor

--- a Transformer layer: [B, T, C] -> [B, T, C]
---@class lunette.layer_block
---@field path string
---@overload fun(x: lunette.tensor, cache?: userdata, memory?: lunette.tensor, mask?: lunette.tensor): lunette.tensor

---@param arguments lunette.layer_arguments
---@return lunette.layer_block
function lunette.layer(arguments) end

return lunette
