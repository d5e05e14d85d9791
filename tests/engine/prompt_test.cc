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
  const auto counting = [&](const std::string& name) {
    return CountingOf(plan.FindModel(name), name);
  };
  CHECK(counting("our-model").tokenizer->name() == "cl100k_base");
  CHECK(counting("our-model").is_known);
  CHECK(counting("gpt-4o").tokenizer->name() == "cl100k_base");
  CHECK(counting("gpt-4.1").tokenizer->name() == "o200k_base");
  CHECK(counting("gpt-4.1").is_known);
  CHECK(counting("prod-gpt-35-turbo").tokenizer->name() == "cl100k_base");
  CHECK(counting("prod-gpt-35-turbo").model == "gpt-35-turbo");
  CHECK_FALSE(counting("prod-gpt-35-turbo").is_known);
  CHECK(counting("no-such-model").tokenizer == &tokens::Default());
  CHECK(counting("no-such-model").model == "no-such-model");
  CHECK_FALSE(counting("no-such-model").is_known);
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
