-- plugin_refused.lua - plugins that are wrong are refused with a sentence; those whose file
-- already says so, before any of their code runs.
local core  = require "lunette.core"
local build = require "plugin_build"

local check = build.check

local SOURCE = [[
#include <stdio.h>
#include "lun_plugin.h"
__attribute__((constructor)) static void run(void) { FILE *mark = fopen("$mark", "w"); if (mark) fclose(mark); }
$about
]]

local OPEN = [[
static lun_status call(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) { return (void)cx, (void)self, (void)in, (void)out, LUN_OK; }
static lun_status init(lun_ctx *cx, void *s, const lun_args *a) { return (void)cx, (void)s, (void)a, LUN_OK; }
static lun_tensor *forward(lun_ctx *cx, void *s, const lun_args *a) { return (void)cx, (void)s, (void)a, NULL; }
static lun_arg   args[200] = { { .type = LUN_INT, .name = "x" } };
static lun_func  f = { .size = sizeof f, .name = "f", .args = args, .call = call };
static lun_func  m[200] = { { .size = sizeof f, .name = "m", .args = args, .call = call } };
static lun_block b = { .size = sizeof b, .name = "b", .args = args, .inputs = args, .init = init, .forward = forward };
static lun_class c = { .size = sizeof c, .name = "c", .methods = m };
lun_status lun_plugin_open(const lun_host *host, lun_plugin *self, const char **why) {
  (void)why;
  $body
  host->add_func(self, &f);
  host->add_class(self, &c);
  host->add_block(self, &b);
  return LUN_OK;
}
]]

local count = 0

-- Compiles a plugin and tries to load it -> the message after "PATH: ", the code, whether code of it ran
local function try(about, open)
  count = count + 1
  local name = "bad" .. count
  local mark = build.file(name .. ".ran")
  local source = (SOURCE .. open):gsub("%$(%w+)", { mark = mark, about = about })
  local path = build.compile(build.write(build.file(name .. ".c"), source), name, "-Wno-unused")
  local module, message, code = core.load_plugin(path)
  local ran = os.remove(mark)
  if module then return "it was loaded", nil, ran end
  local first, last = message:find(path .. ": ", 1, true)
  return first == 1 and message:sub(last + 1) or message, code, ran
end

-- ---- refused as data -------------------------------------------------------------------------

local LONG = ("a"):rep(64)
local function about(fields)
  return ("LUN_EXPORT extern const lun_plugin_about lun_about;\nconst lun_plugin_about lun_about = { %s, %s, %s, %s, \"MIT\" };"):format(
    fields.size or "sizeof(lun_plugin_about)", fields.abi or "LUN_ABI_VERSION", fields.name or '"bad"', fields.version or '"1.0"')
end
local NAME, TEXT = "its name is not [a-z][a-z0-9_]* of at most 63 bytes", "its version or licence is not a text of at most 63 printable bytes"

for _, row in ipairs {
  { "", "not a plugin: it exports no lun_about" },
  { "static const lun_plugin_about lun_about;\nLUN_EXPORT int use(void);\nint use(void) { return (int)lun_about.size; }",
    "not a plugin: it exports no lun_about" },
  { "LUN_EXPORT int lun_about = 40;", "lun_about has 4 bytes, wanted at least 32" },
  { "LUN_EXPORT void lun_about(void);\nvoid lun_about(void) {}", "^lun_about has %d+ bytes, wanted at least 32$" },
  { "LUN_EXPORT extern lun_plugin_about lun_about;\nlun_plugin_about lun_about;", "^lun_about has %d+ bytes, wanted at least 32$" },
  { about { size = 8 }, "lun_about says it has 8 bytes, wanted 32" },
  { about { size = 4000 }, "lun_about says it has 4000 bytes, wanted 32" },
  { about { abi = "2 << 16" }, "plugin bad is built for ABI 2.0, this host has 1.0" },
  { about { abi = "0" }, "plugin bad is built for ABI 0.0, this host has 1.0" },
  { about { abi = "LUN_ABI_VERSION + 1" }, "plugin bad is built for ABI 1.1, this host has 1.0" },
  { about { name = "NULL" }, NAME },
  { about { name = '""' }, NAME },
  { about { name = '"Bad"' }, NAME },
  { about { name = '"a.b"' }, NAME },
  { about { name = '"' .. LONG .. '"' }, NAME },
  { about { name = "(const char *)4096" }, NAME },
  { about { version = "NULL" }, TEXT },
  { about { version = '"1\\n2"' }, TEXT },
  { about { version = '"' .. LONG .. '"' }, TEXT },
  { about {}, "plugin bad exports no lun_plugin_open" },
} do
  local got, code, ran = try(row[1], "")
  check(got == row[2] or got:find(row[2]), "%s: got %q, wanted %q", row[1], got, row[2])
  check(code == "abi", "%s: code %s", row[1], code)
  check(not ran, "%s: code of a refused plugin ran", row[1])
end

-- ---- refused when they open --------------------------------------------------------------------

local ARG = "is not [a-z][a-z0-9_]*, with dots between, of at most 63 bytes"

