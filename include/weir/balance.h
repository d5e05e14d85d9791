// weir/balance.h: which backend gets this request.
//
// Members stand in priority tiers (lower number first). A tier is used only for what the tiers
// above cannot take. Inside a tier one of six strategies chooses. The pool itself remembers, in the
// segment, who rests until when, how much is under way where, and how fast each has been: a pick
// scans nothing, and a new policy or another process goes on where the last one stood.
//
//   PoolOptions options;
//   options.seed = seed;
//   auto pool = balance::Pool::Create(segment, "gpt-4o", {{"ptu", 1, 3}, {"payg", 2, 1}}, options);
//   Ask ask;
//   ask.now = now;
//   int i = (*pool)->Pick(ask);                  // then look whether the member takes it:
//   (*pool)->Rest(i, retry_at, Availability::kThrottled, now);  // no: it rests; pick again
//   (*pool)->Started(i, now);                    // yes
//   (*pool)->FirstToken(i, ttft_ns, now);
//   (*pool)->Finished(i, -1, true, now);
//
// A member whose circuit is half-open (weir/breaker.h) is not to rest until its probe is overdue,
// since a rest only ever grows and the probe may end at any moment: refuse it to this request
// (Ask::refused).
//
// Strategies:
// - kWeighted: smooth weighted round robin. Any sum(W)/gcd(W) picks in a row give each member
//   exactly its share, evenly spread. When members rest and return, or weights are edited, a
//   member's picks differ from the sum of the shares it was due by no more than the number of
//   members, at every moment. Resting earns nothing: who returns takes up its share where it left,
//   with no burst to catch up. The same for a request that refuses a member: it costs the member
//   nothing, and earns it nothing.
// - kRoundRobin: the same, every weight being 1.
// - kLeastBusy: the least under way for its weight; among equals, whose turn it is by weight, so
//   with nothing under way it is weighted round robin.
// - kLeastLatency: the least of (time to first token) * (under way + 1) / weight. The time is a
//   peak average: a slower one is believed at once, a faster one by and by, and while nothing is
//   heard of a member its time is forgotten at the same pace, so that it is tried again. A failed
//   request counts as slow: twice what it was, at least a second. Who was never measured comes
//   first, one request at a time.
// - kP2c: the less busy, for its weight, of two different members drawn at random by weight.
// - kHash: the member that the key chooses: weighted rendezvous over 65,536 buckets. The same key
//   gives the same member in any thread, process and build, from the names and weights alone.
//   Taking a member away, or resting it, moves its own keys and no others (with a new weight: those
//   that it gains or loses). A key has a fixed sequence of further candidates. Bounded load: a
//   member is passed over when it would have more than `load_bound_percent` of what its weight
//   makes of all that is under way, unless that is at most `load_floor`.
//
// Tiers. What rests for want of capacity, or because it was told so (kThrottled), spills request by
// request and is used again at once when its time is over. When a whole tier is tripped, one that
// comes back has to be usable for `hold_down_ns` on end before the tier is used again; one that
// fails again soon after has to prove itself for twice as long, up to eight times. A tier is never
// held down when nothing else is usable.
//
// Rests. A member that rests is not picked until its time is over, to the nanosecond of the `now`
// of whoever asks, or until Wake. Of two rests the later end holds. A clock that steps back by more
// than a second counts as no time passed.
//
// Shared state is found by the names of pool and members: a reload neither restarts a sequence nor
// favours the first member, whatever it does to order, weights or tiers; a new member starts with
// nothing owed. Where a sequence starts that nobody knew is chosen by the seed. Pools of the same
// name may work at once, such as those of an old and a new policy: members, what they are owed, who
// rests, what is under way and how fast they are is common. What differs (weights, tiers, strategy)
// is laid out anew when the other of the two picks: 0.2 microseconds for 10 members, 17 for 1,000.
//
// Dying. Any process may be killed at any instruction: whoever comes next derives again what may be
// half written. What it had under way is given back within a second of the next picks (of up to 64
// processes at once; of more, what is under way is not counted).
//
// Threads: any thread, any time. Cost of a pick: one lock and O(log members) of integer work, 7 to
// 15 ns with 10 members, to 18 with 1,000; kHash does O(members) of it (3 microseconds for 1,000)
// the first time that a pool is asked for a bucket. Rest, Wake and returning: O(members), 35 ns to
// 2 microseconds; Create: under a millisecond for 1,000, of which others wait for a fraction.
// Memory of the segment, for good, by the largest number of members so far: up to 16 members 12
// KiB, 64 45 KiB, 256 170 KiB, 1,024 650 KiB. kHash has 128 KiB of its own for each tier of more
// than one member.
//
// Limits: 1,024 members in 64 tiers; weights and priorities 1 to 1,000; two generations of members
// are remembered (the longest unused give way).
//
// Sources, as ideas: smooth weighted round robin (nginx) and earliest deadline first (Envoy), with
// the middle of each interval as its due time (Webster's method of apportionment); Finagle's peak
// EWMA; "the power of two choices" (Mitzenmacher); weighted rendezvous hashing (Thaler and
// Ravishankar; Schindelhauer and Schomaker); consistent hashing with bounded loads (Mirrokni,
// Thorup, Zadimoghaddam).

