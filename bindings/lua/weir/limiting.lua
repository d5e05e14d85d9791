-- The limiter for anything, and the state that processes share.

local ffi = require "ffi"
local native = require "weir.native"

local lib, fault, at, done = native.lib, native.fault, native.at, native.done
local handles = {
  state = ffi.new("weir_state*[1]"),
  limiter = ffi.new("weir_limiter*[1]"),
  reservation = ffi.new("weir_reservation*[1]"),
}

local module = {}

-- ---- State ----

local function close_state(self)
  lib.weir_state_free(self.handle)
  self.handle = nil
end

local state_type = native.class("struct { weir_state* handle; }", nil, { free = close_state },
  close_state)

-- The file of this path, made if there is none; an empty path is private memory.
function module.state(path, options)
  path = path or ""
  local given = native.options("weir_state_options", options)
  if given.seed == 0 then given.seed = native.entropy() end
  local status = lib.weir_state_open(path, #path, given, handles.state, fault)
  if status ~= 0 then return native.last_fault() end
  return state_type(handles.state[0])
end

-- What a state file holds, as JSON, with the `top` fullest counters.
function module.state_report(path, top, now)
  local instant = at(now)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_state_report_json(path, #path, top or 10, instant, buffer, capacity, needed,
      fault)
  end)
end

-- ---- Charges ----

local MAX_CHARGES = 64
local charges = native.array("weir_limit_charge", MAX_CHARGES)
local amounts = ffi.new("uint64_t[?]", MAX_CHARGES)
local actuals = native.array("weir_limit_actual", MAX_CHARGES)
local CHARGE_SIZE = ffi.sizeof("weir_limit_charge")

local function flag(value) return value and 1 or 0 end

-- One question of a reserve, a table { rule, key, cost, … }, as weir reads it. `amount` alone says
-- that there is one.
local function set_charge(to, from)
  local key, model = from.key or "", from.model or ""
  to.rule, to.cost = from.rule - 1, from.cost or 0
  to.key, to.key_size = key, #key
  to.model, to.model_size = model, #model
  to.headroom, to.learned, to.weight = from.headroom or 0, flag(from.learned), from.weight or 0
  to.amount, to.has_amount = from.amount or 0, flag(from.amount)
end

local function set_charges(list)
  local count = #list
  if count > MAX_CHARGES then error("more than " .. MAX_CHARGES .. " charges", 3) end
  for i = 1, count do set_charge(charges[i - 1], list[i]) end
  return count
end

-- ---- Reservations ----

local free_limiter = lib.weir_limiter_free
local reservation = {}

-- What its limiter owns stays until the last reservation of it has gone.
local function close_reservation(self)
  if self.limiter == nil then return end
  lib.weir_reservation_free(self.handle)
  native.release(self.limiter, free_limiter)
  self.handle, self.limiter = nil, nil
end
reservation.free = close_reservation

function reservation.admitted(self) return self.decision.admitted ~= 0 end
function reservation.table_full(self) return self.decision.table_full ~= 0 end

-- How long to wait, in milliseconds, rounded up; math.huge: waiting does not help.
function reservation.retry_after_ms(self)
  local ns = native.number(self.decision.retry_after_ns)
  return math.ceil(ns / 1e6)
end

-- The place, from 1, of the charge that refuses longest; nil: none does.
function reservation.binding(self)
  if self.decision.binding < 0 then return nil end
  return self.decision.binding + 1
end

local function verdict_table(cdata)
  local result = native.table_of("weir_limit_verdict", cdata)
  result.rule, result.admitted = result.rule + 1, result.admitted ~= 0
  return result
end

-- What the rule of the index-th charge answered.
function reservation.verdict(self, index)
  if index < 1 or index > self.count then return nil end
  return verdict_table(self.verdicts[index - 1])
end

function reservation.settle(self, used, now)
  local count = #used
  if count > MAX_CHARGES then error("more than " .. MAX_CHARGES .. " charges", 2) end
  for i = 1, count do
    local to, from = actuals[i - 1], used[i]
    to.cost, to.headroom_used = from.cost or 0, from.headroom_used or 0
    to.unlearned = flag(from.unlearned)
  end
  return done(lib.weir_limiter_settle(self.limiter.handle, self.handle, actuals, count, at(now),
    fault))
