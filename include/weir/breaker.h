// weir/breaker.h: leave a throttled or broken backend alone for exactly as long as it asked.
//
// One circuit per key (a backend, or a backend and a model), with up to four trip rules. Closed:
// everything passes and outcomes are counted per rule. Open: nothing passes until the deadline,
// which only ever moves later. Half-open: exactly `probes` requests are out at once; enough
// successes close the circuit, one failure opens it again.
//
//   Circuit east = breaker->Find("ptu-east", 0, now);    // once, when the policy loads
//   if (breaker->Check(east, now).allowed) { ... }       // while choosing: one load
//   Permit p = breaker->Acquire(east, now);              // when chosen
//   if (p.allowed) { ...send...; breaker->Record(p, {.status = 429}, now); }
//
// What counts:
// - A failure is an outcome that matches a rule. While closed it counts toward the rules it
//   matches; the rule that fills first trips. If several fill at once the longest time is taken.
//   Successes do not take failures back: only time does, and a change of state.
// - `count` within `interval_ns`: up to a count of 16 the times themselves are kept, so it holds
//   for every interval, wherever it begins; above, failures are counted in fifteenths of the
//   interval and forgotten up to one fifteenth early, never late. A failure exactly one interval
//   old is out.
// - `percentage`, where it is not 0, asks for more: of all outcomes in the interval, the caller's
//   faults left out, that share matched the rule, and there were `min_samples` of them. Outcomes
//   are counted in sixteenths of the interval and forgotten up to one sixteenth early, never late;
//   beyond 250,000 in a sixteenth only the share is kept. It is judged when a failure comes.
// - 400, 401, 403, 404, 413 and 422 are the caller's fault: no rule counts them, whatever it lists,
//   and no percentage is of them.
// - A probe fails when its outcome matches any rule, whatever the count. It succeeds when the
//   backend answered and no rule matches: a caller's fault too, since it takes a working backend to
//   find one. A failure that no rule watches frees the slot and decides nothing.
// - A permit carries the state it was given in, so outcomes of requests that began before the last
//   change of state are ignored. A probe slot that is never reported is reclaimed after
//   `probe_timeout_ns`, also when its process was killed.
//
// How long it is open:
// - For `trip_ns`, or, where the rule accepts it, for as long as the backend asked (within
//   retry_after_min_ns and retry_after_max_ns), be that longer or shorter. A backend that asks for
//   no wait at all gets `trip_ns`.
// - With `trip_growth_percent` above 100, each trip by the rule is longer than its last, up to
//   `trip_max_ns`, until the circuit has been closed for `forget_trips_ns`. Times that the backend
//   named itself neither grow nor count. (Known as exponential back-off of ejections, as in Envoy's
//   outlier detection.)
// - Opening again keeps the later of the old deadline and the new.
//
// Reload: circuits are found by key, so a new Breaker over the same segment goes on where the old
// one stood. What was counted under rules of other statuses, counts, shares or intervals is
// forgotten then; state, deadline and probes are not.
//
// Clock: `mono_ns` alone decides. A step backward counts as no time passed: an open circuit then
// has as long to go as it had been given, and no longer; what was counted for a percentage is
// forgotten.
//
// Processes: all of it lives in the segment; a file is shared by whoever maps it, and a process may
// be killed at any instruction. Threads: any thread, any time.
//
// Cost: Check and Acquire of a closed circuit take no lock, nor does Record of a success while
// closed, which writes only where a percentage is watched (one compare-and-swap for each such
// rule); all else takes the circuit's own. Find hashes the key. Memory: 704 bytes of the segment a
// circuit, half as many again above 128 circuits, and 41 KB for the events. A full table gives the
// room of circuits with nothing left to count, and of those that nobody has asked about for an hour
// after their time was over, to new keys; who lost its room gets another with its next failure. If
// there is none, new keys pass unguarded. So strangers must not choose keys without bound.

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
inline constexpr int kMaxEvents = 256;
inline constexpr int kMaxKeyBytes = 60;   // of a key that are kept for humans
inline constexpr int kMaxRuleBytes = 32;  // and of a rule's name

enum class State : uint8_t { kClosed = 0, kOpen = 1, kHalfOpen = 2 };

// "closed", "open", "half_open".
std::string_view StateName(State state);

// How an attempt failed without a usable status. kNone: it has a status. kStreamError: an error
// inside a stream that had begun well. kTruncated: such a stream that ended before its end.
enum class Failure : uint8_t { kNone, kConnect, kTimeout, kReset, kStreamError, kTruncated };

// "connect", "timeout", "reset", "stream_error", "truncated"; empty for kNone.
std::string_view FailureName(Failure failure);

struct StatusRange {
  uint16_t first = 0, last = 0;  // inclusive
};

