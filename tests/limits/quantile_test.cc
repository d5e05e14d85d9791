#include "limits/quantile.h"

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "tests/limits/support.h"

namespace weir::limits {
namespace {

// How many of the samples, after `warm` of them, the estimate made before each one covered.
double Covered(const std::vector<uint64_t>& samples, size_t warm) {
  Quantile90 estimator(0);
  size_t covered = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (i >= warm) covered += samples[i] <= estimator.estimate() ? 1 : 0;
    estimator.Add(samples[i]);
  }
  return static_cast<double>(covered) / static_cast<double>(samples.size() - warm);
}

TEST_CASE("the estimate settles where nine samples in ten are covered") {
  Random random(3);
  std::vector<uint64_t> uniform, skewed, small, two_kinds;
  for (int i = 0; i < 40000; ++i) {
    uniform.push_back(random.Below(4000));
    // Products of uniforms: many short answers, few long ones.
    skewed.push_back(random.Below(100) * random.Below(100) * random.Below(100) / 100);
    small.push_back(random.Below(12));
    two_kinds.push_back(random.Below(4) == 0 ? 1000 + random.Below(100) : random.Below(50));
  }
  for (const auto* samples : {&uniform, &skewed, &small, &two_kinds}) {
    const double covered = Covered(*samples, 200);
    INFO("covered " << covered);
    CHECK(covered > 0.86);
    CHECK(covered < 0.95);
  }
}

TEST_CASE("the estimate follows when outputs change") {
  Quantile90 estimator(0);
  for (int i = 0; i < 1000; ++i) estimator.Add(100);
  CHECK(estimator.estimate() >= 99);
  CHECK(estimator.estimate() <= 108);
  for (int i = 0; i < 100; ++i) estimator.Add(8000);
  CHECK(estimator.estimate() >= 7900);
  CHECK(estimator.estimate() <= 8640);
  for (int i = 0; i < 1000; ++i) estimator.Add(40);
  CHECK(estimator.estimate() >= 39);
  CHECK(estimator.estimate() <= 44);
}

TEST_CASE("the ends of the estimate") {
  Quantile90 estimator(0);
  CHECK(estimator.estimate() == kUnlearnedHeadroom);
  for (int i = 0; i < 500; ++i) estimator.Add(0);
  CHECK(estimator.estimate() == 0);
  for (int i = 0; i < 200; ++i) estimator.Add(1000);
  CHECK(estimator.estimate() >= 990);
  CHECK(estimator.estimate() <= 1080);
  for (int i = 0; i < 2000; ++i) estimator.Add(UINT64_MAX);
  CHECK(estimator.estimate() == (uint64_t{1} << 22) - 1);
  // The count does not run into the value.
  CHECK(Quantile90(estimator.state()).estimate() == (uint64_t{1} << 22) - 1);
}

TEST_CASE("learned headroom is taken from the counter's own outputs") {
  Fixture fixture({Window(100000, kMinute)});
  const auto reserve = [&](std::string_view key, Reservation* held) {
    return fixture.limiter->Reserve({{.rule = 0, .key = key, .cost = 10, .learned = true}}, At(0),
                                    held);
  };
  for (int i = 0; i < 50; ++i) {
    Reservation held;
    REQUIRE(reserve("long", &held).admitted);
    fixture.limiter->Settle(&held, {{.cost = 10 + 700, .headroom_used = 700}}, At(0));
  }
  Reservation held;
  const uint64_t reserved = reserve("long", &held).verdicts[0].reserved;
  CHECK(reserved >= 10 + 650);
  CHECK(reserved <= 10 + 900);
  CHECK(reserve("short", &held).verdicts[0].reserved == 10 + kUnlearnedHeadroom);
}

TEST_CASE("a learned guess never refuses the first request on an idle counter") {
  for (const Rule& rule : {Window(500, kMinute), Bucket(500, kMinute)}) {
    Fixture fixture({rule});
    Reservation held;
    for (int64_t i = 0; i < 100; ++i) {
      const int64_t now = i * kHour;
      const Decision decision = fixture.limiter->Reserve(
          {{.rule = 0, .key = "k", .cost = 500, .learned = true}}, At(now), &held);
      REQUIRE(decision.admitted);
      REQUIRE(decision.verdicts[0].reserved == 500);
      fixture.limiter->Settle(&held, {{.cost = 500, .headroom_used = 1000000}}, At(now));
    }
  }
}

}  // namespace
}  // namespace weir::limits
