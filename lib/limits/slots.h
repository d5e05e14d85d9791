// What the slots of the limiter's table are used for.
//
// A slot's tag says what its payload is, and for which rule, so that a tool that has only the
// segment can read it. Besides counters there are a few kinds of notes, each an own layout of the
// same bytes, found by the same hash under a name space of its own.

#ifndef WEIR_LIB_LIMITS_SLOTS_H_
#define WEIR_LIB_LIMITS_SLOTS_H_

#include <algorithm>
#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "limits/counter.h"
#include "limits/quantile.h"
#include "state/table.h"

namespace weir::limits {

using CounterTable = state::Table<Counter>;
inline constexpr char kTableName[] = "limits";
inline constexpr uint32_t kNoSlot = UINT32_MAX;

// How often a counter may be taken over between finding and locking it before the table counts as
// full. Each time needs another thread to run out of room at that very moment.
inline constexpr int kMaxAttempts = 8;

enum class SlotKind : uint8_t { kCounter, kOutputs, kOverride, kShare, kShareSum };
// `record` numbers the rule in the directory (directory.h); 0 = not in there.
constexpr uint32_t MakeTag(SlotKind kind, uint32_t record) {
  return static_cast<uint32_t>(kind) << 24 | record;
}
constexpr SlotKind KindOf(uint32_t tag) { return static_cast<SlotKind>(tag >> 24); }
constexpr uint32_t RecordOf(uint32_t tag) { return tag & 0xFFFFFF; }

// What one key's outputs have been, apart for each model: a hash of its name above, a Quantile90
// below. The word of a model that is not among them is the one that was learned least.
class Outputs {
 public:
  static uint32_t Learned(const Counter& slot, uint32_t model) {
    for (const uint64_t word : slot.words) {
      if (word >> 32 == model) return static_cast<uint32_t>(word);
    }
    return 0;
  }
  static void Learn(Counter& slot, uint32_t model, uint64_t sample) {
    uint64_t* place = std::find_if(std::begin(slot.words), std::end(slot.words),
                                   [&](uint64_t word) { return word >> 32 == model; });
    if (place == std::end(slot.words)) {
      place = std::min_element(std::begin(slot.words), std::end(slot.words),
                               [](uint64_t a, uint64_t b) {
                                 return Quantile90(static_cast<uint32_t>(a)).samples() <
                                        Quantile90(static_cast<uint32_t>(b)).samples();
                               });
      *place = 0;
    }
    Quantile90 learned(static_cast<uint32_t>(*place));
    learned.Add(sample);
    StoreInOrder(*place, uint64_t{model} << 32 | learned.state());
  }
  // How long it is remembered after the last lesson.
  static constexpr int64_t kKeepNs = 7 * kDay;
};

// An amount that is another for a while: in the words of a slot.
struct OverrideWords {
  static constexpr int kAmount = 0, kUntil = 1;
};

// One charge of a decision, with where its counter is.
struct Part {
  const Charge* charge = nullptr;  // none: a sum of a share
  const Spec* spec = nullptr;
  Terms terms;
  Hash128 key;
  Sight sight;
  uint32_t slot = kNoSlot;
  uint32_t share = 0;    // index of the first of its share's parts; 0 = no share
  uint32_t learned = 0;  // Quantile90 of its model's outputs
  uint32_t model = 0;
  SlotKind kind = SlotKind::kCounter;
};
using Parts = absl::InlinedVector<Part, 8>;

// Holds the locks of all parts that have a slot.
class LockedParts {
 public:
  explicit LockedParts(const CounterTable& table) : table_(table) {}
  ~LockedParts() { Release(); }
  LockedParts(const LockedParts&) = delete;
  LockedParts& operator=(const LockedParts&) = delete;

  // False, with nothing locked, when a counter has changed hands. Slots are taken in ascending
  // order, so that two decisions never wait for each other in a circle.
  bool Lock(const Parts& parts) {
    for (const Part& part : parts) {
      if (part.slot != kNoSlot) order_.push_back(&part);
    }
    if (order_.size() > 1) {
      std::sort(order_.begin(), order_.end(),
                [](const Part* a, const Part* b) { return a->slot < b->slot; });
    }
    for (const Part* part : order_) {
      if (!table_.Lock(part->slot, part->key)) {
        Release();
        return false;
      }
      ++locked_;
    }
    return true;
  }

 private:
  void Release() {
    for (size_t i = 0; i < locked_; ++i) table_.Unlock(order_[i]->slot);
    locked_ = 0;
    order_.clear();
  }

  const CounterTable& table_;
  absl::InlinedVector<const Part*, 8> order_;
  size_t locked_ = 0;
};

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_SLOTS_H_
