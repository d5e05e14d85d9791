// What a transaction holds while its answer is relayed, which may take minutes, measured on many of
// them at once.

#include <malloc.h>

#include "base/text.h"
#include "tests/engine/support.h"
#include "tests/support/sanitizers.h"

#if !WEIR_UNDER_SANITIZER

namespace weir::engine::testing {
namespace {

constexpr size_t kPromptBytes = 64 * 1024;

// Bytes for each of many answers under way, whose requests had a prompt of kPromptBytes.
size_t HeldByEach(Engine& engine) {
  constexpr size_t kStreams = 200;
  const std::string body =
      R"({"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":")" +
      std::string(kPromptBytes, ' ') + R"("}]})";
  std::vector<std::unique_ptr<Transaction>> txns(kStreams);
  const size_t before = mallinfo2().uordblks;
  for (auto& txn : txns) {
    txn = Ask(engine, "vk-red", body);
    REQUIRE(Decide(*txn, {kSecond, kSecond}).kind == ActionKind::kForward);
    Answer(*txn, 200, "text/event-stream");
    Decide(*txn, {kSecond, kSecond});
    REQUIRE(txn->ResponseBody("data: {\"choices\":[{\"delta\":{\"content\":\" a\"}}]}\n\n").ok());
    Decide(*txn, {kSecond, kSecond});
  }
  return (mallinfo2().uordblks - before) / kStreams;
}

// An engine with room for all of them, whose limit is keyed by `key`.
std::unique_ptr<Engine> EngineKeyedBy(const std::string& key) {
  Setup setup;
  setup.limit = Concat({R"("key": ")", key, R"(", "amount": 9000000000000, "per": "60s")"});
  return MakeEngine(setup);
}

TEST_CASE("an answer under way does not hold its request") {
  const auto engine = EngineKeyedBy("consumer.id");
  HeldByEach(*engine);  // caches and tables grow to their size
  CHECK(HeldByEach(*engine) < 6 * 1024);
}

TEST_CASE("an answer under way holds what an expression may still ask for") {
  const auto engine = EngineKeyedBy("body.user != null ? body.user : consumer.id");
  HeldByEach(*engine);
  CHECK(HeldByEach(*engine) > kPromptBytes);
}

}  // namespace
}  // namespace weir::engine::testing

#endif
