// weir/breaker.h: leave a throttled or broken backend alone for exactly as long as it asked.
//
// One circuit per key (a backend, or a backend and a model), with any number of trip rules up to
// four. Closed: everything passes and failures are counted per rule. Open: nothing passes until the
// deadline, which only ever moves later. Half-open: exactly `probes` requests are out at once;
// enough successes close the circuit, one failure opens it again. A permit carries the circuit's
// epoch, so outcomes of requests that began before the last change of state are ignored. A probe
// slot that is never reported is reclaimed after `probe_timeout_ns`.
//
//   Permit p = breaker->Acquire("ptu-east", 0, now);
//   if (p.allowed) { ...send...; breaker->Record(p, 0, {.status = 429}, now); }
//
// What counts:
// - A failure is an outcome that matches a rule. While closed it counts toward the rules it
// matches;
//   the rule that fills first trips. If several fill at once the longest time is taken. Successes
//   do not take failures back: only time does, and a change of state.
// - `count` within `interval_ns`: up to a count of 16 the times themselves are kept, so it holds
// for
//   every interval, wherever it begins; above, failures are counted in fifteenths of the interval
//   and forgotten up to one fifteenth early, never late. A failure exactly one interval old is out.
// - 400, 401, 403, 404, 413 and 422 are the caller's fault: no rule counts them, whatever it lists.
// - A probe fails when its outcome matches any rule, whatever the count. It succeeds when the
//   backend answered and no rule matches: a caller's fault too, since it takes a working backend to
//   find one. A failure that no rule watches frees the slot and decides nothing.
// - The circuit opens for `trip_ns`, or, where the rule accepts it, for as long as the backend
// asked
//   (at most `retry_after_max_ns`), be that longer or shorter. A backend that asks for no wait at
//   all gets `trip_ns`.
// - Opening again keeps the later of the old deadline and the new.
//
// Reload: circuits are found by key, so a new Breaker over the same segment goes on where the old
// one stood. Failures that were counted under rules of other statuses, counts or intervals are
// forgotten then; state, deadline and probes are not.
//
// Clock: `mono_ns` alone decides. A step backward counts as no time passed: an open circuit then
// has as long to go as it had been given, and no longer.
//
// Threads: any thread, any time. Cost: one keyed hash and one look-up per call that names a key;
// Check and Acquire of a closed circuit, and Record of a success while closed, take no lock; all
// else takes the circuit's own. Memory: a circuit takes room (640 bytes) only from its first
// failure on. A full table first reclaims circuits with nothing left to count, or which nobody has
// asked about for an hour after their time was over; if there are none, new keys pass unguarded. A
// rule set index that does not exist lets everything pass and counts nothing.

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

inline constexpr int kMaxRules = 4;    // per rule set
inline constexpr int kMaxProbes = 16;  // at once

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
  uint32_t count = 1;              // this many matching outcomes (1 … 1,000,000) …
  int64_t interval_ns = 0;         // … within this time trip it; 0 will do for a count of 1
  int64_t trip_ns = 0;             // open for this long (1 ns … 366 days) …
  bool accept_retry_after = true;  // … or as long as the backend asked for
};

struct RuleSet {
  std::vector<Rule> rules;  // at most kMaxRules; with none the circuit never trips
  uint32_t probes = 1;      // requests let through at once while half-open, 1 … kMaxProbes
  uint32_t successes_to_close = 1;          // 1 … 1,000,000
  int64_t probe_timeout_ns = 60 * kSecond;  // longer than a request may take
  int64_t retry_after_max_ns = kHour;       // a backend may not ask for more
};

struct Outcome {
  int status = 0;  // HTTP status; 0 when `failure` says what happened
  Failure failure = Failure::kNone;
  int64_t retry_after_ns = -1;  // as ParseRetryAfter gave it; -1 = not asked
};

