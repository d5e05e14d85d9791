// The provider's own quota: tokens in a sliding window, exactly.

#ifndef WEIR_EXAMPLES_UPSTREAM_QUOTA_H_
#define WEIR_EXAMPLES_UPSTREAM_QUOTA_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

namespace upstream {

// A request is let in when what is booked within the window and what it may cost at most fit the
// quota; once answered, what it did cost replaces the estimate. Thread-safe.
class Quota {
 public:
  using Clock = std::chrono::steady_clock;

  struct Verdict {
    bool admitted = false;
    uint64_t id = 0;                           // for Settle
    int64_t limit = 0;                         // 0: no quota
    int64_t remaining = 0;                     // after this request
    std::chrono::milliseconds retry_after{0};  // when refused: then the same request fits
  };

  Quota(int64_t tokens, std::chrono::seconds window);

  // A request that alone is larger than the quota is let in when nothing else is booked, as a
  // provider would otherwise never answer it.
  Verdict Take(int64_t tokens_max, Clock::time_point now);
  void Settle(uint64_t id, int64_t tokens);
  void SetTokens(int64_t tokens);
  int64_t tokens() const;

 private:
  struct Entry {
    uint64_t id;
    Clock::time_point at;
    int64_t tokens;
  };

  mutable std::mutex mutex_;
  const std::chrono::seconds window_;
  int64_t tokens_;
  int64_t booked_ = 0;
  uint64_t next_id_ = 1;
  std::deque<Entry> entries_;  // oldest first
};

}  // namespace upstream

#endif  // WEIR_EXAMPLES_UPSTREAM_QUOTA_H_
