-- job/template.lua - what is written for a picture, from its caption and its path: "{caption}, {folder}, {stem}".
local json = require "lunette.json_text"
local path = require "lunette.job.path"

-- Of a path a/b/photo.jpg
local FIELDS = {
  caption = function (record) return record.text end,
  file    = function (record) return record.file end,                                             -- a/b/photo.jpg
  folder  = function (record) return path.split(record.file):match "([^/]*)/*$" end,              -- b
  name    = function (record) return record.file:match "[^/]*$" end,                              -- photo.jpg
  stem    = function (record) return select(2, path.split(record.file)) end,                      -- photo
  ext     = function (record) return select(3, path.split(record.file)) end,                      -- jpg
  score   = function (record) return record.score and ("%.9g"):format(record.score) or "" end,
}
local KNOWN = "{caption}, {ext}, {file}, {folder}, {name}, {score} or {stem}"

local template = {}

-- The next literal or field of 'text' at byte 'at': a string or a function, and where it ends; or nil, message.
local function piece(text, at)
  local literal = text:match("^[^{}]+", at)
  if literal then return literal, at + #literal end
  local two = text:sub(at, at + 1)
  if two == "{{" or two == "}}" then return two:sub(1, 1), at + 2 end
  local name = text:match("^{([^{}]*)}", at)
  if not name then return nil, ("template: %q at byte %d stands alone: twice it is itself"):format(text:sub(at, at), at) end
  if not FIELDS[name] then return nil, ("template: {%s} is no field: wanted %s"):format(name, KNOWN) end
  return FIELDS[name], at + #name + 2
end

--[[
template.compile(text) -> function (record) -> string, or nil, message

Fields are {caption}, {folder} (the name of the picture's folder), {name} with and {stem} without its suffix, {ext},
{file} and {score}; {{ and }} are braces.  What the function returns is UTF-8 whatever the names are.
]]
function template.compile(text)
  local pieces, at = {}, 1
  while at <= #text do
    local found, after = piece(text, at)
    if not found then return nil, after end
    pieces[#pieces + 1], at = found, after
  end
  return function (record)
    local out = {}
    for i, p in ipairs(pieces) do out[i] = type(p) == "string" and p or p(record) end
    return json.valid(table.concat(out))
  end
end

return template
