// What the tests of the balancer share: pools to try, a slow twin, and a ledger.

#ifndef WEIR_TESTS_BALANCE_SUPPORT_H_
#define WEIR_TESTS_BALANCE_SUPPORT_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/support/catch.h"
#include "weir/balance.h"
#include "weir/state.h"

namespace weir::balance {

// WEIR_LONG=1 asks for the long versions.
inline bool IsLong() { return std::getenv("WEIR_LONG") != nullptr; }

inline std::unique_ptr<state::Segment> NewSegment(size_t bytes = size_t{1} << 20) {
  auto segment = state::Segment::CreatePrivate({bytes, 42});
  REQUIRE(segment.ok());
  return *std::move(segment);
}

inline std::string Numbered(std::string_view name, size_t number) {
  return Concat({name, std::to_string(number)});
}

inline std::vector<Member> Members(const std::vector<uint32_t>& weights, uint32_t priority = 1) {
  std::vector<Member> members;
  for (size_t i = 0; i < weights.size(); ++i) {
    members.push_back({Numbered("m", i), priority, weights[i]});
  }
  return members;
}

inline PoolOptions With(Strategy strategy, uint64_t seed = 0) {
  PoolOptions options;
  options.strategy = strategy;
  options.seed = seed;
  return options;
}

inline std::unique_ptr<Pool> NewPool(state::Segment* segment, std::vector<Member> members,
                                     const PoolOptions& options = {}) {
  auto pool = Pool::Create(segment, "pool", std::move(members), options);
  INFO(pool.status().ToString());
  REQUIRE(pool.ok());
  return *std::move(pool);
}

inline Now At(int64_t ns) { return {ns, 0}; }

inline Ask AskAt(int64_t ns, uint64_t hash = 0) {
  Ask ask;
  ask.now = At(ns);
  ask.hash = hash;
  return ask;
}

inline Ask Started(Ask ask) {
  ask.start = true;
  return ask;
}

inline std::vector<uint32_t> RandomWeights(Random* random, size_t size) {
  std::vector<uint32_t> weights(size);
  const uint64_t bound = random->Below(2) == 0 ? 5 : 1000;
  for (uint32_t& weight : weights) weight = static_cast<uint32_t>(1 + random->Below(bound));
  return weights;
}

// One tier in credits: each pick gives every member that is there the share it is due and takes a
// pick from the one whose next pick is due first. O(members), and no trees or times.
class Twin {
 public:
  explicit Twin(std::vector<uint32_t> weights)
      : weights_(std::move(weights)), credits_(weights_.size(), 0) {}

  // Checks that `picked` is one of those due first, to within rounding, and counts it.
  bool Follow(const std::vector<bool>& there, int picked) {
    const auto due = [&](size_t i) { return (0.5L - credits_[i]) / weights_[i]; };
    long double total = 0;
    long double first = std::numeric_limits<long double>::infinity();
    for (size_t i = 0; i < weights_.size(); ++i) {
      if (!there[i]) continue;
      total += weights_[i];
      first = std::min(first, due(i));
    }
    const auto p = static_cast<size_t>(picked);
    if (picked < 0 || !there[p] || due(p) > first + 1e-5L) return false;
    for (size_t i = 0; i < weights_.size(); ++i) {
      if (there[i]) credits_[i] += weights_[i] / total;
    }
    credits_[p] -= 1;
    return true;
  }

  void SetCredit(size_t i, long double credit) { credits_[i] = credit; }
  void SetWeight(size_t i, uint32_t weight) { weights_[i] = weight; }

 private:
  std::vector<uint32_t> weights_;
  std::vector<long double> credits_;
};

// What each member was due and what it got.
class Ledger {
 public:
  explicit Ledger(size_t size) : owed_(size, 0) {}

  void Count(const std::vector<Member>& members, const std::vector<bool>& there, int picked) {
    const uint32_t tier = members[static_cast<size_t>(picked)].priority;
    long double total = 0;
    for (size_t i = 0; i < members.size(); ++i) {
      if (there[i] && members[i].priority == tier) total += members[i].weight;
    }
    for (size_t i = 0; i < members.size(); ++i) {
      if (there[i] && members[i].priority == tier) owed_[i] += members[i].weight / total;
    }
    owed_[static_cast<size_t>(picked)] -= 1;
    worst_ = 0;
    for (const long double owed : owed_) worst_ = std::max(worst_, std::abs(owed));
  }

  long double Worst() const { return worst_; }

 private:
  std::vector<long double> owed_;
  long double worst_ = 0;
};

inline double ChiSquare(const std::vector<int64_t>& count, const std::vector<uint32_t>& weights) {
  int64_t picks = 0;
  uint64_t total = 0;
  for (const int64_t c : count) picks += c;
  for (const uint32_t w : weights) total += w;
  double sum = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double due = static_cast<double>(picks) * weights[i] / static_cast<double>(total);
    sum += (static_cast<double>(count[i]) - due) * (static_cast<double>(count[i]) - due) / due;
  }
  return sum;
}

}  // namespace weir::balance

#endif  // WEIR_TESTS_BALANCE_SUPPORT_H_
