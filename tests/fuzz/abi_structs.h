// Structs of weir.h as callers of any age have them: of the size that this header says, cut short,
// or with a tail that this weir does not know. Each lies in memory of just that size, so that a
// sanitizer sees what goes beyond it.

#ifndef WEIR_TESTS_FUZZ_ABI_STRUCTS_H_
#define WEIR_TESTS_FUZZ_ABI_STRUCTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "tests/fuzz/abi_fuzz.h"

namespace weir::fuzz {

// An array of structs of one size. Its memory is no allocation that is made to fail.
template <typename Struct>
class AgedStructs {
 public:
  AgedStructs(uint8_t age, size_t count, unsigned char filling)
      : size_(SizeAt(age)),
        bytes_(std::max<size_t>(size_ * count, sizeof(uint32_t))),
        memory_(static_cast<unsigned char*>(std::malloc(bytes_))) {
    std::memset(memory_, filling, bytes_);
    std::memcpy(memory_, &size_, sizeof(size_));
  }
  ~AgedStructs() { std::free(memory_); }
  AgedStructs(const AgedStructs&) = delete;
  AgedStructs& operator=(const AgedStructs&) = delete;

  bool is_whole() const { return size_ >= sizeof(Struct); }

 protected:
  static uint32_t SizeAt(uint8_t age) {
    if (age < 128) return sizeof(Struct);
    if (age < 192) return age % sizeof(Struct);
    return sizeof(Struct) + age % 4 * sizeof(uint64_t);
  }

  uint32_t size_;
  size_t bytes_;
  unsigned char* memory_;
};

// What goes into a call.
template <typename Struct>
class Given : public AgedStructs<Struct> {
 public:
  // An even age has a tail of zeros.
  Given(uint8_t age, size_t count) : AgedStructs<Struct>(age, count, age % 2) {}
  Given(uint8_t age, const Struct& record) : Given(age, size_t{1}) { Put(0, record); }

  void Put(size_t index, Struct record) {
    record.size = this->size_;
    std::memcpy(this->memory_ + index * this->size_, &record,
                std::min<size_t>(this->size_, sizeof(record)));
  }
  const Struct* get() const { return reinterpret_cast<const Struct*>(this->memory_); }
};

// What comes out of it, which success alone may write.
template <typename Struct>
class Taken : public AgedStructs<Struct> {
 public:
  explicit Taken(uint8_t age, size_t count = 1) : AgedStructs<Struct>(age, count, kUntouched) {}

  Struct* get() const { return reinterpret_cast<Struct*>(this->memory_); }
  Struct Read(size_t index = 0) const {
    Struct record = {};
    std::memcpy(&record, this->memory_ + index * this->size_,
                std::min<size_t>(this->size_, sizeof(record)));
    return record;
  }
  // Of a call's status: whether it succeeded.
  bool Checked(weir_status status) const {
    const bool ok = weir::fuzz::Checked(status);
    unsigned char* const end = this->memory_ + this->bytes_;
    if (!ok && std::any_of(this->memory_ + sizeof(this->size_), end,
                           [](unsigned char byte) { return byte != kUntouched; })) {
      std::abort();
    }
    return ok;
  }

 private:
  static constexpr unsigned char kUntouched = 0xA5;
};

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_ABI_STRUCTS_H_
