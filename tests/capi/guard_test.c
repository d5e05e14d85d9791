/* Calls that no sound host makes: every one is answered by a status, and nothing else happens. */

#include "check.h"

#define BAD(call) CHECK_EQ(call, WEIR_INVALID_ARGUMENT)

static weir_error error = {.size = sizeof(error)};

static void test_null_frees(void) {
  weir_policy_free(NULL);
  weir_engine_free(NULL);
  weir_txn_free(NULL);
  weir_tokenizer_free(NULL);
  weir_token_counter_free(NULL);
  weir_stream_meter_free(NULL);
}

static void test_null_handles(void) {
  const char* view = NULL;
  size_t size = 0;
  char buffer[8];
  int32_t number = 0;
  uint64_t count = 0;
  uint32_t id = 0;
  const weir_now now = {0, 0};
  weir_engine* engine = NULL;
  weir_txn* txn = NULL;
  weir_action action = {.size = sizeof(action)};
  CHECK_EQ(weir_policy_secret_count(NULL), 0);
  BAD(weir_policy_secret(NULL, 0, &number, &view, &size));
  BAD(weir_policy_set_secret(NULL, 0, "", 0));
  BAD(weir_engine_new(NULL, NULL, &engine, &error));
  BAD(weir_engine_reload(NULL, NULL, &error));
  BAD(weir_engine_metrics(NULL, buffer, sizeof(buffer), &size, &error));
  BAD(weir_engine_metrics_as(NULL, "", 0, &view, buffer, sizeof(buffer), &size, &error));
  BAD(weir_engine_acknowledge_metrics(NULL, WEIR_EXPORT_TRACK, 1, &error));
  BAD(weir_txn_add_overhead(NULL, 1, &error));
  BAD(weir_engine_changes_json(NULL, 0, buffer, sizeof(buffer), &size, &error));
  BAD(weir_engine_status(NULL, &now, buffer, sizeof(buffer), &size, &error));
  BAD(weir_engine_override_limit(NULL, "a", 1, NULL, 0, 1, 1, &now, &error));
  BAD(weir_txn_new(NULL, &txn, &error));
  BAD(weir_txn_request_head(NULL, "GET", 3, "/", 1, "", 0, &error));
  BAD(weir_txn_request_header(NULL, "a", 1, "b", 1, &error));
  BAD(weir_txn_attribute(NULL, "a", 1, "b", 1, &error));
  BAD(weir_txn_request_body(NULL, "a", 1, &error));
  BAD(weir_txn_request_end(NULL, &error));
  BAD(weir_txn_response_from(NULL, 1, &error));
  BAD(weir_txn_response_head(NULL, 200, &error));
  BAD(weir_txn_response_header(NULL, "a", 1, "b", 1, &error));
  BAD(weir_txn_response_body(NULL, "a", 1, &error));
  BAD(weir_txn_response_end(NULL, &error));
  BAD(weir_txn_response_failed(NULL, WEIR_FAILURE_RESET, &error));
  BAD(weir_txn_call_result(NULL, 1, 200, "", 0, &error));
  BAD(weir_txn_call_vector(NULL, 1, &(float){1}, 1, &error));
  BAD(weir_txn_client_left(NULL, &now, &error));
  BAD(weir_txn_next(NULL, &now, &action, &error));
  BAD(weir_txn_url(NULL, &view, &size));
  BAD(weir_txn_target(NULL, &view, &size));
  BAD(weir_txn_body(NULL, &view, &size));
  BAD(weir_txn_header(NULL, 0, &number, &view, &size, &view, &size));
  BAD(weir_txn_explain(NULL, buffer, sizeof(buffer), &size, &error));
  BAD(weir_tokenizer_count(NULL, "a", 1, &count, &error));
  BAD(weir_tokenizer_encode(NULL, "a", 1, &id, 1, &size, &error));
  BAD(weir_tokenizer_encode_with_specials(NULL, "a", 1, &id, 1, &size, &error));
  BAD(weir_tokenizer_name(NULL, &view, &size));
  BAD(weir_tokenizer_count_up_to(NULL, "a", 1, 1, &count, &error));
  BAD(weir_tokenizer_decode(NULL, &id, 1, buffer, sizeof(buffer), &size, &error));
  BAD(weir_tokenizer_split(NULL, "a", 1, 1, &size, &error));
  weir_token_counter* counter = NULL;
  weir_usage usage = {.size = sizeof(usage)};
  BAD(weir_token_counter_new(NULL, &counter, &error));
  BAD(weir_token_counter_append(NULL, "a", 1, &error));
  BAD(weir_token_counter_total(NULL, &count, &error));
  BAD(weir_stream_meter_feed(NULL, "a", 1, &error));
  BAD(weir_stream_meter_end(NULL, &error));
  BAD(weir_stream_meter_client_left(NULL, &error));
  BAD(weir_stream_meter_relay(NULL, &view, &size));
  BAD(weir_stream_meter_usage(NULL, &usage, &error));
  CHECK_EQ(error.code, WEIR_INVALID_ARGUMENT);
  CHECK(error.message[0] != '\0');
}

