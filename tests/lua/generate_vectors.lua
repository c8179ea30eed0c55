-- generate_vectors.lua - ids and scores of generate equal to transformers' on hundreds of random
-- settings (tests/data/generate), with the tensors of toy_tensor.lua or, with "core", the real ones.
-- usage, from the root of the repository:  lua5.4 tests/lua/generate_vectors.lua [core] [FILE]
package.path = "lua/?.lua;tests/lua/?.lua;" .. package.path
local cjson = require "cjson"

if arg[1] ~= "core" then package.loaded.lunette = require "toy_tensor" end
local generate    = require "lunette.generate"
local toy_decoder = require "toy_decoder"

local TOLERANCE = 1e-5

-- cjson reads every number as a float; lunette.json makes integers as this does
local function plain(v)
  if type(v) == "number" then return math.tointeger(v) or v end
  if type(v) ~= "table" then return v end
  local t = {}
  for key, value in pairs(v) do t[key] = plain(value) end
  return t
end

local function difference(results, expected)
  for i, sequences in ipairs(expected) do
    if #results[i].sequences ~= #sequences then return ("input %d: %d sequences, wanted %d"):format(i, #results[i].sequences, #sequences) end
    for s, want in ipairs(sequences) do
      local got = results[i].sequences[s]
      local ids, wanted = table.concat(got.ids, " "), table.concat(want.ids, " ")
      if ids ~= wanted then return ("input %d, sequence %d: ids %s, wanted %s"):format(i, s, ids, wanted) end
      if not (math.abs(got.score - want.score) <= TOLERANCE * (1 + math.abs(want.score))) then
        return ("input %d, sequence %d: score %.7g, wanted %.7g"):format(i, s, got.score, want.score)
      end
    end
  end
end

local function run(case)
  local settings = generate.settings(case.config, case.arguments, #case.start[1], case.model.max_position_embeddings)
  return generate.run(toy_decoder(case.model, case.start), case.start, settings)
end

local path = arg[arg[1] == "core" and 2 or 1] or "tests/data/generate/vectors.json"
local file <close> = assert(io.open(path))
local passed, failed = 0, 0
for number, case in ipairs(plain(cjson.decode(file:read "a")).cases) do
  local ok, results = pcall(run, case)
  local problem = not ok and results or difference(results, case.expected)
  if problem then
    failed = failed + 1
    print(("case %d %s %s: %s"):format(number, cjson.encode(case.config), cjson.encode(case.arguments), problem))
  else
    passed = passed + 1
  end
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
