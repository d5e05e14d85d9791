// What an outcome says about a backend, by the rules of one rule set.

#ifndef WEIR_LIB_BREAKER_RULES_H_
#define WEIR_LIB_BREAKER_RULES_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "breaker/history.h"
#include "weir/breaker.h"

namespace weir::breaker {

// A rule set with what is computed of it once.
struct PreparedSet {
  explicit PreparedSet(RuleSet rule_set);

  RuleSet rules;
  // A number for everything that decides what histories count, so that counts of other rules are
  // not taken over.
  uint64_t fingerprint = 0;
  uint32_t share_rules = 0;         // a bit for each rule that has a percentage
  bool watches_success = false;     // some rule lists a status from 200 to 299
  int64_t longest_interval_ns = 0;  // how long failures may count
  ShareClock clocks[kMaxRules];     // of the rules that have a percentage
};

// A bit per rule that `outcome` counts for; 0 when it counts for none.
uint32_t MatchingRules(const RuleSet& set, const Outcome& outcome);

// The same, quick for what nearly all outcomes are.
inline uint32_t MatchingRules(const PreparedSet& set, const Outcome& outcome) {
  const bool success =
      outcome.failure == Failure::kNone && outcome.status >= 200 && outcome.status < 300;
  if (success && !set.watches_success) return 0;
  return MatchingRules(set.rules, outcome);
}

bool IsCallersFault(const Outcome& outcome);

// Does an outcome that matches no rule show that the backend is well? Any answer does, a caller's
// fault too: it takes a working backend to find one. A failure that no rule watches says nothing.
bool ShowsHealth(const Outcome& outcome);

// How long `rule` opens the circuit for after `outcome`.
struct OpenTime {
  int64_t ns = 0;
  bool asked = false;  // it is the backend's own wish
};
// `streak`: successive trips by the rule before this one.
OpenTime OpenTimeOf(const RuleSet& set, const Rule& rule, const Outcome& outcome, uint32_t streak);

// INVALID_ARGUMENT names the first rule set, rule and field that is out of range.
absl::Status CheckRuleSets(const std::vector<RuleSet>& sets);

}  // namespace weir::breaker

#endif  // WEIR_LIB_BREAKER_RULES_H_
