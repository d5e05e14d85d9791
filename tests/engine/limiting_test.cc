// Limits as a policy states them: units, amounts, and what becomes of what has no room.

#include <string>

#include "base/json.h"
#include "tests/engine/support.h"

namespace weir::engine::testing {
namespace {

// The policy of support.h with this as its one limit, and prices for its models.
std::unique_ptr<Engine> EngineWith(const std::string& limit, const std::string& sections = "") {
  Setup setup;
  setup.limit = limit;
  std::string text = PolicyText(setup);
  text.insert(1, R"("models": {
    "gpt-4o": {"price": {"input": 2.5, "cached_input": 1.25, "output": 10}, "max_output": 1000},
    "gpt-4o-mini": {"price": {"input": 0.15, "output": 0.6}}},)" +
                     sections);
  auto engine = Engine::Create(ParsePolicy(text), {});
  REQUIRE(engine.ok());
  return *std::move(engine);
}

// Sends a request through and gives it this answer; what Next said first.
Action Exchange(Engine& engine, Now now, uint64_t prompt, uint64_t completion,
                const std::string& body = Body()) {
  auto txn = Ask(engine, "vk-red", body);
  const Action action = Decide(*txn, now);
  if (action.kind != ActionKind::kForward) return action;
  Answer(*txn, 200);
  Decide(*txn, now);
  REQUIRE(txn->ResponseBody(JsonAnswer(prompt, completion)).ok());
  REQUIRE(txn->ResponseEnd().ok());
  Decide(*txn, now);
  return action;
}

std::string RefusalCode(Engine& engine, Now now, const std::string& body = Body()) {
  auto txn = Ask(engine, "vk-red", body);
  const Action action = Decide(*txn, now);
  if (action.kind != ActionKind::kReply) return "";
  json::Document document;
  REQUIRE(document.Parse(txn->body()));
  return std::to_string(action.status) + " " + std::string(document.root()["error"]["code"].text());
}

TEST_CASE("a monthly budget in dollars is charged by the price, and refuses when it is used up") {
  // A prompt of 10 tokens is 25 micro-USD, 100 tokens of output are 1,000.
  auto engine = EngineWith(R"("key": "consumer.team", "unit": "usd", "amount": 0.003,
                              "per": "month", "time_zone": "Europe/Berlin")");
  CHECK(Exchange(*engine, At(0), 10, 100).kind == ActionKind::kForward);
  CHECK(Exchange(*engine, At(1), 10, 100).kind == ActionKind::kForward);
  // 2,050 are used; the reservation of the output is no more than what is left.
  CHECK(Exchange(*engine, At(2), 10, 200).kind == ActionKind::kForward);
  CHECK(RefusalCode(*engine, At(3)) == "403 budget_exceeded");
  auto txn = Ask(*engine, "vk-red");
  Decide(*txn, At(4));
  CHECK(txn->body().find("0.003 US dollars per month. Used 0.004075") != std::string_view::npos);
  CHECK(FindEdit(*txn, "x-should-retry")->value == "false");
  // The next month begins anew: 17 days on it is December there.
  const Now december = At(int64_t{18} * 24 * 3600 * 1000);
  CHECK(Exchange(*engine, december, 10, 1).kind == ActionKind::kForward);
}

TEST_CASE("cached prompt tokens cost their own price") {
  auto engine =
      EngineWith(R"("key": "consumer.id", "unit": "usd", "amount": 1, "per": "lifetime")");
  auto txn = Ask(*engine, "vk-red");
  Decide(*txn, At(0));
  Answer(*txn, 200);
  Decide(*txn, At(0));
  REQUIRE(txn->ResponseBody(R"({"choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":10,
      "total_tokens":1010,"prompt_tokens_details":{"cached_tokens":800}}})")
              .ok());
  REQUIRE(txn->ResponseEnd().ok());
  Decide(*txn, At(0));
  // 200 * 2.5 + 800 * 1.25 + 10 * 10
  CHECK(Remaining(*engine, "vk-red", At(1)) + 1600 == 1000);
}

TEST_CASE("a model that no table has a price for is not let through a budget") {
  auto engine = EngineWith(R"("key": "consumer.id", "unit": "usd", "amount": 1, "per": "day")");
  std::string body = Body();
  body.replace(body.find("gpt-4o"), 6, "house-7b");
  CHECK(RefusalCode(*engine, At(0), body) == "403 price_unknown");
  CHECK(RefusalCode(*engine, At(0)).empty());
  body.replace(body.find("house-7b"), 8, "gpt-4.1");  // the policy has no row of it
  CHECK(RefusalCode(*engine, At(0), body).empty());
}

