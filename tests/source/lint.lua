-- lint.lua - every Lua file of the repository compiles and has nothing for luacheck to say.
local passed, failed = 0, 0

-- those that end in .lua, and those whose first line names lua
local find <close> = assert(io.popen(
  "find premake5.lua lua scripts tests -type f -name '*.lua'; grep -lE '^#!.*lua' scripts/* tests/* 2>/dev/null"))
for path in find:lines() do
  for _, tool in ipairs { "luac5.4 -p --", "luacheck --no-color --quiet --codes --" } do
    local run = assert(io.popen(("%s '%s' 2>&1"):format(tool, path)))
    local said = run:read "a"
    if run:close() then
      passed = passed + 1
    else
      failed = failed + 1
      print(said)
    end
  end
end

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
