-- batch_size.lua - how many pictures a batch, where nobody said: from the times of the job's own first batches.
--
-- The first batches have the sizes in 'trials'; their captions count like all others.
--
--   { images = 4, ms = 520.5 }     a batch that was done: its pictures, and how long it took with all that belongs to it
local WITHIN = 0.97        -- of the best rate: a smaller batch needs less memory, and loses less when a worker dies

-- Each size twice, since the first batch of a process is slow, and in turns, since a machine may slow down meanwhile.
local trials = { 1, 2, 4, 8, 1, 2, 4, 8 }

-- choose(batches) -> size, sentence that says so with the numbers
--
-- The faster of equal batches counts: whatever else the machine does can only slow one down.
-- Of no batch at all the size is 1.
local function choose(batches)
  local rates, sizes = {}, {}
  for _, batch in ipairs(batches) do
    local rate = batch.images / math.max(batch.ms, 1e-3) * 1000
    if not rates[batch.images] then sizes[#sizes + 1] = batch.images end
    rates[batch.images] = math.max(rates[batch.images] or 0, rate)
  end
  if #sizes == 0 then return 1, "batches of 1: nothing was measured" end
  table.sort(sizes)
  local best, chosen, others = 0, nil, {}
  for _, rate in pairs(rates) do best = math.max(best, rate) end
  for _, size in ipairs(sizes) do
    if not chosen and rates[size] >= WITHIN * best then chosen = size
    else others[#others + 1] = ("of %d: %.3g"):format(size, rates[size]) end
  end
  local compared = #others > 0 and (" (%s)"):format(table.concat(others, ", ")) or ""
  return chosen, ("batches of %d: %.3g images/s%s"):format(chosen, rates[chosen], compared)
end

return { choose = choose, trials = trials }
