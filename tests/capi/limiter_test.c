/* The limiter by itself, as a host uses it: rules, decisions, reservations, state files. */

#define _XOPEN_SOURCE 700 /* fork, mkdtemp */

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "limit_structs.h"

#define START ((int64_t)1000000000000)

static weir_error error = {.size = sizeof(error)};
static char folder[64];

static weir_now at(int64_t ms) {
  const weir_now now = {START + ms * TEST_MS, (1700000000000 + ms) * TEST_MS};
  return now;
}

static weir_limiter* limiter_of(weir_state* state, const weir_limit_rule* rules, size_t count) {
  weir_limiter* limiter = NULL;
  CHECK_OK(weir_limiter_new(state, rules, count, NULL, &limiter, &error), &error);
  return limiter;
}

static weir_state* state_at(const char* name) {
  char path[128];
  weir_state* state = NULL;
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  CHECK_OK(weir_state_open(path, strlen(path), NULL, &state, &error), &error);
  return state;
}

/* Whether a take of one charge is admitted. */
static uint32_t takes(weir_limiter* limiter, uint32_t rule, const char* key, uint64_t cost,
                      int64_t ms) {
  const weir_now now = at(ms);
  const weir_limit_charge charge = charge_of(rule, key, cost);
  weir_limit_decision decision = {.size = sizeof(decision)};
  CHECK_OK(weir_limiter_take(limiter, &charge, 1, &now, NULL, &decision, &error), &error);
  return decision.admitted;
}

static uint64_t used(weir_limiter* limiter, uint32_t rule, const char* key, int64_t ms) {
  const weir_now now = at(ms);
  const weir_limit_charge charge = charge_of(rule, key, 0);
  weir_limit_verdict verdict = {.size = sizeof(verdict)};
  CHECK_OK(weir_limiter_peek(limiter, &charge, &now, &verdict, &error), &error);
  return verdict.used_before;
}

/* Every algorithm under its number: what it admits, and what it answers when it does not. */
static void test_algorithms(void) {
  weir_limit_rule rules[] = {
      rule_of("sliding", WEIR_LIMIT_SLIDING_WINDOW, 10, 10000),
      rule_of("bucket", WEIR_LIMIT_TOKEN_BUCKET, 10, 10000),
      rule_of("fixed", WEIR_LIMIT_FIXED_WINDOW, 10, 10000),
      rule_of("calendar", WEIR_LIMIT_CALENDAR, 10, 0),
      rule_of("concurrency", WEIR_LIMIT_CONCURRENCY, 10, 0),
      rule_of("default", 0, 10, 10000),
  };
  rules[1].burst = 20;
  rules[3].period = WEIR_PERIOD_YEAR;
  rules[3].time_zone = "Europe/Berlin";
  rules[3].time_zone_size = 13;
  weir_limiter* limiter = limiter_of(NULL, rules, 6);
  for (uint32_t rule = 0; rule < 6; ++rule) {
    const uint64_t size = rule == 1 ? 20 : 10;
    const weir_now now = at(0);
    weir_limit_charge charge = charge_of(rule, "k", size);
    weir_limit_verdict verdict = {.size = sizeof(verdict)};
    weir_limit_decision decision = {.size = sizeof(decision)};
    CHECK_OK(weir_limiter_take(limiter, &charge, 1, &now, &verdict, &decision, &error), &error);
    CHECK(decision.admitted == 1 && decision.binding == -1 && decision.table_full == 0);
    CHECK(verdict.admitted == 1 && verdict.rule == rule && verdict.used_before == 0);
    CHECK(verdict.amount == size && verdict.reserved == size && verdict.remaining == 0);
    charge.cost = 1;
    CHECK_OK(weir_limiter_take(limiter, &charge, 1, &now, &verdict, &decision, &error), &error);
    CHECK(decision.admitted == 0 && decision.binding == 0);
    CHECK(verdict.admitted == 0 && verdict.used_before == size && verdict.reserved == 0);
    CHECK(decision.retry_after_ns > 0 && decision.retry_after_ns != WEIR_NEVER);
    CHECK_EQ(verdict.retry_after_ns, decision.retry_after_ns);
    if (rule == 1) CHECK_EQ(decision.retry_after_ns, 1000 * TEST_MS);
    if (rule == 2) CHECK_EQ(decision.retry_after_ns, 10000 * TEST_MS);
    /* 2023-11-14T22:13:20Z; Berlin's year ends an hour before the one of UTC. */
    if (rule == 3) CHECK_EQ(decision.retry_after_ns, 1000 * TEST_MS * (1704063600 - 1700000000));
    charge.cost = size + 1;
    CHECK_OK(weir_limiter_take(limiter, &charge, 1, &now, &verdict, &decision, &error), &error);
    CHECK_EQ(decision.retry_after_ns, WEIR_NEVER);
    CHECK_EQ(takes(limiter, rule, "another", size, 0), 1);
  }
  weir_limiter_free(limiter);
}

