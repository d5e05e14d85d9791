// A circuit written a second time from the contract, with lists instead of fixed space. It knows no
// clock that steps back.

#ifndef WEIR_TESTS_BREAKER_TWIN_H_
#define WEIR_TESTS_BREAKER_TWIN_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "weir/breaker.h"

namespace weir::breaker {

class Twin {
 public:
  struct Ticket {
    bool allowed = false, probe = false;
    State state = State::kClosed;
    int64_t retry_at = 0;
    int era = 0;  // counts changes of state
    int id = 0;   // of the probe
  };

  explicit Twin(const RuleSet* set) : set_(set) {}

  Ticket Check(int64_t now) const {
    Twin copy = *this;
    return copy.Acquire(now);
  }

  Ticket Acquire(int64_t now) {
    if (state_ == State::kOpen && now < until_) return {false, false, state_, until_, era_, 0};
    if (state_ == State::kOpen) Change(State::kHalfOpen, now);
    if (state_ == State::kClosed) return {true, false, state_, 0, era_, 0};
    int64_t first_overdue = INT64_MAX;
    std::vector<int> overdue;
    uint32_t out = 0;
    for (const auto& [id, start] : probes_) {
      const int64_t end = start + set_->probe_timeout_ns;
      if (now < end) {
        ++out;
        first_overdue = std::min(first_overdue, end);
      } else {
        overdue.push_back(id);
      }
    }
    if (out >= set_->probes) return {false, false, state_, first_overdue, era_, 0};
    // An overdue probe may still report until another takes its slot, of which there are sixteen.
    if (probes_.size() == kMaxProbes) probes_.erase(overdue.front());
    probes_[++last_id_] = now;
    return {true, true, state_, 0, era_, last_id_};
  }

  Report Record(const Ticket& ticket, const Outcome& outcome, int64_t now) {
    if (!ticket.allowed || ticket.era != era_) return {};
    if (ticket.probe && probes_.erase(ticket.id) == 0) return {};
    std::vector<size_t> matching;
    for (size_t i = 0; i < set_->rules.size(); ++i) {
      if (Matches(set_->rules[i], outcome)) matching.push_back(i);
    }
    if (ticket.probe) {
      if (!matching.empty()) return Trip(matching, outcome, now);
      if (outcome.failure != Failure::kNone || outcome.status == 0) return {};
      if (++successes_ < set_->successes_to_close) return {};
      Change(State::kClosed, now);
      return {Event::kReset, -1, 0};
    }
    std::vector<size_t> full;
    for (size_t i = 0; i < set_->rules.size(); ++i) {
      const bool matches = std::find(matching.begin(), matching.end(), i) != matching.end();
      if (matches || !IsCallersFault(outcome)) outcomes_[i].emplace_back(now, matches);
      if (matches && IsFull(i, now)) full.push_back(i);
    }
    return full.empty() ? Report{} : Trip(full, outcome, now);
  }

  void Cancel(const Ticket& ticket) {
    if (ticket.probe && ticket.era == era_) probes_.erase(ticket.id);
  }

  bool IsStale(const Ticket& ticket) const {
    return ticket.era != era_ || (ticket.probe && probes_.count(ticket.id) == 0);
  }

  // Everything that may still make a difference, with times as from now.
  std::string Canonical(int64_t now, const std::vector<Ticket>& out) const {
    std::string text;
    const auto add = [&text](int64_t number) { text.append(std::to_string(number)).append(" "); };
    add(static_cast<int>(state_));
    add(std::max<int64_t>(until_ - now, 0));
    add(successes_);
    bool any = false;
    for (const uint32_t streak : streaks_) {
      add(std::min<uint32_t>(streak, 3));  // beyond, trips are as long as they get
      any = any || streak != 0;
    }
    add(any && state_ == State::kClosed ? std::min(now - since_, set_->forget_trips_ns) : 0);
    for (const auto& [id, start] : probes_) add(std::min(now - start, set_->probe_timeout_ns));
    for (size_t i = 0; i < set_->rules.size(); ++i) {
      std::vector<int64_t> counted;
      for (const auto& [time, matches] : outcomes_[i]) {
        const bool counts = set_->rules[i].percentage != 0 || matches;
        if (counts && IsCounted(i, time, now)) {
          counted.push_back((now - time) * 2 + (matches ? 1 : 0));
        }
      }
      std::sort(counted.begin(), counted.end());
      text += "|";
      for (const int64_t outcome : counted) add(outcome);
    }
    std::vector<int64_t> tickets;
    for (const Ticket& ticket : out) {
      tickets.push_back(!ticket.probe ? -1
                                      : std::distance(probes_.begin(), probes_.find(ticket.id)));
    }
    std::sort(tickets.begin(), tickets.end());
    text += "|";
    for (const int64_t ticket : tickets) add(ticket);
    return text;
  }

