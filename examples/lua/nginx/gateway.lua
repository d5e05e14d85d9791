-- A gateway's loop over weir's transactions, spread over the phases of nginx's Lua module:
--
--   access         request, again   identify, count, limit, choose; a refusal is answered here
--   header filter  answer_head      the backend's head goes to weir, its edits to the client
--   body filter    answer_body      the answer is metered as it passes
--   log            settle           what was reserved is corrected, and told in $weir
--
-- A backend that failed comes back by nginx's error_page to `again`, where weir says what is next.

local weir = require "weir"

local gateway = {}
local policy, engine, ledger
local exchanges = {} -- by $weir_id: ngx.ctx does not outlive an error_page
local ended = {}     -- transactions to use again

-- The value, or its error as text: hosts print no other.
local function must(value, err, ...)
  if value == nil then error(tostring(err), 2) end
  return value, err, ...
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- Before nginx forks its workers: errors of the policy are errors of nginx's start.
function gateway.load(policy_file)
  policy = must(weir.policy(read_file(ngx.config.prefix() .. policy_file)))
  for index, secret in ipairs(must(policy:secrets())) do
    local value = secret.kind == "env" and os.getenv(secret.name) or read_file(secret.name)
    must(policy:set_secret(index, value))
  end
end

-- In each worker: an engine over the state that all of them share and that outlives them.
-- And a line of each request, for invoices, in a file that all of them append to.
function gateway.start(state_file, ledger_file)
  engine = must(weir.engine(policy, { state_file = ngx.config.prefix() .. state_file }))
  ledger = ledger_file and must(weir.ledger(ngx.config.prefix() .. ledger_file))
end

-- As the scraper asks for them.
function gateway.metrics()
  local text, kind = must(engine:metrics(ngx.var.http_accept))
  ngx.header.content_type = kind
  return text
end

-- ---- The request ----

local function each_value(headers, call)
  for name, values in pairs(headers) do
    for _, value in ipairs(type(values) == "table" and values or { values }) do
      call(name, value == true and "" or value)
    end
  end
end

local function request_body()
  ngx.req.read_body()
  local file = ngx.req.get_body_file()
  return file and read_file(file) or ngx.req.get_body_data() or ""
end

local function edits(txn)
  local index = 0
  return function()
    index = index + 1
    if index <= txn:header_count() then return must(txn:header(index)) end
  end
end

-- The client's headers, with what an earlier attempt made of them undone, and weir's edits.
local function set_request_headers(x)
  for name in pairs(ngx.req.get_headers(0, true)) do
    if x.headers[name] == nil then ngx.req.clear_header(name) end
  end
  for name, value in pairs(x.headers) do ngx.req.set_header(name, value) end
  for operation, name, value in edits(x.txn) do
    if operation == weir.HEADER_REMOVE then
      ngx.req.clear_header(name)
    else
      ngx.req.set_header(name, value)
    end
  end
end

