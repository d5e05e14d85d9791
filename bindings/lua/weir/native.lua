-- libweir as LuaJIT sees it: the declarations, the library, and what every part of the module needs
-- to cross over: errors, texts, clocks, and tables turned into structs and back.

local ffi = require "ffi"
local declared = require "weir.declarations"

-- A second load of the module in one Lua state finds the types there.
if not pcall(ffi.typeof, "weir_now") then ffi.cdef(declared.cdef) end
if not pcall(function() return ffi.C.weir_lua_clock end) then
  ffi.cdef [[
    int weir_lua_clock(int clock, void* time) __asm__("clock_gettime");
    int weir_lua_entropy(void* bytes, size_t size) __asm__("getentropy");
    typedef struct weir_lua_time { long seconds, nanoseconds; } weir_lua_time;
    typedef struct weir_lua_now { weir_now at; } weir_lua_now;
  ]]
end

local native = { lib = ffi.load(declared.soname), constants = declared.constants }
local lib = native.lib
local OUT_OF_RANGE = declared.constants.OUT_OF_RANGE
local NEVER = 9223372036854775807LL -- WEIR_NEVER, which cdef cannot hold
native.never = NEVER

-- ---- Classes: C types with methods ----

-- A Lua state has room for 65,536 C types and gives none back, and a type keeps its metatable. So a
-- type is made once in a state, and a later load of the module only puts its methods in.
local registry = debug.getregistry()
registry["weir.classes"] = registry["weir.classes"] or {}
local classes = registry["weir.classes"]

-- The type that `declaration` says, where $ is `parameter`; `close` is its finalizer.
function native.class(declaration, parameter, methods, close)
  local class = classes[declaration]
  if not class then
    class = { methods = {} }
    local metatable = { __index = class.methods }
    if close then metatable.__gc = function(self) class.close(self) end end
    local plain = parameter and ffi.typeof(declaration, parameter) or ffi.typeof(declaration)
    class.type = ffi.metatype(plain, metatable)
    classes[declaration] = class
  end
  for name, method in pairs(methods) do class.methods[name] = method end
  class.close = close
  return class.type
end

-- ---- Errors: nil and a table ----

local fault = ffi.new("weir_error")
fault.size = ffi.sizeof(fault)
native.fault = fault

local fault_mt = { __tostring = function(self) return self.message end }

function native.fail(code, message)
  local err = { code = code, message = message, line = 0, column = 0, offset = 0 }
  return nil, setmetatable(err, fault_mt)
end

local BARE_FAULTS = {
  [OUT_OF_RANGE] = "no such index",
  [declared.constants.FAILED_PRECONDITION] = "an engine has the policy already",
}

-- Of calls that take no error record: their statuses say enough.
function native.bare_fault(status)
  return native.fail(status, BARE_FAULTS[status] or "the handle is closed")
end

local function last_fault()
  return nil, setmetatable({
    code = fault.code, message = ffi.string(fault.message), line = fault.line,
    column = fault.column, offset = tonumber(fault.offset),
  }, fault_mt)
end
native.last_fault = last_fault

function native.done(status)
  if status == 0 then return true end
  return last_fault()
end

-- ---- Texts ----

local view = ffi.new("const char*[1]")
local view_size = ffi.new("size_t[1]")
native.view, native.view_size = view, view_size

function native.view_text(status)
  if status ~= 0 then return native.bare_fault(status) end
  return ffi.string(view[0], view_size[0])
end

local buffer, capacity = ffi.new("char[?]", 4096), 4096
local needed = ffi.new("size_t[1]")

-- Texts that weir writes: `write(buffer, capacity, needed)` is called again when it needs more, and
-- again if others have made the text longer in between.
function native.written(write)
  local status = write(buffer, capacity, needed)
  while status == OUT_OF_RANGE do
    capacity = tonumber(needed[0]) + 1024
    buffer = ffi.new("char[?]", capacity)
    status = write(buffer, capacity, needed)
  end
  if status ~= 0 then return last_fault() end
  return ffi.string(buffer, needed[0])
end

-- ---- Time ----

local MONOTONIC = ffi.os == "OSX" and 6 or 1
local REALTIME = 0
local time = ffi.new("weir_lua_time")

local function read_clock(clock)
  ffi.C.weir_lua_clock(clock, time)
  return ffi.cast("int64_t", time.seconds) * 1000000000LL + time.nanoseconds
end

