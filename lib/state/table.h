// A hash table in a segment: fixed capacity, open addressing, no pointers.
//
//   auto table = Table<Counter>::Open(segment, "limits", 16384);
//   auto slot = table->FindOrClaim(key, [&](const Counter& c) { return c.idle_since(now); });
//   if (slot && table->Lock(*slot, key)) {
//     table->at(*slot).total += cost;
//     table->Unlock(*slot);
//   }
//
// A slot starts zeroed and belongs to one 128-bit key until another key takes it over, which
// happens only when the owner's predicate says that nothing is lost. Between finding a slot and
// locking it, it may change hands: Lock verifies the key and says so.
//
// Keys are placed by linear probing within a bounded stretch (kProbeLimit), so no look-up walks a
// full table. A slot once used never becomes unused again, only another key's: probing may
// therefore stop at the first unused slot, which shows in a table of one byte per slot, read eight
// slots at a time. Two threads
// that claim one new key meet at a claim lock chosen by the key, so a key never has two slots. The
// locks of processes that died are taken over.
//
// Threads: any thread; at() only between Lock and Unlock of that slot. Whoever holds several slot
// locks takes them in ascending order, and calls FindOrClaim while holding none. Cost: Find touches
// one cache line for most keys, Lock is one compare-and-swap.

#ifndef WEIR_LIB_STATE_TABLE_H_
#define WEIR_LIB_STATE_TABLE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/status/statusor.h"
#include "base/hash.h"
#include "base/saturating.h"
#include "state/spin_lock.h"
#include "weir/state.h"

namespace weir::state {

// How far from its home a key may lie. Tables up to this size are exact: they hold as many keys as
// they have slots. Larger ones get half as many slots again, so that a stretch without room is
// not to be expected before `capacity` keys are alive.
inline constexpr uint32_t kProbeLimit = 128;
// A stretch of used slots longer than this is shortened by taking over an idle one, even though an
// unused slot follows.
inline constexpr uint32_t kPreferUnused = 8;
inline constexpr uint32_t kClaimLocks = 16;

// What stands before the slots in the segment.
struct alignas(64) TableHeader {
  struct alignas(64) ClaimLock {
    LockWord word;
  };
  LockWord open_lock;
  uint32_t capacity;
  uint32_t slots;
  uint32_t slot_bytes;  // tells apart payloads of two layouts
  std::atomic<uint64_t> claims;
  ClaimLock claim_locks[kClaimLocks];
};

// One byte for each slot, so that looking a key up in a table larger than the caches misses them
// once: 0 for a slot that was never used, else some bits of its key's hash. The byte of the first
// of the eight slots is the lowest.
using Marks = std::atomic<uint64_t>;
static_assert(Marks::is_always_lock_free && sizeof(Marks) == 8);
inline constexpr uint32_t kMarksPerWord = 8;
inline constexpr uint64_t kEveryMark = 0x0101010101010101;  // times a byte: that byte eight times

// The highest bit of every byte of `word` that is zero. Above the lowest such byte there may be
// others set by mistake; where every one is verified, that costs nothing but the verifying.
constexpr uint64_t ZeroBytes(uint64_t word) {
  return (word - kEveryMark) & ~word & (kEveryMark << 7);
}

struct TableMemory {
  TableHeader* header = nullptr;
  Marks* marks = nullptr;
  void* slots = nullptr;
  const Identity* identity = nullptr;
};
// Finds or makes a table's three regions. FAILED_PRECONDITION: it exists with slots of another
// size.
absl::StatusOr<TableMemory> OpenTable(Segment* segment, std::string_view name, uint32_t capacity,
                                      uint32_t slot_bytes);
// Finds them, writing nothing. NOT_FOUND: there are none.
absl::StatusOr<TableMemory> FindTable(Segment* segment, std::string_view name, uint32_t slot_bytes);

template <class Payload>
class Table {
  static_assert(std::is_trivially_copyable_v<Payload> && std::is_trivially_destructible_v<Payload>);
  static_assert(alignof(Payload) <= 64);
  struct Slot;

 public:
  // The table called `name` (at most 42 bytes), made on first use with room for `capacity` keys
  // (1 … 2^26). A table that exists keeps its capacity.
  static absl::StatusOr<Table> Open(Segment* segment, std::string_view name, uint32_t capacity) {
    auto memory = OpenTable(segment, name, capacity, sizeof(Slot));
    if (!memory.ok()) return memory.status();
    return Table(*memory);
  }

