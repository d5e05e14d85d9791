/* Prints what the C compiler makes of weir.h, for declarations_test.lua to compare. */

#include <stddef.h>
#include <stdio.h>
#include <weir.h>

#define WEIR_LUA_CONSTANT(name) printf("constant %s %lld\n", #name, (long long)WEIR_##name);
#define WEIR_LUA_STRUCT(type) printf("struct %s %zu\n", #type, sizeof(type));
#define WEIR_LUA_NUMBER(type, field)                                    \
  printf("field %s %s %zu %zu\n", #type, #field, offsetof(type, field), \
         sizeof(((type*)NULL)->field));
#define WEIR_LUA_TEXT(type, field) \
  WEIR_LUA_NUMBER(type, field)     \
  WEIR_LUA_NUMBER(type, field##_size)
#define WEIR_LUA_END(type)

int main(void) {
#include "declarations.inc"
  return 0;
}