static void test_null_outputs(weir_engine* engine) {
  const weir_tokenizer* tokenizer = NULL;
  const weir_now now = {0, 0};
  const char* view = NULL;
  size_t size = 0;
  int32_t number = 0;
  char buffer[8];
  weir_txn* txn = NULL;
  weir_action action = {.size = sizeof(action)};
  weir_policy* policy = test_policy();
  BAD(weir_policy_parse("{}", 2, NULL, &error));
  BAD(weir_policy_check("{}", 2, buffer, sizeof(buffer), NULL, &error));
  BAD(weir_policy_warnings("{}", 2, buffer, sizeof(buffer), NULL, &error));
  BAD(weir_policy_secret(policy, 0, NULL, &view, &size));
  BAD(weir_policy_secret(policy, 0, &number, NULL, &size));
  BAD(weir_policy_secret(policy, 0, &number, &view, NULL));
  BAD(weir_key_hash("", 0, "k", 1, buffer, sizeof(buffer), NULL, &error));
  BAD(weir_engine_new(policy, NULL, NULL, &error));
  BAD(weir_engine_metrics(engine, buffer, sizeof(buffer), NULL, &error));
  BAD(weir_engine_metrics_as(engine, "", 0, NULL, buffer, sizeof(buffer), &size, &error));
  BAD(weir_engine_metrics_as(engine, "", 0, &view, buffer, sizeof(buffer), NULL, &error));
  weir_export_options how = {.size = sizeof(how), .format = WEIR_EXPORT_TRACK};
  uint64_t batch = 0;
  BAD(weir_engine_export_metrics(engine, NULL, &now, &batch, buffer, 8, &size, &error));
  BAD(weir_engine_export_metrics(engine, &how, NULL, &batch, buffer, 8, &size, &error));
  BAD(weir_engine_export_metrics(engine, &how, &now, NULL, buffer, 8, &size, &error));
  BAD(weir_engine_export_metrics(engine, &how, &now, &batch, buffer, 8, NULL, &error));
  how.service_name_size = 1;
  BAD(weir_engine_export_metrics(engine, &how, &now, &batch, buffer, 8, &size, &error));
  how.service_name_size = 0;
  how.format = 9;
  BAD(weir_engine_export_metrics(engine, &how, &now, &batch, buffer, 8, &size, &error));
  BAD(weir_engine_acknowledge_metrics(engine, 0, 1, &error));
  BAD(weir_txn_add_overhead(txn, -1, &error));
  BAD(weir_engine_status(engine, NULL, buffer, sizeof(buffer), &size, &error));
  BAD(weir_engine_override_limit(engine, "a", 1, NULL, 0, 1, 1, NULL, &error));
  BAD(weir_engine_override_limit(engine, NULL, 1, NULL, 0, 1, 1, &now, &error));
  BAD(weir_engine_override_limit(engine, "a", 1, NULL, 1, 1, 1, &now, &error));
  BAD(weir_engine_purge_cache(NULL, "a", 1, 0, "", 0, NULL, &error));
  BAD(weir_engine_purge_cache(engine, NULL, 1, 0, "", 0, NULL, &error));
  BAD(weir_engine_purge_cache(engine, "a", 1, 0, NULL, 1, NULL, &error));
  BAD(weir_engine_purge_cache(engine, "a", 1, 5, "", 0, NULL, &error));
  CHECK_EQ(weir_engine_purge_cache(engine, "a", 1, WEIR_PURGE_ALL, NULL, 0, NULL, &error),
           WEIR_NOT_FOUND);
  BAD(weir_txn_new(engine, NULL, &error));
  CHECK_OK(weir_txn_new(engine, &txn, &error), &error);
  BAD(weir_txn_next(txn, NULL, &action, &error));
  BAD(weir_txn_next(txn, &now, NULL, &error));
  BAD(weir_txn_url(txn, NULL, &size));
  BAD(weir_txn_url(txn, &view, NULL));
  BAD(weir_txn_body(txn, NULL, &size));
  BAD(weir_txn_explain(txn, buffer, sizeof(buffer), NULL, &error));
  BAD(weir_tokenizer_find("o200k_base", 10, NULL, &error));
  CHECK_OK(weir_tokenizer_find("o200k_base", 10, &tokenizer, &error), &error);
  BAD(weir_tokenizer_count(tokenizer, "a", 1, NULL, &error));
  /* A length without bytes. */
  BAD(weir_policy_parse(NULL, 2, &policy, &error));
  BAD(weir_tokenizer_count(tokenizer, NULL, 1, (uint64_t[]){0}, &error));
  BAD(weir_txn_request_head(txn, NULL, 3, "/", 1, "", 0, &error));
  BAD(weir_txn_request_head(txn, "GET", 3, "/", 1, NULL, 1, &error));
  BAD(weir_engine_metrics(engine, NULL, 8, &size, &error));
  BAD(weir_engine_metrics_as(engine, NULL, 3, &view, buffer, sizeof(buffer), &size, &error));
  weir_txn_free(txn);
  weir_policy_free(policy);
}