  // One that exists, also in a read-only segment, for looking through it.
  static absl::StatusOr<Table> OpenExisting(Segment* segment, std::string_view name) {
    auto memory = FindTable(segment, name, sizeof(Slot));
    if (!memory.ok()) return memory.status();
    return Table(*memory);
  }

  // As fixed by whoever opened the table first.
  uint32_t capacity() const { return header_->capacity; }
  // Slot numbers are 0 … slots()-1.
  uint32_t slots() const { return slot_count_; }

  // The slot of `key`; nullopt when it has none.
  std::optional<uint32_t> Find(Hash128 key) const {
    const uint32_t slot = Seek(Usable(key));
    if (slot == kNoSlot) return std::nullopt;
    return slot;
  }

  static constexpr uint32_t kNoSlot = UINT32_MAX;

  // A slot that is locked, for where nanoseconds count: its place is worked out once.
  class Locked {
   public:
    Locked() = default;
    explicit operator bool() const { return slot_ != nullptr; }
    uint32_t number() const { return number_; }
    Payload& payload() const { return slot_->payload; }
    uint32_t& tag() const { return slot_->tag; }
    void Unlock() const { state::Unlock(slot_->lock); }

   private:
    friend class Table;
    Locked(Slot* slot, uint32_t number) : slot_(slot), number_(number) {}
    Slot* slot_ = nullptr;
    uint32_t number_ = kNoSlot;
  };

  // Lock, with the slot at hand.
  ABSL_ATTRIBUTE_ALWAYS_INLINE Locked LockSlot(uint32_t slot, Hash128 key) const {
    return Lock(slot, key) ? Locked(&slots_[slot], slot) : Locked();
  }

  // Asks for the memory in which `key` will be looked for, and returns its home, from which on that
  // is. With several keys to find, their cache misses then pass together.
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint32_t Prefetch(Hash128 key) const {
    const uint32_t home = Home(key);
    __builtin_prefetch(&marks_[home / kMarksPerWord]);
    PrefetchSlot(home);
    return home;
  }

  // Where `key` most likely is, by its mark alone, without touching the slot; its lock tells
  // whether it is. `home` is what Prefetch returned. kNoSlot: it has none, or is the all-zero key.
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint32_t Guess(Hash128 key, uint32_t home) const {
    const uint64_t same = SameMarks(home, key);
    if (ABSL_PREDICT_FALSE(same == 0)) return SeekFar(key);
    const uint32_t slot = home + FirstByte(same);
    PrefetchSlot(slot);
    return slot;
  }

  // Finds and locks in one step. `home` is what Prefetch returned. Nothing is locked when the key
  // has no slot, or lost it at that very moment, or is the all-zero one; Find and Lock tell which.
  ABSL_ATTRIBUTE_ALWAYS_INLINE Locked FindAndLock(Hash128 key, uint32_t home) const {
    const uint32_t guess = Guess(key, home);
    if (ABSL_PREDICT_FALSE(guess == kNoSlot)) return Locked();
    state::Lock(slots_[guess].lock, *identity_);
    if (ABSL_PREDICT_TRUE(Holds(guess, key))) return Locked(&slots_[guess], guess);
    Unlock(guess);
    const uint32_t slot = SeekFar(key);
    return slot == kNoSlot ? Locked() : LockSlot(slot, key);
  }

  // The slot of `key`, claimed and zeroed if it had none. `idle(const Payload&) -> bool` says,
  // under that slot's lock, whether another key's slot may be taken over. nullopt: no room within
  // reach; then `idle` has seen every slot in reach that nobody was working on.
  template <class Idle>
  std::optional<uint32_t> FindOrClaim(Hash128 key, Idle&& idle) const {
    if (const auto found = Find(key)) return found;
    key = Usable(key);
    const LockHolder claim(header_->claim_locks[key.hi % kClaimLocks].word, *identity_);
    // Whoever held the claim lock before may just have claimed this key.
    if (const auto found = Find(key)) return found;
    uint32_t unused = 0;
    uint32_t slot = Home(key);
    while (unused < probe_limit_ && !Unused(slot)) {
      slot = Next(slot);
      ++unused;
    }
    if (unused < kPreferUnused && unused < probe_limit_) {
      if (const auto taken = ClaimFrom(key, unused, Busy::kPassBy, idle)) return taken;
    }
    if (const auto taken = ClaimFrom(key, 0, Busy::kPassBy, idle)) return taken;
    // What looks at work may be the slot of a process that died over it.
    return ClaimFrom(key, 0, Busy::kTakeOver, idle);
  }