/* What a rule may have beside its amount. */
static void test_fields_of_rules(void) {
  weir_limit_rule rules[] = {
      rule_of("anchored", WEIR_LIMIT_FIXED_WINDOW, 10, 10000),
      rule_of("lease", WEIR_LIMIT_CONCURRENCY, 1, 0),
      rule_of("to-the-end", WEIR_LIMIT_FIXED_WINDOW, 10, 3600000),
      rule_of("week", WEIR_LIMIT_CALENDAR, 10, 0),
  };
  rules[0].is_anchored = 1;
  rules[0].anchor_unix_ms = 1700000000000 - 7000;
  rules[1].lease_ms = 2000;
  rules[2].lease_ms = WEIR_LEASE_PERIOD;
  rules[3].period = WEIR_PERIOD_WEEK;
  rules[3].week_start = 7;
  weir_limiter* limiter = limiter_of(NULL, rules, 4);
  const weir_now now = at(0);
  const weir_limit_charge all[] = {charge_of(0, "k", 10), charge_of(1, "k", 1),
                                   charge_of(2, "k", 10)};
  const weir_limit_charge of_week = charge_of(3, "k", 10);
  weir_limit_decision decision = {.size = sizeof(decision)};
  weir_limit_verdict verdict = {.size = sizeof(verdict)};
  weir_reservation* held = NULL;
  CHECK_OK(weir_limiter_reserve(limiter, all, 3, &now, NULL, &decision, &held, &error), &error);
  CHECK(held != NULL);
  CHECK_OK(weir_limiter_peek(limiter, &all[0], &now, &verdict, &error), &error);
  CHECK_EQ(verdict.reset_ns, 3000 * TEST_MS); /* 7 of its 10 s had passed */
  CHECK_OK(weir_limiter_take(limiter, &of_week, 1, &now, &verdict, &decision, &error), &error);
  /* That was a Tuesday; the next Sunday begins at 2023-11-19T00:00:00Z. */
  CHECK_EQ(verdict.reset_ns, 1000 * TEST_MS * (1700352000 - 1700000000));
  CHECK_EQ(used(limiter, 1, "k", 2900), 0); /* the lease is over */
  CHECK_EQ(used(limiter, 2, "k", 3000000), 10);
  weir_reservation_free(held);
  weir_limiter_free(limiter);
}

/* Two keys that want more than there is get it in the ratio of their weights. */
static void test_share(void) {
  weir_limit_rule rule = rule_of("shared", WEIR_LIMIT_SLIDING_WINDOW, 90, 10000);
  rule.share = 1;
  rule.share_floor = 5;
  weir_limiter* limiter = limiter_of(NULL, &rule, 1);
  weir_limit_charge charges[] = {charge_of(0, "big", 1), charge_of(0, "small", 1)};
  charges[0].weight = 2;
  uint64_t got[2] = {0, 0};
  for (int64_t ms = 0; ms < 120000; ms += 50) {
    for (int key = 0; key < 2; ++key) {
      const weir_now now = at(ms);
      weir_limit_decision decision = {.size = sizeof(decision)};
      CHECK_OK(weir_limiter_take(limiter, &charges[key], 1, &now, NULL, &decision, &error), &error);
      if (ms >= 20000) got[key] += decision.admitted;
    }
  }
  CHECK(got[0] + got[1] > 750 && got[0] + got[1] <= 990);
  CHECK(got[0] * 10 > got[1] * 17 && got[0] * 10 < got[1] * 23);
  weir_limiter_free(limiter);
}

