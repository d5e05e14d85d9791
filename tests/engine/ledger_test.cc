// The lines that exchanges leave: what they say, that they agree with what was charged and metered,
// and that no secret is in them.

#include <array>
#include <map>
#include <set>
#include <string>

#include "tests/engine/support.h"
#include "weir/ledger.h"

namespace weir::engine::testing {
namespace {

using Line = std::array<char, ledger::kMaxLineBytes>;

std::string LineOf(Transaction& txn) {
  static Line line;
  const auto size = txn.LedgerLine(absl::MakeSpan(line));
  INFO(size.status().ToString());
  REQUIRE(size.ok());
  return {line.data(), *size};
}

// A line and what was read of it.
struct Read {
  explicit Read(Transaction& txn) : line(LineOf(txn)) { REQUIRE(reader.Read(line, &exchange)); }
  std::string line;
  ledger::LineReader reader;
  ledger::Exchange exchange;
};

std::unique_ptr<Engine> PricedEngine(const std::string& models, const std::string& meters = "") {
  std::string text = PolicyText({});
  text.insert(1, R"("models": {)" + models + "}," + meters);
  return EngineOf(text);
}

// Up to the end of an answer by the first backend that takes it.
void Complete(Transaction& txn, Now now, uint64_t prompt, uint64_t completion) {
  Answer(txn, 200);
  Decide(txn, now);
  REQUIRE(txn.ResponseBody(JsonAnswer(prompt, completion)).ok());
  REQUIRE(txn.ResponseEnd().ok());
  REQUIRE(Decide(txn, now).kind == ActionKind::kDone);
}

TEST_CASE("the line of an exchange that was tried twice") {
  auto engine = PricedEngine(R"("gpt-4o": {"price": {"input": 2.5, "output": 10}})");
  auto txn = Ask(*engine, "vk-red");
  REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
  REQUIRE(txn->ResponseHead(429).ok());
  REQUIRE(txn->ResponseHeader("azure-openai-deployment-utilization", "97.5%").ok());
  REQUIRE(Decide(*txn, At(20)).kind == ActionKind::kForward);
  Line buffer;
  CHECK(absl::IsFailedPrecondition(txn->LedgerLine(absl::MakeSpan(buffer)).status()));
  Complete(*txn, At(70), 12, 100);
  std::array<char, 100> small;
  CHECK(absl::IsOutOfRange(txn->LedgerLine(absl::MakeSpan(small)).status()));

  const Read read(*txn);
  const ledger::Exchange& exchange = read.exchange;
  CHECK(exchange.unix_ns == At(0).unix_ns);
  CHECK(exchange.consumer == "red");
  CHECK(exchange.route == "chat");
  CHECK(exchange.operation == "chat");
  CHECK(exchange.model == "gpt-4o");
  CHECK(exchange.backend == "b");
  CHECK(exchange.status == 200);
  CHECK(exchange.outcome == "ok");
  CHECK(exchange.latency.total_us == 70'000);
  CHECK(exchange.latency.first_byte_us == 70'000);
  REQUIRE(exchange.attempts.size() == 2);
  CHECK(exchange.attempts[0].backend == "a");
  CHECK(exchange.attempts[0].status == 429);
  CHECK(exchange.attempts[0].utilization == 97u);
  CHECK(exchange.attempts[0].took_us == 20'000);
  CHECK(exchange.attempts[1].sent_us == 20'000);
  CHECK(exchange.attempts[1].took_us == 50'000);
  CHECK(exchange.attempts[1].outcome == "ok");
  REQUIRE(exchange.limits.size() == 1);
  CHECK(exchange.limits[0].limit == "tokens");
  CHECK(exchange.limits[0].admitted);
  REQUIRE(exchange.usage.has_value());
  CHECK(exchange.usage->prompt == 12u);
  CHECK(exchange.usage->completion == 100u);
  CHECK(exchange.usage->prompt_provenance == "provider");
  REQUIRE(exchange.cost.has_value());
  CHECK(exchange.cost->micro_usd == 30u + 1000u);
  CHECK(exchange.cost->price_source == "policy");
  CHECK(ledger::CostOf(*exchange.cost->price, *exchange.usage) == exchange.cost->micro_usd);
  CHECK(LineOf(*txn) == read.line);
}

TEST_CASE("whose price it is: the policy's, the built-in table's, nobody's") {
  const auto cost_of = [](const std::string& models, const std::string& model) {
    auto engine = PricedEngine(models);
    std::string body = Body();
    body.replace(body.find("gpt-4o"), 6, model);
    auto txn = Ask(*engine, "vk-red", body);
    REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
    Complete(*txn, At(1), 1'000'000, 100'000);
    const Read read(*txn);
    REQUIRE(read.exchange.cost.has_value());
    return std::make_pair(read.exchange.cost->micro_usd,
                          std::string(read.exchange.cost->price_source));
  };
  using Cost = std::pair<std::optional<uint64_t>, std::string>;
  CHECK(cost_of(R"("gpt-4o": {"price": {"input": 1, "output": 1}})", "gpt-4o") ==
        Cost(1'100'000, "policy"));
  const std::string date(ledger::kPublicModelsDate);
  CHECK(cost_of(R"("gpt-4o": {"context": 100})", "gpt-4o") == Cost(3'500'000, date));
  CHECK(cost_of(R"("x": {})", "gpt-4o-mini-2024-07-18") == Cost(210'000, date));
  CHECK(cost_of(R"("x": {})", "gpt-17") == Cost(std::nullopt, ""));
}

TEST_CASE("refused, unknown, abandoned and failed exchanges have their lines") {
  auto engine = MakeEngine();
  SECTION("nobody's key") {
    auto txn = Ask(*engine, "vk-nobody");
    REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kReply);
    const Read read(*txn);
    CHECK(read.exchange.status == 401);
    CHECK(read.exchange.outcome == "refused");
    CHECK(read.exchange.consumer.empty());
    CHECK_FALSE(read.exchange.usage.has_value());
    CHECK_FALSE(read.exchange.cost.has_value());
  }
  SECTION("a limit") {
    Remaining(*engine, "vk-red", At(0));
    std::string body = Body();
    body.insert(1, R"("max_tokens":5000,)");
    for (int i = 0; i < 20; ++i) {
      auto txn = Ask(*engine, "vk-red");
      const Action action = Decide(*txn, At(1));
      if (action.kind == ActionKind::kForward) {
        Complete(*txn, At(1), 10, 90);
        continue;
      }
      const Read read(*txn);
      CHECK(read.exchange.status == 429);
      CHECK(read.exchange.outcome == "refused");
      REQUIRE(read.exchange.limits.size() == 1);
      CHECK_FALSE(read.exchange.limits[0].admitted);
      CHECK(read.exchange.limits[0].retry_after_ms.has_value());
      return;
    }
    FAIL("nothing was refused");
  }
  SECTION("a client that left in the middle") {
    auto txn = Ask(*engine, "vk-red");
    REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
    txn->ClientLeft(At(5));
    const Read read(*txn);
    CHECK(read.exchange.status == 499);
    CHECK(read.exchange.outcome == "abandoned");
    REQUIRE(read.exchange.usage.has_value());
    CHECK(read.exchange.usage->prompt == kPrompt);
    CHECK(read.exchange.usage->prompt_provenance == "exact");
    CHECK(read.exchange.latency.total_us == 5'000);
  }
  SECTION("a transaction that was never asked") {
    auto txn = engine->Begin();
    txn->ClientLeft(At(0));
    const Read read(*txn);
    CHECK(read.exchange.outcome == "abandoned");
  }
}

TEST_CASE("ids are of one exchange each, whatever the clock says") {
  auto engine = MakeEngine();
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    auto txn = Ask(*engine, "vk-nobody");
    Decide(*txn, At(0));
    ids.insert(LineOf(*txn).substr(17, 32));
  }
  CHECK(ids.size() == 1000);
}

// Canaries wherever something can be put: none is in a line.
TEST_CASE("no secret and no text is in a line") {
  auto engine = MakeEngine();
  int canaries = 0;
  const auto canary = [&canaries] { return "cnry" + std::to_string(++canaries) + "ynrc"; };
  for (int i = 0; i < 70; ++i) {
    auto txn = engine->Begin();
    REQUIRE(txn->RequestHead("POST", "/v1/chat/completions?key=" + canary(), "10.0.0.7").ok());
    REQUIRE(txn->RequestHeader("authorization", i % 3 == 0 ? "Bearer " + canary() : "Bearer vk-red")
                .ok());
    for (const char* name : {"x-api-key", "cookie", "x-goog-api-key", "api-key", "user-agent"}) {
      if (i % 3 != 0) REQUIRE(txn->RequestHeader(name, canary()).ok());
    }
    REQUIRE(txn->Attribute("secret", canary()).ok());
    REQUIRE(txn->RequestBody(R"({"model":"gpt-4o","user":")" + canary() +
                             R"(","messages":[{"role":"user","content":")" + canary() + R"("}]})")
                .ok());
    REQUIRE(txn->RequestEnd().ok());
    const Action action = Decide(*txn, At(i * 10'000));
    if (action.kind == ActionKind::kForward) {
      Answer(*txn, i % 5 == 0 ? 400 : 200);
      REQUIRE(txn->ResponseHeader("set-cookie", canary()).ok());
      Decide(*txn, At(i * 10'000));
      REQUIRE(txn->ResponseBody(R"({"id":")" + canary() +
                                R"(","choices":[{"message":{"content":")" + canary() +
                                R"("}}],"error":{"message":")" + canary() + R"("}})")
                  .ok());
      REQUIRE(txn->ResponseEnd().ok());
      Decide(*txn, At(i * 10'000));
    }
    const Read read(*txn);
    REQUIRE(read.line.find("cnry") == std::string::npos);
    REQUIRE(read.line.find("backend-secret") == std::string::npos);
    REQUIRE(read.line.find("vk-red") == std::string::npos);
  }
  CHECK(canaries >= 500);
}

TEST_CASE("dimensions of the route's meter are in the line") {
  std::string text = PolicyText({});
  text.insert(1, R"("meters": {"m": {"dimensions": {"team": "consumer.team",
                                                    "app": "request.headers['x-app']"}}},)");
  text.replace(text.find(R"("name": "chat",)"), 15, R"("name": "chat", "meter": "m",)");
  auto engine = EngineOf(text);
  auto txn = engine->Begin();
  REQUIRE(txn->RequestHead("POST", "/v1/chat/completions", "").ok());
  REQUIRE(txn->RequestHeader("authorization", "Bearer vk-red").ok());
  REQUIRE(txn->RequestHeader("x-app", "search\nengine").ok());
  REQUIRE(txn->RequestBody(Body()).ok());
  REQUIRE(txn->RequestEnd().ok());
  Decide(*txn, At(0));
  Complete(*txn, At(0), 1, 1);
  const Read read(*txn);
  REQUIRE(read.exchange.dimensions.size() == 2);
  std::map<std::string, std::string> found;
  for (const ledger::Dimension& dimension : read.exchange.dimensions) {
    found.emplace(dimension.name, dimension.value);
  }
  CHECK(found == std::map<std::string, std::string>{{"app", "search\nengine"}, {"team", "warm"}});
}

}  // namespace
}  // namespace weir::engine::testing
