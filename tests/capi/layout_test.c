/* The layouts and numbers that compiled callers rely on. Compiled as C11 with -Wpadded: a struct of
 * the ABI has no hole. Changing a line here is an ABI break. */

#include <stddef.h>
#include <weir.h>

#define FIELD(type, field, at, bytes)                                       \
  _Static_assert(offsetof(type, field) == (at), #type "." #field " moved"); \
  _Static_assert(sizeof(((type*)0)->field) == (bytes), #type "." #field " changed its size")
#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed its size")
#define VALUE(name, value) _Static_assert((name) == (value), #name " changed its value")

SIZE(weir_status, 4);

FIELD(weir_now, mono_ns, 0, 8);
FIELD(weir_now, unix_ns, 8, 8);
SIZE(weir_now, 16);

FIELD(weir_error, size, 0, 4);
FIELD(weir_error, code, 4, 4);
FIELD(weir_error, offset, 8, 8);
FIELD(weir_error, line, 16, 4);
FIELD(weir_error, column, 20, 4);
FIELD(weir_error, message, 24, 1000);
SIZE(weir_error, 1024);

FIELD(weir_engine_options, size, 0, 4);
FIELD(weir_engine_options, max_counters, 4, 4);
FIELD(weir_engine_options, state_bytes, 8, 8);
FIELD(weir_engine_options, seed, 16, 8);
SIZE(weir_engine_options, 24);

FIELD(weir_action, size, 0, 4);
FIELD(weir_action, kind, 4, 4);
FIELD(weir_action, status, 8, 4);
FIELD(weir_action, relay, 12, 4);
FIELD(weir_action, header_count, 16, 4);
FIELD(weir_action, attempt, 20, 4);
FIELD(weir_action, call_id, 24, 8);
FIELD(weir_action, deadline_mono_ns, 32, 8);
SIZE(weir_action, 40);

/* The canonical codes of Abseil and gRPC. */
VALUE(WEIR_OK, 0);
VALUE(WEIR_INVALID_ARGUMENT, 3);
VALUE(WEIR_NOT_FOUND, 5);
VALUE(WEIR_RESOURCE_EXHAUSTED, 8);
VALUE(WEIR_FAILED_PRECONDITION, 9);
VALUE(WEIR_OUT_OF_RANGE, 11);
VALUE(WEIR_UNIMPLEMENTED, 12);
VALUE(WEIR_INTERNAL, 13);

VALUE(WEIR_SECRET_ENV, 1);
VALUE(WEIR_SECRET_FILE, 2);

VALUE(WEIR_ACTION_CONTINUE, 1);
VALUE(WEIR_ACTION_FORWARD, 2);
VALUE(WEIR_ACTION_REPLY, 3);
VALUE(WEIR_ACTION_CALL, 4);
VALUE(WEIR_ACTION_WAIT, 5);
VALUE(WEIR_ACTION_FINISH, 6);
VALUE(WEIR_ACTION_DONE, 7);

VALUE(WEIR_RELAY_NOTHING, 0);
VALUE(WEIR_RELAY_INPUT, 1);
VALUE(WEIR_RELAY_VIEW, 2);

VALUE(WEIR_FAILURE_CONNECT, 1);
VALUE(WEIR_FAILURE_TIMEOUT, 2);
VALUE(WEIR_FAILURE_RESET, 3);

VALUE(WEIR_HEADER_SET, 1);
VALUE(WEIR_HEADER_REMOVE, 2);

/* What a program was compiled against is what it runs with. */
int main(void) {
  const uint32_t compiled =
      WEIR_VERSION_MAJOR * 1000000u + WEIR_VERSION_MINOR * 1000u + WEIR_VERSION_PATCH;
  return weir_version_number() == compiled ? 0 : 1;
}
