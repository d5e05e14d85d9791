/* The limiter's calls that no sound host makes, and callers of other releases: structs and arrays
 * of structs that are shorter or longer than this library's. */

#include "check.h"

#define BAD(call) CHECK_EQ(call, WEIR_INVALID_ARGUMENT)

static weir_error error = {.size = sizeof(error)};
static const weir_now now = {1000000000, 1700000000000000000};

static weir_limit_rule fixed(const char* name, uint64_t amount) {
  const weir_limit_rule rule = {.size = sizeof(rule),
                                .algorithm = WEIR_LIMIT_FIXED_WINDOW,
                                .name = name,
                                .name_size = strlen(name),
                                .amount = amount,
                                .window_ms = 60000};
  return rule;
}

static weir_limiter* make_limiter(void) {
  const weir_limit_rule rules[] = {fixed("a", 10), fixed("b", 10)};
  weir_limiter* limiter = NULL;
  CHECK_OK(weir_limiter_new(NULL, rules, 2, NULL, &limiter, &error), &error);
  return limiter;
}

static void test_nulls(weir_limiter* limiter) {
  weir_limit_charge charge = {.size = sizeof(charge), .cost = 1};
  weir_limit_actual actual = {.size = sizeof(actual)};
  weir_limit_verdict verdict = {.size = sizeof(verdict)};
  weir_limit_decision decision = {.size = sizeof(decision)};
  weir_limit_rule rule = fixed("a", 1);
  weir_limiter* made = NULL;
  weir_state* state = NULL;
  weir_reservation* held = NULL;
  const char* name = NULL;
  char buffer[8];
  size_t size = 0;
  weir_state_free(NULL);
  weir_limiter_free(NULL);
  weir_reservation_free(NULL);
  BAD(weir_state_open(NULL, 1, NULL, &state, &error));
  BAD(weir_state_open("", 0, NULL, NULL, &error));
  BAD(weir_state_report_json("x", 1, 1, NULL, buffer, sizeof(buffer), &size, &error));
  BAD(weir_state_report_json("x", 1, 1, &now, NULL, sizeof(buffer), &size, &error));
  BAD(weir_state_report_json("x", 1, 1, &now, buffer, sizeof(buffer), NULL, &error));
  BAD(weir_state_report_json(NULL, 1, 1, &now, buffer, sizeof(buffer), &size, &error));
  BAD(weir_limiter_new(NULL, &rule, 1, NULL, NULL, &error));
  BAD(weir_limiter_new(NULL, NULL, 1, NULL, &made, &error));
  BAD(weir_limiter_restarted(NULL, 0, &name, &size));
  BAD(weir_limiter_restarted(limiter, 0, NULL, &size));
  BAD(weir_limiter_restarted(limiter, 0, &name, NULL));
  BAD(weir_limiter_reserve(NULL, &charge, 1, &now, &verdict, &decision, &held, &error));
  BAD(weir_limiter_reserve(limiter, NULL, 1, &now, &verdict, &decision, &held, &error));
  BAD(weir_limiter_reserve(limiter, &charge, 1, NULL, &verdict, &decision, &held, &error));
  BAD(weir_limiter_reserve(limiter, &charge, 1, &now, &verdict, NULL, &held, &error));
  BAD(weir_limiter_reserve(limiter, &charge, 1, &now, &verdict, &decision, NULL, &error));
  BAD(weir_limiter_take(NULL, &charge, 1, &now, &verdict, &decision, &error));
  BAD(weir_limiter_take(limiter, &charge, 1, NULL, &verdict, &decision, &error));
  BAD(weir_limiter_take(limiter, &charge, 1, &now, &verdict, NULL, &error));
  BAD(weir_limiter_peek(NULL, &charge, &now, &verdict, &error));
  BAD(weir_limiter_peek(limiter, NULL, &now, &verdict, &error));
  BAD(weir_limiter_peek(limiter, &charge, NULL, &verdict, &error));
  BAD(weir_limiter_peek(limiter, &charge, &now, NULL, &error));
  BAD(weir_limiter_book(NULL, &charge, &now, &error));
  BAD(weir_limiter_book(limiter, NULL, &now, &error));
  BAD(weir_limiter_book(limiter, &charge, NULL, &error));
  BAD(weir_limiter_override(NULL, 0, NULL, 0, 1, 1, &now, &error));
  BAD(weir_limiter_override(limiter, 0, NULL, 1, 1, 1, &now, &error));
  BAD(weir_limiter_override(limiter, 0, NULL, 0, 1, 1, NULL, &error));
  CHECK_OK(weir_limiter_reserve(limiter, &charge, 1, &now, NULL, &decision, &held, &error), &error);
  BAD(weir_limiter_top_up(NULL, held, NULL, 0, &now, NULL, &decision, &error));
  BAD(weir_limiter_top_up(limiter, NULL, NULL, 0, &now, NULL, &decision, &error));
  BAD(weir_limiter_top_up(limiter, held, NULL, 1, &now, NULL, &decision, &error));
  BAD(weir_limiter_top_up(limiter, held, NULL, 0, NULL, NULL, &decision, &error));
  BAD(weir_limiter_top_up(limiter, held, NULL, 0, &now, NULL, NULL, &error));
  BAD(weir_limiter_settle(NULL, held, &actual, 1, &now, &error));
  BAD(weir_limiter_settle(limiter, NULL, &actual, 1, &now, &error));
  BAD(weir_limiter_settle(limiter, held, NULL, 1, &now, &error));
  BAD(weir_limiter_settle(limiter, held, &actual, 1, NULL, &error));
  BAD(weir_limiter_release(NULL, held, &now, &error));
  BAD(weir_limiter_release(limiter, NULL, &now, &error));
  BAD(weir_limiter_release(limiter, held, NULL, &error));
  /* Nor is it given back to a limiter that has not made it. */
  weir_limiter* other = make_limiter();
  BAD(weir_limiter_settle(other, held, &actual, 1, &now, &error));
  BAD(weir_limiter_release(other, held, &now, &error));
  BAD(weir_limiter_top_up(other, held, NULL, 0, &now, NULL, &decision, &error));
  weir_limiter_free(other);
  CHECK_OK(weir_limiter_peek(limiter, &charge, &now, &verdict, &error), &error);
  CHECK_EQ(verdict.used_before, 1);
  weir_reservation_free(held);
}

