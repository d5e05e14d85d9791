// Random gateways on a virtual clock: every seed other rules, keys, costs, stalls and jumps.
//
// WEIR_LONG=1 asks for a million seeds.

#include <cstdlib>
#include <map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/limits/support.h"

namespace weir::limits {
namespace {

Rule RandomRule(Random& random, uint32_t index) {
  Rule rule;
  rule.name = "rule" + std::to_string(index);
  rule.algorithm = static_cast<Algorithm>(random.Below(5));
  rule.amount = 1 + random.Below(random.Below(2) == 0 ? 100 : 100000);
  if (rule.algorithm != Algorithm::kCalendar && rule.algorithm != Algorithm::kConcurrency) {
    rule.window_ns = kSecond + static_cast<int64_t>(random.Below(100 * kMinute));
  }
  if (rule.algorithm == Algorithm::kTokenBucket && random.Below(2) == 0) {
    rule.burst = 1 + random.Below(2 * rule.amount);
  }
  rule.period = static_cast<Period>(random.Below(7));
  if (rule.algorithm == Algorithm::kFixedWindow && random.Below(2) == 0) {
    rule.anchor_unix_ns = static_cast<int64_t>(random.Below(kDay));
  }
  return rule;
}

// One gateway. Counts what went wrong.
class World {
 public:
  explicit World(uint64_t seed) : random_(seed), fixture_(MakeRules()) {
    now_ = {.mono_ns = static_cast<int64_t>(random_.Below(1000 * kDay)),
            .unix_ns = 1700000000 * kSecond};
  }

  uint64_t Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      Pass();
      if (random_.Below(2) == 0 || open_.empty()) {
        Ask();
      } else {
        End(random_.Below(open_.size()));
      }
      CheckBalance();
    }
    while (!open_.empty()) End(0);
    CheckBalance();
    return wrong_;
  }

 private:
  struct Open {
    Reservation held;
    std::map<uint32_t, uint64_t> reserved;
  };

  std::vector<Rule> MakeRules() {
    // One whose count never expires, to weigh the whole against.
    std::vector<Rule> rules = {{.name = "life",
                                .algorithm = Algorithm::kCalendar,
                                .amount = 100000,
                                .period = Period::kLifetime,
                                .lease_ns = 0}};
    const auto more = static_cast<uint32_t>(random_.Below(4));
    for (uint32_t i = 0; i < more; ++i) rules.push_back(RandomRule(random_, i));
    return rules;
  }

  void Pass() {
    const uint64_t kind = random_.Below(40);
    int64_t step = static_cast<int64_t>(random_.Below(kind < 4 ? kHour : kSecond));
    if (kind < 12) step = 0;  // the clock stalls
    now_.mono_ns += step;
    now_.unix_ns += step;
    if (kind == 39) now_.unix_ns += (random_.Below(2) == 0 ? 1 : -1) * 3650 * kDay;
    if (kind == 38) now_.mono_ns += 8 * kHour;  // suspended: the wall clock is set later
  }

  void Ask() {
    std::vector<Charge> charges;
    const auto rules = fixture_.limiter->rules();
    for (uint32_t rule = 0; rule < rules.size(); ++rule) {
      if (rule != 0 && random_.Below(3) == 0) continue;
      charges.push_back({.rule = rule,
                         .key = "k",
                         .cost = random_.Below(std::min<uint64_t>(rules[rule].amount + 2, 500)),
                         .headroom = random_.Below(100)});
    }
    Open open;
    const Decision decision = fixture_.limiter->Reserve(charges, now_, &open.held);
    for (size_t i = 0; i < charges.size(); ++i) {
      const Verdict& verdict = decision.verdicts[i];
      const Rule& rule = rules[charges[i].rule];
      if (decision.admitted) {
        open.reserved[charges[i].rule] = verdict.reserved;
        wrong_ += verdict.reserved < charges[i].cost;
        wrong_ += verdict.used_before + verdict.reserved > verdict.amount;
      }
      if (verdict.admitted || verdict.retry_after_ns == kNever ||
          rule.algorithm == Algorithm::kConcurrency) {
        continue;
      }
      // Waited for, it admits; any shorter, it does not.
      Now later = {.mono_ns = now_.mono_ns + verdict.retry_after_ns,
                   .unix_ns = now_.unix_ns + verdict.retry_after_ns};
      wrong_ += !fixture_.limiter->Peek(charges[i], later).admitted;
      --later.mono_ns;
      --later.unix_ns;
      wrong_ += fixture_.limiter->Peek(charges[i], later).admitted;
    }
    if (!decision.admitted) return;
    outstanding_ += open.reserved[0];
    open_.push_back(std::move(open));
  }

  void End(size_t index) {
    Open open = std::move(open_[index]);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
    outstanding_ -= open.reserved[0];
    if (random_.Below(4) == 0) return fixture_.limiter->Release(&open.held, now_);
    std::vector<Actual> actual;
    for (const auto& [rule, reserved] : open.reserved) {
      actual.push_back({.cost = random_.Below(reserved + reserved / 4 + 2)});
    }
    settled_ += actual[0].cost;
    fixture_.limiter->Settle(&open.held, actual, now_);
  }

  void CheckBalance() {
    wrong_ += fixture_.limiter->Peek({.rule = 0, .key = "k"}, now_).used_before !=
              settled_ + outstanding_;
  }

  Random random_;
  Fixture fixture_;
  Now now_;
  std::vector<Open> open_;
  uint64_t settled_ = 0, outstanding_ = 0, wrong_ = 0;
};

TEST_CASE("a thousand random gateways keep their promises") {
  const uint64_t seeds = std::getenv("WEIR_LONG") != nullptr ? 1000000 : 1000;
  uint64_t wrong = 0;
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    const uint64_t here = World(seed).Run(60);
    if (here != 0 && wrong == 0) WARN("first wrong seed " << seed);
    wrong += here;
  }
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace weir::limits
