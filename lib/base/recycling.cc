// The shelf: a few slots for each size, each an atomic word that holds a block or null. A block is
// in one place or in another, never named twice, so there is nothing that could be mistaken for
// what it was before.

#include "weir/recycling.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define WEIR_POISONS_BLOCKS
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_POISONS_BLOCKS
#endif
#endif
#if defined(WEIR_POISONS_BLOCKS)
#include <sanitizer/asan_interface.h>
#endif

namespace weir::recycling {
namespace {

void Poison([[maybe_unused]] void* memory, [[maybe_unused]] size_t size) {
#if defined(WEIR_POISONS_BLOCKS)
  __asan_poison_memory_region(memory, size);
#endif
}
void Unpoison([[maybe_unused]] void* memory, [[maybe_unused]] size_t size) {
#if defined(WEIR_POISONS_BLOCKS)
  __asan_unpoison_memory_region(memory, size);
#endif
}

// Sizes up to kFineBytes go up in eighths of a power of two, larger ones in powers of two. The fine
// ones are what fills such a size together with the word that the heap puts before a block.
constexpr size_t kHeapWord = 8;
constexpr size_t kLeastBytes = 32;
constexpr size_t kFineBytes = 4096;
constexpr size_t kFineClasses = 57;
constexpr size_t kClasses = kFineClasses + 4;
constexpr size_t kParts = 8;

struct Class {
  size_t index;
  size_t bytes;
};

constexpr Class ClassOf(size_t size) {
  const size_t whole = size + kHeapWord;
  if (whole <= kLeastBytes) return {0, kLeastBytes - kHeapWord};
  if (whole <= kFineBytes) {
    constexpr size_t kLeastPower = 5;
    const auto power = static_cast<size_t>(std::bit_width(whole - 1)) - 1;
    const size_t eighths = (whole - 1) >> (power - 3);  // 8 to 15
    return {(power - kLeastPower) * 8 + eighths - 7, ((eighths + 1) << (power - 3)) - kHeapWord};
  }
  constexpr size_t kFinePower = 12;
  const auto power = static_cast<size_t>(std::bit_width(std::max(size - 1, kFineBytes))) - 1;
  return {kFineClasses + power - kFinePower, size_t{2} << power};
}
static_assert(ClassOf(24).index == 0 && ClassOf(25).index == 1 && ClassOf(25).bytes == 28);
static_assert(ClassOf(120).index == 16 && ClassOf(120).bytes == 120);
static_assert(ClassOf(4088).index == kFineClasses - 1 && ClassOf(4088).bytes == 4088);
static_assert(ClassOf(4089).index == kFineClasses && ClassOf(4089).bytes == 8192);
static_assert(ClassOf(kMostBytes).index == kClasses - 1 && ClassOf(kMostBytes).bytes == kMostBytes);

using Slot = std::atomic<void*>;

// A transaction has many small blocks at a time, and few large ones.
constexpr size_t SlotsOfClass(size_t index) {
  constexpr size_t kMany = 16, kSome = 4, kOne = 1;
  return index <= ClassOf(120).index ? kMany : index < kFineClasses ? kSome : kOne;
}

// Where the slots of each class begin, and behind the last where they end.
constexpr std::array<size_t, kClasses + 1> kBegins = [] {
  std::array<size_t, kClasses + 1> begins = {};
  for (size_t i = 0; i < kClasses; ++i) begins[i + 1] = begins[i] + SlotsOfClass(i);
  return begins;
}();

struct alignas(64) Part {
  std::array<Slot, kBegins.back()> slots;
};

// Never destroyed: the host's last transactions may go when the process ends.
class Shelf {
 public:
  // Null when there is none.
  void* Take(size_t index) {
    const size_t own = OwnPart();
    for (size_t i = 0; i < kParts; ++i) {
      const Slots slots = SlotsOf(own ^ i, index);
      for (Slot* slot = slots.begin; slot != slots.end; ++slot) {
        if (slot->load(std::memory_order_relaxed) == nullptr) continue;
        void* block = slot->exchange(nullptr, std::memory_order_acquire);
        if (block != nullptr) return block;
      }
    }
    return nullptr;
  }

  // False when there is no place for it.
  bool Put(size_t index, void* block) {
    const Slots slots = SlotsOf(OwnPart(), index);
    for (Slot* slot = slots.begin; slot != slots.end; ++slot) {
      void* empty = nullptr;
      if (slot->load(std::memory_order_relaxed) == nullptr &&
          slot->compare_exchange_strong(empty, block, std::memory_order_release,
                                        std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  void Clear() {
    for (size_t part = 0; part < kParts; ++part) {
      for (size_t index = 0; index < kClasses; ++index) {
        const Slots slots = SlotsOf(part, index);
        for (Slot* slot = slots.begin; slot != slots.end; ++slot) {
          ::operator delete(slot->exchange(nullptr, std::memory_order_acquire));
        }
      }
    }
  }

 private:
  struct Slots {
    Slot* begin;
    Slot* end;
  };
  // Threads' stacks lie apart; where a call stands on its own matters little.
  static size_t OwnPart() {
    const char here = 0;
    const auto stack = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(&here)) >> 20;
    return static_cast<size_t>(stack * 0x9E3779B97F4A7C15u >> 61);
  }
  Slots SlotsOf(size_t part, size_t index) {
    Slot* slots = parts_[part].slots.data();
    return {slots + kBegins[index], slots + kBegins[index + 1]};
  }

  std::array<Part, kParts> parts_{};
};

constinit Shelf shelf;

}  // namespace

void* Take(size_t size) {
  if (size > kMostBytes) return ::operator new(size);
  const Class of = ClassOf(size);
  void* block = shelf.Take(of.index);
  if (block == nullptr) return ::operator new(of.bytes);
  Unpoison(block, of.bytes);
  return block;
}

void Give(void* memory, size_t size) noexcept {
  if (memory == nullptr) return;
  if (size <= kMostBytes) {
    const Class of = ClassOf(size);
    Poison(memory, of.bytes);
    if (shelf.Put(of.index, memory)) return;
    Unpoison(memory, of.bytes);
  }
  ::operator delete(memory);
}

void Clear() noexcept { shelf.Clear(); }

}  // namespace weir::recycling
