// The plan of attempts: who is asked after a failure, when nobody can be, and what never happens
// twice.

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/engine/support.h"

namespace weir::engine::testing {
namespace {

// Backends a, b, c, of which each rests 30 s after a failure; `sections` go into the pool.
std::string PolicyWith(const std::string& pool, const std::string& more_pools = "",
                       const std::string& models = "", const std::string& limits = "") {
  std::string backends;
  for (const char* name : {"a", "b", "c"}) {
    backends += std::string(backends.empty() ? "" : ",") + "\"" + name + R"(": {"url": "http://)" +
                name + R"(.test", "dialect": "openai", "circuit_breaker": [{"on": {"status":
                ["429", "5xx"], "failures": ["connect", "reset", "timeout"], "count": 1},
                "trip": "30s"}]})";
  }
  return R"({"weir": 1, "models": {)" + models + R"(}, "backends": {)" + backends +
         R"(}, "pools": {"p": {)" + pool + "}" + more_pools + R"(}, "limits": {)" + limits +
         R"(}, "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"},
             "pool": "p", "auth": "none", "limits": [)" +
         (limits.empty() ? "" : "\"l\"") + "]}]}";
}

constexpr char kTwo[] = R"("members": [{"backend": "a"}, {"backend": "b", "priority": 2}])";
constexpr char kOnAll[] = R"("on": ["429", "5xx", "connect", "timeout", "reset"])";

TEST_CASE("a request that all backends refused may wait for the first to come back") {
  auto engine = EngineOf(PolicyWith(std::string(kTwo) + R"(, "retry": {"attempts": 4, )" + kOnAll +
                                    R"(}, "all_down": {"action": "wait", "max_wait": "20s"})"));
  auto txn = Ask(*engine, "");
  CHECK(Decide(*txn, At(0)).kind == ActionKind::kForward);
  CHECK(txn->url() == "http://a.test");
  CHECK(Fail(*txn, At(10), 429, "12").kind == ActionKind::kForward);
  CHECK(txn->url() == "http://b.test");
  const Action wait = Fail(*txn, At(20), 429, "7");
  REQUIRE(wait.kind == ActionKind::kWait);
  CHECK(wait.deadline_mono_ns == At(7020).mono_ns);
  // Asked too early, it waits on.
  CHECK(Decide(*txn, At(7000)).deadline_mono_ns == At(7020).mono_ns);
  CHECK(Decide(*txn, At(7020)).kind == ActionKind::kForward);
  CHECK(txn->url() == "http://b.test");
  Answer(*txn, 200);
  CHECK(Decide(*txn, At(7030)).kind == ActionKind::kContinue);
}

TEST_CASE("who would wait too long is refused at once, with the soonest time") {
  auto engine = EngineOf(PolicyWith(std::string(kTwo) + R"(, "retry": {"attempts": 4, )" + kOnAll +
                                    R"(}, "all_down": {"action": "wait", "max_wait": "5s"})"));
  auto txn = Ask(*engine, "");
  Decide(*txn, At(0));
  CHECK(Fail(*txn, At(0), 503, "12").kind == ActionKind::kForward);
  const Action relayed = Fail(*txn, At(0), 503, "7");
  CHECK(relayed.kind == ActionKind::kContinue);  // the last one's own words
  CHECK(relayed.status == 503);
  auto next = Ask(*engine, "");
  const Action refusal = Decide(*next, At(1000));
  CHECK(refusal.kind == ActionKind::kReply);
  CHECK(refusal.status == 503);
  CHECK(FindEdit(*next, "retry-after")->value == "6");
  // When the time comes within its patience, it waits.
  auto patient = Ask(*engine, "");
  CHECK(Decide(*patient, At(3000)).kind == ActionKind::kWait);
}

TEST_CASE("as a last resort the backend whose rest ends soonest is asked") {
  auto engine = EngineOf(PolicyWith(std::string(kTwo) + R"(, "all_down": {"action": "last_resort"},
                                    "retry": {"attempts": 2, )" +
                                    kOnAll + "}"));
  auto txn = Ask(*engine, "");
  Decide(*txn, At(0));
  Fail(*txn, At(0), 503, "9");
  Fail(*txn, At(0), 503, "5");
  txn.reset();
  auto next = Ask(*engine, "");
  CHECK(Decide(*next, At(1000)).kind == ActionKind::kForward);
  CHECK(next->url() == "http://b.test");
  // One try, and its failure moves no deadline.
  CHECK(Fail(*next, At(1000), 503, "60").kind == ActionKind::kContinue);
  auto later = Ask(*engine, "");
  CHECK(Decide(*later, At(5000)).kind == ActionKind::kForward);
  CHECK(later->url() == "http://b.test");
}

TEST_CASE("a pool that cannot serve falls back to another, with another model") {
  const std::string fallback =
      R"("members": [{"backend": "a"}], "retry": {"attempts": 1, )" + std::string(kOnAll) +
      R"(}, "fallback": [{"pool": "q"}, {"pool": "r", "model": "gpt-4o-mini"}])";
  const std::string more = R"(, "q": {"members": [{"backend": "b"}]},
                             "r": {"members": [{"backend": "c"}]})";
  const std::string priced = R"("gpt-4o": {"price": {"input": 1, "output": 1}})";
  const std::string dollars = R"("l": {"key": "'all'", "unit": "usd", "amount": 1, "per": "day"})";
  auto engine = EngineOf(PolicyWith(fallback, more));
  auto txn = Ask(*engine, "");
  Decide(*txn, At(0));
  CHECK(Fail(*txn, At(0), 500).kind == ActionKind::kForward);
  CHECK(txn->url() == "http://b.test");
  CHECK(txn->body().find("\"gpt-4o\"") != std::string_view::npos);
  CHECK(Fail(*txn, At(0), 500).kind == ActionKind::kContinue);  // q's own rule: nothing is retried
  // Now a and b rest: the next request goes to c, under the other name.
  auto next = Ask(*engine, "");
  CHECK(Decide(*next, At(1)).kind == ActionKind::kForward);
  CHECK(next->url() == "http://c.test");
  CHECK(next->body().find("\"gpt-4o-mini\"") != std::string_view::npos);
  Answer(*next, 200);
  Decide(*next, At(2));
  CHECK(FindEdit(*next, "x-weir-downgraded")->value == "gpt-4o-mini");
  CHECK(next->Explain().find(R"("model":"gpt-4o-mini")") != std::string::npos);
  // A model without a price is no way around a budget.
  auto budget = EngineOf(PolicyWith(fallback, more, priced, dollars));
  auto paid = Ask(*budget, "");
  Decide(*paid, At(0));
  Fail(*paid, At(0), 500);
  CHECK(paid->url() == "http://b.test");
  paid.reset();
  auto other = Ask(*budget, "");
  Decide(*other, At(1));
  CHECK(other->url() == "http://b.test");
}

