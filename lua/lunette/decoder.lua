-- decoder.lua - what text decoders share: ids in, logits out, and the cache between steps.
--
-- A family gives hidden(ids, cache) -> [B, T, C], head and layers; this file the rest.
local core  = require "lunette.core"
local Model = require "lunette.family".Model

local Decoder = setmetatable({}, { __index = Model })

-- ---- the cache: one kv_cache of the core a layer ------------------------------

local Cache = {}
Cache.__index = Cache

-- cache:attend(memory [I, S, C]): what cross attention reads; each layer projects it once
function Cache:attend(memory)
  local projection = self.decoder.memory_projection
  self.memory = projection and projection(memory) or memory
  return self
end

-- cache:positions(ids [B, T]) -> i64 [T]: the positions of these ids, which count as taken
function Cache:positions(ids)
  local first, count = self.length, ids:dim(2)
  if first + count > self.capacity then
    error(("the text needs position %d, but there are %d"):format(first + count, self.capacity), 0)
  end
  self.length = first + count
  return core.ops.arange { start = first, stop = first + count, dtype = "i64" }
end

-- cache:select(index): keeps, reorders or repeats rows of the batch; positions from 1
function Cache:select(index)
  for i = 1, #self do self[i]:select(index) end
end

-- cache:free(), or the end of a 'local cache <close>': its memory goes now; Lua's collector sees next to nothing of it
function Cache:free()
  for i = 1, #self do self[i]:free() end
end

Cache.__close = Cache.free

-- decoder:cache { length = N } -> a cache for at most N positions
function Decoder:cache(options)
  local length = options.length
  if self.max_positions and length > self.max_positions then
    error(("%d positions, but this model has %d"):format(length, self.max_positions), 2)
  end
  local cache = setmetatable({ decoder = self, length = 0, capacity = length }, Cache)
  for i = 1, #self.layers do cache[i] = core.kv_cache(length) end
  return cache
end

-- ---- steps ---------------------------------------------------------------------

-- Ids as i64 [B, T]: from a tensor, a number, a list, or a list of lists.
local function as_ids(ids)
  if type(ids) == "number" then return core.tensor({ { ids } }, { dtype = "i64" }) end
  if type(ids) == "table" then
    return core.tensor(type(ids[1]) == "table" and ids or { ids }, { dtype = "i64" })
  end
  return ids
end

-- decoder(ids [B, T] [, cache]) -> logits [B, T, V]; of one number: [1, V]
function Decoder:forward(ids, cache)
  if type(ids) == "number" then return self:step(ids, cache) end
  ids = as_ids(ids)
  return self:record_module("logits", self.head(self:hidden(ids, cache or self:cache { length = ids:dim(2) })))
end

-- decoder:step(ids [B, T], cache) -> logits [B, V] of the last position
function Decoder:step(ids, cache)
  ids = as_ids(ids)
  local x = self:hidden(ids, cache)
  return self.head(x:narrow(2, x:dim(2), 1):reshape { x:dim(1), x:dim(3) })
end

return Decoder
