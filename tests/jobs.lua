-- jobs.lua - runs shell commands, as many at a time as there are processors.
local jobs = {}

local function write(path, text)
  local f <close> = assert(io.open(path, "w"))
  f:write(text)
end

local function read(path)
  local f <close> = assert(io.open(path, "rb"))
  return f:read "a"
end

-- runs job number $1 of the directory $2 and says "number status seconds"
local RUNNER = [[
begin=$(date +%s%N)
export TMPDIR="$2/$1.tmp"
mkdir "$TMPDIR"
sh "$2/$1.sh" >"$2/$1.out" 2>&1 </dev/null
status=$?
rm -rf "$TMPDIR"
echo "$1 $status $((($(date +%s%N) - begin) / 1000000))"
]]

-- list: tables with a shell command in 'command'.  done(job, status, seconds, output) is called as
-- each ends; output is what it wrote to stdout and stderr.
function jobs.run(list, done)
  local make <close> = assert(io.popen "mktemp -d")
  local folder = assert(make:read "l", "mktemp made no directory")
  write(folder .. "/runner", RUNNER)
  for i, job in ipairs(list) do write(("%s/%d.sh"):format(folder, i), job.command .. "\n") end
  local all <close> = assert(io.popen(
    ("seq %d | xargs -P $(nproc) -I @NUMBER@ sh %s/runner @NUMBER@ %s"):format(#list, folder, folder)))
  local ended = 0
  for line in all:lines() do
    ended = ended + 1
    local i, status, ms = line:match "^(%d+) (%d+) (%d+)$"
    local job = assert(list[tonumber(i)], line)
    done(job, tonumber(status), tonumber(ms) / 1000, read(("%s/%s.out"):format(folder, i)))
  end
  os.execute("rm -rf " .. folder)
  assert(ended == #list, "the jobs were stopped")
end

return jobs
