/* The similarity cache for anything, and whether two texts can mean the same. */

#include <string.h>

#include "lua_weir.h"

#define CACHE "weir.cache"
#define MAX_VECTOR 4096 /* as many dimensions as there may be */

static weir_cache* cache_of(lua_State* L) { return handle_of(L, 1, CACHE); }

static int new_cache(lua_State* L) {
  static const char* const kOthers[] = {"state", NULL};
  NEW_ERROR;
  size_t name_size = 0;
  const char* name = luaL_checklstring(L, 1, &name_size);
  lua_settop(L, 2);
  weir_cache_options options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  fill_struct(L, 2, weir_cache_options_fields, &options, kOthers);
  if (options.seed == 0) options.seed = random_seed();
  weir_state* state = handle_field(L, 2, "state", "weir.state");
  handle_box* box = push_box(L, CACHE, NULL);
  weir_cache* cache = NULL;
  if (weir_cache_new(state, name, name_size, &options, &cache, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  box->handle = cache;
  return 1;
}

static int cache_free(lua_State* L) {
  handle_box* box = box_of(L, 1, CACHE);
  weir_cache_free(box->handle);
  box->handle = NULL;
  return 0;
}

static double number_field(lua_State* L, int index, const char* name) {
  const double value = lua_getfield(L, index, name) == LUA_TNIL ? 0 : luaL_checknumber(L, -1);
  lua_pop(L, 1);
  return value;
}

/* The numbers of the table at `index` as floats, in memory that Lua frees; left on the stack. */
const float* push_floats(lua_State* L, int index, size_t* count) {
  luaL_checktype(L, index, LUA_TTABLE);
  *count = lua_rawlen(L, index);
  if (*count > MAX_VECTOR) luaL_error(L, "a vector of more than %d numbers", MAX_VECTOR);
  float* floats = push_array(L, *count, sizeof(*floats));
  for (size_t i = 0; i < *count; ++i) {
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    floats[i] = (float)luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  return floats;
}

/* The vector of the table at `index`, left on the stack; null if it has none. */
static const float* vector_field(lua_State* L, int index, size_t* count) {
  *count = 0;
  if (lua_getfield(L, index, "vector") == LUA_TNIL) return NULL;
  return push_floats(L, lua_gettop(L), count);
}

static void push_answer(lua_State* L, const weir_cache_answer* answer) {
  const char* name = NULL;
  size_t size = 0;
  lua_createtable(L, 0, 6);
  lua_pushinteger(L, answer->found);
  lua_setfield(L, -2, "found");
  if (answer->found == WEIR_CACHE_MISS &&
      weir_cache_miss_name(answer->miss, &name, &size) == WEIR_OK) {
    lua_pushlstring(L, name, size);
    lua_setfield(L, -2, "miss");
  }
  lua_pushnumber(L, answer->similarity);
  lua_setfield(L, -2, "similarity");
  lua_pushnumber(L, answer->similarity_error);
  lua_setfield(L, -2, "similarity_error");
  lua_pushinteger(L, (lua_Integer)answer->entry);
  lua_setfield(L, -2, "entry");
  lua_pushnumber(L, (lua_Number)answer->age_ns / 1e6);
  lua_setfield(L, -2, "age_ms");
}

static int cache_lookup(lua_State* L) {
  static const char* const kOthers[] = {"vector", "min_similarity", "exclude", NULL};
  NEW_ERROR;
  weir_cache* cache = cache_of(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  const weir_now now = now_at(L, 3);
  weir_cache_query query;
  memset(&query, 0, sizeof(query));
  query.size = sizeof(query);
  fill_struct(L, 2, weir_cache_query_fields, &query, kOthers);
  query.min_similarity = number_field(L, 2, "min_similarity");
  if (lua_getfield(L, 2, "exclude") != LUA_TNIL) {
    luaL_checktype(L, -1, LUA_TTABLE);
    const size_t count = lua_rawlen(L, -1);
    luaL_argcheck(L, count <= sizeof(query.exclude) / sizeof(*query.exclude), 2,
                  "exclude: at most 4 entries");
    for (size_t i = 0; i < count; ++i) {
      lua_rawgeti(L, -1, (lua_Integer)i + 1);
      query.exclude[i] = (uint64_t)luaL_checkinteger(L, -1);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  query.vector = vector_field(L, 2, &query.vector_size);
  weir_cache_answer answer;
  answer.size = sizeof(answer);
  size_t capacity = 4096, needed = 0;
  char* buffer = push_array(L, capacity, 1);
  weir_status status;
  while ((status = weir_cache_lookup(cache, &query, &now, buffer, capacity, &needed, &answer,
                                     &error)) == WEIR_OUT_OF_RANGE) {
    lua_pop(L, 1);
    capacity = needed;
    buffer = push_array(L, capacity, 1);
  }
  if (status != WEIR_OK) return push_fault(L, &error);
  if (answer.found == WEIR_CACHE_MISS) {
    lua_pushnil(L);
  } else {
    lua_pushlstring(L, buffer, needed);
  }
  push_answer(L, &answer);
  return 2;
}

/* Of a tentative look-up's second result, whether the value was given. */
static int cache_confirm(lua_State* L) {
  NEW_ERROR;
  weir_cache* cache = cache_of(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  weir_cache_answer answer;
  memset(&answer, 0, sizeof(answer));
  answer.size = sizeof(answer);
  lua_getfield(L, 2, "found");
  answer.found = (int32_t)luaL_checkinteger(L, -1);
  lua_getfield(L, 2, "entry");
  answer.entry = (uint64_t)luaL_checkinteger(L, -1);
  answer.similarity = number_field(L, 2, "similarity");
  if (lua_getfield(L, 2, "miss") != LUA_TNIL) {
    const char* miss = luaL_checkstring(L, -1);
    const char* name = NULL;
    size_t size = 0;
    while (weir_cache_miss_name(answer.miss, &name, &size) == WEIR_OK &&
           (strlen(miss) != size || memcmp(miss, name, size) != 0)) {
      ++answer.miss;
    }
  }
  return push_done(L, weir_cache_confirm(cache, &answer, lua_toboolean(L, 3), &error), &error);
}

static int cache_insert(lua_State* L) {
  static const char* const kOthers[] = {"vector", "ttl_ms", NULL};
  NEW_ERROR;
  weir_cache* cache = cache_of(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  const weir_now now = now_at(L, 3);
  weir_cache_entry entry;
  memset(&entry, 0, sizeof(entry));
  entry.size = sizeof(entry);
  fill_struct(L, 2, weir_cache_entry_fields, &entry, kOthers);
  if (lua_getfield(L, 2, "ttl_ms") != LUA_TNIL) entry.ttl_ns = ns_of_ms(L, lua_gettop(L));
  entry.vector = vector_field(L, 2, &entry.vector_size);
  uint64_t id = 0;
  if (weir_cache_insert(cache, &entry, &now, &id, &error) != WEIR_OK) return push_fault(L, &error);
  lua_pushinteger(L, (lua_Integer)id);
  return 1;
}

/* Pushes true, false when the entry is gone, or nil and the error. */
static int push_found(lua_State* L, weir_status status, const weir_error* error) {
  if (status != WEIR_NOT_FOUND) return push_done(L, status, error);
  lua_pushboolean(L, 0);
  return 1;
}

static int cache_touch(lua_State* L) {
  NEW_ERROR;
  const int64_t ttl_ns = lua_isnoneornil(L, 3) ? 0 : ns_of_ms(L, 3);
  const weir_now now = now_at(L, 4);
  const uint64_t id = (uint64_t)luaL_checkinteger(L, 2);
  return push_found(L, weir_cache_touch(cache_of(L), id, ttl_ns, &now, &error), &error);
}

static int cache_remove(lua_State* L) {
  NEW_ERROR;
  const uint64_t id = (uint64_t)luaL_checkinteger(L, 2);
  return push_found(L, weir_cache_remove(cache_of(L), id, &error), &error);
}

static int cache_purge(lua_State* L) {
  NEW_ERROR;
  int32_t which = WEIR_PURGE_ALL;
  const char* partition = "";
  size_t partition_size = 0;
  uint64_t tag = 0, removed = 0;
  if (!lua_isnoneornil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    if (lua_getfield(L, 2, "partition") != LUA_TNIL) {
      which = WEIR_PURGE_PARTITION;
      partition = luaL_checklstring(L, -1, &partition_size);
    } else if (lua_getfield(L, 2, "model") != LUA_TNIL) {
      which = WEIR_PURGE_MODEL;
      tag = (uint64_t)luaL_checkinteger(L, -1);
    } else {
      lua_getfield(L, 2, "scope");
      which = WEIR_PURGE_SCOPE;
      tag = (uint64_t)luaL_checkinteger(L, -1);
    }
  }
  if (weir_cache_purge(cache_of(L), which, partition, partition_size, tag, &removed, &error) !=
      WEIR_OK) {
    return push_fault(L, &error);
  }
  lua_pushinteger(L, (lua_Integer)removed);
  return 1;
}

static int cache_stats(lua_State* L) {
  weir_cache* cache = cache_of(L);
  RETURN_WRITTEN(L, weir_cache_stats_json(cache, buffer, capacity, &needed, &error));
}

static int lexical_embed(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  const char* text = luaL_checklstring(L, 1, &size);
  const lua_Integer dimensions = luaL_optinteger(L, 2, 512);
  luaL_argcheck(L, dimensions > 0 && dimensions <= MAX_VECTOR, 2, "no such number of dimensions");
  const size_t count = (size_t)dimensions;
  float* floats = push_array(L, count, sizeof(*floats));
  if (weir_lexical_embed(text, size, floats, count, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; ++i) {
    lua_pushnumber(L, floats[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static int compare_meaning(lua_State* L) {
  NEW_ERROR;
  size_t asked_size = 0, stored_size = 0, name_size = 0;
  const char* asked = luaL_checklstring(L, 1, &asked_size);
  const char* stored = luaL_checklstring(L, 2, &stored_size);
  const char* name = "";
  const uint32_t guards = (uint32_t)luaL_optinteger(L, 3, 0);
  weir_meaning_verdict verdict;
  verdict.size = sizeof(verdict);
  if (weir_meaning_compare(asked, asked_size, stored, stored_size, guards, &verdict, &error) !=
      WEIR_OK) {
    return push_fault(L, &error);
  }
  lua_pushboolean(L, (int)verdict.allowed);
  if (verdict.allowed) return 1;
  weir_meaning_guard_name(verdict.guard, &name, &name_size);
  lua_pushlstring(L, name, name_size);
  lua_pushlstring(L, verdict.asked, verdict.asked_size);
  lua_pushlstring(L, verdict.stored, verdict.stored_size);
  return 4;
}

static const luaL_Reg kMethods[] = {
    {"lookup", cache_lookup}, {"insert", cache_insert},   {"touch", cache_touch},
    {"remove", cache_remove}, {"confirm", cache_confirm}, {"purge", cache_purge},
    {"stats", cache_stats},   {"free", cache_free},       {NULL, NULL}};

static const luaL_Reg kFunctions[] = {{"cache", new_cache},
                                      {"lexical_embed", lexical_embed},
                                      {"compare_meaning", compare_meaning},
                                      {NULL, NULL}};

void add_caching(lua_State* L) {
  new_type(L, CACHE, kMethods, cache_free);
  luaL_setfuncs(L, kFunctions, 0);
}
