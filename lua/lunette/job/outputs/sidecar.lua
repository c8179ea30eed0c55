--[[
job/outputs/sidecar.lua - a text file for each picture, photo.txt beside photo.jpg, as trainers of image models read captions.

Settings: sidecar = "txt" or "caption" (the caption and a line end; the suffix is that word) or "json" (the object of
captions.jsonl); sidecar_dir, a folder that gets them instead, each under the path of its picture with ".." as "__";
overwrite = "never" (a sidecar that this job did not write stays: the default), "older" (it stays unless the picture is newer)
or "always"; append or prepend: what the sidecar says stays, the caption comes after or before it, with ", " between, as
lists of tags have it.

Two pictures of one sidecar, photo.jpg and photo.png: the first one has it, the second one fails; with overwrite = "always" the last
one has it.

Written per image: besides the interface of lunette.job.outputs

  sidecar:wants(file)      -> whether a caption of this picture would be written
  sidecar:prepare(record)  -> what the sidecar will say, to be kept as record.sidecar before the record is committed, or
                              false if there is nothing to write, or nil, message: the record fails with stage "write"
  sidecar:write(list)      -> { [id] = message } of those that failed, or nil, message if the disk is full.  Writes
                              record.sidecar: once or again is the same.
]]
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

-- What a sidecar says of which picture, by its path: in a temporary file, not in memory.
local CLAIMS = [[
  CREATE TABLE claims(path TEXT PRIMARY KEY, file, text) WITHOUT ROWID;
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

-- Every picture may write, whoever has written before.
local function shared(self) return self.overwrite == "always" and not self.adds end

local function claim_of(self, name)
  return self.claims:row("SELECT file, text FROM claims WHERE path = ?", name)
end

local function claim(self, name, r)
  return self.claims:run("INSERT OR REPLACE INTO claims VALUES(?, ?, ?)", name, r.file, r.text)
end

-- Whether a sidecar that is there already stays as it is.
local function stays(self, name, file)
  if self.adds or self.overwrite == "always" then return false end
  local there, message, code = durable.stat(name)
  if there == nil then return nil, message, code end
  if not there or self.overwrite == "never" then return there ~= false end
  local picture = durable.stat(file)
  return not picture or there.mtime.sec > picture.mtime.sec or
         there.mtime.sec == picture.mtime.sec and there.mtime.nsec >= picture.mtime.nsec
end

function Sidecar:wants(file)
  local name = place(self, file)
  return claim_of(self, name) ~= nil or not stays(self, name, file)
end

-- ---- what it will say --------------------------------------------------------------------------------

-- The text without what an earlier caption of the same picture added.
local function without(self, text, added)
  if text == added then return "" end
  if self.adds == "append" and text:sub(-#added - 2) == ", " .. added then return text:sub(1, -#added - 3) end
  if self.adds == "prepend" and text:sub(1, #added + 2) == added .. ", " then return text:sub(#added + 3) end
  return text
end

-- The caption with the text that is there.
local function add(self, name, r, own)
  local stat, message = durable.stat(name)
  if stat == nil then return nil, message end
  if not stat then return self.format(r) end
  if stat.size > LONGEST then return nil, ("%s has %d bytes, a caption is added to %d at most"):format(name, stat.size, LONGEST) end
  local text
  text, message = durable.read(name, 0, LONGEST)
  if not text then return nil, message end
  text = text:gsub("[\r\n]+$", "")
  if own then text = without(self, text, own.text) end
  if text == "" then return self.format(r) end
  return (self.adds == "append" and text .. ", " .. r.text or r.text .. ", " .. text) .. "\n"
end

function Sidecar:prepare(r)
  if r.error then return false end
  local name = place(self, r.file)
  if name == path.plain(r.file) then return nil, ("%s is the picture itself, not a place for its caption"):format(name) end
  local own = claim_of(self, name)
  if own and own.file ~= r.file and not shared(self) then
    return nil, ("%s has the caption of %s already"):format(name, own.file)
  end
  if not own then
    local keeps, message = stays(self, name, r.file)
    if keeps == nil then return nil, message end
    if keeps then return false end
  end
  local text, message = self.format(r), nil
  if self.adds then text, message = add(self, name, r, own) end
  if not text then return nil, message end
  local ok, code
  ok, message, code = claim(self, name, r)
  if not ok then return nil, message, code end
  return text
end

-- ---- writing -----------------------------------------------------------------------------------------

function Sidecar:resume(_, records)
  for r in records(0) do
    if r.sidecar then
      local ok, message = claim(self, place(self, r.file), r)
      if not ok then return nil, message end
    end
  end
  return true
end

local function put(self, r)
  local name = place(self, r.file)
  local folder = path.split(name)
  if self.folder then
    local ok, message, code = durable.make_folders(folder)
    if not ok then return nil, message, code end
  end
  self.folders[folder] = true
  return durable.replace(name, function (write) return write(r.sidecar) end)
end

local function write_each(self, ...)
  local failed = {}
  for r in ... do
    if r.sidecar then
      local ok, message, code = put(self, r)
      if not ok and durable.is_full(code) then return nil, message, code end
      if not ok then failed[r.id] = message end
    end
    self.position = r.position
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