TEST_CASE("a slow failure, or one after the deadline, is not tried again") {
  const std::string retry = R"(, "retry": {"attempts": 3, "if_failed_within": "2s",
                               "deadline": "10s", )" +
                            std::string(kOnAll) + "}";
  auto engine = EngineOf(PolicyWith(kTwo + retry));
  auto quick = Ask(*engine, "");
  const Action first = Decide(*quick, At(0));
  CHECK(first.deadline_mono_ns == At(10000).mono_ns);
  CHECK(Fail(*quick, At(2000), 500).kind == ActionKind::kForward);
  auto slow = EngineOf(PolicyWith(kTwo + retry));
  auto txn = Ask(*slow, "");
  Decide(*txn, At(0));
  CHECK(Fail(*txn, At(2001), 500).kind == ActionKind::kContinue);
  auto late = EngineOf(PolicyWith(std::string(kTwo) + R"(, "retry": {"attempts": 3,
                                  "deadline": "10s", )" +
                                  kOnAll + "}"));
  auto third = Ask(*late, "");
  Decide(*third, At(0));
  REQUIRE(third->ResponseFailed(Failure::kTimeout).ok());
  CHECK(Decide(*third, At(10000)).status == 504);
}

TEST_CASE("a backend may be tried more than once, if the policy says so") {
  auto engine = EngineOf(
      R"({"weir": 1, "backends": {"a": {"url": "http://a.test", "dialect": "openai"}},
          "pools": {"p": {"members": [{"backend": "a"}], "retry": {"attempts": 3,
                    "attempts_per_backend": 2, "on": ["reset"]}}},
          "routes": [{"name": "r", "match": {"path": "/v1/chat/completions"}, "pool": "p",
                      "auth": "none"}]})");
  auto txn = Ask(*engine, "");
  Decide(*txn, At(0));
  REQUIRE(txn->ResponseFailed(Failure::kReset).ok());
  CHECK(Decide(*txn, At(1)).kind == ActionKind::kForward);
  REQUIRE(txn->ResponseFailed(Failure::kReset).ok());
  CHECK(Decide(*txn, At(2)).status == 502);
}

