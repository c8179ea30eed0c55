-- job_batch_size.lua - the size of a batch from measured times: the smallest within 3 % of the best.
local batch_size = require "lunette.job.batch_size"
local check      = require "check"

local equal, choose = check.equal, batch_size.choose

-- Batches from pairs of size and images a second.
local function measured(...)
  local list = {}
  for i, pair in ipairs { ... } do list[i] = { images = pair[1], ms = pair[1] / pair[2] * 1000 } end
  return list
end

local function chosen(...) return { choose(measured(...)) } end

equal(chosen({ 1, 5 }, { 2, 6 }, { 4, 7 }, { 8, 10 }), { 8, "batches of 8: 10 images/s (of 1: 5, of 2: 6, of 4: 7)" }, "the best")
equal(chosen({ 1, 5 }, { 2, 9.71 }, { 4, 10 }, { 8, 9 }), { 2, "batches of 2: 9.71 images/s (of 1: 5, of 4: 10, of 8: 9)" }, "within 3 %")
equal(chosen({ 1, 5 }, { 2, 9.69 }, { 4, 10 }, { 8, 9 })[1], 4, "not within 3 %")
equal(chosen({ 8, 10 }, { 4, 10 }, { 2, 10 }, { 1, 10 })[1], 1, "the smallest, in any order")
equal(chosen({ 1, 2 }, { 2, 6 }, { 1, 8 }, { 2, 7 }), { 1, "batches of 1: 8 images/s (of 2: 7)" }, "the faster of two batches of a size")
equal(chosen({ 1, 123.456 }), { 1, "batches of 1: 123 images/s" }, "one size")
equal(chosen({ 3, 4 })[1], 3, "a job of three pictures")
equal({ choose {} }, { 1, "batches of 1: nothing was measured" }, "nothing")
equal(choose { { images = 1, ms = 0 }, { images = 4, ms = 0 } }, 4, "a clock that stood still")

local seen = {}
for _, size in ipairs(batch_size.trials) do seen[size] = (seen[size] or 0) + 1 end
equal({ seen[1], seen[2], seen[4], seen[8] }, { 2, 2, 2, 2 }, "each size twice")

check.finish()
