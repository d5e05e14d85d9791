// Division by a number that stays the same, as a multiplication.
//
// q = floor(n * floor((2^64-1)/d) / 2^64) is the quotient or one less, because what the inverse
// lacks is less than n / 2^64 <= 1; one comparison of the remainder tells which.

#ifndef WEIR_LIB_LIMITS_DIVIDER_H_
#define WEIR_LIB_LIMITS_DIVIDER_H_

#include <cstdint>

#include "base/saturating.h"

namespace weir::limits {

class Divider {
 public:
  Divider() = default;
  explicit Divider(uint64_t divisor)
      : divisor_(divisor),
        inverse_(~uint64_t{0} / divisor),
        below_zero_((uint64_t{1} << 63) / divisor),
        shift_(below_zero_ * divisor) {}

  uint64_t divisor() const { return divisor_; }

  uint64_t Divide(uint64_t n) const {
    const auto low = static_cast<uint64_t>(static_cast<uint128>(n) * inverse_ >> 64);
    return low + (n - low * divisor_ >= divisor_ ? 1 : 0);
  }

  // Rounds up. n > 0.
  uint64_t DivideUp(uint64_t n) const { return Divide(n - 1) + 1; }

  // Rounds down, also below zero, for times before the clock's zero: shifted by a multiple of the
  // divisor, which spares a branch. |n| <= 2^62 and the divisor at most 2^62.
  int64_t Floor(int64_t n) const {
    return static_cast<int64_t>(Divide(static_cast<uint64_t>(n) + shift_) - below_zero_);
  }

 private:
  uint64_t divisor_ = 1;
  uint64_t inverse_ = ~uint64_t{0};
  uint64_t below_zero_ = uint64_t{1} << 63;  // so many times the divisor is `shift_`
  uint64_t shift_ = uint64_t{1} << 63;
};

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_DIVIDER_H_
