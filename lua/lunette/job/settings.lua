-- job/settings.lua - what job.run takes: the names, and what each may be.
local settings = {
  WORKERS = 256,        -- at most
  THREADS = 256,        -- as in the core
  BATCH   = 1024,
}

-- ---- kinds: a function of a value that says whether it is one, and what is wanted -----------------------

local function of_type(name, wanted) return { function (v) return type(v) == name end, wanted } end

local function whole(least, most)
  return { function (v) return type(v) == "number" and math.tointeger(v) and v >= least and v <= (most or v) end,
           most and ("a whole number from %d to %d"):format(least, most) or ("a whole number of at least %d"):format(least) }
end

local function one_of(...)
  local list = { ... }
  return { function (v)
    for _, word in ipairs(list) do
      if v == word then return true end
    end
    return false
  end, table.concat(list, ", ", 1, #list - 1) .. " or " .. list[#list] }
end

local ANYTHING  = { function () return true end }          -- the model says what it takes
local FLAG      = of_type("boolean", "true or false")
local TEXT      = of_type("string", "a string")
local FUNCTION  = of_type("function", "a function")
local SECONDS   = { function (v) return type(v) == "number" and v > 0 and v < math.huge end, "a number of seconds above 0" }
local LIST      = { function (v)
  if type(v) ~= "table" then return false end
  for _, item in ipairs(v) do
    if type(item) ~= "string" then return false end
  end
  return true
end, "a list of strings" }
local SHARD     = { function (v)
  return type(v) == "table" and math.type(v[1]) == "integer" and math.type(v[2]) == "integer" and v[1] >= 1 and v[1] <= v[2]
end, "{ I, N } with I from 1 to N" }

-- What a job file keeps, for retry.
local REMEMBERED = {
  model = TEXT, prompt = ANYTHING, num_beams = ANYTHING, max_new_tokens = ANYTHING, length_penalty = ANYTHING, num_return_sequences = ANYTHING,
  recursive = FLAG, null = FLAG,
  out = LIST, sidecar = one_of("txt", "caption", "json"), sidecar_dir = TEXT, xmp = FLAG, xmp_title = TEXT, in_place = FLAG,
  overwrite = one_of("never", "always", "older"), append = FLAG, prepend = FLAG, template = TEXT, ordered = FLAG,
  workers = whole(1, settings.WORKERS), threads = whole(0, settings.THREADS), batch_size = whole(1, settings.BATCH), timeout = SECONDS,
  max_memory = whole(1), retries = whole(0), fast_decode = FLAG,
}

-- What is of one run.
local OTHERS = {
  inputs = LIST, shard = SHARD, queue = TEXT, to_queue = FLAG, claim_after = SECONDS, job = TEXT, max_failures = whole(0),
  filter = FUNCTION, on_image = FUNCTION, on_caption = FUNCTION, on_record = FUNCTION, on_message = FUNCTION, on_progress = FUNCTION,
}

-- ---- whole tables ------------------------------------------------------------------------------------

local function show(v) return type(v) == "string" and ("%q"):format(v) or type(v) == "number" and tostring(v) or "a " .. type(v) end

-- settings.check(given) -> true, or nil, message: names that are known, values that they take
function settings.check(given)
  local wrong = {}
  for name, value in pairs(given) do
    local kind = REMEMBERED[name] or OTHERS[name]
    if not kind then wrong[#wrong + 1] = ("%s is no setting of a job"):format(name)
    elseif not kind[1](value) then wrong[#wrong + 1] = ("%s is %s, wanted %s"):format(name, show(value), kind[2]) end
  end
  if given.append and given.prepend then wrong[#wrong + 1] = "append and prepend exclude each other" end
  if #wrong == 0 then return true end
  table.sort(wrong)
  return nil, table.concat(wrong, "; ")
end

-- settings.pick(from) -> those of a table's values that are settings
function settings.pick(from)
  local picked = {}
  for _, kinds in ipairs { REMEMBERED, OTHERS } do
    for name in pairs(kinds) do picked[name] = from[name] end
  end
  return picked
end

-- settings.remembered(given) -> those that a job file keeps
function settings.remembered(given)
  local kept = {}
  for name in pairs(REMEMBERED) do kept[name] = given[name] end
  return kept
end

return settings
