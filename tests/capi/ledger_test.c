/* Ledger files from C: each transaction's line once, and what a line says of its cost. */

#define _POSIX_C_SOURCE 200809L /* mkdtemp */

#include <unistd.h>

#include "check.h"

static weir_error error = {.size = sizeof(error)};
static const weir_now now = {1000, 1795419747000000000};

static weir_txn* refused(weir_engine* engine, int is_decided) {
  weir_txn* txn = NULL;
  CHECK_OK(weir_txn_new(engine, &txn, &error), &error);
  CHECK_OK(weir_txn_request_head(txn, "GET", 3, "/nowhere", 8, "", 0, &error), &error);
  if (is_decided) {
    weir_action action = {.size = sizeof(action)};
    CHECK_OK(weir_txn_next(txn, &now, &action, &error), &error);
    CHECK_EQ(action.kind, WEIR_ACTION_REPLY);
  }
  return txn;
}

static void test_lines(weir_engine* engine, weir_ledger* ledger, const char* path) {
  int32_t outcome = 0;
  static char line[WEIR_LEDGER_LINE_BYTES], again[WEIR_LEDGER_LINE_BYTES];
  size_t size = 0;
  weir_txn* txn = refused(engine, 0);
  CHECK_EQ(weir_txn_ledger_line(txn, line, sizeof(line), &size, &error), WEIR_FAILED_PRECONDITION);
  CHECK_EQ(weir_ledger_append(ledger, txn, &now, &outcome, &error), WEIR_FAILED_PRECONDITION);
  weir_txn_free(txn);

  txn = refused(engine, 1);
  CHECK_EQ(weir_txn_ledger_line(txn, line, 10, &size, &error), WEIR_OUT_OF_RANGE);
  CHECK_OK(weir_txn_ledger_line(txn, line, size, &size, &error), &error);
  CHECK(size > 50 && line[size - 1] == '\n' && memcmp(line, "{\"weir\":1,", 10) == 0);
  CHECK_OK(weir_ledger_append(ledger, txn, &now, &outcome, &error), &error);
  CHECK_EQ(outcome, WEIR_LEDGER_WRITTEN);
  CHECK_EQ(weir_ledger_append(ledger, txn, &now, &outcome, &error), WEIR_FAILED_PRECONDITION);
  CHECK_OK(weir_ledger_append_line(ledger, line, size, &now, &outcome, &error), &error);
  CHECK_EQ(weir_ledger_append_line(ledger, line, size - 1, &now, &outcome, &error),
           WEIR_INVALID_ARGUMENT);
  weir_txn_free(txn);

  FILE* file = fopen(path, "rb");
  CHECK(file != NULL);
  CHECK_EQ(fread(again, 1, sizeof(again), file), 2 * size);
  CHECK(memcmp(again, line, size) == 0 && memcmp(again + size, line, size) == 0);
  fclose(file);
}

static void test_status(weir_ledger* ledger) {
  weir_ledger_status status = {.size = sizeof(status)};
  CHECK_EQ(weir_ledger_read_status(ledger, &status), WEIR_OK);
  CHECK_EQ(status.written_lines, 2);
  CHECK_EQ(status.dropped_lines, 0);
  int32_t accepts = 0;
  CHECK_OK(weir_ledger_accepts(ledger, &now, &accepts, &error), &error);
  CHECK_EQ(accepts, 1);
  CHECK_OK(weir_ledger_flush(ledger, 0, &now, &error), &error);
  CHECK_OK(weir_ledger_flush(ledger, 1, &now, &error), &error);
}

static void test_recompute(void) {
  static const char* const format =
      "{\"weir\":1,\"id\":\"00000000000000000000000000000000\","
      "\"time\":\"2026-11-23T07:42:27.000000Z\",\"usage\":{\"prompt\":1000,\"completion\":10},"
      "\"cost\":{\"micro_usd\":%s%s}}";
  static const char* const price = ",\"price\":{\"input\":2500000,\"output\":10000000}";
  char line[512];
  int32_t verdict = 0;
  uint64_t micro_usd = 0;
  snprintf(line, sizeof(line), format, "2600", price);
  CHECK_OK(weir_ledger_recompute(line, strlen(line), &verdict, &micro_usd, &error), &error);
  CHECK_EQ(verdict, WEIR_LEDGER_COST_AGREES);
  CHECK_EQ(micro_usd, 2600);
  snprintf(line, sizeof(line), format, "2601", price);
  CHECK_OK(weir_ledger_recompute(line, strlen(line), &verdict, &micro_usd, &error), &error);
  CHECK_EQ(verdict, WEIR_LEDGER_COST_DIFFERS);
  CHECK_EQ(micro_usd, 2600);
  snprintf(line, sizeof(line), format, "null", "");
  CHECK_OK(weir_ledger_recompute(line, strlen(line), &verdict, &micro_usd, &error), &error);
  CHECK_EQ(verdict, WEIR_LEDGER_COST_UNKNOWN);
  CHECK_EQ(weir_ledger_recompute("{}", 2, &verdict, &micro_usd, &error), WEIR_INVALID_ARGUMENT);
}

