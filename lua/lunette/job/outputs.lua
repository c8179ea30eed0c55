--[[
job/outputs.lua - what a job's captions are written to, found by the name of the file.

An output is a projection of the job file: what that says counts, and an output can be written again from it.  A kind is a
module lunette.job.outputs.NAME with

  kind.open(path, settings) -> output, or nil, message     settings: the job's options (overwrite, append, ...) and settings.mark, the
                                                           last mark of this output in the job file, nil if it has none.  Writes nothing.
  output:resume(mark, records) -> true [, new mark], or nil, message
                                                           What is on disk becomes what the mark, that of open(), says.  If it was gone or
                                                           cut short it is written again, up to the last record: then there is a new mark.
  output:flush()           -> mark, or nil, message        What was written is on disk.  The first mark of a new output must be in the job
                                                           file before the first write(): until then nothing of it exists.
  output:write(list)       -> true, or nil, message        records in order of position, after those that the mark covers
  output:rebuild(records)  -> mark, or nil, message        written again from records(0), at once; may take the place of resume()
  output:close()           -> true                         writes nothing: what was not flushed is as after a crash

After nil and a message comes a code: durable.is_full(code) tells what ends the job from what one file has.

When records that an output may have are changed or dropped, the job file says so of it in the same commit (stale), and rebuild()
follows: after a kill in between, or in a later run with this output, it is called in place of resume().

and where the kind asks for them

  output:accepts(file)     -> true, or nil, message        whether the caption of a picture can be written here at all

records(n) iterates over the job's records with position > n, in order of position.  A record is
  { id, position, file, text, ids, score, sequences }, or { id, position, file, error, stage } for a picture without captions.
]]
local outputs = {}

-- The first pattern that a name, in lower case, matches.
local KINDS = {
  { "^metadata%.jsonl$", "metadata" },
  { "%.jsonl$",          "jsonl" },
  { "%.csv$",            "csv" },
  { "%.db$",             "sqlite" },
  { "%.sqlite$",         "sqlite" },
  { "%.html$",           "html" },
}

-- outputs.kind(path) -> the module of its kind, or nil, message
function outputs.kind(path)
  local name = path:match "[^/]*$":lower()
  for _, row in ipairs(KINDS) do
    if name:find(row[1]) then return require("lunette.job.outputs." .. row[2]) end
  end
  return nil, ("%s: an output's name ends in .jsonl, .csv, .db, .sqlite or .html"):format(path)
end

return outputs
