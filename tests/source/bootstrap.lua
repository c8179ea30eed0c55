-- bootstrap.lua - the set-up script: quick and silent with nothing to do, one clear line when it cannot go on.
local passed, failed = 0, 0
local function check(ok, what, ...)
  if ok then passed = passed + 1 else failed = failed + 1; print("FAIL " .. what:format(...)) end
end

local tmp = os.getenv "TMPDIR" or "/tmp"
local copy = tmp .. "/lunette-setup"

local function run(command)
  local shell <close> = assert(io.popen(command .. " 2>&1; echo \" $?\""))
  local output, status = shell:read "a":match "^(.*) (%d+)\n$"
  return output, tonumber(status)
end

local TOOLS = "basename cat cksum dirname env find flock grep head mkdir nproc rm sed sort tail tr"

-- in a copy without sources, where nothing but TOOLS is on PATH and the scripts with the bodies given;
-- returns as well the commands that NOTE wrote down
local function with_tools(scripts, options)
  run(("rm -rf %s; mkdir -p %s && cd %s && mkdir bin core lua vision text tests"):format(copy, copy, copy))
  run(("cp -r scripts premake5.lua %s; for t in %s; do ln -s $(command -v $t) %s/bin; done"):format(copy, TOOLS, copy))
  for name, body in pairs(scripts) do
    local f <close> = assert(io.open(copy .. "/bin/" .. name, "w"))
    f:write("#!/bin/sh\n", body, "\n")
  end
  local output, status = run(("chmod +x %s/bin/*; PATH=%s/bin %s/scripts/bootstrap %s"):format(copy, copy, copy, options or ""))
  local f <close> = assert(io.open(copy .. "/calls", "a+"))
  return output, status, f:read "a"
end

local NOTE = ("echo \"$(basename $0) $*\" >>%s/calls; "):format(copy)
local ALL  = "sed -e '/^#/d' -e 's/ .*//' -e 's/^/installed /' scripts/tools/packages.txt"     -- dpkg-query's answer
local MOST = ALL .. " | grep -v libpng-dev"
local APT  = "apt-get -y --no-install-recommends "

local begin = run "date +%s%N"
local output, status = run "scripts/bootstrap"
local ms = (run "date +%s%N" - begin) // 1000000
check(output == "" and status == 0, "with nothing to do it said %q, status %d", output, status)
check(ms < 1000, "with nothing to do it took %d ms, limit 1000", ms)

local called
output, status, called = with_tools { ["dpkg-query"] = MOST, id = "echo 1000", ["apt-get"] = NOTE }
check(status == 1 and called == "", "without root the status is %d, it called %q", status, called)
check(output == "lunette: these packages are missing, and installing them takes root or sudo: apt-get install libpng-dev\n",
  "without root it said %q", output)

output, status, called = with_tools { ["dpkg-query"] = MOST, id = "echo 0", ["apt-get"] = NOTE .. "echo E: no network; exit 100" }
check(status == 1 and called == APT .. "install libpng-dev\n" .. APT .. "update\n",
  "without a network the status is %d, it called %q", status, called)
check(output == "lunette: installing libpng-dev\nE: no network\nE: no network\n" ..
  "lunette: apt-get could not install libpng-dev (offline?); all of it is in build/setup.log\n", "without a network it said %q", output)

output, status, called = with_tools { ["dpkg-query"] = MOST, id = "echo 1000", sudo = NOTE .. "\"$@\"",
  ["apt-get"] = NOTE, premake4 = "echo error: no such file; exit 1" }
check(called == ("sudo env DEBIAN_FRONTEND=noninteractive %sinstall libpng-dev\n%sinstall libpng-dev\n"):format(APT, APT),
  "with sudo it called %q", called)
check(status == 1 and output == "lunette: installing libpng-dev\nerror: no such file\n" ..
  "lunette: premake4 failed; all of it is in build/setup.log\n", "with a failing premake it said %q, status %d", output, status)

output, status = with_tools({ ["dpkg-query"] = ALL, id = "echo 1000" }, "--tests")
check(status == 1 and output:find "apt%-get install .*redis%-tools", "--tests said %q, status %d", output, status)

-- makefiles are written again when a header that sources can do without comes or goes
local function runs_of_premake(header)
  run(("printf '#!/bin/sh\\necho %s\\n' >%s/bin/cc; chmod +x %s/bin/cc"):format(header, copy, copy))
  run(("PATH=%s/bin %s/scripts/bootstrap"):format(copy, copy))
  local f <close> = assert(io.open(copy .. "/calls"))
  return select(2, f:read "a":gsub("premake4", ""))
end
with_tools { ["dpkg-query"] = ALL, cc = "echo one.h", premake4 = NOTE, make = ":" }
run(("touch %s/core/new.c"):format(copy))
for i, case in ipairs { { "one.h", 2 }, { "one.h", 2 }, { "two.h", 3 }, { "two.h", 3 }, { "", 4 } } do
  local got = runs_of_premake(case[1])
  check(got == case[2], "headers, step %d: premake ran %d times, wanted %d", i, got, case[2])
end

run("rm -rf " .. copy)
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
