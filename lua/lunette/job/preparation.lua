-- preparation.lua - what becomes of a picture before the model sees it: read, decoded, prepared.
--
-- One call a picture.  lunette.job.prefetch makes it on other threads, so it takes and
-- gives only what passes between Lua states: strings, numbers, nil.
local core = require "lunette.core"
local image_processor = require "lunette.image_processor"
local memory = require "lunette.job.memory"
local vision = require "lunette.vision"

local PIECE = 1 << 18      -- bytes read at a time
local LIMIT = 1856 << 20   -- bytes of a file: more than any picture within vision's limit of pixels takes

-- All bytes of a file, whatever kind of file it is; or nil, message as vision.load's, without the path.
local function read(path)
  if path:find("\0", 1, true) then return nil, "path: holds a zero byte" end
  local file <close>, message = io.open(path, "rb")
  if not file then return nil, message:sub(#path + 3) end
  local pieces, size = {}, 0
  while true do
    local piece, why = file:read(PIECE)
    if not piece then
      if why then return nil, why end
      return table.concat(pieces)
    end
    size = size + #piece
    if size > LIMIT then return nil, ("file is larger than %d bytes"):format(LIMIT) end
    pieces[#pieces + 1] = piece
  end
end

memory.collect_steadily()
local processors = {}      -- by model directory

local function processor_of(dir)
  if not processors[dir] then
    local processor, message = image_processor.load(dir)
    if not processor then return nil, message or dir .. ": no preprocessor_config.json" end
    processors[dir] = processor
  end
  return processors[dir]
end

-- prepare(dir, reduce_to, thumbnail, file, bytes [, on_image])
--   -> bytes of the resized picture u8 [Y, X, 3], Y, X, height, width of the picture, bytes of its thumbnail;
--   or nil, stage, message and, if it was decoded, height, width
--
--   dir         of the model
--   reduce_to   pixels that both sides of a JPEG decoded at reduced scale must keep, as vision.decode takes it;
--               nil: always in full
--   thumbnail   pixels of its longer side at most; nil: none is made
--   file        path of the picture; or bytes, its contents
--   on_image    function(image, file) that may give another image, or false: then nil, "dropped"
--
-- Normalising is left to the caller: a tenth of the work, which makes the pixels four times as large.
local function prepare(dir, reduce_to, thumbnail, file, bytes, on_image)
  local scope <close> = core.scope()
  local message
  if not bytes then
    bytes, message = read(file)
    if not bytes then return nil, "read", message end
  end
  local image, reduced_by = vision.decode(bytes, { reduce_to = reduce_to or 0 })
  if not image then return nil, "decode", reduced_by end
  local height, width = image:dim(1) * reduced_by, image:dim(2) * reduced_by
  local other = on_image and on_image(image, file)
  if other == false then return nil, "dropped" end
  if other ~= nil and type(other) ~= "userdata" then
    return nil, "prepare", ("on_image gave a %s, wanted a tensor u8 [Y, X, 3], false or nothing"):format(type(other)), height, width
  end
  image = other or image
  local processor, resized
  processor, message = processor_of(dir)
  if processor then resized, message = processor:resize(image) end
  if not resized then return nil, "prepare", message, height, width end
  local small = thumbnail and vision.encode_jpeg(vision.thumbnail(image, { height = thumbnail, width = thumbnail }))
  return resized:bytes(), resized:dim(1), resized:dim(2), height, width, small
end

-- safely(...) -> the same; an error that nobody expected (no memory, above all) fails the picture
local function safely(...)
  local results = table.pack(pcall(prepare, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  return nil, "prepare", tostring(results[2])
end

-- in_thread(...) -> the same, on one thread
local function in_thread(...)
  if core.threads() > 1 then core.threads(1) end
  return safely(...)
end

return { prepare = prepare, safely = safely, in_thread = in_thread }
