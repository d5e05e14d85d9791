// Checks rules before they become counters.

#ifndef WEIR_LIB_LIMITS_RULES_H_
#define WEIR_LIB_LIMITS_RULES_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "weir/limits.h"

namespace weir::limits {

// INVALID_ARGUMENT with the rule's name, the field, what it is and what it may be.
absl::Status ValidateRules(absl::Span<const Rule> rules);

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_RULES_H_
