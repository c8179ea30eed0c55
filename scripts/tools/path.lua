-- path.lua - lets a script of this folder find the built module by the script's own place:
--   dofile((arg[0]:match "^.*/" or "./") .. "tools/path.lua")
-- Added behind what LUA_PATH and LUA_CPATH name, so that those still choose.
local root = (arg[0]:match "^.*/" or "./") .. "../"
package.path = ("%s;%slua/?.lua;%slua/?/init.lua"):format(package.path, root, root)
package.cpath = ("%s;%sbuild/lua/?.so"):format(package.cpath, root)