static void test_null_outputs_of_counting(void) {
  const weir_tokenizer* tokenizer = NULL;
  weir_tokenizer* loaded = NULL;
  weir_token_counter* counter = NULL;
  weir_stream_meter* meter = NULL;
  weir_prompt_count prompt = {.size = sizeof(prompt)};
  weir_usage usage = {.size = sizeof(usage)};
  const char* view = NULL;
  char buffer[8];
  size_t size = 0;
  uint64_t count = 0;
  const uint32_t id = 1;
  CHECK_OK(weir_tokenizer_find("o200k_base", 10, &tokenizer, &error), &error);
  BAD(weir_tokenizer_load("x", 1, "{}", 2, NULL, 0, NULL, &error));
  BAD(weir_tokenizer_load("x", 1, NULL, 2, NULL, 0, &loaded, &error));
  BAD(weir_tokenizer_load("x", 1, "{}", 2, NULL, 1, &loaded, &error));
  BAD(weir_tokenizer_name(tokenizer, NULL, &size));
  BAD(weir_encoding_name(0, &view, NULL));
  BAD(weir_encoding_for_model("gpt-4o", 6, NULL, &size, &error));
  BAD(weir_encoding_for_model(NULL, 6, &view, &size, &error));
  BAD(weir_tokenizer_count_up_to(tokenizer, "a", 1, 1, NULL, &error));
  BAD(weir_tokenizer_decode(tokenizer, NULL, 1, buffer, sizeof(buffer), &size, &error));
  BAD(weir_tokenizer_decode(tokenizer, &id, 1, NULL, 1, &size, &error));
  BAD(weir_tokenizer_decode(tokenizer, &id, 1, buffer, sizeof(buffer), NULL, &error));
  BAD(weir_tokenizer_split(tokenizer, "a", 1, 1, NULL, &error));
  BAD(weir_token_counter_new(tokenizer, NULL, &error));
  CHECK_OK(weir_token_counter_new(tokenizer, &counter, &error), &error);
  BAD(weir_token_counter_append(counter, NULL, 1, &error));
  BAD(weir_token_counter_total(counter, NULL, &error));
  CHECK_OK(weir_token_counter_total(counter, &count, &error), &error);
  CHECK_EQ(count, 0);
  weir_token_counter_free(counter);
  BAD(weir_count_request(NULL, TEST_BODY, 9, NULL, &error));
  BAD(weir_count_request(NULL, NULL, 9, &prompt, &error));
  BAD(weir_count_request_json(NULL, TEST_BODY, 9, buffer, sizeof(buffer), NULL, &error));
  BAD(weir_count_request_json(NULL, TEST_BODY, 9, NULL, 1, &size, &error));
  BAD(weir_stream_meter_new(NULL, NULL, &error));
  CHECK_OK(weir_stream_meter_new(NULL, &meter, &error), &error);
  BAD(weir_stream_meter_feed(meter, NULL, 1, &error));
  BAD(weir_stream_meter_relay(meter, NULL, &size));
  BAD(weir_stream_meter_relay(meter, &view, NULL));
  BAD(weir_stream_meter_usage(meter, NULL, &error));
  usage.size = 4;
  BAD(weir_stream_meter_usage(meter, &usage, &error));
  prompt.size = 8;
  BAD(weir_count_request(NULL, TEST_BODY, strlen(TEST_BODY), &prompt, &error));
  weir_stream_meter_free(meter);
}

