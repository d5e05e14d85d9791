/* The limiter for anything, and the state that processes share. */

#include <math.h>
#include <string.h>

#include "lua_weir.h"

#define STATE "weir.state"
#define LIMITER "weir.limiter"
#define RESERVATION "weir.reservation"

#define MAX_CHARGES 64

/* ---- State ---- */

static int new_state(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  const char* path = luaL_optlstring(L, 1, "", &size);
  weir_state_options options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  fill_struct(L, 2, weir_state_options_fields, &options, NULL);
  if (options.seed == 0) options.seed = random_seed();
  handle_box* box = push_box(L, STATE, NULL);
  weir_state* state = NULL;
  if (weir_state_open(path, size, &options, &state, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  box->handle = state;
  return 1;
}

static int state_free(lua_State* L) {
  handle_box* box = box_of(L, 1, STATE);
  weir_state_free(box->handle);
  box->handle = NULL;
  return 0;
}

static int state_report(lua_State* L) {
  size_t size = 0;
  const char* path = luaL_checklstring(L, 1, &size);
  const uint32_t top = (uint32_t)luaL_optinteger(L, 2, 10);
  const weir_now now = now_at(L, 3);
  RETURN_WRITTEN(L,
                 weir_state_report_json(path, size, top, &now, buffer, capacity, &needed, &error));
}

/* ---- Charges ---- */

static void read_charge(lua_State* L, int index, weir_limit_charge* charge) {
  memset(charge, 0, sizeof(*charge));
  charge->size = sizeof(*charge);
  charge->rule = (uint32_t)(integer_field(L, index, "rule", 0) - 1);
  charge->key = text_field(L, index, "key", &charge->key_size);
  charge->cost = (uint64_t)integer_field(L, index, "cost", 0);
  charge->headroom = (uint64_t)integer_field(L, index, "headroom", 0);
  charge->learned = integer_field(L, index, "learned", 0) != 0;
  charge->weight = (uint32_t)integer_field(L, index, "weight", 0);
  charge->model = text_field(L, index, "model", &charge->model_size);
  const lua_Integer amount = integer_field(L, index, "amount", -1);
  charge->has_amount = amount >= 0;
  charge->amount = amount >= 0 ? (uint64_t)amount : 0;
}

static size_t list_size(lua_State* L, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  const size_t count = lua_rawlen(L, index);
  if (count > MAX_CHARGES) luaL_error(L, "more than %d charges", MAX_CHARGES);
  return count;
}

static size_t read_charges(lua_State* L, int index, weir_limit_charge* charges) {
  const size_t count = list_size(L, index);
  for (size_t i = 0; i < count; ++i) {
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    read_charge(L, lua_gettop(L), &charges[i]);
    lua_pop(L, 1);
  }
  return count;
}

/* ---- Reservations ---- */

typedef struct reservation_box {
  weir_limiter* limiter;
  weir_reservation* reservation;
  size_t count;
  weir_limit_decision decision;
  weir_limit_verdict verdicts[MAX_CHARGES];
} reservation_box;

static reservation_box* reservation_of(lua_State* L) { return luaL_checkudata(L, 1, RESERVATION); }

static void free_limiter(void* limiter) { weir_limiter_free(limiter); }

/* What its limiter owns stays until the last reservation of it has gone. */
static void close_reservation(lua_State* L, int index) {
  reservation_box* box = luaL_checkudata(L, index, RESERVATION);
  if (box->limiter == NULL) return;
  weir_reservation_free(box->reservation);
  box->reservation = NULL;
  box->limiter = NULL;
  release_owner(L, index, free_limiter);
}

static int reservation_free(lua_State* L) {
  close_reservation(L, 1);
  return 0;
}

static int reservation_admitted(lua_State* L) {
  lua_pushboolean(L, reservation_of(L)->decision.admitted != 0);
  return 1;
}

static int reservation_table_full(lua_State* L) {
  lua_pushboolean(L, reservation_of(L)->decision.table_full != 0);
  return 1;
}

static int reservation_retry_after_ms(lua_State* L) {
  const int64_t ns = reservation_of(L)->decision.retry_after_ns;
  lua_pushnumber(L, ns == WEIR_NEVER ? HUGE_VAL : ceil((lua_Number)ns / 1e6));
  return 1;
}

static int reservation_binding(lua_State* L) {
  const int32_t binding = reservation_of(L)->decision.binding;
  if (binding < 0) {
    lua_pushnil(L);
  } else {
    lua_pushinteger(L, binding + 1);
  }
  return 1;
}

static void push_verdict(lua_State* L, const weir_limit_verdict* verdict) {
  push_struct(L, weir_limit_verdict_fields, verdict);
  lua_pushinteger(L, (lua_Integer)verdict->rule + 1);
  lua_setfield(L, -2, "rule");
  lua_pushboolean(L, verdict->admitted != 0);
  lua_setfield(L, -2, "admitted");
}

static int reservation_verdict(lua_State* L) {
  const reservation_box* box = reservation_of(L);
  const lua_Integer index = luaL_checkinteger(L, 2);
  if (index < 1 || (size_t)index > box->count) {
    lua_pushnil(L);
  } else {
    push_verdict(L, &box->verdicts[index - 1]);
  }
  return 1;
}

static int reservation_settle(lua_State* L) {
  NEW_ERROR;
  weir_limit_actual actuals[MAX_CHARGES];
  reservation_box* box = reservation_of(L);
  const size_t count = list_size(L, 2);
  for (size_t i = 0; i < count; ++i) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    const int at = lua_gettop(L);
    actuals[i].size = sizeof(actuals[i]);
    actuals[i].cost = (uint64_t)integer_field(L, at, "cost", 0);
    actuals[i].headroom_used = (uint64_t)integer_field(L, at, "headroom_used", 0);
    actuals[i].unlearned = integer_field(L, at, "unlearned", 0) != 0;
    lua_pop(L, 1);
  }
  const weir_now now = now_at(L, 3);
  return push_done(
      L, weir_limiter_settle(box->limiter, box->reservation, actuals, count, &now, &error), &error);
}

static int reservation_release(lua_State* L) {
  NEW_ERROR;
  reservation_box* box = reservation_of(L);
  const weir_now now = now_at(L, 2);
  return push_done(L, weir_limiter_release(box->limiter, box->reservation, &now, &error), &error);
}

static int reservation_top_up(lua_State* L) {
  NEW_ERROR;
  uint64_t more[MAX_CHARGES];
  reservation_box* box = reservation_of(L);
  const size_t count = list_size(L, 2);
  for (size_t i = 0; i < count; ++i) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    more[i] = (uint64_t)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
  }
  const weir_now now = now_at(L, 3);
  if (weir_limiter_top_up(box->limiter, box->reservation, more, count, &now, box->verdicts,
                          &box->decision, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  lua_pushboolean(L, box->decision.admitted != 0);
  return 1;
}

/* ---- Limiter ---- */

static int new_limiter(lua_State* L) {
  static const char* const kOthers[] = {"state", NULL};
  NEW_ERROR;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  const size_t count = lua_rawlen(L, 1);
  weir_limit_rule* rules = push_array(L, count, sizeof(*rules));
  for (size_t i = 0; i < count; ++i) {
    rules[i].size = sizeof(rules[i]);
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    fill_struct(L, lua_gettop(L), weir_limit_rule_fields, &rules[i], NULL);
    lua_pop(L, 1);
  }
  weir_limiter_options options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  fill_struct(L, 2, weir_limiter_options_fields, &options, kOthers);
  if (options.seed == 0) options.seed = random_seed();
  weir_state* state = handle_field(L, 2, "state", STATE);
  handle_box* box = push_box(L, LIMITER, NULL);
  weir_limiter* limiter = NULL;
  if (weir_limiter_new(state, rules, count, &options, &limiter, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  box->handle = limiter;
  return 1;
}

static int limiter_free(lua_State* L) {
  drop_box(box_of(L, 1, LIMITER), free_limiter);
  return 0;
}

/* A box for an answer on top of the stack: the one at `index`, which ended, or a new one. */
static reservation_box* answer_box(lua_State* L, int index) {
  reservation_box* box;
  if (lua_isnoneornil(L, index)) {
    box = lua_newuserdata(L, sizeof(*box));
    box->limiter = NULL;
    luaL_setmetatable(L, RESERVATION);
  } else {
    close_reservation(L, index);
    lua_pushvalue(L, index);
    box = lua_touserdata(L, -1);
  }
  box->reservation = NULL;
  box->decision.size = sizeof(box->decision);
  box->verdicts[0].size = sizeof(box->verdicts[0]);
  return box;
}

static int limiter_reserve(lua_State* L) {
  NEW_ERROR;
  weir_limit_charge charges[MAX_CHARGES];
  weir_limiter* limiter = handle_of(L, 1, LIMITER);
  const size_t count = read_charges(L, 2, charges);
  const weir_now now = now_at(L, 3);
  reservation_box* box = answer_box(L, 4);
  if (weir_limiter_reserve(limiter, charges, count, &now, box->verdicts, &box->decision,
                           &box->reservation, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  box->limiter = limiter;
  box->count = count;
  retain_owner(L, 1);
  return 1;
}

static int limiter_take(lua_State* L) {
  NEW_ERROR;
  weir_limit_charge charges[MAX_CHARGES];
  weir_limiter* limiter = handle_of(L, 1, LIMITER);
  const size_t count = read_charges(L, 2, charges);
  const weir_now now = now_at(L, 3);
  reservation_box* box = answer_box(L, 4);
  if (weir_limiter_take(limiter, charges, count, &now, box->verdicts, &box->decision, &error) !=
      WEIR_OK) {
    return push_fault(L, &error);
  }
  box->count = count;
  return 1;
}

static int limiter_peek(lua_State* L) {
  NEW_ERROR;
  weir_limit_charge charge;
  weir_limit_verdict verdict;
  weir_limiter* limiter = handle_of(L, 1, LIMITER);
  luaL_checktype(L, 2, LUA_TTABLE);
  read_charge(L, 2, &charge);
  const weir_now now = now_at(L, 3);
  verdict.size = sizeof(verdict);
  if (weir_limiter_peek(limiter, &charge, &now, &verdict, &error) != WEIR_OK) {
    return push_fault(L, &error);
  }
  push_verdict(L, &verdict);
  return 1;
}

static int limiter_book(lua_State* L) {
  NEW_ERROR;
  weir_limit_charge charge;
  weir_limiter* limiter = handle_of(L, 1, LIMITER);
  luaL_checktype(L, 2, LUA_TTABLE);
  read_charge(L, 2, &charge);
  const weir_now now = now_at(L, 3);
  return push_done(L, weir_limiter_book(limiter, &charge, &now, &error), &error);
}

static int limiter_override(lua_State* L) {
  NEW_ERROR;
  size_t size = 0;
  weir_limiter* limiter = handle_of(L, 1, LIMITER);
  const uint32_t rule = (uint32_t)(luaL_checkinteger(L, 2) - 1);
  const char* key = luaL_optlstring(L, 3, NULL, &size);
  const uint64_t amount = (uint64_t)luaL_checkinteger(L, 4);
  const int64_t for_ms = luaL_checkinteger(L, 5);
  const weir_now now = now_at(L, 6);
  return push_done(L, weir_limiter_override(limiter, rule, key, size, amount, for_ms, &now, &error),
                   &error);
}

static int limiter_restarted(lua_State* L) {
  const weir_limiter* limiter = handle_of(L, 1, LIMITER);
  const char* name = NULL;
  size_t size = 0;
  lua_newtable(L);
  for (uint32_t i = 0; weir_limiter_restarted(limiter, i, &name, &size) == WEIR_OK; ++i) {
    lua_pushlstring(L, name, size);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static const luaL_Reg kStateMethods[] = {{"free", state_free}, {NULL, NULL}};

static const luaL_Reg kReservationMethods[] = {{"admitted", reservation_admitted},
                                               {"table_full", reservation_table_full},
                                               {"retry_after_ms", reservation_retry_after_ms},
                                               {"binding", reservation_binding},
                                               {"verdict", reservation_verdict},
                                               {"settle", reservation_settle},
                                               {"release", reservation_release},
                                               {"top_up", reservation_top_up},
                                               {"free", reservation_free},
                                               {NULL, NULL}};

static const luaL_Reg kLimiterMethods[] = {
    {"reserve", limiter_reserve},   {"take", limiter_take},
    {"peek", limiter_peek},         {"book", limiter_book},
    {"override", limiter_override}, {"restarted", limiter_restarted},
    {"free", limiter_free},         {NULL, NULL}};

static const luaL_Reg kFunctions[] = {
    {"state", new_state}, {"state_report", state_report}, {"limiter", new_limiter}, {NULL, NULL}};

void add_limiting(lua_State* L) {
  new_type(L, STATE, kStateMethods, state_free);
  new_type(L, RESERVATION, kReservationMethods, reservation_free);
  new_type(L, LIMITER, kLimiterMethods, limiter_free);
  luaL_setfuncs(L, kFunctions, 0);
}