  // Locks `slot` if it still belongs to `key`; false, and nothing locked, when it changed hands.
  bool Lock(uint32_t slot, Hash128 key) const {
    key = Usable(key);
    if (ABSL_PREDICT_FALSE(slot >= slot_count_ || !Holds(slot, key))) return false;
    state::Lock(slots_[slot].lock, *identity_);
    if (ABSL_PREDICT_TRUE(Holds(slot, key))) return true;
    Unlock(slot);
    return false;
  }

  void Unlock(uint32_t slot) const { state::Unlock(slots_[slot].lock); }

  // What `read(const Payload&)` gives for the slot of `key`, taking no lock; nullopt when a slot
  // changed hands meanwhile, whose lock then tells. `read` reads one word, which writers write
  // (release) and it reads (acquire) through std::atomic_ref<uint64_t>, as claiming does when it
  // zeroes it.
  template <class Read>
  auto ReadUnlocked(uint32_t slot, Hash128 key, Read&& read) const
      -> std::optional<decltype(read(std::declval<const Payload&>()))> {
    if (slot >= slot_count_) return std::nullopt;
    // That the slot is the key's before and after is not enough: it may have been another's
    // between.
    const uint64_t claims = header_->claims.load(std::memory_order_acquire);
    if (!Holds(slot, Usable(key))) return std::nullopt;
    auto result = read(static_cast<const Payload&>(slots_[slot].payload));
    if (!Holds(slot, Usable(key))) return std::nullopt;
    if (header_->claims.load(std::memory_order_acquire) != claims) return std::nullopt;
    return result;
  }

  Payload& at(uint32_t slot) const { return slots_[slot].payload; }
  // Four bytes beside the payload, zeroed with it.
  uint32_t& tag(uint32_t slot) const { return slots_[slot].tag; }

  // For looking through the table: the slot's key, all zero when it was never used. What is read
  // without the lock may be of two moments.
  Hash128 key(uint32_t slot) const {
    return {slots_[slot].key_hi.load(std::memory_order_acquire),
            slots_[slot].key_lo.load(std::memory_order_acquire)};
  }
  // Who holds the slot's lock; 0 = nobody.
  uint32_t holder(uint32_t slot) const { return slots_[slot].lock.load(std::memory_order_acquire); }

 private:
  struct alignas(64) Slot {
    // Written only under `lock`; a slot that was never used has the key 0, 0.
    std::atomic<uint64_t> key_hi, key_lo;
    LockWord lock;
    uint32_t tag;
    alignas(8) Payload payload;
  };
  static_assert(sizeof(Payload) % sizeof(uint64_t) == 0, "payloads are zeroed in 64-bit words");

  explicit Table(const TableMemory& memory)
      : header_(memory.header),
        slots_(static_cast<Slot*>(memory.slots)),
        marks_(memory.marks),
        identity_(memory.identity),
        slot_count_(memory.header->slots),
        probe_limit_(std::min(memory.header->slots, kProbeLimit)) {}

  static Hash128 Usable(Hash128 key) {
    if (key.hi == 0 && key.lo == 0) key.lo = 1;
    return key;
  }
  uint32_t Home(Hash128 key) const {
    return static_cast<uint32_t>((static_cast<uint128>(key.lo) * slot_count_) >> 64);
  }
  static uint64_t MarkOf(Hash128 key) { return 1 + ((key.hi >> 32) * 255 >> 32); }
  // Always inline: a call of a function that does nothing but this is taken for one that does
  // nothing, and left out.
  ABSL_ATTRIBUTE_ALWAYS_INLINE void PrefetchSlot(uint32_t slot) const {
    for (size_t line = 0; line < sizeof(Slot); line += 64) {
      __builtin_prefetch(reinterpret_cast<const char*>(&slots_[slot]) + line, 1);
    }
  }
  uint32_t Next(uint32_t slot) const { return slot + 1 == slot_count_ ? 0 : slot + 1; }
  bool Holds(uint32_t slot, Hash128 key) const {
    return slots_[slot].key_lo.load(std::memory_order_acquire) == key.lo &&
           slots_[slot].key_hi.load(std::memory_order_acquire) == key.hi;
  }
  static uint32_t ShiftOf(uint32_t slot) { return slot % kMarksPerWord * 8; }
  // The marks from `slot` to the end of its word, then zeroes.
  uint64_t MarksFrom(uint32_t slot) const {
    return marks_[slot / kMarksPerWord].load(std::memory_order_acquire) >> ShiftOf(slot);
  }
  bool Unused(uint32_t slot) const { return (MarksFrom(slot) & 0xFF) == 0; }

