-- inputs.lua - the pictures that files, folders, patterns and lists of paths name, one after the other.
--
--   local inputs = require "lunette.inputs"
--   for file, problem in inputs.each({ "photos", "more/*.jpg", "@list.txt" }, { recursive = true }) do
--     if problem then print(file, problem) else print(file) end
--   end
local luv    = require "luv"
local vision = require "lunette".vision
local glob   = require "lunette.glob"

local inputs = {}

local BLOCK   = 1 << 16     -- bytes read at a time
local LIMIT   = 2 << 30     -- bytes of standard input: no readable picture has more
local LONGEST = 4096        -- bytes of a path, PATH_MAX of Linux
local HEAD    = 16          -- bytes that tell every format; too few for a decoder to begin its work

local yield = coroutine.yield

-- "ENOENT: no such file or directory: PATH" -> "no such file or directory"
local function reason(message, path)
  message = message:gsub("^%u+: ", "")
  if message:sub(-#path - 2) == ": " .. path then message = message:sub(1, -#path - 3) end
  return message
end

-- ---- what is a picture ------------------------------------------------------------------

-- Whether a file of a folder is a picture; one that cannot be read may be: reading it says what is wrong.
local function is_picture(path)
  local f <close> = io.open(path, "rb")
  if not f then return true end
  local head, message = f:read(HEAD)
  if message then return true end
  local format, _, document = vision.format(head or "")
  return format and not document
end

-- ---- folders and patterns ----------------------------------------------------------------

-- A walk matches the names on the way down from its root against a list of 'steps': a function of a name,
-- or ANY_FOLDERS, which takes names as long as it likes.  'at' is the set of steps that may come next, so every
-- path is met once however many ways it matches.
local ANY_FOLDERS = {}

local function add(walk, at, i)
  at[i] = true
  if walk.steps[i] == ANY_FOLDERS then add(walk, at, i + 1) end
end

-- The set after 'name'; nil if it does not match.
local function advance(walk, at, name)
  local after = {}
  for i in pairs(at) do
    local step = walk.steps[i]
    if step == ANY_FOLDERS then
      if name:sub(1, 1) ~= "." then add(walk, after, i) end
    elseif step and step(name) then
      add(walk, after, i + 1)
    end
  end
  return next(after) and after
end

local function any_of(at, set)
  for i in pairs(set) do
    if at[i] then return true end
  end
  return false
end

-- The names in a folder in byte order, or nil and why it cannot be read.
local function names_of(folder)
  local request, message = luv.fs_scandir(folder)
  if not request then return nil, reason(message, folder) end
  local names = {}
  for name in luv.fs_scandir_next, request do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- A folder as it is opened and named; "" is where patterns without one begin.
local function place(folder) return folder == "" and "." or folder:match "^(.+)/$" or folder end

-- Whether the walk has been in this folder, looking for the same: links can lead there again, or in a circle.
local function seen(walk, folder, at)
  local stat = luv.fs_stat(place(folder))
  if not stat then return false end              -- names_of() says why
  local key = { stat.dev, stat.ino }
  for i = 1, #walk.steps do key[i + 2] = at[i] and "+" or "-" end
  key = table.concat(key, " ")
  local was = walk.seen[key]
  walk.seen[key] = true
  return was
end

-- Takes the pictures of a folder; returns the folders in it where the walk goes on, as { path, set of steps }.
local function take_folder(walk, folder, at)
  local names, message = names_of(place(folder))
  if not names then
    walk.matched = true
    yield(place(folder), message)
    return {}
  end
  local below, prefix = {}, folder:find "[^/]$" and folder .. "/" or folder
  for _, name in ipairs(names) do
    local after = advance(walk, at, name)
    local path = prefix .. name
    local stat = after and luv.fs_stat(path)
    if stat and stat.type == "directory" then
      if any_of(after, walk.steps) then below[#below + 1] = { path, after } end
    elseif after and any_of(after, walk.ends) then
      if stat and (stat.type ~= "file" or not is_picture(path)) then walk.counts.not_pictures = walk.counts.not_pictures + 1
      else yield(path) end
    end
    walk.matched = walk.matched or after and any_of(after, walk.ends)
  end
  return below
end

-- The pictures of a folder, then those of its folders: the names of one folder at a time are in memory.
local function visit(walk, folder, at)
  if seen(walk, folder, at) then return end
  for _, below in ipairs(take_folder(walk, folder, at)) do visit(walk, table.unpack(below)) end
end

-- Walks from 'root' by the steps of a pattern, then by those that take a folder's pictures; true if anything matched.
local function walk_from(root, pattern, job)
  local walk = { steps = pattern, ends = {}, seen = {}, counts = job.counts }
  if #pattern > 0 then walk.ends[#pattern + 1] = true end
  if job.recursive then walk.steps[#walk.steps + 1] = ANY_FOLDERS end
  walk.steps[#walk.steps + 1] = glob.matcher "*"
  walk.ends[#walk.steps + 1] = true
  local at = {}
  add(walk, at, 1)
  visit(walk, root, at)
  return walk.matched
end

-- "a/b/*/c*.png" -> "a/b/", { steps of "*/c*.png" }
local function split_pattern(path)
  local root = path:match "^[^*?[]*/" or ""
  local steps = {}
  for part in path:sub(#root + 1):gmatch "[^/]+" do
    if part ~= "**" then steps[#steps + 1] = glob.matcher(part)
    elseif steps[#steps] ~= ANY_FOLDERS then steps[#steps + 1] = ANY_FOLDERS end
  end
  return root, steps
end

-- ---- lists and standard input ---------------------------------------------------------------

local function take_path(path, job)
  local stat = luv.fs_stat(path)
  if stat and stat.type == "directory" then walk_from(path, {}, job) else yield(path) end
end

-- Takes the paths of a list: 'rest', then what read() returns, until that is "".
local function take_list(name, read, rest, job)
  local separator, number = job.null and "\0" or "\n", 0
  local function take(path)                       -- false: this is no list
    number = number + 1
    if #path > LONGEST then
      yield(name, ("path %d is longer than %d bytes"):format(number, LONGEST))
    elseif path:find("\0", 1, true) then
      yield(name, ("path %d holds a NUL byte: a list with NUL between its paths needs --null"):format(number))
      return false
    elseif path ~= "" then
      take_path(path, job)
    end
    return true
  end
  while true do
    local from = 1
    for at in rest:gmatch("()" .. separator) do
      if not take(rest:sub(from, at - 1)) then return end
      from = at + 1
    end
    rest = rest:sub(from, from + LONGEST)         -- of a path that is too long, enough to tell
    local block, message = read()
    if not block then return yield(name, message) end
    if block == "" then return take(rest) end
    rest = rest .. block
  end
end

local function take_list_file(name, job)
  local f <close>, message = io.open(name, "rb")
  if not f then return yield(name, message:sub(#name + 3)) end
  take_list(name, function ()
    local block, why = f:read(BLOCK)
    if why then return nil, why end
    return block or ""
  end, "", job)
end

-- Whether a read of standard input may have to wait.
local function may_wait()
  local kind = luv.guess_handle(0)
  return kind == "pipe" or kind == "tty" or kind == "tcp"
end

-- The next bytes of standard input as soon as there are some, "" at its end.
local function read_standard_input(job)
  if job.patient and may_wait() then yield(false) end
  local block, message = luv.fs_read(0, BLOCK)
  if not block then return nil, reason(message, "-") end
  return block
end

-- The rest of a picture on standard input, after 'head'.
local function read_picture(head, job)
  local pieces, size = { head }, #head
  repeat
    local block, message = read_standard_input(job)
    if not block then return nil, message end
    pieces[#pieces + 1] = block
    size = size + #block
    if size > LIMIT then return nil, ("more than %d bytes"):format(LIMIT) end
  until block == ""
  return table.concat(pieces)
end

-- Nothing at all is taken for a picture as well: what should have written one has failed.
local function take_standard_input(job)
  local head = ""
  while #head < HEAD do
    local block, message = read_standard_input(job)
    if not block then return yield("-", message) end
    if block == "" then break end
    head = head .. block
  end
  if job.null or head ~= "" and not vision.format(head) then
    return take_list("-", function () return read_standard_input(job) end, head, job)
  end
  local bytes, message = read_picture(head, job)
  yield("-", message, bytes)
end

local function take_input(input, job)
  if input == "-" then return take_standard_input(job) end
  if input:find "^@." then return take_list_file(input:sub(2), job) end
  if glob.is_pattern(input) and not luv.fs_lstat(input) then
    local root, steps = split_pattern(input)
    if walk_from(root, steps, job) then return end
  end
  take_path(input, job)
end

--[[
inputs.each(list [, options]) -> iterator, counts

Each of 'list' is

  a file          taken as it is, picture or not
  a folder        its pictures in byte order of their names, known by their first bytes; with options.recursive then
                  those of its folders.  Names that begin with a dot are left out; no folder is entered twice.
  a pattern       with *, ?, [a-z], [!a-z], and ** for any number of folders, where no file has that very name: the
                  pictures it matches, and those of the folders it matches.  One that matches nothing is a file.
  @FILE           a list of files and folders, one a line, or with options.null with NUL between them
  -               standard input: a picture if it begins like one or is empty, else such a list (with options.null always)

The iterator gives file, problem, bytes: 'problem' says why a folder or list of that name could not be read, 'bytes' are
those of a picture on standard input.  With options.patient the file is false where standard input must be waited for (until
it is readable) before the next call.  counts.not_pictures is how many files of folders and patterns were passed over so far.
It holds the names of one folder at a time, and the names of the folders still to come.
]]
function inputs.each(list, options)
  options = options or {}
  local job = { recursive = options.recursive, null = options.null, patient = options.patient, counts = { not_pictures = 0 } }
  return coroutine.wrap(function ()
    for _, input in ipairs(list) do take_input(input, job) end
  end), job.counts
end

return inputs
