--[[
job/outputs/sidecar.lua - a text file for each picture, photo.txt beside photo.jpg, as trainers of image models read captions.

Settings: sidecar = "txt" or "caption" (the caption and a line end; the suffix is that word) or "json" (the object of
captions.jsonl); sidecar_dir, a folder that gets them instead, each under the path of its picture with ".." as "__";
overwrite = "never" (a sidecar that does not say what this job wrote stays: the default), "older" (it stays unless the picture
is newer) or "always"; append or prepend: what the sidecar says stays, the caption comes after or before it, with ", " between,
as lists of tags have it.

Two pictures of one sidecar, photo.jpg and photo.png: the first one has it, the second one fails; with overwrite = "always" the last
one has it.

Written per image: besides the interface of lunette.job.outputs

  sidecar:wants(file)      -> whether a caption of this picture would be written
  sidecar:prepare(record)  -> what the sidecar will say, to be kept in the commit of the record and given back as record.prepared,
                              so that adding twice is adding once; false if there is nothing to write; or nil, message: write() will say so
  sidecar:write(list)      -> { [id] = message } of those that failed, or nil, message, code if the disk is full.  Writes
                              record.prepared, or what prepare() gives if there is none.
]]
local digest  = require "lunette.digest"
local durable = require "lunette.job.durable"
local path    = require "lunette.job.path"
local record  = require "lunette.job.record"
local sqlite  = require "lunette.sqlite"

local Sidecar = {}
Sidecar.__index = Sidecar

local FORMATS = {
  txt     = function (r) return r.text .. "\n" end,
  caption = function (r) return r.text .. "\n" end,
  json    = function (r) return record.json(r) .. "\n" end,
}
local LONGEST = 1 << 20      -- bytes of a text that a caption is added to

-- The captions of the job by their sidecars' paths: in a temporary file, not in memory.  'says' is the caption, where captions are
-- added, or a digest of the whole sidecar.
local CLAIMS = [[
  CREATE TABLE claims(path TEXT PRIMARY KEY, file, says TEXT) WITHOUT ROWID;
  BEGIN;
]]

local function open(_, settings)
  local format = FORMATS[settings.sidecar]
  if not format then return nil, ("sidecar %q is unknown: wanted txt, caption or json"):format(settings.sidecar) end
  local position = math.tointeger(settings.mark or 0)
  if not position then return nil, ("sidecars: the job file says %q of them, which is no mark"):format(settings.mark) end
  local adds = settings.append and "append" or settings.prepend and "prepend"
  if adds and settings.sidecar == "json" then
    return nil, ("--%s adds to texts: wanted --sidecar txt or caption, found json"):format(adds)
  end
  local claims, message = sqlite.open ""
  if not claims then return nil, message end
  local ok
  ok, message = claims:exec(CLAIMS)
  if not ok then return nil, message end
  return setmetatable({ format = format, suffix = settings.sidecar, folder = settings.sidecar_dir, adds = adds,
                        overwrite = settings.overwrite or "never", claims = claims, position = position, folders = {} }, Sidecar)
end

-- ---- which file, and whose it is -----------------------------------------------------------------

local function place(self, file)
  local folder, stem = path.split(file)
  local name = folder .. stem .. "." .. self.suffix
  return path.plain(self.folder and self.folder .. "/" .. path.inside(name) or name)
end

local function claim_of(self, name)
  return self.claims:row("SELECT file, says FROM claims WHERE path = ?", name)
end

local function claim(self, how, name, r)
  return self.claims:run(("INSERT OR %s INTO claims VALUES(?, ?, ?)"):format(how), name, r.file,
                         self.adds and r.text or digest.string(self.format(r)))
end