TEST_CASE("a limit of requests under way gives their places back") {
  auto engine = EngineWith(R"("key": "consumer.id", "unit": "concurrency", "amount": 2)");
  auto first = Ask(*engine, "vk-red"), second = Ask(*engine, "vk-red");
  CHECK(Decide(*first, At(0)).kind == ActionKind::kForward);
  CHECK(Decide(*second, At(0)).kind == ActionKind::kForward);
  CHECK(RefusalCode(*engine, At(1)) == "429 concurrency_limit_exceeded");
  first.reset();
  CHECK(Exchange(*engine, At(2), 10, 5).kind == ActionKind::kForward);
  CHECK(Exchange(*engine, At(3), 10, 5).kind == ActionKind::kForward);
  auto third = Ask(*engine, "vk-red");
  CHECK(Decide(*third, At(4)).kind == ActionKind::kForward);
  CHECK(RefusalCode(*engine, At(5)) == "429 concurrency_limit_exceeded");
}

TEST_CASE("a cost is whatever an expression makes of the usage") {
  auto engine = EngineWith(R"("key": "consumer.id", "amount": 1000, "per": "1m",
                              "cost": "usage.prompt + 4 * usage.completion")");
  Exchange(*engine, At(0), 10, 100);
  CHECK(Remaining(*engine, "vk-red", At(1)) == 1000 - 410);
}

TEST_CASE("an amount may be an expression; what is no number lets nothing pass") {
  auto engine = EngineWith(R"("key": "consumer.id", "per": "1m", "reserve": {"output": "none"},
      "amount": "consumer.id == 'red' ? 25 : 0")");
  CHECK(Exchange(*engine, At(0), 10, 5).kind == ActionKind::kForward);
  CHECK(Exchange(*engine, At(0), 10, 5).kind == ActionKind::kForward);
  CHECK(RefusalCode(*engine, At(1)) == "429 rate_limit_exceeded");
  auto blue = Ask(*engine, "vk-blue");
  CHECK(Decide(*blue, At(1)).kind == ActionKind::kReply);
  auto none = EngineWith(R"("key": "consumer.id", "per": "1m", "amount": "consumer.no_such")");
  CHECK(RefusalCode(*none, At(0)) == "429 rate_limit_exceeded");
}

TEST_CASE("clamp lowers what the answer may have to what is left") {
  auto engine = EngineWith(R"("key": "consumer.id", "unit": "tokens", "amount": 100, "per": "1m",
                              "on_exceeded": {"action": "clamp"})");
  std::string body = Body();
  body.insert(1, R"("max_tokens":500,)");
  {
    auto txn = Ask(*engine, "vk-red", body);
    CHECK(Decide(*txn, At(0)).kind == ActionKind::kForward);
    CHECK(txn->body().find(R"("max_tokens":90)") != std::string_view::npos);
    CHECK(RefusalCode(*engine, At(0)) == "429 rate_limit_exceeded");
  }
  std::string small = Body();
  small.insert(1, R"("max_tokens":20,)");
  auto txn = Ask(*engine, "vk-red", small);
  Decide(*txn, At(1));
  CHECK(txn->body().find(R"("max_tokens":20)") != std::string_view::npos);
  // 10 of 100 are used and 30 are held: one that states no maximum gets one.
  auto other = Ask(*engine, "vk-red");
  Decide(*other, At(1));
  CHECK(other->body().find(R"("max_completion_tokens":50)") != std::string_view::npos);
}

TEST_CASE("downgrade goes on with another model, and says so") {
  auto engine = EngineWith(R"("key": "model", "unit": "tokens", "amount": 30, "per": "1m",
      "reserve": {"output": "none"}, "on_exceeded": {"action": {"downgrade": "gpt-4o-mini"}})");
  CHECK(Exchange(*engine, At(0), 10, 20).kind == ActionKind::kForward);
  auto txn = Ask(*engine, "vk-red");
  CHECK(Decide(*txn, At(1)).kind == ActionKind::kForward);
  CHECK(txn->body().find(R"("model":"gpt-4o-mini")") != std::string_view::npos);
  Answer(*txn, 200);
  Decide(*txn, At(1));
  CHECK(FindEdit(*txn, "x-weir-downgraded")->value == "gpt-4o-mini");
  REQUIRE(txn->ResponseBody(JsonAnswer(10, 20)).ok());
  REQUIRE(txn->ResponseEnd().ok());
  Decide(*txn, At(1));
  // Both are used up: there is nothing to go on with.
  CHECK(RefusalCode(*engine, At(2)) == "429 rate_limit_exceeded");
}

