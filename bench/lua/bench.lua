-- What the boundary costs from Lua, in the Lua that runs this: one call, and a whole transaction on
-- a prompt of 1 KiB (count, three limits, a pool of two, settle), beside an empty C call.
--
--   luajit bench.lua [--json]      lua5.4 bench.lua [--json]

local weir = require "weir"
local is_jit = rawget(_G, "jit") ~= nil

local POLICY = [[{
  "weir": 1,
  "models": { "gpt-4o": { "encoding": "o200k_base", "max_output": 16384,
                          "price": { "input": 2.5, "output": 10 } } },
  "backends": { "east": { "url": "http://east.test", "dialect": "openai" },
                "west": { "url": "http://west.test", "dialect": "openai" } },
  "pools": { "chat": { "members": [{ "backend": "east" }, { "backend": "west" }] } },
  "limits": {
    "tokens": { "key": "client.ip", "unit": "tokens", "amount": 1000000000000, "per": "1m" },
    "requests": { "key": "client.ip", "unit": "requests", "amount": 1000000000,
                  "per": "1m" },
    "money": { "key": "client.ip", "unit": "usd", "amount": 100000000, "per": "month" } },
  "routes": [{ "name": "chat", "match": { "path": "/v1/chat/completions" }, "pool": "chat",
               "auth": "none", "limits": ["tokens", "requests", "money"] }]
}]]

local SENTENCE = "The gate lets through what the stream below can carry, and no more. "
local BODY = '{"model":"gpt-4o","max_tokens":64,"messages":[{"role":"user","content":"' ..
  SENTENCE:rep(16):sub(1, 1024) .. '"}]}'
local ANSWER = '{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,' ..
  '"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant",' ..
  '"content":"It rains in the hills."},"finish_reason":"stop"}],' ..
  '"usage":{"prompt_tokens":232,"completion_tokens":6,"total_tokens":238}}'

local engine = assert(weir.engine(assert(weir.policy(POLICY)), { seed = 1 }))
local now = weir.now()
local txn

local function transaction()
  now:read()
  txn = engine:txn(txn)
  txn:request_head("POST", "/v1/chat/completions", "192.0.2.1")
  txn:request_header("content-type", "application/json")
  assert(txn:next(now) == weir.ACTION_CONTINUE)
  txn:request_body(BODY)
  txn:request_end()
  assert(txn:next(now) == weir.ACTION_FORWARD)
  txn:response_head(200)
  txn:response_header("content-type", "application/json")
  assert(txn:next(now) == weir.ACTION_CONTINUE)
  txn:response_body(ANSWER)
  assert(txn:next(now) == weir.ACTION_CONTINUE)
  txn:response_end()
  assert(txn:next(now) == weir.ACTION_DONE)
  txn:free()
end

local empty_call, empty_name
if is_jit then
  local ffi = require "ffi"
  ffi.cdef "int abs(int);"
  local abs = ffi.C.abs
  empty_call, empty_name = function() return abs(1) end, "libc's abs"
else
  local abs = math.abs
  empty_call, empty_name = function() return abs(1) end, "math.abs"
end

local function version_call() return weir.version_number() end
local open = assert(engine:txn())
local function view_call() return open:url() end

-- The median, in nanoseconds, of 11 repetitions of `count` calls.
local function measure(call, count)
  local times = {}
  for i = 1, 12 do
    local begin = os.clock()
    for _ = 1, count do call() end
    times[i] = (os.clock() - begin) / count * 1e9
  end
  table.remove(times, 1) -- the first one warms up
  table.sort(times)
  return times[6]
end

local MANY = is_jit and 5000000 or 1000000
transaction()
local results = {
  { name = "empty C call (" .. empty_name .. ")", ns = measure(empty_call, MANY) },
  { name = "weir.version_number", ns = measure(version_call, MANY) },
  { name = "txn:url, an empty view", ns = measure(view_call, MANY) },
  { name = "transaction, 1 KiB prompt", ns = measure(transaction, 10000) },
}

local runtime = is_jit and jit.version or _VERSION
if arg[1] == "--json" then
  local pieces = {}
  for i, result in ipairs(results) do
    pieces[i] = string.format('{"name":"%s","ns":%.1f}', result.name, result.ns)
  end
  print(string.format('{"runtime":"%s","weir":"%s","results":[%s]}', runtime, weir.version(),
    table.concat(pieces, ",")))
else
  print(runtime .. ", weir " .. weir.version())
  for _, result in ipairs(results) do
    print(string.format("%-42s %10.1f ns", result.name, result.ns))
  end
end
