-- states.lua - Lua states on several threads of one process, each with lunette in it: what each finds
-- is what the main state finds, bit for bit.  tests/source/races.lua runs this under ThreadSanitizer.
local luv   = require "luv"
local check = require "check"

local PICTURES = { "coffee.png", "rocket.jpg" }

-- Runs in any state: a picture is read and prepared, its name encoded and decoded, and, if asked, the
-- model's encoder run.  -> all of it as a string
local function work(picture, encode)
  local lunette   = require "lunette"
  local vision    = require "lunette.vision"
  local text      = require "lunette.text"
  local json      = require "lunette.json"
  local digest    = require "lunette.digest"
  local processor = require "lunette.image_processor"
  local model     = "models/lunette-mini"
  lunette.threads(1)
  local image = assert(vision.load("models/examples/" .. picture))
  local pixels = assert(assert(processor.new(assert(json.read(model .. "/preprocessor_config.json"))))(image))
  local tokenizer = assert(text.load(model .. "/tokenizer.json"))
  local ids = tokenizer:encode("a photo of " .. picture)
  local found = { digest.string(pixels:bytes()), table.concat(ids, " "), tokenizer:decode(ids) }
  if encode then
    local loaded <close> = assert(lunette.load(model))
    found[#found + 1] = digest.string(loaded:encode(pixels):bytes())
  end
  return table.concat(found, "|")
end

-- States that live as long as the threads of libuv's pool.
do
  local answers = {}
  local job = luv.new_work(function (run, picture)
    return picture, select(2, pcall(load(run, "work", "b"), picture))      -- the message, if it failed
  end, function (picture, got)
    answers[#answers + 1] = true
    check.equal(got, work(picture), "new_work on " .. picture)
  end)
  for i = 0, 15 do job:queue(string.dump(work), PICTURES[i % #PICTURES + 1]) end
  luv.run()
  check.equal(#answers, 16, "answers of luv.new_work")
end

-- States that come and go while others work; these run the model too.
do
  local answers, threads = {}, {}
  for i, picture in ipairs(PICTURES) do
    local answer
    answer = luv.new_async(function (got)
      answers[i] = got
      answer:close()
    end)
    threads[i] = luv.new_thread(function (handle, run, name)
      handle:send(select(2, pcall(load(run, "work", "b"), name, true)))
    end, answer, string.dump(work), picture)
  end
  for _, thread in ipairs(threads) do thread:join() end
  luv.run()
  for i, picture in ipairs(PICTURES) do check.equal(answers[i], work(picture, true), "a thread with a model on " .. picture) end
end

check.finish()