local function set_answer_headers(txn)
  for operation, name, value in edits(txn) do
    if operation == weir.HEADER_ADD and ngx.header[name] then
      local values = ngx.header[name]
      values = type(values) == "table" and values or { values }
      values[#values + 1] = value
      ngx.header[name] = values
    else
      ngx.header[name] = operation ~= weir.HEADER_REMOVE and value or nil
    end
  end
end

local function reply(x, status, body)
  x.is_replied = true
  ngx.status = status
  set_answer_headers(x.txn)
  ngx.header.content_length = #body
  ngx.print(body)
  return ngx.exit(ngx.HTTP_OK)
end

-- An error of this gateway, not of a backend.
local function fail()
  ngx.status, ngx.header.content_type = ngx.HTTP_INTERNAL_SERVER_ERROR, "application/json"
  ngx.print('{"error":{"message":"the gateway failed","type":"gateway_error"}}')
  return ngx.exit(ngx.HTTP_OK)
end

local perform = {}

-- On to proxy_pass.
perform[weir.ACTION_FORWARD] = function(x)
  ngx.var.weir_url, ngx.var.weir_target = x.txn:url(), x.txn:target()
  set_request_headers(x)
  ngx.req.set_body_data(x.txn:body())
end

perform[weir.ACTION_REPLY] = function(x)
  return reply(x, x.txn:status(), x.txn:body())
end

perform[weir.ACTION_WAIT] = function(x)
  ngx.sleep(math.max(x.txn:deadline_in_ms() or 0, 0) / 1000)
  return gateway.perform(x)
end

-- An answer that nginx took for an error, and that weir wants to be relayed: its body is gone.
perform[weir.ACTION_CONTINUE] = function(x)
  local status = x.txn:status()
  x.txn:response_end()
  x.txn:next()
  ngx.header.content_type = "application/json"
  return reply(x, status, '{"error":{"message":"the backend answered ' .. status ..
    '","type":"upstream_error","param":null,"code":null}}')
end

function gateway.perform(x)
  return perform[must(x.txn:next())](x)
end

function gateway.request()
  local x = { txn = must(engine:txn(table.remove(ended))), headers = ngx.req.get_headers(0, true) }
  exchanges[ngx.var.weir_id] = x
  local txn = x.txn
  txn:request_head(ngx.req.get_method(), ngx.var.request_uri, ngx.var.remote_addr)
  each_value(x.headers, function(name, value) txn:request_header(name, value) end)
  if must(txn:next()) ~= weir.ACTION_CONTINUE then
    return perform[weir.ACTION_REPLY](x)
  end
  txn:request_body(request_body())
  txn:request_end()
  return gateway.perform(x)
end

-- ---- What became of it ----

-- What weir reads in a failed answer: how long to leave the backend alone.
local TOLD = { "content-type", "retry-after", "retry-after-ms", "x-ms-retry-after-ms" }
for _, what in ipairs { "requests", "tokens" } do
  TOLD[#TOLD + 1] = "x-ratelimit-remaining-" .. what
  TOLD[#TOLD + 1] = "x-ratelimit-reset-" .. what
end

-- nginx lists every attempt's value; the last one is meant.
local function of_last_attempt(values) return (values or ""):match("([^ ,:]+)%s*$") end

local function report_failure(txn)
  local status = tonumber(of_last_attempt(ngx.var.upstream_status))
  if of_last_attempt(ngx.var.upstream_header_time) ~= "-" then
    txn:response_head(status)
    for _, name in ipairs(TOLD) do
      local value = ngx.var["upstream_http_" .. name:gsub("-", "_")]
      if value then txn:response_header(name, value) end
    end
  elseif status == ngx.HTTP_GATEWAY_TIMEOUT then
    txn:response_failed(weir.FAILURE_TIMEOUT)
  elseif of_last_attempt(ngx.var.upstream_connect_time) == "-" then
    txn:response_failed(weir.FAILURE_CONNECT)
  else
    txn:response_failed(weir.FAILURE_RESET)
  end
end

function gateway.again()
  local x = exchanges[ngx.var.weir_id]
  if not x or not ngx.var.upstream_status then return fail() end
  report_failure(x.txn)
  return gateway.perform(x)
end

-- ---- The answer ----

function gateway.answer_head()
  local x = exchanges[ngx.var.weir_id]
  if not x or x.is_replied then return end
  local txn = x.txn
  txn:response_head(ngx.status)
  each_value(ngx.resp.get_headers(0, true), function(name, value)
    txn:response_header(name, value)
  end)
  local kind = must(txn:next())
  if kind == weir.ACTION_FORWARD then
    -- Another attempt, for a status that error_page does not name: nginx is past that.
    ngx.log(ngx.WARN, "weir: the policy retries ", ngx.status, ", nginx.conf does not")
    x.is_over = true
    return
  end
  ngx.status = txn:status()
  set_answer_headers(txn)
  ngx.header.content_length = nil -- weir may leave events out
  x.replacement = kind == weir.ACTION_REPLY and txn:body()
end

-- What to pass on of the bytes just fed.
local function relayed(txn, input)
  local kind = must(txn:next())
  if kind == weir.ACTION_FINISH or txn:relay() == weir.RELAY_VIEW then return txn:body(), kind end
  return txn:relay() == weir.RELAY_INPUT and input or "", kind
end

function gateway.answer_body()
  local x = exchanges[ngx.var.weir_id]
  if not x or x.is_replied or x.is_over then return end
  local input, is_end, output = ngx.arg[1], ngx.arg[2], ""
  local kind = weir.ACTION_CONTINUE
  if x.replacement then
    output, x.replacement, x.is_dropped = x.replacement, nil, true
  elseif input ~= "" and not x.is_dropped then
    x.txn:response_body(input)
    output, kind = relayed(x.txn, input)
  end
  if is_end and kind == weir.ACTION_CONTINUE and not x.is_dropped then
    local rest
    x.txn:response_end()
    rest, kind = relayed(x.txn, "")
    output = output .. rest
  end
  if kind == weir.ACTION_FINISH then x.is_dropped, ngx.arg[2] = true, true end
  if output ~= input then ngx.arg[1] = output end
end

function gateway.settle()
  local id = ngx.var.weir_id
  local x = exchanges[id]
  if not x then return end
  exchanges[id] = nil
  x.txn:client_left() -- settles what an ending left open
  ngx.var.weir = x.txn:explain()
  if ledger then must(ledger:append(x.txn)) end
  x.txn:free()
  ended[#ended + 1] = x.txn
end

return gateway
