#include "cache/vector.h"

#include <algorithm>
#include <cmath>

#include "absl/base/attributes.h"
#include "base/cpu.h"
#include "base/random.h"

namespace weir::cache {
namespace {

constexpr uint32_t kSums = 16;   // side by side: the same order of adding on every processor
constexpr uint32_t kParts = 64;  // that a rotation mixes
constexpr uint32_t kSide = 16;   // 256 components are a square
constexpr float kSmallest = 1e-30F;
// Standard deviations that are allowed for: one sketch in 4,000 deviates more.
constexpr double kDeviations = 3.5;
constexpr double kBitsToSpare = 2;
constexpr double kPi = 3.14159265358979323846;

float Sum(const float* sums) {
  float total = 0;
  for (uint32_t l = 0; l < kSums; ++l) total += sums[l];
  return total;
}

// The bodies are inlined into functions for several kinds of processor; none of them may contract a
// product and a sum, so that all come to the same.

// Down the columns of the square, all sixteen at once.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Columns(float* square) {
  for (uint32_t half = kSide / 2; half > 0; half /= 2) {
    for (uint32_t begin = 0; begin < kSide; begin += 2 * half) {
      for (uint32_t row = begin; row < begin + half; ++row) {
        float* a = square + row * kSide;
        float* b = a + half * kSide;
        for (uint32_t i = 0; i < kSide; ++i) {
          const float sum = a[i] + b[i];
          b[i] = a[i] - b[i];
          a[i] = sum;
        }
      }
    }
  }
}

// A Hadamard transform of 256, but for the order of what comes out.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void Transform(float* square) {
  alignas(64) float other[kSketchBits];
  Columns(square);
  for (uint32_t row = 0; row < kSide; ++row) {
    for (uint32_t i = 0; i < kSide; ++i) other[i * kSide + row] = square[row * kSide + i];
  }
  Columns(other);
  std::copy_n(other, kSketchBits, square);
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline void TurnBody(const float* vector, uint32_t stride,
                                                  const float* signs, const float* second_signs,
                                                  float* turned) {
  alignas(64) float square[kSketchBits] = {};
  for (uint32_t at = 0; at < stride; at += kSketchBits) {
    const uint32_t size = std::min(kSketchBits, stride - at);
    for (uint32_t i = 0; i < size; ++i) square[i] += vector[at + i] * signs[at + i];
  }
  Transform(square);
  for (uint32_t i = 0; i < kSketchBits; ++i) square[i] *= second_signs[i];
  Transform(square);
  std::copy_n(square, kSketchBits, turned);
}

// The largest component's size.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline float LargestBody(const float* vector, uint32_t stride) {
  float largest[kSums] = {};
  for (uint32_t at = 0; at < stride; at += kSums) {
    for (uint32_t l = 0; l < kSums; ++l) {
      const float size = std::fabs(vector[at + l]);
      largest[l] = size > largest[l] ? size : largest[l];
    }
  }
  return *std::max_element(largest, largest + kSums);
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline float SquaresBody(const float* vector, uint32_t stride,
                                                      float by) {
  float sums[kSums] = {};
  for (uint32_t at = 0; at < stride; at += kSums) {
    for (uint32_t l = 0; l < kSums; ++l) {
      const float scaled = vector[at + l] * by;
      sums[l] += scaled * scaled;
    }
  }
  return Sum(sums);
}

// Signs, scales and transforms in place, the components i, i + stride / 64, i + 2 * stride / 64 …
// among each other.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void RotateBody(float* vector, uint32_t stride,
                                                    const float* signs, float by) {
  for (uint32_t i = 0; i < stride; ++i) vector[i] *= signs[i] * by;
  for (uint32_t half = stride / 2; half >= stride / kParts; half /= 2) {
    for (uint32_t begin = 0; begin < stride; begin += 2 * half) {
      float* a = vector + begin;
      float* b = a + half;
      for (uint32_t i = 0; i < half; ++i) {
        const float sum = a[i] + b[i];
        b[i] = a[i] - b[i];
        a[i] = sum;
      }
    }
  }
}

// Rounds to integers; the sum of the squares of what that cut off.
template <typename Integer>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline float RoundBody(const float* unit, uint32_t stride, float by,
                                                    Integer* rounded) {
  // Added and taken away again, it leaves no room for a fraction.
  constexpr float kNoFraction = 12582912.0F;
  float sums[kSums] = {};
  for (uint32_t at = 0; at < stride; at += kSums) {
    for (uint32_t l = 0; l < kSums; ++l) {
      const float exact = unit[at + l] * by;
      const float whole = (exact + kNoFraction) - kNoFraction;
      rounded[at + l] = static_cast<Integer>(static_cast<int32_t>(whole));
      sums[l] += (exact - whole) * (exact - whole);
    }
  }
  return Sum(sums);
}

struct Loops {
  void (*turn)(const float*, uint32_t, const float*, const float*, float*);
  float (*largest)(const float*, uint32_t);
  float (*squares)(const float*, uint32_t, float);
  void (*rotate)(float*, uint32_t, const float*, float);
  float (*round_query)(const float*, uint32_t, float, int16_t*);
  float (*round_row)(const float*, uint32_t, float, int8_t*);
};