/* All or nothing: the one that refuses longest binds, and nobody is charged. */
static void test_all_or_nothing(void) {
  const weir_limit_rule rules[] = {rule_of("a", WEIR_LIMIT_SLIDING_WINDOW, 100, 10000),
                                   rule_of("b", WEIR_LIMIT_FIXED_WINDOW, 10, 60000),
                                   rule_of("c", WEIR_LIMIT_FIXED_WINDOW, 5, 20000)};
  weir_limiter* limiter = limiter_of(NULL, rules, 3);
  CHECK_EQ(takes(limiter, 1, "k", 10, 0), 1);
  CHECK_EQ(takes(limiter, 2, "k", 5, 0), 1);
  const weir_now now = at(1);
  const weir_limit_charge charges[] = {charge_of(0, "k", 3), charge_of(2, "k", 1),
                                       charge_of(1, "k", 1)};
  weir_limit_verdict verdicts[3] = {{.size = sizeof(verdicts[0])}};
  weir_limit_decision decision = {.size = sizeof(decision)};
  weir_reservation* held = (weir_reservation*)&decision;
  CHECK_OK(weir_limiter_reserve(limiter, charges, 3, &now, verdicts, &decision, &held, &error),
           &error);
  CHECK(held == NULL);
  CHECK_EQ(decision.admitted, 0);
  CHECK_EQ(decision.binding, 2);
  CHECK_EQ(decision.retry_after_ns, 59999 * TEST_MS);
  CHECK(verdicts[0].admitted == 1 && verdicts[0].reserved == 0 && verdicts[0].rule == 0);
  CHECK(verdicts[1].admitted == 0 && verdicts[1].rule == 2);
  CHECK(verdicts[2].admitted == 0 && verdicts[2].rule == 1);
  CHECK(verdicts[1].size == sizeof(verdicts[0]) && verdicts[2].size == sizeof(verdicts[0]));
  CHECK_EQ(used(limiter, 0, "k", 1), 0);
  /* No charges: admitted, and nothing to hold. */
  held = (weir_reservation*)&decision;
  CHECK_OK(weir_limiter_reserve(limiter, NULL, 0, &now, verdicts, &decision, &held, &error),
           &error);
  CHECK(decision.admitted == 1 && decision.binding == -1 && held == NULL);
  /* One counter named twice. */
  const weir_limit_charge twice[] = {charge_of(0, "k", 3), charge_of(0, "k", 3)};
  CHECK_OK(weir_limiter_take(limiter, twice, 2, &now, verdicts, &decision, &error), &error);
  CHECK(decision.admitted == 0 && decision.binding == 1);
  CHECK_EQ(decision.retry_after_ns, WEIR_NEVER);
  weir_limiter_free(limiter);
}

static weir_reservation* reserved(weir_limiter* limiter, const weir_limit_charge* charges,
                                  size_t count, int64_t ms) {
  const weir_now now = at(ms);
  weir_limit_decision decision = {.size = sizeof(decision)};
  weir_reservation* held = NULL;
  CHECK_OK(weir_limiter_reserve(limiter, charges, count, &now, NULL, &decision, &held, &error),
           &error);
  CHECK(held != NULL);
  return held;
}

