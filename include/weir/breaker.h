// weir/breaker.h: leave a throttled or broken backend alone for exactly as long as it asked.
//
// One circuit per key (a backend, or a backend and a model), with any number of trip rules. Closed:
// everything passes and failures are counted per rule. Open: nothing passes until the deadline,
// which only ever moves later. Half-open: exactly `probes` requests pass; enough successes close
// it, one failure opens it again. A permit carries the circuit's epoch, so outcomes of requests
// that began before the last change of state are ignored. A probe slot that is never reported is
// reclaimed after `probe_timeout_ns`.
//
//   Permit p = breaker->Acquire("ptu-east", 0, now);
//   if (p.allowed) { ...send...; breaker->Record(p, 0, {.status = 429}, now); }
//
// Threads: any thread, any time. Cost: one hash and one uncontended lock per call; Check of a
// closed circuit takes no lock.

#ifndef WEIR_BREAKER_H_
#define WEIR_BREAKER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "weir/base.h"
#include "weir/state.h"

namespace weir::breaker {

inline constexpr int kMaxRules = 4;  // per rule set

enum class State : uint8_t { kClosed = 0, kOpen = 1, kHalfOpen = 2 };

// How an attempt failed without a usable status. kNone: it has a status.
enum class Failure : uint8_t { kNone, kConnect, kTimeout, kReset, kStreamError };

struct StatusRange {
  uint16_t first = 0, last = 0;  // inclusive
};

struct Rule {
  std::string name;
  std::vector<StatusRange> statuses;  // 400, 401, 403, 404, 413 and 422 never count: the caller's
  bool on_connect = false, on_timeout = false, on_reset = false, on_stream_error = false;
  uint32_t count = 1;             // this many matching outcomes …
  int64_t interval_ns = 0;        // … within this time trip it
  int64_t trip_ns = 0;            // open for this long …
  bool accept_retry_after = true;  // … or as long as the backend asked for
};

struct RuleSet {
  std::vector<Rule> rules;  // at most kMaxRules
  uint32_t probes = 1;      // requests let through at once while half-open
  uint32_t successes_to_close = 1;
  int64_t probe_timeout_ns = 60 * kSecond;
  int64_t retry_after_max_ns = kHour;  // a backend may not ask for more
};

struct Outcome {
  int status = 0;  // HTTP status; 0 when `failure` says what happened
  Failure failure = Failure::kNone;
  int64_t retry_after_ns = -1;  // as ParseRetryAfter gave it; -1 = not asked
};

// The answer for one request at one backend, and the ticket to report its outcome with.
struct Permit {
  bool allowed = false;
  bool probe = false;
  State state = State::kClosed;  // when asked
  uint32_t slot = 0;
  uint64_t epoch = 0;
  uint64_t key_hi = 0, key_lo = 0;
  int64_t retry_at_mono_ns = 0;  // when not allowed: the earliest time worth asking again
};

enum class Event : uint8_t { kNone, kTripped, kReset };

struct Report {
  Event event = Event::kNone;
  int rule = -1;              // which rule tripped it
  int64_t open_until_mono_ns = 0;
};

struct Snapshot {
  State state = State::kClosed;
  int64_t since_mono_ns = 0;
  int64_t open_until_mono_ns = 0;
  int rule = -1;  // why
};

struct BreakerOptions {
  uint32_t max_circuits = 1024;
};

class Breaker {
 public:
  // INVALID_ARGUMENT names the rule and field out of range. Rule sets are named by index in the
  // calls; circuits live in the segment, so they survive a reload.
  static absl::StatusOr<std::unique_ptr<Breaker>> Create(state::Segment* segment,
                                                         std::vector<RuleSet> rule_sets,
                                                         const BreakerOptions& options);
  virtual ~Breaker() = default;

  // Would a request pass now? Takes nothing.
  virtual Permit Check(std::string_view key, uint32_t rule_set, Now now) const = 0;

  // Takes the right to send one request (a probe slot when half-open). Every allowed permit must be
  // ended by Record or Cancel; ending it twice is harmless.
  virtual Permit Acquire(std::string_view key, uint32_t rule_set, Now now) = 0;

  // What became of the request. Stale permits are ignored.
  virtual Report Record(const Permit& permit, uint32_t rule_set, const Outcome& outcome,
                        Now now) = 0;

  // The request ended without saying anything about the backend (the client left): the probe slot
  // goes back, nothing is counted.
  virtual void Cancel(const Permit& permit, uint32_t rule_set, Now now) = 0;

  virtual Snapshot Get(std::string_view key, uint32_t rule_set, Now now) const = 0;
};

// How long the backend asked to be left alone: `retry_after_ms` (milliseconds, fractions allowed)
// first, else `retry_after` (seconds, fractions allowed, or any HTTP date against now.unix_ns).
// Empty strings mean the header is absent. Clamped to [0, cap_ns]; nullopt when neither says
// anything usable (negative, text, "0x10", inf).
std::optional<int64_t> ParseRetryAfter(std::string_view retry_after,
                                       std::string_view retry_after_ms, Now now, int64_t cap_ns);

}  // namespace weir::breaker

#endif  // WEIR_BREAKER_H_
