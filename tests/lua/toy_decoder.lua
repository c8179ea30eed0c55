-- toy_decoder.lua - a stepper for generate over a table of logits chosen by the last three ids
-- and the length; the same one is in the oracle that made tests/data/generate (README.md there).
local lunette = require "lunette"

-- f32 values of a 32-bit linear congruential generator for each row, 24 bits a value, in [-4, 4);
-- rows are made when first asked for
local function logits_table(model)
  local boosted = {}
  for _, token in ipairs(model.boosted) do boosted[token] = true end
  return setmetatable({}, { __index = function (rows, r)
    local row, x = {}, (model.seed + r * 2654435761) & 0xffffffff
    for v = 0, model.vocab - 1 do
      x = (x * 1664525 + 1013904223) & 0xffffffff
      row[v + 1] = (x >> 8) / 2 ^ 24 * 8 - 4 + (boosted[v] and model.boost or 0)
    end
    rows[r] = row
    return row
  end })
end

-- toy_decoder(model, encoder_ids) -> stepper; it counts what it is asked for in .evaluated
return function (model, encoder_ids)
  local logits, histories = logits_table(model), nil
  local step = { encoder_ids = encoder_ids, evaluated = 0 }

  function step.logits(_, ids)
    local rows = {}
    histories = histories or {}
    for r, new in ipairs(ids) do
      histories[r] = histories[r] or {}
      local h = histories[r]
      table.move(new, 1, #new, #h + 1, h)
      local n = #h
      rows[r] = logits[((h[n] or 0) * 313 + (h[n - 1] or 0) * 719 + (h[n - 2] or 0) * 127 + n * 59) % model.table]
    end
    assert(#ids == #histories, "every live row gets new ids")
    step.evaluated = step.evaluated + #ids
    return lunette.tensor(rows)
  end

  function step.reorder(_, index)
    local former = histories
    histories = {}
    for r, from in ipairs(index) do histories[r] = table.move(former[from], 1, #former[from], 1, {}) end
  end

  return step
end
