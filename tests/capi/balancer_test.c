/* The balancer by itself, as a host uses it. */

#define _XOPEN_SOURCE 700 /* fork, mkdtemp */

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define START ((int64_t)1000000000000)

static weir_error error = {.size = sizeof(error)};

static weir_now at(int64_t ms) {
  const weir_now now = {START + ms * TEST_MS, (1700000000000 + ms) * TEST_MS};
  return now;
}

static weir_balance_member member_of(const char* name, uint32_t priority, uint32_t weight) {
  weir_balance_member member = {.size = sizeof(member)};
  member.name = name;
  member.name_size = strlen(name);
  member.priority = priority;
  member.weight = weight;
  return member;
}

static weir_balancer* balancer_of(weir_state* state, int32_t strategy,
                                  const weir_balance_member* members, size_t count) {
  weir_balancer_options options = {.size = sizeof(options)};
  options.strategy = strategy;
  options.id_seed = 42;
  weir_balancer* balancer = NULL;
  CHECK_OK(weir_balancer_new(state, "chat", 4, members, count, &options, &balancer, &error),
           &error);
  return balancer;
}

static int32_t pick(weir_balancer* balancer, int64_t ms) {
  const weir_now now = at(ms);
  int32_t member = -2;
  CHECK_OK(weir_balancer_pick(balancer, NULL, &now, &member, NULL, &error), &error);
  return member;
}

static void test_shares_of_every_strategy(void) {
  const weir_balance_member members[] = {member_of("a", 1, 3), member_of("b", 0, 0)};
  for (int32_t strategy = 0; strategy <= WEIR_BALANCE_HASH; ++strategy) {
    weir_balancer* balancer = balancer_of(NULL, strategy, members, 2);
    int count[2] = {0, 0};
    for (int i = 0; i < 4000; ++i) {
      const weir_now now = at(i);
      char key[16];
      weir_balance_ask ask = {.size = sizeof(ask)};
      ask.key = key;
      ask.key_size = (size_t)snprintf(key, sizeof(key), "key-%d", i);
      ask.start = 1;
      int32_t member = -1;
      CHECK_OK(weir_balancer_pick(balancer, &ask, &now, &member, NULL, &error), &error);
      CHECK(member == 0 || member == 1);
      ++count[member == 1];
      CHECK_OK(weir_balancer_finished(balancer, member, 0, &now, &error), &error);
    }
    const int exact = strategy <= WEIR_BALANCE_LEAST_BUSY;
    const int due = strategy == WEIR_BALANCE_ROUND_ROBIN ? 2000 : 3000;
    if (exact) CHECK(abs(count[0] - due) <= 2);
    if (strategy >= WEIR_BALANCE_P2C) CHECK(abs(count[0] - due) <= 150);
    weir_balancer_free(balancer);
  }
}

