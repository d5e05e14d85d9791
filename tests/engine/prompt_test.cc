#include "engine/prompt.h"

#include "tests/engine/support.h"

namespace weir::engine::testing {
namespace {

TEST_CASE("a model's tokenizer is the policy's, else the known one, else one to estimate with") {
  policy::Plan plan;
  policy::Model model;
  model.name = "our-model";
  model.encoding = "cl100k_base";
  model.aliases = {"gpt-4o"};
  plan.models.push_back(std::move(model));
  bool known = false;
  CHECK(TokenizerFor(plan, "our-model", &known).name() == "cl100k_base");
  CHECK(known);
  CHECK(TokenizerFor(plan, "gpt-4o", &known).name() == "cl100k_base");
  CHECK(TokenizerFor(plan, "gpt-4.1", &known).name() == "o200k_base");
  CHECK(known);
  CHECK(TokenizerFor(plan, "prod-gpt-35-turbo", &known).name() == "cl100k_base");
  CHECK_FALSE(known);
  CHECK(&TokenizerFor(plan, "no-such-model", &known) == &tokens::Default());
  CHECK_FALSE(known);
}

// What a request's prompt is said to be, and how sure that is.
TEST_CASE("a prompt is counted before it is sent, and says how") {
  struct Row {
    std::string body, count, provenance;
  };
  const std::string user = R"([{"role":"user","content":"Hello, world"}])";
  const Row rows[] = {
      {R"({"model":"gpt-4o","messages":)" + user + "}", "10", "exact"},
      {R"({"model":"no-such-model","messages":)" + user + "}", "10", "estimated"},
  };
  for (const Row& row : rows) {
    INFO(row.body);
    auto engine = MakeEngine();
    auto txn = Ask(*engine, "vk-red", row.body);
    REQUIRE(Decide(*txn, At(0)).kind == ActionKind::kForward);
    const std::string explained = txn->Explain();
    CHECK(explained.find(R"("prompt_tokens":{"count":)" + row.count + R"(,"provenance":")" +
                         row.provenance) != std::string::npos);
  }
}

}  // namespace
}  // namespace weir::engine::testing
