-- The module `weir` of the Lua that runs this: every function of it, errors, lifetimes, reloading.

package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local check = require "check"
local weir = require "weir"

local NOW = weir.now(1000000, 1767225600000)
local function later(ms) return weir.now(1000000 + ms, 1767225600000 + ms) end

local POLICY = [[{
  "weir": 1, "pepper": { "env": "PEPPER" },
  "credentials": { "key": { "header": "authorization", "value": { "env": "EAST" } } },
  "backends": { "east": { "url": "http://east.test:8000", "dialect": "openai",
                          "credential": "key", "timeout": "30s" } },
  "pools": { "p": { "members": [{ "backend": "east" }] } },
  "limits": { "tokens": { "key": "client.ip", "unit": "requests", "amount": 2, "per": "1m" } },
  "routes": [{ "name": "r", "match": { "path": "/v1/chat/completions" }, "pool": "p",
               "auth": "none", "limits": ["tokens"] }]
}]]
local BODY = '{"model":"gpt-4o","max_tokens":8,"messages":[{"role":"user","content":"hi"}]}'

local function new_engine(text)
  local policy = check.that(weir.policy(text or POLICY))
  for index, secret in ipairs(policy:secrets()) do
    check.equal(secret.kind, "env", "kind")
    check.that(policy:set_secret(index, "Bearer " .. secret.name))
  end
  return check.that(weir.engine(policy, { seed = 7, max_counters = 64 })), policy
end

local function begin(engine, ended)
  local txn = check.that(engine:txn(ended))
  check.that(txn:request_head("POST", "/v1/chat/completions", "192.0.2.1"))
  check.that(txn:request_header("content-type", "application/json"))
  check.that(txn:attribute("team", "red"))
  check.equal(txn:next(NOW), weir.ACTION_CONTINUE)
  check.that(txn:request_body(BODY))
  check.that(txn:request_end())
  return txn, txn:next(NOW)
end

local tests = {}