#define WEIR_CACHE_LOOPS(name, attribute)                                                         \
  attribute void Turn##name(const float* vector, uint32_t stride, const float* signs,             \
                            const float* second_signs, float* turned) {                           \
    TurnBody(vector, stride, signs, second_signs, turned);                                        \
  }                                                                                               \
  attribute float Largest##name(const float* vector, uint32_t stride) {                           \
    return LargestBody(vector, stride);                                                           \
  }                                                                                               \
  attribute float Squares##name(const float* vector, uint32_t stride, float by) {                 \
    return SquaresBody(vector, stride, by);                                                       \
  }                                                                                               \
  attribute void Rotate##name(float* vector, uint32_t stride, const float* signs, float by) {     \
    RotateBody(vector, stride, signs, by);                                                        \
  }                                                                                               \
  attribute float RoundQuery##name(const float* unit, uint32_t stride, float by,                  \
                                   int16_t* rounded) {                                            \
    return RoundBody(unit, stride, by, rounded);                                                  \
  }                                                                                               \
  attribute float RoundRow##name(const float* unit, uint32_t stride, float by, int8_t* rounded) { \
    return RoundBody(unit, stride, by, rounded);                                                  \
  }                                                                                               \
  constexpr Loops k##name = {Turn##name,   Largest##name,    Squares##name,                       \
                             Rotate##name, RoundQuery##name, RoundRow##name};

WEIR_CACHE_LOOPS(Portable, )
#if defined(__x86_64__)
WEIR_CACHE_LOOPS(Avx2, __attribute__((target("avx2"))))
#endif

const Loops& BestLoops() {
#if defined(__x86_64__)
  static const Loops& best = CpuHasAvx2() ? kAvx2 : kPortable;
  return best;
#else
  return kPortable;
#endif
}

}  // namespace

Rotation::Rotation(uint64_t seed, uint32_t dimensions)
    : stride_((dimensions + 63) / 64 * 64), first_signs_(stride_), signs_(stride_) {
  Random generator(seed);
  const auto draw = [&generator] { return (generator.Next() >> 63) != 0 ? 1.0F : -1.0F; };
  std::generate(first_signs_.begin(), first_signs_.end(), draw);
  std::generate(signs_.begin(), signs_.end(), draw);
  std::generate(second_signs_.begin(), second_signs_.end(), draw);
}

void Rotation::Turn(const float* vector, Turned* turned) const {
  BestLoops().turn(vector, stride_, signs_.data(), second_signs_.data(), turned->data());
}

float Rotation::Rotate(absl::Span<const float> vector, Prepared* prepared) const {
  const Loops& loops = BestLoops();
  float* const unit = prepared->unit;
  prepared->stride = stride_;
  std::copy(vector.begin(), vector.end(), unit);
  std::fill(unit + vector.size(), unit + stride_, 0.0F);
  const float largest = loops.largest(unit, stride_);
  if (!(largest >= kSmallest) || !std::isfinite(largest)) return 0;
  // By the largest component first, so that no square overflows or vanishes.
  const float squares = loops.squares(unit, stride_, 1 / largest);
  if (!std::isfinite(squares)) return 0;  // not a number
  const float length = std::sqrt(squares) * std::sqrt(static_cast<float>(kParts));
  loops.rotate(unit, stride_, first_signs_.data(), 1 / largest / length);
  Turn(unit, &prepared->turned);
  return loops.largest(unit, stride_);
}

bool Rotation::PrepareQuery(absl::Span<const float> vector, Prepared* prepared) const {
  const float largest = Rotate(vector, prepared);
  if (largest == 0) return false;
  prepared->query_scale = largest / kQueryMost;
  BestLoops().round_query(prepared->unit, stride_, kQueryMost / largest, prepared->query);
  return true;
}

bool Rotation::PrepareRow(absl::Span<const float> vector, Prepared* prepared) const {
  const float largest = Rotate(vector, prepared);
  if (largest == 0) return false;
  prepared->row_scale = largest / kRowMost;
  const float squares =
      BestLoops().round_row(prepared->unit, stride_, kRowMost / largest, prepared->row);
  prepared->row_rounding = std::sqrt(squares) * prepared->row_scale;
  return true;
}

Sketch SketchOf(const Turned& turned, const Turned* centre) {
  Sketch sketch = {};
  for (uint32_t i = 0; i < kSketchBits; ++i) {
    const float origin = centre == nullptr ? 0.0F : (*centre)[i];
    sketch[i / 64] |= uint64_t{turned[i] > origin} << i % 64;
  }
  return sketch;
}

float DistanceFrom(const Centre& centre, const Prepared& prepared) {
  float sums[kSums] = {};
  for (uint32_t at = 0; at < prepared.stride; at += kSums) {
    for (uint32_t l = 0; l < kSums; ++l) {
      sums[l] += centre.mean[at + l] * prepared.unit[at + l];
    }
  }
  return std::sqrt(std::max(0.0F, 1 - 2 * Sum(sums) + centre.squared));
}

uint32_t SketchLimit(float similarity, bool centred, float from_centre) {
  const double near = std::clamp(double{similarity}, -1.0, 1.0);
  double angle = std::acos(near);
  if (centred) {
    const double apart = std::sqrt(2 - 2 * near);
    if (!(apart < from_centre)) return kSketchBits;
    angle = std::asin(apart / double{from_centre});
  }
  const double share = angle / kPi;
  const double limit = kSketchBits * share +
                       kDeviations * std::sqrt(kSketchBits * share * (1 - share)) + kBitsToSpare;
  return limit >= kSketchBits ? kSketchBits : static_cast<uint32_t>(limit);
}

}  // namespace weir::cache
