#include "tests/support/allocations.h"

#include <cstdlib>
#include <new>

namespace {
thread_local uint64_t allocations = 0;
thread_local int64_t left = -1;  // until the one that fails
}  // namespace

void* operator new(size_t size, const std::nothrow_t& /*tag*/) noexcept {
  ++allocations;
  if (left >= 0 && left-- == 0) return nullptr;
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new(size_t size) {
  void* memory = operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace weir::testing {

uint64_t AllocationsOfThisThread() { return allocations; }
void FailAllocation(int64_t after) { left = after; }

}  // namespace weir::testing