/* A reservation's life, and each of its ends. */
static void test_reservation(void) {
  const weir_limit_rule rules[] = {rule_of("tokens", WEIR_LIMIT_FIXED_WINDOW, 1000, 60000),
                                   rule_of("places", WEIR_LIMIT_CONCURRENCY, 2, 0)};
  weir_limiter* limiter = limiter_of(NULL, rules, 2);
  weir_limit_charge charges[] = {charge_of(0, "k", 100), charge_of(1, "k", 1)};
  charges[0].headroom = 5000; /* as much as is left */
  weir_limit_verdict verdicts[2] = {{.size = sizeof(verdicts[0])}};
  weir_limit_decision decision = {.size = sizeof(decision)};
  weir_reservation* held = NULL;
  weir_now now = at(0);
  CHECK_OK(weir_limiter_reserve(limiter, charges, 2, &now, verdicts, &decision, &held, &error),
           &error);
  CHECK_EQ(verdicts[0].reserved, 1000);
  const weir_limit_actual actuals[] = {{.size = sizeof(actuals[0]), .cost = 160},
                                       {.size = sizeof(actuals[0]), .cost = 0}};
  now = at(10);
  CHECK_OK(weir_limiter_settle(limiter, held, actuals, 2, &now, &error), &error);
  CHECK_EQ(used(limiter, 0, "k", 10), 160);
  CHECK_EQ(used(limiter, 1, "k", 10), 0);
  /* It has ended: nothing more comes of it. */
  CHECK_OK(weir_limiter_settle(limiter, held, actuals, 2, &now, &error), &error);
  CHECK_OK(weir_limiter_release(limiter, held, &now, &error), &error);
  CHECK_EQ(weir_limiter_top_up(limiter, held, NULL, 0, &now, NULL, &decision, &error),
           WEIR_FAILED_PRECONDITION);
  weir_reservation_free(held);
  CHECK_EQ(used(limiter, 0, "k", 10), 160);

  charges[0].headroom = 0;
  held = reserved(limiter, charges, 2, 20);
  const uint64_t more[] = {40, 0}, too_much[] = {10000};
  CHECK_OK(weir_limiter_top_up(limiter, held, more, 2, &now, verdicts, &decision, &error), &error);
  CHECK(decision.admitted == 1 && verdicts[0].reserved == 40 && verdicts[0].used_before == 260);
  CHECK_EQ(used(limiter, 0, "k", 20), 300);
  CHECK_OK(weir_limiter_top_up(limiter, held, too_much, 1, &now, verdicts, &decision, &error),
           &error);
  CHECK(decision.admitted == 0 && decision.binding == 0);
  CHECK_EQ(used(limiter, 0, "k", 20), 300);
  CHECK_EQ(used(limiter, 1, "k", 20), 1);
  CHECK_OK(weir_limiter_release(limiter, held, &now, &error), &error);
  CHECK_EQ(used(limiter, 0, "k", 20), 160);
  CHECK_EQ(used(limiter, 1, "k", 20), 0);
  weir_reservation_free(held);

  /* Freed without an end: given back. More than was reserved: a debt. */
  weir_reservation_free(reserved(limiter, charges, 2, 30));
  CHECK_EQ(used(limiter, 0, "k", 30), 160);
  CHECK_EQ(used(limiter, 1, "k", 30), 0);
  held = reserved(limiter, charges, 1, 40);
  const weir_limit_actual debt = {.size = sizeof(debt), .cost = 1500};
  CHECK_OK(weir_limiter_settle(limiter, held, &debt, 1, &now, &error), &error);
  weir_reservation_free(held);
  CHECK_EQ(used(limiter, 0, "k", 40), 1660);
  CHECK_EQ(takes(limiter, 0, "k", 0, 40), 0);
  /* Settled without a word: as it was reserved. */
  charges[0].key = "other";
  charges[0].key_size = 5;
  held = reserved(limiter, charges, 1, 50);
  CHECK_OK(weir_limiter_settle(limiter, held, NULL, 0, &now, &error), &error);
  weir_reservation_free(held);
  CHECK_EQ(used(limiter, 0, "other", 50), 100);
  weir_limiter_free(limiter);
}

