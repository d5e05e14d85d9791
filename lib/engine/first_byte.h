// How long a pool's backends take until they begin to answer: running quantiles, in the segment.
//
// Each sample moves the estimate by a fraction of itself, up by as many steps as samples shall lie
// below for each that lies above, down by one: it comes to rest at the quantile and follows drift.
// Frugal streaming (Ma, Muthukrishnan, Sandler, 2013), steps after Robbins and Monro (1951).
// Streams and whole answers are estimated apart, since the latter begin when they are complete.
//
// Threads: any; a sample that races with another may be lost. Cost: one load, one store.

#ifndef WEIR_LIB_ENGINE_FIRST_BYTE_H_
#define WEIR_LIB_ENGINE_FIRST_BYTE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "weir/base.h"

namespace weir::engine {

// One word of the segment; zero has seen nothing.
class FirstByte {
 public:
  // Nanoseconds that `below` of `below` + 1 samples do not exceed; 0 before kEnough samples.
  int64_t estimate_ns() const {
    const uint64_t word = word_.load(std::memory_order_relaxed);
    return (word & kMaxSamples) < kEnough ? 0 : static_cast<int64_t>(word >> kSampleBits) * kUnitNs;
  }

  void Add(int64_t sample_ns, uint64_t below) {
    const uint64_t word = word_.load(std::memory_order_relaxed);
    const uint64_t samples = word & kMaxSamples;
    const auto sample = static_cast<uint64_t>(std::clamp<int64_t>(sample_ns / kUnitNs, 1, kMost));
    uint64_t value = word >> kSampleBits;
    // Steps of 1/16 of the estimate at first, of 1/256 in the long run.
    const uint64_t step = std::max<uint64_t>(value >> (samples < kEnough ? 4 : 8), 1);
    if (samples == 0) {
      value = sample;
    } else if (sample > value) {
      value += std::min(below * step, kMost - value);
    } else if (sample < value) {
      value -= std::min(step, value - 1);
    }
    word_.store(value << kSampleBits | std::min(samples + 1, kMaxSamples),
                std::memory_order_relaxed);
  }

 private:
  static constexpr int kSampleBits = 6;
  static constexpr uint64_t kMaxSamples = 63;
  static constexpr uint64_t kEnough = 20;
  static constexpr int64_t kUnitNs = kMicrosecond;
  static constexpr uint64_t kMost = uint64_t{1} << 42;

  std::atomic<uint64_t> word_{0};
};

// Of one pool.
struct FirstBytes {
  FirstByte streams;
  FirstByte whole;
};
static_assert(sizeof(FirstBytes) == 16);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_FIRST_BYTE_H_