// The answer for one request at one backend, and the ticket to report its outcome with.
struct Permit {
  bool allowed = false;
  bool probe = false;            // allowed as one of the few while half-open
  State state = State::kClosed;  // when asked; an open circuit whose time is over is half-open
  // The circuit's own, to be handed back unchanged.
  uint32_t slot = 0;
  uint64_t epoch = 0;
  uint64_t key_hi = 0, key_lo = 0;
  int64_t retry_at_mono_ns = 0;  // when not allowed: the earliest time worth asking again
};

enum class Event : uint8_t { kNone, kTripped, kReset };

struct Report {
  Event event = Event::kNone;
  int rule = -1;                   // which rule tripped it
  int64_t open_until_mono_ns = 0;  // when tripped
};

struct Snapshot {
  State state = State::kClosed;
  int64_t since_mono_ns = 0;       // the last recorded change of state; 0 when there was none
  int64_t open_until_mono_ns = 0;  // unless closed: the deadline, past when half-open
  int rule = -1;                   // unless closed: which rule tripped it
};

struct BreakerOptions {
  uint32_t max_circuits = 1024;  // 1 … 1,000,000; whoever opens the segment first decides
};

class Breaker {
 public:
  // INVALID_ARGUMENT names the rule and field out of range; RESOURCE_EXHAUSTED: no room in the
  // segment, which must outlive the breaker. Rule sets are named by index in the calls; circuits
  // live in the segment, so they survive a reload.
  static absl::StatusOr<std::unique_ptr<Breaker>> Create(state::Segment* segment,
                                                         std::vector<RuleSet> rule_sets,
                                                         const BreakerOptions& options);
  virtual ~Breaker() = default;

  // Would a request pass now? Takes nothing: reporting an outcome with this permit of a half-open
  // circuit changes nothing.
  virtual Permit Check(std::string_view key, uint32_t rule_set, Now now) const = 0;

  // Takes the right to send one request (a probe slot when half-open). Every allowed permit must be
  // ended by Record or Cancel with the same rule set. Ending it twice gives back no other probe's
  // slot; a failure recorded twice while closed is two failures.
  virtual Permit Acquire(std::string_view key, uint32_t rule_set, Now now) = 0;

  // What became of the request, and what that did to the circuit. Stale permits are ignored, as are
  // those that were not allowed.
  virtual Report Record(const Permit& permit, uint32_t rule_set, const Outcome& outcome,
                        Now now) = 0;

  // The request ended without saying anything about the backend (the client left): the probe slot
  // goes back, nothing is counted.
  virtual void Cancel(const Permit& permit, uint32_t rule_set, Now now) = 0;

  // The circuit as it stands, for pages and metrics; closed since 0 when there is none.
  virtual Snapshot Get(std::string_view key, uint32_t rule_set, Now now) const = 0;
};

// How long the backend asked to be left alone: `retry_after_ms` (milliseconds) first, else
// `retry_after` (seconds, or an HTTP date against now.unix_ns). Empty strings mean the header is
// absent. Nanoseconds in [0, cap_ns]; nullopt when neither says anything usable. Read it on
// failures only: healthy answers carry the header too.
// - Numbers are digits with at most one fraction ("1.5"), rounded up to a nanosecond; however
// large,
//   they end at the cap. Signs ("-3", "+3"), exponents ("1e5"), "0x10", "inf", ".5", "5." and units
//   are not usable.
// - `retry_after_ms` of zero is not usable either; `retry_after` of zero is zero.
// - Dates in the three forms of RFC 9110, section 5.6.7 (IMF-fixdate, RFC 850, asctime), all GMT,
//   letters in any case, the day of the week not checked against the date. A date in the past is
//   zero.
// - Several values, as two headers joined by a comma give them: the largest, if all are usable.
std::optional<int64_t> ParseRetryAfter(std::string_view retry_after,
                                       std::string_view retry_after_ms, Now now, int64_t cap_ns);

}  // namespace weir::breaker

#endif  // WEIR_BREAKER_H_
