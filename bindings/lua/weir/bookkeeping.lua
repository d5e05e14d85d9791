-- Ledgers: files that invoices are made from, one JSON line for each exchange.

local ffi = require "ffi"
local native = require "weir.native"

local lib, fault, at, done = native.lib, native.fault, native.at, native.done
local handle = ffi.new("weir_ledger*[1]")
local outcome, amount = ffi.new("int32_t[1]"), ffi.new("uint64_t[1]")
local state = native.sized("weir_ledger_status")

local module = {}
local ledger = {}

local function close_ledger(self)
  lib.weir_ledger_free(self.handle)
  self.handle = nil
end
ledger.free = close_ledger

-- What became of the line: weir.LEDGER_WRITTEN, …_SPOOLED or …_DROPPED.
local function told(status)
  if status ~= 0 then return native.last_fault() end
  return outcome[0]
end

-- The line of a transaction that has ended; once.
function ledger.append(self, txn, now)
  return told(lib.weir_ledger_append(self.handle, txn.handle, at(now), outcome, fault))
end

-- A line that txn:ledger_line gave, as it is.
function ledger.append_line(self, line, now)
  return told(lib.weir_ledger_append_line(self.handle, line, #line, at(now), outcome, fault))
end

-- False: requests had better be refused, for their lines might find no room.
function ledger.accepts(self, now)
  if not done(lib.weir_ledger_accepts(self.handle, at(now), outcome, fault)) then
    return native.last_fault()
  end
  return outcome[0] ~= 0
end

-- Writes what is in memory; with `sync` waits until the disk has everything.
function ledger.flush(self, sync, now)
  return done(lib.weir_ledger_flush(self.handle, sync and 1 or 0, at(now), fault))
end

-- What this process did: the fields of weir_ledger_status.
function ledger.status(self)
  local status = lib.weir_ledger_read_status(self.handle, state)
  if status ~= 0 then return native.bare_fault(status) end
  return native.table_of("weir_ledger_status", state)
end

local ledger_type = native.class("struct { weir_ledger* handle; }", nil, ledger, close_ledger)

-- Opens a ledger's file, and makes it if need be; options: the fields of weir_ledger_options.
function module.ledger(path, options, now)
  local given = native.options("weir_ledger_options", options)
  local status = lib.weir_ledger_open(path, #path, given, at(now), handle, fault)
  if status ~= 0 then return native.last_fault() end
  return ledger_type(handle[0])
end

-- Works a line's cost out again: weir.LEDGER_COST_…, and what it ought to be, in micro-USD.
function module.recompute(line)
  if not done(lib.weir_ledger_recompute(line, #line, outcome, amount, fault)) then
    return native.last_fault()
  end
  return outcome[0], tonumber(amount[0])
end

-- OTLP/HTTP JSON of lines, one span (weir.OTLP_SPANS) or log record (weir.OTLP_LOG_RECORDS) each;
-- empty when there is nothing to send. Then, how many lines were none and are passed over.
function module.otlp(kind, lines, service_name)
  local name = service_name or ""
  local text, message, code = native.written(function(buffer, capacity, needed)
    return lib.weir_ledger_otlp(kind, name, #name, lines, #lines, amount, buffer, capacity, needed,
                                fault)
  end)
  if not text then return nil, message, code end
  return text, tonumber(amount[0])
end

return module