TEST_CASE("each backend has its own names for models") {
  auto engine = EngineOf(
      R"({"weir": 1, "backends": {"a": {"url": "http://a.test", "dialect": "azure-openai",
              "api_version": "2024-10-21", "model": "other",
              "models": {"gpt-4o": "our 4o", "gpt-4o-mini": "small"}}},
          "pools": {"p": {"members": [{"backend": "a"}]}},
          "routes": [{"name": "r", "match": {"path": "/v1/chat/completions"}, "pool": "p",
                      "auth": "none"}]})");
  auto txn = Ask(*engine, "");
  Decide(*txn, At(0));
  CHECK(txn->target() == "/openai/deployments/our%204o/chat/completions?api-version=2024-10-21");
  auto other = Ask(*engine, "", R"({"model":"o3","messages":[{"role":"user","content":"x"}]})");
  Decide(*other, At(0));
  CHECK(other->target().substr(0, 26) == "/openai/deployments/other/");
}

std::unique_ptr<Engine> HedgingEngine(const std::string& after) {
  return EngineOf(PolicyWith(
      R"("members": [{"backend": "a"}, {"backend": "b", "priority": 2},
                     {"backend": "c", "priority": 3}], "hedge": {"after": ")" +
      after + R"("}, "retry": {"attempts": 3, )" + kOnAll + "}"));
}

TEST_CASE("a backend that takes long gets a second beside it, and the first to begin is relayed") {
  auto engine = HedgingEngine("800ms");
  for (const uint32_t winner : {1U, 2U}) {
    auto txn = Ask(*engine, "");
    const Action first = Decide(*txn, At(0));
    CHECK(first.wake_mono_ns == At(800).mono_ns);
    CHECK_FALSE(first.parallel);
    // Asked too early, nothing happens.
    CHECK(Decide(*txn, At(799)).kind == ActionKind::kWait);
    const Action second = Decide(*txn, At(800));
    REQUIRE(second.kind == ActionKind::kForward);
    CHECK(second.parallel);
    CHECK(second.attempt == 2);
    CHECK(second.wake_mono_ns == 0);
    CHECK(txn->url() == "http://b.test");
    CHECK_FALSE(txn->ResponseFrom(3).ok());
    REQUIRE(txn->ResponseFrom(winner).ok());
    Answer(*txn, 200);
    CHECK(Decide(*txn, At(900)).kind == ActionKind::kContinue);
    CHECK(FindEdit(*txn, "x-weir-backend")->value == (winner == 1 ? "a" : "b"));
    CHECK_FALSE(txn->ResponseFrom(3 - winner).ok());
    REQUIRE(txn->ResponseBody(JsonAnswer(10, 5)).ok());
    REQUIRE(txn->ResponseEnd().ok());
    CHECK(Decide(*txn, At(901)).kind == ActionKind::kDone);
    CHECK(txn->Explain().find("\"hedge_lost\"") != std::string::npos);
    CHECK(txn->Explain().find(R"("completion":5)") != std::string::npos);
  }
}

