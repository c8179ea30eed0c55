-- generate_vectors.lua - ids and scores of generate equal to transformers' on hundreds of random
-- settings (tests/data/generate): with the tensors of toy_tensor.lua, then with the core's.
-- usage, from the root of the repository:  lua5.4 tests/lua/generate_vectors.lua [FILE]
package.path = "lua/?.lua;tests/lua/?.lua;" .. package.path
local cjson = require "cjson"

local TOLERANCE = 1e-5

-- cjson reads every number as a float; lunette.json makes integers as this does
local function plain(v)
  if type(v) == "number" then return math.tointeger(v) or v end
  if type(v) ~= "table" then return v end
  local t = {}
  for key, value in pairs(v) do t[key] = plain(value) end
  return t
end

-- Where every token was banned transformers' score is NaN (null in the file); the core's is -inf.
local function equal_scores(got, want)
  if want == cjson.null then return got ~= got or got == -math.huge end
  return math.abs(got - want) <= TOLERANCE * (1 + math.abs(want))
end

local function difference(results, expected)
  for i, sequences in ipairs(expected) do
    if #results[i].sequences ~= #sequences then return ("input %d: %d sequences, wanted %d"):format(i, #results[i].sequences, #sequences) end
    for s, want in ipairs(sequences) do
      local got = results[i].sequences[s]
      local ids, wanted = table.concat(got.ids, " "), table.concat(want.ids, " ")
      if ids ~= wanted then return ("input %d, sequence %d: ids %s, wanted %s"):format(i, s, ids, wanted) end
      if not equal_scores(got.score, want.score) then
        return ("input %d, sequence %d: score %.7g, wanted %s"):format(i, s, got.score, want.score)
      end
    end
  end
end

local file <close> = assert(io.open(arg[1] or "tests/data/generate/vectors.json"))
local cases = plain(cjson.decode(file:read "a")).cases
local passed, failed, skipped = 0, 0, 0

-- Every case with generate as it is when 'lunette' is what it requires.
local function run_all(name, lunette)
  for module in pairs(package.loaded) do
    if module:find "^lunette%.generat" or module == "toy_decoder" then package.loaded[module] = nil end
  end
  package.loaded.lunette = lunette
  local generate, toy_decoder = require "lunette.generate", require "toy_decoder"
  for number, case in ipairs(cases) do
    local ok, results = pcall(function ()
      local settings = generate.settings(case.config, case.arguments, #case.start[1], case.model.max_position_embeddings)
      return generate.run(toy_decoder(case.model, case.start), case.start, settings)
    end)
    local problem = not ok and results or difference(results, case.expected)
    if problem then
      failed = failed + 1
      print(("%s, case %d %s %s: %s"):format(name, number, cjson.encode(case.config), cjson.encode(case.arguments), problem))
    else
      passed = passed + 1
    end
  end
end

run_all("toy tensors", require "toy_tensor")
package.loaded.lunette = nil
local has_core, lunette = pcall(require, "lunette")
if has_core then
  run_all("core tensors", lunette)
else
  skipped = 1
  print("skip core tensors: lunette.core is not built")
end
print(("%d passed, %d failed, %d skipped"):format(passed, failed, skipped))
os.exit(failed == 0)
