-- LuaJIT: a transaction and a limit, begun and ended 100,000 times, leave nothing for the garbage
-- collector. It proves that all of it is compiled too: interpreted, each call leaves a pointer or
-- two.

package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local check = require "check"
local weir = require "weir"

local ROUNDS = os.getenv("WEIR_LONG") and 1000000 or 100000
local ALLOWED_KIB = 64 -- what the compiler itself may still put on the heap

local POLICY = [[{
  "weir": 1,
  "backends": { "a": { "url": "http://a.test", "dialect": "openai" } },
  "pools": { "p": { "members": [{ "backend": "a" }] } },
  "limits": { "l": { "key": "client.ip", "unit": "tokens", "amount": 1000000000000, "per": "1m" } },
  "routes": [{ "name": "r", "match": { "path": "/v1/chat/completions" }, "pool": "p",
               "auth": "none", "limits": ["l"] }]
}]]
local BODY = '{"model":"gpt-4o","max_tokens":8,"messages":[{"role":"user","content":"hello"}]}'
local ANSWER = '{"usage":{"prompt_tokens":8,"completion_tokens":1}}'

local engine = assert(weir.engine(assert(weir.policy(POLICY)), { seed = 1 }))
local limiter = assert(weir.limiter({ { name = "l", amount = 2 ^ 40, window_ms = 1000 } }))
local now = weir.now()
local charges, used = { { rule = 1, key = "k", cost = 4, headroom = 4 } }, { { cost = 5 } }
local txn, held

local function transaction()
  now:read()
  txn = engine:txn(txn)
  txn:request_head("POST", "/v1/chat/completions", "192.0.2.1")
  txn:request_header("content-type", "application/json")
  txn:next(now)
  txn:request_body(BODY)
  txn:request_end()
  assert(txn:next(now) == weir.ACTION_FORWARD and txn:body() == BODY and txn:attempt() == 1)
  txn:response_head(200)
  txn:next(now)
  txn:response_body(ANSWER)
  txn:next(now)
  assert(txn:relay() == weir.RELAY_INPUT)
  txn:response_end()
  assert(txn:next(now) == weir.ACTION_DONE)
  txn:free()
end

local function limit()
  held = limiter:reserve(charges, now, held)
  assert(held:admitted() and held:settle(used, now))
  held:free()
end

local function steady(name, round)
  for _ = 1, 5000 do round() end -- the compiler finds its traces
  collectgarbage()
  collectgarbage("stop")
  local before = collectgarbage("count")
  for _ = 1, ROUNDS do round() end
  local grown = collectgarbage("count") - before
  collectgarbage("restart")
  check.that(grown < ALLOWED_KIB, string.format("%s: %.0f KiB in %d rounds", name, grown, ROUNDS))
  print(string.format("%s: %.1f KiB in %d rounds", name, grown, ROUNDS))
end

steady("transaction", transaction)
steady("limit", limit)
check.done("steady_test")
