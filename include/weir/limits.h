// weir/limits.h: limits that hold: take, reserve, settle, release.
//
// A Limiter is a set of named rules over keyed counters in a state segment. A request reserves
// against any number of (rule, key) pairs at once, all or nothing; what it really used is settled
// later. A counter belongs to (rule name, algorithm, window, key): a reloaded policy finds the
// counters again, with another amount too; with another window or algorithm it starts new ones.
//
//   Reservation held;
//   Decision d = limiter->Reserve({{.rule = 0, .key = "team-red", .cost = 120, .headroom = 400}},
//                                 now, &held);
//   if (d.admitted) ...; limiter->Settle(&held, {{.cost = 150, .headroom_used = 30}}, now);
//
// What holds:
// - Sliding window: the sum admitted in any true window (t - window, t] never exceeds the amount.
//   The window is kept as kWindowBuckets sub-windows of ceil(window / kWindowBuckets); a sub-window
//   is forgotten only when all of it has left the window, hence at most one sub-window late. At
//   full demand, at least kWindowBuckets / (kWindowBuckets + 1) of the amount per window passes.
// - Token bucket: refills by amount per window_ns, exactly: fractions are carried, never lost and
//   never given twice. In any time T at most burst + T * amount / window_ns is admitted, if every
//   reservation is used in full; reservations given back can add at most amount / kWindowBuckets.
// - A reservation is booked at the time it is made. Settling less gives the rest back to that
//   booking, for as long as its sub-window is remembered; then it has expired anyway. Settling more
//   books the excess when it becomes known, even over the amount: debt, which the next ones wait
//   for.
// - A refusal leaves every counter bit-equal, and makes none.
// - retry_after_ns, waited for, admits the same request if nobody else took the room meanwhile, and
//   no shorter wait does.
// - Keys are told apart by a keyed 128-bit hash of all their bytes.
//
// Time is now.mono_ns alone. Up to one window back, a counter stands still until the clock has
// caught up (another thread's clock reading may simply be older); further back, it goes on from the
// new time as if none had passed. Forward leaps refill at most to the full amount.
//
// Threads: a Limiter is safe from any thread; a Reservation belongs to one. Cost: one hash and one
// uncontended lock per counter, four cache lines. Integers only; sums saturate. Limits: a full
// table (every counter in use) answers as LimiterOptions::full_admits says. A counter in which
// nothing is booked may lose its slot, and with it what `learned` knew, to a new key when slots
// near it run short.

#ifndef WEIR_LIMITS_H_
#define WEIR_LIMITS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/base.h"
#include "weir/state.h"

