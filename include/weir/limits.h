// weir/limits.h: limits that hold: take, reserve, settle, release.
//
// A Limiter is a set of named rules over keyed counters in a state segment. A request reserves
// against any number of (rule, key) pairs at once, all or nothing; what it really used is settled
// later. A counter belongs to (rule name, algorithm, window, key): a reloaded policy, and another
// process at the same file, finds the counters again, with another amount too; with another window
// or algorithm it starts new ones, and restarted() says so.
//
//   Reservation held;
//   Decision d = limiter->Reserve({{.rule = 0, .key = "team-red", .cost = 120, .headroom = 400}},
//                                 now, &held);
//   if (d.admitted) ...; limiter->Settle(&held, {{.cost = 150, .headroom_used = 30}}, now);
//
// What holds, for any number of threads and processes:
// - Sliding window: the sum admitted in any true window (t - window, t] never exceeds the amount.
//   The window is kept as kWindowBuckets sub-windows of ceil(window / kWindowBuckets); a sub-window
//   is forgotten only when all of it has left the window, hence at most one sub-window late. At
//   full demand, at least kWindowBuckets / (kWindowBuckets + 1) of the amount per window passes.
// - Token bucket: refills by amount per window_ns, exactly: fractions are carried, never lost and
//   never given twice. In any time T at most burst + T * amount / window_ns is admitted, if every
//   reservation is used in full; reservations given back can add at most amount / kBucketPeaks.
// - Fixed window: begins with the first booking of an idle counter, or at whole windows from
//   anchor_unix_ns. At most the amount passes in a window, and twice that in a true one.
// - Calendar: hour, day, week, month, quarter, year of a time zone, or all time. Periods tile time
//   without gap or overlap. A wall clock that strays and comes back finds the count as it would
//   have been.
// - Concurrency: what is reserved and not yet ended never exceeds the amount.
// - A reservation is booked at the time it is made. Settling less gives the rest back to that
//   booking, for as long as it is remembered; then it has expired anyway. Settling more books the
//   excess when it becomes known, even over the amount: debt, which the next ones wait for.
// - In fixed windows, calendar periods and concurrency a reservation is a lease: after lease_ns (at
//   most a sixth more) without Settle or TopUp, it no longer counts. So what a killed process held
//   comes back by itself. What was used in truth is charged in full when it is settled late.
// - A refusal leaves every counter bit-equal, and makes none, with two exceptions: a counter whose
//   clock has stepped far back is brought along, and a share notes who was turned away.
// - retry_after_ns, waited for, admits the same request if nobody else took the room meanwhile, and
//   no shorter wait does. For concurrency, where nobody can know, it is at most kPlaceWaitNs.
// - Keys are told apart by a keyed 128-bit hash of all their bytes.
//
// Time: windows, buckets and leases go by now.mono_ns alone, calendar periods and anchored windows
// by now.unix_ns. Up to one window back, a counter stands still until the clock has caught up
// (another thread's clock reading may simply be older); further back, it goes on from the new time
// as if none had passed. Forward leaps refill at most to the full amount.
//
// Fair share: with Rule::share, the amount is one sum for all keys of the rule, and split between
// the keys that are active (asked within the last window) by weight: weighted max-min. A key whose
// demand is met is *meek*; one that was turned away within the last window is *hungry*. A key gets
// at least weight * amount / (weights of the active), and `share_floor`; what the meek leave is
// the hungry ones' by weight: weight * (amount - use of the meek) / (weights of the hungry). That
// is the state which water-filling computes (Bertsekas and Gallager, "Data Networks", 1992, 6.5.2:
// every bottlenecked flow has the same normalized share, the others their demand), reached here
// from four running sums in O(1) per request instead of a pass over all keys. Idle share is lent at
// once; who comes back gets it within one window, as what was lent leaves the window.
//
// Threads: a Limiter is safe from any thread; a Reservation belongs to one. A process may be killed
// at any instruction, or fork at any time. Cost: one hash and one uncontended lock per counter, two
// cache lines; a calendar period's end is computed once per counter and period. Integers only; sums
// saturate. Limits: 128 bytes per counter; a full table (every counter in use) answers as
// LimiterOptions::full_admits says. A counter in which nothing is booked may lose its slot, and
// with it what `learned` knew, to a new key when slots near it run short.

