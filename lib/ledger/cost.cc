#include <algorithm>
#include <limits>

#include "base/saturating.h"
#include "weir/ledger.h"

namespace weir::ledger {

std::optional<uint64_t> CostOf(const Price& price, const Usage& usage) {
  constexpr uint64_t kMillion = 1'000'000;
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  if (!usage.prompt && !usage.completion) return std::nullopt;
  const uint64_t prompt = usage.prompt.value_or(0);
  const uint64_t completion = usage.completion.value_or(0);
  if (!price.input || (completion != 0 && !price.output)) return std::nullopt;
  const uint64_t cached = std::min(usage.cached.value_or(0), prompt);
  const uint64_t cache_write = std::min(usage.cache_write.value_or(0), prompt - cached);
  // Each product has 128 bits, and so may their sum not have: what is above 2^64 costs kMost.
  uint128 millionths = 0;
  const auto add = [&millionths](uint64_t tokens, uint64_t each) {
    millionths = SaturatingAdd(millionths, static_cast<uint128>(tokens) * each);
  };
  add(prompt - cached - cache_write, *price.input);
  add(cached, price.cached_input.value_or(*price.input));
  add(cache_write, price.cache_write.value_or(*price.input));
  add(completion, price.output.value_or(0));
  const uint128 cost = millionths / kMillion + (millionths % kMillion != 0 ? 1 : 0);
  return cost > kMost ? kMost : static_cast<uint64_t>(cost);
}

}  // namespace weir::ledger
