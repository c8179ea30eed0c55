-- path.lua - lets a script find the built module without LUA_PATH; its first line is
--   dofile((arg[0]:match "^.*/" or "./") .. "tools/path.lua")
-- Added behind what LUA_PATH and LUA_CPATH name, so that those still choose.
local root = debug.getinfo(1, "S").source:match "^@(.*)scripts/tools/[^/]*$"
package.path = ("%s;%slua/?.lua;%slua/?/init.lua"):format(package.path, root, root)
package.cpath = ("%s;%sbuild/lua/?.so"):format(package.cpath, root)
