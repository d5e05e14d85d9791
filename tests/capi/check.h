/* What the C tests share: CHECK, and a policy to work with. */

#ifndef WEIR_TESTS_CAPI_CHECK_H_
#define WEIR_TESTS_CAPI_CHECK_H_

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir.h>

static int check_failures = 0;
static int check_count = 0;

#define CHECK(condition)                                                            \
  do {                                                                              \
    ++check_count;                                                                  \
    if (!(condition)) {                                                             \
      ++check_failures;                                                             \
      fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
    }                                                                               \
  } while (0)

/* Compares two integers and says both. */
#define CHECK_EQ(actual, expected)                                                                \
  do {                                                                                            \
    const long long check_a = (long long)(actual), check_e = (long long)(expected);               \
    ++check_count;                                                                                \
    if (check_a != check_e) {                                                                     \
      ++check_failures;                                                                           \
      fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #actual, check_a, \
              check_e);                                                                           \
    }                                                                                             \
  } while (0)

/* CHECK_EQ(call, WEIR_OK) that also says the error. */
#define CHECK_OK(call, error)                                                                     \
  do {                                                                                            \
    const weir_status check_status = (call);                                                      \
    ++check_count;                                                                                \
    if (check_status != WEIR_OK) {                                                                \
      ++check_failures;                                                                           \
      fprintf(stderr, "%s:%d: %s: status %d: %s\n", __FILE__, __LINE__, #call, (int)check_status, \
              (error)->message);                                                                  \
    }                                                                                             \
  } while (0)

static inline int check_report(const char* program) {
  if (check_failures != 0) {
    fprintf(stderr, "%s: %d of %d checks failed\n", program, check_failures, check_count);
    return 1;
  }
  printf("%s: %d checks passed\n", program, check_count);
  return 0;
}

#define TEST_KEY "red-key-1"
#define TEST_MS ((int64_t)1000000)

static const char kTestPolicy[] =
    "{ \"weir\": 1,"
    "  \"pepper\": \"a test's pepper\","
    "  \"consumers\": {\"red\": {\"keys\": [\"%s\"], \"attributes\": {\"team\": \"red\"}}},"
    "  \"credentials\": {\"east\": {\"header\": \"api-key\", \"value\": {\"env\": \"EAST_KEY\"}}},"
    "  \"backends\": {"
    "    \"east\": {\"url\": \"https://east.example.com\", \"dialect\": \"azure-openai\","
    "             \"credential\": \"east\", \"api_version\": \"2024-10-21\"},"
    "    \"west\": {\"url\": \"https://west.example.com\", \"dialect\": \"openai\"}},"
    "  \"pools\": {\"chat\": {\"strategy\": \"weighted\","
    "    \"members\": [{\"backend\": \"east\", \"priority\": 1},"
    "                {\"backend\": \"west\", \"priority\": 2}],"
    "    \"retry\": {\"attempts\": 2, \"on\": [\"429\", \"5xx\", \"connect\"]}}},"
    "  \"limits\": {\"per-team\": {\"key\": \"consumer.team\", \"unit\": \"tokens\","
    "    \"amount\": 1000, \"per\": \"1m\", \"reserve\": {\"prompt\": \"exact\", \"output\": "
    "\"none\"}}},"
    "  \"meters\": {\"default\": {\"dimensions\": {\"team\": \"consumer.team\"}}},"
    "  \"routes\": [{\"name\": \"chat\","
    "    \"match\": {\"method\": \"POST\", \"path\": \"/v1/chat/completions\"},"
    "    \"pool\": \"chat\", \"limits\": [\"per-team\"], \"meter\": \"default\"}] }";

#define TEST_BODY \
  "{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"Say hello.\"}]}"

#define TEST_ANSWER                                                                              \
  "{\"id\":\"c1\",\"object\":\"chat.completion\",\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{" \
  "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello!\"},"                     \
  "\"finish_reason\":\"stop\"}],"                                                                \
  "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":3,\"total_tokens\":14}}"

/* The test policy with the hash of TEST_KEY in it. */
static inline size_t test_policy_text(char* text, size_t capacity) {
  static const char pepper[] = "a test's pepper";
  char hash[128] = "";
  size_t needed = 0;
  const weir_status status = weir_key_hash(pepper, strlen(pepper), TEST_KEY, strlen(TEST_KEY), hash,
                                           sizeof(hash) - 1, &needed, NULL);
  CHECK_EQ(status, WEIR_OK);
  if (status == WEIR_OK) hash[needed] = '\0';
  const int length = snprintf(text, capacity, kTestPolicy, hash);
  return length > 0 && (size_t)length < capacity ? (size_t)length : 0;
}

/* A parsed policy, its secret given; null (and a failed check) when it does not parse. */
static inline weir_policy* test_policy(void) {
  char text[4096];
  weir_error error = {.size = sizeof(error)};
  weir_policy* policy = NULL;
  const size_t size = test_policy_text(text, sizeof(text));
  CHECK_OK(weir_policy_parse(text, size, &policy, &error), &error);
  if (policy != NULL) CHECK_EQ(weir_policy_set_secret(policy, 0, "east-secret", 11), WEIR_OK);
  return policy;
}

static inline weir_engine* test_engine(void) {
  weir_error error = {.size = sizeof(error)};
  weir_policy* policy = test_policy();
  weir_engine* engine = NULL;
  if (policy == NULL) return NULL;
  CHECK_OK(weir_engine_new(policy, NULL, &engine, &error), &error);
  weir_policy_free(policy);
  return engine;
}

/* Feeds a sound chat request. */
static inline void test_request(weir_txn* txn, const char* body) {
  weir_error error = {.size = sizeof(error)};
  CHECK_OK(
      weir_txn_request_head(txn, "POST", 4, "/v1/chat/completions", 20, "192.0.2.1", 9, &error),
      &error);
  CHECK_OK(weir_txn_request_header(txn, "authorization", 13, "Bearer " TEST_KEY,
                                   strlen("Bearer " TEST_KEY), &error),
           &error);
  CHECK_OK(weir_txn_request_header(txn, "content-type", 12, "application/json", 16, &error),
           &error);
  CHECK_OK(weir_txn_request_body(txn, body, strlen(body), &error), &error);
  CHECK_OK(weir_txn_request_end(txn, &error), &error);
}

/* weir_txn_next at `ms`, expecting WEIR_OK; the kind of action, or -1. */
static inline int32_t test_next(weir_txn* txn, int64_t ms, weir_action* action) {
  weir_error error = {.size = sizeof(error)};
  const weir_now now = {ms * TEST_MS, (1700000000000 + ms) * TEST_MS};
  memset(action, 0, sizeof(*action));
  action->size = sizeof(*action);
  const weir_status status = weir_txn_next(txn, &now, action, &error);
  CHECK_OK(status, &error);
  return status == WEIR_OK ? action->kind : -1;
}

static inline int text_is(const char* text, size_t size, const char* expected) {
  return size == strlen(expected) && (size == 0 || memcmp(text, expected, size) == 0);
}

#endif /* WEIR_TESTS_CAPI_CHECK_H_ */
