// The bound against what coins do, and against the exact numbers where those are known.

#include "learning/bound.h"

#include <cmath>
#include <cstdint>
#include <random>

#include "learning/trials.h"
#include "tests/support/catch.h"

namespace weir::learning {
namespace {

TEST_CASE("with none found, the bound is that of a geometric distribution") {
  const Bound bound(0.95);
  for (int level = 0; level < kLevels; ++level) {
    const double share = kShares[static_cast<size_t>(level)];
    const double most = bound.AtMost(level, 0);
    // So many in a row given out, none found: as likely as alpha / levels x 6 / pi^2.
    CHECK(std::pow(1 - share, most) == Approx(0.05 / kLevels * 6 / (M_PI * M_PI)));
  }
}

TEST_CASE("the bound grows with what is found, with less care and with confidence") {
  const Bound bound(0.95), surer(0.999);
  for (int level = 0; level < kLevels; ++level) {
    for (uint64_t found = 0; found < 3000; found = found * 5 / 4 + 1) {
      CHECK(bound.AtMost(level, found + 1) > bound.AtMost(level, found));
      CHECK(surer.AtMost(level, found) > bound.AtMost(level, found));
      if (level > 0) CHECK(bound.AtMost(level, found) > bound.AtMost(level - 1, found));
    }
    // And in the long run it is not far above what is to be expected.
    const double share = kShares[static_cast<size_t>(level)];
    const double expected = 10'000 * (1 - share) / share;
    CHECK(bound.AtMost(level, 10'000) > expected);
    CHECK(bound.AtMost(level, 10'000) < 1.4 * expected);
  }
}

TEST_CASE("nearly no sequence of coins ever leaves the bound") {
  std::mt19937_64 random(20261123);
  for (int level = 0; level < kLevels; ++level) {
    const Bound bound(0.9);
    std::bernoulli_distribution tries(kShares[static_cast<size_t>(level)]);
    int left = 0;
    constexpr int kRuns = 2000;
    for (int run = 0; run < kRuns; ++run) {
      uint64_t found = 0;
      double most = bound.AtMost(level, 0), given = 0;
      for (int i = 0; i < 400; ++i) {
        if (tries(random)) {
          most = bound.AtMost(level, ++found);
        } else if (++given > most) {
          ++left;
          break;
        }
      }
    }
    CHECK(left <= kRuns / 10);  // and that is for all levels together
  }
}

TEST_CASE("trials: numbers by band, what lies back fades, estimates lean on the prior") {
  Trials trials;
  CHECK(trials.Estimate(2, 0.25) == Approx(0.25));
  for (int i = 0; i < 8; ++i) trials.Add(2, false);
  CHECK(trials.of(2) == 8);
  CHECK(trials.all() == 8);
  CHECK(trials.Estimate(2, 0.25) == Approx(0.125));
  // Right further away: right here. Nothing is told about what is further away still.
  CHECK(trials.Estimate(3, 0.25) == Approx(0.125));
  CHECK(trials.Estimate(1, 0.25) == Approx(0.25));
  // Wrong further away says nothing of what is nearer; wrong nearer does of what is further.
  Trials wrong;
  for (int i = 0; i < 8; ++i) wrong.Add(1, true);
  CHECK(wrong.wrong(1) == 8);
  CHECK(wrong.Estimate(3, 0.25) == Approx(0.25));
  CHECK(wrong.Estimate(0, 0.25) > 0.6);
  for (int i = 0; i < 1000; ++i) wrong.Add(1, false);
  CHECK(wrong.of(1) <= 64);
  CHECK(wrong.wrong(1) <= 1);
  CHECK(Trials(wrong.word()).of(1) == wrong.of(1));
  wrong.Halve();
  CHECK(wrong.of(1) <= 32);
}

}  // namespace
}  // namespace weir::learning
