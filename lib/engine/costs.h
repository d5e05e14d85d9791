// What a usage costs in the unit of a limit.

#ifndef WEIR_LIB_ENGINE_COSTS_H_
#define WEIR_LIB_ENGINE_COSTS_H_

#include <cstdint>
#include <optional>

#include "engine/request.h"
#include "weir/ledger.h"
#include "weir/policy.h"

namespace weir::engine {

ledger::Price PriceRow(const policy::Model& model);

// As the ledger has it (ledger::CostOf). nullopt: a price that it takes is not known; it is never
// 0.
std::optional<uint64_t> PriceOf(const policy::Model* model, const Usage& usage);

// In the limit's own unit; `model` is where its price stands, null if nowhere. An expression that
// gives no number, or one below 0, costs all tokens. nullopt: dollars of a model without a price.
std::optional<uint64_t> CostOf(const policy::Limit& limit, const policy::Model* model,
                               const Usage& usage, const Request& request);

// The largest completion for which prompt and completion cost at most `cost`; of limits of tokens,
// completion tokens and dollars.
uint64_t CompletionWithin(const policy::Limit& limit, const policy::Model* model, uint64_t prompt,
                          uint64_t cost);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_COSTS_H_
