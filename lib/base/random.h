// A seeded generator, an object and never a global. SplitMix64 (Steele, Lea, Flood 2014).

#ifndef WEIR_LIB_BASE_RANDOM_H_
#define WEIR_LIB_BASE_RANDOM_H_

#include <cstdint>

namespace weir {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound) to within 2^-32 for bounds below 2^32. bound > 0.
  uint64_t Below(uint64_t bound) { return Next() % bound; }

 private:
  uint64_t state_;
};

}  // namespace weir

#endif  // WEIR_LIB_BASE_RANDOM_H_
