// A hundred tenants who ask the same: each gets his own answers, and nobody another's.
//
// Through the whole engine, on both layers: whole requests by their key, other wordings by their
// meaning. Every second tenant has answers; the others ask for the same and must find nothing.

#include <cstdlib>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/engine/support.h"

namespace weir::engine::testing {
namespace {

constexpr uint32_t kTenants = 100;

std::unique_ptr<Engine> TenantsEngine(uint32_t entries) {
  return EngineOf(R"({"weir": 1,
    "backends": {"a": {"url": "http://a.test", "dialect": "openai"}},
    "pools": {"p": {"members": [{"backend": "a"}]}},
    "caches": {"faq": {"embedding": "lexical", "min_similarity": 0.6, "max_bytes": "256MiB",
                       "partition": ["request.headers['x-tenant']"], "max_entries": )" +
                  std::to_string(entries) + R"(}},
    "routes": [{"name": "chat", "match": {"path": "/v1/chat/completions"}, "pool": "p",
                "auth": "none", "cache": "faq"}]})");
}

std::string Word(Random* random) {
  std::string word;
  for (int i = 0; i < 3; ++i) {
    word += "bdfgklmnprstvz"[random->Below(14)];
    word += "aeiou"[random->Below(5)];
  }
  return word;
}

// What there is to ask, in two wordings.
struct Question {
  std::string usual, other;
};

std::vector<Question> Questions(size_t count) {
  Random random(3);
  std::vector<Question> questions;
  for (size_t i = 0; i < count; ++i) {
    const std::string things = Word(&random) + ' ' + Word(&random) + ' ' + Word(&random);
    questions.push_back({"How do I polish the " + things + "?", "How can I polish the " + things});
  }
  return questions;
}

std::unique_ptr<Transaction> AskAs(Engine& engine, uint32_t tenant, const std::string& text) {
  auto txn = engine.Begin();
  REQUIRE(txn->RequestHead("POST", "/v1/chat/completions", "10.0.0.7").ok());
  REQUIRE(txn->RequestHeader("x-tenant", "tenant " + std::to_string(tenant)).ok());
  REQUIRE(txn->RequestBody(R"({"model":"gpt-4o","messages":[{"role":"user","content":")" + text +
                           "\"}]}")
              .ok());
  REQUIRE(txn->RequestEnd().ok());
  return txn;
}

// The tenant's name is all of the answer.
std::string AnswerFor(uint32_t tenant) {
  return "\"content\":\"for tenant " + std::to_string(tenant) + '"';
}

void BuyFor(Engine& engine, uint32_t tenant, const std::string& text) {
  const auto txn = AskAs(engine, tenant, text);
  REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
  Answer(*txn, 200);
  REQUIRE(Decide(*txn, At(1)).kind == ActionKind::kContinue);
  REQUIRE(txn->ResponseBody(R"({"id":"c","model":"gpt-4o","choices":[{"index":0,"message":{)"
                            R"("role":"assistant",)" +
                            AnswerFor(tenant) + R"(},"finish_reason":"stop"}]})")
              .ok());
  REQUIRE(txn->ResponseEnd().ok());
  REQUIRE(Decide(*txn, At(2)).kind == ActionKind::kDone);
}

struct Tally {
  uint64_t hits = 0, missed = 0, crossed = 0;
};

void AskAgain(Engine& engine, uint32_t tenant, const std::string& text, Tally* tally) {
  const auto txn = AskAs(engine, tenant, text);
  const Action action = Decide(*txn, At(1000));
  if (action.kind != ActionKind::kReply) {
    ++tally->missed;
    return;
  }
  ++tally->hits;
  if (txn->body().find(AnswerFor(tenant)) == std::string_view::npos) ++tally->crossed;
}

// `asks` by each tenant, of `count` questions.
void CheckTenants(size_t count, uint64_t asks) {
  const std::vector<Question> questions = Questions(count);
  const auto engine = TenantsEngine(static_cast<uint32_t>(kTenants / 2 * count) + 100);
  for (uint32_t tenant = 0; tenant < kTenants; tenant += 2) {
    for (const Question& question : questions) BuyFor(*engine, tenant, question.usual);
  }
  Tally with_answers, without;
  for (uint64_t i = 0; i < asks; ++i) {
    const Question& question = questions[i % count];
    const std::string& text = i / count % 2 == 0 ? question.usual : question.other;
    for (uint32_t tenant = 0; tenant < kTenants; ++tenant) {
      AskAgain(*engine, tenant, text, tenant % 2 == 0 ? &with_answers : &without);
    }
  }
  INFO(with_answers.hits << " hits, " << with_answers.missed << " missed, " << with_answers.crossed
                         << " crossed; without answers of their own " << without.hits);
  CHECK(with_answers.crossed == 0);
  CHECK(without.hits == 0);
  CHECK(without.missed == asks * kTenants / 2);
  // So few that the rest shows nothing would be no proof.
  CHECK(with_answers.missed <= asks * kTenants / 2 / 100);
}

TEST_CASE("a hundred tenants ask the same, and none gets another's answer") {
  if (std::getenv("WEIR_LONG") != nullptr) {
    CheckTenants(500, 100'000);
  } else {
    CheckTenants(100, 1000);
  }
}

}  // namespace
}  // namespace weir::engine::testing
