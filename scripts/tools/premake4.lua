-- premake4.lua - the few premake 5 names premake5.lua uses, said in premake 4.3.
workspace = solution

function filter(f)
  local name = type(f) == "string" and f:match "^configurations:(%w+)$"
  configuration(name and { name } or {})
end

local function flag(map)
  return function (value) if map[value] then flags { map[value] } end end
end
cdialect = function (std) buildoptions { "-std=" .. std:lower() } end
warnings = function () buildoptions { "-Wall", "-Wextra" } end    -- ExtraWarnings is -Wall alone
symbols  = flag { On = "Symbols" }
optimize = flag { Speed = "OptimizeSpeed", On = "Optimize" }

-- Objects are named after their source's base name; with the folders in it
-- two sources of one name in one project get two objects, as in premake 5.
local base_name = path.getbasename
function path.getbasename(file)
  local source = file:match "^[./]*(.+)%.c$"
  return source and (source:gsub("/", "_")) or base_name(file)
end
