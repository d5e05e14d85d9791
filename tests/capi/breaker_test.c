/* The breaker by itself, from C: the life of a circuit, shares, growth, what people and hosts can
 * read, circuits that two breakers share through a file, and calls that no sound host makes. */

#define _POSIX_C_SOURCE 200809L /* mkdtemp */

#include <stdlib.h>
#include <unistd.h>

#include "check.h"

#define BAD(call) CHECK_EQ(call, WEIR_INVALID_ARGUMENT)

static weir_error error = {.size = sizeof(error)};

static weir_now at(int64_t ms) {
  const weir_now now = {ms * TEST_MS, 1700000000000000000 + ms * TEST_MS};
  return now;
}

static const weir_status_range kThrottled = {429, 429};
static const weir_status_range kBroken = {500, 599};

static weir_breaker_rule throttle(void) {
  const weir_breaker_rule rule = {.size = sizeof(rule),
                                  .name = "throttle",
                                  .name_size = 8,
                                  .statuses = &kThrottled,
                                  .status_count = 1,
                                  .trip_ms = 30000};
  return rule;
}

static weir_breaker* breaker_of(weir_state* state, const weir_breaker_rule* rules, size_t count) {
  const weir_breaker_rule_set set = {.size = sizeof(set), .rules = rules, .rule_count = count};
  weir_breaker* breaker = NULL;
  CHECK_OK(weir_breaker_new(state, &set, 1, NULL, &breaker, &error), &error);
  return breaker;
}

static weir_circuit circuit_of(weir_breaker* breaker, const char* key) {
  weir_circuit circuit = {.size = sizeof(circuit)};
  const weir_now now = at(0);
  CHECK_OK(weir_breaker_find(breaker, 0, key, strlen(key), &now, &circuit, &error), &error);
  return circuit;
}

static weir_permit acquire(weir_breaker* breaker, const weir_circuit* circuit, int64_t ms) {
  const weir_now now = at(ms);
  weir_permit permit = {.size = sizeof(permit)};
  CHECK_OK(weir_breaker_acquire(breaker, circuit, &now, &permit, &error), &error);
  return permit;
}

static weir_breaker_report record(weir_breaker* breaker, const weir_permit* permit, int32_t status,
                                  int32_t failure, int64_t asked_ms, int64_t ms) {
  const weir_now now = at(ms);
  const weir_outcome outcome = {.size = sizeof(outcome),
                                .status = status,
                                .failure = failure,
                                .has_asked = asked_ms >= 0,
                                .retry_after_ns = asked_ms * TEST_MS};
  weir_breaker_report report = {.size = sizeof(report)};
  CHECK_OK(weir_breaker_record(breaker, permit, &outcome, &now, &report, &error), &error);
  return report;
}

static weir_breaker_report send(weir_breaker* breaker, const weir_circuit* circuit, int32_t status,
                                int64_t ms) {
  const weir_permit permit = acquire(breaker, circuit, ms);
  CHECK_EQ(permit.allowed, 1);
  return record(breaker, &permit, status, WEIR_OUTCOME_ANSWERED, -1, ms);
}

static uint32_t passes(weir_breaker* breaker, const weir_circuit* circuit, int64_t ms) {
  const weir_now now = at(ms);
  weir_permit permit = {.size = sizeof(permit)};
  CHECK_OK(weir_breaker_check(breaker, circuit, &now, &permit, &error), &error);
  return permit.allowed;
}

