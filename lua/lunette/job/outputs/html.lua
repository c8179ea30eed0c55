-- html.lua - output kind: a gallery for a browser, NAME.html and the folder NAME_files beside it.
--
--   NAME.html                           the page, which never changes
--   NAME_files/*.js, style.css          what it runs and how it looks
--   NAME_files/index.js                 the edition that is shown and how many records it has
--   NAME_files/1/000001.js              edition 1, records 1 to 500; 000002.js, ... the next
--   NAME_files/1/thumbs/12/12345.jpg    the thumbnail of the record whose id is 12345
--
-- Records are scripts that call a function, since a page of file:// may not fetch files.  Every file is replaced as a whole,
-- and index.js last: what it names is there.  A new edition is written beside the old one, which goes when index.js names
-- the new.  The files follow from the records alone, so to write a record again changes nothing.
local luv     = require "luv"
local json    = require "lunette.json_text"
local durable = require "lunette.job.durable"
local href    = require "lunette.job.outputs.html.href"

local CHUNK  = 500          -- records a script
local ASSETS = { "style.css", "records.js", "viewer.js", "gallery.js" }

local Output = { thumbnail = 320 }      -- pixels of the longer side of the thumbnails that the page is made for
Output.__index = Output

-- ---- what stands in the files -----------------------------------------------------------------

local encode, object = json.encode, json.object

-- U+2028 and U+2029 end a line, and may not stand in a string, in scripts older than ECMAScript 2019.
local function script(call, text)
  text = text:gsub("\u{2028}", "\\u2028"):gsub("\u{2029}", "\\u2029")
  return ("records.%s;\n"):format(call:format(text))
end

local function index_text(self)
  return script("index(%s)", encode(object {
    { "title", self.title }, { "edition", self.edition }, { "chunk", CHUNK }, { "records", self.records }, { "failed", self.failed },
  }))
end

local function record_text(self, record, thumbnail)
  local sequences
  for i, s in ipairs(record.sequences or {}) do
    sequences = sequences or {}
    sequences[i] = object { { "text", s.text }, { "score", s.score } }
  end
  return encode(object {
    { "file", record.file }, { "href", record.file ~= "-" and self.href(record.path or record.file) or nil }, { "thumbnail", thumbnail },
    { "width", record.width }, { "height", record.height },
    { "text", record.text }, { "score", record.score }, { "sequences", sequences },
    { "error", record.error }, { "stage", record.stage },
  })
end

-- ---- files ----------------------------------------------------------------------------------------

local function parent(path) return path:match "^(.*)/" or "" end
local function edition_folder(self) return ("%s/%d"):format(self.folder, self.edition) end
local function chunk_name(number) return ("%06d.js"):format(number) end
local function chunk_count(self) return (self.records + CHUNK - 1) // CHUNK end

local function put(self, path, bytes)
  self.changed[parent(path)] = true
  return durable.replace(path, function (write) return write(bytes) end)
end

local function make_folder(self, path)
  if self.made[path] then return true end
  local done, message, code = durable.make_folders(path)
  self.made[path] = done
  self.changed[parent(path)] = true
  return done, message, code
end

local function sync(self)
  for folder in pairs(self.changed) do
    local done, message, code = durable.sync_folder(folder)
    if not done then return nil, message, code end
  end
  self.changed = {}
  return true
end

-- The names in a folder; none if it cannot be read.
local function names(folder)
  local list, request = {}, luv.fs_scandir(folder)
  if request then
    for name in luv.fs_scandir_next, request do list[#list + 1] = name end
  end
  return list
end

local function asset(name)
  local path = assert(package.searchpath("lunette.job.outputs.html", package.path)):gsub("%.lua$", "/" .. name)
  local f <close> = assert(io.open(path, "rb"))
  return assert(f:read "a")
end

local function put_page(self)
  for _, name in ipairs(ASSETS) do
    local done, message, code = put(self, self.folder .. "/" .. name, asset(name))
    if not done then return nil, message, code end
  end
  local folder = href.encode(self.folder:match "[^/]*$")
  return put(self, self.path, (asset "page.html":gsub("{{folder}}", { ["{{folder}}"] = folder })))
end

-- Records end at a full chunk, or the last chunk is in self.lines and is written again with each flush.
local function put_chunk(self)
  local number = chunk_count(self)
  local text = ("%d,[\n%s\n]"):format(number - 1, table.concat(self.lines, ",\n"))
  return put(self, edition_folder(self) .. "/" .. chunk_name(number), script("chunk(%s)", text))
end

-- A thumbnail is whole or not there when the program is killed.  When the machine stops it may be empty: to wait for the disk
-- takes some ms a file, 20 times what it takes to write one, and the page shows the original instead.
local function put_picture(path, bytes)
  local temporary = parent(path) .. "/.lunette-thumbnail"
  local done, why, what
  local fd, message, code = luv.fs_open(temporary, "w", 438)
  if fd then
    done, why, what = durable.write(path, fd, bytes, 0)
    luv.fs_close(fd)
    if not done then
      luv.fs_unlink(temporary)
      return nil, why, what
    end
    done, message, code = luv.fs_rename(temporary, path)
  end
  if done then return true end
  return nil, ("%s: %s"):format(path, message:match "^%u+: ([^:]*)"), code
end

local function is_picture(path)
  local stat = durable.stat(path)
  return stat and stat.size > 0
end

-- The path in the edition of a record's thumbnail, false if there is none, nil and why it cannot be written.
-- 'before': the folder of an edition of the same job, whose thumbnails are as good.
local function put_thumbnail(self, record, before)
  if record.error then return false end              -- what there may be shows an earlier state of the file
  local name = ("thumbs/%d/%d.jpg"):format(record.id // 1000, record.id)
  local path = edition_folder(self) .. "/" .. name
  local old = before and before .. "/" .. name
  if not record.thumbnail then
    if is_picture(path) then return name end
    if not old or not is_picture(old) then return false end
  end
  local done, message, code = make_folder(self, parent(path))
  if not done then return nil, message, code end
  if not record.thumbnail then return (luv.fs_link(old, path) or luv.fs_copyfile(old, path)) and name or false end
  done, message, code = put_picture(path, record.thumbnail)
  if not done then return nil, message, code end
  return name
end

local function add(self, record, before)
  local thumbnail, message, code = put_thumbnail(self, record, before)
  if thumbnail == nil then return nil, message, code end
  self.lines[#self.lines + 1] = record_text(self, record, thumbnail or nil)
  self.records = self.records + 1
  if record.error then self.failed = self.failed + 1 end
  if #self.lines < CHUNK then return true end
  local done, why, what = put_chunk(self)
  self.lines, self.position = {}, record.position
  return done, why, what
end

-- ---- editions -------------------------------------------------------------------------------------

-- Takes away the files of a folder whose names match, and those that a killed run left half written.  Nothing but files of
-- ours: somebody may keep more there.
local function remove_files(folder, pattern, except)
  for _, name in ipairs(names(folder)) do
    if name:find "^%.lunette%-" or name:find(pattern) and not (except and except(name)) then luv.fs_unlink(folder .. "/" .. name) end
  end
end

local function remove_edition(folder)
  for _, thousand in ipairs(names(folder .. "/thumbs")) do
    remove_files(folder .. "/thumbs/" .. thousand, "^%d+%.jpg$")
    luv.fs_rmdir(folder .. "/thumbs/" .. thousand)
  end
  luv.fs_rmdir(folder .. "/thumbs")
  remove_files(folder, "^%d+%.js$")
  luv.fs_rmdir(folder)
end

-- Takes away what index.js does not name: other editions, chunks after the last.
local function tidy(self)
  for _, name in ipairs(names(self.folder)) do
    if name:find "^%d+$" and name ~= tostring(self.edition) then remove_edition(self.folder .. "/" .. name) end
  end
  local last = chunk_name(chunk_count(self))
  remove_files(edition_folder(self), "^%d+%.js$", function (name) return name <= last end)
end

-- The folder of the edition that the page shows; nil if there is no page.
local function shown_edition(self)
  local index = durable.read(self.folder .. "/index.js", 0, 1 << 16)
  local edition = index and index:match '"edition":(%d+),'
  return edition and ("%s/%s"):format(self.folder, edition)
end

-- Nothing written of an edition; 0 is the one before the first.
local function begin(self, edition)
  self.edition, self.records, self.failed, self.position, self.lines = edition, 0, 0, 0, {}
  self.changed, self.made, self.paged = {}, {}, false
end

-- Begins a new edition, beside all that there are.
local function new_edition(self)
  local edition = 1
  for _, name in ipairs(names(self.folder)) do
    if name:find "^%d+$" then edition = math.max(edition, (math.tointeger(name) or 0) + 1) end
  end
  begin(self, edition)
  return make_folder(self, edition_folder(self))
end

-- Takes what an iterator of records has, until there are 'limit'; before: as put_thumbnail's.
local function take(self, each, limit, before)
  while self.records < limit do
    local record = each()
    if not record then break end
    local done, message, code = add(self, record, before)
    if not done then return nil, message, code end
  end
  return true
end

local function mark_of(self) return ("%d %d %d %d"):format(self.edition, self.records, self.failed, self.position) end

-- What is written is on disk, and the page shows it.
local function show(self)
  local done, message, code = true, nil, nil
  if #self.lines > 0 then done, message, code = put_chunk(self) end
  if done then done, message, code = sync(self) end
  if done then done, message, code = put(self, self.folder .. "/index.js", index_text(self)) end
  if done and not self.paged then done, message, code = put_page(self) end
  if done then done, message, code = sync(self) end
  if not done then return nil, message, code end
  if not self.paged then tidy(self) end
  self.paged, self.ours = true, true
  return mark_of(self)
end

-- ---- the output -----------------------------------------------------------------------------------

-- The mark says "EDITION RECORDS FAILED POSITION", POSITION of the last record of the last full chunk.
function Output:flush()
  if not self.known then
    self.known = true
    return mark_of(self)
  end
  local done, message, code = self:write {}
  if not done then return nil, message, code end
  return show(self)
end

function Output:write(list)
  local done, message, code = true, nil, nil
  if self.edition == 0 then done, message, code = new_edition(self) end
  for i = 1, done and #list or 0 do
    done, message, code = add(self, list[i])
    if not done then break end
  end
  return done, message, code
end

function Output:rebuild(records)
  local before = self.ours and shown_edition(self)
  local done, message, code = new_edition(self)
  if done then done, message, code = take(self, records(0), math.huge, before) end
  if not done then return nil, message, code end
  self.known = true
  return show(self)
end

-- Whether all full chunks of 'count' records are there.
local function is_whole(self, count)
  for number = 1, count // CHUNK do
    if not durable.stat(edition_folder(self) .. "/" .. chunk_name(number)) then return false end
  end
  return durable.stat(edition_folder(self)) and true
end

function Output:resume(mark, records)
  if not mark or mark:find "^0 " then return true end
  local edition, count, failed, position = mark:match "^(%d+) (%d+) (%d+) (%d+)$"
  if not edition then return nil, ("%s: the job's mark is %q, which no gallery wrote"):format(self.path, mark) end
  count = math.tointeger(count)
  begin(self, math.tointeger(edition))
  if not is_whole(self, count) then
    local new, message, code = self:rebuild(records)
    return new and true, new or message, code
  end
  self.records, self.position = count - count % CHUNK, math.tointeger(position)
  local done, message, code = take(self, records(self.position), count)
  self.failed = math.tointeger(failed)
  if done then done, message, code = show(self) end
  if not done then return nil, message, code end
  return true
end

function Output:close() return true end

--[[
open(path, settings) -> output | nil, message

A gallery at 'path' and the folder beside it; its interface is described in lunette.job.outputs.  A new one refuses to take the
place of what is there unless settings.overwrite is "always".
]]
local function open(path, settings)
  local stem = path:gsub("%.[^./]*$", "")
  local self = setmetatable({ path = path, folder = stem .. "_files", title = stem:match "[^/]*$", href = href.from(path) }, Output)
  self.known = settings.mark ~= nil
  self.ours = self.known and not settings.mark:find "^0 "       -- what is there was written by this job
  begin(self, 0)
  if self.known or settings.overwrite == "always" then return self end
  for _, name in ipairs { path, self.folder } do
    if durable.stat(name) ~= false then
      return nil, ("%s exists and belongs to another job or none: --overwrite always replaces it"):format(name)
    end
  end
  return self
end

return { open = open }
