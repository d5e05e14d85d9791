#include "engine/prompt.h"

#include <map>
#include <sstream>

#include "base/json.h"
#include "tests/engine/support.h"
#include "tests/support/shared_data.h"

namespace weir::engine {
namespace {

dialects::ChatRequest Read(const std::string& body) {
  auto request = dialects::ReadChatRequest(body);
  INFO(request.status().ToString());
  REQUIRE(request.ok());
  return *std::move(request);
}

uint64_t Count(const std::string& model, const std::string& messages, dialects::Provenance sure) {
  bool known = false;
  const policy::Plan plan;
  const tokens::Tokenizer& tokenizer = TokenizerFor(plan, model, &known);
  const PromptCount prompt = CountPrompt(
      tokenizer, model, known, Read(R"({"model":")" + model + R"(","messages":)" + messages + "}"));
  CHECK(prompt.provenance == sure);
  return prompt.count;
}

TEST_CASE("a plain chat is counted exactly") {
  using dialects::Provenance;
  CHECK(Count("gpt-4o", R"([{"role":"user","content":"Hello, world"}])", Provenance::kExact) == 10);
  CHECK(Count("gpt-4o", R"([{"role":"developer","content":"Hello, world"}])", Provenance::kExact) ==
        10);
  CHECK(Count("gpt-4o", R"([{"role":"user","name":"bob","content":"Hello, world"}])",
              Provenance::kExact) == 12);
  CHECK(Count("gpt-4o", R"([{"role":"user","content":[{"type":"text","text":"Hello, world"}]}])",
              Provenance::kExact) == 10);
  CHECK(Count("gpt-4o", "[]", Provenance::kExact) == 3);
}

TEST_CASE("what the rule does not explain is an estimate and says so") {
  using dialects::Provenance;
  CHECK(Count("no-such-model", R"([{"role":"user","content":"Hello, world"}])",
              Provenance::kEstimated) == 10);
  CHECK(Count("gpt-4o",
              R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}])",
              Provenance::kEstimated) >= kImageTokens);
}

// Real requests with what OpenAI billed for them: plain chats of the models whose encoding is
// known.
TEST_CASE("the count agrees with what was billed") {
  const auto lines = ::weir::testing::SharedData("usage/chat.jsonl");
  if (!lines) return;
  struct Tally {
    int plain = 0, exact = 0;
  };
  std::map<std::string, Tally> tallies;
  std::istringstream stream(*lines);
  std::string line;
  while (std::getline(stream, line)) {
    json::Document row;
    REQUIRE(row.Parse(line));
    const json::Value billed = row.root()["usage"]["prompt_tokens"];
    if (row.root()["provider"].text() != "openai" || !billed.Uint()) continue;
    const auto request = dialects::ReadChatRequest(row.root()["request"].source());
    if (!request.ok()) continue;
    bool known = false;
    const policy::Plan plan;
    const tokens::Tokenizer& tokenizer = TokenizerFor(plan, row.root()["model"].text(), &known);
    const PromptCount prompt = CountPrompt(tokenizer, row.root()["model"].text(), known, *request);
    if (prompt.provenance != dialects::Provenance::kExact) continue;
    const std::string_view model = row.root()["model"].text();
    const bool reasoning = model[0] == 'o' || model.substr(0, 5) == "gpt-5";
    Tally& tally = tallies[reasoning ? "reasoning" : std::string(tokenizer.name())];
    ++tally.plain;
    tally.exact += prompt.count == *billed.Uint() ? 1 : 0;
  }
  for (const auto& [name, tally] : tallies) {
    std::cout << "billed prompts, " << name << ": " << tally.exact << " of " << tally.plain
              << " exact\n";
  }
  CHECK(tallies["cl100k_base"].exact * 100 >= tallies["cl100k_base"].plain * 90);
  CHECK(tallies["reasoning"].exact * 100 >= tallies["reasoning"].plain * 80);
  CHECK(tallies["o200k_base"].exact * 100 >= tallies["o200k_base"].plain * 80);
}

}  // namespace
}  // namespace weir::engine
