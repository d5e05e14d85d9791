/* Callers of other releases: shorter structs get defaults, and nothing is read or written beyond
 * them (each lies alone in the heap, so that AddressSanitizer sees a byte too far); longer structs
 * are fine as long as what this library does not know is zero. */

#include "check.h"

static weir_error error = {.size = sizeof(error)};

/* `size` bytes of heap, zeroed, whose first field says `said`. */
static void* sized(size_t size, uint32_t said) {
  void* bytes = calloc(1, size);
  memcpy(bytes, &said, sizeof(said));
  return bytes;
}

static void test_short_options(void) {
  for (size_t size = 0; size <= sizeof(weir_engine_options); ++size) {
    weir_policy* policy = test_policy();
    weir_engine* engine = NULL;
    weir_engine_options* options = sized(size < 4 ? 4 : size, (uint32_t)size);
    const weir_status status = weir_engine_new(policy, options, &engine, &error);
    CHECK_EQ(status, size < 4 ? WEIR_INVALID_ARGUMENT : WEIR_OK);
    CHECK((engine != NULL) == (status == WEIR_OK));
    weir_engine_free(engine);
    weir_policy_free(policy);
    free(options);
  }
}

static void test_long_options(void) {
  const size_t size = sizeof(weir_engine_options) + 16;
  weir_policy* policy = test_policy();
  weir_engine* engine = NULL;
  char* options = sized(size, (uint32_t)size);
  CHECK_OK(weir_engine_new(policy, (weir_engine_options*)(void*)options, &engine, &error), &error);
  weir_engine_free(engine);
  for (size_t at = sizeof(weir_engine_options); at < size; ++at) {
    engine = NULL;
    options[at] = 1;
    CHECK_EQ(weir_engine_new(policy, (weir_engine_options*)(void*)options, &engine, &error),
             WEIR_UNIMPLEMENTED);
    CHECK(engine == NULL);
    options[at] = 0;
  }
  free(options);
  weir_policy_free(policy);
}

static void test_error_sizes(void) {
  static const char bad[] = "{ \"weir\": 2 }";
  for (size_t size = 4; size <= sizeof(weir_error) + 8; size += size < 40 ? 1 : 97) {
    weir_policy* policy = NULL;
    weir_error* small = sized(size, (uint32_t)size);
    CHECK_EQ(weir_policy_parse(bad, strlen(bad), &policy, small), WEIR_INVALID_ARGUMENT);
    CHECK_EQ(small->size, size);
    if (size >= 8) CHECK_EQ(small->code, WEIR_INVALID_ARGUMENT);
    if (size >= 20) CHECK_EQ(small->line, 1);
    if (size > 24) {
      const size_t room =
          size - 24 < WEIR_ERROR_MESSAGE_BYTES ? size - 24 : WEIR_ERROR_MESSAGE_BYTES;
      CHECK(memchr(small->message, '\0', room) != NULL);
      if (room > 1) CHECK(small->message[0] != '\0');
    }
    free(small);
  }
}

static void test_action_sizes(void) {
  weir_engine* engine = test_engine();
  for (size_t size = 8; size <= sizeof(weir_action) + 8; size += 4) {
    weir_txn* txn = NULL;
    const weir_now now = {0, 0};
    weir_action* action = sized(size, (uint32_t)size);
    CHECK_OK(weir_txn_new(engine, &txn, &error), &error);
    test_request(txn, TEST_BODY);
    CHECK_OK(weir_txn_next(txn, &now, action, &error), &error);
    if (action->kind == WEIR_ACTION_CONTINUE) {
      CHECK_OK(weir_txn_next(txn, &now, action, &error), &error);
    }
    CHECK_EQ(action->size, size);
    CHECK_EQ(action->kind, WEIR_ACTION_FORWARD);
    if (size >= 24) CHECK_EQ(action->attempt, 1);
    weir_txn_free(txn);
    free(action);
  }
  weir_engine_free(engine);
}