end

function reservation.release(self, now)
  return done(lib.weir_limiter_release(self.limiter.handle, self.handle, at(now), fault))
end

-- Books more, an amount for each charge; whether it was admitted.
function reservation.top_up(self, more, now)
  local count = #more
  if count > MAX_CHARGES then error("more than " .. MAX_CHARGES .. " charges", 2) end
  for i = 1, count do amounts[i - 1] = more[i] end
  local status = lib.weir_limiter_top_up(self.limiter.handle, self.handle, amounts, count, at(now),
    self.verdicts, self.decision, fault)
  if status ~= 0 then return native.last_fault() end
  return self.decision.admitted ~= 0
end

local reservation_type
local RESERVATION = [[struct {
  $* limiter;
  weir_reservation* handle;
  uint32_t count;
  weir_limit_decision decision;
  weir_limit_verdict verdicts[]] .. MAX_CHARGES .. [[];
}]]

-- ---- Limiter ----

local limiter = {}

local function close_limiter(self) native.drop(self, free_limiter) end
limiter.free = close_limiter

local function answer_of(self, ended)
  local answer = ended or reservation_type()
  if answer.limiter ~= nil then close_reservation(answer) end
  answer.decision.size = ffi.sizeof("weir_limit_decision")
  answer.verdicts[0].size = ffi.sizeof("weir_limit_verdict")
  return answer
end

-- Decides all charges at once and books them if all are admitted: a reservation, admitted or not.
-- `ended`, one that was freed, is used again: then nothing is allocated.
function limiter.reserve(self, list, now, ended)
  local count = set_charges(list)
  local answer = answer_of(self, ended)
  local status = lib.weir_limiter_reserve(self.handle, charges, count, at(now), answer.verdicts,
    answer.decision, handles.reservation, fault)
  if status ~= 0 then return native.last_fault() end
  native.retain(self)
  answer.limiter, answer.handle = self, handles.reservation[0]
  answer.count = count
  return answer
end

-- The same for what costs exactly that: nothing is left to settle.
function limiter.take(self, list, now, ended)
  local count = set_charges(list)
  local answer = answer_of(self, ended)
  local status = lib.weir_limiter_take(self.handle, charges, count, at(now), answer.verdicts,
    answer.decision, fault)
  if status ~= 0 then return native.last_fault() end
  answer.count = count
  return answer
end

function limiter.peek(self, charge, now)
  local verdict = native.sized("weir_limit_verdict")
  set_charge(charges[0], charge)
  if done(lib.weir_limiter_peek(self.handle, charges, at(now), verdict, fault)) then
    return verdict_table(verdict)
  end
  return native.last_fault()
end

function limiter.book(self, charge, now)
  set_charge(charges[0], charge)
  return done(lib.weir_limiter_book(self.handle, charges, at(now), fault))
end

function limiter.override(self, rule, key, amount, for_ms, now)
  return done(lib.weir_limiter_override(self.handle, rule - 1, key, key and #key or 0, amount,
    for_ms, at(now), fault))
end

-- The names of rules whose counters started anew.
function limiter.restarted(self)
  local names = {}
  while lib.weir_limiter_restarted(self.handle, #names, native.view, native.view_size) == 0 do
    names[#names + 1] = native.view_text(0)
  end
  return names
end

local limiter_type = native.class(
  "struct { weir_limiter* handle; " .. native.owner_fields .. " }", nil, limiter, close_limiter)
reservation_type = native.class(RESERVATION, limiter_type, reservation, close_reservation)

function module.limiter(rules, options)
  local list = native.array("weir_limit_rule", #rules)
  for i, rule in ipairs(rules) do native.fill("weir_limit_rule", list[i - 1], rule) end
  local given = native.options("weir_limiter_options", options, { state = true })
  if given.seed == 0 then given.seed = native.entropy() end
  local state = options and options.state and options.state.handle or nil
  local status = lib.weir_limiter_new(state, list, #rules, given, handles.limiter, fault)
  if status ~= 0 then return native.last_fault() end
  return limiter_type(handles.limiter[0])
end

return module
