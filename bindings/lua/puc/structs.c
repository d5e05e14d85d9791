/* Tables turned into structs of weir.h and back, by lists of fields that are made from weir.h. */

#include <math.h>
#include <string.h>

#include "lua_weir.h"

#define NUMBER_KIND(type, field)          \
  _Generic(((type*)NULL)->field, uint16_t \
           : FIELD_U16, int32_t           \
           : FIELD_I32, uint32_t          \
           : FIELD_U32, int64_t           \
           : FIELD_I64, uint64_t          \
           : FIELD_U64)

#define WEIR_LUA_CONSTANT(name)
#define WEIR_LUA_STRUCT(type) const struct_field type##_fields[] = {
#define WEIR_LUA_NUMBER(type, field) {#field, NUMBER_KIND(type, field), offsetof(type, field), 0},
#define WEIR_LUA_TEXT(type, field) \
  {#field, FIELD_TEXT, offsetof(type, field), offsetof(type, field##_size)},
#define WEIR_LUA_END(type) \
  { NULL, 0, 0, 0 }        \
  }                        \
  ;
#include "declarations.inc"

/* The number on top of the stack. */
static lua_Integer top_integer(lua_State* L, const char* name) {
  if (lua_isboolean(L, -1)) return lua_toboolean(L, -1);
  int is_integer = 0;
  const lua_Integer value = lua_tointegerx(L, -1, &is_integer);
  if (is_integer) return value;
  if (lua_isnumber(L, -1) && isinf(lua_tonumber(L, -1))) return WEIR_NEVER;
  return luaL_error(L, "%s is not a whole number", name);
}

/* Stores the value on top of the stack. */
static void set_field(lua_State* L, const struct_field* field, char* to) {
  if (field->kind == FIELD_TEXT) {
    size_t size = 0;
    const char* text = lua_tolstring(L, -1, &size);
    if (text == NULL) luaL_error(L, "%s is not text", field->name);
    memcpy(to + field->offset, &text, sizeof(text));
    memcpy(to + field->size_offset, &size, sizeof(size));
    return;
  }
  const lua_Integer value = top_integer(L, field->name);
  const uint16_t u16 = (uint16_t)value;
  const uint32_t u32 = (uint32_t)value;
  switch (field->kind) {
    case FIELD_U16:
      memcpy(to + field->offset, &u16, sizeof(u16));
      break;
    case FIELD_I32:
    case FIELD_U32:
      memcpy(to + field->offset, &u32, sizeof(u32));
      break;
    default:
      memcpy(to + field->offset, &value, sizeof(value));
  }
}

static int is_one_of(const char* name, const char* const* others) {
  for (; others != NULL && *others != NULL; ++others) {
    if (strcmp(name, *others) == 0) return 1;
  }
  return 0;
}

void fill_struct(lua_State* L, int index, const struct_field* fields, void* to,
                 const char* const* others) {
  if (lua_isnoneornil(L, index)) return;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    const char* name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    const struct_field* field = fields;
    while (field->name != NULL && strcmp(field->name, name) != 0) ++field;
    if (field->name != NULL) {
      set_field(L, field, to);
    } else if (!is_one_of(name, others)) {
      luaL_error(L, "there is no field %s", name);
    }
    lua_pop(L, 1);
  }
}

static void push_field(lua_State* L, const struct_field* field, const char* from) {
  uint16_t u16;
  int32_t i32;
  uint32_t u32;
  int64_t i64;
  switch (field->kind) {
    case FIELD_U16:
      memcpy(&u16, from + field->offset, sizeof(u16));
      lua_pushinteger(L, u16);
      break;
    case FIELD_I32:
      memcpy(&i32, from + field->offset, sizeof(i32));
      lua_pushinteger(L, i32);
      break;
    case FIELD_U32:
      memcpy(&u32, from + field->offset, sizeof(u32));
      lua_pushinteger(L, u32);
      break;
    default:
      memcpy(&i64, from + field->offset, sizeof(i64));
      push_i64(L, i64);
  }
}

void push_struct(lua_State* L, const struct_field* fields, const void* from) {
  lua_newtable(L);
  for (; fields->name != NULL; ++fields) {
    if (fields->kind == FIELD_TEXT) continue;
    push_field(L, fields, from);
    lua_setfield(L, -2, fields->name);
  }
}

lua_Integer integer_field(lua_State* L, int index, const char* name, lua_Integer otherwise) {
  const int type = lua_getfield(L, index, name);
  const lua_Integer value = type == LUA_TNIL ? otherwise : top_integer(L, name);
  lua_pop(L, 1);
  return value;
}

const char* text_field(lua_State* L, int index, const char* name, size_t* size) {
  const int type = lua_getfield(L, index, name);
  const char* text = "";
  *size = 0;
  if (type == LUA_TSTRING) {
    text = lua_tolstring(L, -1, size);
  } else if (type != LUA_TNIL) {
    luaL_error(L, "%s is not text", name);
  }
  lua_pop(L, 1);
  return text;
}

void* handle_field(lua_State* L, int index, const char* name, const char* type) {
  if (lua_isnoneornil(L, index)) return NULL;
  const int is_there = lua_getfield(L, index, name) != LUA_TNIL;
  void* handle = is_there ? handle_of(L, -1, type) : NULL;
  lua_pop(L, 1);
  return handle;
}

void* push_array(lua_State* L, size_t count, size_t element_size) {
  const size_t bytes = (count == 0 ? 1 : count) * element_size;
  return memset(lua_newuserdata(L, bytes), 0, bytes);
}
