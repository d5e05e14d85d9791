// What an outcome says about a backend, by the rules of one rule set.

#ifndef WEIR_LIB_BREAKER_RULES_H_
#define WEIR_LIB_BREAKER_RULES_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "weir/breaker.h"

namespace weir::breaker {

// A bit per rule that `outcome` counts for; 0 when it counts for none.
uint32_t MatchingRules(const RuleSet& set, const Outcome& outcome);

// Does an outcome that matches no rule show that the backend is well? Any answer does, a caller's
// fault too: it takes a working backend to find one. A failure that no rule watches says nothing.
bool ShowsHealth(const Outcome& outcome);

// How long `rule` opens the circuit for after `outcome`.
int64_t OpenNs(const RuleSet& set, const Rule& rule, const Outcome& outcome);

// A number for everything that decides what histories count, so that counts of other rules are not
// taken over.
uint64_t Fingerprint(const RuleSet& set);

// How long failures may count: the longest interval of the set.
int64_t LongestIntervalNs(const RuleSet& set);

// INVALID_ARGUMENT names the first rule set, rule and field that is out of range.
absl::Status CheckRuleSets(const std::vector<RuleSet>& sets);

}  // namespace weir::breaker

#endif  // WEIR_LIB_BREAKER_RULES_H_
