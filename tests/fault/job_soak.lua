-- job_soak.lua - the short form of tests/soak: memory and file descriptors of all processes stay as they are.
local check = require "check"
local soak  = require "tests.fault.soak"

local IMAGES = 1500
local report = soak.run { images = IMAGES, workers = 2, after = 1000, interval = 50, command = os.getenv "LUNETTE",
                          model = "tests/data/fixtures/ved_vit_gpt2" }
check.equal({ report.status, report.lines }, { 0, IMAGES }, "exit status and lines")
check.equal(#report.processes, 3, "processes")
local sanitized = os.getenv "LUNETTE":find "asan" ~= nil       -- which keeps what is freed
for _, p in ipairs(report.processes) do
  if check.ok(p.first ~= nil, "%s was not seen after 1000 pictures", p.name) then
    local before, after = soak.descriptors(p)
    check.equal(after, before, p.name .. ": file descriptors")
    if not sanitized then check.ok(soak.growth(p) < 0.02, "%s: its peak grew by %.1f %%", p.name, 100 * soak.growth(p)) end
  end
end
if check.failed > 0 then soak.print(report) end

check.finish()
