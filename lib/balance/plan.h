// From a list of members to the plan of its view.

#ifndef WEIR_LIB_BALANCE_PLAN_H_
#define WEIR_LIB_BALANCE_PLAN_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "balance/board.h"
#include "weir/balance.h"

namespace weir::balance {

// INVALID_ARGUMENT names pool and member, or pool and option.
absl::Status Check(std::string_view pool, const std::vector<Member>& members,
                   const PoolOptions& options);

// `order`: the member at each place. `segment_seed` keys the hashes of names. All has been checked.
Plan MakePlan(const std::vector<Member>& members, const PoolOptions& options, uint64_t segment_seed,
              std::vector<uint16_t>* order);

}  // namespace weir::balance

#endif  // WEIR_LIB_BALANCE_PLAN_H_