/* A null error is allowed everywhere; a record whose size was never set is not written to. */
static void test_errors(weir_engine* engine) {
  weir_policy* policy = NULL;
  weir_txn* txn = NULL;
  BAD(weir_policy_parse("{", 1, &policy, NULL));
  CHECK_EQ(weir_txn_new(engine, &txn, NULL), WEIR_OK);
  CHECK_EQ(weir_txn_response_end(txn, NULL), WEIR_FAILED_PRECONDITION);
  weir_txn_free(txn);
  weir_error unset;
  memset(&unset, 0, sizeof(unset));
  CHECK(weir_policy_parse("{", 1, &policy, &unset) != WEIR_OK);
  CHECK_EQ(unset.code, 0);
  CHECK_EQ(unset.message[0], 0);
  CHECK(policy == NULL);
}

/* Too small a buffer: how much is needed, and not a byte written. */
static void test_small_buffers(weir_engine* engine) {
  char buffer[65536];
  size_t needed = 0, again = 0;
  weir_txn* txn = NULL;
  weir_action action;
  CHECK_OK(weir_txn_new(engine, &txn, &error), &error);
  test_request(txn, TEST_BODY);
  test_next(txn, 0, &action);
  weir_txn_free(txn); /* something to measure */
  memset(buffer, '#', sizeof(buffer));
  CHECK_EQ(weir_engine_metrics(engine, buffer, 3, &needed, &error), WEIR_OUT_OF_RANGE);
  CHECK(needed > 3);
  for (int i = 0; i < 8; ++i) CHECK_EQ(buffer[i], '#');
  CHECK_EQ(weir_engine_metrics(engine, NULL, 0, &again, &error), WEIR_OUT_OF_RANGE);
  CHECK_EQ(again, needed);
  const char* type = NULL;
  CHECK_OK(weir_engine_metrics_as(engine, "application/openmetrics-text", 28, &type, buffer,
                                  sizeof(buffer), &again, &error),
           &error);
  CHECK(strncmp(type, "application/openmetrics-text; version=1.0.0", 43) == 0);
  CHECK(again > 6 && memcmp(buffer + again - 6, "# EOF\n", 6) == 0);
  const weir_now now = {1, 1000000000};
  const weir_export_options delta = {.size = sizeof(delta), .format = WEIR_EXPORT_OTLP_DELTA};
  uint64_t number = 0, same = 0;
  CHECK_EQ(weir_engine_export_metrics(engine, &delta, &now, &number, NULL, 0, &again, &error),
           WEIR_OUT_OF_RANGE);
  CHECK_EQ(number, 1);
  CHECK_OK(weir_engine_export_metrics(engine, &delta, &now, &same, buffer, sizeof(buffer), &again,
                                      &error),
           &error);
  CHECK_EQ(same, number);
  CHECK_OK(weir_engine_acknowledge_metrics(engine, delta.format, number, &error), &error);
  CHECK_EQ(weir_engine_acknowledge_metrics(engine, delta.format, number, &error),
           WEIR_FAILED_PRECONDITION);
  memset(buffer, '#', sizeof(buffer));
  if (needed < sizeof(buffer)) {
    CHECK_EQ(weir_engine_metrics(engine, buffer, needed - 1, &again, &error), WEIR_OUT_OF_RANGE);
    CHECK_EQ(buffer[0], '#');
    CHECK_OK(weir_engine_metrics(engine, buffer, needed, &again, &error), &error);
    CHECK_EQ(again, needed);
    CHECK_EQ(buffer[needed], '#');
  }
  const weir_tokenizer* tokenizer = NULL;
  uint32_t ids[4] = {7, 7, 7, 7};
  CHECK_OK(weir_tokenizer_find("o200k_base", 10, &tokenizer, &error), &error);
  CHECK_EQ(weir_tokenizer_encode(tokenizer, "Hello, world", 12, ids, 2, &needed, &error),
           WEIR_OUT_OF_RANGE);
  CHECK_EQ(needed, 3);
  CHECK(ids[0] == 7 && ids[1] == 7 && ids[2] == 7);
}

