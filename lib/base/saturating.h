// Integer arithmetic that stops at the ends instead of wrapping, and 128-bit products.

#ifndef WEIR_LIB_BASE_SATURATING_H_
#define WEIR_LIB_BASE_SATURATING_H_

#include <cstdint>
#include <limits>

namespace weir {

__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;

template <typename T>
constexpr T SaturatingAdd(T a, T b) {
  T sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b < 0 ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
}

template <typename T>
constexpr T SaturatingSub(T a, T b) {
  T difference = 0;
  if (!__builtin_sub_overflow(a, b, &difference)) return difference;
  return b < 0 ? std::numeric_limits<T>::max() : std::numeric_limits<T>::min();
}

template <typename T>
constexpr T SaturatingMul(T a, T b) {
  T product = 0;
  if (!__builtin_mul_overflow(a, b, &product)) return product;
  return (a < 0) != (b < 0) ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
}

// a * b / c, rounded down, exact in between; saturates. c > 0.
constexpr uint64_t MulDiv(uint64_t a, uint64_t b, uint64_t c) {
  const uint128 quotient = static_cast<uint128>(a) * b / c;
  return quotient > std::numeric_limits<uint64_t>::max() ? std::numeric_limits<uint64_t>::max()
                                                         : static_cast<uint64_t>(quotient);
}

constexpr uint64_t CeilDiv(uint64_t a, uint64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

}  // namespace weir

#endif  // WEIR_LIB_BASE_SATURATING_H_
