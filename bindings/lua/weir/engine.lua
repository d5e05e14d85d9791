-- Policies, engines and transactions.

local ffi = require "ffi"
local native = require "weir.native"

local lib, fault, at, done = native.lib, native.fault, native.at, native.done
local view, view_size = native.view, native.view_size
local second, second_size = ffi.new("const char*[1]"), ffi.new("size_t[1]")
local number = ffi.new("int32_t[1]")
local batch_number, removed = ffi.new("uint64_t[1]"), ffi.new("uint64_t[1]")
local handles = {
  policy = ffi.new("weir_policy*[1]"),
  engine = ffi.new("weir_engine*[1]"),
  txn = ffi.new("weir_txn*[1]"),
}

-- ---- Policy ----

local policy, policy_type = {}, nil

local function close_policy(self)
  lib.weir_policy_free(self.handle)
  self.handle = nil
end

-- The secrets that the document names, in order: { kind = "env" or "file", name = … }.
function policy.secrets(self)
  local list = {}
  for index = 0, lib.weir_policy_secret_count(self.handle) - 1 do
    local status = lib.weir_policy_secret(self.handle, index, number, view, view_size)
    local name, err = native.view_text(status)
    if not name then return nil, err end
    local kind = number[0] == native.constants.SECRET_ENV and "env" or "file"
    list[index + 1] = { kind = kind, name = name }
  end
  return list
end

