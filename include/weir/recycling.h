// weir/recycling.h: memory that is used again.
//
// A transaction needs the same few blocks as the one before it: itself, the request's body, the
// nodes of its JSON, its headers, the meter of its answer. Blocks that are given up go onto a shelf
// and are handed out again, so a process that has served some requests asks the heap for nothing
// more. What is recycled is memory, not objects: each is constructed and destroyed as ever, and no
// one reads what is left of the one before.
//
//   class Meter final : public StreamMeter, public Recycled { … };   // new and delete use the
//   shelf RecycledString body;  RecycledVector<Node> nodes;                // and so do these
//
// Bounds: blocks of at most kMostBytes, at most some 2.7 MB in all, of the whole process; nothing
// is kept for a block that is in use. Under AddressSanitizer blocks on the shelf are poisoned, so
// that a use after they were given up is found as it is in freed memory.
//
// Threads: any; no locks. A thread looks at its own part of the shelf first. Cost: one exchange of
// a word to take and one to give; the heap's own when the shelf has none, or is full.

#ifndef WEIR_RECYCLING_H_
#define WEIR_RECYCLING_H_

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace weir {
namespace recycling {

inline constexpr size_t kMostBytes = size_t{64} << 10;  // larger ones are the heap's

// At least `size` bytes, aligned as operator new aligns. Throws what operator new throws.
void* Take(size_t size);
// Gives back what Take gave for this `size`; null is fine.
void Give(void* memory, size_t size) noexcept;

// Gives all that is on the shelf to the heap: for tests, which want to see every allocation.
void Clear() noexcept;

}  // namespace recycling

template <typename T>
class RecyclingAllocator {
 public:
  using value_type = T;
  RecyclingAllocator() = default;
  template <typename Other>
  RecyclingAllocator(const RecyclingAllocator<Other>& /*other*/) noexcept {}  // NOLINT: implicit

  T* allocate(size_t count) {
    constexpr size_t kMost = std::numeric_limits<size_t>::max();  // nobody has so much
    return static_cast<T*>(recycling::Take(count > kMost / sizeof(T) ? kMost : count * sizeof(T)));
  }
  void deallocate(T* memory, size_t count) noexcept { recycling::Give(memory, count * sizeof(T)); }

  template <typename Other>
  bool operator==(const RecyclingAllocator<Other>& /*other*/) const noexcept {
    return true;
  }
  template <typename Other>
  bool operator!=(const RecyclingAllocator<Other>& /*other*/) const noexcept {
    return false;
  }
};

using RecycledString = std::basic_string<char, std::char_traits<char>, RecyclingAllocator<char>>;
template <typename T>
using RecycledVector = std::vector<T, RecyclingAllocator<T>>;

// A base of classes whose objects are made and deleted one by one.
class Recycled {
 public:
  static void* operator new(size_t size) { return recycling::Take(size); }
  static void operator delete(void* memory, size_t size) noexcept { recycling::Give(memory, size); }
};

}  // namespace weir

#endif  // WEIR_RECYCLING_H_
