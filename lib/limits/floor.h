// Division and remainder that round down, for times before the clock's zero.

#ifndef WEIR_LIB_LIMITS_FLOOR_H_
#define WEIR_LIB_LIMITS_FLOOR_H_

#include <cstdint>

namespace weir::limits {

constexpr int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
constexpr int64_t FloorMod(int64_t a, int64_t b) { return a % b + (a % b < 0 ? b : 0); }

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_FLOOR_H_