 private:
  static bool IsCallersFault(const Outcome& outcome) {
    constexpr std::array<int, 6> kFaults = {400, 401, 403, 404, 413, 422};
    return outcome.failure == Failure::kNone &&
           std::find(kFaults.begin(), kFaults.end(), outcome.status) != kFaults.end();
  }

  static bool Matches(const Rule& rule, const Outcome& outcome) {
    const int s = outcome.status;
    if (outcome.failure == Failure::kConnect) return rule.on_connect;
    if (outcome.failure == Failure::kTimeout) return rule.on_timeout;
    if (outcome.failure == Failure::kReset) return rule.on_reset;
    if (outcome.failure == Failure::kStreamError) return rule.on_stream_error;
    if (outcome.failure == Failure::kTruncated) return rule.on_stream_error;
    if (IsCallersFault(outcome)) return false;
    for (const StatusRange& range : rule.statuses) {
      if (range.first <= s && s <= range.last) return true;
    }
    return false;
  }

  bool IsCounted(size_t i, int64_t time, int64_t now) const {
    const Rule& rule = set_->rules[i];
    if (rule.percentage == 0) return time == now || now - time < rule.interval_ns;
    const int64_t width = rule.interval_ns / 16;
    return now / width - time / width < 16;
  }

  bool IsFull(size_t i, int64_t now) const {
    const Rule& rule = set_->rules[i];
    uint64_t matching = 0;
    uint64_t all = 0;
    for (const auto& [time, matches] : outcomes_[i]) {
      if (!IsCounted(i, time, now)) continue;
      ++all;
      if (matches) ++matching;
    }
    if (matching < rule.count) return false;
    return rule.percentage == 0 ||
           (all >= rule.min_samples && 100 * matching >= rule.percentage * all);
  }

  Report Trip(const std::vector<size_t>& rules, const Outcome& outcome, int64_t now) {
    if (state_ == State::kClosed && now - since_ >= set_->forget_trips_ns) streaks_ = {};
    int64_t longest = -1;
    size_t why = 0;
    bool asked = false;
    for (const size_t i : rules) {
      const Rule& rule = set_->rules[i];
      int64_t length = 0;
      if (rule.accept_retry_after && outcome.retry_after_ns > 0) {
        length = std::max(outcome.retry_after_ns, set_->retry_after_min_ns);
        length = std::min(length, set_->retry_after_max_ns);
      }
      const bool wished = length > 0;
      if (!wished) {
        length = rule.trip_ns;
        for (uint32_t k = 0; k < streaks_[i]; ++k) {
          if (rule.trip_growth_percent == 100) break;
          length = std::min(length * rule.trip_growth_percent / 100, rule.trip_max_ns);
        }
      }
      if (length > longest) {
        longest = length;
        why = i;
        asked = wished;
      }
    }
    if (!asked && set_->rules[why].trip_growth_percent > 100) {
      ++streaks_[why];
    }
    Change(State::kOpen, now);
    until_ = std::max(until_, now + longest);
    return {Event::kTripped, static_cast<int>(why), until_};
  }

  void Change(State state, int64_t now) {
    state_ = state;
    since_ = now;
    ++era_;
    successes_ = 0;
    probes_.clear();
    for (auto& list : outcomes_) list.clear();
  }

  const RuleSet* set_;
  State state_ = State::kClosed;
  int era_ = 0;
  int last_id_ = 0;
  int64_t since_ = 0;
  int64_t until_ = 0;
  uint32_t successes_ = 0;
  std::array<uint32_t, kMaxRules> streaks_{};
  std::map<int, int64_t> probes_;
  std::array<std::vector<std::pair<int64_t, bool>>, kMaxRules> outcomes_;
};

}  // namespace weir::breaker

#endif  // WEIR_TESTS_BREAKER_TWIN_H_