local function ns_of(ms)
  local whole = math.floor(ms)
  return ffi.cast("int64_t", whole) * 1000000LL + math.floor((ms - whole) * 1e6)
end
native.ns_of = ns_of

local now = {}
local now_type

function now.read(self)
  self.at.mono_ns, self.at.unix_ns = read_clock(MONOTONIC), read_clock(REALTIME)
  return self
end

function now.set(self, mono_ms, unix_ms)
  self.at.mono_ns, self.at.unix_ns = ns_of(mono_ms), ns_of(unix_ms)
  return self
end

function now.mono_ms(self) return tonumber(self.at.mono_ns) / 1e6 end
function now.unix_ms(self) return tonumber(self.at.unix_ns) / 1e6 end

now_type = native.class("struct weir_lua_now", nil, now)
local clock = now_type()

-- The instant that a call is about: the caller's, or what the clocks say.
function native.at(given)
  return (given or clock:read()).at
end

function native.now(mono_ms, unix_ms)
  if mono_ms then return now_type():set(mono_ms, unix_ms) end
  return now_type():read()
end

-- Milliseconds from `given` until a time of the monotonic clock.
function native.until_ms(mono_ns, given)
  if mono_ns == NEVER then return math.huge end
  return tonumber(mono_ns - native.at(given).mono_ns) / 1e6
end

-- ---- Tables and structs ----

local kinds = {}
for struct, fields in pairs(declared.structs) do
  kinds[struct] = {}
  for _, field in ipairs(fields) do kinds[struct][field[1]] = field[2] end
end

local size_names = setmetatable({}, {
  __index = function(self, name)
    self[name] = name .. "_size"
    return self[name]
  end,
})

local function number_of(value)
  if value == true then return 1 end
  if value == false then return 0 end
  if value == math.huge then return NEVER end
  return value
end

-- Sets a struct's fields from a table. Words in `others` are read by the caller; any other word
-- that the struct does not have is a mistake, and is raised as one. Texts stay the caller's.
function native.fill(struct, cdata, values, others)
  local fields = kinds[struct]
  for name, value in pairs(values or {}) do
    local kind = fields[name]
    if kind == "number" then
      cdata[name] = number_of(value)
    elseif kind == "text" then
      cdata[name], cdata[size_names[name]] = value, #value
    elseif not (others and others[name]) then
      error(struct .. " has no field " .. tostring(name), 3)
    end
  end
  return cdata
end

function native.sized(struct)
  local cdata = ffi.new(struct)
  cdata.size = ffi.sizeof(cdata)
  return cdata
end

function native.options(struct, values, others)
  return native.fill(struct, native.sized(struct), values, others)
end

-- `count` of them, never an array of none: its first element says the size of all.
function native.array(struct, count)
  local list = ffi.new(struct .. "[?]", math.max(count, 1))
  for i = 0, count - 1 do list[i].size = ffi.sizeof(struct) end
  return list
end

function native.number(value)
  if value == NEVER then return math.huge end
  return tonumber(value)
end

-- A struct that weir wrote, as a table.
function native.table_of(struct, cdata)
  local result = {}
  for _, field in ipairs(declared.structs[struct]) do
    local name = field[1]
    result[name] = native.number(cdata[name])
  end
  return result
end

function native.entropy()
  local seed = ffi.new("uint64_t[1]")
  ffi.C.weir_lua_entropy(seed, 8)
  return seed[0]
end

-- ---- Handles that others need ----
--
-- A finalizer may run in any order with those of other handles, so what a handle needs (a
-- reservation its limiter, a counter its tokenizer) is counted, and freed after its last user.

native.owner_fields = "uint32_t users; int32_t is_dropped;"
local anchors = {}

local function address(owner)
  return tonumber(ffi.cast("intptr_t", ffi.cast("void*", owner)))
end

function native.retain(owner)
  if owner.users == 0 then anchors[address(owner)] = owner end
  owner.users = owner.users + 1
end

function native.release(owner, free)
  owner.users = owner.users - 1
  if owner.users > 0 then return end
  if owner.is_dropped ~= 0 then
    free(owner.handle)
    owner.handle = nil
  end
  anchors[address(owner)] = nil
end

function native.drop(owner, free)
  if owner.users > 0 then
    owner.is_dropped = 1
  else
    free(owner.handle)
    owner.handle = nil
  end
end

function native.version()
  return ffi.string(lib.weir_version())
end

return native
