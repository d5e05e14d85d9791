/* The circuit breaker for anything that answers with a status. */

#include <string.h>

#include "lua_weir.h"

#define BREAKER "weir.breaker"
#define CIRCUIT "weir.circuit"
#define PERMIT "weir.permit"

/* ---- Permits ---- */

static weir_permit* permit_of(lua_State* L, int index) { return luaL_checkudata(L, index, PERMIT); }

static int permit_allowed(lua_State* L) {
  lua_pushboolean(L, permit_of(L, 1)->allowed != 0);
  return 1;
}

static int permit_is_probe(lua_State* L) {
  lua_pushboolean(L, permit_of(L, 1)->is_probe != 0);
  return 1;
}

static int permit_state(lua_State* L) {
  lua_pushinteger(L, permit_of(L, 1)->state);
  return 1;
}

static int permit_retry_in_ms(lua_State* L) {
  const weir_now now = now_at(L, 2);
  push_until_ms(L, permit_of(L, 1)->retry_at_mono_ns, &now);
  return 1;
}

/* The permit at `index`, which ended, or a new one; on top of the stack. */
static weir_permit* permit_box(lua_State* L, int index) {
  weir_permit* permit;
  if (lua_isnoneornil(L, index)) {
    permit = lua_newuserdata(L, sizeof(*permit));
    luaL_setmetatable(L, PERMIT);
  } else {
    permit = permit_of(L, index);
    lua_pushvalue(L, index);
  }
  memset(permit, 0, sizeof(*permit));
  permit->size = sizeof(*permit);
  return permit;
}

static int breaker_check(lua_State* L) {
  NEW_ERROR;
  const weir_breaker* breaker = handle_of(L, 1, BREAKER);
  const weir_circuit* circuit = luaL_checkudata(L, 2, CIRCUIT);
  const weir_now now = now_at(L, 3);
  weir_permit* permit = permit_box(L, 4);
  if (weir_breaker_check(breaker, circuit, &now, permit, &error) == WEIR_OK) return 1;
  return push_fault(L, &error);
}

static int breaker_acquire(lua_State* L) {
  NEW_ERROR;
  weir_breaker* breaker = handle_of(L, 1, BREAKER);
  const weir_circuit* circuit = luaL_checkudata(L, 2, CIRCUIT);
  const weir_now now = now_at(L, 3);
  weir_permit* permit = permit_box(L, 4);
  if (weir_breaker_acquire(breaker, circuit, &now, permit, &error) == WEIR_OK) return 1;
  return push_fault(L, &error);
}

/* ---- Outcomes ---- */