/* A headroom that is learned, apart for each model, and not from what says nothing. */
static void test_learned(void) {
  const weir_limit_rule rule = rule_of("tokens", WEIR_LIMIT_SLIDING_WINDOW, 1000000, 60000);
  weir_limiter* limiter = limiter_of(NULL, &rule, 1);
  weir_limit_charge charge = charge_of(0, "k", 10);
  charge.learned = 1;
  charge.model = "large";
  charge.model_size = 5;
  weir_limit_verdict verdict = {.size = sizeof(verdict)};
  weir_limit_decision decision = {.size = sizeof(decision)};
  uint64_t last = 0;
  for (int round = 0; round < 200; ++round) {
    const weir_now now = at(round);
    weir_reservation* held = NULL;
    CHECK_OK(weir_limiter_reserve(limiter, &charge, 1, &now, &verdict, &decision, &held, &error),
             &error);
    if (round == 0) CHECK_EQ(verdict.reserved, 10 + 256);
    last = verdict.reserved;
    const weir_limit_actual actual = {.size = sizeof(actual),
                                      .cost = 1010,
                                      .headroom_used = round % 2 == 0 ? 1000 : 7,
                                      .unlearned = round % 2};
    CHECK_OK(weir_limiter_settle(limiter, held, &actual, 1, &now, &error), &error);
    weir_reservation_free(held);
  }
  CHECK(last > 900 && last < 1200);
  charge.model = "small";
  const weir_now now = at(300);
  CHECK_OK(weir_limiter_take(limiter, &charge, 1, &now, &verdict, &decision, &error), &error);
  CHECK_EQ(verdict.reserved, 10 + 256);
  weir_limiter_free(limiter);
}