static void test_bad_rules(void) {
  weir_limit_rule rules[2] = {fixed("a", 1), fixed("b", 1)};
  weir_limiter* limiter = NULL;
#define BAD_RULE(field, value, word)                                    \
  do {                                                                  \
    rules[1] = fixed("b", 1);                                           \
    rules[1].field = (value);                                           \
    BAD(weir_limiter_new(NULL, rules, 2, NULL, &limiter, &error));      \
    CHECK(strstr(error.message, "rule 1") != NULL);                     \
    if (strstr(error.message, word) == NULL) CHECK_EQ(0, __LINE__ + 0); \
  } while (0)
  BAD_RULE(algorithm, -1, "algorithm");
  BAD_RULE(algorithm, 6, "algorithm");
  BAD_RULE(algorithm, 1 << 20, "algorithm");
  BAD_RULE(period, 8, "period");
  BAD_RULE(period, -1, "period");
  BAD_RULE(amount, 0, "amount");
  BAD_RULE(amount, ((uint64_t)1 << 53) + 1, "amount");
  BAD_RULE(window_ms, 999, "window");
  BAD_RULE(window_ms, -1, "window");
  BAD_RULE(window_ms, INT64_MAX, "window");
  BAD_RULE(lease_ms, 999, "lease");
  BAD_RULE(lease_ms, -2, "lease");
  BAD_RULE(lease_ms, INT64_MAX, "lease");
  BAD_RULE(burst, 5, "burst");
  BAD_RULE(share, 1, "share");
  BAD_RULE(name_size, 0, "name");
  rules[1] = fixed("a", 1);
  BAD(weir_limiter_new(NULL, rules, 2, NULL, &limiter, &error));
  rules[1] = fixed("b", 1);
  rules[1].name = NULL;
  BAD(weir_limiter_new(NULL, rules, 2, NULL, &limiter, &error));
  rules[1] = fixed("b", 1);
  rules[1].algorithm = WEIR_LIMIT_CALENDAR;
  rules[1].window_ms = 0;
  rules[1].time_zone = "Atlantis/Capital";
  rules[1].time_zone_size = 16;
  BAD(weir_limiter_new(NULL, rules, 2, NULL, &limiter, &error));
  CHECK(strstr(error.message, "time_zone") != NULL);
  CHECK(limiter == NULL);
}