static void test_otlp(void) {
  static const char* const lines =
      "{\"weir\":1,\"id\":\"00000000000000000000000000000007\","
      "\"time\":\"2026-11-23T07:42:27.000000Z\",\"model\":\"gpt-4o\",\"status\":200}\npoison\n";
  char text[4096];
  size_t needed = 0;
  uint64_t poison = 0;
  CHECK_OK(weir_ledger_otlp(WEIR_OTLP_SPANS, "gateway", 7, lines, strlen(lines), &poison, text,
                            sizeof(text) - 1, &needed, &error),
           &error);
  CHECK_EQ(poison, 1);
  CHECK(needed < sizeof(text));
  text[needed < sizeof(text) ? needed : 0] = '\0';
  CHECK(strstr(text, "\"stringValue\":\"gateway\"") != NULL);
  CHECK(strstr(text, "\"resourceSpans\"") != NULL);
  CHECK(strstr(text, "\"spanId\":\"0000000000000007\"") != NULL);
  CHECK_EQ(weir_ledger_otlp(WEIR_OTLP_LOG_RECORDS, "", 0, lines, strlen(lines), &poison, text, 1,
                            &needed, &error),
           WEIR_OUT_OF_RANGE);
  CHECK(needed > 1);
  CHECK_OK(weir_ledger_otlp(WEIR_OTLP_LOG_RECORDS, "", 0, "", 0, &poison, text, sizeof(text),
                            &needed, &error),
           &error);
  CHECK_EQ(needed, 0);
  CHECK_EQ(weir_ledger_otlp(3, "", 0, lines, strlen(lines), &poison, text, sizeof(text), &needed,
                            &error),
           WEIR_INVALID_ARGUMENT);
}

static void test_faults(const char* path) {
  weir_ledger* ledger = NULL;
  weir_ledger_options options = {.size = sizeof(options), .on_full = 7};
  const size_t size = strlen(path);
  CHECK_EQ(weir_ledger_open(path, size, &options, &now, &ledger, &error), WEIR_INVALID_ARGUMENT);
  options.on_full = WEIR_LEDGER_REFUSE;
  options.spool_bytes = 1;
  CHECK_EQ(weir_ledger_open(path, size, &options, &now, &ledger, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_ledger_open("a\0b", 3, NULL, &now, &ledger, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_ledger_open("/dev/full", 9, NULL, &now, &ledger, &error), WEIR_FAILED_PRECONDITION);
  CHECK_EQ(weir_ledger_open(path, size, NULL, NULL, &ledger, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_ledger_append(NULL, NULL, &now, NULL, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_ledger_read_status(NULL, NULL), WEIR_INVALID_ARGUMENT);
  CHECK(ledger == NULL);
  weir_ledger_free(NULL);
}

int main(void) {
  char folder[] = "/tmp/weir-ledger-XXXXXX";
  CHECK(mkdtemp(folder) != NULL);
  char path[64];
  snprintf(path, sizeof(path), "%s/ledger.jsonl", folder);
  weir_policy* policy = test_policy();
  weir_engine* engine = NULL;
  weir_ledger* ledger = NULL;
  CHECK_OK(weir_engine_new(policy, NULL, &engine, &error), &error);
  CHECK_OK(weir_ledger_open(path, strlen(path), NULL, &now, &ledger, &error), &error);
  test_lines(engine, ledger, path);
  test_status(ledger);
  weir_ledger_free(ledger);
  test_recompute();
  test_otlp();
  test_faults(path);
  weir_engine_free(engine);
  weir_policy_free(policy);
  unlink(path);
  rmdir(folder);
  return check_report("ledger_test");
}
