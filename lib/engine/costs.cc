#include "engine/costs.h"

#include <algorithm>
#include <limits>

#include "base/saturating.h"

namespace weir::engine {
namespace {

constexpr uint64_t kMillion = 1'000'000;

ledger::Price PriceRow(const policy::Model& model) {
  return {model.price_input, model.price_cached_input, model.price_cache_write, model.price_output};
}

uint64_t EvaluateCost(const policy::Limit& limit, const Usage& usage, const Request& request) {
  const RequestEnvironment environment(request, &usage);
  std::string scratch;
  const expr::Value value = limit.cost->Eval(environment, &scratch);
  if (value.type != expr::Type::kInt || value.integer < 0) {
    return SaturatingAdd(usage.prompt, usage.completion);
  }
  return static_cast<uint64_t>(value.integer);
}

}  // namespace

ledger::Cost CostBy(const Pricing& pricing, const ledger::Usage& usage) {
  ledger::Cost cost;
  const auto take = [&](std::string_view name, std::string_view source, const ledger::Price& row) {
    cost.micro_usd = ledger::CostOf(row, usage);
    if (!cost.micro_usd) return false;
    cost.price_model = name;
    cost.price_source = source;
    cost.price = row;
    return true;
  };
  for (const policy::Model* row : pricing.rows) {
    if (row != nullptr && take(row->name, "policy", PriceRow(*row))) return cost;
  }
  for (const std::string_view name : pricing.names) {
    if (name.empty()) continue;
    const ledger::PublicModel* model = ledger::FindPublicModel(name, usage.prompt.value_or(0));
    if (model != nullptr && take(model->name, ledger::kPublicModelsDate, model->price)) return cost;
  }
  return cost;
}

std::optional<uint64_t> PriceOf(const Pricing& pricing, const Usage& usage) {
  return CostBy(pricing, {.prompt = usage.prompt,
                          .completion = usage.completion,
                          .cached = usage.cached,
                          .cache_write = usage.cache_write})
      .micro_usd;
}

std::optional<uint64_t> CostOf(const policy::Limit& limit, const Pricing& pricing,
                               const Usage& usage, const Request& request) {
  switch (limit.unit) {
    case policy::Unit::kTokens:
      return SaturatingAdd(usage.prompt, usage.completion);
    case policy::Unit::kPromptTokens:
      return usage.prompt;
    case policy::Unit::kCompletionTokens:
      return usage.completion;
    case policy::Unit::kRequests:
    case policy::Unit::kConcurrency:
      return 1;
    case policy::Unit::kUsd:
      return PriceOf(pricing, usage);
    case policy::Unit::kCost:
      return EvaluateCost(limit, usage, request);
  }
  return 0;
}

uint64_t CompletionWithin(const policy::Limit& limit, const Pricing& pricing, uint64_t prompt,
                          uint64_t cost) {
  if (limit.unit == policy::Unit::kCompletionTokens) return cost;
  if (limit.unit == policy::Unit::kTokens) return cost - std::min(cost, prompt);
  const ledger::Cost of_one = CostBy(pricing, {.prompt = prompt, .completion = 1});
  const uint64_t of_prompt = PriceOf(pricing, {.prompt = prompt}).value_or(cost);
  const uint64_t price = of_one.price ? of_one.price->output.value_or(0) : 0;
  if (price == 0) return std::numeric_limits<uint64_t>::max();
  return MulDiv(cost - std::min(cost, of_prompt), kMillion, price);
}

}  // namespace weir::engine
