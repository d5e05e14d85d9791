/* What the parts of the C module share: errors, texts, times, and tables turned into structs. */

#ifndef WEIR_BINDINGS_LUA_PUC_LUA_WEIR_H_
#define WEIR_BINDINGS_LUA_PUC_LUA_WEIR_H_

#include <lauxlib.h>
#include <lua.h>
#include <weir.h>

/* ---- Errors: nil and a table ---- */

/* An error record that is ready for a call; its text is written by weir, if at all. */
#define NEW_ERROR   \
  weir_error error; \
  error.size = sizeof(error)

/* Pushes nil and the error; 2. */
int push_fault(lua_State* L, const weir_error* error);
/* The same for calls that take no error record. */
int push_bare_fault(lua_State* L, weir_status status);
/* Pushes true, or nil and the error. */
int push_done(lua_State* L, weir_status status, const weir_error* error);

/* ---- Handles: userdata of a pointer ---- */

/* `users` count handles that need this one: it is freed after the last of them. */
typedef struct handle_box {
  void* handle;
  unsigned users;
  int is_dropped;
} handle_box;

handle_box* push_box(lua_State* L, const char* type, void* handle);
handle_box* box_of(lua_State* L, int index, const char* type);
void* handle_of(lua_State* L, int index, const char* type);

/* The userdata on top of the stack needs the handle of the one at `owner`. */
void retain_owner(lua_State* L, int owner);
/* The userdata at `index` needs it no longer. */
void release_owner(lua_State* L, int index, void (*free_handle)(void*));
void drop_box(handle_box* box, void (*free_handle)(void*));

/* A metatable called `type` with these methods; `close` is its finalizer, or null. */
void new_type(lua_State* L, const char* type, const luaL_Reg* methods, lua_CFunction close);

/* ---- Times ---- */

/* The instant at this argument, a weir.now, or what the clocks say. */
weir_now now_at(lua_State* L, int index);
int64_t ns_of_ms(lua_State* L, int index);
/* Pushes the milliseconds from `now` until a time of the monotonic clock. */
void push_until_ms(lua_State* L, int64_t mono_ns, const weir_now* now);
/* A whole number, or math.huge for WEIR_NEVER. */
void push_i64(lua_State* L, int64_t value);
uint64_t random_seed(void);

/* ---- Texts that weir writes ---- */

/* Makes `call` with `buffer`, `capacity`, `needed` and `error`, again when it needs more room, and
 * returns from the function with its text or its error. */
#define RETURN_WRITTEN(L, call)                                    \
  do {                                                             \
    NEW_ERROR;                                                     \
    luaL_Buffer written;                                           \
    size_t capacity = 4096, needed = 0;                            \
    char* buffer = luaL_buffinitsize(L, &written, capacity);       \
    weir_status status;                                            \
    while ((status = (call)) == WEIR_OUT_OF_RANGE) {               \
      luaL_pushresultsize(&written, 0);                            \
      lua_pop(L, 1);                                               \
      capacity = needed + 1024;                                    \
      buffer = luaL_buffinitsize(L, &written, capacity);           \
    }                                                              \
    luaL_pushresultsize(&written, status == WEIR_OK ? needed : 0); \
    return status == WEIR_OK ? 1 : push_fault(L, &error);          \
  } while (0)

/* ---- Tables and structs ---- */

enum { FIELD_U16, FIELD_I32, FIELD_U32, FIELD_I64, FIELD_U64, FIELD_TEXT };

typedef struct struct_field {
  const char* name; /* null ends a list */
  int kind;
  size_t offset;
  size_t size_offset; /* FIELD_TEXT */
} struct_field;

/* weir_limit_rule_fields and so on, of every struct of weir.h. */
#define WEIR_LUA_CONSTANT(name)
#define WEIR_LUA_STRUCT(type) extern const struct_field type##_fields[];
#define WEIR_LUA_NUMBER(type, field)
#define WEIR_LUA_TEXT(type, field)
#define WEIR_LUA_END(type)
#include "declarations.inc"
#undef WEIR_LUA_CONSTANT
#undef WEIR_LUA_STRUCT
#undef WEIR_LUA_NUMBER
#undef WEIR_LUA_TEXT
#undef WEIR_LUA_END

/* Sets fields from the table at `index` (or nothing, if nil). A word that the struct does not have
 * is raised as a mistake, unless it is one of `others`, which end with null. Texts stay Lua's. */
void fill_struct(lua_State* L, int index, const struct_field* fields, void* to,
                 const char* const* others);
/* Pushes a table with the fields of a struct that weir wrote. */
void push_struct(lua_State* L, const struct_field* fields, const void* from);

/* A number of the table at `index`; `otherwise` if it has none. Booleans are 1 and 0. */
lua_Integer integer_field(lua_State* L, int index, const char* name, lua_Integer otherwise);
/* A text of it, empty if it has none; anchored by the table. */
const char* text_field(lua_State* L, int index, const char* name, size_t* size);
/* The handle of a userdata of it; null if it has none. */
void* handle_field(lua_State* L, int index, const char* name, const char* type);

/* The transaction at this argument. */
weir_txn* txn_at(lua_State* L, int index);

/* Memory for `count` elements, at least one, that Lua frees; left on the stack. */
void* push_array(lua_State* L, size_t count, size_t element_size);

/* The numbers of the table at `index` as floats, in memory that Lua frees; left on the stack. */
const float* push_floats(lua_State* L, int index, size_t* count);

/* ---- The parts: each adds its functions to the module on top of the stack ---- */

void add_values(lua_State* L);
void add_engine(lua_State* L);
void add_limiting(lua_State* L);
void add_breaking(lua_State* L);
void add_balancing(lua_State* L);
void add_bookkeeping(lua_State* L);
void add_caching(lua_State* L);
void add_counting(lua_State* L);

#endif /* WEIR_BINDINGS_LUA_PUC_LUA_WEIR_H_ */