static void test_life(void) {
  const weir_breaker_rule rule = throttle();
  weir_breaker* breaker = breaker_of(NULL, &rule, 1);
  const weir_circuit east = circuit_of(breaker, "east");
  const weir_circuit west = circuit_of(breaker, "west");
  CHECK_EQ(passes(breaker, &east, 0), 1);
  const weir_permit early = acquire(breaker, &east, 0);

  weir_permit permit = acquire(breaker, &east, 100);
  CHECK(permit.allowed == 1 && permit.is_probe == 0 && permit.state == WEIR_BREAKER_CLOSED);
  weir_breaker_report report = record(breaker, &permit, 429, WEIR_OUTCOME_ANSWERED, 5000, 100);
  CHECK(report.tripped == 1 && report.reset == 0 && report.rule == 0);
  CHECK_EQ(report.open_until_mono_ns, 5100 * TEST_MS);

  permit = acquire(breaker, &east, 5099);
  CHECK(permit.allowed == 0 && permit.state == WEIR_BREAKER_OPEN);
  CHECK_EQ(permit.retry_at_mono_ns, 5100 * TEST_MS);
  CHECK_EQ(passes(breaker, &east, 5099), 0);
  CHECK_EQ(passes(breaker, &west, 5099), 1);
  CHECK_EQ(passes(breaker, &east, 5100), 1);

  permit = acquire(breaker, &east, 5100);
  CHECK(permit.allowed == 1 && permit.is_probe == 1 && permit.state == WEIR_BREAKER_HALF_OPEN);
  CHECK_EQ(acquire(breaker, &east, 5100).allowed, 0);
  const weir_now now = at(5200);
  CHECK_OK(weir_breaker_cancel(breaker, &permit, &now, &error), &error);
  permit = acquire(breaker, &east, 5300);
  CHECK_EQ(permit.is_probe, 1);
  /* From before: nothing. */
  report = record(breaker, &early, 429, WEIR_OUTCOME_ANSWERED, -1, 5300);
  CHECK(report.tripped == 0 && report.reset == 0 && report.rule == -1);
  report = record(breaker, &permit, 200, WEIR_OUTCOME_ANSWERED, -1, 5400);
  CHECK(report.tripped == 0 && report.reset == 1);
  CHECK_EQ(acquire(breaker, &east, 5400).is_probe, 0);
  weir_breaker_free(breaker);
}

static void test_rules(void) {
  weir_breaker_rule rules[] = {throttle(), throttle(), throttle()};
  rules[0].statuses = &kBroken;
  rules[0].percentage = 50;
  rules[0].min_samples = 4;
  rules[0].interval_ms = 10000;
  rules[1].trip_growth_percent = 200;
  rules[1].trip_max_ms = 100000;
  rules[1].ignore_retry_after = 1;
  rules[2].statuses = NULL;
  rules[2].status_count = 0;
  rules[2].failures = WEIR_BREAKER_ON_STREAM_ERROR | WEIR_BREAKER_ON_CONNECT;
  rules[2].count = 2;
  rules[2].interval_ms = 1000;
  weir_breaker* breaker = breaker_of(NULL, rules, 3);
  weir_circuit circuit = circuit_of(breaker, "share");
  CHECK_EQ(send(breaker, &circuit, 503, 0).tripped, 0);
  CHECK_EQ(send(breaker, &circuit, 200, 1).tripped, 0);
  CHECK_EQ(send(breaker, &circuit, 401, 1).tripped, 0); /* no sample */
  CHECK_EQ(send(breaker, &circuit, 200, 2).tripped, 0);
  CHECK_EQ(send(breaker, &circuit, 503, 3).tripped, 1);

  circuit = circuit_of(breaker, "growth");
  int64_t ms = 0;
  const int64_t lengths[] = {30000, 60000, 100000, 100000};
  for (size_t i = 0; i < 4; ++i) {
    const weir_permit permit = acquire(breaker, &circuit, ms);
    const weir_breaker_report report =
        record(breaker, &permit, 429, WEIR_OUTCOME_ANSWERED, 1000, ms);
    CHECK_EQ(report.open_until_mono_ns, (ms + lengths[i]) * TEST_MS);
    ms += lengths[i];
  }

  circuit = circuit_of(breaker, "streams");
  weir_permit permit = acquire(breaker, &circuit, 0);
  CHECK_EQ(record(breaker, &permit, 200, WEIR_OUTCOME_STREAM_ERROR, -1, 0).tripped, 0);
  permit = acquire(breaker, &circuit, 0);
  CHECK_EQ(record(breaker, &permit, 200, WEIR_OUTCOME_TIMEOUT, -1, 0).tripped, 0);
  permit = acquire(breaker, &circuit, 0);
  const weir_breaker_report report = record(breaker, &permit, 200, WEIR_OUTCOME_TRUNCATED, -1, 999);
  CHECK(report.tripped == 1 && report.rule == 2);
  weir_breaker_free(breaker);
}

