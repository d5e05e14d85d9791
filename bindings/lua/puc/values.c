/* Errors, handles, times. */

#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lua_weir.h"

/* ---- Errors ---- */

static void push_error(lua_State* L, const weir_error* error) {
  lua_createtable(L, 0, 5);
  lua_pushinteger(L, error->code);
  lua_setfield(L, -2, "code");
  lua_pushstring(L, error->message);
  lua_setfield(L, -2, "message");
  lua_pushinteger(L, error->line);
  lua_setfield(L, -2, "line");
  lua_pushinteger(L, error->column);
  lua_setfield(L, -2, "column");
  lua_pushinteger(L, (lua_Integer)error->offset);
  lua_setfield(L, -2, "offset");
  luaL_setmetatable(L, "weir.error");
}

int push_fault(lua_State* L, const weir_error* error) {
  lua_pushnil(L);
  push_error(L, error);
  return 2;
}

int push_bare_fault(lua_State* L, weir_status status) {
  const char* why = status == WEIR_OUT_OF_RANGE          ? "no such index"
                    : status == WEIR_FAILED_PRECONDITION ? "an engine has the policy already"
                                                         : "the handle is closed";
  weir_error error = {.size = sizeof(error), .code = status};
  memcpy(error.message, why, strlen(why));
  return push_fault(L, &error);
}

int push_done(lua_State* L, weir_status status, const weir_error* error) {
  if (status != WEIR_OK) return push_fault(L, error);
  lua_pushboolean(L, 1);
  return 1;
}

static int error_text(lua_State* L) {
  lua_getfield(L, 1, "message");
  return 1;
}

/* ---- Handles ---- */

handle_box* push_box(lua_State* L, const char* type, void* handle) {
  handle_box* box = lua_newuserdata(L, sizeof(*box));
  memset(box, 0, sizeof(*box));
  box->handle = handle;
  luaL_setmetatable(L, type);
  return box;
}

handle_box* box_of(lua_State* L, int index, const char* type) {
  return luaL_checkudata(L, index, type);
}

void* handle_of(lua_State* L, int index, const char* type) {
  return box_of(L, index, type)->handle;
}

void retain_owner(lua_State* L, int owner) {
  handle_box* box = lua_touserdata(L, owner);
  ++box->users;
  lua_pushvalue(L, owner);
  lua_setuservalue(L, -2);
}

void drop_box(handle_box* box, void (*free_handle)(void*)) {
  if (box->users > 0) {
    box->is_dropped = 1;
    return;
  }
  free_handle(box->handle);
  box->handle = NULL;
}

void release_owner(lua_State* L, int index, void (*free_handle)(void*)) {
  lua_getuservalue(L, index);
  handle_box* owner = lua_touserdata(L, -1);
  if (owner != NULL && --owner->users == 0 && owner->is_dropped) drop_box(owner, free_handle);
  lua_pop(L, 1);
  lua_pushnil(L);
  lua_setuservalue(L, index);
}

void new_type(lua_State* L, const char* type, const luaL_Reg* methods, lua_CFunction close) {
  luaL_newmetatable(L, type);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  if (close != NULL) {
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
}

/* ---- Times ---- */

static int64_t read_clock(clockid_t clock) {
  struct timespec time = {0, 0};
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static weir_now read_clocks(void) {
  const weir_now now = {read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_REALTIME)};
  return now;
}

weir_now now_at(lua_State* L, int index) {
  if (lua_isnoneornil(L, index)) return read_clocks();
  return *(const weir_now*)luaL_checkudata(L, index, "weir.now");
}

int64_t ns_of_ms(lua_State* L, int index) {
  const lua_Number ms = luaL_checknumber(L, index);
  const lua_Number whole = floor(ms);
  return (int64_t)whole * 1000000 + (int64_t)floor((ms - whole) * 1e6);
}

void push_until_ms(lua_State* L, int64_t mono_ns, const weir_now* now) {
  lua_pushnumber(L, mono_ns == WEIR_NEVER ? HUGE_VAL : (lua_Number)(mono_ns - now->mono_ns) / 1e6);
}

void push_i64(lua_State* L, int64_t value) {
  if (value == WEIR_NEVER) {
    lua_pushnumber(L, HUGE_VAL);
  } else {
    lua_pushinteger(L, value);
  }
}

uint64_t random_seed(void) {
  uint64_t seed = 0;
  return getentropy(&seed, sizeof(seed)) == 0 ? seed : 0;
}

static int new_now(lua_State* L) {
  weir_now now = lua_isnoneornil(L, 1) ? read_clocks() : (weir_now){0, 0};
  if (!lua_isnoneornil(L, 1)) {
    now.mono_ns = ns_of_ms(L, 1);
    now.unix_ns = ns_of_ms(L, 2);
  }
  *(weir_now*)lua_newuserdata(L, sizeof(now)) = now;
  luaL_setmetatable(L, "weir.now");
  return 1;
}

static int now_read(lua_State* L) {
  *(weir_now*)luaL_checkudata(L, 1, "weir.now") = read_clocks();
  lua_settop(L, 1);
  return 1;
}

static int now_set(lua_State* L) {
  weir_now* now = luaL_checkudata(L, 1, "weir.now");
  now->mono_ns = ns_of_ms(L, 2);
  now->unix_ns = ns_of_ms(L, 3);
  lua_settop(L, 1);
  return 1;
}

static int now_mono_ms(lua_State* L) {
  const weir_now* now = luaL_checkudata(L, 1, "weir.now");
  lua_pushnumber(L, (lua_Number)now->mono_ns / 1e6);
  return 1;
}

static int now_unix_ms(lua_State* L) {
  const weir_now* now = luaL_checkudata(L, 1, "weir.now");
  lua_pushnumber(L, (lua_Number)now->unix_ns / 1e6);
  return 1;
}

static int version(lua_State* L) {
  lua_pushstring(L, weir_version());
  return 1;
}

static int version_number(lua_State* L) {
  lua_pushinteger(L, weir_version_number());
  return 1;
}

static const luaL_Reg kNowMethods[] = {{"read", now_read},
                                       {"set", now_set},
                                       {"mono_ms", now_mono_ms},
                                       {"unix_ms", now_unix_ms},
                                       {NULL, NULL}};

static const luaL_Reg kFunctions[] = {
    {"now", new_now}, {"version", version}, {"version_number", version_number}, {NULL, NULL}};

void add_values(lua_State* L) {
  new_type(L, "weir.now", kNowMethods, NULL);
  luaL_newmetatable(L, "weir.error");
  lua_pushcfunction(L, error_text);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
  luaL_setfuncs(L, kFunctions, 0);
}
