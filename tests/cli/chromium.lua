-- chromium.lua - a headless Chromium for tests of pages, driven through its DevTools protocol on two pipes.
-- https://chromedevtools.github.io/devtools-protocol/; messages are JSON objects with a NUL after each.
local luv   = require "luv"
local cjson = require "cjson"

local LIMIT = 60000       -- ms for one answer

local Browser = {}
Browser.__index = Browser

local function find()
  for folder in (os.getenv "PATH" or ""):gmatch "[^:]+" do
    for _, name in ipairs { "chromium", "chromium-browser", "google-chrome" } do
      local path = folder .. "/" .. name
      if luv.fs_access(path, "X") then return path end
    end
  end
end

-- What a page must not do is noted as it happens: errors, and requests for what is no file.
local function note(self, message)
  local p = message.params
  if message.method == "Runtime.exceptionThrown" then
    self.problems[#self.problems + 1] = p.exceptionDetails.exception and p.exceptionDetails.exception.description or p.exceptionDetails.text
  elseif message.method == "Log.entryAdded" and p.entry.level ~= "verbose" then
    self.problems[#self.problems + 1] = ("%s %s"):format(p.entry.text, p.entry.url or "")
  elseif message.method == "Runtime.consoleAPICalled" then
    self.problems[#self.problems + 1] = "console." .. p.type .. ": " .. cjson.encode(p.args)
  elseif message.method == "Network.requestWillBeSent" then
    self.requests[#self.requests + 1] = p.request.url
  elseif message.method == "Page.javascriptDialogOpening" then
    self.problems[#self.problems + 1] = "dialog: " .. p.message
  end
end

local function receive(self, bytes)
  local from = 1
  while true do
    local stop = bytes:find("\0", from, true)
    self.pieces[#self.pieces + 1] = bytes:sub(from, stop and stop - 1)
    if not stop then return end
    local message = cjson.decode(table.concat(self.pieces))
    self.pieces, from = {}, stop + 1
    if message.id then self.answers[message.id] = message else note(self, message) end
  end
end

-- call(method, parameters) -> result; raises what the browser says
function Browser:call(method, parameters)
  self.last = self.last + 1
  local id, late = self.last, false
  local object = { id = id, method = method, params = parameters, sessionId = self.session }
  self.input:write(cjson.encode(object) .. "\0")
  self.timer:start(LIMIT, 0, function () late = true end)
  while not self.answers[id] and not late and not self.ended do luv.run "once" end
  self.timer:stop()
  local answer = self.answers[id]
  self.answers[id] = nil
  if not answer then error(("%s: no answer %s"):format(method, late and "in time" or "from a browser that ended"), 2) end
  if answer.error then error(("%s: %s"):format(method, answer.error.message), 2) end
  return answer.result
end

-- start(folder for its profile) -> browser | nil, why
local function start(folder)
  local path = find()
  if not path then return nil, "there is no chromium on PATH" end
  local nowhere = assert(luv.fs_open("/dev/null", "r+", 0))
  local self = setmetatable({ input = luv.new_pipe(), output = luv.new_pipe(), timer = luv.new_timer(),
    pieces = {}, last = 0, answers = {}, problems = {}, requests = {} }, Browser)
  self.process = assert(luv.spawn(path, {
    args = { "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe", "--no-first-run",
             "--disable-component-update", "--disable-background-networking", "--user-data-dir=" .. folder, "about:blank" },
    stdio = { nowhere, nowhere, nowhere, self.input, self.output },
  }, function () self.ended = true end))
  luv.fs_close(nowhere)
  self.output:read_start(function (_, bytes)
    if bytes then receive(self, bytes) else self.ended = true end
  end)
  local target = self:call("Target.createTarget", { url = "about:blank" }).targetId
  self.session = self:call("Target.attachToTarget", { targetId = target, flatten = true }).sessionId
  for _, domain in ipairs { "Page", "Runtime", "Log", "Network" } do self:call(domain .. ".enable") end
  return self
end

-- The value of an expression, or what its promise becomes; plain data.
function Browser:eval(expression)
  local answer = self:call("Runtime.evaluate", { expression = expression, awaitPromise = true, returnByValue = true })
  local wrong = answer.exceptionDetails
  if wrong then error(expression .. ": " .. (wrong.exception and wrong.exception.description or wrong.text), 2) end
  local value = answer.result.value
  return type(value) == "number" and math.tointeger(value) or value
end

-- Waits until an expression is true; false if it is not after 20 seconds.
function Browser:wait(expression)
  return self:eval(([[(async () => {
    for (let i = 0; i < 400; i++) {
      if (%s) return true;
      await new Promise(done => setTimeout(done, 50));
    }
    return false;
  })()]]):format(expression))
end

function Browser:open(url)
  self:call("Page.navigate", { url = url })
  return self:wait "document.readyState === 'complete'"
end

local KEYS = { ArrowLeft = 37, ArrowUp = 38, ArrowRight = 39, ArrowDown = 40, Escape = 27, Enter = 13 }

-- A key as a person presses it: one of KEYS or a character.
function Browser:key(key)
  local code = KEYS[key]
  self:call("Input.dispatchKeyEvent", { type = "keyDown", key = key, windowsVirtualKeyCode = code or 0,
    text = not code and key or key == "Enter" and "\r" or nil })
  self:call("Input.dispatchKeyEvent", { type = "keyUp", key = key, windowsVirtualKeyCode = code or 0 })
end

function Browser:type(text) self:call("Input.insertText", { text = text }) end

-- size(width, height [, dark]): of the window in CSS pixels, and the colours that the person prefers
function Browser:size(width, height, dark)
  self:call("Emulation.setDeviceMetricsOverride", { width = width, height = height, deviceScaleFactor = 1, mobile = width < 600 })
  self:call("Emulation.setEmulatedMedia", { features = { { name = "prefers-color-scheme", value = dark and "dark" or "light" } } })
end

-- The bytes of a PNG of what the window shows.
function Browser:screenshot()
  local data = self:call("Page.captureScreenshot", { format = "png" }).data
  local pieces = {}
  local values = {}
  for i, c in utf8.codes "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" do values[c] = i - 1 end
  for a, b, c, d in data:gmatch "(.)(.)(.)(.)" do
    local n = 0
    for _, x in ipairs { a, b, c, d } do n = n << 6 | (values[x:byte()] or 0) end
    pieces[#pieces + 1] = string.pack(">I3", n):sub(1, d ~= "=" and 3 or c ~= "=" and 2 or 1)
  end
  return table.concat(pieces)
end

function Browser:close()
  self.session = nil
  pcall(self.call, self, "Browser.close")
  self.timer:start(5000, 0, function () self.process:kill "sigkill" end)
  while self.process:is_active() do luv.run "once" end
  self.timer:stop()
  for _, handle in ipairs { self.input, self.output, self.timer, self.process } do handle:close() end
  luv.run()
end

Browser.__close = Browser.close

return { start = start }
