// What a usage costs in the unit of a limit.

#ifndef WEIR_LIB_ENGINE_COSTS_H_
#define WEIR_LIB_ENGINE_COSTS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/request.h"
#include "weir/ledger.h"
#include "weir/policy.h"

namespace weir::engine {

// Where a price is looked for: in the policy's rows, then in the table of public models by these
// names. The first that knows the price of what was used is taken.
struct Pricing {
  std::array<const policy::Model*, 2> rows = {};  // null: none
  std::array<std::string_view, 2> names = {};
};

// With the row it was worked out by. No micro_usd: no row knows a price that it takes; never 0.
ledger::Cost CostBy(const Pricing& pricing, const ledger::Usage& usage);
std::optional<uint64_t> PriceOf(const Pricing& pricing, const Usage& usage);

// In the limit's own unit. An expression that gives no number, or one below 0, costs all tokens.
// nullopt: dollars of a model without a price.
std::optional<uint64_t> CostOf(const policy::Limit& limit, const Pricing& pricing,
                               const Usage& usage, const Request& request);

// The largest completion for which prompt and completion cost at most `cost`; of limits of tokens,
// completion tokens and dollars.
uint64_t CompletionWithin(const policy::Limit& limit, const Pricing& pricing, uint64_t prompt,
                          uint64_t cost);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_COSTS_H_
