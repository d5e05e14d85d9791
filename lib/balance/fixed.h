// Logarithms and powers of two in integers, so that they are the same in every build.
//
// Tables of 257 values with lines between them: off by less than 3 parts in 10^6.

#ifndef WEIR_LIB_BALANCE_FIXED_H_
#define WEIR_LIB_BALANCE_FIXED_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/saturating.h"

namespace weir::balance {

// The whole, where a fraction has 32 bits.
inline constexpr uint64_t kOne = uint64_t{1} << 32;

namespace internal {

using Table = std::array<uint64_t, 257>;

// log2(1 + k/256), a bit at a time: squaring a number doubles its logarithm.
constexpr Table MakeLogarithms() {
  Table table = {};
  for (uint64_t k = 0; k < 256; ++k) {
    uint64_t x = (256 + k) << 54;  // in units of 2^-62
    uint64_t bits = 0;
    for (int bit = 0; bit < 32; ++bit) {
      x = static_cast<uint64_t>((static_cast<uint128>(x) * x) >> 62);
      const bool two = (x >> 63) != 0;
      bits = bits << 1 | (two ? 1 : 0);
      if (two) x >>= 1;
    }
    table[k] = bits;
  }
  table[256] = kOne;
  return table;
}

// 2^(-k/256).
constexpr Table MakePowers() {
  constexpr uint64_t kStep = 9198432556164277331u;  // 2^(-1/256) in units of 2^-63
  Table table = {};
  uint64_t power = uint64_t{1} << 63;
  for (uint64_t& value : table) {
    value = power >> 31;
    power = static_cast<uint64_t>((static_cast<uint128>(power) * kStep) >> 63);
  }
  return table;
}

inline constexpr Table kLogarithms = MakeLogarithms();
inline constexpr Table kPowers = MakePowers();

}  // namespace internal

// log2(x) in units of 2^-32; x > 0.
inline uint64_t Log2(uint64_t x) {
  const auto zeros = static_cast<uint64_t>(std::countl_zero(x));
  const uint64_t mantissa = x << zeros;
  const size_t k = (mantissa >> 55) & 255;
  const uint64_t rest = (mantissa >> 23) & (kOne - 1);
  const uint64_t low = internal::kLogarithms[k];
  return ((63 - zeros) << 32) + low + (((internal::kLogarithms[k + 1] - low) * rest) >> 32);
}

// value * 2^-x, x in units of 2^-32.
inline uint64_t Shrink(uint64_t value, uint64_t x) {
  if (x >= 64 * kOne) return 0;
  const size_t k = (x >> 24) & 255;
  const uint64_t rest = x & ((uint64_t{1} << 24) - 1);
  const uint64_t high = internal::kPowers[k];
  const uint64_t power = high - (((high - internal::kPowers[k + 1]) * rest) >> 24);
  return static_cast<uint64_t>((static_cast<uint128>(value) * power) >> 32 >> (x >> 32));
}

}  // namespace weir::balance

#endif  // WEIR_LIB_BALANCE_FIXED_H_
