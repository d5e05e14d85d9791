// Memory is used again from one exchange to the next; what was in it is not.

#include "base/text.h"
#include "tests/engine/support.h"

namespace weir::engine::testing {
namespace {

constexpr std::string_view kCanary = "canary-7f3a";

// Everything that the transaction shows.
std::string Shown(const Transaction& txn) {
  std::string shown = Concat({txn.url(), "|", txn.target(), "|", txn.body(), "|"});
  for (const HeaderEdit& edit : txn.headers()) shown += Concat({edit.name, "=", edit.value, "|"});
  return shown + txn.Explain();
}

// An exchange whose request and answer say `word` in many places, `times` over; what it showed.
std::string Exchange(Engine& engine, std::string_view word, size_t times, bool whole) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += Concat({word, " \\n"});
  auto txn = engine.Begin();
  REQUIRE(txn->RequestHead("POST", Concat({"/v1/chat/completions?", word}), word).ok());
  REQUIRE(txn->RequestHeader("authorization", "Bearer vk-red").ok());
  REQUIRE(txn->RequestHeader(Concat({"x-weir-", word}), text).ok());
  REQUIRE(txn->Attribute("word", text).ok());
  const std::string body = Concat({R"({"model":"gpt-4o","user":")", word,
                                   R"(","messages":[{"role":"user","content":")", text, R"("}]})"});
  REQUIRE(txn->RequestBody(body).ok());
  REQUIRE(txn->RequestEnd().ok());
  std::string shown;
  REQUIRE(Decide(*txn, {kSecond, kSecond}).kind == ActionKind::kForward);
  shown += Shown(*txn);
  if (!whole) return shown;  // the client leaves
  REQUIRE(txn->ResponseHead(200).ok());
  REQUIRE(txn->ResponseHeader("content-type", "application/json").ok());
  REQUIRE(txn->ResponseHeader("x-word", text).ok());
  Decide(*txn, {kSecond, kSecond});
  shown += Shown(*txn);
  REQUIRE(txn->ResponseBody(Concat({R"({"choices":[{"index":0,"message":{"role":"assistant",)",
                                    R"("content":")", text, R"("},"finish_reason":"stop"}]})"}))
              .ok());
  REQUIRE(txn->ResponseEnd().ok());
  REQUIRE(Decide(*txn, {kSecond, kSecond}).kind == ActionKind::kDone);
  return shown + Shown(*txn);
}

TEST_CASE("an exchange shows nothing of the one before") {
  Setup setup;
  setup.limit = R"("key": "consumer.id", "amount": 9000000000000, "per": "60s")";
  const auto engine = MakeEngine(setup);
  const std::string alone = Exchange(*engine, "b", 1, true);
  for (size_t times : {1, 30, 400}) {
    for (const bool whole : {true, false}) {
      CHECK(Exchange(*engine, kCanary, times, whole).find(kCanary) != std::string::npos);
      const std::string after = Exchange(*engine, "b", 1, true);
      CHECK(after.find(kCanary) == std::string::npos);
      CHECK(after.size() <= alone.size() + 64);  // but for the numbers of limits, the same
    }
  }
}

}  // namespace
}  // namespace weir::engine::testing