#ifndef WEIR_LIMITS_H_
#define WEIR_LIMITS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/base.h"
#include "weir/state.h"

namespace weir::limits {

inline constexpr int kWindowBuckets = 10;
inline constexpr int kBucketPeaks = 7;
inline constexpr uint64_t kMaxAmount = uint64_t{1} << 53;
inline constexpr int64_t kDefaultLeaseNs = 10 * kMinute;
inline constexpr int64_t kPlaceWaitNs = kSecond;
inline constexpr uint32_t kMaxShareWeight = 1000000;

enum class Algorithm : uint8_t {
  kSlidingWindow,
  kTokenBucket,
  kFixedWindow,
  kCalendar,
  kConcurrency
};
enum class Period : uint8_t { kHour, kDay, kWeek, kMonth, kQuarter, kYear, kLifetime };

struct Rule {
  std::string name;  // at most 128 bytes; names the counters
  Algorithm algorithm = Algorithm::kSlidingWindow;
  uint64_t amount = 0;    // 1 … kMaxAmount per window, in any unit: tokens, requests, micro-USD
  int64_t window_ns = 0;  // 1 s … 366 days; 0 for calendar and concurrency
  uint64_t burst = 0;     // token bucket: its size; 0 = amount
  // Calendar: which one, where (an IANA name; empty = UTC), and a week's first day, 1 = Monday.
  Period period = Period::kMonth;
  std::string time_zone = {};
  int week_start = 1;
  // Fixed window: the wall time of one window's beginning; none = each counter's first booking.
  std::optional<int64_t> anchor_unix_ns = {};
  // Fixed window, calendar, concurrency: 1 s … 1 day, or 0 = until the period ends.
  int64_t lease_ns = kDefaultLeaseNs;
  // Sliding window: its keys share one amount fairly. The floor is what a key gets at least, though
  // the others' shares be smaller for it.
  bool share = false;
  uint64_t share_floor = 0;
};

inline constexpr uint64_t kAmountOfRule = UINT64_MAX;

// What one rule is asked for.
struct Charge {
  uint32_t rule = 0;      // index into the rules
  std::string_view key;   // the counter; any bytes
  uint64_t cost = 0;      // must fit; 0 fits unless the counter is in debt
  uint64_t headroom = 0;  // wanted on top, but only as much as is left: never a reason to refuse
  bool learned = false;   // take the headroom from what this counter's outputs have been (their
                          // running 90th percentile; 256 before the first) instead of `headroom`
  std::string_view model = {};  // learned: apart for each model of this key; empty = one for all
  uint64_t amount = kAmountOfRule;  // for this request (a bucket's burst goes with it); 0 lets
                                    // nothing pass
  uint32_t weight = 1;              // of this key's share, 1 … kMaxShareWeight
};

// What one rule answered. Also of the rules that did not bind.
struct Verdict {
  uint32_t rule = 0;
  bool admitted = false;
  uint64_t used_before = 0;    // booked in the window before this request (of a share: by this key)
  uint64_t reserved = 0;       // booked for this request; 0 when the decision was a refusal
  uint64_t amount = 0;         // the rule's amount (bucket: its burst; share: this key's share)
  uint64_t remaining = 0;      // after the decision
  int64_t retry_after_ns = 0;  // 0 when admitted; kNever when the cost can never fit
  int64_t reset_ns = 0;        // until this counter is empty again if nobody takes more; kNever
};
inline constexpr int64_t kNever = INT64_MAX;

struct Decision {
  bool admitted = false;
  int binding = -1;            // index into verdicts of the rule that refuses longest; -1 = none
  int64_t retry_after_ns = 0;  // the longest of the refusing rules
  bool table_full = false;  // no slot for a new key: answered as LimiterOptions::full_admits says
  absl::InlinedVector<Verdict, 6> verdicts;  // in the order of the charges
};

// What was really used, per charge in the order of Reserve.
struct Actual {
  uint64_t cost = 0;           // the whole real cost, the part covered by the reservation included
  uint64_t headroom_used = 0;  // the output part, which `learned` learns from
  bool learn = true;           // false: this output says nothing (the answer failed or broke off)
};

// The right to use what was reserved. Ends exactly once, by Settle or Release; ending it again does
// nothing. Dropping an unsettled one leaves the booking to expire. It can be moved, not copied, and
// is ended by the Limiter that made it or one over the same segment with equal rules.
class Reservation {
 public:
  struct Entry {
    Entry() {}  // so that one is made field by field, not zeroed as a whole first
    uint32_t rule = 0;
    uint32_t slot = 0;
    uint64_t key_hi = 0, key_lo = 0;
    uint64_t amount = 0;     // the rule's, for this request
    uint64_t reserved = 0;   // in all
    uint64_t latest = 0;     // of it, by the last booking
    int64_t booked_at = 0;   // number of that booking's sub-window
    int64_t first_at = 0;    // of the first one's
    int64_t period_end = 0;  // of the period it was booked in
    uint32_t model = 0;      // hash of Charge::model; 0 = none
    uint32_t weight = 1;     // of a share
    bool meek = false;       // of a share: booked as a meek key's
    int64_t share_booked_at = 0;
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

