#include "breaker/rules.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "base/saturating.h"
#include "base/text.h"

namespace weir::breaker {
namespace {

constexpr int64_t kLongestNs = 366 * kDay;
constexpr uint32_t kMaxCount = 1'000'000;
constexpr uint32_t kMaxSamples = 100'000;
constexpr uint32_t kMaxGrowthPercent = 1'000;

bool Lists(const Rule& rule, int first, int last) {
  return std::any_of(rule.statuses.begin(), rule.statuses.end(), [&](const StatusRange& range) {
    return range.first <= last && first <= range.last;
  });
}

bool Matches(const Rule& rule, const Outcome& outcome) {
  switch (outcome.failure) {
    case Failure::kConnect:
      return rule.on_connect;
    case Failure::kTimeout:
      return rule.on_timeout;
    case Failure::kReset:
      return rule.on_reset;
    case Failure::kStreamError:
    case Failure::kTruncated:
      return rule.on_stream_error;
    case Failure::kNone:
      break;
  }
  return !IsCallersFault(outcome) && Lists(rule, outcome.status, outcome.status);
}

uint64_t Fingerprint(const RuleSet& set) {
  std::string text;
  const auto add = [&text](int64_t number) {
    text += std::to_string(number);
    text += ',';
  };
  for (const Rule& rule : set.rules) {
    for (const StatusRange& range : rule.statuses) {
      add(range.first);
      add(range.last);
    }
    for (const bool on : {rule.on_connect, rule.on_timeout, rule.on_reset, rule.on_stream_error}) {
      text += on ? 'y' : 'n';
    }
    add(rule.count);
    add(rule.interval_ns);
    add(rule.percentage);
    text += ';';
  }
  return SipHash(0, text).lo;
}

// The first thing wrong with `rule`; empty when nothing is.
std::string_view RuleProblem(const Rule& rule) {
  for (const StatusRange& range : rule.statuses) {
    if (range.first < 100 || range.last > 999 || range.first > range.last) {
      return "statuses must be ranges within 100 to 999";
    }
  }
  if (rule.statuses.empty() && !rule.on_connect && !rule.on_timeout && !rule.on_reset &&
      !rule.on_stream_error) {
    return "statuses and failures are empty: it could never trip";
  }
  if (rule.count < 1 || rule.count > kMaxCount) return "count must be 1 to 1000000";
  if (rule.interval_ns < 0 || rule.interval_ns > kLongestNs) {
    return "interval must be 0 to 366 days";
  }
  if (rule.interval_ns == 0 && rule.count > 1) return "interval must not be 0 with a count above 1";
  if (rule.percentage > 100) return "percentage must be 0 to 100";
  if (rule.percentage > 0) {
    if (rule.interval_ns < static_cast<int64_t>(kShareWindows)) {
      return "interval must be at least 16 ns with a percentage";
    }
    if (rule.min_samples < 1 || rule.min_samples > kMaxSamples) {
      return "min_samples must be 1 to 100000";
    }
  }
  if (rule.trip_ns < 1 || rule.trip_ns > kLongestNs) return "trip must be 1 ns to 366 days";
  if (rule.trip_growth_percent < 100 || rule.trip_growth_percent > kMaxGrowthPercent) {
    return "trip_growth_percent must be 100 to 1000";
  }
  if (rule.trip_growth_percent > 100 &&
      (rule.trip_max_ns < rule.trip_ns || rule.trip_max_ns > kLongestNs)) {
    return "trip_max must be from trip to 366 days";
  }
  return {};
}

std::string_view SetProblem(const RuleSet& set) {
  if (set.rules.size() > static_cast<size_t>(kMaxRules)) return "rules must be at most 4";
  if (set.probes < 1 || set.probes > kMaxProbes) return "probes must be 1 to 16";
  if (set.successes_to_close < 1 || set.successes_to_close > kMaxCount) {
    return "successes_to_close must be 1 to 1000000";
  }
  if (set.probe_timeout_ns < 1 || set.probe_timeout_ns > kLongestNs) {
    return "probe_timeout must be 1 ns to 366 days";
  }
  if (set.retry_after_min_ns < 0 || set.retry_after_min_ns > kLongestNs) {
    return "retry_after_min must be 0 to 366 days";
  }
  if (set.retry_after_max_ns < 0 || set.retry_after_max_ns > kLongestNs) {
    return "retry_after_max must be 0 to 366 days";
  }
  if (set.forget_trips_ns < 0 || set.forget_trips_ns > kLongestNs) {
    return "forget_trips must be 0 to 366 days";
  }
  return {};
}

int64_t GrownTripNs(const Rule& rule, uint32_t streak) {
  if (rule.trip_growth_percent == 100) return rule.trip_ns;
  int64_t trip_ns = rule.trip_ns;
  for (; streak > 0 && trip_ns < rule.trip_max_ns; --streak) {
    trip_ns = SaturatingMul(trip_ns, int64_t{rule.trip_growth_percent}) / 100;
  }
  return std::min(trip_ns, rule.trip_max_ns);
}

}  // namespace

PreparedSet::PreparedSet(RuleSet rule_set)
    : rules(std::move(rule_set)), fingerprint(Fingerprint(rules)) {
  for (size_t i = 0; i < rules.rules.size(); ++i) {
    const Rule& rule = rules.rules[i];
    watches_success = watches_success || Lists(rule, 200, 299);
    longest_interval_ns = std::max(longest_interval_ns, rule.interval_ns);
    if (rule.percentage == 0) continue;
    share_rules |= uint32_t{1} << i;
    clocks[i] = ShareClock(rule.interval_ns);
  }
}

uint32_t MatchingRules(const RuleSet& set, const Outcome& outcome) {
  uint32_t matching = 0;
  for (size_t i = 0; i < set.rules.size(); ++i) {
    if (Matches(set.rules[i], outcome)) matching |= uint32_t{1} << i;
  }
  return matching;
}

bool IsCallersFault(const Outcome& outcome) {
  const int status = outcome.status;
  return outcome.failure == Failure::kNone && (status == 400 || status == 401 || status == 403 ||
                                               status == 404 || status == 413 || status == 422);
}

bool ShowsHealth(const Outcome& outcome) {
  return outcome.failure == Failure::kNone && outcome.status > 0;
}

OpenTime OpenTimeOf(const RuleSet& set, const Rule& rule, const Outcome& outcome, uint32_t streak) {
  // To be asked for no wait at all is no reason to hammer: the rule's own time holds.
  if (rule.accept_retry_after && outcome.retry_after_ns > 0) {
    const int64_t asked =
        std::min(std::max(outcome.retry_after_ns, set.retry_after_min_ns), set.retry_after_max_ns);
    if (asked > 0) return {asked, true};
  }
  return {GrownTripNs(rule, streak), false};
}

absl::Status CheckRuleSets(const std::vector<RuleSet>& sets) {
  for (size_t s = 0; s < sets.size(); ++s) {
    const std::string where = Concat({"rule set ", std::to_string(s)});
    if (const auto problem = SetProblem(sets[s]); !problem.empty()) {
      return absl::InvalidArgumentError(Concat({where, ": ", problem}));
    }
    for (size_t r = 0; r < sets[s].rules.size(); ++r) {
      const Rule& rule = sets[s].rules[r];
      if (const auto problem = RuleProblem(rule); !problem.empty()) {
        return absl::InvalidArgumentError(
            Concat({where, ", rule ", std::to_string(r), " \"", rule.name, "\": ", problem}));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace weir::breaker
