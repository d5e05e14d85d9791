// Which members one request refuses, as a set.

#ifndef WEIR_LIB_BALANCE_REFUSALS_H_
#define WEIR_LIB_BALANCE_REFUSALS_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "weir/balance.h"

namespace weir::balance {

// Numbers of no member are left out.
class Refusals {
 public:
  Refusals(absl::Span<const uint16_t> members, size_t count) {
    for (const uint16_t member : members) {
      if (member < count) bits_[member / 64] |= uint64_t{1} << member % 64;
    }
    any_ = !members.empty();
  }
  bool any() const { return any_; }
  bool Has(uint32_t member) const { return any_ && (bits_[member / 64] >> member % 64 & 1) != 0; }
  template <class Act>
  void Each(Act&& act) const {
    for (uint32_t word = 0; word < bits_.size(); ++word) {
      for (uint64_t bits = bits_[word]; bits != 0; bits &= bits - 1) {
        act(64 * word + static_cast<uint32_t>(std::countr_zero(bits)));
      }
    }
  }

 private:
  bool any_ = false;
  std::array<uint64_t, kMaxMembers / 64> bits_ = {};
};

}  // namespace weir::balance

#endif  // WEIR_LIB_BALANCE_REFUSALS_H_