static int has(const char* text, const char* part) {
  const int found = strstr(text, part) != NULL;
  if (!found) fprintf(stderr, "%s is not in %s\n", part, text);
  return found;
}

static void test_json(void) {
  const weir_breaker_rule rule = throttle();
  weir_breaker* breaker = breaker_of(NULL, &rule, 1);
  const weir_circuit circuit = circuit_of(breaker, "east");
  const weir_now now = at(1200);
  char text[4096];
  size_t size = 0;
  CHECK_OK(weir_breaker_snapshot_json(breaker, &now, text, sizeof(text) - 1, &size, &error),
           &error);
  text[size] = '\0';
  CHECK(has(text, "\"key\":\"east\"") && has(text, "\"state\":\"closed\""));
  CHECK(has(text, "\"state_ms\":null") && has(text, "\"left_ms\":null"));
  CHECK(has(text, "\"trips\":0,\"rule\":null,\"status\":null,\"failure\":null,\"asked\":null}"));

  send(breaker, &circuit, 429, 200);
  CHECK_OK(weir_breaker_snapshot_json(breaker, &now, text, sizeof(text) - 1, &size, &error),
           &error);
  text[size] = '\0';
  CHECK(has(text, "\"state\":\"open\",\"state_ms\":1000,\"left_ms\":29000,\"trips\":1"));
  CHECK(has(text, "\"rule\":\"throttle\",\"status\":429,\"failure\":null,\"asked\":false}]}"));
  CHECK_EQ(weir_breaker_snapshot_json(breaker, &now, text, 10, &size, &error), WEIR_OUT_OF_RANGE);
  CHECK(size > 10);

  send(breaker, &circuit, 200, 30200);
  CHECK_OK(weir_breaker_changes_json(breaker, 0, text, sizeof(text) - 1, &size, &error), &error);
  text[size] = '\0';
  CHECK(has(text, "{\"last\":3,\"lost\":0,\"changes\":[{\"number\":1,\"event\":\"tripped\","));
  CHECK(has(text, "\"mono_ns\":200000000,\"unix_ns\":1700000000200000000,\"key\":\"east\""));
  CHECK(has(text, "\"number\":2,\"event\":\"half_opened\""));
  CHECK(has(text, "\"number\":3,\"event\":\"reset\""));
  CHECK_OK(weir_breaker_changes_json(breaker, 3, text, sizeof(text) - 1, &size, &error), &error);
  text[size] = '\0';
  CHECK(strcmp(text, "{\"last\":3,\"lost\":0,\"changes\":[]}") == 0);
  weir_breaker_free(breaker);
}

static void test_shared(void) {
  char folder[] = "/tmp/weir-breaker-XXXXXX";
  CHECK(mkdtemp(folder) != NULL);
  char path[64];
  const int length = snprintf(path, sizeof(path), "%s/state", folder);
  weir_state *first = NULL, *second = NULL;
  const weir_state_options options = {.size = sizeof(options), .bytes = 2 << 20};
  CHECK_OK(weir_state_open(path, (size_t)length, &options, &first, &error), &error);
  CHECK_OK(weir_state_open(path, (size_t)length, &options, &second, &error), &error);
  const weir_breaker_rule rule = throttle();
  weir_breaker* one = breaker_of(first, &rule, 1);
  weir_breaker* other = breaker_of(second, &rule, 1);
  weir_state_free(first);
  weir_state_free(second);
  const weir_circuit of_one = circuit_of(one, "east");
  const weir_circuit of_other = circuit_of(other, "east");
  CHECK_EQ(send(one, &of_one, 429, 0).tripped, 1);
  CHECK_EQ(passes(other, &of_other, 29999), 0);
  CHECK_EQ(send(other, &of_other, 200, 30000).reset, 1);
  CHECK_EQ(passes(one, &of_one, 30000), 1);
  weir_breaker_free(one);
  weir_breaker_free(other);
  unlink(path);
  rmdir(folder);
}

