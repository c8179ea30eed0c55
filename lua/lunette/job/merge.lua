-- merge.lua - takes the records of one job file into another.
local store = require "lunette.job.store"

local merge = {}

-- Whether a record is to take the place of one that is there.
local function better(row, known)
  return known.todo > 0 and known.state == nil or known.state ~= "done" and row.state == "done"
end

-- take(whole, path): all records of the job file 'path'; raises
function merge.take(whole, path)
  local part <close>, message = store.open(path, { readonly = true })
  if not part then error(message, 0) end
  for _, name in ipairs { "settings", "run" } do
    local value = part:get(name)
    if name == "run" then value = value and whole:run_id(part:run_settings(value)) end
    if value and not whole:get(name) then whole:set(name, value) end
  end
  for row in part:all() do
    row.run = row.run and whole:run_id(part:run_settings(row.run))
    local known = whole:find(row.path)
    if not known then whole:put(whole:add(row), row)
    elseif better(row, known) then
      whole:again(known.id, row)
      whole:put(known.id, row)
    end
  end
end

return merge
