-- job_kills.lua - the short form of tests/faults: 30 kills at random instants, then each picture once in each output.
local check    = require "check"
local campaign = require "tests.fault.campaign"

local report = campaign.run { most = 30, images = 120, workers = 2, seed = os.time() }
check.equal(report.kills, 30, "kills")
check.ok(report.ends > 0, "the job never came to its end")
for _, text in ipairs(report.problems) do check.ok(false, "seed %d, %s", report.seed, text) end
if check.failed > 0 then campaign.print(report) end

check.finish()
