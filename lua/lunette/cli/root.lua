-- cli/root.lua - the folder that holds lua/, models/ and the rest, without a final slash.
local path = assert(package.searchpath("lunette", package.path))
return path:match "^(.*)/lua/lunette/init%.lua$" or "."