-- The text without the caption that was added to it, nil if there is none.
local function without(self, text, caption)
  text = text:gsub("[\r\n]+$", "")
  if text == caption then return "" end
  if self.adds == "append" and text:sub(-#caption - 2) == ", " .. caption then return text:sub(1, -#caption - 3) end
  if self.adds == "prepend" and text:sub(1, #caption + 2) == caption .. ", " then return text:sub(#caption + 3) end
end

-- What a sidecar says, false if there is none; or nil, message.
local function text_of(name)
  local stat, message, code = durable.stat(name)
  if not stat then return stat, message, code end
  if stat.size > LONGEST then return nil, ("%s has %d bytes, a text has %d at most"):format(name, stat.size, LONGEST) end
  return durable.read(name, 0, LONGEST)
end

-- Whether a sidecar says what the job wrote.
local function is_ours(self, text, own)
  if self.adds then return without(self, text, own.says) ~= nil end
  return digest.string(text) == own.says
end

local function is_newer(name, file)
  local sidecar, picture = durable.stat(name), durable.stat(file)
  if not sidecar or not picture then return true end
  local a, b = sidecar.mtime, picture.mtime
  return a.sec > b.sec or a.sec == b.sec and a.nsec >= b.nsec
end

--[[
What becomes of the sidecar of a picture: "written", "kept", or nil, message.  Then, where captions are added, the text that the
caption is added to.
]]
local function fate(self, name, file)
  if name == path.plain(file) then return nil, ("%s is the picture itself, not a place for its caption"):format(name) end
  if self.overwrite == "always" and not self.adds then return "written" end
  local text, message = text_of(name)
  if text == nil then return nil, message end
  local own = claim_of(self, name)
  local ours = own and (not text or is_ours(self, text, own))
  if ours and own.file ~= file then return nil, ("%s has the caption of %s already"):format(name, own.file) end
  if self.adds then return "written", text and (ours and without(self, text, own.says) or text:gsub("[\r\n]+$", "")) or "" end
  if not text or ours or self.overwrite == "older" and not is_newer(name, file) then return "written" end
  return "kept"
end

function Sidecar:wants(file) return fate(self, place(self, file), file) ~= "kept" end

function Sidecar:prepare(r)
  if r.error then return false end
  local name = place(self, r.file)
  local found, text = fate(self, name, r.file)
  if not found then return nil, text end
  if found == "kept" then return false end
  local ok, message, code = claim(self, "REPLACE", name, r)
  if not ok then return nil, message, code end
  if not self.adds or text == "" then return self.format(r) end
  return (self.adds == "append" and text .. ", " .. r.text or r.text .. ", " .. text) .. "\n"
end

-- ---- writing -----------------------------------------------------------------------------------------

function Sidecar:resume(_, records)
  for r in records(0) do
    if not r.error then
      local ok, message, code = claim(self, "IGNORE", place(self, r.file), r)
      if not ok then return nil, message, code end
    end
  end
  return true
end

local function put(self, r)
  local text, message, code = r.prepared, nil, nil
  if not text then text, message, code = self:prepare(r) end
  if not text then return text, message, code end
  local name = place(self, r.file)
  local folder = path.split(name)
  local ok
  if self.folder then
    ok, message, code = durable.make_folders(folder)
    if not ok then return nil, message, code end
  end
  self.folders[folder] = true
  return durable.replace(name, function (write) return write(text) end)
end

local function write_each(self, ...)
  local failed = {}
  for r in ... do
    local ok, message, code = put(self, r)
    if ok == nil and durable.is_full(code) then return nil, message, code end
    if ok == nil then failed[r.id] = message end
    self.position = math.max(self.position, r.position)
  end
  return failed
end

function Sidecar:write(list)
  local i = 0
  return write_each(self, function ()
    i = i + 1
    return list[i]
  end)
end

function Sidecar:flush()
  for folder in pairs(self.folders) do
    local ok, message, code = durable.sync_folder(folder)
    if not ok and code ~= "ENOENT" then return nil, message, code end      -- a folder that went away is no reason to stop
  end
  self.folders = {}
  return tostring(self.position)
end

-- mark, { [id] = message } of those that failed; or nil, message
function Sidecar:rebuild(records)
  self.position = 0
  local failed, message, code = write_each(self, records(0))
  if not failed then return nil, message, code end
  local mark
  mark, message, code = self:flush()
  if not mark then return nil, message, code end
  return mark, failed
end

function Sidecar:close()
  self.claims:close()
  return true
end

return { open = open, per_image = true }
