-- worker.lua - a worker of a job: a process that is sent pictures and answers with captions.
--
-- It reads pictures and writes nothing: what it answers the coordinator keeps.  Messages (channel.lua) come
-- and go through file descriptor 3.
--
--   setup    model, threads, ahead_threads, arguments, batch_size, measure (whether the batch size is to be measured), data_limit,
--            shared, thumbnail, fast_decode
--   ready                           or   refused   status, message
--   task     key, file, bytes       (bytes: of a picture that is no file)
--   batch_size  size, and from the worker that measured it a sentence
--   done     key, text, ids, score, tokens, sequences, ms, width, height, thumbnail
--   failed   key, stage, error      or   dropped   key      or, before it ends,   exhausted   error
local lunette  = require "lunette"
local batch_size = require "lunette.job.batch_size"
local channel  = require "lunette.job.channel"
local prefetch = require "lunette.job.prefetch"
local memory   = require "lunette.job.memory"
local luv      = require "luv"

local PIPE  = 3              -- file descriptor
local TIDY  = 32             -- pictures after which memory is given back

local worker = {}

-- ---- the model -----------------------------------------------------------------------------

-- A model that captions pictures by these arguments, and the length of its prompt; or nil, exit status, message.
local function open_model(setup)
  local dir = setup.model
  local model, message = lunette.load(dir, { threads = setup.threads, shared = setup.shared })
  if not model then return nil, 3, message end
  if not model.start then return nil, 3, ("%s: %s does not caption pictures"):format(dir, model.config.model_type) end
  if not model.tokenizer then return nil, 3, dir .. " holds no tokenizer.json" end
  if not model.image_processor then return nil, 3, dir .. " holds no preprocessor_config.json" end
  local fits, settings = pcall(model.settings, model, {})
  if not fits then return nil, 3, ("%s: %s"):format(dir, settings) end
  fits, settings = pcall(model.settings, model, setup.arguments)
  if not fits then return nil, 2, settings end
  return model, settings.prompt_length
end

-- ---- captions ------------------------------------------------------------------------------

local function sequence_of(self, s)
  return { text = s.text, ids = s.ids, score = s.score, tokens = #s.ids - self.prompt_length }
end

local function answer(self, picture, result, ms)
  local message = sequence_of(self, result.sequences[1])
  message.kind, message.key, message.ms = "done", picture.key, ms
  message.width, message.height, message.thumbnail = picture.width, picture.height, picture.thumbnail
  if #result.sequences > 1 then
    message.sequences = {}
    for i, s in ipairs(result.sequences) do message.sequences[i] = sequence_of(self, s) end
  end
  self.channel:send(message)
end

-- A worker that had no memory for a picture ends: what another picture left may be to blame, and the coordinator
-- tries each alone in a new one.
local MEMORY = { "no memory", "out of memory", "not enough memory" }

local function ran_out(message)
  for _, words in ipairs(MEMORY) do
    if message:find(words, 1, true) then return true end
  end
  return false
end

local function refuse(self, picture, stage, message)
  if ran_out(message) then
    self.ended = true
    return self.channel:send { kind = "exhausted", error = message }
  end
  self.channel:send { kind = "failed", key = picture.key, stage = stage, error = message }
end

-- Captions prepared pictures together and answers.
local function caption(self, pictures)
  local scope <close> = lunette.scope()
  local call, began = { pixel_values = {} }, luv.hrtime()
  for name, value in pairs(self.setup.arguments) do call[name] = value end
  for i, picture in ipairs(pictures) do call.pixel_values[i] = picture.pixels end
  local results = self.model:generate(call)
  local ms = (luv.hrtime() - began) / 1e6 / #pictures
  for i, result in ipairs(results) do
    if result.error then refuse(self, pictures[i], result.stage, result.error) else answer(self, pictures[i], result, ms) end
    pictures[i].pixels:free()
  end
end

local function work(self, list)
  local prepared = {}
  for _, picture in ipairs(list) do
    if picture.stage == "dropped" then self.channel:send { kind = "dropped", key = picture.key }
    elseif picture.error then refuse(self, picture, picture.stage, picture.error) else prepared[#prepared + 1] = picture end
  end
  if #prepared > 0 then caption(self, prepared) end
  return #prepared
end

-- Up to 'most' prepared pictures; waits for them while there are some under way.
local function take(self, most)
  local list = {}
  while #list < most and self.outstanding > 0 do
    for _, picture in ipairs(self.queue:take(most - #list, true)) do
      list[#list + 1] = picture
      self.outstanding = self.outstanding - 1
    end
  end
  return list
end

-- How many pictures the next batch has.
local function next_size(self)
  local trial = self.trials and batch_size.trials[#self.trials + 1]
  return trial or self.batch_size
end

-- Notes how long a batch of so many captions took; after the last trial the size is chosen.
local function note(self, images, began)
  if not self.trials or images == 0 then return end
  table.insert(self.trials, { images = images, ms = (luv.hrtime() - began) / 1e6 })
  if #self.trials < #batch_size.trials then return end
  local size, sentence = batch_size.choose(self.trials)
  self.trials, self.batch_size = nil, size
  self.channel:send { kind = "batch_size", size = size, sentence = sentence }
end

-- Pictures of a size that is rare leave memory that is kept for more of them: now and then it goes.
local function tidy(self, images)
  self.since = (self.since or 0) + images
  if self.since < TIDY then return end
  self.since = 0
  collectgarbage()
  lunette.trim()
end

-- ---- the process ---------------------------------------------------------------------------

local messages = {}

function messages.setup(self, setup)
  self.setup = setup
  self.batch_size, self.trials = setup.batch_size, setup.measure and {} or nil
  if setup.data_limit then assert(require "lunette.rlimit".data(setup.data_limit)) end
  local ok, model, detail, message = pcall(open_model, setup)
  if not ok then model, detail, message = nil, 3, tostring(model) end          -- no memory for it, above all
  if not model then
    self.channel:send { kind = "refused", status = detail, message = message }
    return
  end
  self.model, self.prompt_length = model, detail
  self.queue = assert(prefetch.new { model = setup.model, threads = setup.ahead_threads, thumbnail = setup.thumbnail,
                                     reduce_to = setup.fast_decode and model.image_processor:reduce_to() or nil,
                                     on_image = self.on_image })
  self.channel:send { kind = "ready" }
end

function messages.task(self, task)
  self.queue:add(task.key, task)
  self.outstanding = self.outstanding + 1
end

function messages.batch_size(self, message) self.batch_size, self.trials = message.size, nil end

-- serve([on_image]): works until the coordinator is gone.
function worker.serve(on_image)
  memory.keep_flat()
  local self = { outstanding = 0, on_image = on_image }
  self.channel = channel.open(channel.pipe(PIPE), function (message) messages[message.kind](self, message) end,
                              function () self.ended = true end)
  while not self.ended do
    if self.outstanding == 0 then luv.run "once"
    else
      local began = luv.hrtime()
      local list = take(self, next_size(self))
      note(self, work(self, list), began)
      tidy(self, #list)
    end
    luv.run "nowait"
  end
end

return worker
