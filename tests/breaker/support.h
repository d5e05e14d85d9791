// Breakers to test with, and calls that name a circuit by its key.

#ifndef WEIR_TESTS_BREAKER_SUPPORT_H_
#define WEIR_TESTS_BREAKER_SUPPORT_H_

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "weir/breaker.h"
#include "weir/state.h"

namespace weir::breaker {

inline std::unique_ptr<state::Segment> NewSegment(size_t bytes = size_t{4} << 20) {
  auto segment = state::Segment::CreatePrivate({bytes, 42});
  REQUIRE(segment.ok());
  return *std::move(segment);
}

// Finds the circuit anew for each call.
class ByKey {
 public:
  explicit ByKey(std::unique_ptr<Breaker> breaker) : breaker_(std::move(breaker)) {}

  Circuit Find(std::string_view key, Now now, uint32_t rule_set = 0) const {
    return breaker_->Find(key, rule_set, now);
  }
  Passage Check(std::string_view key, Now now, uint32_t rule_set = 0) const {
    return breaker_->Check(Find(key, now, rule_set), now);
  }
  Permit Acquire(std::string_view key, Now now, uint32_t rule_set = 0) const {
    return breaker_->Acquire(Find(key, now, rule_set), now);
  }
  Report Record(const Permit& permit, const Outcome& outcome, Now now) const {
    return breaker_->Record(permit, outcome, now);
  }
  void Cancel(const Permit& permit, Now now) const { breaker_->Cancel(permit, now); }
  Snapshot Get(std::string_view key, Now now, uint32_t rule_set = 0) const {
    return breaker_->Get(Find(key, now, rule_set), now);
  }
  // A request from its beginning to its end.
  Report Send(std::string_view key, const Outcome& outcome, Now now) const {
    const Permit permit = Acquire(key, now);
    REQUIRE(permit.allowed);
    return Record(permit, outcome, now);
  }
  Breaker& breaker() const { return *breaker_; }

 private:
  std::unique_ptr<Breaker> breaker_;
};

inline ByKey NewBreaker(state::Segment* segment, std::vector<RuleSet> sets,
                        uint32_t max_circuits = 64) {
  auto breaker = Breaker::Create(segment, std::move(sets), {max_circuits});
  REQUIRE(breaker.ok());
  return ByKey(*std::move(breaker));
}

inline Rule StatusRule(uint16_t first, uint16_t last, uint32_t count, int64_t interval_ns,
                       int64_t trip_ns) {
  Rule rule;
  rule.name = "rule";
  rule.statuses = {{first, last}};
  rule.count = count;
  rule.interval_ns = interval_ns;
  rule.trip_ns = trip_ns;
  return rule;
}

inline RuleSet OneRule(Rule rule) {
  RuleSet set;
  set.rules = {std::move(rule)};
  return set;
}

// 429 at once opens for thirty seconds.
inline RuleSet Throttle() { return OneRule(StatusRule(429, 429, 1, 0, 30 * kSecond)); }

inline Now At(int64_t s) { return {s * kSecond, 0}; }

}  // namespace weir::breaker

#endif  // WEIR_TESTS_BREAKER_SUPPORT_H_
