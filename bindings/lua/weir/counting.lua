-- Tokens of texts, of whole requests, and of answers as they pass.

local ffi = require "ffi"
local native = require "weir.native"

local lib, fault, done = native.lib, native.fault, native.done
local view, view_size = native.view, native.view_size
local NEW_ENCODING = 4096 -- ids to make room for at first
local count64 = ffi.new("uint64_t[1]")
local size = ffi.new("size_t[1]")
local handles = {
  tokenizer = ffi.new("const weir_tokenizer*[1]"),
  loaded = ffi.new("weir_tokenizer*[1]"),
  counter = ffi.new("weir_token_counter*[1]"),
  meter = ffi.new("weir_stream_meter*[1]"),
}

local module = {}

-- ---- Tokenizers ----

local tokenizer, tokenizer_type = {}, nil
local free_tokenizer = lib.weir_tokenizer_free

local function close_tokenizer(self) native.drop(self, free_tokenizer) end
tokenizer.free = close_tokenizer

function tokenizer.name(self)
  return native.view_text(lib.weir_tokenizer_name(self.handle, view, view_size))
end

function tokenizer.count(self, text)
  if lib.weir_tokenizer_count(self.handle, text, #text, count64, fault) ~= 0 then
    return native.last_fault()
  end
  return tonumber(count64[0])
end

-- The count if that is at most `limit`, else a number above it.
function tokenizer.count_up_to(self, text, limit)
  if lib.weir_tokenizer_count_up_to(self.handle, text, #text, limit, count64, fault) ~= 0 then
    return native.last_fault()
  end
  return tonumber(count64[0])
end

-- The ids of a text; with `specials` the texts of special tokens are those.
function tokenizer.encode(self, text, specials)
  local call = specials and lib.weir_tokenizer_encode_with_specials or lib.weir_tokenizer_encode
  local capacity = NEW_ENCODING
  local ids = ffi.new("uint32_t[?]", capacity)
  local status = call(self.handle, text, #text, ids, capacity, size, fault)
  if status == native.constants.OUT_OF_RANGE then
    capacity = tonumber(size[0])
    ids = ffi.new("uint32_t[?]", capacity)
    status = call(self.handle, text, #text, ids, capacity, size, fault)
  end
  if status ~= 0 then return native.last_fault() end
  local list = {}
  for i = 1, tonumber(size[0]) do list[i] = ids[i - 1] end
  return list
end

function tokenizer.decode(self, list)
  local ids = ffi.new("uint32_t[?]", math.max(#list, 1), list)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_tokenizer_decode(self.handle, ids, #list, buffer, capacity, needed, fault)
  end)
end

-- How many bytes make the longest beginning of at most so many tokens.
function tokenizer.split(self, text, max_tokens)
  if lib.weir_tokenizer_split(self.handle, text, #text, max_tokens, size, fault) ~= 0 then
    return native.last_fault()
  end
  return tonumber(size[0])
end

tokenizer_type = native.class(
  "struct { weir_tokenizer* handle; " .. native.owner_fields .. " }", nil, tokenizer,
  close_tokenizer)

-- The built-in one of this name, or the one that a model of this name uses.
function module.tokenizer(name)
  if lib.weir_tokenizer_find(name, #name, handles.tokenizer, fault) ~= 0 then
    return native.last_fault()
  end
  return tokenizer_type(ffi.cast("weir_tokenizer*", handles.tokenizer[0]))
end

function module.load_tokenizer(name, bytes, pattern)
  pattern = pattern or ""
  local status = lib.weir_tokenizer_load(name, #name, bytes, #bytes, pattern, #pattern,
    handles.loaded, fault)
  if status ~= 0 then return native.last_fault() end
  return tokenizer_type(handles.loaded[0])
end

function module.count_tokens(name, text)
  if lib.weir_tokenizer_find(name, #name, handles.tokenizer, fault) ~= 0 or
      lib.weir_tokenizer_count(handles.tokenizer[0], text, #text, count64, fault) ~= 0 then
    return native.last_fault()
  end
  return tonumber(count64[0])
end

function module.encodings()
  local names = {}
  while lib.weir_encoding_name(#names, view, view_size) == 0 do
    names[#names + 1] = native.view_text(0)
  end
  return names
end

function module.encoding_for_model(model)
  if lib.weir_encoding_for_model(model, #model, view, view_size, fault) ~= 0 then
    return native.last_fault()
  end
  return native.view_text(0)
end

function module.set_piece_cache(on) lib.weir_tokenizer_set_piece_cache(on and 1 or 0) end

-- ---- A text that comes in pieces ----

local counter = {}

local function close_counter(self)
  lib.weir_token_counter_free(self.handle)
  self.handle = nil
  if self.owner ~= nil then native.release(self.owner, free_tokenizer) end
  self.owner = nil
end
counter.free = close_counter

function counter.append(self, text)
  return done(lib.weir_token_counter_append(self.handle, text, #text, fault))
end

function counter.total(self)
  if lib.weir_token_counter_total(self.handle, count64, fault) ~= 0 then
    return native.last_fault()
  end
  return tonumber(count64[0])
end

local counter_type = native.class("struct { weir_token_counter* handle; $* owner; }",
  tokenizer_type, counter, close_counter)

function module.token_counter(of)
  if lib.weir_token_counter_new(of.handle, handles.counter, fault) ~= 0 then
    return native.last_fault()
  end
  native.retain(of)
  return counter_type(handles.counter[0], of)
end

-- ---- Requests ----

local WITH_TOKENIZER = { tokenizer = true }

local function options_with_tokenizer(struct, options)
  local given = native.options(struct, options, WITH_TOKENIZER)
  if options and options.tokenizer then given.tokenizer = options.tokenizer.handle end
  return given
end

-- The prompt tokens of a request's body: { prompt_tokens, provenance, … }.
function module.count_request(body, options)
  local given = options_with_tokenizer("weir_request_options", options)
  local counted = native.sized("weir_prompt_count")
  if lib.weir_count_request(given, body, #body, counted, fault) ~= 0 then
    return native.last_fault()
  end
  return native.table_of("weir_prompt_count", counted)
end

function module.count_request_json(body, options)
  local given = options_with_tokenizer("weir_request_options", options)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_count_request_json(given, body, #body, buffer, capacity, needed, fault)
  end)
end

-- ---- Stream meter ----

local meter = {}

local function close_meter(self)
  lib.weir_stream_meter_free(self.handle)
  self.handle = nil
  if self.owner ~= nil then native.release(self.owner, free_tokenizer) end
  self.owner = nil
end
meter.free = close_meter

function meter.feed(self, bytes)
  return done(lib.weir_stream_meter_feed(self.handle, bytes, #bytes, fault))
end

-- The body is complete, as its framing says (weir_stream_meter_end; `end` is a word of Lua's).
function meter.finish(self) return done(lib.weir_stream_meter_end(self.handle, fault)) end

function meter.client_left(self)
  return done(lib.weir_stream_meter_client_left(self.handle, fault))
end

function meter.relay(self)
  return native.view_text(lib.weir_stream_meter_relay(self.handle, view, view_size))
end

function meter.usage(self)
  local usage = native.sized("weir_usage")
  if lib.weir_stream_meter_usage(self.handle, usage, fault) ~= 0 then return native.last_fault() end
  return native.table_of("weir_usage", usage)
end

local meter_type = native.class("struct { weir_stream_meter* handle; $* owner; }",
  tokenizer_type, meter, close_meter)

function module.stream_meter(options)
  local given = options_with_tokenizer("weir_stream_meter_options", options)
  if lib.weir_stream_meter_new(given, handles.meter, fault) ~= 0 then return native.last_fault() end
  local made = meter_type(handles.meter[0])
  if options and options.tokenizer then
    native.retain(options.tokenizer)
    made.owner = options.tokenizer
  end
  return made
end

return module
