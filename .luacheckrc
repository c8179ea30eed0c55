-- Lua 5.4, no globals of our own.
std = "lua54"
max_line_length = 150
unused_args = false          -- methods and callbacks keep their whole signature
ignore = { "211/scope" }     -- local scope <close>: used by going out of sight

-- premake's scripts: its vocabulary is made of globals
stds.premake = {
  globals = { "workspace", "filter", "cdialect", "warnings", "symbols", "optimize", "path" },
  read_globals = { "_OPTIONS", "buildoptions", "configuration", "configurations", "defines", "files", "flags",
    "includedirs", "kind", "language", "linkoptions", "links", "location", "newoption", "os", "project", "solution",
    "targetdir", "targetname", "targetprefix" },
}
files["premake5.lua"] = { std = "lua51+premake" }
files["scripts/tools/premake4.lua"] = { std = "lua51+premake", ignore = { "131" } }