static void test_retry_after(void) {
  const weir_now now = at(0);
  weir_retry_headers headers = {.size = sizeof(headers)};
  int64_t ns = 0;
  CHECK_OK(weir_retry_after(&headers, &now, INT64_MAX, &ns, &error), &error);
  CHECK_EQ(ns, -1);
  headers.retry_after = "1m30s";
  headers.retry_after_size = 5;
  CHECK_OK(weir_retry_after(&headers, &now, INT64_MAX, &ns, &error), &error);
  CHECK_EQ(ns, 90000 * TEST_MS);
  CHECK_OK(weir_retry_after(&headers, &now, 7, &ns, &error), &error);
  CHECK_EQ(ns, 7);
  headers.x_ms_retry_after_ms = "250";
  headers.x_ms_retry_after_ms_size = 3;
  CHECK_OK(weir_retry_after(&headers, &now, INT64_MAX, &ns, &error), &error);
  CHECK_EQ(ns, 250 * TEST_MS);
  headers = (weir_retry_headers){.size = sizeof(headers),
                                 .remaining_tokens = "0",
                                 .remaining_tokens_size = 1,
                                 .reset_tokens = "6m0s",
                                 .reset_tokens_size = 4};
  CHECK_OK(weir_retry_after(&headers, &now, INT64_MAX, &ns, &error), &error);
  CHECK_EQ(ns, 360000 * TEST_MS);
}

static void test_unsound_new(void) {
  weir_breaker_rule rule = throttle();
  weir_breaker_rule_set set = {.size = sizeof(set), .rules = &rule, .rule_count = 1};
  weir_breaker_options options = {.size = sizeof(options), .max_circuits = 2000000};
  weir_breaker* made = NULL;
  weir_breaker_free(NULL);
  BAD(weir_breaker_new(NULL, &set, 1, NULL, NULL, &error));
  BAD(weir_breaker_new(NULL, NULL, 1, NULL, &made, &error));
  BAD(weir_breaker_new(NULL, &set, 1, &options, &made, &error));
  set.rules = NULL;
  BAD(weir_breaker_new(NULL, &set, 1, NULL, &made, &error));
  set.rules = &rule;
  rule.trip_ms = -1;
  BAD(weir_breaker_new(NULL, &set, 1, NULL, &made, &error));
  CHECK(has(error.message, "rule set 0, rule 0 \"throttle\": trip must be"));
  rule = throttle();
  rule.failures = 16;
  BAD(weir_breaker_new(NULL, &set, 1, NULL, &made, &error));
  rule = throttle();
  rule.status_count = 0;
  BAD(weir_breaker_new(NULL, &set, 1, NULL, &made, &error));
  CHECK(made == NULL);
}