struct Rule {
  std::string name;
  std::vector<StatusRange> statuses;  // 400, 401, 403, 404, 413 and 422 never count: the caller's
  bool on_connect = false, on_timeout = false, on_reset = false;
  bool on_stream_error = false;    // errors inside a stream, and streams that end early
  uint32_t count = 1;              // this many matching outcomes (1 … 1,000,000) …
  int64_t interval_ns = 0;         // … within this time trip it; 0 will do for a count of 1
  uint32_t percentage = 0;         // 1 … 100: only if that share of the outcomes matched; 0: any
  uint32_t min_samples = 20;       // of at least so many outcomes, 1 … 100,000
  int64_t trip_ns = 0;             // open for this long (1 ns … 366 days) …
  bool accept_retry_after = true;  // … or as long as the backend asked for
  uint32_t trip_growth_percent = 100;  // each successive trip; 200 doubles; 100 … 1000
  int64_t trip_max_ns = kHour;         // what trips grow up to (trip_ns … 366 days)
};

struct RuleSet {
  std::vector<Rule> rules;  // at most kMaxRules; with none the circuit never trips
  uint32_t probes = 1;      // requests let through at once while half-open, 1 … kMaxProbes
  uint32_t successes_to_close = 1;                 // 1 … 1,000,000
  int64_t probe_timeout_ns = 60 * kSecond;         // longer than a request may take
  int64_t retry_after_min_ns = 10 * kMillisecond;  // who asks for less is asked again no sooner
  int64_t retry_after_max_ns = kHour;              // a backend may not ask for more
  int64_t forget_trips_ns = 10 * kMinute;          // closed for so long, trips are short again
};

struct Outcome {
  int status = 0;  // HTTP status; 0 when `failure` says what happened
  Failure failure = Failure::kNone;
  int64_t retry_after_ns = -1;  // as ParseRetryAfter gave it; -1 = not asked
};

// A circuit that was found, for all calls about it: a plain value, good for as long as the breaker
// that gave it, and for that breaker only. A default one lets everything pass and counts nothing.
class Circuit {
 public:
  Circuit() = default;

  // Is it surely closed? One load from the shared segment. False also when it takes a closer look
  // to say.
  bool IsClosed() const {
    return (__atomic_load_n(word_, __ATOMIC_ACQUIRE) & kLifeAndState) == closed_;
  }

 private:
  friend class Circuits;
  // A circuit's word: which life of its slot this is (38 bits), how often its state changed in that
  // life (24), its state (2). Lives are never given twice, so that the word alone tells that the
  // slot is still this circuit's.
  static constexpr uint64_t kLifeAndState = ~((uint64_t{1} << 26) - 4);
  static constexpr uint64_t kNoWord = 0;

  const uint64_t* word_ = &kNoWord;
  uint64_t closed_ = 0;  // the word while closed, but for the changes
  uint64_t key_hi_ = 0, key_lo_ = 0;
  uint32_t slot_ = 0;
  uint32_t rule_set_ = UINT32_MAX;
};

// Would a request pass?
struct Passage {
  bool allowed = false;
  bool probe = false;            // allowed as one of the few while half-open
  State state = State::kClosed;  // an open circuit whose time is over is half-open
  // When not allowed: the earliest time worth asking again. While probes are out that is when the
  // first of them will be overdue; any may end before, so it is no time to leave a backend alone.
  int64_t retry_at_mono_ns = 0;
};

// The right to send one request, if allowed, and the ticket to report its outcome with.
struct Permit : Passage {
  // The circuit's own, to be handed back unchanged.
  uint32_t slot = 0, rule_set = 0;
  uint64_t word = 0, probe_number = 0;
  uint64_t key_hi = 0, key_lo = 0;
  int64_t given_mono_ns = 0;
};

enum class Event : uint8_t { kNone, kTripped, kReset, kHalfOpened };

// "tripped", "reset", "half_opened"; empty for kNone.
std::string_view EventName(Event event);

struct Report {
  Event event = Event::kNone;      // kTripped or kReset: what this outcome did
  int rule = -1;                   // which rule tripped it
  int64_t open_until_mono_ns = 0;  // when tripped
};

// Why a circuit tripped last.
struct Trip {
  std::string rule;  // its name
  int status = 0;    // what the outcome was
  Failure failure = Failure::kNone;
  bool asked = false;              // the backend named the time itself
  int64_t open_until_mono_ns = 0;  // the deadline; past, unless open
  uint32_t number = 0;             // trips so far, this one included; 0: there was none
};

struct Snapshot {
  std::string key;     // its first kMaxKeyBytes bytes; empty where they are not known
  std::string key_id;  // 32 hexadecimal digits: the keyed hash of all of it
  State state = State::kClosed;
  int64_t since_mono_ns = 0;  // the last recorded change of state; 0 when there was none
  Trip trip;                  // the last one, also when it is over
};

// One change of state, by any process. A circuit is half-open from the first request on that asks
// after its time is over: nothing happens by itself.
struct Change {
  uint64_t number = 0;  // 1, 2, … in the order in which they happened
  Event event = Event::kNone;
  int64_t mono_ns = 0, unix_ns = 0;  // when, on the clocks of the process that did it
  std::string key, key_id;           // as in Snapshot
  Trip trip;                         // the one that it is about, or that it ends
};

