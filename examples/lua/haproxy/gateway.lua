-- A gateway's loop over weir's transactions, in HAProxy:
--
--   http-request lua.weir   identify, count, limit, pick a backend; a refusal is answered here
--   filter lua.weir         the answer's head and bytes go to weir, its edits to the client
--
-- HAProxy sends a request once, and its body as the client sent it: what a policy retries is not
-- retried here, but the breaker learns of it, and the next request goes elsewhere.

local weir = require "weir"

local exchanges, last_number = {}, 0 -- by txn.weir_id, of this thread

-- The value, or its error as text: hosts print no other.
local function must(value, err, ...)
  if value == nil then error(tostring(err), 2) end
  return value, err, ...
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

local function new_engine()
  local policy = must(weir.policy(read_file(os.getenv("WEIR_POLICY"))))
  for index, secret in ipairs(must(policy:secrets())) do
    local value = secret.kind == "env" and os.getenv(secret.name) or read_file(secret.name)
    must(policy:set_secret(index, value))
  end
  return must(weir.engine(policy, { state_file = os.getenv("WEIR_STATE") }))
end

local engine = new_engine()
-- A line of each request, for invoices, in a file that all threads append to.
local ledger = os.getenv("WEIR_LEDGER") and must(weir.ledger(os.getenv("WEIR_LEDGER")))

-- HAProxy's lists of a header's values begin at 0.
local function each_value(headers, call)
  for name, values in pairs(headers) do
    for index = 0, #values do
      if values[index] then call(name, values[index]) end
    end
  end
end

-- weir's header edits, by functions that set, remove and add.
local function edit(txn, set, remove, add)
  for index = 1, txn:header_count() do
    local operation, name, value = txn:header(index)
    if operation == weir.HEADER_SET then
      set(name, value)
    elseif operation == weir.HEADER_REMOVE then
      remove(name)
    else
      add(name, value)
    end
  end
end

-- ---- The request ----

-- What an ending left open is settled, and the exchange told: to the log, to the ledger.
local function finish(x)
  x.txn:client_left()
  core.log(core.info, x.txn:explain())
  if ledger then must(ledger:append(x.txn)) end
  x.txn:free()
end

-- The filter hears nothing of answers that HAProxy gives itself; and txn:done does not return.
local function reply(txn, x)
  local answer = txn:reply { status = x.txn:status(), body = x.txn:body() }
  for index = 1, x.txn:header_count() do
    local _, name, value = x.txn:header(index)
    answer:add_header(name, value)
  end
  exchanges[txn:get_var("txn.weir_id")] = nil
  finish(x)
  txn:done(answer)
end

local function forward(txn, x)
  local http = txn.http
  local function remove(name)
    if name ~= "content-length" then http:req_del_header(name) end -- the body stays as it is
  end
  edit(x.txn, function(name, value) http:req_set_header(name, value) end, remove,
    function(name, value) http:req_add_header(name, value) end)
  http:req_set_uri(x.txn:target())
  txn:set_var("txn.weir_backend", x.txn:url():match("^%a+://([^:/]+)"))
end

local function feed_request(txn, x)
  x.txn:request_head(txn.sf:method(), txn.sf:url(), txn.sf:src())
  each_value(txn.http:req_get_headers(), function(name, value)
    x.txn:request_header(name, value)
  end)
  local kind = must(x.txn:next())
  if kind ~= weir.ACTION_CONTINUE then return kind end
  x.txn:request_body(txn.sf:req_body())
  x.txn:request_end()
  return must(x.txn:next())
end

core.register_action("weir", { "http-req" }, function(txn)
  local x = { txn = must(engine:txn()) }
  last_number = last_number + 1
  exchanges[last_number] = x
  txn:set_var("txn.weir_id", last_number)
  local kind = feed_request(txn, x)
  while kind == weir.ACTION_WAIT do
    core.msleep(math.ceil(math.max(x.txn:deadline_in_ms() or 0, 0)))
    kind = must(x.txn:next())
  end
  if kind == weir.ACTION_FORWARD then
    x.is_forwarded = true
    forward(txn, x)
  else
    reply(txn, x)
  end
end)

-- ---- The answer ----

local meter = { id = "weir", flags = filter.FLT_CFG_FL_HTX }
meter.__index = meter

function meter.new(class)
  return setmetatable({}, class)
end

local function exchange_of(txn)
  return exchanges[txn:get_var("txn.weir_id")]
end

function meter:start_analyze(_, channel)
  if channel:is_resp() then filter.register_data_filter(self, channel) end
end

function meter:http_headers(txn, message)
  if not message.channel:is_resp() then return end
  local x = exchange_of(txn)
  if not x or not x.is_forwarded then return end
  x.is_answered = true
  x.txn:response_head(message:get_stline().code)
  each_value(message:get_headers(), function(name, value) x.txn:response_header(name, value) end)
  x.is_relayed = must(x.txn:next()) == weir.ACTION_CONTINUE
  if not x.is_relayed then return end
  message:set_status(x.txn:status())
  edit(x.txn, function(name, value) message:set_header(name, value) end,
    function(name) message:del_header(name) end,
    function(name, value) message:add_header(name, value) end)
end

-- Bytes pass as they come; weir only counts them.
function meter:http_payload(txn, message)
  local x = exchange_of(txn)
  local bytes = x and x.is_relayed and message:body()
  if bytes and bytes ~= "" then
    x.txn:response_body(bytes)
    x.is_relayed = x.txn:next() == weir.ACTION_CONTINUE
  end
end

function meter:http_end(txn, message)
  local x = exchange_of(txn)
  if not x or not message.channel:is_resp() then return end
  if x.is_relayed then
    x.txn:response_end()
    x.txn:next()
  end
end

-- What HAProxy itself answers when the backend did not.
local FAILURES = { [503] = weir.FAILURE_CONNECT, [504] = weir.FAILURE_TIMEOUT }

local function settle(txn, x)
  if x.is_forwarded and not x.is_answered then
    local failure = FAILURES[txn:get_var("txn.weir_status")]
    if failure then
      x.txn:response_failed(failure)
      x.txn:next()
    end
  end
  finish(x)
end

function meter:end_analyze(txn, channel)
  local id = txn:get_var("txn.weir_id")
  local x = exchanges[id]
  if x and channel:is_resp() then
    exchanges[id] = nil
    settle(txn, x)
  end
end

core.register_filter("weir", meter, function(instance) return instance end)
