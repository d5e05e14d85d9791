#include <algorithm>
#include <string>
#include <string_view>

#include "tests/ledger/exchanges.h"
#include "tests/support/catch.h"
#include "weir/ledger.h"

namespace weir::ledger {
namespace {

// The naive twin: token by token.
std::optional<uint64_t> Naive(const Price& price, const Usage& usage) {
  if (!usage.prompt && !usage.completion) return std::nullopt;
  const uint64_t prompt = usage.prompt.value_or(0), completion = usage.completion.value_or(0);
  const uint64_t cached = std::min(prompt, usage.cached.value_or(0));
  const uint64_t written = std::min(prompt - cached, usage.cache_write.value_or(0));
  if (!price.input) return std::nullopt;
  if (completion > 0 && !price.output) return std::nullopt;
  uint64_t millionths = 0;
  for (uint64_t i = 0; i < prompt; ++i) {
    millionths += i < cached             ? price.cached_input.value_or(*price.input)
                  : i < cached + written ? price.cache_write.value_or(*price.input)
                                         : *price.input;
  }
  for (uint64_t i = 0; i < completion; ++i) millionths += *price.output;
  return (millionths + 999'999) / 1'000'000;
}

TEST_CASE("the cost is that of the tokens one by one") {
  testing::ExchangeMaker maker(21);
  const auto small = [&maker](std::optional<uint64_t> value, uint64_t below) {
    return value ? std::optional<uint64_t>(*value % below) : value;
  };
  for (int i = 0; i < 20'000; ++i) {
    Usage usage = maker.MakeUsage();
    usage.prompt = small(usage.prompt, 300);
    usage.completion = small(usage.completion, 300);
    usage.cached = small(usage.cached, 400);
    usage.cache_write = small(usage.cache_write, 400);
    Price price = maker.MakePrice();
    price.input = small(price.input, 100'000'000);
    price.cached_input = small(price.cached_input, 100'000'000);
    price.cache_write = small(price.cache_write, 100'000'000);
    price.output = small(price.output, 100'000'000);
    REQUIRE(CostOf(price, usage) == Naive(price, usage));
  }
}

TEST_CASE("edges of costs") {
  const Price price = {2'500'000, 1'250'000, {}, 10'000'000};
  CHECK(CostOf(price, {}) == std::nullopt);  // unknown, not 0
  CHECK(CostOf({}, {.prompt = 1}) == std::nullopt);
  CHECK(CostOf({.input = 1}, {.prompt = 1, .completion = 1}) == std::nullopt);
  CHECK(CostOf({.input = 1}, {.prompt = 1, .completion = 0}) == 1);  // rounded up, once
  CHECK(CostOf(price, {.prompt = 0, .completion = 0}) == 0);
  CHECK(CostOf(price, {.prompt = 1000, .completion = 100, .cached = 1000}) == 1250 + 1000);
  CHECK(CostOf(price, {.prompt = 10, .cached = 1000}) == 13);  // a part is inside its whole
  const uint64_t most = UINT64_MAX;
  CHECK(CostOf({most, most, most, most}, {most, most, most, most}) == most);
}

TEST_CASE("the table of public models") {
  const absl::Span<const PublicModel> models = PublicModels();
  REQUIRE(models.size() > 40);
  for (size_t i = 0; i < models.size(); ++i) {
    const PublicModel& row = models[i];
    INFO(row.name);
    CHECK_FALSE(row.source.empty());
    REQUIRE(row.price.input.has_value());
    REQUIRE(row.price.output.has_value());
    // In dollars per million tokens: a slip of a thousand would show.
    CHECK(*row.price.input >= 10'000);
    CHECK(*row.price.output <= 1'000'000'000);
    CHECK(*row.price.output >= *row.price.input);
    CHECK(row.price.cached_input.value_or(0) <= *row.price.input);
    if (row.price.cache_write) CHECK(*row.price.cache_write >= *row.price.input);
    CHECK(FindPublicModel(row.name, row.prompt_max == 0 ? UINT64_MAX : row.prompt_max) == &row);
    if (i == 0) continue;
    const PublicModel& before = models[i - 1];
    CHECK(before.name <= row.name);
    if (before.name == row.name) {
      CHECK(before.prompt_max != 0);
      CHECK((row.prompt_max == 0 || before.prompt_max < row.prompt_max));
    }
  }
}

TEST_CASE("finding a public model") {
  REQUIRE(FindPublicModel("gpt-4o", 1) != nullptr);
  CHECK(FindPublicModel("gpt-4o", 1)->price.input == 2'500'000u);
  CHECK(FindPublicModel("gpt-4o-mini", 1)->price.cached_input == 75'000u);
  CHECK(FindPublicModel("gpt-4o-2024-08-06", 1) == FindPublicModel("gpt-4o", 1));
  CHECK(FindPublicModel("claude-sonnet-4-5-20250929", 1)->name == "claude-sonnet-4-5");
  CHECK(FindPublicModel("gemini-2.5-pro", 200'000)->price.input == 1'250'000u);
  CHECK(FindPublicModel("gemini-2.5-pro", 200'001)->price.input == 2'500'000u);
  // Its longer prompts cost something else, which the table does not know.
  CHECK(FindPublicModel("gpt-5.5-pro", 272'000) != nullptr);
  CHECK(FindPublicModel("gpt-5.5-pro", 272'001) == nullptr);
  for (const char* unknown :
       {"", "gpt", "gpt-4o-", "gpt-4o-x", "GPT-4O", "ft:gpt-4o:acme", "-20250929"}) {
    CHECK(FindPublicModel(unknown, 1) == nullptr);
  }
}

}  // namespace
}  // namespace weir::ledger
