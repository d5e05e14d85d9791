-- Plays tests/transcripts over the weir module of the Lua that runs this, LuaJIT's or PUC's:
--
--   luajit transcripts.lua FILE…      lua5.4 transcripts.lua FILE…

local folder = arg[0]:match("^(.*)/") or "."
package.path = folder .. "/?.lua;" .. package.path

local json = require "json"
local match = require "match"
local host = require "host"
local weir = require "weir"

local ACTIONS = {}
for _, name in ipairs { "continue", "forward", "reply", "call", "wait", "finish", "done" } do
  ACTIONS[weir["ACTION_" .. name:upper()]] = name
end

local function words(text)
  local set = {}
  for word in text:gmatch("%S+") do set[word] = true end
  return set
end
local WORDS = {
  transcript = words "about policy secrets events",
  event = words [[at_ms after_retry_ms txn request response more failed call again expect free
                  reload metrics status explain about]],
  expect = words "action attempt deadline_ms backend client",
  backend = words "url target headers body body_text contains lacks",
  client = words "status headers body body_text contains lacks",
  metrics = words "contains lacks",
}

-- What a transcript may say about a kind of object; a misspelt word must not pass unread.
local function expect_words(h, what, object)
  for _, name in ipairs(json.names(object or {})) do
    if not WORDS[what][name] then h:fault('%s: no word "%s"', what, name) end
  end
end

local function expect_value(h, what, actual, expected)
  if expected == nil then return end
  local good, why = match(actual, expected)
  if not good then h:fault("%s%s%s", what, why:find("^[.%[]") and "" or ": ", why) end
end

local function expect_json(h, what, text, expected)
  if expected == nil then return end
  local value, why = json.decode(text)
  if value == nil then h:fault("%s: not JSON (%s): %s", what, why, text:sub(1, 300)) end
  expect_value(h, what, value, expected)
end

local function expect_pieces(h, what, text, expected)
  for _, piece in ipairs(expected.contains or {}) do
    if not text:find(piece, 1, true) then
      h:fault('%s does not contain "%s": %s', what, piece, text:sub(1, 600))
    end
  end
  for _, piece in ipairs(expected.lacks or {}) do
    if text:find(piece, 1, true) then
      h:fault('%s contains "%s": %s', what, piece, text:sub(1, 600))
    end
  end
end

-- What went to one side: headers and body.
local function expect_message(h, what, headers, body, expected)
  for _, name in ipairs(json.names(expected.headers or {})) do
    expect_value(h, what .. " header " .. name, host.find_header(headers, name),
      expected.headers[name])
  end
  expect_json(h, what .. " body", body, expected.body)
  expect_pieces(h, what .. " body", body, expected)
  expect_value(h, what .. " body", body, expected.body_text)
end

local function expect(h, x, expected)
  local backend, client = expected.backend, expected.client
  expect_words(h, "expect", expected)
  expect_words(h, "backend", backend)
  expect_words(h, "client", client)
  local action = ACTIONS[x.kind] or "?"
  if expected.action and expected.action ~= action then
    h:fault("%s is not %s; status %d, answer so far: %s", action, expected.action, x.status,
      x.answer:sub(1, 600))
  end
  expect_value(h, "attempt", x.txn:attempt(), expected.attempt)
  expect_value(h, "deadline_ms", x.txn:deadline_in_ms(h:instant()), expected.deadline_ms)
  if backend then
    expect_value(h, "url", x.url, backend.url)
    expect_value(h, "target", x.target, backend.target)
    expect_message(h, "backend", x.backend_headers, x.backend_body, backend)
  end
  if client then
    expect_value(h, "status", x.status, client.status)
    expect_message(h, "client", x.answer_headers, x.answer, client)
  end
end