#define EARLY(call) CHECK_EQ(call, WEIR_FAILED_PRECONDITION)

static void test_order(weir_engine* engine) {
  weir_txn* txn = NULL;
  weir_action action = {.size = sizeof(action)};
  const weir_now now = {0, 0};
  CHECK_OK(weir_txn_new(engine, &txn, &error), &error);
  EARLY(weir_txn_next(txn, &now, &action, &error));
  EARLY(weir_txn_request_header(txn, "a", 1, "b", 1, &error));
  EARLY(weir_txn_request_body(txn, "a", 1, &error));
  EARLY(weir_txn_request_end(txn, &error));
  EARLY(weir_txn_response_from(txn, 1, &error));
  EARLY(weir_txn_response_head(txn, 200, &error));
  EARLY(weir_txn_response_failed(txn, WEIR_FAILURE_CONNECT, &error));
  EARLY(weir_txn_call_result(txn, 1, 200, "", 0, &error));
  test_request(txn, TEST_BODY);
  EARLY(weir_txn_request_head(txn, "GET", 3, "/", 1, "", 0, &error));
  EARLY(weir_txn_request_header(txn, "a", 1, "b", 1, &error));
  EARLY(weir_txn_request_body(txn, "a", 1, &error));
  EARLY(weir_txn_request_end(txn, &error));
  int32_t kind = test_next(txn, 0, &action);
  if (kind == WEIR_ACTION_CONTINUE) kind = test_next(txn, 0, &action);
  CHECK_EQ(kind, WEIR_ACTION_FORWARD);
  EARLY(weir_txn_response_from(txn, 0, &error));
  EARLY(weir_txn_response_from(txn, 2, &error));
  CHECK_OK(weir_txn_response_from(txn, 1, &error), &error);
  EARLY(weir_txn_next(txn, &now, &action, &error));
  EARLY(weir_txn_response_header(txn, "a", 1, "b", 1, &error));
  EARLY(weir_txn_response_body(txn, "a", 1, &error));
  EARLY(weir_txn_response_end(txn, &error));
  EARLY(weir_txn_attribute(txn, "a", 1, "b", 1, &error));
  EARLY(weir_txn_call_result(txn, 1, 200, "", 0, &error));
  EARLY(weir_txn_call_vector(txn, 1, &(float){1}, 1, &error));
  BAD(weir_txn_call_vector(txn, 1, NULL, 1, &error));
  BAD(weir_txn_response_failed(txn, 0, &error));
  BAD(weir_txn_response_failed(txn, 99, &error));
  CHECK_OK(weir_txn_response_head(txn, 200, &error), &error);
  EARLY(weir_txn_response_head(txn, 200, &error));
  CHECK_EQ(test_next(txn, 1, &action), WEIR_ACTION_CONTINUE);
  EARLY(weir_txn_response_header(txn, "a", 1, "b", 1, &error));
  CHECK_OK(weir_txn_response_body(txn, TEST_ANSWER, strlen(TEST_ANSWER), &error), &error);
  CHECK_OK(weir_txn_response_end(txn, &error), &error);
  EARLY(weir_txn_response_body(txn, "a", 1, &error));
  CHECK_EQ(test_next(txn, 2, &action), WEIR_ACTION_DONE);
  EARLY(weir_txn_next(txn, &now, &action, &error));
  EARLY(weir_txn_response_end(txn, &error));
  EARLY(weir_txn_request_head(txn, "GET", 3, "/", 1, "", 0, &error));
  weir_txn_free(txn);
}

