// What the targets share that call the C ABI in any order: an input read as calls, handles that may
// be null, statuses that may be, memory that runs out.

#ifndef WEIR_TESTS_FUZZ_ABI_FUZZ_H_
#define WEIR_TESTS_FUZZ_ABI_FUZZ_H_

#include <weir.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>

#include "tests/support/allocations.h"

namespace weir::fuzz {

// Four bytes are a call: which, and three operands.
struct AbiCall {
  uint8_t which = 0, a = 0, b = 0, c = 0;
};

class AbiInput {
 public:
  AbiInput(const uint8_t* data, size_t size)
      : data_(data), calls_(std::min<size_t>(size / 4, 200)), size_(size) {}

  size_t calls() const { return calls_; }
  AbiCall Call(size_t index) const {
    const uint8_t* at = data_ + index * 4;
    return {at[0], at[1], at[2], at[3]};
  }
  // Bytes of the input itself, wherever they lie.
  std::string_view Raw(uint8_t from, uint8_t most) const {
    const size_t begin = std::min<size_t>(from, size_);
    return {reinterpret_cast<const char*>(data_) + begin, std::min<size_t>(most, size_ - begin)};
  }

 private:
  const uint8_t* data_;
  size_t calls_;
  size_t size_;
};

// Some handles of a kind: an operand names one of them, or null.
template <typename Handle, auto kFree>
class Slots {
 public:
  Slots() = default;
  ~Slots() {
    for (Handle*& handle : handles_) kFree(handle);
  }
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  Handle* operator[](uint8_t operand) const {
    const size_t index = operand % (kCount + 1);
    return index == kCount ? nullptr : handles_[index];
  }
  // What Put with this operand is to free.
  Handle* Place(uint8_t operand) const { return handles_[operand % kCount]; }
  // Frees what is there.
  void Put(uint8_t operand, Handle* handle) {
    Handle*& place = handles_[operand % kCount];
    kFree(place);
    place = handle;
  }

 private:
  static constexpr size_t kCount = 3;
  Handle* handles_[kCount] = {};
};

// Every status that a function may give; INTERNAL is weir's own fault.
inline bool Known(weir_status status) {
  constexpr weir_status kKnown[] = {WEIR_OK,
                                    WEIR_INVALID_ARGUMENT,
                                    WEIR_NOT_FOUND,
                                    WEIR_PERMISSION_DENIED,
                                    WEIR_RESOURCE_EXHAUSTED,
                                    WEIR_FAILED_PRECONDITION,
                                    WEIR_OUT_OF_RANGE,
                                    WEIR_UNIMPLEMENTED};
  return std::find(std::begin(kKnown), std::end(kKnown), status) != std::end(kKnown);
}

// Aborts when a status is none, or an output was written though the call failed.
inline bool Checked(weir_status status) {
  weir::testing::FailAllocation(-1);
  if (!Known(status)) std::abort();
  return status == WEIR_OK;
}
// Calls `make(&handle)`, which is to write the handle if it succeeds and only then; null when it
// did not.
template <typename Handle, typename Make>
Handle* Made(Make make) {
  static char somewhere;
  auto* const untouched = reinterpret_cast<Handle*>(&somewhere);
  Handle* handle = untouched;
  const bool ok = Checked(make(&handle));
  if (ok == (handle == untouched) || handle == nullptr) std::abort();
  return ok ? handle : nullptr;
}

// Reads every byte of a view, which a sanitizer watches.
inline void ReadAll(const char* bytes, size_t size) {
  volatile char last = 0;
  for (size_t i = 0; i < size; ++i) last = bytes[i];
  static_cast<void>(last);
}

// A text that a function writes, into buffers too small and large enough.
template <typename Ask>
void ReadText(Ask ask, uint8_t small) {
  char buffer[256];
  size_t needed = 0;
  if (Checked(ask(buffer, std::min<size_t>(small, sizeof(buffer)), &needed))) {
    ReadAll(buffer, needed);
  } else if (needed > small) {
    std::string whole(needed, '\0');
    Checked(ask(whole.data(), whole.size(), &needed));
  }
}

// Plays an input to a machine of its own, which has Do(call).
template <typename Machine>
int Play(const uint8_t* data, size_t size) {
  const AbiInput input(data, size);
  Machine machine(input);
  for (size_t i = 0; i < input.calls(); ++i) machine.Do(input.Call(i));
  weir::testing::FailAllocation(-1);
  return 0;
}

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_ABI_FUZZ_H_