/* An action without room for its kind says nothing: refused before anything is decided. */
static void test_no_room_for_the_action(void) {
  weir_engine* engine = test_engine();
  weir_txn* txn = NULL;
  const weir_now now = {0, 0};
  weir_action action = {.size = 4};
  CHECK_OK(weir_txn_new(engine, &txn, &error), &error);
  test_request(txn, TEST_BODY);
  CHECK_EQ(weir_txn_next(txn, &now, &action, &error), WEIR_INVALID_ARGUMENT);
  int32_t kind = test_next(txn, 0, &action);
  if (kind == WEIR_ACTION_CONTINUE) kind = test_next(txn, 0, &action);
  CHECK_EQ(kind, WEIR_ACTION_FORWARD);
  weir_txn_free(txn);
  weir_engine_free(engine);
}

static void test_short_request_options(void) {
  for (size_t size = 0; size <= sizeof(weir_request_options); ++size) {
    weir_request_options* options = sized(size < 4 ? 4 : size, (uint32_t)size);
    weir_prompt_count count = {.size = sizeof(count)};
    CHECK_EQ(weir_count_request(options, TEST_BODY, strlen(TEST_BODY), &count, &error),
             size < 4 ? WEIR_INVALID_ARGUMENT : WEIR_OK);
    CHECK_EQ(count.prompt_tokens, size < 4 ? 0 : 10);
    free(options);
  }
}

static void test_prompt_count_sizes(void) {
  for (size_t size = 16; size <= sizeof(weir_prompt_count) + 8; size += 4) {
    weir_prompt_count* count = sized(size, (uint32_t)size);
    CHECK_OK(weir_count_request(NULL, TEST_BODY, strlen(TEST_BODY), count, &error), &error);
    CHECK_EQ(count->size, size);
    CHECK_EQ(count->prompt_tokens, 10);
    free(count);
  }
}

static void test_meter_sizes(void) {
  for (size_t size = 0; size <= sizeof(weir_stream_meter_options); ++size) {
    weir_stream_meter_options* options = sized(size < 4 ? 4 : size, (uint32_t)size);
    weir_stream_meter* meter = NULL;
    CHECK_EQ(weir_stream_meter_new(options, &meter, &error),
             size < 4 ? WEIR_INVALID_ARGUMENT : WEIR_OK);
    weir_stream_meter_free(meter);
    free(options);
  }
  weir_stream_meter* meter = NULL;
  CHECK_OK(weir_stream_meter_new(NULL, &meter, &error), &error);
  for (size_t size = 16; size <= sizeof(weir_usage) + 8; size += 4) {
    weir_usage* usage = sized(size, (uint32_t)size);
    CHECK_OK(weir_stream_meter_usage(meter, usage, &error), &error);
    CHECK_EQ(usage->size, size);
    CHECK_EQ(usage->provenance, WEIR_PROVENANCE_ESTIMATED);
    free(usage);
  }
  weir_stream_meter_free(meter);
  const size_t longer = sizeof(weir_stream_meter_options) + 8;
  char* options = sized(longer, (uint32_t)longer);
  meter = NULL;
  options[longer - 1] = 1;
  CHECK_EQ(weir_stream_meter_new((weir_stream_meter_options*)(void*)options, &meter, &error),
           WEIR_UNIMPLEMENTED);
  CHECK(meter == NULL);
  free(options);
}

/* The layout of the first release: nothing behind it is looked at. */
static void test_first_engine_options(void) {
  weir_policy* policy = test_policy();
  weir_engine* engine = NULL;
  weir_engine_options options = {.size = offsetof(weir_engine_options, state_file)};
  options.state_file = (const char*)&options; /* not a path, and of no meaning to it */
  options.state_file_size = SIZE_MAX;
  CHECK_OK(weir_engine_new(policy, &options, &engine, &error), &error);
  weir_engine_free(engine);
  weir_policy_free(policy);
}

int main(void) {
  test_first_engine_options();
  test_short_options();
  test_long_options();
  test_error_sizes();
  test_action_sizes();
  test_no_room_for_the_action();
  test_short_request_options();
  test_prompt_count_sizes();
  test_meter_sizes();
  return check_report("old_caller_test");
}