struct ChangesRead {
  uint64_t last = 0;  // the number to ask with next
  uint64_t lost = 0;  // changes after `since` that were overwritten before they were read
};

struct BreakerOptions {
  uint32_t max_circuits = 1024;  // 1 … 1,000,000; whoever opens the segment first decides
};

class Breaker {
 public:
  // INVALID_ARGUMENT names the rule and field out of range; RESOURCE_EXHAUSTED: no room in the
  // segment, which must outlive the breaker. Rule sets are named by index in Find; circuits live in
  // the segment, so they survive a reload.
  static absl::StatusOr<std::unique_ptr<Breaker>> Create(state::Segment* segment,
                                                         std::vector<RuleSet> rule_sets,
                                                         const BreakerOptions& options);
  virtual ~Breaker() = default;

  // The circuit of `key`, any bytes, under a rule set; made if there is none. A rule set that does
  // not exist gives a default Circuit. `now` tells which circuits of a full table may give way; if
  // it is not known, {}: only those that never failed.
  virtual Circuit Find(std::string_view key, uint32_t rule_set, Now now) = 0;

  // Would a request pass now? Takes nothing.
  Passage Check(const Circuit& circuit, Now now) const {
    return circuit.IsClosed() ? Passage{true, false, State::kClosed, 0} : Look(circuit, now);
  }

  // Takes the right to send one request (a probe slot when half-open). Every allowed permit must be
  // ended by Record or Cancel. Ending it twice gives back no other probe's slot; a failure recorded
  // twice while closed is two failures.
  virtual Permit Acquire(const Circuit& circuit, Now now) = 0;

  // What became of the request, and what that did to the circuit. Stale permits are ignored, as are
  // those that were not allowed.
  virtual Report Record(const Permit& permit, const Outcome& outcome, Now now) = 0;

  // The request ended without saying anything about the backend (the client left): the probe slot
  // goes back, nothing is counted.
  virtual void Cancel(const Permit& permit, Now now) = 0;

  // The circuit as it stands, for pages and metrics; closed since 0 when there is none.
  virtual Snapshot Get(const Circuit& circuit, Now now) const = 0;

  // All circuits of the segment, also those of other processes and of earlier policies.
  virtual std::vector<Snapshot> List(Now now) const = 0;

  // Appends the changes of state after the one numbered `since` (0: from the first that is still
  // known). The last kMaxEvents of all processes are kept; a process that is killed within a change
  // may leave its own out. A `since` that never was, as after a new state file, means 0. Takes no
  // lock.
  virtual ChangesRead Changes(uint64_t since, std::vector<Change>* changes) const = 0;

 private:
  virtual Passage Look(const Circuit& circuit, Now now) const = 0;
};

// List and Changes as JSON, for pages and logs; weir_breaking.h shows their form.
std::string CircuitsJson(const Breaker& breaker, Now now);
std::string ChangesJson(const Breaker& breaker, uint64_t since);

// What an answer says about when to come back: the values of its headers as they came, several of
// one name joined by commas; empty where the header is absent.
struct RetryHeaders {
  std::string_view retry_after;
  std::string_view retry_after_ms;       // "retry-after-ms": Azure OpenAI, OpenAI
  std::string_view x_ms_retry_after_ms;  // "x-ms-retry-after-ms": Azure
  // "x-ratelimit-{remaining,reset}-{requests,tokens}": OpenAI and those who do as it does.
  std::string_view remaining_requests, reset_requests;
  std::string_view remaining_tokens, reset_tokens;
};

// How long the backend asked to be left alone: the larger of the two headers in milliseconds, else
// Retry-After, else the later reset of those limits of which 0 remains. Nanoseconds in [0, cap_ns];
// nullopt when nothing says anything usable. Read it on failures only: healthy answers carry the
// headers too.
// - A number is digits with at most one fraction ("1.5"), rounded up to a nanosecond; however
//   large, it ends at the cap. Signs ("-3", "+3"), exponents ("1e5"), "0x10", "inf", ".5" and "5."
//   are not usable. It counts seconds, or milliseconds where the header's name says so.
// - Durations as Go prints them ("6m0s", "1m30s", "120ms", "2m59.56s"): numbers with a unit each,
//   of d h m s ms us ns; signs are not usable.
// - Zero milliseconds are what gateways write by mistake: a header in milliseconds that comes to
//   zero is passed over. Zero of the other headers is zero.
// - Retry-After may be a date in the three forms of RFC 9110, section 5.6.7 (IMF-fixdate, RFC 850,
//   asctime), against now.unix_ns, all GMT, letters in any case, the day of the week not checked
//   against the date. A date in the past is zero.
// - Several values, as two headers joined by a comma give them: the largest, if all are usable.
std::optional<int64_t> ParseRetryAfter(const RetryHeaders& headers, Now now, int64_t cap_ns);

}  // namespace weir::breaker

#endif  // WEIR_BREAKER_H_