// One request a second and none in store, for which requests wait up to 10 s.
std::string Slow(int max_waiting) {
  return R"("key": "consumer.id", "unit": "requests", "amount": 60, "per": "1m",
            "algorithm": "token_bucket", "burst": 1, "on_exceeded": {"action": "wait",
            "max_wait": "10s", "max_waiting": )" +
         std::to_string(max_waiting) + "}";
}

TEST_CASE("who waits is served in the order of coming, whoever is asked again first") {
  auto engine = EngineWith(Slow(100));
  CHECK(Exchange(*engine, At(0), 1, 1).kind == ActionKind::kForward);
  struct Waiter {
    std::unique_ptr<Transaction> txn;
    int64_t wake_ns = 0;
    int served = -1;
  };
  std::vector<Waiter> waiters(8);
  for (Waiter& waiter : waiters) {
    waiter.txn = Ask(*engine, "vk-red");
    const Action action = Decide(*waiter.txn, At(1));
    REQUIRE(action.kind == ActionKind::kWait);
    waiter.wake_ns = action.deadline_mono_ns;
  }
  int served = 0;
  int wakes = 0;
  for (int64_t ms = 2; served < 8 && ms < 10000; ++ms) {
    // A late comer each quarter of a second, who would always find room first.
    if (ms % 250 == 0) {
      auto late = Ask(*engine, "vk-red");
      CHECK(Decide(*late, At(ms)).kind != ActionKind::kForward);
    }
    for (size_t i = waiters.size(); i-- > 0;) {
      Waiter& waiter = waiters[i];
      if (waiter.served >= 0 || waiter.wake_ns > At(ms).mono_ns) continue;
      ++wakes;
      const Action action = Decide(*waiter.txn, At(ms));
      if (action.kind == ActionKind::kForward) waiter.served = served++;
      waiter.wake_ns = action.deadline_mono_ns;
    }
  }
  for (int i = 0; i < 8; ++i) CHECK(waiters[static_cast<size_t>(i)].served == i);
  CHECK(wakes < 200);
}

TEST_CASE("so many may wait for one key, and nobody who left is waited for") {
  auto engine = EngineWith(Slow(2));
  CHECK(Exchange(*engine, At(0), 1, 1).kind == ActionKind::kForward);
  auto first = Ask(*engine, "vk-red");
  auto second = Ask(*engine, "vk-red");
  CHECK(Decide(*first, At(0)).kind == ActionKind::kWait);
  CHECK(Decide(*second, At(0)).kind == ActionKind::kWait);
  CHECK(RefusalCode(*engine, At(0)) == "429 rate_limit_exceeded");
  CHECK(engine->MetricsText().find("line_full") != std::string::npos);
  // Another key has a line of its own.
  auto other = Ask(*engine, "vk-blue");
  CHECK(Decide(*other, At(0)).kind == ActionKind::kForward);
  first.reset();
  CHECK(Decide(*second, At(1000)).kind == ActionKind::kForward);
  CHECK(Exchange(*engine, At(2000), 1, 1).kind == ActionKind::kForward);
}

TEST_CASE("headers to clients have the names that the policy gives them") {
  auto engine = EngineWith(
      R"("key": "consumer.id", "unit": "tokens", "amount": 15, "per": "1m",
         "reserve": {"output": "none"})",
      R"("headers": {"x-ratelimit-remaining-tokens": "x-left", "retry-after-ms": false},)");
  Exchange(*engine, At(0), 10, 5);
  auto txn = Ask(*engine, "vk-red");
  CHECK(Decide(*txn, At(1)).status == 429);
  CHECK(FindEdit(*txn, "x-left")->value == "0");
  CHECK(FindEdit(*txn, "x-ratelimit-remaining-tokens") == nullptr);
  CHECK(FindEdit(*txn, "retry-after-ms") == nullptr);
  CHECK(FindEdit(*txn, "retry-after") != nullptr);
}

std::string Chunk(const std::string& content) {
  return "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
         "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" +
         content + "\"},\"finish_reason\":null}]}\n\n";
}

// Each word is a token of its own.
std::string Words(int count) {
  std::string words;
  for (int i = 0; i < count; ++i) words += " word";
  return words;
}