  // The lowest bit that is set belongs to the first slot, up to the end of the word, with the mark
  // of `key`.
  uint64_t SameMarks(uint32_t from, Hash128 key) const {
    return ZeroBytes(MarksFrom(from) ^ MarkOf(key) * kEveryMark);
  }

  // Most keys are found in the first word of marks, without a branch on how far from home.
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint32_t Seek(Hash128 key) const {
    const uint32_t home = Home(key);
    PrefetchSlot(home);  // where it most likely is: its memory comes while the marks are read
    const uint64_t same = SameMarks(home, key);
    if (ABSL_PREDICT_TRUE(same != 0)) {
      const uint32_t slot = home + FirstByte(same);
      PrefetchSlot(slot);
      if (ABSL_PREDICT_TRUE(Holds(slot, key))) return slot;
    }
    return SeekFar(key);
  }

  ABSL_ATTRIBUTE_NOINLINE uint32_t SeekFar(Hash128 key) const {
    uint32_t slot = Home(key);
    for (uint32_t left = probe_limit_; left != 0;) {
      const uint32_t seen =
          std::min({kMarksPerWord - slot % kMarksPerWord, slot_count_ - slot, left});
      const uint64_t seen_bits = ~uint64_t{0} >> (64 - 8 * seen);
      const uint64_t marks = MarksFrom(slot);
      uint64_t same = ZeroBytes(marks ^ MarkOf(key) * kEveryMark) & seen_bits;
      for (; same != 0; same &= same - 1) {
        const uint32_t found = slot + FirstByte(same);
        PrefetchSlot(found);
        if (Holds(found, key)) return found;
      }
      if ((ZeroBytes(marks) & seen_bits) != 0) return kNoSlot;
      left -= seen;
      slot = slot + seen == slot_count_ ? 0 : slot + seen;
    }
    return kNoSlot;
  }
  static uint32_t FirstByte(uint64_t bits) {
    return static_cast<uint32_t>(__builtin_ctzll(bits)) / 8;
  }

  enum class Busy : uint8_t { kPassBy, kTakeOver };

  // Takes the first slot from `from` probes on that is unused or idle.
  template <class Idle>
  std::optional<uint32_t> ClaimFrom(Hash128 key, uint32_t from, Busy busy, Idle& idle) const {
    uint32_t slot = (Home(key) + from) % slot_count_;
    for (uint32_t probe = from; probe < probe_limit_; ++probe, slot = Next(slot)) {
      if (Unused(slot)) {
        // Another key may be moving in. Passing by before it has would leave this key behind a slot
        // that still looks unused, where nobody would find it.
        state::Lock(slots_[slot].lock, *identity_);
      } else if (busy == Busy::kTakeOver) {
        if (!TryTakeOver(slots_[slot].lock, *identity_)) continue;
      } else if (!TryLock(slots_[slot].lock, *identity_)) {
        continue;  // at work, hence not idle
      }
      const bool take = Unused(slot) || idle(static_cast<const Payload&>(slots_[slot].payload));
      if (take) Assign(slot, key);
      Unlock(slot);
      if (take) return slot;
    }
    return std::nullopt;
  }

  void Assign(uint32_t slot, Hash128 key) const {
    header_->claims.fetch_add(1, std::memory_order_acq_rel);
    // With half of its new key the slot is nobody's while the payload is wiped, which is what keeps
    // a reader without a lock from taking one key's payload for another's, and what makes dying in
    // between harmless: a slot that nobody finds, and that is idle.
    slots_[slot].key_hi.store(key.hi, std::memory_order_release);
    slots_[slot].tag = 0;
    auto* words = reinterpret_cast<uint64_t*>(&slots_[slot].payload);
    for (size_t i = 0; i < sizeof(Payload) / sizeof(uint64_t); ++i) {
      std::atomic_ref<uint64_t>(words[i]).store(0, std::memory_order_release);
    }
    slots_[slot].key_lo.store(key.lo, std::memory_order_release);
    // Last: until then nobody finds the key, and whoever claims it too waits at the claim lock.
    SetMark(slot, MarkOf(key));
  }

  // Changes one byte, which nobody else changes, under the slot's lock; the others may be changing.
  void SetMark(uint32_t slot, uint64_t mark) const {
    const uint64_t before = MarksFrom(slot) & 0xFF;
    marks_[slot / kMarksPerWord].fetch_xor((before ^ mark) << ShiftOf(slot),
                                           std::memory_order_release);
  }

  TableHeader* header_;
  Slot* slots_;
  Marks* marks_;
  const Identity* identity_;
  uint32_t slot_count_;
  uint32_t probe_limit_;
};

}  // namespace weir::state

#endif  // WEIR_LIB_STATE_TABLE_H_
