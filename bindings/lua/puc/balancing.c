/* The balancer for anything that has several. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_weir.h"

#define BALANCER "weir.balancer"
#define MAX_REFUSED 1024 /* as many as there may be members */
#define ID_DIGITS 16

static weir_balancer* balancer_of(lua_State* L) { return handle_of(L, 1, BALANCER); }
static int32_t member_at(lua_State* L, int index) {
  return (int32_t)(luaL_checkinteger(L, index) - 1);
}

static int new_balancer(lua_State* L) {
  static const char* const kOthers[] = {"state", NULL};
  NEW_ERROR;
  size_t name_size = 0;
  const char* name = luaL_checklstring(L, 1, &name_size);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 3);
  const size_t count = lua_rawlen(L, 2);
  weir_balance_member* members = push_array(L, count, sizeof(*members));
  for (size_t i = 0; i < count; ++i) {
    members[i].size = sizeof(members[i]);
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    fill_struct(L, lua_gettop(L), weir_balance_member_fields, &members[i], NULL);
    lua_pop(L, 1);
  }
  weir_balancer_options options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  fill_struct(L, 3, weir_balancer_options_fields, &options, kOthers);
  if (options.seed == 0) options.seed = random_seed();
  weir_state* state = handle_field(L, 3, "state", "weir.state");
  handle_box* box = push_box(L, BALANCER, NULL);
  weir_balancer* balancer = NULL;
  if (weir_balancer_new(state, name, name_size, members, count, &options, &balancer, &error) !=
      WEIR_OK) {
    return push_fault(L, &error);
  }
  box->handle = balancer;
  return 1;
}

static int balancer_free(lua_State* L) {
  handle_box* box = box_of(L, 1, BALANCER);
  weir_balancer_free(box->handle);
  box->handle = NULL;
  return 0;
}

/* The members that the table at `index` refuses. */
static size_t read_refused(lua_State* L, int index, uint16_t* refused) {
  size_t count = 0;
  if (lua_getfield(L, index, "refused") != LUA_TNIL) {
    luaL_checktype(L, -1, LUA_TTABLE);
    count = lua_rawlen(L, -1);
    if (count > MAX_REFUSED) luaL_error(L, "more than %d members", MAX_REFUSED);
    for (size_t i = 0; i < count; ++i) {
      lua_rawgeti(L, -1, (lua_Integer)i + 1);
      refused[i] = (uint16_t)member_at(L, -1);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  return count;
}

static int balancer_pick(lua_State* L) {
  NEW_ERROR;
  uint16_t refused[MAX_REFUSED];
  weir_balancer* balancer = balancer_of(L);
  weir_balance_ask ask;
  memset(&ask, 0, sizeof(ask));
  ask.size = sizeof(ask);
  if (!lua_isnoneornil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    const lua_Integer prefer = integer_field(L, 2, "prefer", 0);
    ask.key = text_field(L, 2, "key", &ask.key_size);
    ask.refused_count = read_refused(L, 2, refused);
    ask.refused = refused;
    ask.start = integer_field(L, 2, "start", 0) != 0;
    ask.sticky = integer_field(L, 2, "sticky", 0) != 0;
    ask.has_prefer = prefer > 0;
    ask.prefer = prefer > 0 ? (int32_t)(prefer - 1) : 0;
  }
  const weir_now now = now_at(L, 3);
  int32_t member = -1;
  int64_t returns_at_ns = 0;
  if (weir_balancer_pick(balancer, &ask, &now, &member, &returns_at_ns, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  if (member >= 0) {
    lua_pushinteger(L, member + 1);
    return 1;
  }
  lua_pushnil(L);
  push_until_ms(L, returns_at_ns, &now);
  return 2;
}

static int balancer_unused(lua_State* L) {
  NEW_ERROR;
  return push_done(L, weir_balancer_unused(balancer_of(L), member_at(L, 2), &error), &error);
}

static int balancer_started(lua_State* L) {
  NEW_ERROR;
  const weir_now now = now_at(L, 3);
  return push_done(L, weir_balancer_started(balancer_of(L), member_at(L, 2), &now, &error), &error);
}

static int balancer_first_token(lua_State* L) {
  NEW_ERROR;
  const int64_t ttft_ns = ns_of_ms(L, 3);
  const weir_now now = now_at(L, 4);
  return push_done(
      L, weir_balancer_first_token(balancer_of(L), member_at(L, 2), ttft_ns, &now, &error), &error);
}

static int balancer_finished(lua_State* L) {
  NEW_ERROR;
  const int32_t failed = lua_toboolean(L, 3);
  const weir_now now = now_at(L, 4);
  return push_done(L, weir_balancer_finished(balancer_of(L), member_at(L, 2), failed, &now, &error),
                   &error);
}

static int balancer_rest(lua_State* L) {
  NEW_ERROR;
  const weir_now now = now_at(L, 5);
  const int forever = isinf(luaL_checknumber(L, 3));
  const int64_t until_ns = forever ? WEIR_NEVER : now.mono_ns + ns_of_ms(L, 3);
  const int32_t why = (int32_t)luaL_checkinteger(L, 4);
  return push_done(
      L, weir_balancer_rest(balancer_of(L), member_at(L, 2), until_ns, why, &now, &error), &error);
}

static int balancer_wake(lua_State* L) {
  NEW_ERROR;
  const weir_now now = now_at(L, 3);
  return push_done(L, weir_balancer_wake(balancer_of(L), member_at(L, 2), &now, &error), &error);
}

static int balancer_member_id(lua_State* L) {
  NEW_ERROR;
  uint64_t id = 0;
  if (weir_balancer_member_id(balancer_of(L), member_at(L, 2), &id, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  char text[ID_DIGITS + 1];
  snprintf(text, sizeof(text), "%016llx", (unsigned long long)id);
  lua_pushstring(L, text);
  return 1;
}

static int balancer_find_member(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  int32_t member = 0;
  const char* text = luaL_checklstring(L, 2, &size);
  if (size != ID_DIGITS || strspn(text, "0123456789abcdefABCDEF") != ID_DIGITS) {
    weir_error unknown = {
        .size = sizeof(unknown), .code = WEIR_NOT_FOUND, .message = "no member has this id"};
    return push_fault(L, &unknown);
  }
  const uint64_t id = strtoull(text, NULL, 16);
  if (weir_balancer_find_member(balancer_of(L), id, &member, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  lua_pushinteger(L, member + 1);
  return 1;
}

static int balancer_report(lua_State* L) {
  weir_balancer* balancer = balancer_of(L);
  const weir_now now = now_at(L, 2);
  RETURN_WRITTEN(L, weir_balancer_report_json(balancer, &now, buffer, capacity, &needed, &error));
}

static const luaL_Reg kBalancerMethods[] = {{"pick", balancer_pick},
                                            {"unused", balancer_unused},
                                            {"started", balancer_started},
                                            {"first_token", balancer_first_token},
                                            {"finished", balancer_finished},
                                            {"rest", balancer_rest},
                                            {"wake", balancer_wake},
                                            {"member_id", balancer_member_id},
                                            {"find_member", balancer_find_member},
                                            {"report", balancer_report},
                                            {"free", balancer_free},
                                            {NULL, NULL}};

static const luaL_Reg kFunctions[] = {{"balancer", new_balancer}, {NULL, NULL}};

void add_balancing(lua_State* L) {
  new_type(L, BALANCER, kBalancerMethods, balancer_free);
  luaL_setfuncs(L, kFunctions, 0);
}
