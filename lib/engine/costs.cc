#include "engine/costs.h"

#include <algorithm>
#include <limits>

#include "base/saturating.h"

namespace weir::engine {
namespace {

constexpr uint64_t kMillion = 1'000'000;

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

ledger::Price PriceRow(const policy::Model& model) {
  return {model.price_input, model.price_cached_input, model.price_cache_write, model.price_output};
}

std::optional<uint64_t> PriceOf(const policy::Model* model, const Usage& usage) {
  if (model == nullptr) return std::nullopt;
  return ledger::CostOf(PriceRow(*model), {.prompt = usage.prompt,
                                           .completion = usage.completion,
                                           .cached = usage.cached,
                                           .cache_write = usage.cache_write});
}

std::optional<uint64_t> CostOf(const policy::Limit& limit, const policy::Model* model,
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
      return PriceOf(model, usage);
    case policy::Unit::kCost:
      return EvaluateCost(limit, usage, request);
  }
  return 0;
}

uint64_t CompletionWithin(const policy::Limit& limit, const policy::Model* model, uint64_t prompt,
                          uint64_t cost) {
  if (limit.unit == policy::Unit::kCompletionTokens) return cost;
  if (limit.unit == policy::Unit::kTokens) return cost - std::min(cost, prompt);
  const uint64_t of_prompt = PriceOf(model, {.prompt = prompt}).value_or(cost);
  const uint64_t price = model == nullptr ? 0 : model->price_output.value_or(0);
  if (price == 0) return std::numeric_limits<uint64_t>::max();
  return MulDiv(cost - std::min(cost, of_prompt), kMillion, price);
}

}  // namespace weir::engine
