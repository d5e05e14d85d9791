// A circuit written a second time from the contract, with lists instead of fixed space. It knows no
// clock that steps back.

#ifndef WEIR_TESTS_BREAKER_TWIN_H_
#define WEIR_TESTS_BREAKER_TWIN_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
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
    if (state_ == State::kOpen) Change(State::kHalfOpen);
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
      Change(State::kClosed);
      return {Event::kReset, -1, 0};
    }
    std::vector<size_t> full;
    for (const size_t i : matching) {
      failures_[i].push_back(now);
      const auto counted = std::count_if(
          failures_[i].begin(), failures_[i].end(),
          [&](int64_t time) { return time == now || now - time < set_->rules[i].interval_ns; });
      if (counted >= set_->rules[i].count) full.push_back(i);
    }
    return full.empty() ? Report{} : Trip(full, outcome, now);
  }

  void Cancel(const Ticket& ticket) {
    if (ticket.probe && ticket.era == era_) probes_.erase(ticket.id);
  }

 private:
  static bool Matches(const Rule& rule, const Outcome& outcome) {
    const int s = outcome.status;
    if (outcome.failure == Failure::kConnect) return rule.on_connect;
    if (outcome.failure == Failure::kTimeout) return rule.on_timeout;
    if (outcome.failure == Failure::kReset) return rule.on_reset;
    if (outcome.failure == Failure::kStreamError) return rule.on_stream_error;
    for (const int fault : {400, 401, 403, 404, 413, 422}) {
      if (s == fault) return false;
    }
    for (const StatusRange& range : rule.statuses) {
      if (range.first <= s && s <= range.last) return true;
    }
    return false;
  }

  Report Trip(const std::vector<size_t>& rules, const Outcome& outcome, int64_t now) {
    int64_t longest = -1;
    int why = -1;
    for (const size_t i : rules) {
      const Rule& rule = set_->rules[i];
      int64_t length = rule.trip_ns;
      if (rule.accept_retry_after && outcome.retry_after_ns > 0) {
        length = std::min(outcome.retry_after_ns, set_->retry_after_max_ns);
        if (length == 0) length = rule.trip_ns;
      }
      if (length > longest) {
        longest = length;
        why = static_cast<int>(i);
      }
    }
    Change(State::kOpen);
    until_ = std::max(until_, now + longest);
    return {Event::kTripped, why, until_};
  }

  void Change(State state) {
    state_ = state;
    ++era_;
    successes_ = 0;
    probes_.clear();
    for (auto& list : failures_) list.clear();
  }

  const RuleSet* set_;
  State state_ = State::kClosed;
  int era_ = 0;
  int last_id_ = 0;
  int64_t until_ = 0;
  uint32_t successes_ = 0;
  std::map<int, int64_t> probes_;
  std::array<std::vector<int64_t>, kMaxRules> failures_;
};

}  // namespace weir::breaker

#endif  // WEIR_TESTS_BREAKER_TWIN_H_