TEST_CASE("when one of two attempts fails, the other goes on; when both do, the plan does") {
  auto engine = HedgingEngine("800ms");
  auto txn = Ask(*engine, "");
  Decide(*txn, At(0));
  Decide(*txn, At(800));
  REQUIRE(txn->ResponseFrom(1).ok());
  const Action wait = Fail(*txn, At(900), 500);
  CHECK(wait.kind == ActionKind::kWait);
  CHECK(wait.deadline_mono_ns == 0);
  CHECK_FALSE(txn->ResponseFrom(1).ok());
  REQUIRE(txn->ResponseFailed(Failure::kReset).ok());  // the second is the one left
  CHECK(Decide(*txn, At(1000)).kind == ActionKind::kForward);
  CHECK(txn->url() == "http://c.test");
  REQUIRE(txn->ResponseFailed(Failure::kReset).ok());
  CHECK(Decide(*txn, At(1100)).status == 502);
}

TEST_CASE("a percentile hedges what takes longer than most, once enough was seen") {
  auto engine = HedgingEngine("p90");
  Random random(3);
  int hedged = 0;
  for (int i = 0; i < 3000; ++i) {
    auto txn = Ask(*engine, "");
    const Action first = Decide(*txn, At(i * 1000));
    if (i < 20) CHECK(first.wake_mono_ns == 0);
    // Uniform from 100 to 300 ms: the 90th percentile is 280 ms.
    const int64_t took_ms = i * 1000 + 100 + static_cast<int64_t>(random.Below(200));
    if (i >= 1000 && first.wake_mono_ns < At(took_ms).mono_ns) ++hedged;
    Answer(*txn, 200);
    Decide(*txn, At(took_ms));
  }
  CHECK(hedged > 140);
  CHECK(hedged < 260);
}

// F10: whatever fails and however, the plan ends.
TEST_CASE("no sequence of failures makes more attempts than the plan has") {
  Random random(5);
  for (int round = 0; round < 2000; ++round) {
    const uint64_t attempts = 1 + random.Below(4);
    const uint64_t each = 1 + random.Below(2);
    const char* kAllDown[] = {"refuse", "wait", "last_resort"};
    const std::string retry = R"("retry": {"attempts": )" + std::to_string(attempts) +
                              R"(, "attempts_per_backend": )" + std::to_string(each) + ", " +
                              kOnAll + "}";
    auto engine = EngineOf(PolicyWith(
        kTwo + (", " + retry) + R"(, "fallback": [{"pool": "q"}], "all_down": {"action": ")" +
            kAllDown[random.Below(3)] + "\"}",
        R"(, "q": {"members": [{"backend": "c"}, {"backend": "b"}], )" + retry + "}"));
    auto txn = Ask(*engine, "");
    Action action = Decide(*txn, At(0));
    uint64_t made = 0;
    int64_t ms = 0;
    for (int step = 0; step < 100; ++step) {
      if (action.kind == ActionKind::kForward) {
        ++made;
        if (random.Below(2) == 0) {
          const Failure kinds[] = {Failure::kConnect, Failure::kTimeout, Failure::kReset};
          REQUIRE(txn->ResponseFailed(kinds[random.Below(3)]).ok());
          action = Decide(*txn, At(ms));
        } else {
          action = Fail(*txn, At(ms), random.Below(2) == 0 ? 429 : 500, "1");
        }
      } else if (action.kind == ActionKind::kWait) {
        REQUIRE(action.deadline_mono_ns > At(ms).mono_ns);
        ms = (action.deadline_mono_ns - kStart + kMillisecond - 1) / kMillisecond;
        action = Decide(*txn, At(ms));
      } else {
        break;
      }
    }
    CHECK((action.kind == ActionKind::kReply || action.kind == ActionKind::kContinue));
    CHECK(made >= 1);
    CHECK(made <= 2 * attempts);
  }
}

}  // namespace
}  // namespace weir::engine::testing