#ifndef WEIR_BALANCE_H_
#define WEIR_BALANCE_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/base.h"
#include "weir/state.h"

namespace weir::balance {

inline constexpr int kMaxMembers = 1024;
inline constexpr int kMaxTiers = 64;
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

struct Member {
  std::string name;
  uint32_t priority = 1;  // 1 … 1000, lower first
  uint32_t weight = 1;    // 1 … 1000
};

enum class Strategy : uint8_t {
  kWeighted,
  kRoundRobin,
  kLeastBusy,
  kLeastLatency,
  kP2c,
  kHash,
};

// Why a member can not take a request; kUsable when it can. kRefused is about one request alone and
// never a reason to rest.
enum class Availability : uint8_t { kUsable, kTripped, kOutOfCapacity, kRefused, kThrottled };

struct PoolOptions {
  Strategy strategy = Strategy::kWeighted;
  uint64_t seed = 0;     // where sequences start that the segment does not know, and random draws
  uint64_t id_seed = 0;  // a secret of the host that keys MemberId; the same in all processes
  int64_t hold_down_ns = 10 * kSecond;      // 0 … 1 day; 0: a tier is back at once
  int64_t latency_decay_ns = 10 * kSecond;  // 1 s … 1 hour: after this much, 1/e of a time is left
  uint32_t load_bound_percent = 125;        // 101 … 10,000
  uint32_t load_floor = 4;                  // 1 … 65,535
};

// One request's question.
struct Ask {
  Now now;
  uint64_t hash = 0;  // kHash: of the key, as StableHash gives it
  // A member to stay with, or -1: session affinity. It is taken, whatever the strategy, if it is
  // usable, this request has not refused it and its tier is the one in use; with `sticky` in any
  // tier.
  int prefer = -1;
  bool sticky = false;
  // Counts what is picked as under way at once, as Started does: one lock less, and no two threads
  // choose by the same count.
  bool start = false;
  absl::Span<const uint16_t> refused;  // members that are nothing for this request
};

// A member for people to look at, as of one moment.
struct MemberState {
  std::string_view name;  // the pool's
  uint32_t priority = 0;
  uint32_t weight = 0;
  bool usable = false;
  bool held = false;                         // usable, but its tier is held down
  Availability why = Availability::kUsable;  // unless usable
  int64_t until_mono_ns = 0;                 // unless usable
  uint32_t in_flight = 0;                    // of all processes
  int64_t ttft_ns = -1;                      // the average; -1: never measured
  uint64_t picks = 0;                        // since the segment knows the member
};

// A key's hash: the same in every process and build.
uint64_t StableHash(std::string_view key);

class Pool {
 public:
  // INVALID_ARGUMENT: no members, too many, duplicate names, numbers out of range (the message
  // names pool and member or option). RESOURCE_EXHAUSTED: no room in the segment, which must
  // outlive the pool.
  static absl::StatusOr<std::unique_ptr<Pool>> Create(state::Segment* segment,
                                                      std::string_view name,
                                                      std::vector<Member> members,
                                                      const PoolOptions& options);
  virtual ~Pool() = default;

  // In the order given to Create: member i below is members()[i]. Other numbers are ignored.
  virtual absl::Span<const Member> members() const = 0;

  // The member that gets this request, or -1 when none is usable.
  virtual int Pick(const Ask& ask) = 0;

  // When Pick gave -1: the soonest end of a rest, hence the earliest time worth asking again.
  // kNever: nobody rests for a time.
  virtual int64_t ReturnsAt() = 0;

  // The last pick of this member was of no use (it took nothing): its turn is given back. Not for
  // what is under way: that is Finished.
  virtual void Unused(int member) = 0;

  // A request went to the member; every one is ended by Finished. Not needed after Ask::start.
  virtual void Started(int member, Now now) = 0;

  // What it took until the member's first token came; kLeastLatency goes by it.
  virtual void FirstToken(int member, int64_t ttft_ns, Now now) = 0;

  // The request ended. `ttft_ns` as in FirstToken, or -1: told already, or not known. `ok` false:
  // by the member's fault.
  virtual void Finished(int member, int64_t ttft_ns, bool ok, Now now) = 0;

  // The member is left alone until then (kNever: until Wake), unless it rests for longer already.
  // kTripped is the reason that makes a tier be held down. kUsable and kRefused are ignored.
  virtual void Rest(int member, int64_t until_mono_ns, Availability why, Now now) = 0;
  // It rests no longer.
  virtual void Wake(int member, Now now) = 0;

  // A number for the member that tells nothing about it, to put into a cookie: a hash of its name
  // under `id_seed`; and the member that has the number, -1 when none has it.
  virtual uint64_t MemberId(int member) const = 0;
  virtual int FindMember(uint64_t id) const = 0;

  // One for each member. `now`: as of which rests are told.
  virtual std::vector<MemberState> Snapshot(Now now) = 0;
};

}  // namespace weir::balance

#endif  // WEIR_BALANCE_H_