TEST_CASE("an output that outgrows its reservation reserves more while it is written") {
  auto engine = EngineWith(R"("key": "consumer.id", "unit": "tokens", "amount": 1000, "per": "1m",
                              "reserve": {"output": 5})");
  auto txn = Ask(*engine, "vk-red", Body(true));
  Decide(*txn, At(0));
  CHECK(Remaining(*engine, "vk-red", At(0)) == 1000 - 15);
  Answer(*txn, 200, "text/event-stream");
  Decide(*txn, At(1));
  REQUIRE(txn->ResponseBody(Chunk(Words(200))).ok());
  CHECK(Decide(*txn, At(2)).relay != Relay::kNothing);
  // What is written, and some in advance.
  CHECK(Remaining(*engine, "vk-red", At(2)) == 1000 - 10 - 200 - 256);
  REQUIRE(txn->ResponseBody(Chunk(Words(1000))).ok());
  CHECK(Decide(*txn, At(3)).kind == ActionKind::kContinue);  // it is not cut, and is in debt later
  txn.reset();
  CHECK(RefusalCode(*engine, At(4)) == "429 rate_limit_exceeded");
}

TEST_CASE("cut ends a stream in its dialect's own words when the amount is used up") {
  auto engine = EngineWith(R"("key": "consumer.id", "unit": "tokens", "amount": 100, "per": "1m",
                              "on_exceeded": {"action": "cut"}, "reserve": {"output": 20})");
  auto txn = Ask(*engine, "vk-red", Body(true));
  Decide(*txn, At(0));
  Answer(*txn, 200, "text/event-stream");
  Decide(*txn, At(0));
  std::string relayed, sent;
  Action action;
  for (int i = 0; i < 40 && action.kind == ActionKind::kContinue; ++i) {
    // In halves, so that a piece never ends where an event does.
    const std::string chunk = Chunk(Words(51));
    sent += chunk;
    for (const size_t half : {size_t{0}, chunk.size() / 2}) {
      REQUIRE(
          txn->ResponseBody(chunk.substr(half, half == 0 ? chunk.size() / 2 : chunk.size())).ok());
      action = Decide(*txn, At(1));
      if (action.relay == Relay::kView) relayed += txn->body();
      CHECK(action.relay != Relay::kInput);
      if (action.kind != ActionKind::kContinue) break;
    }
  }
  CHECK(action.kind == ActionKind::kFinish);
  const size_t end = relayed.find(R"("finish_reason":"length")");
  REQUIRE(end != std::string::npos);
  CHECK(relayed.substr(relayed.size() - 14) == "data: [DONE]\n\n");
  CHECK(sent.compare(0, Chunk(Words(51)).size(), relayed, 0, Chunk(Words(51)).size()) == 0);
  CHECK(relayed.find("\"usage\":{") == std::string::npos);  // nobody asked for it
  CHECK(txn->Explain().find(R"("outcome":"cut")") != std::string::npos);
  txn.reset();
  CHECK(RefusalCode(*engine, At(2)) == "429 rate_limit_exceeded");
  // A backend that was cut short by us has done nothing wrong.
  CHECK(engine->StatusJson(At(3)).find(R"("breaker":"closed")") != std::string::npos);
}

TEST_CASE("an operator may lend a key more for a while") {
  auto engine = EngineWith(R"("key": "consumer.id", "unit": "tokens", "amount": 15, "per": "1m",
                              "reserve": {"output": "none"})");
  CHECK(Exchange(*engine, At(0), 10, 5).kind == ActionKind::kForward);
  CHECK(RefusalCode(*engine, At(1)) == "429 rate_limit_exceeded");
  CHECK(engine->OverrideLimit("tokens", "red", 30, 10 * kSecond, At(1)).ok());
  CHECK(Exchange(*engine, At(2), 10, 1).kind == ActionKind::kForward);
  CHECK(RefusalCode(*engine, At(11002)) == "429 rate_limit_exceeded");  // it is over
  CHECK(engine->OverrideLimit("no-such", std::nullopt, 30, kSecond, At(1)).code() ==
        absl::StatusCode::kNotFound);
}

TEST_CASE("the status says what limits the policy sets") {
  const auto engine = EngineWith(R"("key": "consumer.id", "unit": "usd", "amount": 2.5,
                                    "per": "1m")");
  const std::string told =
      R"("limits":[{"limit":"tokens","unit":"micro_usd","amount":2500000,"window_ms":60000}])";
  CHECK(engine->StatusJson(At(0)).find(told) != std::string::npos);
  const auto asked = EngineWith(R"("key": "consumer.id", "unit": "requests", "per": "month",
                                   "amount": "1 + 1")");
  CHECK(asked->StatusJson(At(0)).find(R"("limits":[{"limit":"tokens","unit":"requests"}])") !=
        std::string::npos);
}

}  // namespace
}  // namespace weir::engine::testing