static void test_book_and_override(void) {
  const weir_limit_rule rule = rule_of("r", WEIR_LIMIT_FIXED_WINDOW, 10, 60000);
  weir_limiter* limiter = limiter_of(NULL, &rule, 1);
  weir_now now = at(0);
  weir_limit_charge charge = charge_of(0, "k", 25);
  CHECK_OK(weir_limiter_book(limiter, &charge, &now, &error), &error);
  CHECK_EQ(used(limiter, 0, "k", 0), 25);
  CHECK_EQ(takes(limiter, 0, "k", 1, 0), 0);
  /* For this key alone, then for all; a key's own comes first. */
  CHECK_OK(weir_limiter_override(limiter, 0, "k", 1, 30, 5000, &now, &error), &error);
  CHECK_EQ(takes(limiter, 0, "k", 1, 0), 1);
  CHECK_EQ(takes(limiter, 0, "j", 11, 0), 0);
  CHECK_OK(weir_limiter_override(limiter, 0, NULL, 0, 20, 5000, &now, &error), &error);
  CHECK_EQ(takes(limiter, 0, "j", 11, 0), 1);
  CHECK_EQ(takes(limiter, 0, "", 20, 0), 1);
  CHECK_EQ(takes(limiter, 0, "k", 4, 0), 1);
  /* The empty text is a key as well. */
  CHECK_OK(weir_limiter_override(limiter, 0, "", 0, 21, 5000, &now, &error), &error);
  CHECK_EQ(takes(limiter, 0, "", 1, 0), 1);
  CHECK_OK(weir_limiter_override(limiter, 0, "k", 1, 0, 0, &now, &error), &error);
  CHECK_EQ(takes(limiter, 0, "k", 0, 0), 0); /* the one of all keys again, and in debt of it */
  CHECK_EQ(takes(limiter, 0, "new", 11, 6000), 0);
  CHECK_EQ(takes(limiter, 0, "new", 10, 6000), 1);
  /* A charge's own amount. */
  charge = charge_of(0, "own", 50);
  charge.has_amount = 1;
  charge.amount = 50;
  now = at(6000);
  weir_limit_decision decision = {.size = sizeof(decision)};
  CHECK_OK(weir_limiter_take(limiter, &charge, 1, &now, NULL, &decision, &error), &error);
  CHECK_EQ(decision.admitted, 1);
  charge.key = "nothing";
  charge.key_size = 7;
  charge.cost = 1;
  charge.amount = 0;
  CHECK_OK(weir_limiter_take(limiter, &charge, 1, &now, NULL, &decision, &error), &error);
  CHECK_EQ(decision.admitted, 0);
  CHECK_EQ(weir_limiter_override(limiter, 1, NULL, 0, 5, 1, &now, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_limiter_override(limiter, 0, NULL, 0, ((uint64_t)1 << 53) + 1, 1, &now, &error),
           WEIR_INVALID_ARGUMENT);
  weir_limiter_free(limiter);
}

static void test_full_table(void) {
  const weir_limit_rule rule = rule_of("r", WEIR_LIMIT_FIXED_WINDOW, 10, 60000);
  for (int32_t full_admits = 0; full_admits < 2; ++full_admits) {
    const weir_limiter_options options = {
        .size = sizeof(options), .max_counters = 1, .full_admits = full_admits};
    weir_limiter* limiter = NULL;
    CHECK_OK(weir_limiter_new(NULL, &rule, 1, &options, &limiter, &error), &error);
    CHECK_EQ(takes(limiter, 0, "first", 1, 0), 1);
    const weir_now now = at(0);
    const weir_limit_charge charge = charge_of(0, "second", 1);
    weir_limit_decision decision = {.size = sizeof(decision)};
    weir_reservation* held = NULL;
    CHECK_OK(weir_limiter_reserve(limiter, &charge, 1, &now, NULL, &decision, &held, &error),
             &error);
    CHECK_EQ(decision.table_full, 1);
    CHECK_EQ(decision.admitted, full_admits);
    weir_reservation_free(held);
    weir_limiter_free(limiter);
  }
}

/* Private memory is enough for as many counters as were asked for. */
static void test_room(void) {
  const weir_limit_rule rule = rule_of("r", WEIR_LIMIT_FIXED_WINDOW, 10, 60000);
  static const uint32_t counts[] = {1, 100, 16384, 1000000, 10000000};
  for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); ++i) {
    const weir_limiter_options options = {.size = sizeof(options), .max_counters = counts[i]};
    weir_limiter* limiter = NULL;
    CHECK_OK(weir_limiter_new(NULL, &rule, 1, &options, &limiter, &error), &error);
    weir_limiter_free(limiter);
  }
  const weir_state_options small = {.size = sizeof(small), .bytes = 512 << 10};
  const weir_limiter_options many = {.size = sizeof(many), .max_counters = 100000};
  weir_state* state = NULL;
  weir_limiter* limiter = NULL;
  CHECK_OK(weir_state_open(NULL, 0, &small, &state, &error), &error);
  CHECK_EQ(weir_limiter_new(state, &rule, 1, &many, &limiter, &error), WEIR_RESOURCE_EXHAUSTED);
  CHECK(limiter == NULL);
  weir_state_free(state);
}

/* A file outlives its processes; a limiter its handle of the state. */
static void test_state_file(void) {
  weir_limit_rule rule = rule_of("r", WEIR_LIMIT_FIXED_WINDOW, 10, 60000);
  const pid_t child = fork();
  if (child == 0) {
    check_failures = 0;
    weir_state* state = state_at("shared");
    weir_limiter* limiter = limiter_of(state, &rule, 1);
    weir_state_free(state);
    const uint32_t done = takes(limiter, 0, "k", 7, 0);
    raise(done == 1 && check_failures == 0 ? SIGKILL : SIGTERM); /* it cleans nothing up */
  }
  int status = 0;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  weir_state* state = state_at("shared");
  weir_limiter* limiter = limiter_of(state, &rule, 1);
  weir_state_free(state);
  CHECK_EQ(used(limiter, 0, "k", 1), 7);
  CHECK_EQ(takes(limiter, 0, "k", 4, 1), 0);
  CHECK_EQ(takes(limiter, 0, "k", 3, 1), 1);
  const char* name = NULL;
  size_t size = 0;
  CHECK_EQ(weir_limiter_restarted(limiter, 0, &name, &size), WEIR_OUT_OF_RANGE);
  weir_limiter_free(limiter);

  /* Another amount goes on counting; another window starts anew, and says so. */
  state = state_at("shared");
  rule.amount = 20;
  limiter = limiter_of(state, &rule, 1);
  CHECK_EQ(used(limiter, 0, "k", 2), 10);
  CHECK_EQ(takes(limiter, 0, "k", 10, 2), 1);
  weir_limiter_free(limiter);
  rule.window_ms = 30000;
  limiter = limiter_of(state, &rule, 1);
  CHECK_EQ(used(limiter, 0, "k", 2), 0);
  CHECK_EQ(weir_limiter_restarted(limiter, 0, &name, &size), WEIR_OK);
  CHECK(text_is(name, size, "r"));
  CHECK_EQ(weir_limiter_restarted(limiter, 1, &name, &size), WEIR_OUT_OF_RANGE);
  weir_limiter_free(limiter);
  weir_state_free(state);
}

