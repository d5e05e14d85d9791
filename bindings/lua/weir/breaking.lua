-- The circuit breaker for anything that answers with a status.

local ffi = require "ffi"
local native = require "weir.native"

local lib, fault, at, done = native.lib, native.fault, native.at, native.done
local handle = ffi.new("weir_breaker*[1]")
local outcome = native.sized("weir_outcome")

local module = {}
local breaker = {}

local function close_breaker(self)
  lib.weir_breaker_free(self.handle)
  self.handle = nil
end
breaker.free = close_breaker

-- ---- Permits ----

local permit = {}
function permit.allowed(self) return self.value.allowed ~= 0 end
function permit.is_probe(self) return self.value.is_probe ~= 0 end
function permit.state(self) return self.value.state end
function permit.retry_in_ms(self, now)
  return native.until_ms(self.value.retry_at_mono_ns, now)
end

local permit_type = native.class("struct { weir_permit value; }", nil, permit)

local function permit_of(call, self, circuit, now, used)
  local answer = used or permit_type()
  answer.value.size = ffi.sizeof("weir_permit")
  if done(call(self.handle, circuit, at(now), answer.value, fault)) then return answer end
  return native.last_fault()
end

-- Would a request pass now? Takes nothing.
function breaker.check(self, circuit, now, used)
  return permit_of(lib.weir_breaker_check, self, circuit, now, used)
end

-- Takes the right to send one; to be ended by record or cancel. `used`, an ended permit, is used
-- again: then nothing is allocated.
function breaker.acquire(self, circuit, now, used)
  return permit_of(lib.weir_breaker_acquire, self, circuit, now, used)
end

-- ---- Outcomes ----

local report = native.sized("weir_breaker_report")

-- What became of a request: its status (0: none), how it failed (weir.OUTCOME_…; nil: answered) and
-- for how long the backend asked (nil: it did not). What it did: "tripped", "reset" or nothing.
function breaker.record(self, given, status, failure, retry_after_ms, now)
  outcome.status, outcome.failure = status, failure or 0
  outcome.has_asked = retry_after_ms and 1 or 0
  outcome.retry_after_ns = native.ns_of(retry_after_ms or 0)
  local result = lib.weir_breaker_record(self.handle, given.value, outcome, at(now), report, fault)
  if result ~= 0 then return native.last_fault() end
  return report.tripped ~= 0 and "tripped" or report.reset ~= 0 and "reset" or "counted"
end

function breaker.cancel(self, given, now)
  return done(lib.weir_breaker_cancel(self.handle, given.value, at(now), fault))
end

-- ---- Breaker ----

-- The circuit of a key under the rule set of this index, from 1; once for each key.
function breaker.find(self, key, rule_set, now)
  local circuit = native.sized("weir_circuit")
  local status = lib.weir_breaker_find(self.handle, (rule_set or 1) - 1, key, #key, at(now),
    circuit, fault)
  if status ~= 0 then return native.last_fault() end
  return circuit
end

function breaker.snapshot(self, now)
  local instant = at(now)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_breaker_snapshot_json(self.handle, instant, buffer, capacity, needed, fault)
  end)
end

function breaker.changes(self, since)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_breaker_changes_json(self.handle, since or 0, buffer, capacity, needed, fault)
  end)
end

local breaker_type = native.class("struct { weir_breaker* handle; }", nil, breaker, close_breaker)

-- A rule's statuses are numbers or pairs { first, last }.
local function ranges_of(statuses)
  local ranges = ffi.new("weir_status_range[?]", math.max(#statuses, 1))
  for i, status in ipairs(statuses) do
    local pair = type(status) == "table"
    ranges[i - 1].first = pair and status[1] or status
    ranges[i - 1].last = pair and status[2] or status
  end
  return ranges
end

local function rules_of(rules, kept)
  local list = native.array("weir_breaker_rule", #rules)
  for i, rule in ipairs(rules) do
    local statuses = rule.statuses or {}
    local ranges = ranges_of(statuses)
    native.fill("weir_breaker_rule", list[i - 1], rule, { statuses = true })
    list[i - 1].statuses, list[i - 1].status_count = ranges, #statuses
    kept[#kept + 1] = ranges
  end
  kept[#kept + 1] = list
  return list
end

function module.breaker(rule_sets, options)
  local kept = {} -- what the structs point to, until weir has read it
  local sets = native.array("weir_breaker_rule_set", #rule_sets)
  for i, set in ipairs(rule_sets) do
    local rules = set.rules or {}
    native.fill("weir_breaker_rule_set", sets[i - 1], set, { rules = true })
    sets[i - 1].rules, sets[i - 1].rule_count = rules_of(rules, kept), #rules
  end
  local given = native.options("weir_breaker_options", options, { state = true })
  if given.seed == 0 then given.seed = native.entropy() end
  local state = options and options.state and options.state.handle or nil
  local status = lib.weir_breaker_new(state, sets, #rule_sets, given, handle, fault)
  kept[1] = nil
  if status ~= 0 then return native.last_fault() end
  return breaker_type(handle[0])
end

-- How long a failed answer's headers ask to be left alone, in milliseconds; nil: they do not.
-- `headers` is { retry_after = …, retry_after_ms = …, … } as in weir_retry_headers.
function module.retry_after(headers, cap_ms, now)
  local given = native.options("weir_retry_headers", headers)
  local ns = ffi.new("int64_t[1]")
  local status = lib.weir_retry_after(given, at(now), native.ns_of(cap_ms), ns, fault)
  if status ~= 0 then return native.last_fault() end
  return ns[0] >= 0 and tonumber(ns[0]) / 1e6 or nil
end

return module