static void test_bad_charges(weir_limiter* limiter) {
  weir_limit_charge charges[2] = {{.size = sizeof(charges[0]), .cost = 1},
                                  {.size = sizeof(charges[0]), .rule = 2, .cost = 1}};
  weir_limit_verdict verdict = {.size = sizeof(verdict)};
  weir_limit_decision decision = {.size = sizeof(decision)};
  weir_reservation* held = NULL;
  for (int fault = 0; fault < 4; ++fault) {
    charges[1].rule = fault == 0 ? 2 : 1;
    charges[1].weight = fault == 1 ? 1000001 : 0;
    charges[1].key_size = fault == 2 ? 1 : 0;
    charges[1].model_size = fault == 3 ? 1 : 0;
    BAD(weir_limiter_reserve(limiter, charges, 2, &now, NULL, &decision, &held, &error));
    BAD(weir_limiter_take(limiter, charges, 2, &now, NULL, &decision, &error));
    BAD(weir_limiter_peek(limiter, &charges[1], &now, &verdict, &error));
    BAD(weir_limiter_book(limiter, &charges[1], &now, &error));
  }
  CHECK(held == NULL);
  CHECK_OK(weir_limiter_peek(limiter, &charges[0], &now, &verdict, &error), &error);
  CHECK_EQ(verdict.used_before, 0);
}

/* `count` elements of `stride` bytes, each beginning with what `from` has, as a caller with
 * another idea of the struct would lay them out; exactly so much heap. Only the first says it. */
static void* array_of(const void* from, size_t from_stride, size_t count, size_t stride) {
  char* bytes = calloc(count, stride);
  const uint32_t size = (uint32_t)stride;
  for (size_t i = 0; i < count; ++i) {
    memcpy(bytes + i * stride, (const char*)from + i * from_stride,
           stride < from_stride ? stride : from_stride);
    memset(bytes + i * stride, 0, sizeof(size));
  }
  memcpy(bytes, &size, sizeof(size));
  return bytes;
}

static void test_rule_sizes(void) {
  const weir_limit_rule rules[] = {fixed("a", 10), fixed("b", 20), fixed("c", 30)};
  for (size_t stride = 8; stride <= sizeof(rules[0]) + 24; stride += 8) {
    weir_limit_rule* given = array_of(rules, sizeof(rules[0]), 3, stride);
    weir_limiter* limiter = NULL;
    /* Without its window a rule is not sound; whatever is behind that has defaults. */
    const weir_status status = weir_limiter_new(NULL, given, 3, NULL, &limiter, &error);
    CHECK_EQ(status,
             stride > offsetof(weir_limit_rule, window_ms) ? WEIR_OK : WEIR_INVALID_ARGUMENT);
    for (uint32_t i = 0; i < 3 && limiter != NULL; ++i) {
      const weir_limit_charge charge = {.size = sizeof(charge), .rule = i};
      weir_limit_verdict verdict = {.size = sizeof(verdict)};
      CHECK_OK(weir_limiter_peek(limiter, &charge, &now, &verdict, &error), &error);
      CHECK_EQ(verdict.amount, rules[i].amount);
    }
    weir_limiter_free(limiter);
    free(given);
  }
  static const uint32_t sizes[] = {0, 3, 4, 7, 12, sizeof(weir_limit_rule) - 1};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); ++i) {
    weir_limit_rule rule = rules[0];
    weir_limiter* limiter = NULL;
    rule.size = sizes[i];
    BAD(weir_limiter_new(NULL, &rule, 1, NULL, &limiter, &error));
  }
}

/* Charges and verdicts of every size, three at once. */
static void test_array_sizes(weir_limiter* limiter) {
  const weir_limit_charge charges[] = {
      {.size = sizeof(charges[0]), .key = "sizes", .key_size = 5, .cost = 1},
      {.size = sizeof(charges[0]), .rule = 1, .key = "sizes", .key_size = 5, .cost = 2}};
  const weir_limit_verdict nothing[2] = {{.size = 0}};
  for (size_t stride = 8; stride <= sizeof(charges[0]) + 24; stride += 8) {
    weir_limit_charge* given = array_of(charges, sizeof(charges[0]), 2, stride);
    weir_limit_decision decision = {.size = sizeof(decision)};
    weir_reservation* held = NULL;
    /* A key without its length is none to read. */
    CHECK_OK(weir_limiter_reserve(limiter, given, 2, &now, NULL, &decision, &held, &error), &error);
    CHECK_EQ(decision.admitted, 1);
    weir_reservation_free(held);
    if (stride > sizeof(charges[0])) {
      ((char*)given)[2 * stride - 1] = 1;
      CHECK_EQ(weir_limiter_take(limiter, given, 2, &now, NULL, &decision, &error),
               WEIR_UNIMPLEMENTED);
    }
    free(given);
  }
  for (size_t stride = 8; stride <= sizeof(nothing[0]) + 24; stride += 8) {
    weir_limit_verdict* verdicts = array_of(nothing, sizeof(nothing[0]), 2, stride);
    weir_limit_decision decision = {.size = sizeof(decision)};
    weir_reservation* held = NULL;
    CHECK_EQ(weir_limiter_reserve(limiter, charges, 2, &now, verdicts, &decision, &held, &error),
             stride < 16 ? WEIR_INVALID_ARGUMENT : WEIR_OK);
    if (stride >= 16) {
      const char* second = (const char*)verdicts + stride;
      weir_limit_verdict read = {.size = 0};
      memcpy(&read, second, stride < sizeof(read) ? stride : sizeof(read));
      CHECK(read.size == stride && read.rule == 1 && read.admitted == 1);
      if (stride >= 32) CHECK_EQ(read.reserved, 2);
      for (size_t i = sizeof(read); i < stride; ++i) CHECK_EQ(second[i], 0);
    }
    weir_reservation_free(held);
    free(verdicts);
  }
}

