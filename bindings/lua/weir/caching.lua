-- The similarity cache for anything, and whether two texts can mean the same.

local ffi = require "ffi"
local native = require "weir.native"

local lib, fault, at, done = native.lib, native.fault, native.at, native.done
local constants = native.constants
local handle = ffi.new("weir_cache*[1]")
local number = ffi.new("uint64_t[1]")
local query, entry = native.sized("weir_cache_query"), native.sized("weir_cache_entry")
local answer, verdict = native.sized("weir_cache_answer"), native.sized("weir_meaning_verdict")

local module = {}
local cache = {}

local function close_cache(self)
  lib.weir_cache_free(self.handle)
  self.handle = nil
end
cache.free = close_cache

-- A table of numbers as floats. Whoever calls keeps them until C has read them.
local function floats_of(list)
  if not list then return nil, 0 end
  local floats = ffi.new("float[?]", math.max(#list, 1))
  for i = 1, #list do floats[i - 1] = list[i] end
  return floats, #list
end

local QUERY_WORDS = { vector = true, min_similarity = true, exclude = true }
local ENTRY_WORDS = { vector = true, ttl_ms = true }

local function cleared(cdata)
  ffi.fill(cdata, ffi.sizeof(cdata))
  cdata.size = ffi.sizeof(cdata)
  return cdata
end

-- Looks for { partition, key, vector, min_similarity, embedder_id, embedder_epoch, is_probe,
-- is_tentative, exclude (up to four entries that were refused) }: the
-- value, or nil; and a table { found, miss, similarity, similarity_error, entry, age_ms }.
function cache.lookup(self, asked, now)
  native.fill("weir_cache_query", cleared(query), asked, QUERY_WORDS)
  local floats, count = floats_of(asked.vector)
  query.vector, query.vector_size = floats, count
  query.min_similarity = asked.min_similarity or 0
  for i, id in ipairs(asked.exclude or {}) do
    if i > 4 then error("exclude: at most 4 entries", 2) end
    query.exclude[i - 1] = id
  end
  local instant = at(now)
  local value, err = native.written(function(buffer, capacity, needed)
    return lib.weir_cache_lookup(self.handle, query, instant, buffer, capacity, needed, answer,
      fault)
  end)
  if not value then return nil, err end
  local miss = nil
  if answer.found == constants.CACHE_MISS then
    value = nil
    lib.weir_cache_miss_name(answer.miss, native.view, native.view_size)
    miss = native.view_text(0)
  end
  return value, {
    found = answer.found, miss = miss, similarity = answer.similarity,
    similarity_error = answer.similarity_error, entry = answer.entry,
    age_ms = tonumber(answer.age_ns) / 1e6,
  }
end

local function number_of_miss(name)
  local miss = 0
  while lib.weir_cache_miss_name(miss, native.view, native.view_size) == constants.OK do
    if native.view_text(0) == name then return miss end
    miss = miss + 1
  end
  return 0
end

-- What became of a tentative look-up: of its second result, whether the value was given.
function cache.confirm(self, told, is_given)
  cleared(answer)
  answer.found, answer.similarity, answer.entry = told.found, told.similarity, told.entry
  answer.miss = number_of_miss(told.miss)
  return done(lib.weir_cache_confirm(self.handle, answer, is_given and 1 or 0, fault))
end

-- Keeps { partition, key, value, vector, ttl_ms, embedder_id, embedder_epoch, model, scope,
-- worth }; gives the entry, for touch and remove.
function cache.insert(self, kept, now)
  native.fill("weir_cache_entry", cleared(entry), kept, ENTRY_WORDS)
  local floats, count = floats_of(kept.vector)
  entry.vector, entry.vector_size = floats, count
  entry.ttl_ns = native.ns_of(kept.ttl_ms or 0)
  if done(lib.weir_cache_insert(self.handle, entry, at(now), number, fault)) then
    return number[0]
  end
  return native.last_fault()
end

-- False: it is gone.
local function found(status)
  if status == constants.NOT_FOUND then return false end
  return done(status)
end

function cache.touch(self, id, ttl_ms, now)
  return found(lib.weir_cache_touch(self.handle, id, native.ns_of(ttl_ms or 0), at(now), fault))
end

function cache.remove(self, id)
  return found(lib.weir_cache_remove(self.handle, id, fault))
end

-- Removes the entries of { partition = … }, { model = … } or { scope = … }; nil: all. How many.
function cache.purge(self, which)
  local partition, tag, kind = "", 0, constants.PURGE_ALL
  if which and which.partition then
    kind, partition = constants.PURGE_PARTITION, which.partition
  elseif which and which.model then
    kind, tag = constants.PURGE_MODEL, which.model
  elseif which then
    kind, tag = constants.PURGE_SCOPE, which.scope
  end
  if done(lib.weir_cache_purge(self.handle, kind, partition, #partition, tag, number, fault)) then
    return tonumber(number[0])
  end
  return native.last_fault()
end

-- JSON: see weir_cache_stats_json.
function cache.stats(self)
  return native.written(function(buffer, capacity, needed)
    return lib.weir_cache_stats_json(self.handle, buffer, capacity, needed, fault)
  end)
end

local cache_type = native.class("struct { weir_cache* handle; }", nil, cache, close_cache)

-- The cache of this name; options: the fields of weir_cache_options, and `state`.
function module.cache(name, options)
  local given = native.options("weir_cache_options", options, { state = true })
  if given.seed == 0 then given.seed = native.entropy() end
  local state = options and options.state and options.state.handle or nil
  local status = lib.weir_cache_new(state, name, #name, given, handle, fault)
  if status ~= 0 then return native.last_fault() end
  return cache_type(handle[0])
end

-- A table of `dimensions` numbers; nil: the text has no word.
function module.lexical_embed(text, dimensions)
  local count = dimensions or 512
  local floats = ffi.new("float[?]", math.max(count, 1))
  if not done(lib.weir_lexical_embed(text, #text, floats, count, fault)) then
    return native.last_fault()
  end
  local vector = {}
  for i = 1, count do vector[i] = floats[i - 1] end
  return vector
end

-- Whether an answer to `stored` may answer `asked`: true; or false, the guard's name, and the
-- pieces that differ. guards: a set of the bits 2^weir.GUARD_…; nil: all but "words".
function module.compare_meaning(asked, stored, guards)
  local status = lib.weir_meaning_compare(asked, #asked, stored, #stored, guards or 0, verdict,
    fault)
  if status ~= 0 then return native.last_fault() end
  if verdict.allowed ~= 0 then return true end
  lib.weir_meaning_guard_name(verdict.guard, native.view, native.view_size)
  return false, native.view_text(0), ffi.string(verdict.asked, verdict.asked_size),
    ffi.string(verdict.stored, verdict.stored_size)
end

return module
