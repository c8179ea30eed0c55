-- memory.lua - processes of a job whose memory is the same after a thousand pictures and after a million.
local rlimit = require "lunette.rlimit"

local MAPPED = 64 << 10      -- bytes of a block that goes back to the system at once

local memory = {}

-- The collector begins when the heap has grown by a tenth, rather than when it has doubled; for each Lua state.
function memory.collect_steadily() collectgarbage("incremental", 110) end

-- The same, and the heap of C as well; once in a process.
function memory.keep_flat()
  rlimit.flat(MAPPED)
  memory.collect_steadily()
end

return memory