-- No text that weir writes for people holds a secret or a client's credential.
local function no_secrets(h, what, text)
  for _, name in ipairs(json.names(h.secrets or {})) do
    if text:find(h.secrets[name], 1, true) then h:fault("%s holds the secret %s", what, name) end
  end
  for _, x in ipairs(h.exchanges) do
    local bearer = host.find_header(x.client_headers, "authorization") or ""
    local key = host.find_header(x.client_headers, "api-key") or ""
    for _, credential in ipairs { bearer:match("^Bearer (.+)") or "", key } do
      if credential ~= "" and text:find(credential, 1, true) then
        h:fault("%s holds a client's credential", what)
      end
    end
  end
end

local function expect_written(h, x, event)
  if event.metrics then
    local text = h:sound("metrics", h.engine:metrics())
    expect_words(h, "metrics", event.metrics)
    expect_pieces(h, "metrics", text, event.metrics)
    no_secrets(h, "metrics", text)
  end
  if event.status then
    expect_json(h, "status", h:sound("status", h.engine:status(h:instant())), event.status)
  end
  if event.explain then
    local text = h:sound("explain", x.txn:explain())
    expect_json(h, "explain", text, event.explain)
    no_secrets(h, "explain", text)
  end
end

-- When an event happens: at_ms, or so long after the time that the last refusal named.
local function time_of(h, event, last)
  if event.after_retry_ms == nil then return event.at_ms or h.at_ms end
  local x = h:find(last)
  local retry = x and host.find_header(x.answer_headers, "retry-after-ms")
  if not retry then h:fault("the last answer has no retry-after-ms") end
  return x.replied_at_ms + tonumber(retry) + event.after_retry_ms
end

-- The transaction that an event speaks of: named, or the last one spoken of.
local function subject(h, event, name)
  if event.request then return h:begin(name) end
  local x = h:find(name)
  if x and x.txn then return x end
  if not (event.metrics or event.status or event.reload) then
    h:fault('no transaction "%s"', name)
  end
end

local function play_event(h, event, last)
  local at_ms = time_of(h, event, last)
  if at_ms < h.at_ms then h:fault("time goes backward") end
  h.at_ms = at_ms
  expect_words(h, "event", event)
  if event.reload then h:policy(event.reload) end
  local x = subject(h, event, event.txn or last)
  if event.request then h:request(x, event.request) end
  if event.response then h:response(x, event.response) end
  if event.more then h:more(x, event.more) end
  if event.failed then h:failed(x, event.failed) end
  if event.call then h:call(x, event.call) end
  if event.again then h:next(x) end
  if event.expect then expect(h, x, event.expect) end
  expect_written(h, x, event)
  if event.free then h:free(x) end
end

local function play(path, transcript, cut)
  local h, at, last = host.new(transcript.secrets, cut), 0, "a"
  local good, problem = pcall(function()
    expect_words(h, "transcript", transcript)
    h:policy(transcript.policy)
    if not transcript.events or #transcript.events == 0 then h:fault("no events") end
    for i, event in ipairs(transcript.events) do
      at = i
      play_event(h, event, last)
      last = event.txn or last
    end
  end)
  h:close()
  if good then return true end
  local what = type(problem) == "table" and problem.fault or tostring(problem)
  io.stderr:write(string.format('%s: event %d (at %d ms, "%s", cut %d): %s\n', path, at, h.at_ms,
    last, cut, what))
  return false
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- Whole; byte by byte; across every boundary. At length: every size of a piece up to 100.
local cuts = { 0, 1, 7 }
if os.getenv("WEIR_LONG") then
  for size = 0, 100 do cuts[size + 1] = size end
end

local bad = #arg == 0 and 1 or 0
for _, path in ipairs(arg) do
  local transcript, why = json.decode(read(path))
  if not transcript then
    io.stderr:write(path, ": ", why, "\n")
    bad = bad + 1
  else
    for _, cut in ipairs(cuts) do
      if not play(path, transcript, cut) then bad = bad + 1 end
    end
  end
end
print(string.format("%s: %d transcripts, %d plays, %d failed", rawget(_G, "jit") and jit.version
  or _VERSION, #arg, #arg * #cuts, bad))
os.exit(bad == 0 and 0 or 1)
