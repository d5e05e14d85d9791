// What a pool keeps in the segment.
//
// Facts are kept by member, in a slot that the member's name finds: until when it rests, what it is
// owed, what each process has under way there, how fast it has been. All else is derived: the view,
// which is the members of one configuration laid out in tiers with a tree of keys over each, sums,
// and the index of names. A process may die between any two stores; then the next one to come
// derives again what is derived (Board::Recover).
//
// A view belongs to the configuration whose number it bears (Header::config; 0: to none, being
// rebuilt). A pool of another configuration saves what the members of this view are owed, and lays
// out its own.
//
// Keys. The tree of a tier has four children a node: a pick changes one leaf, and the way up takes
// one comparison a level, for what stands beside the way is known before. A key ends in the
// member's place in its tier, so the root says who is next, and no pointer is followed to get
// there.

#ifndef WEIR_LIB_BALANCE_LAYOUT_H_
#define WEIR_LIB_BALANCE_LAYOUT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "balance/fixed.h"
#include "state/spin_lock.h"
#include "weir/balance.h"

namespace weir::balance {

// Up to so many processes have what is under way counted apart, so that it dies with them.
inline constexpr uint32_t kColumns = 64;

inline constexpr uint32_t kPlaceBits = 10;
inline constexpr uint64_t kPlaceMask = (uint64_t{1} << kPlaceBits) - 1;
static_assert(kMaxMembers == 1 << kPlaceBits);
// The key of who is not to be had; above all others.
inline constexpr uint64_t kNobody = std::numeric_limits<uint64_t>::max();

// Due times are in rounds, of which a member of weight w gets w picks, in units of 2^-32. They
// begin in the middle of nowhere, since a debt may reach back, and the view is laid out anew before
// they outgrow the key.
inline constexpr uint64_t kFirstDue = uint64_t{1} << 44;
inline constexpr uint64_t kLastDue = uint64_t{1} << 52;

enum Condition : uint32_t {
  kIdle = 0,
  kBusy = 1,   // under the lock: someone is at work. Found with the lock: someone died at work.
  kMoved = 2,  // all that was here is in a larger region now
};

struct Header {
  alignas(64) state::LockWord lock;
  uint32_t condition;
  uint64_t epoch;         // changes with the view
  int64_t checked_at_ns;  // a little before the last look at the clock …
  uint64_t check_in_ns;   // … and how long nothing comes due from then on
  int32_t active;         // the tier in use; -1: none
  uint32_t active_tree, active_leaves, active_first;  // of that tier, for short
  uint64_t usable_epoch;                              // changes with who is usable

  uint64_t config;       // whose view this is; 0: nobody's
  uint64_t slots_epoch;  // changes when slots go to other names
  int64_t hold_down_ns;
  uint64_t decay_rate;  // see Board::Elapsed
  int64_t reclaim_at_ns;
  Strategy strategy;
  uint32_t tiers, members;
  uint32_t generation;          // counts look-ups of names
  uint32_t streams;             // counts pools: each draws other random numbers
  std::atomic<uint32_t> ready;  // what a smaller region held is here
};

struct alignas(64) Tier {
  uint32_t tree, leaves;  // its first node; a power of four
  uint32_t first, count;  // places in the view
  uint32_t priority;
  uint32_t usable;        // members, …
  uint32_t weight;        // … the sum of their weights …
  uint32_t in_flight;     // … and of what is under way there
  int64_t credits;        // what all members together are owed, however it is divided
  uint64_t virtual_time;  // weighted: when its last member left; else: the due time picked last
  int64_t usable_since_ns;
  int64_t back_since_ns;  // the end of the last hold
  uint32_t held;          // has tripped as a whole, and not proved itself since
  uint32_t doublings;     // of the hold
};

struct alignas(64) Record {
  uint64_t picks;
  uint64_t due;           // unless weighted: there the leaf says
  int64_t rest_until_ns;  // 0: does not rest
  uint64_t latency;       // the logarithm of the time to first token, see Board::Latency; 0: none
  uint32_t in_flight;     // the sum of its column entries
  uint32_t place;         // in the view, plus one; 0: not in it
  uint32_t tier;
  uint32_t log_weight;  // in units of 2^-16
  uint32_t weight;
  uint8_t usable;  // in the view, and does not rest
  Availability why;
};

// What is needed less often.
struct Facts {
  uint64_t name_hi, name_lo;
  int64_t credit;      // picks owed, in units of 2^-32, while in no view or resting
  uint64_t ttft_ns;    // the average; 0: never measured
  int64_t ttft_at_ns;  // when that was
  int64_t rested_at_ns;
  uint32_t bound_in;  // the generation that last named it; 0: a free slot
  uint32_t known;     // has been in a view
};

// Where things lie in a region for `capacity` members. The sizes of regions are fixed for good, so
// a pool that outgrows one moves to the next.
struct Layout {
  explicit constexpr Layout(uint32_t members)
      : capacity(members),
        slots(2 * members),
        max_tiers(members < kMaxTiers ? members : kMaxTiers),
        tiers(sizeof(Header)),
        records(tiers + sizeof(Tier) * max_tiers),
        facts(records + sizeof(Record) * slots),
        nodes(facts + sizeof(Facts) * slots),
        strides(nodes + sizeof(uint64_t) * 8 * capacity),
        order(strides + sizeof(uint64_t) * capacity),
        index(order + sizeof(uint16_t) * capacity),
        owners(index + sizeof(uint16_t) * 4 * capacity),
        columns(owners + sizeof(uint32_t) * kColumns),
        bytes(columns + sizeof(uint16_t) * kColumns * slots) {}

  uint32_t capacity, slots, max_tiers;
  size_t tiers, records, facts, nodes, strides, order, index, owners, columns, bytes;
};

inline constexpr uint32_t kCapacities[] = {16, 64, 256, 1024};

}  // namespace weir::balance

#endif  // WEIR_LIB_BALANCE_LAYOUT_H_
