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
  explicit Divider(uint64_t divisor) : divisor_(divisor), inverse_(~uint64_t{0} / divisor) {}

  uint64_t divisor() const { return divisor_; }

  uint64_t Divide(uint64_t n) const {
    const auto low = static_cast<uint64_t>(static_cast<uint128>(n) * inverse_ >> 64);
    return low + (n - low * divisor_ >= divisor_ ? 1 : 0);
  }

  // Rounds down, also below zero: for times before the clock's zero.
  int64_t Floor(int64_t n) const {
    return n >= 0 ? static_cast<int64_t>(Divide(static_cast<uint64_t>(n)))
                  : -1 - static_cast<int64_t>(Divide(static_cast<uint64_t>(-1 - n)));
  }

 private:
  uint64_t divisor_ = 1;
  uint64_t inverse_ = ~uint64_t{0};
};

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_DIVIDER_H_
