/* The module `weir` for the reference implementation of Lua (5.3, 5.4) and hosts with it, such as
 * HAProxy. Its functions are those of the LuaJIT module; see README.md. */

#include "lua_weir.h"

#define WEIR_LUA_CONSTANT(name) {#name, WEIR_##name},
#define WEIR_LUA_STRUCT(type)
#define WEIR_LUA_NUMBER(type, field)
#define WEIR_LUA_TEXT(type, field)
#define WEIR_LUA_END(type)
static const struct {
  const char* name;
  lua_Integer value;
} kConstants[] = {
#include "declarations.inc"
};

__attribute__((visibility("default"))) int luaopen_weir(lua_State* L);

int luaopen_weir(lua_State* L) {
  lua_newtable(L);
  for (size_t i = 0; i < sizeof(kConstants) / sizeof(kConstants[0]); ++i) {
    lua_pushinteger(L, kConstants[i].value);
    lua_setfield(L, -2, kConstants[i].name);
  }
  add_values(L);
  add_engine(L);
  add_limiting(L);
  add_breaking(L);
  add_balancing(L);
  add_bookkeeping(L);
  add_caching(L);
  add_counting(L);
  return 1;
}