/* Views and indices that are not there. */
static void test_absent(weir_engine* engine) {
  weir_txn* txn = NULL;
  const char *view = "x", *value = NULL;
  size_t size = 9, value_size = 0;
  int32_t operation = 0;
  CHECK_OK(weir_txn_new(engine, &txn, &error), &error);
  CHECK_EQ(weir_txn_url(txn, &view, &size), WEIR_OK);
  CHECK_EQ(size, 0);
  CHECK_EQ(weir_txn_target(txn, &view, &size), WEIR_OK);
  CHECK_EQ(size, 0);
  CHECK_EQ(weir_txn_body(txn, &view, &size), WEIR_OK);
  CHECK_EQ(size, 0);
  CHECK_EQ(weir_txn_header(txn, 0, &operation, &view, &size, &value, &value_size),
           WEIR_OUT_OF_RANGE);
  char buffer[4096];
  CHECK_OK(weir_txn_explain(txn, buffer, sizeof(buffer), &size, &error), &error);
  weir_txn_free(txn);

  weir_policy* policy = test_policy();
  CHECK_EQ(weir_policy_secret(policy, 1, &operation, &view, &size), WEIR_OUT_OF_RANGE);
  CHECK_EQ(weir_policy_set_secret(policy, 1, "x", 1), WEIR_OUT_OF_RANGE);
  weir_policy_free(policy);
}

/* A transaction may end at any point of its life, and outlive its engine's handle. */
static void test_free_anywhere(void) {
  for (int steps = 0; steps < 7; ++steps) {
    weir_engine* engine = test_engine();
    weir_txn* txn = NULL;
    weir_action action;
    CHECK_OK(weir_txn_new(engine, &txn, &error), &error);
    if (steps > 0) test_request(txn, TEST_BODY);
    if (steps == 1) weir_engine_free(engine);
    if (steps > 1 && test_next(txn, 0, &action) == WEIR_ACTION_CONTINUE) test_next(txn, 0, &action);
    if (steps > 2) CHECK_OK(weir_txn_response_head(txn, 200, &error), &error);
    if (steps > 3) test_next(txn, 0, &action);
    if (steps > 4) CHECK_OK(weir_txn_response_body(txn, TEST_ANSWER, 20, &error), &error);
    if (steps > 5) test_next(txn, 0, &action);
    weir_txn_free(txn);
    if (steps != 1) weir_engine_free(engine);
  }
}

/* Bytes that no client should send. */
static void test_hostile_bytes(weir_engine* engine) {
  static const char* const bodies[] = {
      "",
      "{",
      "null",
      "[]",
      "\xff\xfe",
      "{\"model\":1}",
      "{\"messages\":{}}",
      "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"\xc0\xaf\"}]}",
      "{\"model\":\"gpt-4o\",\"messages\":[],\"n\":-1}",
      "{\"model\":\"gpt-4o\",\"messages\":[],\"max_tokens\":1e999}",
  };
  for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); ++i) {
    weir_txn* txn = NULL;
    weir_action action;
    CHECK_OK(weir_txn_new(engine, &txn, &error), &error);
    test_request(txn, bodies[i]);
    int32_t kind = test_next(txn, 0, &action);
    if (kind == WEIR_ACTION_CONTINUE) kind = test_next(txn, 0, &action);
    CHECK(kind == WEIR_ACTION_REPLY || kind == WEIR_ACTION_FORWARD);
    if (kind == WEIR_ACTION_REPLY) CHECK(action.status >= 400 && action.status < 500);
    weir_txn_free(txn);
  }
}

int main(void) {
  test_null_frees();
  test_null_handles();
  test_null_outputs_of_counting();
  weir_engine* engine = test_engine();
  if (engine != NULL) {
    test_null_outputs(engine);
    test_errors(engine);
    test_small_buffers(engine);
    test_order(engine);
    test_absent(engine);
    test_free_anywhere();
    test_hostile_bytes(engine);
  }
  weir_engine_free(engine);
  return check_report("guard_test");
}