function tests.policies()
  local err = check.fails(weir.INVALID_ARGUMENT, weir.policy('{\n "weir": 1,\n ]'))
  check.equal(err.line, 3, "line")
  check.that(err.column > 0 and err.offset > 0)
  check.that(weir.check('{"weir": 1}'):find("backends", 1, true))
  check.equal(weir.check(POLICY), "", "faults of a sound document")
  check.that(weir.warnings(POLICY):find("pepper", 1, true), "what a document says in vain")
  check.that(weir.key_hash("pepper", "key"):find("^sha256:%x+$"))
  local policy = weir.policy(POLICY)
  local secrets = policy:secrets()
  check.equal(#secrets, 2, "secrets")
  check.fails(weir.FAILED_PRECONDITION, weir.engine(policy))
  check.fails(weir.OUT_OF_RANGE, policy:set_secret(9, "x"))
  policy:free()
  policy:free()
  check.fails(weir.INVALID_ARGUMENT, weir.engine(policy))
end

function tests.transactions()
  local engine, policy = new_engine()
  local txn, kind = begin(engine)
  check.equal(kind, weir.ACTION_FORWARD)
  check.equal(txn:url(), "http://east.test:8000")
  check.equal(txn:target(), "/v1/chat/completions")
  check.that(txn:body():find('"content":"hi"', 1, true))
  check.equal(txn:attempt(), 1)
  check.equal(txn:parallel(), false)
  check.equal(txn:deadline_in_ms(NOW), 30000)
  check.equal(txn:wake_in_ms(NOW), nil)
  local edits = {}
  for index = 1, txn:header_count() do
    local operation, name, value = txn:header(index)
    check.that(operation >= weir.HEADER_SET and operation <= weir.HEADER_ADD)
    edits[name:lower()] = value
  end
  check.equal(edits.authorization, "Bearer EAST")
  check.fails(weir.OUT_OF_RANGE, txn:header(99))
  check.fails(weir.FAILED_PRECONDITION, txn:next(NOW))
  check.that(txn:response_head(200))
  check.that(txn:response_header("content-type", "application/json"))
  check.equal(txn:next(NOW), weir.ACTION_CONTINUE)
  check.equal(txn:status(), 200)
  check.that(txn:response_body('{"usage":{"prompt_tokens":8,"completion_tokens":1}}'))
  check.equal(txn:next(NOW), weir.ACTION_CONTINUE)
  check.equal(txn:relay(), weir.RELAY_INPUT)
  check.that(txn:response_end())
  check.equal(txn:next(NOW), weir.ACTION_DONE)
  check.that(txn:explain():find('"route":"r"', 1, true))
  check.fails(weir.FAILED_PRECONDITION, txn:call_result(1, 200, ""))
  check.fails(weir.FAILED_PRECONDITION, txn:call_vector(1, { 1, 2 }))
  check.fails(weir.FAILED_PRECONDITION, txn:response_from(3))
  check.equal(txn:call_id(), 0)

  local second, second_kind = begin(engine, txn)
  check.equal(second, txn, "the transaction that is used again")
  check.equal(second_kind, weir.ACTION_FORWARD)
  check.that(second:response_failed(weir.FAILURE_RESET))
  check.equal(second:next(NOW), weir.ACTION_REPLY)
  check.equal(second:status(), 502)
  local refused, refused_kind = begin(engine)
  check.equal(refused_kind, weir.ACTION_REPLY)
  check.equal(refused:status(), 429)
  check.that(engine:override_limit("tokens", nil, 100, 60000, NOW))
  check.fails(weir.NOT_FOUND, engine:override_limit("nothing", "k", 1, 1, NOW))
  for _, which in ipairs { { partition = "red" }, { model = "m" }, { entry = "1" }, false } do
    check.fails(weir.NOT_FOUND, engine:purge_cache("nothing", which or nil))
  end
  local admitted, admitted_kind = begin(engine)
  check.equal(admitted_kind, weir.ACTION_FORWARD)
  check.that(admitted:client_left(NOW))
  check.that(engine:status(NOW):find('"east"', 1, true))
  check.that(engine:changes():find('"changes"', 1, true))
  local text, kind = engine:metrics()
  check.equal(type(text), "string")
  check.that(kind:find("text/plain", 1, true))
  text, kind = engine:metrics("application/openmetrics-text")
  check.that(text:find("# EOF\n$"))
  check.that(kind:find("application/openmetrics-text", 1, true))
  check.that(engine:reload(policy))
end

-- A transaction that has ended well.
local function ended_one(engine)
  local txn = begin(engine)
  check.that(txn:response_head(200))
  check.that(txn:response_header("content-type", "application/json"))
  check.equal(txn:next(NOW), weir.ACTION_CONTINUE)
  check.that(txn:response_body('{"usage":{"prompt_tokens":8,"completion_tokens":3}}'))
  check.equal(txn:next(NOW), weir.ACTION_CONTINUE)
  check.that(txn:response_end())
  check.equal(txn:next(NOW), weir.ACTION_DONE)
  return txn
end

function tests.ledgers()
  local path = os.tmpname()
  local engine = new_engine(POLICY:gsub('"amount": 2', '"amount": 3'))
  local ledger = check.that(weir.ledger(path, { on_full = weir.LEDGER_REFUSE }, NOW))
  for _ = 1, 3 do
    local txn = ended_one(engine)
    check.equal(ledger:append(txn, NOW), weir.LEDGER_WRITTEN)
    check.fails(weir.FAILED_PRECONDITION, ledger:append(txn, NOW))
    txn:free()
    check.fails(weir.INVALID_ARGUMENT, ledger:append(txn, NOW))
  end
  local refused = begin(engine)
  local line = check.that(refused:ledger_line())
  check.equal(refused:ledger_line(), line)
  check.equal(ledger:append_line(line, NOW), weir.LEDGER_WRITTEN)
  check.fails(weir.INVALID_ARGUMENT, ledger:append_line("no line", NOW))
  check.equal(ledger:accepts(NOW), true)
  check.that(ledger:flush(false, NOW))
  check.that(ledger:flush(true, NOW))
  local status = ledger:status()
  check.equal(status.written_lines, 4)
  check.equal(status.dropped_lines, 0)
  local ids = {}
  for text in io.lines(path) do
    local code = text:match('"status":(%d+)')
    local verdict, micro_usd = weir.recompute(text)
    if code == "200" then -- 8 and 3 tokens at the public 2.50 and 10 USD a million
      check.equal(verdict, weir.LEDGER_COST_AGREES)
      check.equal(micro_usd, 50)
      local other = text:gsub('"micro_usd":50', '"micro_usd":51')
      check.equal(weir.recompute(other), weir.LEDGER_COST_DIFFERS)
    else
      check.equal(code, "429")
      check.equal(verdict, weir.LEDGER_COST_UNKNOWN)
    end
    ids[text:match('"id":"(%x+)"')] = true
  end
  local count = 0
  for _ in pairs(ids) do count = count + 1 end
  check.equal(count, 4)
  local kept = check.that(io.open(path)):read("a")
  local spans, poison = weir.otlp(weir.OTLP_SPANS, kept .. "{}\n", "gateway")
  check.equal(poison, 1)
  check.equal(select(2, spans:gsub('"spanId"', "")), 4)
  check.that(spans:find('"stringValue":"gateway"', 1, true))
  local records = check.that(weir.otlp(weir.OTLP_LOG_RECORDS, kept))
  check.that(records:find('"logRecords"', 1, true))
  check.fails(weir.INVALID_ARGUMENT, weir.otlp(7, kept))
  ledger:free()
  ledger:free()
  check.fails(weir.INVALID_ARGUMENT, ledger:append(refused, NOW))
  check.fails(weir.INVALID_ARGUMENT, ledger:accepts(NOW))
  check.fails(weir.INVALID_ARGUMENT, ledger:status())
  check.fails(weir.INVALID_ARGUMENT, weir.recompute("{}"))
  check.fails(weir.NOT_FOUND, weir.ledger(path .. "/no/such"))
  check.fails(weir.INVALID_ARGUMENT, weir.ledger(path, { spool_bytes = 1 }))
  check.that(check.raises(weir.ledger, path, { rotat_ms = 1 }):find("rotat_ms", 1, true))
  check.fails(weir.FAILED_PRECONDITION, check.that(engine:txn()):ledger_line())
  os.remove(path)
end

function tests.exports()
  local text = POLICY:gsub('"amount": 2', '"amount": 3')
  local policy = check.that(weir.policy(text))
  for index in ipairs(policy:secrets()) do check.that(policy:set_secret(index, "x")) end
  local engine = check.that(weir.engine(policy, { state_bytes = 67108864 }))
  local txn = ended_one(engine)
  check.that(txn:add_overhead(20000))
  check.that(txn:add_overhead(30000))
  check.fails(weir.INVALID_ARGUMENT, txn:add_overhead(-1))
  txn:free()
  check.that(engine:metrics():find('weir_overhead_seconds_sum{stage="total"} 0.00005', 1, true))
  local asked = { format = weir.EXPORT_OTLP_DELTA, service_name = "the-gateway" }
  local batch, number = engine:export_metrics(asked, NOW)
  check.that(batch:find('"the-gateway"', 1, true))
  local again, same = engine:export_metrics(asked, later(1000))
  check.equal(again, batch)
  check.equal(same, number)
  check.that(engine:acknowledge_metrics(weir.EXPORT_OTLP_DELTA, number))
  check.fails(weir.FAILED_PRECONDITION, engine:acknowledge_metrics(weir.EXPORT_OTLP_DELTA, number))
  local track = engine:export_metrics({ format = weir.EXPORT_TRACK,
    instrumentation_key = "the-key", metric_namespace = "the-space" }, NOW)
  check.that(track:find('"the-key"', 1, true) and track:find('"the-space"', 1, true))
  batch, number = engine:export_metrics({ format = weir.EXPORT_OTLP_CUMULATIVE }, NOW)
  check.that(#batch > 100)
  check.equal(number, 0)
  check.fails(weir.INVALID_ARGUMENT, engine:export_metrics({ format = 99 }, NOW))
  check.raises(engine.export_metrics, engine, { fromat = 1 })
end

function tests.closed_handles_are_answered()
  local engine = new_engine()
  local txn = begin(engine)
  txn:free()
  txn:free()
  check.fails(weir.INVALID_ARGUMENT, txn:next(NOW))
  check.fails(weir.INVALID_ARGUMENT, txn:request_body("x"))
  check.fails(weir.INVALID_ARGUMENT, txn:body())
  engine:free()
  check.fails(weir.INVALID_ARGUMENT, engine:txn())
  check.fails(weir.INVALID_ARGUMENT, engine:metrics())
end

function tests.mistakes_are_raised()
  local engine, policy = new_engine()
  check.that(check.raises(weir.engine, policy, { sede = 1 }):find("sede", 1, true))
  check.raises(weir.limiter, { { name = "a", amont = 1 } })
  check.raises(weir.stream_meter, { dialekt = 1 })
  check.raises(weir.policy, nil)
  check.raises(engine.txn, 5)
  local txn = engine:txn()
  check.raises(txn.request_head, txn, "POST")
  check.raises(txn.request_body, txn, nil)
end

function tests.limiter()
  local rules = {
    { name = "tpm", amount = 10, window_ms = 60000 },
    { name = "day", algorithm = weir.LIMIT_CALENDAR, period = weir.PERIOD_DAY, amount = 100,
      time_zone = "Europe/Berlin" },
    { name = "busy", algorithm = weir.LIMIT_CONCURRENCY, amount = 1 },
  }
  local limiter = check.that(weir.limiter(rules, { seed = 3 }))
  local charges = {
    { rule = 1, key = "k", cost = 4, headroom = 3 },
    { rule = 2, key = "k", cost = 4 },
  }
  local held = check.that(limiter:reserve(charges, NOW))
  check.that(held:admitted())
  check.equal(held:verdict(1).reserved, 7)
  check.equal(held:verdict(2).remaining, 96)
  check.equal(held:verdict(3), nil)
  check.equal(held:binding(), nil)
  check.equal(held:table_full(), false)
  check.equal(held:top_up({ 3 }, NOW), true)
  check.equal(held:top_up({ 1 }, NOW), false)
  check.that(held:settle({ { cost = 6, headroom_used = 2 }, { cost = 6 } }, NOW))
  check.equal(limiter:peek({ rule = 1, key = "k" }, NOW).used_before, 6)
  local refused = check.that(limiter:reserve({ { rule = 1, key = "k", cost = 5 } }, NOW, held))
  check.equal(refused, held, "the reservation that is used again")
  check.equal(refused:admitted(), false)
  check.equal(refused:binding(), 1)
  check.that(refused:retry_after_ms() > 0 and refused:retry_after_ms() < math.huge)
  local never = limiter:take({ { rule = 1, key = "k", cost = 11 } }, NOW)
  check.equal(never:retry_after_ms(), math.huge)
  check.that(limiter:take({ { rule = 1, key = "k", cost = 1, amount = 8 } }, NOW):admitted())
  check.that(limiter:book({ rule = 1, key = "b", cost = 3 }, NOW))
  check.that(limiter:override(1, "b", 3, 1000, NOW))
  check.equal(limiter:take({ { rule = 1, key = "b", cost = 1 } }, NOW):admitted(), false)
  local place = limiter:reserve({ { rule = 3, key = "x", cost = 1 } }, NOW)
  check.equal(limiter:reserve({ { rule = 3, key = "x", cost = 1 } }, NOW):admitted(), false)
  check.that(place:release(NOW))
  check.equal(limiter:reserve({ { rule = 3, key = "x", cost = 1 } }, NOW):admitted(), true)
  check.equal(#limiter:restarted(), 0)
  check.fails(weir.INVALID_ARGUMENT, limiter:take({ { rule = 9, key = "" } }, NOW))
  check.fails(weir.INVALID_ARGUMENT, weir.limiter { { name = "a", amount = 0, window_ms = 1000 } })
  check.fails(weir.NOT_FOUND, weir.state("/no/such/folder/state"))
end

function tests.shared_state()
  local path = os.tmpname()
  os.remove(path)
  local rules = { { name = "tpm", amount = 10, window_ms = 60000 } }
  local state = check.that(weir.state(path, { bytes = 2 ^ 20 }))
  local first = check.that(weir.limiter(rules, { state = state, max_counters = 100 }))
  local second = check.that(weir.limiter(rules, { state = check.that(weir.state(path)) }))
  check.that(first:take({ { rule = 1, key = "k", cost = 7 } }):admitted())
  check.equal(second:take({ { rule = 1, key = "k", cost = 7 } }):admitted(), false)
  check.that(weir.state_report(path, 3):find('"counters":1', 1, true))
  state:free()
  check.that(first:take({ { rule = 1, key = "k", cost = 1 } }):admitted())
  os.remove(path)
end

function tests.breaker()
  local rule = { name = "throttled", statuses = { 429, { 500, 599 } }, count = 1,
                 interval_ms = 10000, trip_ms = 5000, failures = weir.BREAKER_ON_RESET }
  local breaker = check.that(weir.breaker({ { rules = { rule }, probes = 1 }, {} }, { seed = 1 }))
  local circuit = check.that(breaker:find("east", 1, NOW))
  check.that(breaker:find("calm", 2, NOW))
  check.fails(weir.INVALID_ARGUMENT, breaker:find("east", 3, NOW))
  local permit = breaker:acquire(circuit, NOW)
  check.that(permit:allowed() and not permit:is_probe())
  check.equal(breaker:record(permit, 200, nil, nil, NOW), "counted")
  check.equal(breaker:record(breaker:acquire(circuit, NOW, permit), 429, nil, 1500, NOW), "tripped")
  local refused = breaker:check(circuit, NOW)
  check.equal(refused:allowed(), false)
  check.equal(refused:state(), weir.BREAKER_OPEN)
  check.equal(refused:retry_in_ms(NOW), 1500)
  local probe = breaker:acquire(circuit, later(1500))
  check.that(probe:is_probe())
  check.that(breaker:cancel(probe, later(1500)))
  probe = breaker:acquire(circuit, later(1500))
  check.equal(breaker:record(probe, 200, weir.OUTCOME_ANSWERED, nil, later(1600)), "reset")
  check.that(breaker:snapshot(NOW):find('"east"', 1, true))
  check.that(breaker:changes(0):find('"tripped"', 1, true))
  check.equal(weir.retry_after({ retry_after_ms = "250" }, 60000, NOW), 250)
  check.equal(weir.retry_after({ retry_after = "nonsense" }, 60000, NOW), nil)
end

local function direction(cosine)
  return { cosine, math.sqrt(1 - cosine * cosine), 0, 0, 0, 0, 0, 0 }
end

function tests.cache()
  local cache = check.that(weir.cache("faq", { dimensions = 8, max_entries = 100, seed = 1 }))
  local entry = check.that(cache:insert({ partition = "red", key = "one", value = "an\0swer",
    vector = direction(1), ttl_ms = 1000, model = 3, scope = 4 }, NOW))
  local value, answer = cache:lookup({ partition = "red", key = "one" }, later(10))
  check.equal(value, "an\0swer")
  check.equal(answer.found, weir.CACHE_EXACT)
  check.equal(answer.age_ms, 10)
  check.equal(answer.entry, entry)
  local asked = { partition = "red", key = "two", vector = direction(0.97), min_similarity = 0.9 }
  value, answer = cache:lookup(asked, NOW)
  check.equal(value, "an\0swer")
  check.equal(answer.found, weir.CACHE_SEMANTIC)
  check.that(math.abs(answer.similarity - 0.97) < 0.02)
  asked.is_tentative, asked.exclude = 1, { answer.entry }
  local none, why = cache:lookup(asked, NOW)
  check.equal(none, nil)
  check.that(cache:confirm(why, false))
  check.that(cache:confirm(answer, false))
  check.that(cache:stats():find('"refused":1', 1, true), cache:stats())
  check.raises(cache.lookup, cache, { exclude = { 1, 2, 3, 4, 5 } })
  asked.is_tentative, asked.exclude = nil, nil
  asked.vector = direction(0.5)
  value, answer = cache:lookup(asked, NOW)
  check.equal(value, nil)
  check.equal(answer.miss, "below_threshold")
  asked.vector = { 1 }
  value, answer = cache:lookup(asked, NOW)
  check.equal(answer.miss, "wrong_dimension")
  check.equal(cache:lookup({ partition = "blue", key = "one" }, NOW), nil)
  check.equal(cache:lookup({ partition = "red", key = "one" }, later(1000)), nil)
  check.equal(cache:touch(entry, 5000, NOW), true)
  check.equal(cache:lookup({ partition = "red", key = "one" }, later(1000)), "an\0swer")
  check.equal(cache:remove(entry), true)
  check.equal(cache:remove(entry), false)
  check.equal(cache:touch(entry), false)
  local large = ("x"):rep(10000)
  for _, which in ipairs { { partition = "p" }, { model = 3 }, { scope = 4 }, false } do
    check.that(cache:insert({ partition = "p", key = "k", value = large, model = 3, scope = 4 }))
    check.equal(cache:lookup { partition = "p", key = "k" }, large)
    check.equal(cache:purge(which or nil), 1)
  end
  check.that(cache:stats():find('"exact_hits":6,"semantic_hits":1', 1, true), cache:stats())
  asked.min_similarity = 2
  check.fails(weir.INVALID_ARGUMENT, cache:lookup(asked, NOW))
  check.fails(weir.INVALID_ARGUMENT, cache:insert { vector = { 1 } })
  check.fails(weir.INVALID_ARGUMENT, weir.cache("faq", { dimensions = 3 }))
  check.raises(cache.lookup, cache, { kye = "one" })
  cache:free()
  cache:free()
  check.fails(weir.INVALID_ARGUMENT, cache:lookup { key = "one" })
end

function tests.cache_of_a_state()
  local state = check.that(weir.state("", { bytes = 33554432 }))
  local cache = check.that(weir.cache("faq", { state = state }))
  check.that(cache:insert { key = "k", value = "v" })
  local again = check.that(weir.cache("faq", { state = state }))
  check.equal(again:lookup { key = "k" }, "v")
  check.fails(weir.FAILED_PRECONDITION, weir.cache("faq", { state = state, dimensions = 8 }))
end

function tests.meaning()
  local on, off = "How do I enable the beta API?", "How do I disable the beta API?"
  check.equal(weir.compare_meaning(on, on), true)
  local allowed, guard, asked, stored = weir.compare_meaning(on, off)
  check.equal(allowed, false)
  check.equal(guard, "opposites")
  check.equal(asked, "enable")
  check.equal(stored, "disable")
  check.equal(weir.compare_meaning(on, off, 2 ^ weir.GUARD_NUMBERS), true)
  check.fails(weir.INVALID_ARGUMENT, weir.compare_meaning(on, off, 4096))
  local vector, other, cosine = weir.lexical_embed(on), weir.lexical_embed(off, 512), 0
  for i = 1, 512 do cosine = cosine + vector[i] * other[i] end
  check.that(cosine > 0.5 and cosine < 0.99, cosine)
  check.fails(weir.NOT_FOUND, weir.lexical_embed("?!"))
  check.fails(weir.INVALID_ARGUMENT, weir.lexical_embed("a", 10))
end

function tests.balancer()
  local members = { { name = "ptu", priority = 1 }, { name = "payg", priority = 2, weight = 2 } }
  local balancer = check.that(weir.balancer("pool", members, { seed = 1, id_seed = 9 }))
  check.equal(balancer:pick(nil, NOW), 1)
  check.that(balancer:unused(1))
  check.equal(balancer:pick({ refused = { 1 } }, NOW), 2)
  check.equal(balancer:pick({ prefer = 2, sticky = true, start = true }, NOW), 2)
  check.that(balancer:first_token(2, 120, NOW))
  check.that(balancer:finished(2, false, NOW))
  check.that(balancer:started(1, NOW) and balancer:finished(1, true, NOW))
  check.that(balancer:rest(1, 500, weir.REST_THROTTLED, NOW))
  check.that(balancer:rest(2, math.huge, weir.REST_OUT_OF_CAPACITY, NOW))
  local none, returns_in_ms = balancer:pick({ key = "k" }, NOW)
  check.equal(none, nil)
  check.equal(returns_in_ms, 500)
  check.that(balancer:wake(2, NOW))
  check.equal(balancer:pick(nil, NOW), 2)
  check.equal(balancer:find_member(balancer:member_id(1)), 1)
  check.fails(weir.NOT_FOUND, balancer:find_member("nonsense"))
  check.fails(weir.NOT_FOUND, balancer:find_member("0000000000000001"))
  check.fails(weir.INVALID_ARGUMENT, balancer:started(3, NOW))
  check.that(balancer:report(NOW):find('"payg"', 1, true))
end

function tests.counting()
  check.equal(weir.count_tokens("gpt-4o", "hello world"), 2)
  check.fails(weir.NOT_FOUND, weir.count_tokens("no-such-model", "x"))
  check.equal(weir.encoding_for_model("gpt-4o-2024-08-06"), "o200k_base")
  check.that(#weir.encodings() >= 1)
  weir.set_piece_cache(true)
  local tokenizer = check.that(weir.tokenizer("o200k_base"))
  check.equal(tokenizer:name(), "o200k_base")
  local text = ("Grüße aus Köln! "):rep(500)
  local ids = tokenizer:encode(text)
  check.equal(#ids, tokenizer:count(text))
  check.equal(tokenizer:decode(ids), text)
  check.that(tokenizer:count_up_to(text, 10) > 10)
  check.that(#tokenizer:encode("<|endoftext|>", true) < #tokenizer:encode("<|endoftext|>"))
  check.equal(tokenizer:decode {}, "")
  check.equal(tokenizer:split("one two three", 2), #"one two")
  local counter = weir.token_counter(tokenizer)
  for i = 1, #text do counter:append(text:sub(i, i)) end
  check.equal(counter:total(), #ids)
  check.equal(weir.count_request(BODY).prompt_tokens, 8)
  check.equal(weir.count_request(BODY, { tokenizer = tokenizer }).dialect, weir.DIALECT_OPENAI)
  check.fails(weir.INVALID_ARGUMENT, weir.count_request("[]"))
  check.that(weir.count_request_json(BODY):find('"prompt_tokens":8', 1, true))
end

function tests.stream_meter()
  local tokenizer = weir.tokenizer("o200k_base")
  local meter = check.that(weir.stream_meter { tokenizer = tokenizer, strip_usage = true })
  check.that(meter:feed('data: {"choices":[{"index":0,"delta":{"content":"hello world"}}]}\n\n'))
  check.that(meter:relay():find("hello world", 1, true))
  check.that(meter:feed('data: {"choices":[],"usage":{"prompt_tokens":3,' ..
    '"completion_tokens":2}}\n\n'))
  check.equal(meter:relay(), "")
  check.that(meter:feed("data: [DONE]\n\n") and meter:finish())
  local usage = meter:usage()
  check.equal(usage.completion_tokens, 2)
  check.equal(usage.stated_prompt, 3)
  check.equal(usage.provenance, weir.PROVENANCE_PROVIDER)
  check.fails(weir.FAILED_PRECONDITION, meter:feed("x"))
  check.that(weir.stream_meter():client_left())
end

-- A rank file (base64 and rank on each line) in which every byte is a token.
local function byte_ranks()
  local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  local lines = {}
  for byte = 0, 255 do
    local high, low = math.floor(byte / 4) + 1, byte % 4 * 16 + 1
    lines[byte + 1] = digits:sub(high, high) .. digits:sub(low, low) .. "== " .. byte .. "\n"
  end
  return table.concat(lines)
end

-- What a handle needs outlives it, in whatever order they are freed or collected.
function tests.lifetimes()
  local loaded = check.that(weir.load_tokenizer("bytes", byte_ranks(), "cl100k_base"))
  check.equal(loaded:count("abc"), 3)
  local counter = weir.token_counter(loaded)
  local meter = weir.stream_meter { tokenizer = loaded }
  loaded:free()
  check.that(counter:append("abc"))
  check.equal(counter:total(), 3)
  counter:free()
  meter:free()
  for round = 1, 200 do
    local limiter = weir.limiter { { name = "a", amount = 10, window_ms = 1000 } }
    local held = limiter:reserve({ { rule = 1, key = "k", cost = 1 } }, NOW)
    if round % 2 == 0 then limiter:free() end
    check.that(held:settle({ { cost = 1 } }, NOW))
  end
  collectgarbage()
  collectgarbage()
end

-- Hot code reload: the module is loaded anew while things of the old one are in use.
function tests.reloading_the_module()
  local engine = new_engine()
  for _ = 1, os.getenv("WEIR_LONG") and 5000 or 200 do
    for name in pairs(package.loaded) do
      if name == "weir" or name:find("^weir%.") then package.loaded[name] = nil end
    end
    check.equal(require("weir").count_tokens("gpt-4o", "hello world"), 2)
  end
  local _, kind = begin(engine)
  check.equal(kind, weir.ACTION_FORWARD)
end

-- Several transactions in turn, as coroutines of one state have them.
function tests.coroutines()
  local engine = new_engine(POLICY:gsub('"amount": 2', '"amount": 1000'))
  local done = 0
  local function exchange()
    local txn, kind = begin(engine)
    coroutine.yield()
    check.equal(kind, weir.ACTION_FORWARD)
    txn:response_head(200)
    coroutine.yield()
    check.equal(txn:next(NOW), weir.ACTION_CONTINUE)
    coroutine.yield()
    check.that(txn:response_end())
    check.equal(txn:next(NOW), weir.ACTION_DONE)
    done = done + 1
  end
  local running = {}
  for i = 1, 20 do running[i] = coroutine.create(exchange) end
  for _ = 1, 4 do
    for i = 1, 20 do check.that(coroutine.resume(running[i])) end
  end
  check.equal(done, 20)
end

function tests.clocks()
  local before = weir.now()
  local now = weir.now()
  check.that(now:mono_ms() >= before:mono_ms() and now:unix_ms() > 1.6e12)
  check.equal(now:set(5, 6.5):mono_ms(), 5)
  check.equal(now:unix_ms(), 6.5)
  check.that(now:read():mono_ms() >= before:mono_ms())
  check.that(weir.version():find("^%d+%.%d+%.%d+$"))
  local major, minor, patch = weir.version():match("(%d+)%.(%d+)%.(%d+)")
  check.equal(weir.version_number(), major * 1000000 + minor * 1000 + patch)
  check.equal(weir.VERSION_MAJOR, tonumber(major))
end

local names = {}
for name in pairs(tests) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  local good, problem = xpcall(tests[name], debug.traceback)
  if not good then
    io.stderr:write(name, ": ", problem, "\n")
    os.exit(1)
  end
end
check.done("module_test")
