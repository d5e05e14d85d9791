// The last changes of state, of all circuits and all processes, in a ring in the segment.
//
// Changes are rare, so writers take a lock. Readers take none: each record stands between two
// copies of its number, and a reader that finds them different, or changed, comes too late for it.
// A writer that dies leaves a record without a number, and the next one writes over it.

#ifndef WEIR_LIB_BREAKER_EVENTS_H_
#define WEIR_LIB_BREAKER_EVENTS_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "base/hash.h"
#include "breaker/circuit.h"
#include "state/spin_lock.h"
#include "weir/breaker.h"
#include "weir/state.h"

namespace weir::breaker {

// What is kept of a change, in whole words.
struct EventBody {
  int64_t mono_ns, unix_ns, open_until_ns;
  uint64_t key_hi, key_lo;
  uint32_t trips;
  uint16_t status;
  uint8_t failure, asked;
  uint8_t event, rule_bytes, key_bytes, unused;
  char key[kMaxKeyBytes];
  char rule[kMaxRuleBytes];
};
static_assert(sizeof(EventBody) == 144 && sizeof(EventBody) % sizeof(uint64_t) == 0);

class EventRing {
 public:
  // RESOURCE_EXHAUSTED: no room in the segment.
  static absl::StatusOr<EventRing> Open(state::Segment* segment);

  // A number that no slot's life has had.
  uint64_t NextLife() const { return 1 + memory_->lives.fetch_add(1, std::memory_order_relaxed); }

  // Writes down what just happened to `circuit`, whose lock is held.
  void Append(Event event, Hash128 key, const CircuitData& circuit, Now now) const;

  ChangesRead Read(uint64_t since, std::vector<Change>* changes) const;

 private:
  static constexpr size_t kWords = sizeof(EventBody) / sizeof(uint64_t);
  struct Record {
    std::atomic<uint64_t> begun;  // the number, stored before the words; 0 while it is replaced
    std::atomic<uint64_t> words[kWords];
    std::atomic<uint64_t> ended;  // and after them
  };
  struct Memory {
    std::atomic<uint64_t> lives;
    std::atomic<uint64_t> last;  // number written
    state::LockWord lock;
    uint32_t unused[11];
    Record records[kMaxEvents];
  };

  EventRing(Memory* memory, const state::Identity* identity)
      : memory_(memory), identity_(identity) {}

  // Copies the record numbered `number`; false when it is not there (any more).
  bool Copy(uint64_t number, EventBody* body) const;

  Memory* memory_;
  const state::Identity* identity_;
};

// For humans: what is known of a circuit's last trip, and of the key.
Trip TripOf(const CircuitData& circuit);
std::string KeyId(Hash128 key);

}  // namespace weir::breaker

#endif  // WEIR_LIB_BREAKER_EVENTS_H_
