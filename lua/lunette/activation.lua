-- activation.lua - the names configs use for activations, as the core's exact ones.
-- Source: transformers' ACT2FN.
local names = {
  gelu = "gelu_erf", gelu_python = "gelu_erf",
  gelu_new = "gelu_tanh", gelu_fast = "gelu_tanh", gelu_pytorch_tanh = "gelu_tanh", gelu_accurate = "gelu_tanh",
  quick_gelu = "gelu_quick",
  silu = "silu", swish = "silu", relu = "relu",
}

-- activation(name) -> name in the core; raises what lunette.load returns
return function (name)
  if names[name] then return names[name] end
  error({ message = ("unsupported activation %q"):format(tostring(name)), code = "arg" }, 0)
end