for _, row in ipairs {
  { "return LUN_EDEVICE;", "did not open: it did not say why", "device" },
  { '*why = "no such device"; return LUN_EDEVICE;', "did not open: no such device", "device" },
  { 'static char s[] = "gone"; *why = s; return (lun_status)77;', "did not open: gone", "unknown" },
  { "host->add_block(self, NULL);", ": a block is NULL" },
  { "b.size = 8;", ": a block says it has 8 bytes, wanted 64" },
  { "b.name = NULL;", ": a block has no name" },
  { 'b.name = "B b";', ": a block has a name that is not [a-z][a-z0-9_]* of at most 63 bytes" },
  { "b.state_size = 1u << 31;", ": block b wants 2147483648 bytes of state, at most 16777216" },
  { "b.init = NULL;", ": block b has no init" },
  { "b.forward = NULL;", ": block b has no forward" },
  { "b.args = NULL;", ": block b has no list of arguments" },
  { "b.inputs = NULL;", ": block b has no list of arguments" },
  { 'f.name = "b";', ": two things are named b" },
  { "host->add_func(self, &f);", ": two things are named f" },
  { "f.call = NULL;", ": function f has nothing to call" },
  { "args[0].name = NULL;", ": function f: argument 1 has no name" },
  { 'args[0].name = "";', ": function f: argument 1 has a name that " .. ARG },
  { 'args[0].name = "a..b";', ": function f: argument 1 has a name that " .. ARG },
  { 'args[0].name = "a.";', ": function f: argument 1 has a name that " .. ARG },
  { ('args[0].name = "%s.%s";'):format(LONG:sub(1, 32), LONG:sub(1, 32)), ": function f: argument 1 has a name that " .. ARG },
  { "args[0].type = 77;", ": function f: argument 1 has type 77, which is none" },
  { "args[0].type = -1;", ": function f: argument 1 has type -1, which is none" },
  { "args[0].def = 0.5;", ": function f: the default of x is 0.5, wanted an integer" },
  { "args[0].def = 1e30;", ": function f: the default of x is 1e+30, wanted an integer" },
  { "args[0].def = __builtin_inf();", ": function f: x has no number as its default" },
  { 'args[0].min = __builtin_nan("");', ": function f: x has no number as its least value" },
  { 'args[1] = args[0];', ": function f: arguments x and x collide" },
  { 'args[1] = args[0]; args[1].name = "x.y";', ": function f: arguments x and x.y collide" },
  { 'args[1] = args[0]; args[0].name = "x.y.z"; args[1].name = "x.y";', ": function f: arguments x.y.z and x.y collide" },
  { 'static char n[200][8]; for (int i = 0; i < 200; i++) { args[i] = args[0]; sprintf(n[i], "a%d", i); args[i].name = n[i]; }',
    ": function f: no LUN_END after 128 arguments" },
  { "c.methods = NULL;", ": class c has no list of methods" },
  { "c.state_size = 1u << 31;", ": class c wants 2147483648 bytes of state, at most 16777216" },
  { 'm[0].name = "Free";', ": a method has a name that is not [a-z][a-z0-9_]* of at most 63 bytes" },
  { "m[0].size = 1;", ": a method says it has 1 bytes, wanted 40" },
  { "m[1] = m[0];", ": class c has two methods named m" },
  { 'static char n[200][8]; for (int i = 0; i < 200; i++) { m[i] = m[0]; sprintf(n[i], "a%d", i); m[i].name = n[i]; }',
    ": class c: no NULL name after 128 methods" },
  { "host->add_class(self, &c);", ": two classes are named c" },
} do
  local got, code, ran = try(about {}, (OPEN:gsub("%$body", function () return row[1] end)))
  local wanted = "plugin bad" .. (row[2]:sub(1, 1) == ":" and "" or " ") .. row[2]
  check(got == wanted, "%s: got %q, wanted %q", row[1], got, wanted)
  check(code == (row[3] or "abi"), "%s: code %s", row[1], code)
  check(ran, "%s: it never ran", row[1])
end

local got = try(about {}, "extern int nowhere(void);\n" .. OPEN:gsub("%$body", "if (nowhere()) return LUN_EARG;"))
check(got:find("undefined symbol: nowhere", 1, true), "a missing symbol: got %q", got)

-- After all these a good one with their name loads, and a second one does not.
got = try(about {}, (OPEN:gsub("%$body", "")))
check(got == "it was loaded", "a good plugin: %s", got)
local first = build.file(("bad%d.so"):format(count))
got = try(about {}, (OPEN:gsub("%$body", "")))
check(got == "a plugin named bad is loaded from " .. first, "a second plugin of a name: %s", got)

-- ---- files that are no plugins ---------------------------------------------------------------------

local function refused(path, wanted, wanted_code)
  local module, message, code = core.load_plugin(path)
  check(not module and message == path .. ": " .. wanted, "got %q, wanted %q", message, wanted)
  check(code == wanted_code, "%s: code %s", path, code)
end

local file <close> = assert(io.open(first, "rb"))
local bytes = file:read "a"
local function bad(name, text) return build.write(build.file(name), text) end
local NOT = "not a shared library of this machine"

refused(build.file "absent.so", "No such file or directory", "io")
refused(bad("empty.so", ""), "empty file", "io")
refused(bad("text.so", "int main(void) { return 0; }"), NOT, "io")
refused(bad("short.so", bytes:sub(1, 63)), NOT, "io")
refused(bad("cut.so", bytes:sub(1, 4096)), NOT, "io")
refused(bad("machine.so", bytes:sub(1, 18) .. "\243\0" .. bytes:sub(21)), NOT, "io")
refused(bad("class.so", bytes:sub(1, 4) .. "\1" .. bytes:sub(6)), NOT, "io")

build.finish()