static void test_unsound_calls(void) {
  const weir_breaker_rule rule = throttle();
  weir_breaker* breaker = breaker_of(NULL, &rule, 1);
  weir_breaker* other = breaker_of(NULL, &rule, 1);
  weir_circuit circuit = circuit_of(breaker, "k");
  const weir_circuit nothing = {.size = sizeof(nothing)};
  const weir_circuit foreign = circuit_of(other, "k");
  weir_permit permit = {.size = sizeof(permit)};
  weir_outcome outcome = {.size = sizeof(outcome), .status = 429};
  weir_retry_headers headers = {.size = sizeof(headers), .retry_after_size = 1};
  const weir_now now = at(0);
  char text[8];
  size_t size = 0;
  int64_t ns = 0;
  BAD(weir_breaker_find(NULL, 0, "k", 1, &now, &circuit, &error));
  BAD(weir_breaker_find(breaker, 1, "k", 1, &now, &circuit, &error));
  BAD(weir_breaker_find(breaker, 0, NULL, 1, &now, &circuit, &error));
  BAD(weir_breaker_find(breaker, 0, "k", 1, NULL, &circuit, &error));
  BAD(weir_breaker_find(breaker, 0, "k", 1, &now, NULL, &error));
  weir_circuit cut_short = circuit_of(breaker, "k");
  cut_short.size = 16;
  const weir_circuit* unsound[] = {NULL, &nothing, &foreign, &cut_short};
  for (size_t i = 0; i < sizeof(unsound) / sizeof(unsound[0]); ++i) {
    BAD(weir_breaker_check(breaker, unsound[i], &now, &permit, &error));
    BAD(weir_breaker_acquire(breaker, unsound[i], &now, &permit, &error));
  }
  BAD(weir_breaker_check(NULL, &circuit, &now, &permit, &error));
  BAD(weir_breaker_check(breaker, &circuit, NULL, &permit, &error));
  BAD(weir_breaker_acquire(breaker, &circuit, &now, NULL, &error));
  permit.size = 16;
  BAD(weir_breaker_acquire(breaker, &circuit, &now, &permit, &error));
  permit.size = sizeof(permit);
  BAD(weir_breaker_record(NULL, &permit, &outcome, &now, NULL, &error));
  BAD(weir_breaker_record(breaker, NULL, &outcome, &now, NULL, &error));
  BAD(weir_breaker_record(breaker, &permit, NULL, &now, NULL, &error));
  BAD(weir_breaker_record(breaker, &permit, &outcome, NULL, NULL, &error));
  outcome.failure = 6;
  BAD(weir_breaker_record(breaker, &permit, &outcome, &now, NULL, &error));
  outcome.failure = 0;
  BAD(weir_breaker_cancel(NULL, &permit, &now, &error));
  BAD(weir_breaker_cancel(breaker, NULL, &now, &error));
  BAD(weir_breaker_snapshot_json(NULL, &now, text, 8, &size, &error));
  BAD(weir_breaker_snapshot_json(breaker, &now, text, 8, NULL, &error));
  BAD(weir_breaker_changes_json(NULL, 0, text, 8, &size, &error));
  BAD(weir_breaker_changes_json(breaker, 0, NULL, 8, &size, &error));
  BAD(weir_retry_after(NULL, &now, 1, &ns, &error));
  BAD(weir_retry_after(&headers, &now, 1, &ns, &error));

  /* Permits that nobody gave, or that were only looked at, change nothing. */
  CHECK_OK(weir_breaker_check(breaker, &circuit, &now, &permit, &error), &error);
  CHECK_OK(weir_breaker_record(breaker, &permit, &outcome, &now, NULL, &error), &error);
  for (uint64_t i = 0; i < 6; ++i) permit.opaque[i] = i << 60 | 0xFFFFFF;
  CHECK_OK(weir_breaker_record(breaker, &permit, &outcome, &now, NULL, &error), &error);
  permit.opaque[0] = (uint64_t)0xFFFF << 32;
  outcome.status = 200;
  permit.is_probe = 1;
  CHECK_OK(weir_breaker_record(breaker, &permit, &outcome, &now, NULL, &error), &error);
  CHECK_OK(weir_breaker_cancel(breaker, &permit, &now, &error), &error);
  CHECK_EQ(passes(breaker, &circuit, 0), 1);
  weir_breaker_free(breaker);
  weir_breaker_free(other);
}

int main(void) {
  test_life();
  test_rules();
  test_json();
  test_shared();
  test_retry_after();
  test_unsound_new();
  test_unsound_calls();
  return check_report("breaker_test");
}
