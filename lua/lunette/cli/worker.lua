-- cli/worker.lua - lunette worker: what a job starts; nobody types it.
local worker = { summary = "Work for a job (started by it).", hidden = true }

function worker.setup() end

function worker.run()
  require "lunette.job.worker".serve()
  return 0
end

return worker
