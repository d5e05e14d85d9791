#include "learning/bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace weir::learning {

Bound::Bound(double confidence) : log_inverse_alpha_(std::log(kLevels / (1 - confidence))) {
  for (int level = 0; level < kLevels; ++level) {
    const double share = kShares[static_cast<size_t>(level)];
    const double greatest = -std::log1p(-share);
    for (int i = 0; i < kRates; ++i) {
      Rate& rate = rates_[static_cast<size_t>(level)][static_cast<size_t>(i)];
      // Close to 0 for many found, close to the greatest for few.
      const double part = static_cast<double>(i + 1) / (kRates + 1);
      rate.lambda = greatest * part;
      rate.cost = -std::log((1 - (1 - share) * std::exp(rate.lambda)) / share);
    }
  }
}

// alpha is shared out over the numbers that may be found, 6 / (pi (found + 1))^2 to each.
double Bound::AtMost(int level, uint64_t found) const {
  constexpr double kLogOfSixth = 0.4977003024707453;  // ln(pi^2 / 6)
  const auto wrong = static_cast<double>(found);
  const double logs = log_inverse_alpha_ + kLogOfSixth + 2 * std::log1p(wrong);
  // With none found even the greatest rate will do.
  if (found == 0) return logs / -std::log1p(-kShares[static_cast<size_t>(level)]);
  double least = std::numeric_limits<double>::infinity();
  for (const Rate& rate : rates_[static_cast<size_t>(level)]) {
    least = std::min(least, (logs + wrong * rate.cost) / rate.lambda);
  }
  return least;
}

}  // namespace weir::learning