static void test_single_sizes(weir_limiter* limiter) {
  const weir_limit_charge charge = {.size = sizeof(charge), .cost = 1};
  for (uint32_t size = 0; size <= sizeof(weir_limit_decision) + 8; size += 4) {
    weir_limit_decision* decision = calloc(1, size < 4 ? 4 : size);
    decision->size = size;
    CHECK_EQ(weir_limiter_take(limiter, &charge, 1, &now, NULL, decision, &error),
             size < 8 ? WEIR_INVALID_ARGUMENT : WEIR_OK);
    CHECK_EQ(decision->size, size);
    if (size >= 8) CHECK_EQ(decision->admitted, 1);
    free(decision);
  }
  for (uint32_t size = 0; size <= sizeof(weir_limit_verdict) + 8; size += 4) {
    weir_limit_verdict* verdict = calloc(1, size < 4 ? 4 : size);
    verdict->size = size;
    CHECK_EQ(weir_limiter_peek(limiter, &charge, &now, verdict, &error),
             size < 16 ? WEIR_INVALID_ARGUMENT : WEIR_OK);
    free(verdict);
  }
  for (uint32_t size = 0; size <= sizeof(weir_limiter_options); ++size) {
    const weir_limit_rule rule = fixed("a", 1);
    weir_limiter_options* options = calloc(1, size < 4 ? 4 : size);
    weir_limiter* made = NULL;
    options->size = size;
    CHECK_EQ(weir_limiter_new(NULL, &rule, 1, options, &made, &error),
             size < 4 ? WEIR_INVALID_ARGUMENT : WEIR_OK);
    weir_limiter_free(made);
    free(options);
  }
  for (uint32_t size = 0; size <= sizeof(weir_state_options); ++size) {
    weir_state_options* options = calloc(1, size < 4 ? 4 : size);
    weir_state* state = NULL;
    options->size = size;
    CHECK_EQ(weir_state_open(NULL, 0, options, &state, &error),
             size < 4 ? WEIR_INVALID_ARGUMENT : WEIR_OK);
    weir_state_free(state);
    free(options);
  }
}

static void test_actual_sizes(weir_limiter* limiter) {
  const weir_limit_charge charges[] = {{.size = sizeof(charges[0]), .key = "s", .key_size = 1},
                                       {.size = sizeof(charges[0]), .rule = 1}};
  const weir_limit_actual actuals[] = {{.size = sizeof(actuals[0]), .cost = 0},
                                       {.size = sizeof(actuals[0]), .cost = 0}};
  for (size_t stride = 8; stride <= sizeof(actuals[0]) + 16; stride += 8) {
    weir_limit_actual* given = array_of(actuals, sizeof(actuals[0]), 2, stride);
    weir_limit_decision decision = {.size = sizeof(decision)};
    weir_reservation* held = NULL;
    CHECK_OK(weir_limiter_reserve(limiter, charges, 2, &now, NULL, &decision, &held, &error),
             &error);
    CHECK_OK(weir_limiter_settle(limiter, held, given, 2, &now, &error), &error);
    weir_reservation_free(held);
    free(given);
  }
}

int main(void) {
  weir_limiter* limiter = make_limiter();
  test_nulls(limiter);
  test_bad_charges(limiter);
  test_actual_sizes(limiter);
  test_array_sizes(limiter);
  weir_limiter_free(limiter);
  limiter = make_limiter();
  test_single_sizes(limiter);
  weir_limiter_free(limiter);
  test_bad_rules();
  test_rule_sizes();
  return check_report("limiter_guard_test");
}
