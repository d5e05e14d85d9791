-- What every host does with weir, without a network: feed events, perform actions.

local json = require "json"
local weir = require "weir"

local host = {}
host.__index = host

local START_MONO_MS, START_UNIX_MS = 1000000, 1767225600000 -- 2026-01-01T00:00:00Z at 0 ms
local FAILURES = {
  connect = weir.FAILURE_CONNECT, timeout = weir.FAILURE_TIMEOUT, reset = weir.FAILURE_RESET,
}

-- Bodies are fed in pieces of `cut` bytes; 0: whole.
function host.new(secrets, cut)
  return setmetatable({
    at_ms = 0, cut = cut, secrets = secrets, exchanges = {}, now = weir.now(0, 0),
  }, host)
end

function host.fault(_, ...) error({ fault = string.format(...) }, 0) end

-- A call that no sound transcript makes fail.
function host:sound(call, result, err)
  if result == nil then self:fault("%s: status %d: %s", call, err.code, err.message) end
  return result
end

function host:instant()
  return self.now:set(START_MONO_MS + self.at_ms, START_UNIX_MS + self.at_ms)
end

function host:policy(document)
  local policy = self:sound("policy", weir.policy(json.encode(document)))
  for index, secret in ipairs(self:sound("secrets", policy:secrets())) do
    local value = self.secrets and self.secrets[secret.name]
    if value then self:sound("set_secret", policy:set_secret(index, value)) end
  end
  if self.engine then
    self:sound("reload", self.engine:reload(policy))
  else
    self.engine = self:sound("engine", weir.engine(policy, { seed = 1 }))
  end
  policy:free()
end

-- ---- Headers: lists of { name, value }, names in lower case ----

function host.find_header(list, name)
  for _, header in ipairs(list) do
    if header[1] == name:lower() then return header[2] end
  end
end

local function copy(list)
  local result = {}
  for i, header in ipairs(list) do result[i] = header end
  return result
end

local function remove_header(list, name)
  for i = #list, 1, -1 do
    if list[i][1] == name then table.remove(list, i) end
  end
end

-- The last action's header edits, carried out on `list`.
function host:edit(x, list)
  for index = 1, x.txn:header_count() do
    local operation, name, value = x.txn:header(index)
    self:sound("header", operation, name)
    name = name:lower()
    if operation ~= weir.HEADER_ADD then remove_header(list, name) end
    if operation ~= weir.HEADER_REMOVE then list[#list + 1] = { name, value } end
  end
  return list
end

-- ---- Exchanges: a transaction as the host sees it ----

function host:find(name)
  for i = #self.exchanges, 1, -1 do
    if self.exchanges[i].name == name then return self.exchanges[i] end
  end
end

function host:begin(name)
  local x = {
    name = name, txn = self:sound("txn", self.engine:txn()), client_headers = {},
    url = "", target = "", backend_body = "", backend_headers = {}, answer = "",
    answer_headers = {}, status = 0, replied_at_ms = 0,
  }
  self.exchanges[#self.exchanges + 1] = x
  return x
end

local perform = {}

perform[weir.ACTION_FORWARD] = function(self, x)
  x.url = self:sound("url", x.txn:url())
  x.target = self:sound("target", x.txn:target())
  x.backend_body = self:sound("body", x.txn:body())
  x.backend_headers = self:edit(x, copy(x.client_headers))
end

-- A CALL is weir's own: nothing of the client's goes with it.
perform[weir.ACTION_CALL] = function(self, x)
  x.url = self:sound("url", x.txn:url())
  x.target = self:sound("target", x.txn:target())
  x.backend_body = self:sound("body", x.txn:body())
  x.backend_headers = self:edit(x, {})
  x.call_id = x.txn:call_id()
end

perform[weir.ACTION_REPLY] = function(self, x)
  x.status, x.replied_at_ms = x.txn:status(), self.at_ms
  x.answer_headers = self:edit(x, {})
  x.answer = self:sound("body", x.txn:body())
end

perform[weir.ACTION_FINISH] = function(self, x)
  x.answer = x.answer .. self:sound("body", x.txn:body())
end

perform[weir.ACTION_CONTINUE] = function(self, x, input)
  if x.txn:relay() == weir.RELAY_INPUT then x.answer = x.answer .. input end
  if x.txn:relay() == weir.RELAY_VIEW then
    x.answer = x.answer .. self:sound("body", x.txn:body())
  end
end
perform[weir.ACTION_DONE] = perform[weir.ACTION_CONTINUE]

-- Asks what to do and does it; `input` are the bytes just fed, if any.
function host:next(x, input)
  x.kind = self:sound("next", x.txn:next(self:instant()))
  local act = perform[x.kind]
  if act then act(self, x, input or "") end
  return x.kind
end

-- A body given as JSON ("body") or text ("body_text").
local function body_of(message)
  if message.body ~= nil then return json.encode(message.body) end
  return message.body_text or ""
end

-- Feeds an object of names to a value or several.
function host:feed_pairs(x, pairs_given, method, seen)
  for _, name in ipairs(json.names(pairs_given or {})) do
    local values = pairs_given[name]
    for _, value in ipairs(json.is_array(values) and values or { values }) do
      if type(value) ~= "string" then self:fault("%s: not text", name) end
      self:sound(name, x.txn[method](x.txn, name, value))
      if seen then seen[#seen + 1] = { name:lower(), value } end
    end
  end
end

function host:pieces(text)
  local size = self.cut == 0 and math.max(#text, 1) or self.cut
  local at = 1 - size
  return function()
    at = at + size
    if at <= #text then return text:sub(at, at + size - 1) end
  end
end

function host:request(x, request)
  self:sound("request_head", x.txn:request_head(request.method or "POST",
    request.target or "/v1/chat/completions", request.client or "192.0.2.1"))
  self:feed_pairs(x, request.headers, "request_header", x.client_headers)
  self:feed_pairs(x, request.attributes, "attribute")
  if self:next(x) ~= weir.ACTION_CONTINUE then return end
  for piece in self:pieces(body_of(request)) do
    self:sound("request_body", x.txn:request_body(piece))
  end
  self:sound("request_end", x.txn:request_end())
  self:next(x)
end

-- Feeds answer bytes, piece by piece; false when the answer is over.
function host:feed_answer(x, text)
  for piece in self:pieces(text) do
    self:sound("response_body", x.txn:response_body(piece))
    if self:next(x, piece) ~= weir.ACTION_CONTINUE then return false end
  end
  return true
end

function host:more(x, more)
  for _, chunk in ipairs(more.chunks or {}) do
    if not self:feed_answer(x, chunk) then return end
  end
  if more["end"] == false then return end
  self:sound("response_end", x.txn:response_end())
  self:next(x)
end

function host:response(x, response)
  local given = {}
  self:sound("response_head", x.txn:response_head(response.status or 200))
  self:feed_pairs(x, response.headers, "response_header", given)
  if self:next(x) ~= weir.ACTION_CONTINUE then return end
  x.status = x.txn:status()
  x.answer_headers = self:edit(x, given)
  if self:feed_answer(x, body_of(response)) then self:more(x, response) end
end

function host:failed(x, failure)
  self:sound("response_failed", x.txn:response_failed(FAILURES[failure]))
  self:next(x)
end

function host:call(x, call)
  self:sound("call_result", x.txn:call_result(x.call_id, call.status or 200, body_of(call)))
  self:next(x)
end

function host:free(x)
  x.txn:free()
  x.txn = nil
end

function host:close()
  for _, x in ipairs(self.exchanges) do
    if x.txn then x.txn:free() end
  end
  if self.engine then self.engine:free() end
end

return host
