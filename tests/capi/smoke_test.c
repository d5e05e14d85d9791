/* The whole life of a transaction from C: what a host does, in the order in which it does it. */

#define _POSIX_C_SOURCE 200809L /* sigaction */

#include <locale.h>
#include <signal.h>

#include "check.h"

static void test_version(void) {
  char expected[32];
  snprintf(expected, sizeof(expected), "%d.%d.%d", WEIR_VERSION_MAJOR, WEIR_VERSION_MINOR,
           WEIR_VERSION_PATCH);
  CHECK(strcmp(weir_version(), expected) == 0);
  CHECK_EQ(weir_version_number(),
           WEIR_VERSION_MAJOR * 1000000 + WEIR_VERSION_MINOR * 1000 + WEIR_VERSION_PATCH);
}

static void test_policy_faults(void) {
  weir_error error = {.size = sizeof(error)};
  weir_policy* policy = NULL;
  static const char broken[] = "{ \"weir\": 1,\n  ]";
  CHECK_EQ(weir_policy_parse(broken, strlen(broken), &policy, &error), WEIR_INVALID_ARGUMENT);
  CHECK(policy == NULL);
  CHECK_EQ(error.code, WEIR_INVALID_ARGUMENT);
  CHECK_EQ(error.line, 2);
  CHECK_EQ(error.column, 3);
  CHECK_EQ(error.offset, 15);

  /* All faults, one a line; a misspelt word comes with the word that was meant. */
  static const char bad[] = "{ \"weir\": 1,\n  \"rotues\": [], \"pools\": 7 }";
  char faults[2048];
  size_t needed = 0;
  CHECK_OK(weir_policy_check(bad, strlen(bad), faults, sizeof(faults) - 1, &needed, &error),
           &error);
  CHECK(needed > 5 && needed < sizeof(faults));
  CHECK(faults[needed - 1] == '\n');
  faults[needed] = '\0';
  CHECK(strstr(faults, "\n2:") != NULL);
  CHECK(strstr(faults, "\"rotues\"") != NULL && strstr(faults, "\"routes\"") != NULL);
  CHECK(strstr(faults, "pools") != NULL);

  /* None for a sound document. */
  char text[4096];
  const size_t size = test_policy_text(text, sizeof(text));
  CHECK_OK(weir_policy_check(text, size, faults, sizeof(faults), &needed, &error), &error);
  CHECK_EQ(needed, 0);

  /* A sound document may say what does nothing; one with faults has no warnings. */
  static const char idle[] =
      "{\"weir\": 1, \"backends\": {\"a\": {\"url\": \"http://a.test\", \"dialect\": "
      "\"openai\"}},\n"
      " \"pools\": {\"p\": {\"members\": [{\"backend\": \"a\"}]},\n"
      "  \"idle\": {\"members\": [{\"backend\": \"a\"}]}},\n"
      " \"routes\": [{\"name\": \"r\", \"match\": {\"path\": \"/v1/models\"}, \"pool\": \"p\"}]}";
  CHECK_OK(weir_policy_warnings(idle, strlen(idle), faults, sizeof(faults) - 1, &needed, &error),
           &error);
  CHECK(needed > 0 && needed < sizeof(faults));
  faults[needed] = '\0';
  CHECK(strstr(faults, "3:3: pools.idle: ") == faults);
  CHECK_OK(weir_policy_warnings(bad, strlen(bad), faults, sizeof(faults), &needed, &error), &error);
  CHECK_EQ(needed, 0);
}

static void test_secrets(void) {
  char text[4096];
  weir_error error = {.size = sizeof(error)};
  weir_policy* policy = NULL;
  weir_engine* engine = NULL;
  const size_t text_size = test_policy_text(text, sizeof(text));
  CHECK_OK(weir_policy_parse(text, text_size, &policy, &error), &error);
  if (policy == NULL) return;
  CHECK_EQ(weir_policy_secret_count(policy), 1);
  int32_t kind = 0;
  const char* name = NULL;
  size_t name_size = 0;
  CHECK_EQ(weir_policy_secret(policy, 0, &kind, &name, &name_size), WEIR_OK);
  CHECK_EQ(kind, WEIR_SECRET_ENV);
  CHECK(text_is(name, name_size, "EAST_KEY"));

  CHECK_EQ(weir_engine_new(policy, NULL, &engine, &error), WEIR_FAILED_PRECONDITION);
  CHECK(engine == NULL);
  CHECK(strstr(error.message, "EAST_KEY") != NULL);
  CHECK_EQ(weir_policy_set_secret(policy, 0, "east-secret", 11), WEIR_OK);
  CHECK_OK(weir_engine_new(policy, NULL, &engine, &error), &error);
  CHECK_EQ(weir_policy_set_secret(policy, 0, "other", 5), WEIR_FAILED_PRECONDITION);
  weir_policy_free(policy); /* the engine keeps its own reference */
  weir_engine_free(engine);
}

/* The value of the header edit called `name`; null when there is none, or it is removed. */
static const char* find_header(const weir_txn* txn, const weir_action* action, const char* name,
                               size_t* size) {
  for (uint32_t i = 0; i < action->header_count; ++i) {
    int32_t operation = 0;
    const char *found = NULL, *value = NULL;
    size_t found_size = 0;
    CHECK_EQ(weir_txn_header(txn, i, &operation, &found, &found_size, &value, size), WEIR_OK);
    CHECK(operation >= WEIR_HEADER_SET && operation <= WEIR_HEADER_ADD);
    if (text_is(found, found_size, name) && operation == WEIR_HEADER_SET) return value;
  }
  *size = 0;
  return NULL;
}

