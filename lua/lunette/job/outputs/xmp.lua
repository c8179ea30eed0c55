--[[
job/outputs/xmp.lua - captions as dc:description in XMP, and titles as dc:title.

  open(nil, settings) -> output, or nil, message

    settings.in_place      into the pictures themselves (JPEG, PNG, WebP, GIF), else into PICTURE.xmp beside each: photo.jpg.xmp, as
                           darktable and digiKam name it, since photo.xmp would be that of photo.png as well
    settings.sidecar_dir   where the .xmp files go, in folders as the pictures are, instead of beside them
    settings.xmp_title     a template of lunette.job.template
    settings.overwrite     "never" (default): a picture that has a description keeps it, and its title; "older": so does one whose
                           .xmp is not older than itself; "always".  A description that is the job's own is replaced in any case.
    settings.caption       function(file) -> the caption that the job gave a picture before, nil if none: what is its own

What else the XMP says stays.  Doing it again changes nothing, so that the mark is no more than the last position.
]]
local xmp       = require "lunette.xmp"
local durable   = require "lunette.job.durable"
local embed_xmp = require "lunette.job.embed_xmp"
local path      = require "lunette.job.path"
local template  = require "lunette.job.template"
local luv       = require "luv"

local Output = {}
Output.__index = Output

local LARGEST = 1 << 24       -- bytes of a .xmp file that are read; lunette.xmp refuses a longer one

-- ---- where XMP is: a picture of embed_xmp, or a .xmp: packet, put(packet), close(), outdated if its picture is newer --------

local Sidecar = {}
Sidecar.__index = Sidecar

function Sidecar.close() end

local function is_older(a, b)
  return a.mtime.sec < b.mtime.sec or a.mtime.sec == b.mtime.sec and a.mtime.nsec < b.mtime.nsec
end

-- The .xmp of a picture, which need not be there.
local function open_sidecar(self, file)
  local name = file .. ".xmp"
  if self.folder then name = self.folder .. "/" .. path.inside(name) end
  name = luv.fs_realpath(name) or name
  local stat, message, code = durable.stat(name)
  if stat == nil then return nil, message, code end
  local found = setmetatable({ name = name, makes_folders = self.folder ~= nil }, Sidecar)
  if not stat then return found end
  if stat.type ~= "file" then return nil, ("%s: it is a %s, wanted a file"):format(name, stat.type) end
  found.packet, message, code = durable.read(name, 0, LARGEST + 1)
  if not found.packet then return nil, message, code end
  local picture = luv.fs_stat(file)
  found.outdated = picture and is_older(stat, picture)
  return found
end

function Sidecar:put(packet)
  if self.makes_folders then
    local ok, message, code = durable.make_folders(self.name:match "^(.*/)")
    if not ok then return nil, message, code end
  end
  return durable.replace(self.name, function (put) return put(packet) end)
end

-- ---- one picture ------------------------------------------------------------------------------------

local function open(self, file)
  if file == "-" then return nil, "standard input has no file that could hold XMP" end
  if self.in_place then return embed_xmp.open(file) end
  return open_sidecar(self, file)
end

-- Whether what a picture's XMP says is to stay as it is.
local function is_kept(self, place, texts)
  if self.overwrite == "always" or self.overwrite == "older" and place.outdated then return false end
  return texts.description ~= nil and texts.description:find "%S" ~= nil
end

-- Whether a description is what the job wrote of a picture, as XMP can say it.
local function is_own(self, file, texts)
  local caption = self.caption(file)
  local packet = caption and texts.description and xmp.describe(nil, { description = caption })
  local said = packet and xmp.read(packet)
  return said ~= nil and said.description == texts.description
end

-- The packet that is to replace place.packet, nil if that stays; or nil, message.
local function new_packet(self, place, record)
  if place.packet then
    local texts, message = xmp.read(place.packet)
    if not texts then return nil, message end
    if not record.prepared and is_kept(self, place, texts) then return nil end
  end
  local packet, message = xmp.describe(place.packet, { description = record.text, title = self.title and self.title(record) })
  if packet == place.packet then return nil end
  return packet, message
end

local function with_place(self, file, fn)
  local place, message, code = open(self, file)
  if not place then return nil, message, code end
  local result
  result, message, code = fn(place)
  place:close()
  return result, message, code
end

local function put(self, record)
  return with_place(self, record.file, function (place)
    local packet, message = new_packet(self, place, record)
    if message then return nil, ("%s: %s"):format(place.name or record.file, message) end
    if not packet then return true end
    self.folders[(place.target or place.name):match "^(.*/)" or ""] = true
    return place:put(packet)
  end)
end

-- ---- the output ---------------------------------------------------------------------------------------

local function open_output(_, settings)
  local self = setmetatable({ in_place = settings.in_place, overwrite = settings.overwrite or "never", folders = {},
                              folder = settings.sidecar_dir, caption = settings.caption or function () end, position = 0 }, Output)
  local message
  if settings.xmp_title then
    self.title, message = template.compile(settings.xmp_title)
    if not self.title then return nil, message end
  end
  return self
end

-- Whether a caption of this picture would be written: false where it has a description that is kept.
function Output:wants(file)
  local kept = with_place(self, file, function (place)
    local texts = place.packet and xmp.read(place.packet)
    return texts and is_kept(self, place, texts) and not is_own(self, file, texts)
  end)
  return not kept
end

-- Whether the description that is there is to be replaced, as the job's own: this has to be asked before the record is committed.
function Output:prepare(record)
  if record.error then return false end
  return with_place(self, record.file, function (place)
    local texts = place.packet and xmp.read(place.packet)
    return texts ~= nil and is_own(self, record.file, texts)
  end) or false
end

--[[
output:size_after(record) -> size, or nil

How many bytes the picture itself will have when write() has been there, nil if it stays as it is.  Its time of last writing does
not change.  So a job that stores this size together with the record knows its own work from a picture that somebody
changed, wherever it is killed.
]]
function Output:size_after(record)
  if not self.in_place or record.error then return nil end
  return (with_place(self, record.file, function (place)
    local packet = new_packet(self, place, record)
    return packet and place:size_with(packet)
  end))
end

local function write_each(self, ...)
  local failed = {}
  for record in ... do
    if not record.error then
      local ok, message, code = put(self, record)
      if not ok and durable.is_full(code) then return nil, message, code end
      if not ok then failed[record.id] = message end
    end
    self.position = record.position
  end
  return failed
end

-- write(list) -> { [id] = message } of those that failed, or nil, message, code if the disk is full
function Output:write(list)
  local i = 0
  return write_each(self, function ()
    i = i + 1
    return list[i]
  end)
end

function Output:resume(mark)
  if mark and not mark:find "^%d+$" then return nil, ("XMP: the job file says %q of it, which is no mark"):format(mark) end
  self.position = math.tointeger(mark or 0)
  return true
end

function Output:flush()
  for folder in pairs(self.folders) do
    local ok, message, code = durable.sync_folder(folder)
    if not ok and code ~= "ENOENT" and code ~= "EACCES" then return nil, message, code end      -- gone, or not to be opened
    self.folders[folder] = nil
  end
  return tostring(self.position)
end

-- mark, { [id] = message } of those that failed; or nil, message, code
function Output:rebuild(records)
  local failed, message, code = write_each(self, records(0))
  if not failed then return nil, message, code end
  local mark
  mark, message, code = self:flush()
  if not mark then return nil, message, code end
  return mark, failed
end

function Output:close() return true end

return { open = open_output, per_image = true }
