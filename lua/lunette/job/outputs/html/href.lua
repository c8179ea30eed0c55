-- href.lua - the way from a page to a file as a relative URL, whatever bytes the names have.
local luv  = require "luv"
local path = require "lunette.job.path"

local function encode(name)
  return (name:gsub("[^%w%-._~]", function (c) return ("%%%02X"):format(c:byte()) end))
end

-- The names of a path from the root down.  ".." is taken off by name, as a browser does, not by where links lead.
local function split(file)
  local names = {}
  for name in path.plain(file:find "^/" and file or luv.cwd() .. "/" .. file):gmatch "[^/]+" do names[#names + 1] = name end
  return names
end

-- from(page) -> function: path of a file -> URL relative to the page
local function from(page)
  local here = split(page)
  here[#here] = nil
  return function (file)
    local there, same = split(file), 0
    while same < #here and same < #there - 1 and here[same + 1] == there[same + 1] do same = same + 1 end
    local steps = {}
    for _ = same + 1, #here do steps[#steps + 1] = ".." end
    for i = same + 1, #there do steps[#steps + 1] = encode(there[i]) end
    return table.concat(steps, "/")
  end
end

return { encode = encode, from = from }
