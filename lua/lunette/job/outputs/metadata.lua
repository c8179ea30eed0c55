-- job/outputs/metadata.lua - metadata.jsonl beside pictures, as the loader "imagefolder" of Hugging Face datasets reads it:
-- {"file_name", "text"} a line, for pictures that have a caption.
local luv   = require "luv"
local lines = require "lunette.job.outputs.lines"
local json  = require "lunette.json_text"
local path  = require "lunette.job.path"

local function absolute(name) return name:find "^/" and name or luv.cwd() .. "/" .. name end

-- The picture's path from the folder of metadata.jsonl, or nil, message.
local function file_name(self, file)
  local name = path.below(absolute((path.split(self.path))), absolute(file))
  if not name then return nil, ("%s is not in the folder of %s, which names pictures from there"):format(file, self.path) end
  if not utf8.len(name) then return nil, ("%s has a name that is not UTF-8, which %s cannot hold"):format(file, self.path) end
  if name:find("\\", 1, true) then                    -- datasets 5.2 makes it a slash
    return nil, ("%s has a backslash in its name, which readers of %s take for a folder"):format(file, self.path)
  end
  return name
end

local function format(self, r)
  if r.error then return nil end
  local name, message = file_name(self, r.file)
  if not name then return nil, message end
  return json.encode(json.object { { "file_name", name }, { "text", r.text } }) .. "\n"
end

local KIND = { header = "", newline = "\n", format = format }

local function accepts(self, file)
  local name, message = file_name(self, file)
  if not name then return nil, message end
  return true
end

local function open(name, settings)
  local output, message = lines.open(name, settings, KIND)
  if not output then return nil, message end
  output.accepts = accepts
  return output
end

return { open = open }