static void test_tiers_rests_and_reasons(void) {
  const weir_balance_member members[] = {member_of("ptu", 1, 1), member_of("payg", 2, 1)};
  weir_balancer* balancer = balancer_of(NULL, 0, members, 2);
  weir_now now = at(0);
  CHECK_EQ(pick(balancer, 0), 0);
  CHECK_OK(weir_balancer_rest(balancer, 0, at(2500).mono_ns, WEIR_REST_THROTTLED, &now, &error),
           &error);
  CHECK_OK(weir_balancer_unused(balancer, 0, &error), &error);
  CHECK_EQ(pick(balancer, 1), 1);
  CHECK_OK(weir_balancer_started(balancer, 1, &now, &error), &error);
  CHECK_OK(weir_balancer_first_token(balancer, 1, 310 * TEST_MS, &now, &error), &error);
  char json[1024] = "";
  size_t needed = 0;
  CHECK_OK(weir_balancer_report_json(balancer, &now, json, sizeof(json), &needed, &error), &error);
  CHECK(text_is(json, needed,
                "[{\"name\":\"ptu\",\"priority\":1,\"weight\":1,\"usable\":false,\"held\":false,"
                "\"why\":\"throttled\",\"until_ms\":2500,\"in_flight\":0,\"ttft_ms\":null,"
                "\"picks\":0},"
                "{\"name\":\"payg\",\"priority\":2,\"weight\":1,\"usable\":true,\"held\":false,"
                "\"why\":null,\"until_ms\":null,\"in_flight\":1,\"ttft_ms\":310,\"picks\":1}]"));
  CHECK_EQ(weir_balancer_report_json(balancer, &now, json, 10, &needed, &error), WEIR_OUT_OF_RANGE);
  CHECK_EQ(pick(balancer, 2499), 1);
  CHECK_EQ(pick(balancer, 2500), 0);

  const uint16_t refused[] = {0};
  weir_balance_ask ask = {.size = sizeof(ask)};
  ask.refused = refused;
  ask.refused_count = 1;
  int32_t member = -1;
  int64_t returns_at = -1;
  now = at(3000);
  CHECK_OK(weir_balancer_pick(balancer, &ask, &now, &member, &returns_at, &error), &error);
  CHECK_EQ(member, 1);
  CHECK_EQ(returns_at, 0);
  ask.refused_count = 0;
  ask.has_prefer = 1;
  ask.prefer = 1;
  CHECK_OK(weir_balancer_pick(balancer, &ask, &now, &member, NULL, &error), &error);
  CHECK_EQ(member, 0);
  ask.sticky = 1;
  CHECK_OK(weir_balancer_pick(balancer, &ask, &now, &member, NULL, &error), &error);
  CHECK_EQ(member, 1);

  CHECK_OK(weir_balancer_rest(balancer, 0, at(9000).mono_ns, WEIR_REST_TRIPPED, &now, &error),
           &error);
  CHECK_OK(weir_balancer_rest(balancer, 1, WEIR_NEVER, WEIR_REST_OUT_OF_CAPACITY, &now, &error),
           &error);
  CHECK_OK(weir_balancer_pick(balancer, NULL, &now, &member, &returns_at, &error), &error);
  CHECK_EQ(member, -1);
  CHECK_EQ(returns_at, at(9000).mono_ns);
  CHECK_OK(weir_balancer_wake(balancer, 1, &now, &error), &error);
  CHECK_EQ(pick(balancer, 9000), 1); /* the tier above was tripped, and has to prove itself */
  CHECK_EQ(pick(balancer, 19000), 0);
  weir_balancer_free(balancer);
}

static void test_member_ids(void) {
  const weir_balance_member members[] = {member_of("a", 1, 1), member_of("b", 1, 1)};
  const weir_balance_member turned[] = {member_of("b", 1, 1), member_of("a", 1, 1)};
  weir_balancer* one = balancer_of(NULL, 0, members, 2);
  weir_balancer* two = balancer_of(NULL, WEIR_BALANCE_HASH, turned, 2);
  for (int32_t i = 0; i < 2; ++i) {
    uint64_t id = 0;
    int32_t member = -1;
    CHECK_OK(weir_balancer_member_id(one, i, &id, &error), &error);
    CHECK_OK(weir_balancer_find_member(two, id, &member, &error), &error);
    CHECK_EQ(member, 1 - i);
    CHECK_EQ(weir_balancer_find_member(one, id + 1, &member, &error), WEIR_NOT_FOUND);
  }
  weir_balancer_free(one);
  weir_balancer_free(two);
}

