// A running 90th percentile in 32 bits.
//
// Each sample moves the estimate: up by nine steps when it was above, down by one when below, so it
// comes to rest where one sample in ten is above. The step is a fraction of the estimate that
// shrinks with the number of samples, hence the estimate finds its scale in a few dozen samples and
// then follows drift. This is the idea of "Frugal Streaming for Estimating Quantiles" (Ma,
// Muthukrishnan, Sandler, 2013) with asymmetric steps (Robbins and Monro, 1951) in place of its
// coin flips, so the same samples always give the same estimate.
//
// Cost: a few shifts; 4 bytes; all zero means no sample yet. Samples above kMaxSample count as it.

#ifndef WEIR_LIB_LIMITS_QUANTILE_H_
#define WEIR_LIB_LIMITS_QUANTILE_H_

#include <algorithm>
#include <cstdint>

namespace weir::limits {

// What is expected of a counter that has seen no sample: a short answer. It only ever reserves room
// that is left, so a wrong guess refuses nobody this request.
inline constexpr uint64_t kUnlearnedHeadroom = 256;

class Quantile90 {
 public:
  explicit Quantile90(uint32_t state) : state_(state) {}
  uint32_t state() const { return state_; }

  // How many there were, up to kMaxCount.
  uint64_t samples() const { return state_ & kMaxCount; }

  uint64_t estimate() const {
    if (samples() == 0) return kUnlearnedHeadroom;
    return (scaled() + kUnit / 2) / kUnit;
  }

  void Add(uint64_t sample) {
    const uint64_t target = std::min(sample, kMaxSample) * kUnit;
    uint64_t value = scaled();
    if (samples() == 0) {
      value = target;
    } else {
      const uint64_t step = std::max(value >> StepShift(), kSmallestStep);
      if (target > value) {
        value = std::min(value + 9 * step, kMaxSample * kUnit);
      } else if (target < value) {
        value -= std::min(step, value);
      }
    }
    state_ = static_cast<uint32_t>(value << kCountBits | std::min(samples() + 1, kMaxCount));
  }

 private:
  static constexpr int kCountBits = 6;
  static constexpr uint64_t kMaxCount = 63;
  static constexpr uint64_t kUnit = 16;  // fixed point with 4 fractional bits
  static constexpr uint64_t kSmallestStep = 1;
  static constexpr uint64_t kMaxSample = (uint64_t{1} << 22) - 1;

  uint64_t scaled() const { return state_ >> kCountBits; }
  // Steps of 1/8 of the estimate at first, of 1/128 in the long run.
  int StepShift() const {
    const uint64_t n = samples();
    return n < 4 ? 3 : n < 12 ? 4 : n < 32 ? 5 : n < kMaxCount ? 6 : 7;
  }

  uint32_t state_;
};

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_QUANTILE_H_
