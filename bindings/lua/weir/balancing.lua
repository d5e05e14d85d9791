-- The balancer for anything that has several.

local ffi = require "ffi"
local native = require "weir.native"

local lib, fault, at, done = native.lib, native.fault, native.at, native.done
local handle = ffi.new("weir_balancer*[1]")
local member_number = ffi.new("int32_t[1]")
local returns_at = ffi.new("int64_t[1]")
local member_id = ffi.new("uint64_t[1]")

local MAX_REFUSED = 1024 -- as many as there may be members
local refused_members = ffi.new("uint16_t[?]", MAX_REFUSED)
local ask = native.sized("weir_balance_ask")

local module = {}
local balancer = {}

local function close_balancer(self)
  lib.weir_balancer_free(self.handle)
  self.handle = nil
end
balancer.free = close_balancer

local function set_ask(from)
  local key, refused = from.key or "", from.refused
  local count = refused and #refused or 0
  if count > MAX_REFUSED then error("more than " .. MAX_REFUSED .. " members", 3) end
  for i = 1, count do refused_members[i - 1] = refused[i] - 1 end
  ask.key, ask.key_size = key, #key
  ask.refused, ask.refused_count = refused_members, count
  ask.start, ask.sticky = from.start and 1 or 0, from.sticky and 1 or 0
  ask.has_prefer, ask.prefer = from.prefer and 1 or 0, (from.prefer or 1) - 1
  return ask
end

-- The member, from 1, that gets the request. When none is usable: nil, and how many milliseconds
-- it is until one returns (math.huge: none does). `question` may be nil, or a table { key, start,
-- refused = { … }, prefer, sticky }.
function balancer.pick(self, question, now)
  local instant = at(now)
  local status = lib.weir_balancer_pick(self.handle, question and set_ask(question), instant,
    member_number, returns_at, fault)
  if status ~= 0 then return native.last_fault() end
  if member_number[0] >= 0 then return member_number[0] + 1 end
  local ns = native.number(returns_at[0])
  return nil, ns == math.huge and ns or (ns - tonumber(instant.mono_ns)) / 1e6
end

function balancer.unused(self, member)
  return done(lib.weir_balancer_unused(self.handle, member - 1, fault))
end

function balancer.started(self, member, now)
  return done(lib.weir_balancer_started(self.handle, member - 1, at(now), fault))
end

function balancer.first_token(self, member, ttft_ms, now)
  return done(lib.weir_balancer_first_token(self.handle, member - 1, native.ns_of(ttft_ms), at(now),
    fault))
end

function balancer.finished(self, member, failed, now)
  return done(lib.weir_balancer_finished(self.handle, member - 1, failed and 1 or 0, at(now),
    fault))
end

-- The member is left alone for so long (math.huge: until it is woken); why: weir.REST_….
function balancer.rest(self, member, for_ms, why, now)
  local instant = at(now)
  local until_ns = native.never
  if for_ms ~= math.huge then until_ns = instant.mono_ns + native.ns_of(for_ms) end
  return done(lib.weir_balancer_rest(self.handle, member - 1, until_ns, why, instant, fault))
end

function balancer.wake(self, member, now)
  return done(lib.weir_balancer_wake(self.handle, member - 1, at(now), fault))
end

-- A number for a cookie, as text of sixteen hexadecimal digits.
function balancer.member_id(self, member)
  if not done(lib.weir_balancer_member_id(self.handle, member - 1, member_id, fault)) then
    return native.last_fault()
  end
  return bit.tohex(tonumber(bit.rshift(member_id[0], 32))) ..
    bit.tohex(tonumber(bit.band(member_id[0], 0xffffffffULL)))
end

-- The member that has it.
function balancer.find_member(self, id)
  local high, low = id:match("^(%x%x%x%x%x%x%x%x)(%x%x%x%x%x%x%x%x)$")
  if not high then return native.fail(native.constants.NOT_FOUND, "no member has this id") end
  local value = tonumber(high, 16) * 0x100000000ULL + tonumber(low, 16)
  if done(lib.weir_balancer_find_member(self.handle, value, member_number, fault)) then
    return member_number[0] + 1
  end
  return native.last_fault()
end

function balancer.report(self, now)
  local instant = at(now)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_balancer_report_json(self.handle, instant, buffer, capacity, needed, fault)
  end)
end

local balancer_type = native.class("struct { weir_balancer* handle; }", nil, balancer,
  close_balancer)

function module.balancer(name, members, options)
  local list = native.array("weir_balance_member", #members)
  for i, member in ipairs(members) do native.fill("weir_balance_member", list[i - 1], member) end
  local given = native.options("weir_balancer_options", options, { state = true })
  if given.seed == 0 then given.seed = native.entropy() end
  local state = options and options.state and options.state.handle or nil
  local status = lib.weir_balancer_new(state, name, #name, list, #members, given, handle, fault)
  if status ~= 0 then return native.last_fault() end
  return balancer_type(handle[0])
end

return module