static int breaker_record(lua_State* L) {
  NEW_ERROR;
  weir_breaker* breaker = handle_of(L, 1, BREAKER);
  const weir_permit* permit = permit_of(L, 2);
  weir_outcome outcome = {.size = sizeof(outcome)};
  outcome.status = (int32_t)luaL_checkinteger(L, 3);
  outcome.failure = (int32_t)luaL_optinteger(L, 4, WEIR_OUTCOME_ANSWERED);
  outcome.has_asked = !lua_isnoneornil(L, 5);
  outcome.retry_after_ns = outcome.has_asked ? ns_of_ms(L, 5) : 0;
  const weir_now now = now_at(L, 6);
  weir_breaker_report report = {.size = sizeof(report)};
  if (weir_breaker_record(breaker, permit, &outcome, &now, &report, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  lua_pushstring(L, report.tripped ? "tripped" : report.reset ? "reset" : "counted");
  return 1;
}

static int breaker_cancel(lua_State* L) {
  NEW_ERROR;
  weir_breaker* breaker = handle_of(L, 1, BREAKER);
  const weir_permit* permit = permit_of(L, 2);
  const weir_now now = now_at(L, 3);
  return push_done(L, weir_breaker_cancel(breaker, permit, &now, &error), &error);
}

/* ---- Breaker ---- */

static int breaker_find(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  weir_breaker* breaker = handle_of(L, 1, BREAKER);
  const char* key = luaL_checklstring(L, 2, &size);
  const uint32_t rule_set = (uint32_t)(luaL_optinteger(L, 3, 1) - 1);
  const weir_now now = now_at(L, 4);
  weir_circuit* circuit = lua_newuserdata(L, sizeof(*circuit));
  luaL_setmetatable(L, CIRCUIT);
  memset(circuit, 0, sizeof(*circuit));
  circuit->size = sizeof(*circuit);
  if (weir_breaker_find(breaker, rule_set, key, size, &now, circuit, &error) == WEIR_OK) return 1;
  return push_fault(L, &error);
}

static int breaker_snapshot(lua_State* L) {
  const weir_breaker* breaker = handle_of(L, 1, BREAKER);
  const weir_now now = now_at(L, 2);
  RETURN_WRITTEN(L, weir_breaker_snapshot_json(breaker, &now, buffer, capacity, &needed, &error));
}

static int breaker_changes(lua_State* L) {
  const weir_breaker* breaker = handle_of(L, 1, BREAKER);
  const uint64_t since = (uint64_t)luaL_optinteger(L, 2, 0);
  RETURN_WRITTEN(L, weir_breaker_changes_json(breaker, since, buffer, capacity, &needed, &error));
}

/* One element of a rule's statuses, on top of the stack: a number, or a pair. */
static weir_status_range range_of(lua_State* L) {
  lua_Integer first = 0, last = 0;
  if (lua_istable(L, -1)) {
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    first = luaL_checkinteger(L, -2);
    last = luaL_checkinteger(L, -1);
    lua_pop(L, 2);
  } else {
    first = last = luaL_checkinteger(L, -1);
  }
  const weir_status_range range = {(uint16_t)first, (uint16_t)last};
  return range;
}

/* The list called `name` of the table at `index`, or an empty one; on top of the stack. */
static size_t push_list(lua_State* L, int index, const char* name) {
  if (lua_getfield(L, index, name) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  luaL_checktype(L, -1, LUA_TTABLE);
  return lua_rawlen(L, -1);
}

/* Reads the rule at `index`; what it points to is appended to the table at `kept`. */
static void read_rule(lua_State* L, int index, int kept, weir_breaker_rule* rule) {
  static const char* const kOthers[] = {"statuses", NULL};
  rule->size = sizeof(*rule);
  fill_struct(L, index, weir_breaker_rule_fields, rule, kOthers);
  rule->status_count = push_list(L, index, "statuses");
  const int list = lua_gettop(L);
  weir_status_range* ranges = push_array(L, rule->status_count, sizeof(*ranges));
  lua_rawseti(L, kept, (lua_Integer)lua_rawlen(L, kept) + 1);
  for (size_t i = 0; i < rule->status_count; ++i) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    ranges[i] = range_of(L);
    lua_pop(L, 1);
  }
  rule->statuses = ranges;
  lua_settop(L, list - 1);
}

static void read_rule_set(lua_State* L, int index, int kept, weir_breaker_rule_set* set) {
  static const char* const kOthers[] = {"rules", NULL};
  set->size = sizeof(*set);
  fill_struct(L, index, weir_breaker_rule_set_fields, set, kOthers);
  set->rule_count = push_list(L, index, "rules");
  const int list = lua_gettop(L);
  weir_breaker_rule* rules = push_array(L, set->rule_count, sizeof(*rules));
  lua_rawseti(L, kept, (lua_Integer)lua_rawlen(L, kept) + 1);
  for (size_t i = 0; i < set->rule_count; ++i) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    read_rule(L, lua_gettop(L), kept, &rules[i]);
    lua_pop(L, 1);
  }
  set->rules = rules;
  lua_settop(L, list - 1);
}

static int new_breaker(lua_State* L) {
  static const char* const kOthers[] = {"state", NULL};
  NEW_ERROR;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  lua_newtable(L); /* 3: what the structs point to */
  const size_t count = lua_rawlen(L, 1);
  weir_breaker_rule_set* sets = push_array(L, count, sizeof(*sets));
  for (size_t i = 0; i < count; ++i) {
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    read_rule_set(L, lua_gettop(L), 3, &sets[i]);
    lua_pop(L, 1);
  }
  weir_breaker_options options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  fill_struct(L, 2, weir_breaker_options_fields, &options, kOthers);
  if (options.seed == 0) options.seed = random_seed();
  weir_state* state = handle_field(L, 2, "state", "weir.state");
  handle_box* box = push_box(L, BREAKER, NULL);
  weir_breaker* breaker = NULL;
  if (weir_breaker_new(state, sets, count, &options, &breaker, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  box->handle = breaker;
  return 1;
}

static int breaker_free(lua_State* L) {
  handle_box* box = box_of(L, 1, BREAKER);
  weir_breaker_free(box->handle);
  box->handle = NULL;
  return 0;
}

static int retry_after(lua_State* L) {
  NEW_ERROR;
  weir_retry_headers headers;
  memset(&headers, 0, sizeof(headers));
  headers.size = sizeof(headers);
  fill_struct(L, 1, weir_retry_headers_fields, &headers, NULL);
  const int64_t cap_ns = ns_of_ms(L, 2);
  const weir_now now = now_at(L, 3);
  int64_t ns = 0;
  if (weir_retry_after(&headers, &now, cap_ns, &ns, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  if (ns < 0) {
    lua_pushnil(L);
  } else {
    lua_pushnumber(L, (lua_Number)ns / 1e6);
  }
  return 1;
}

static const luaL_Reg kPermitMethods[] = {{"allowed", permit_allowed},
                                          {"is_probe", permit_is_probe},
                                          {"state", permit_state},
                                          {"retry_in_ms", permit_retry_in_ms},
                                          {NULL, NULL}};

static const luaL_Reg kCircuitMethods[] = {{NULL, NULL}};

static const luaL_Reg kBreakerMethods[] = {
    {"find", breaker_find},       {"check", breaker_check},   {"acquire", breaker_acquire},
    {"record", breaker_record},   {"cancel", breaker_cancel}, {"snapshot", breaker_snapshot},
    {"changes", breaker_changes}, {"free", breaker_free},     {NULL, NULL}};

static const luaL_Reg kFunctions[] = {
    {"breaker", new_breaker}, {"retry_after", retry_after}, {NULL, NULL}};

void add_breaking(lua_State* L) {
  new_type(L, PERMIT, kPermitMethods, NULL);
  new_type(L, CIRCUIT, kCircuitMethods, NULL);
  new_type(L, BREAKER, kBreakerMethods, breaker_free);
  luaL_setfuncs(L, kFunctions, 0);
}
