// What Azure API Management's llm-token-limit, rate-limit and quota policies do, reproduced: the
// classic tiers by sliding windows, the v2 tiers by token buckets, counting after the fact.

#include <string>
#include <vector>

#include "tests/engine/support.h"

namespace weir::engine::testing {
namespace {

// estimate-prompt-tokens="false" and "true".
constexpr char kNoEstimate[] = R"("reserve": {"prompt": "none", "output": "none"})";
constexpr char kEstimate[] = R"("reserve": {"prompt": "exact", "output": "none"})";
constexpr char kClassic[] = R"("algorithm": "sliding_window")";
constexpr char kV2[] = R"("algorithm": "token_bucket")";

// tokens-per-minute, or with other words.
std::string Limit(const std::string& tier, const std::string& estimate, uint64_t amount,
                  const std::string& per = "60s") {
  return R"("key": "consumer.id", "unit": "tokens", "amount": )" + std::to_string(amount) +
         R"(, "per": ")" + per + "\", " + tier + ", " + estimate;
}

std::unique_ptr<Engine> EngineWith(const std::string& limit) {
  Setup setup;
  setup.limit = limit;
  setup.breaker = "[]";
  return MakeEngine(setup);
}

void Complete(Transaction& txn, Now now, uint64_t prompt, uint64_t completion) {
  Answer(txn, 200);
  Decide(txn, now);
  REQUIRE(txn.ResponseBody(JsonAnswer(prompt, completion)).ok());
  REQUIRE(txn.ResponseEnd().ok());
  Decide(txn, now);
}

// 200, or the status of the refusal.
int Exchange(Engine& engine, Now now, uint64_t tokens) {
  auto txn = Ask(engine, "vk-red");
  const Action action = Decide(*txn, now);
  if (action.kind == ActionKind::kReply) return action.status;
  Complete(*txn, now, kPrompt, tokens - kPrompt);
  return 200;
}

TEST_CASE("without an estimate only the counter decides, and a large request overdraws") {
  for (const char* tier : {kClassic, kV2}) {
    auto engine = EngineWith(Limit(tier, kNoEstimate, 100));
    // The first request always passes, whatever it costs; the next ones are refused.
    CHECK(Exchange(*engine, At(0), 500) == 200);
    CHECK(Exchange(*engine, At(1), 20) == 429);
    // A counter just short of the limit passes the next one whole.
    auto other = EngineWith(Limit(tier, kNoEstimate, 100));
    CHECK(Exchange(*other, At(0), 99) == 200);
    CHECK(Exchange(*other, At(1), 300) == 200);
    CHECK(Exchange(*other, At(2), 20) == 429);
    // And one exactly at it refuses.
    auto third = EngineWith(Limit(tier, kNoEstimate, 100));
    CHECK(Exchange(*third, At(0), 100) == 200);
    CHECK(Exchange(*third, At(0), 20) == 429);
  }
}

TEST_CASE("concurrent requests may exceed the limit together") {
  for (const char* tier : {kClassic, kV2}) {
    auto engine = EngineWith(Limit(tier, kNoEstimate, 50));
    std::vector<std::unique_ptr<Transaction>> open;
    for (int i = 0; i < 200; ++i) {
      open.push_back(Ask(*engine, "vk-red"));
      REQUIRE(Decide(*open.back(), At(i)).kind == ActionKind::kForward);
    }
    Complete(*open[0], At(300), kPrompt, 40);
    CHECK(Exchange(*engine, At(301), 20) == 429);
    for (size_t i = 1; i < open.size(); ++i) Complete(*open[i], At(302), kPrompt, 40);
    CHECK(Exchange(*engine, At(303), 20) == 429);
  }
}

TEST_CASE("retry-after says when the counter is below its limit again") {
  auto classic = EngineWith(Limit(kClassic, kNoEstimate, 100));
  CHECK(Exchange(*classic, At(0), 500) == 200);
  auto refused = Ask(*classic, "vk-red");
  CHECK(Decide(*refused, At(0)).status == 429);
  const int64_t wait_ms = std::stoll(std::string(FindEdit(*refused, "retry-after-ms")->value));
  // The window forgets in tenths, never early.
  CHECK(wait_ms >= 60000);
  CHECK(wait_ms <= 66000);
  CHECK(Exchange(*classic, At(wait_ms - 1), 20) == 429);
  CHECK(Exchange(*classic, At(wait_ms), 20) == 200);
  // A bucket of 600 refills by 10 a second: 900 overdrawn and one are back in 90.1 s.
  auto v2 = EngineWith(Limit(kV2, kNoEstimate, 600));
  CHECK(Exchange(*v2, At(0), 1500) == 200);
  auto told = Ask(*v2, "vk-red");
  CHECK(Decide(*told, At(0)).status == 429);
  CHECK(FindEdit(*told, "retry-after-ms")->value == "90100");
  CHECK(FindEdit(*told, "retry-after")->value == "91");
  CHECK(Exchange(*v2, At(90099), 20) == 429);
  CHECK(Exchange(*v2, At(90100), 20) == 200);
}

TEST_CASE("with an estimate a prompt that does not fit is refused before the backend is asked") {
  for (const char* tier : {kClassic, kV2}) {
    auto engine = EngineWith(Limit(tier, kEstimate, kPrompt - 1));
    CHECK(Exchange(*engine, At(0), 20) == 429);
    // One that fits passes, and what it writes may overdraw.
    auto other = EngineWith(Limit(tier, kEstimate, 2 * kPrompt));
    CHECK(Exchange(*other, At(0), 500) == 200);
    CHECK(Exchange(*other, At(1), 20) == 429);
    // Prompts under way count.
    auto third = EngineWith(Limit(tier, kEstimate, 2 * kPrompt + 1));
    std::vector<std::unique_ptr<Transaction>> open;
    for (int i = 0; i < 3; ++i) open.push_back(Ask(*third, "vk-red"));
    CHECK(Decide(*open[0], At(0)).kind == ActionKind::kForward);
    CHECK(Decide(*open[1], At(0)).kind == ActionKind::kForward);
    CHECK(Decide(*open[2], At(0)).status == 429);
  }
}

TEST_CASE("v2: the bucket is full at the start, and holds no more than a minute's tokens") {
  auto engine = EngineWith(Limit(kV2, kNoEstimate, 600));
  CHECK(Exchange(*engine, At(0), 599) == 200);
  CHECK(Exchange(*engine, At(0), 601) == 200);  // one was left
  // 600 overdrawn: below the limit again after a minute, and full after two.
  CHECK(Exchange(*engine, At(60000), 20) == 429);
  CHECK(Exchange(*engine, At(60100), 20) == 200);
  CHECK(Exchange(*engine, At(600000), 600) == 200);
  CHECK(Exchange(*engine, At(600000), 20) == 429);
}

TEST_CASE("token-quota refuses with 403 until its period, cut from UTC, is over") {
  Setup setup;
  setup.limit = R"("key": "consumer.id", "unit": "tokens", "amount": 100, "per": "day", )" +
                std::string(kNoEstimate);
  auto engine = MakeEngine(setup);
  CHECK(Exchange(*engine, At(0), 150) == 200);
  auto refused = Ask(*engine, "vk-red");
  CHECK(Decide(*refused, At(0)).status == 403);
  // 1,700,000,000 is 22:13:20 UTC.
  CHECK(FindEdit(*refused, "retry-after")->value == "6400");
  CHECK(Exchange(*engine, At(6399999), 20) == 403);
  CHECK(Exchange(*engine, At(6400000), 20) == 200);
}

TEST_CASE("rate-limit: six calls a minute, in any minute or as a burst that refills") {
  const auto engine_of = [](const std::string& tier) {
    return EngineWith(R"("key": "consumer.id", "unit": "requests", "amount": 6, "per": "60s", )" +
                      tier);
  };
  auto classic = engine_of(kClassic);
  for (int i = 0; i < 6; ++i) CHECK(Exchange(*classic, At(i * 1000), 20) == 200);
  CHECK(Exchange(*classic, At(6000), 20) == 429);
  CHECK(Exchange(*classic, At(59999), 20) == 429);
  CHECK(Exchange(*classic, At(66000), 20) == 200);
  auto v2 = engine_of(kV2);
  for (int i = 0; i < 6; ++i) CHECK(Exchange(*v2, At(0), 20) == 200);
  CHECK(Exchange(*v2, At(9999), 20) == 429);
  CHECK(Exchange(*v2, At(10000), 20) == 200);
  CHECK(Exchange(*v2, At(19999), 20) == 429);
  CHECK(Exchange(*v2, At(20000), 20) == 200);
}

}  // namespace
}  // namespace weir::engine::testing
