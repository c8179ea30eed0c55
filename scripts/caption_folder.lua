-- caption_folder.lua - captions a folder with functions of your own in the middle.
--   lua5.4 scripts/caption_folder.lua FOLDER OUT.jsonl
--
-- What filter, on_image and on_caption do here is an example: change it.
local here = arg[0]:match "^.*/" or "./"
dofile(here .. "tools/path.lua")
local job = require "lunette.job"

local folder, out = arg[1], arg[2]
if not out then
  io.stderr:write "usage: caption_folder.lua FOLDER OUT.jsonl\n"
  os.exit(2)
end

local report, message, status = job.run {
  model  = os.getenv "MODEL" or here .. "../models/lunette-mini",
  inputs = { folder }, recursive = true,
  out    = { out }, job = out .. ".job",

  -- before a picture is read: false passes it over
  filter = function (file) return not file:find "thumbnail" end,

  -- in a worker process, the picture u8 [Y, X, 3] at hand: false drops it, another tensor takes its place
  on_image = function (image)
    if image:dim(1) < 64 or image:dim(2) < 64 then return false end        -- an icon
  end,

  -- before a caption is kept: false drops it, a string takes its place
  on_caption = function (caption)
    if caption.score < -2 then return false end                            -- the model was guessing
    return caption.text .. "."
  end,

  -- once a caption is safe: send it elsewhere
  on_record = function (record) print(record.file, record.text or record.error) end,
}
if not report then
  io.stderr:write(message, "\n")
  os.exit(status)
end
os.exit(report.status or (report.failed > 0 and 1 or 0))
