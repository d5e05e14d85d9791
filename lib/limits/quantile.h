// A running 90th percentile in one word.
//
// Each sample moves the estimate: up by nine steps when it was above, down by one when below, so it
// comes to rest where one sample in ten is above. The step is a fraction of the estimate that
// shrinks with the number of samples, hence the estimate finds its scale in a few dozen samples and
// then follows drift. This is the idea of "Frugal Streaming for Estimating Quantiles" (Ma,
// Muthukrishnan, Sandler, 2013) with asymmetric steps (Robbins and Monro, 1951) in place of its
// coin flips, so the same samples always give the same estimate.
//
// Cost: a few shifts; 8 bytes; all zero means no sample yet.

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
  explicit Quantile90(uint64_t state) : state_(state) {}
  uint64_t state() const { return state_; }

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
    state_ = value << kCountBits | std::min(samples() + 1, kMaxCount);
  }

 private:
  static constexpr int kCountBits = 8;
  static constexpr uint64_t kMaxCount = 255;
  static constexpr uint64_t kUnit = 256;  // fixed point with 8 fractional bits
  static constexpr uint64_t kSmallestStep = kUnit / 16;
  static constexpr uint64_t kMaxSample = uint64_t{1} << 40;

  uint64_t samples() const { return state_ & kMaxCount; }
  uint64_t scaled() const { return state_ >> kCountBits; }
  // Steps of 1/8 of the estimate at first, of 1/128 in the long run.
  int StepShift() const {
    const uint64_t n = samples();
    return n < 4 ? 3 : n < 16 ? 4 : n < 64 ? 5 : n < 128 ? 6 : 7;
  }

  uint64_t state_;
};

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_QUANTILE_H_