/* A state file keeps what is known, and forgets what a dead process had under way. */
static void test_processes(void) {
  char folder[] = "/tmp/weir-balancer-XXXXXX";
  char path[64];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof(path), "%s/state", folder);
  const weir_balance_member members[] = {member_of("a", 1, 1), member_of("b", 1, 1)};
  weir_state* state = NULL;
  CHECK_OK(weir_state_open(path, strlen(path), NULL, &state, &error), &error);
  weir_balancer* balancer = balancer_of(state, WEIR_BALANCE_LEAST_BUSY, members, 2);
  weir_state_free(state); /* the balancer keeps it */
  weir_now now = at(0);
  CHECK_OK(weir_balancer_started(balancer, 0, &now, &error), &error);
  const pid_t child = fork();
  if (child == 0) {
    weir_state* own = NULL;
    if (weir_state_open(path, strlen(path), NULL, &own, &error) != WEIR_OK) _exit(1);
    weir_balancer* mine = balancer_of(own, WEIR_BALANCE_LEAST_BUSY, members, 2);
    if (pick(mine, 0) != 1) _exit(2);
    for (int i = 0; i < 5; ++i) weir_balancer_started(mine, 1, &now, NULL);
    if (pick(mine, 0) != 0) _exit(3);
    raise(SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  CHECK_EQ(pick(balancer, 2000), 1);
  weir_balancer_free(balancer);
  unlink(path);
  rmdir(folder);
}

static void test_refusals(void) {
  weir_balance_member members[] = {member_of("a", 1, 1), member_of("b", 1, 1)};
  weir_balancer_options options = {.size = sizeof(options)};
  weir_balancer* balancer = NULL;
  const weir_now now = at(0);
#define REFUSED(count)                                                                   \
  CHECK_EQ(weir_balancer_new(NULL, "p", 1, members, count, &options, &balancer, &error), \
           WEIR_INVALID_ARGUMENT)
  REFUSED(0);
  members[1].name = "a";
  REFUSED(2);
  CHECK(strstr(error.message, "named twice") != NULL);
  members[1].name_size = 0;
  REFUSED(2);
  members[1] = member_of("b", 1, 1001);
  REFUSED(2);
  members[1] = member_of("b", 1, 1);
  options.strategy = 7;
  REFUSED(2);
  options.strategy = -1;
  REFUSED(2);
  options.strategy = 0;
  options.hold_down_ms = -2;
  REFUSED(2);
  options.hold_down_ms = WEIR_NO_HOLD_DOWN;
  options.load_bound_percent = 100;
  REFUSED(2);
  options.load_bound_percent = 0;
  options.latency_decay_ms = 1;
  REFUSED(2);
  options.latency_decay_ms = 0;
  CHECK_OK(weir_balancer_new(NULL, NULL, 0, members, 2, &options, &balancer, &error), &error);

  int32_t member = 0;
  uint64_t id = 0;
  size_t needed = 0;
  CHECK_EQ(weir_balancer_pick(NULL, NULL, &now, &member, NULL, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_balancer_pick(balancer, NULL, NULL, &member, NULL, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_balancer_pick(balancer, NULL, &now, NULL, NULL, &error), WEIR_INVALID_ARGUMENT);
  weir_balance_ask ask = {.size = sizeof(ask)};
  ask.refused_count = 1;
  CHECK_EQ(weir_balancer_pick(balancer, &ask, &now, &member, NULL, &error), WEIR_INVALID_ARGUMENT);
  ask.size = 0;
  CHECK_EQ(weir_balancer_pick(balancer, &ask, &now, &member, NULL, &error), WEIR_INVALID_ARGUMENT);
  for (int32_t none = -1; none <= 2; none += 3) {
    CHECK_EQ(weir_balancer_unused(balancer, none, &error), WEIR_INVALID_ARGUMENT);
    CHECK_EQ(weir_balancer_started(balancer, none, &now, &error), WEIR_INVALID_ARGUMENT);
    CHECK_EQ(weir_balancer_first_token(balancer, none, 1, &now, &error), WEIR_INVALID_ARGUMENT);
    CHECK_EQ(weir_balancer_finished(balancer, none, 0, &now, &error), WEIR_INVALID_ARGUMENT);
    CHECK_EQ(weir_balancer_rest(balancer, none, 1, WEIR_REST_TRIPPED, &now, &error),
             WEIR_INVALID_ARGUMENT);
    CHECK_EQ(weir_balancer_wake(balancer, none, &now, &error), WEIR_INVALID_ARGUMENT);
    CHECK_EQ(weir_balancer_member_id(balancer, none, &id, &error), WEIR_INVALID_ARGUMENT);
  }
  CHECK_EQ(weir_balancer_rest(balancer, 0, 1, 0, &now, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_balancer_rest(balancer, 0, 1, 4, &now, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_balancer_first_token(balancer, 0, -1, &now, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_balancer_started(balancer, 0, NULL, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_balancer_find_member(balancer, 1, NULL, &error), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_balancer_report_json(balancer, &now, NULL, 0, NULL, NULL), WEIR_INVALID_ARGUMENT);
  CHECK_EQ(weir_balancer_report_json(balancer, &now, NULL, 0, &needed, NULL), WEIR_OUT_OF_RANGE);
  weir_balancer_free(balancer);
  weir_balancer_free(NULL);
}

int main(void) {
  test_shares_of_every_strategy();
  test_tiers_rests_and_reasons();
  test_member_ids();
  test_processes();
  test_refusals();
  return check_report("balancer_test");
}
