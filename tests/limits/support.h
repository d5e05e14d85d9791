// What the tests of limits share.

#ifndef WEIR_TESTS_LIMITS_SUPPORT_H_
#define WEIR_TESTS_LIMITS_SUPPORT_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "weir/limits.h"

namespace weir::limits {

inline Now At(int64_t mono_ns) { return {.mono_ns = mono_ns, .unix_ns = 0}; }

inline std::unique_ptr<state::Segment> MakeSegment() {
  auto segment = state::Segment::CreatePrivate({.bytes = size_t{16} << 20, .seed = 7});
  REQUIRE(segment.ok());
  return *std::move(segment);
}

inline std::unique_ptr<Limiter> MakeLimiter(state::Segment* segment, std::vector<Rule> rules,
                                            const LimiterOptions& options = {.max_counters = 64}) {
  auto limiter = Limiter::Create(segment, std::move(rules), options);
  REQUIRE(limiter.ok());
  return *std::move(limiter);
}

inline Rule Window(uint64_t amount, int64_t window_ns, const std::string& name = "w") {
  return {.name = name,
          .algorithm = Algorithm::kSlidingWindow,
          .amount = amount,
          .window_ns = window_ns};
}

inline Rule Bucket(uint64_t amount, int64_t window_ns, uint64_t burst = 0,
                   const std::string& name = "b") {
  return {.name = name,
          .algorithm = Algorithm::kTokenBucket,
          .amount = amount,
          .window_ns = window_ns,
          .burst = burst};
}

// A limiter over a segment of its own.
struct Fixture {
  explicit Fixture(std::vector<Rule> rules, const LimiterOptions& options = {.max_counters = 64})
      : segment(MakeSegment()),
        limiter(MakeLimiter(segment.get(), std::move(rules), options)),
        slots(options.max_counters) {}

  Decision Take(uint64_t cost, int64_t now_ns, uint32_t rule = 0, std::string_view key = "k") {
    return limiter->Take({{.rule = rule, .key = key, .cost = cost}}, At(now_ns));
  }
  Decision Reserve(uint64_t cost, int64_t now_ns, Reservation* held, uint64_t headroom = 0) {
    return limiter->Reserve({{.rule = 0, .key = "k", .cost = cost, .headroom = headroom}},
                            At(now_ns), held);
  }
  void Settle(Reservation* held, uint64_t cost, int64_t now_ns) {
    limiter->Settle(held, {{.cost = cost}}, At(now_ns));
  }
  Verdict Peek(uint64_t cost, int64_t now_ns, uint32_t rule = 0, std::string_view key = "k") const {
    return limiter->Peek({.rule = rule, .key = key, .cost = cost}, At(now_ns));
  }
  uint64_t Used(int64_t now_ns, uint32_t rule = 0, std::string_view key = "k") const {
    return Peek(0, now_ns, rule, key).used_before;
  }
  // Every byte of every counter; up to 128 slots are as many as were asked for.
  std::string Bytes() const {
    auto region = segment->Region("limits.slots", size_t{slots} * 128);
    REQUIRE(region.ok());
    return {static_cast<const char*>(*region), size_t{slots} * 128};
  }

  std::unique_ptr<state::Segment> segment;
  std::unique_ptr<Limiter> limiter;
  uint32_t slots;
};

}  // namespace weir::limits

#endif  // WEIR_TESTS_LIMITS_SUPPORT_H_