static void test_exchange(weir_engine* engine) {
  weir_error error = {.size = sizeof(error)};
  weir_txn* txn = NULL;
  weir_action action;
  const char* view = NULL;
  size_t size = 0;
  CHECK_OK(weir_txn_new(engine, &txn, &error), &error);
  CHECK_OK(weir_txn_attribute(txn, "app", 3, "tests", 5, &error), &error);
  test_request(txn, TEST_BODY);
  int32_t kind = test_next(txn, 0, &action);
  if (kind == WEIR_ACTION_CONTINUE) kind = test_next(txn, 0, &action);
  CHECK_EQ(kind, WEIR_ACTION_FORWARD);
  CHECK_EQ(action.attempt, 1);
  CHECK(action.deadline_mono_ns > 0);
  CHECK_EQ(weir_txn_url(txn, &view, &size), WEIR_OK);
  CHECK(text_is(view, size, "https://east.example.com"));
  CHECK_EQ(weir_txn_target(txn, &view, &size), WEIR_OK);
  CHECK(text_is(view, size, "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"));
  view = find_header(txn, &action, "api-key", &size);
  CHECK(view != NULL && text_is(view, size, "east-secret"));
  CHECK(find_header(txn, &action, "authorization", &size) == NULL);

  CHECK_OK(weir_txn_response_head(txn, 200, &error), &error);
  CHECK_OK(weir_txn_response_header(txn, "content-type", 12, "application/json", 16, &error),
           &error);
  CHECK_EQ(test_next(txn, 5, &action), WEIR_ACTION_CONTINUE);
  CHECK_EQ(action.status, 200);
  CHECK_OK(weir_txn_response_body(txn, TEST_ANSWER, strlen(TEST_ANSWER), &error), &error);
  kind = test_next(txn, 6, &action);
  CHECK_EQ(kind, WEIR_ACTION_CONTINUE);
  CHECK_OK(weir_txn_response_end(txn, &error), &error);
  CHECK_EQ(test_next(txn, 7, &action), WEIR_ACTION_DONE);

  char text[65536];
  CHECK_OK(weir_txn_explain(txn, text, sizeof(text), &size, &error), &error);
  CHECK(size > 2 && text[0] == '{' && text[size - 1] == '}');
  weir_txn_free(txn);

  CHECK_OK(weir_engine_metrics(engine, text, sizeof(text) - 1, &size, &error), &error);
  text[size < sizeof(text) ? size : 0] = '\0';
  CHECK(strstr(text, "# TYPE ") != NULL);
  const weir_now now = {8 * TEST_MS, 1700000000008 * TEST_MS};
  CHECK_OK(weir_engine_status(engine, &now, text, sizeof(text), &size, &error), &error);
  CHECK(size > 2 && text[0] == '{' && text[size - 1] == '}');
}

static void test_tokens(void) {
  weir_error error = {.size = sizeof(error)};
  const weir_tokenizer *by_name = NULL, *by_model = NULL, *none = NULL;
  CHECK_OK(weir_tokenizer_find("o200k_base", 10, &by_name, &error), &error);
  CHECK_OK(weir_tokenizer_find("gpt-4o", 6, &by_model, &error), &error);
  CHECK(by_name == by_model);
  CHECK_EQ(weir_tokenizer_find("no-such-model", 13, &none, &error), WEIR_NOT_FOUND);
  CHECK(none == NULL);
  uint64_t count = 0;
  CHECK_OK(weir_tokenizer_count(by_name, "Hello, world", 12, &count, &error), &error);
  CHECK_EQ(count, 3);
  uint32_t ids[3] = {0};
  size_t needed = 0;
  CHECK_OK(weir_tokenizer_encode(by_name, "Hello, world", 12, ids, 3, &needed, &error), &error);
  CHECK_EQ(needed, 3);
  CHECK(ids[0] == 13225 && ids[1] == 11 && ids[2] == 2375);
  CHECK_OK(weir_tokenizer_count(by_name, NULL, 0, &count, &error), &error);
  CHECK_EQ(count, 0);
}

static int signals = 0;
static void on_signal(int number) {
  (void)number;
  ++signals;
}

int main(void) {
  /* What belongs to the host: its locale (this one writes 1,5 where it is installed), its signals.
   */
  if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL) setlocale(LC_ALL, "C.UTF-8");
  char locale[64];
  snprintf(locale, sizeof(locale), "%s", setlocale(LC_ALL, NULL));
  struct sigaction ours = {.sa_handler = on_signal}, after;
  sigaction(SIGPIPE, &ours, NULL);
  sigaction(SIGABRT, &ours, NULL);

  test_version();
  test_policy_faults();
  test_secrets();
  weir_engine* engine = test_engine();
  if (engine != NULL) test_exchange(engine);
  if (engine != NULL) test_exchange(engine);
  weir_engine_free(engine);
  test_tokens();

  CHECK(strcmp(locale, setlocale(LC_ALL, NULL)) == 0);
  sigaction(SIGPIPE, NULL, &after);
  CHECK(after.sa_handler == on_signal);
  sigaction(SIGABRT, NULL, &after);
  CHECK(after.sa_handler == on_signal);
  CHECK_EQ(signals, 0);
  return check_report("smoke_test");
}