namespace weir::limits {

inline constexpr int kWindowBuckets = 24;
inline constexpr uint64_t kMaxAmount = uint64_t{1} << 53;

enum class Algorithm : uint8_t { kSlidingWindow, kTokenBucket };

struct Rule {
  std::string name;  // at most 128 bytes; names the counters
  Algorithm algorithm = Algorithm::kSlidingWindow;
  uint64_t amount = 0;    // 1 … kMaxAmount per window
  int64_t window_ns = 0;  // 1 s … 366 days
  uint64_t burst = 0;     // token bucket: its size; 0 = amount
};

// What one rule is asked for.
struct Charge {
  uint32_t rule = 0;      // index into the rules
  std::string_view key;   // the counter; any bytes
  uint64_t cost = 0;      // must fit; 0 fits unless the counter is in debt
  uint64_t headroom = 0;  // wanted on top, but only as much as is left: never a reason to refuse
  bool learned = false;   // take the headroom from what this counter's outputs have been (their
                          // running 90th percentile; 256 before the first) instead of `headroom`
};

// What one rule answered. Also of the rules that did not bind.
struct Verdict {
  uint32_t rule = 0;
  bool admitted = false;
  uint64_t used_before = 0;    // booked in the window before this request
  uint64_t reserved = 0;       // booked for this request; 0 when the decision was a refusal
  uint64_t amount = 0;         // the rule's amount (bucket: its burst)
  uint64_t remaining = 0;      // after the decision
  int64_t retry_after_ns = 0;  // 0 when admitted; kNever when the cost can never fit
  int64_t reset_ns = 0;        // until this counter is empty again if nobody takes more
};
inline constexpr int64_t kNever = INT64_MAX;

struct Decision {
  bool admitted = false;
  int binding = -1;            // index into verdicts of the rule that refuses longest; -1 = none
  int64_t retry_after_ns = 0;  // the longest of the refusing rules
  bool table_full = false;  // no slot for a new key: answered as LimiterOptions::full_admits says
  absl::InlinedVector<Verdict, 4> verdicts;  // in the order of the charges
};

// What was really used, per charge in the order of Reserve.
struct Actual {
  uint64_t cost = 0;           // the whole real cost, the part covered by the reservation included
  uint64_t headroom_used = 0;  // the output part, which `learned` learns from
  bool learn = true;           // false: this output says nothing (the answer failed or broke off)
};

// The right to use what was reserved. Ends exactly once, by Settle or Release; ending it again does
// nothing. Dropping an unsettled one leaves the booking to expire with its window. It can be moved,
// not copied, and is ended by the Limiter that made it or one over the same segment with equal
// rules.
class Reservation {
 public:
  struct Entry {
    uint32_t rule = 0;
    uint32_t slot = 0;
    uint64_t key_hi = 0, key_lo = 0;
    uint64_t reserved = 0;
    int64_t booked_at = 0;  // number of the sub-window
  };
  Reservation() = default;
  Reservation(Reservation&& other) noexcept { entries_.swap(other.entries_); }
  Reservation& operator=(Reservation&& other) noexcept {
    if (this != &other) {
      entries_.clear();
      entries_.swap(other.entries_);
    }
    return *this;
  }

  bool active() const { return !entries_.empty(); }

 private:
  friend class Limiter;
  absl::InlinedVector<Entry, 4> entries_;
};

struct LimiterOptions {
  uint32_t max_counters = 16384;  // slots; an idle counter's slot is reused
  bool full_admits = false;       // answer when every slot is in use: false = refuse
};

class Limiter {
 public:
  // INVALID_ARGUMENT names the rule and the field that is out of range. Limiters over one segment
  // share one table of counters; its size is fixed by the first.
  static absl::StatusOr<std::unique_ptr<Limiter>> Create(state::Segment* segment,
                                                         std::vector<Rule> rules,
                                                         const LimiterOptions& options);
  virtual ~Limiter() = default;

  virtual absl::Span<const Rule> rules() const = 0;

  // Decides all charges at once. On admission `held` holds the bookings; on refusal nothing changed
  // and `held` is left inactive. `held` must be inactive: what an active one held is dropped. Two
  // charges must not name one counter, and every rule must exist: else nothing is booked and the
  // charge at fault is refused with kNever. No charges: admitted.
  virtual Decision Reserve(absl::Span<const Charge> charges, Now now, Reservation* held) = 0;

  // Reserve and keep, in one step: what costs exactly `cost` and needs no settling.
  virtual Decision Take(absl::Span<const Charge> charges, Now now) = 0;

  // Corrects the bookings to what was used. `actual` has one entry per charge; a charge without one
  // stays booked as reserved. Each headroom_used teaches its counter's `learned`.
  virtual void Settle(Reservation* held, absl::Span<const Actual> actual, Now now) = 0;

  // Gives everything back, as if the request had never been.
  virtual void Release(Reservation* held, Now now) = 0;

  // Books `cost` without asking: for costs known only afterwards. In a full table there is no
  // counter to book to, and nothing happens.
  virtual void Book(const Charge& charge, Now now) = 0;

  // The counter as it stands, changing nothing; `reserved` is 0.
  virtual Verdict Peek(const Charge& charge, Now now) const = 0;

 protected:
  static absl::InlinedVector<Reservation::Entry, 4>& EntriesOf(Reservation* held) {
    return held->entries_;
  }
};

}  // namespace weir::limits

#endif  // WEIR_LIMITS_H_