static void test_state_errors(void) {
  char path[128];
  weir_state* state = NULL;
  weir_state_options options = {.size = sizeof(options), .bytes = 1000};
  CHECK_EQ(weir_state_open(NULL, 0, &options, &state, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_state_open("a\0b", 3, NULL, &state, &error), WEIR_INVALID_ARGUMENT);
  snprintf(path, sizeof(path), "%s/none/state", folder);
  CHECK_EQ(weir_state_open(path, strlen(path), NULL, &state, &error), WEIR_NOT_FOUND);
  CHECK(strstr(error.message, path) != NULL);
  snprintf(path, sizeof(path), "%s/text", folder);
  FILE* file = fopen(path, "w");
  for (int i = 0; file != NULL && i < 20000; ++i)
    fputs("this is no state file, but a text\n", file);
  if (file != NULL) fclose(file);
  options.bytes = 1 << 20;
  CHECK_EQ(weir_state_open(path, strlen(path), &options, &state, &error), WEIR_FAILED_PRECONDITION);
  CHECK(state == NULL);
  options.replace = 1;
  CHECK_OK(weir_state_open(path, strlen(path), &options, &state, &error), &error);
  weir_state_free(state);
}

static size_t report(const char* name, uint32_t top, char* json, size_t capacity,
                     weir_status expected) {
  char path[128];
  size_t needed = 0;
  const weir_now now = at(0);
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  CHECK_EQ(weir_state_report_json(path, strlen(path), top, &now, json, capacity, &needed, &error),
           expected);
  if (expected == WEIR_OK) json[needed] = '\0';
  return needed;
}

static void test_report(void) {
  char json[4096];
  weir_state* state = state_at("report");
  report("report", 5, json, sizeof(json) - 1, WEIR_OK);
  CHECK(strstr(json, "\"slots\":0,") != NULL && strstr(json, "\"top\":[]}") != NULL);
  const weir_limit_rule rules[] = {rule_of("half \"full\"", WEIR_LIMIT_SLIDING_WINDOW, 10, 10000),
                                   rule_of("full", WEIR_LIMIT_FIXED_WINDOW, 10, 10000),
                                   rule_of("ever", WEIR_LIMIT_CALENDAR, 10, 0)};
  weir_limit_rule all[3];
  memcpy(all, rules, sizeof(all));
  all[2].period = WEIR_PERIOD_LIFETIME;
  weir_limiter* limiter = limiter_of(state, all, 3);
  const weir_limit_charge charges[] = {charge_of(0, "k", 5), charge_of(1, "k", 10),
                                       charge_of(2, "k", 1)};
  weir_reservation* held = reserved(limiter, charges, 3, 0);
  report("report", 2, json, sizeof(json) - 1, WEIR_OK);
  CHECK(strstr(json, "\"slots_used\":3,\"counters\":3,\"leased\":2,\"locked\":0,") != NULL);
  const char* full = strstr(json, "{\"rule\":\"full\",\"key_id\":\"");
  const char* half = strstr(json, "{\"rule\":\"half \\\"full\\\"\",\"key_id\":\"");
  CHECK(full != NULL && half != NULL && full < half);
  CHECK(strstr(json,
               "\"algorithm\":\"fixed_window\",\"amount\":10,\"used\":10,\"reserved\":10,"
               "\"reset_ms\":10000}") != NULL);
  CHECK(strstr(json, "ever") == NULL);
  CHECK_EQ(takes(limiter, 2, "k", 1, 0), 1);
  report("report", 3, json, sizeof(json) - 1, WEIR_OK);
  CHECK(strstr(json,
               "\"algorithm\":\"calendar\",\"amount\":10,\"used\":2,\"reserved\":1,"
               "\"reset_ms\":null}") != NULL);
  const size_t needed = report("report", 3, json, 0, WEIR_OUT_OF_RANGE);
  CHECK_EQ(report("report", 3, json, needed, WEIR_OK), needed);
  report("absent", 3, json, sizeof(json), WEIR_NOT_FOUND);
  report(".", 3, json, sizeof(json), WEIR_FAILED_PRECONDITION);
  weir_reservation_free(held);
  weir_limiter_free(limiter);
  weir_state_free(state);
}

/* An engine's state file is one of these, and its limits can be overridden. */
static void test_engines(void) {
  char path[128];
  weir_engine* engines[2] = {NULL, NULL};
  weir_policy* policy = test_policy();
  snprintf(path, sizeof(path), "%s/engine", folder);
  const weir_engine_options options = {
      .size = sizeof(options), .state_file = path, .state_file_size = strlen(path)};
  for (int i = 0; i < 2; ++i) {
    CHECK_OK(weir_engine_new(policy, &options, &engines[i], &error), &error);
  }
  const weir_now now = at(0);
  CHECK_OK(weir_engine_override_limit(engines[0], "per-team", 8, "red", 3, 5, 60000, &now, &error),
           &error);
  CHECK_EQ(weir_engine_override_limit(engines[0], "per", 3, NULL, 0, 5, 60000, &now, &error),
           WEIR_NOT_FOUND);
  CHECK_EQ(
      weir_engine_override_limit(engines[0], "per-team", 8, NULL, 0, UINT64_MAX, 1, &now, &error),
      WEIR_INVALID_ARGUMENT);
  /* The other one refuses what the first was told to. */
  for (int i = 0; i < 2; ++i) {
    weir_txn* txn = NULL;
    weir_action action = {.size = sizeof(action)};
    const weir_now then = at(i * 61000);
    CHECK_OK(weir_txn_new(engines[1], &txn, &error), &error);
    test_request(txn, TEST_BODY);
    CHECK_OK(weir_txn_next(txn, &then, &action, &error), &error);
    if (action.kind == WEIR_ACTION_CONTINUE) {
      CHECK_OK(weir_txn_next(txn, &then, &action, &error), &error);
    }
    CHECK_EQ(action.kind, i == 0 ? WEIR_ACTION_REPLY : WEIR_ACTION_FORWARD);
    weir_txn_free(txn);
  }
  weir_engine_free(engines[0]);
  weir_engine_free(engines[1]);
  const weir_engine_options elsewhere = {
      .size = sizeof(elsewhere), .state_file = folder, .state_file_size = strlen(folder)};
  weir_engine* none = NULL;
  CHECK(weir_engine_new(policy, &elsewhere, &none, &error) != WEIR_OK);
  CHECK(none == NULL);
  weir_policy_free(policy);
}

int main(void) {
  snprintf(folder, sizeof(folder), "/tmp/weir-limiter-XXXXXX");
  if (mkdtemp(folder) == NULL) return 1;
  test_algorithms();
  test_fields_of_rules();
  test_share();
  test_all_or_nothing();
  test_reservation();
  test_learned();
  test_book_and_override();
  test_full_table();
  test_room();
  test_state_file();
  test_state_errors();
  test_report();
  test_engines();
  static const char* const names[] = {"shared", "text", "report", "engine"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
    unlink(path);
  }
  rmdir(folder);
  return check_report("limiter_test");
}