function policy.set_secret(self, index, value)
  local status = lib.weir_policy_set_secret(self.handle, index - 1, value, #value)
  if status == 0 then return true end
  return native.bare_fault(status)
end

policy.free = close_policy
policy_type = native.class("struct { weir_policy* handle; }", nil, policy, close_policy)

local module = {}

function module.policy(text)
  local status = lib.weir_policy_parse(text, #text, handles.policy, fault)
  if status ~= 0 then return native.last_fault() end
  return policy_type(handles.policy[0])
end

-- Every fault of a document, one a line; empty when it is sound.
function module.check(text)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_policy_check(text, #text, buffer, capacity, needed, fault)
  end)
end

-- What a sound document says that silently does nothing, in the same form.
function module.warnings(text)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_policy_warnings(text, #text, buffer, capacity, needed, fault)
  end)
end

function module.key_hash(pepper, key)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_key_hash(pepper, #pepper, key, #key, buffer, capacity, needed, fault)
  end)
end

-- ---- Transaction ----

local txn, txn_type = {}, nil

local function close_txn(self)
  lib.weir_txn_free(self.handle)
  self.handle = nil
end
txn.free = close_txn

function txn.request_head(self, method, target, client)
  client = client or ""
  return done(lib.weir_txn_request_head(self.handle, method, #method, target, #target, client,
    #client, fault))
end

function txn.request_header(self, name, value)
  return done(lib.weir_txn_request_header(self.handle, name, #name, value, #value, fault))
end

function txn.attribute(self, name, value)
  return done(lib.weir_txn_attribute(self.handle, name, #name, value, #value, fault))
end

function txn.request_body(self, bytes)
  return done(lib.weir_txn_request_body(self.handle, bytes, #bytes, fault))
end

function txn.request_end(self)
  return done(lib.weir_txn_request_end(self.handle, fault))
end

function txn.response_from(self, attempt)
  return done(lib.weir_txn_response_from(self.handle, attempt, fault))
end

function txn.response_head(self, status)
  return done(lib.weir_txn_response_head(self.handle, status, fault))
end

function txn.response_header(self, name, value)
  return done(lib.weir_txn_response_header(self.handle, name, #name, value, #value, fault))
end

function txn.response_body(self, bytes)
  return done(lib.weir_txn_response_body(self.handle, bytes, #bytes, fault))
end

function txn.response_end(self)
  return done(lib.weir_txn_response_end(self.handle, fault))
end

function txn.response_failed(self, failure)
  return done(lib.weir_txn_response_failed(self.handle, failure, fault))
end

function txn.call_result(self, call_id, status, body)
  return done(lib.weir_txn_call_result(self.handle, call_id, status, body, #body, fault))
end

-- The same for a CALL without a url, which asks for the vector of a text (body) by the embedder
-- that target names: a table of numbers.
function txn.call_vector(self, call_id, vector)
  local floats = ffi.new("float[?]", math.max(#vector, 1), vector)
  return done(lib.weir_txn_call_vector(self.handle, call_id, floats, #vector, fault))
end

function txn.client_left(self, now)
  return done(lib.weir_txn_client_left(self.handle, at(now), fault))
end

-- Decides, and says what to do: one of weir.ACTION_….
function txn.next(self, now)
  local status = lib.weir_txn_next(self.handle, at(now), self.action, fault)
  if status ~= 0 then return native.last_fault() end
  return self.action.kind
end

-- Of the last action.
function txn.status(self) return self.action.status end
function txn.relay(self) return self.action.relay end
function txn.attempt(self) return self.action.attempt end
function txn.header_count(self) return self.action.header_count end
function txn.call_id(self) return tonumber(self.action.call_id) end
function txn.parallel(self) return self.action.parallel ~= 0 end

-- Milliseconds until its deadline; nil: it has none.
function txn.deadline_in_ms(self, now)
  if self.action.deadline_mono_ns == 0 then return nil end
  return native.until_ms(self.action.deadline_mono_ns, now)
end

function txn.wake_in_ms(self, now)
  if self.action.wake_mono_ns == 0 then return nil end
  return native.until_ms(self.action.wake_mono_ns, now)
end

function txn.url(self) return native.view_text(lib.weir_txn_url(self.handle, view, view_size)) end

function txn.target(self)
  return native.view_text(lib.weir_txn_target(self.handle, view, view_size))
end

function txn.body(self) return native.view_text(lib.weir_txn_body(self.handle, view, view_size)) end

-- The index-th header edit, from 1: operation (weir.HEADER_…), name, value.
function txn.header(self, index)
  local status = lib.weir_txn_header(self.handle, index - 1, number, view, view_size, second,
    second_size)
  if status ~= 0 then return native.bare_fault(status) end
  return number[0], ffi.string(view[0], view_size[0]), ffi.string(second[0], second_size[0])
end

function txn.explain(self)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_txn_explain(self.handle, buffer, capacity, needed, fault)
  end)
end

-- The line of a transaction that has ended, for those that keep lines elsewhere than in a ledger.
function txn.ledger_line(self)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_txn_ledger_line(self.handle, buffer, capacity, needed, fault)
  end)
end

-- Time that weir took in this exchange, measured by the host round its calls.
function txn.add_overhead(self, ns)
  return done(lib.weir_txn_add_overhead(self.handle, ns, fault))
end

txn_type = native.class("struct { weir_txn* handle; weir_action action; }", nil, txn, close_txn)

-- ---- Engine ----

local engine, engine_type = {}, nil

local function close_engine(self)
  lib.weir_engine_free(self.handle)
  self.handle = nil
end
engine.free = close_engine

-- Begins a transaction. `ended`, one that was freed, is used again: then nothing is allocated.
function engine.txn(self, ended)
  local status = lib.weir_txn_new(self.handle, handles.txn, fault)
  if status ~= 0 then return native.last_fault() end
  local begun = ended or txn_type()
  if begun.handle ~= nil then close_txn(begun) end
  begun.handle = handles.txn[0]
  begun.action.size = ffi.sizeof("weir_action")
  return begun
end

function engine.reload(self, other)
  return done(lib.weir_engine_reload(self.handle, other.handle, fault))
end

local kind = ffi.new("const char*[1]")

-- With a scraper's Accept header: as it asks, and the content type to answer with.
function engine.metrics(self, accept)
  local header = accept or ""
  local text, problem = native.written(function(buffer, capacity, needed)
    return lib.weir_engine_metrics_as(self.handle, header, #header, kind, buffer, capacity, needed,
      fault)
  end)
  if not text then return text, problem end
  return text, ffi.string(kind[0])
end

-- { format = weir.EXPORT_…, service_name, instrumentation_key, metric_namespace }: a batch to send
-- (empty: nothing), and its number. Of deltas, the same batch comes again until it is acknowledged.
function engine.export_metrics(self, options, now)
  local given, instant = native.options("weir_export_options", options), at(now)
  local batch, problem = native.written(function(buffer, capacity, needed)
    return lib.weir_engine_export_metrics(self.handle, given, instant, batch_number, buffer,
      capacity, needed, fault)
  end)
  if not batch then return batch, problem end
  return batch, tonumber(batch_number[0])
end

-- The batch arrived.
function engine.acknowledge_metrics(self, format, batch)
  return done(lib.weir_engine_acknowledge_metrics(self.handle, format, batch, fault))
end

function engine.status(self, now)
  local instant = at(now)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_engine_status(self.handle, instant, buffer, capacity, needed, fault)
  end)
end

function engine.changes(self, since)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_engine_changes_json(self.handle, since or 0, buffer, capacity, needed, fault)
  end)
end

-- Takes answers out of the policy's cache of this name: { partition = … } (what the cache's
-- partition gives, one a line), { model = … } or { entry = … } (as explain tells it of a hit); nil:
-- all. How many.
function engine.purge_cache(self, name, which)
  local kind, what = native.constants.PURGE_ALL, ""
  if which and which.partition then
    kind, what = native.constants.PURGE_PARTITION, which.partition
  elseif which and which.model then
    kind, what = native.constants.PURGE_MODEL, which.model
  elseif which then
    kind, what = native.constants.PURGE_ENTRY, tostring(which.entry)
  end
  if done(lib.weir_engine_purge_cache(self.handle, name, #name, kind, what, #what, removed,
    fault)) then
    return tonumber(removed[0])
  end
  return native.last_fault()
end

function engine.override_limit(self, limit, key, amount, for_ms, now)
  return done(lib.weir_engine_override_limit(self.handle, limit, #limit, key, key and #key or 0,
    amount, for_ms, at(now), fault))
end

engine_type = native.class("struct { weir_engine* handle; }", nil, engine, close_engine)

function module.engine(of, options)
  local given = native.options("weir_engine_options", options)
  if given.seed == 0 then given.seed = native.entropy() end
  local status = lib.weir_engine_new(of.handle, given, handles.engine, fault)
  if status ~= 0 then return native.last_fault() end
  return engine_type(handles.engine[0])
end

return module
