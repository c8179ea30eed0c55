-- job/path.lua - the parts of a picture's path, byte by byte: nothing here looks at the disk.
local path = {}

-- path.split("a/b/photo.x.jpg") -> "a/b/", "photo.x", "jpg"; a name without a suffix, or of nothing else, has ""
function path.split(file)
  local folder, name = file:match "^(.*/)([^/]*)$"
  if not folder then folder, name = "", file end
  local stem, suffix = name:match "^(.+)%.([^.]*)$"
  return folder, stem or name, suffix or ""
end

-- The names of a path, without "", "." and what ".." takes back; those of "../x" that lead out stay, but not above the root.
local function names(file)
  local parts, absolute = {}, file:find "^/"
  for part in file:gmatch "[^/]+" do
    if part == ".." and (absolute or #parts > 0 and parts[#parts] ~= "..") then parts[#parts] = nil
    elseif part ~= "." then parts[#parts + 1] = part end
  end
  return parts
end

-- path.plain("a//./b") -> "a/b": one spelling for one path
function path.plain(file)
  return (file:find "^/" and "/" or "") .. table.concat(names(file), "/")
end

-- path.below(folder, file) -> "b/c.jpg" for "a/" and "a/b/c.jpg", or nil if 'file' is not in 'folder' or a folder of it.
-- Both are absolute.
function path.below(folder, file)
  local outer, inner = names(folder), names(file)
  for i, part in ipairs(outer) do
    if inner[i] ~= part then return nil end
  end
  if #inner <= #outer then return nil end
  return table.concat(inner, "/", #outer + 1)
end

-- path.inside("/a/../../b.jpg") -> "a/__/__/b.jpg": never leads out of where it is put
function path.inside(file)
  local parts = {}
  for part in file:gmatch "[^/]+" do
    if part ~= "." then parts[#parts + 1] = part == ".." and "__" or part end
  end
  return table.concat(parts, "/")
end

return path