  // Names of rules whose counters start anew, because the segment knew the name with another
  // algorithm, window, time zone or anchor.
  virtual absl::Span<const std::string> restarted() const = 0;

  // Decides all charges at once. On admission `held` holds the bookings; on refusal nothing changed
  // and `held` is left inactive. `held` must be inactive: what an active one held is dropped. Two
  // charges must not name one counter, and every rule must exist: else nothing is booked and the
  // charge at fault is refused with kNever. No charges: admitted.
  virtual Decision Reserve(absl::Span<const Charge> charges, Now now, Reservation* held) = 0;

  // Reserve and keep, in one step: what costs exactly `cost` and needs no settling. In a
  // concurrency rule, which nothing but an end frees, a place so taken is free after its lease.
  virtual Decision Take(absl::Span<const Charge> charges, Now now) = 0;

  // Adds to every booking of `held`, all or nothing, and renews its leases: for an output that
  // outgrows what was reserved. `more` has one entry per charge; a charge without one only renews.
  // Refused: nothing changed, and `held` holds what it held.
  virtual Decision TopUp(Reservation* held, absl::Span<const uint64_t> more, Now now) = 0;

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

  // Another amount for `rule`, for the key alone or (nullopt) for every key without one of its own,
  // in all processes, for `for_ns` of mono_ns from now; 0 ends it. Counts are kept. A charge that
  // brings its own amount is not affected. INVALID_ARGUMENT: unknown rule, or an amount above
  // kMaxAmount; RESOURCE_EXHAUSTED: the table is full.
  virtual absl::Status Override(uint32_t rule, std::optional<std::string_view> key, uint64_t amount,
                                int64_t for_ns, Now now) = 0;

 protected:
  static absl::InlinedVector<Reservation::Entry, 4>& EntriesOf(Reservation* held) {
    return held->entries_;
  }
};

// What a segment holds, for people who look: `weir state FILE`.
struct CounterReport {
  std::string rule;    // empty when the segment does not know it
  std::string key_id;  // hex of the key's hash: the key itself is not kept
  Algorithm algorithm = Algorithm::kSlidingWindow;
  uint64_t amount = 0;    // as of the last Create
  uint64_t used = 0;      // reservations included
  uint64_t reserved = 0;  // of it, leased and not ended; windows and buckets do not tell them apart
  int64_t reset_ns = 0;
};
struct StateReport {
  uint32_t slots = 0;
  uint32_t slots_used = 0;         // have a key
  uint32_t counters = 0;           // of them, with something booked
  uint32_t locked = 0;             // at this moment
  uint64_t leased = 0;             // counters with outstanding leases
  std::vector<CounterReport> top;  // by used / amount, highest first
};
// Reads a segment, read-only ones too, without holding anybody up: figures of one counter may be of
// two moments. NOT_FOUND: no limiter was ever made over it.
absl::StatusOr<StateReport> Inspect(state::Segment* segment, size_t top, Now now);

}  // namespace weir::limits

#endif  // WEIR_LIMITS_H_
