// What the slots of the limiter's table are used for.
//
// A slot's tag says what its payload is, and for which rule, so that a tool that has only the
// segment can read it. Besides counters there are a few kinds of notes, each an own layout of the
// same bytes, found by the same hash under a name space of its own.

#ifndef WEIR_LIB_LIMITS_SLOTS_H_
#define WEIR_LIB_LIMITS_SLOTS_H_

#include <algorithm>
#include <cstdint>

#include "absl/base/optimization.h"
#include "absl/container/fixed_array.h"
#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "limits/counter.h"
#include "limits/quantile.h"
#include "state/table.h"

namespace weir::limits {

using CounterTable = state::Table<Counter>;
inline constexpr char kTableName[] = "limits";
inline constexpr uint32_t kNoSlot = CounterTable::kNoSlot;

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

// Calls `body` with the slot called `key`, made if need be, under its lock. False: no room.
template <class Body>
bool WithSlot(const CounterTable& table, Hash128 key, Now now, Body&& body) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const auto slot =
        table.FindOrClaim(key, [&](const Counter& counter) { return IsIdle(counter, now); });
    if (!slot) return false;
    if (!table.Lock(*slot, key)) continue;
    body(*slot);
    table.Unlock(*slot);
    return true;
  }
  return false;
}

// One charge of a decision, with where its counter is.
struct Part {
  Part() {}                        // in place of zeroing all of it first
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
  LockedParts(const CounterTable& table, absl::Span<const Part> parts)
      : table_(table), parts_(parts), slots_(parts.size()) {}
  ~LockedParts() { Release(); }
  LockedParts(const LockedParts&) = delete;
  LockedParts& operator=(const LockedParts&) = delete;

  // False, with nothing locked, when a slot is not its part's key's. Slots are taken in ascending
  // order, so that two decisions never wait for each other in a circle.
  bool Lock() {
    const Part* const parts = parts_.data();
    SlotOfPart* const slots = slots_.data();
    for (size_t i = 0; i < parts_.size(); ++i) slots[Rank(i)] = {parts[i].slot, &parts[i]};
    for (size_t i = 0; i < parts_.size() && slots[i].number != kNoSlot; ++i) {
      if (ABSL_PREDICT_FALSE(!table_.Lock(slots[i].number, slots[i].part->key))) {
        Release();
        return false;
      }
      ++locked_;
    }
    return true;
  }

 private:
  struct SlotOfPart {
    uint32_t number;
    const Part* part;
  };

  // How many parts come before: counted, because sorting a handful of random numbers costs a wrong
  // guess of the processor for most of them. Those without a slot come last.
  size_t Rank(size_t index) const {
    const Part* const parts = parts_.data();
    const uint32_t slot = parts[index].slot;
    size_t before = 0;
    for (size_t i = 0; i < index; ++i) before += parts[i].slot <= slot ? 1 : 0;
    for (size_t i = index + 1; i < parts_.size(); ++i) before += parts[i].slot < slot ? 1 : 0;
    return before;
  }

  void Release() {
    const SlotOfPart* const slots = slots_.data();
    for (size_t i = 0; i < locked_; ++i) table_.Unlock(slots[i].number);
    locked_ = 0;
  }

  const CounterTable& table_;
  const absl::Span<const Part> parts_;
  absl::FixedArray<SlotOfPart, 8> slots_;
  size_t locked_ = 0;
};

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_SLOTS_H_
