// How many wrong answers were given out, told from how many were found by trying: see
// weir/learning.h for why.

#ifndef WEIR_LIB_LEARNING_BOUND_H_
#define WEIR_LIB_LEARNING_BOUND_H_

#include <array>
#include <cstdint>

namespace weir::learning {

// The shares that may be tried, the most careful first. Level kLevels is to try all.
inline constexpr int kLevels = 6;
inline constexpr std::array<double, kLevels> kShares = {0.75, 0.5, 0.25, 0.125, 0.0625, 0.03125};

class Bound {
 public:
  explicit Bound(double confidence);

  // Of the wrong answers given out at this level when `found` were found at it: with the stated
  // confidence no more, at any moment and on all levels at once.
  double AtMost(int level, uint64_t found) const;

 private:
  static constexpr int kRates = 24;
  struct Rate {
    double lambda = 0;  // the logarithm of what a wrong answer given multiplies by …
    double cost = 0;    // … and, negative, of what one found does
  };

  double log_inverse_alpha_ = 0;  // alpha: of one level
  std::array<std::array<Rate, kRates>, kLevels> rates_;
};

}  // namespace weir::learning

#endif  // WEIR_LIB_LEARNING_BOUND_H_
