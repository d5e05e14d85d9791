/* make_state FILE: a state file with counters of every kind, on this machine's clocks. It stays as
 * a killed process leaves it: reservations outstanding. */

#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir.h>

static int64_t nanoseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static weir_limit_rule rule_of(const char* name, int32_t algorithm, int64_t window_ms) {
  const weir_limit_rule rule = {.size = sizeof(rule),
                                .algorithm = algorithm,
                                .name = name,
                                .name_size = strlen(name),
                                .amount = 1000000,
                                .window_ms = window_ms};
  return rule;
}

static weir_limit_charge charge_of(uint32_t rule, const char* key, uint64_t cost) {
  const weir_limit_charge charge = {
      .size = sizeof(charge), .rule = rule, .key = key, .key_size = strlen(key), .cost = cost};
  return charge;
}

int main(int argc, char** argv) {
  weir_error error = {.size = sizeof(error)};
  weir_state* state = NULL;
  weir_limiter* limiter = NULL;
  weir_limit_rule rules[] = {
      rule_of("tokens", WEIR_LIMIT_SLIDING_WINDOW, 3600000),
      rule_of("budget \033[31m\xC3\xA9", WEIR_LIMIT_CALENDAR, 0),
      rule_of("burst", WEIR_LIMIT_TOKEN_BUCKET, 3600000),
      rule_of("places", WEIR_LIMIT_CONCURRENCY, 0),
  };
  rules[1].period = WEIR_PERIOD_LIFETIME;
  rules[3].amount = 4;
  if (argc != 2) return 2;
  if (weir_state_open(argv[1], strlen(argv[1]), NULL, &state, &error) != WEIR_OK ||
      weir_limiter_new(state, rules, 4, NULL, &limiter, &error) != WEIR_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  const weir_now now = {nanoseconds(CLOCK_MONOTONIC), nanoseconds(CLOCK_REALTIME)};
  const weir_limit_charge charges[] = {charge_of(0, "red", 250000), charge_of(1, "red", 999999),
                                       charge_of(2, "red", 100000), charge_of(3, "red", 3)};
  weir_limit_decision decision = {.size = sizeof(decision)};
  weir_reservation* held = NULL;
  for (uint32_t i = 0; i < 3; ++i) {
    if (weir_limiter_take(limiter, &charges[i], 1, &now, NULL, &decision, &error) != WEIR_OK ||
        decision.admitted == 0) {
      return 1;
    }
  }
  if (weir_limiter_reserve(limiter, &charges[3], 1, &now, NULL, &decision, &held, &error) !=
          WEIR_OK ||
      held == NULL) {
    return 1;
  }
  _exit(0);
}
