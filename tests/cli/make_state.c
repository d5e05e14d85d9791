/* make_state FILE: a state file with counters of every kind, on this machine's clocks. It stays as
 * a killed process leaves it: reservations outstanding. */

#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <weir.h>

#include "../capi/limit_structs.h"

static int64_t nanoseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int main(int argc, char** argv) {
  weir_error error = {.size = sizeof(error)};
  weir_state* state = NULL;
  weir_limiter* limiter = NULL;
  weir_limit_rule rules[] = {
      rule_of("tokens", WEIR_LIMIT_SLIDING_WINDOW, 1000000, 3600000),
      rule_of("budget \033[31m\xC3\xA9", WEIR_LIMIT_CALENDAR, 1000000, 0),
      rule_of("burst", WEIR_LIMIT_TOKEN_BUCKET, 1000000, 3600000),
      rule_of("places", WEIR_LIMIT_CONCURRENCY, 1000000, 0),
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
