#include "cache/vector.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "absl/base/attributes.h"
#include "base/cpu.h"
#include "base/random.h"

namespace weir::cache {
namespace {

constexpr uint32_t kParts = 64;  // that a rotation mixes
constexpr uint32_t kSide = 16;   // 256 components are a square
constexpr float kSmallest = 1e-30F;
// Standard deviations that are allowed for: one sketch in 4,000 deviates more.
constexpr double kDeviations = 3.5;
// And for the first words, of which one in 700 does.
constexpr double kFirstDeviations = 3;
constexpr double kBitsToSpare = 2;
constexpr double kPi = 3.14159265358979323846;

// Eight floats at once, in whatever registers the processor has: the same order of adding on every
// one. The bodies below are inlined into functions for several kinds of processor, none of which
// may contract a product and a sum.
constexpr uint32_t kWide = 8;
constexpr uint32_t kAtOnce = 4;  // sums side by side; kWide * kAtOnce divides every stride
typedef float Floats __attribute__((vector_size(kWide * 4)));
typedef int32_t Integers __attribute__((vector_size(kWide * 4)));

#define WEIR_CACHE_BODY ABSL_ATTRIBUTE_ALWAYS_INLINE inline

// The same where it lies in an array.
typedef float Laid __attribute__((vector_size(kWide * 4), aligned(4), may_alias));
WEIR_CACHE_BODY const Laid& At(const float* at) { return *reinterpret_cast<const Laid*>(at); }
WEIR_CACHE_BODY Laid& At(float* at) { return *reinterpret_cast<Laid*>(at); }

WEIR_CACHE_BODY float Sum(const Floats* sums) {
  const Floats all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float total = 0;
  for (uint32_t l = 0; l < kWide; ++l) total += all[l];
  return total;
}

// A Hadamard transform in place across `size` / `width` parts, a power of four: of the components
// that are `width` apart.
WEIR_CACHE_BODY void HadamardBody(float* vector, uint32_t size, uint32_t width) {
  for (uint32_t step = size / 4; step >= width; step /= 4) {
    for (uint32_t begin = 0; begin < size; begin += 4 * step) {
      float* const at = vector + begin;
      uint32_t i = 0;
      for (; i + kWide <= step; i += kWide) {
        const Floats a = At(at + i);
        const Floats b = At(at + step + i);
        const Floats c = At(at + 2 * step + i);
        const Floats d = At(at + 3 * step + i);
        At(at + i) = (a + b) + (c + d);
        At(at + step + i) = (a - b) + (c - d);
        At(at + 2 * step + i) = (a + b) - (c + d);
        At(at + 3 * step + i) = (a - b) - (c - d);
      }
      for (; i < step; ++i) {
        const float a = at[i];
        const float b = at[step + i];
        const float c = at[2 * step + i];
        const float d = at[3 * step + i];
        at[i] = (a + b) + (c + d);
        at[step + i] = (a - b) + (c - d);
        at[2 * step + i] = (a + b) - (c + d);
        at[3 * step + i] = (a - b) - (c - d);
      }
    }
  }
}

// A short vector is laid out several times, each time with other signs, to fill the 256. Down the
// columns of a square and then along its rows is a transform of it all, but for the order.
WEIR_CACHE_BODY void TurnBody(const float* vector, uint32_t stride, const float* signs,
                              float* turned) {
  alignas(64) float square[kSketchBits] = {};
  for (uint32_t at = 0; at < std::max(stride, kSketchBits); at += stride) {
    for (uint32_t part = 0; part < stride; part += kParts) {
      float* const to = square + (at + part) % kSketchBits;
      for (uint32_t i = 0; i < kParts; i += kWide) {
        At(to + i) += At(vector + part + i) * At(signs + at + part + i);
      }
    }
  }
  HadamardBody(square, kSketchBits, kSide);
  for (uint32_t row = 0; row < kSide; ++row) {
    for (uint32_t i = 0; i < kSide; ++i) turned[i * kSide + row] = square[row * kSide + i];
  }
  HadamardBody(turned, kSketchBits, kSide);
}

// The largest component's size.
WEIR_CACHE_BODY float LargestBody(const float* vector, uint32_t stride) {
  Floats largest[kAtOnce] = {};
  for (uint32_t at = 0; at < stride; at += kWide * kAtOnce) {
    for (uint32_t s = 0; s < kAtOnce; ++s) {
      const Floats next = At(vector + at + s * kWide);
      const Floats size = next < 0 ? -next : next;
      largest[s] = size > largest[s] ? size : largest[s];
    }
  }
  float all = 0;
  for (const Floats& one : largest) {
    for (uint32_t l = 0; l < kWide; ++l) all = std::max(all, one[l]);
  }
  return all;
}

WEIR_CACHE_BODY float ProductBody(const float* a, const float* b, uint32_t stride, float by) {
  Floats sums[kAtOnce] = {};
  for (uint32_t at = 0; at < stride; at += kWide * kAtOnce) {
    for (uint32_t s = 0; s < kAtOnce; ++s) {
      const Floats one = At(a + at + s * kWide);
      const Floats other = At(b + at + s * kWide);
      sums[s] += (one * by) * (other * by);
    }
  }
  return Sum(sums);
}

WEIR_CACHE_BODY void WidenBody(const int8_t* row, uint32_t stride, float by, float* vector) {
  typedef int8_t Narrow __attribute__((vector_size(kWide)));
  for (uint32_t at = 0; at < stride; at += kWide) {
    Narrow narrow;
    std::memcpy(&narrow, row + at, sizeof(narrow));
    At(vector + at) = __builtin_convertvector(narrow, Floats) * by;
  }
}

// Signs, scales and transforms in place.
WEIR_CACHE_BODY void RotateBody(float* vector, uint32_t stride, const float* signs, float by) {
  for (uint32_t i = 0; i < stride; ++i) vector[i] *= signs[i] * by;
  HadamardBody(vector, stride, stride / kParts);
}

// Rounds to integers; the sum of the squares of what that cut off.
template <typename Integer>
WEIR_CACHE_BODY float RoundBody(const float* unit, uint32_t stride, float by, Integer* rounded) {
  typedef Integer Narrow __attribute__((vector_size(kWide * sizeof(Integer))));
  // Added and taken away again, it leaves no room for a fraction.
  constexpr float kNoFraction = 12582912.0F;
  Floats sums[kAtOnce] = {};
  for (uint32_t at = 0; at < stride; at += kWide * kAtOnce) {
    for (uint32_t s = 0; s < kAtOnce; ++s) {
      const Floats exact = At(unit + at + s * kWide) * by;
      const Floats whole = (exact + kNoFraction) - kNoFraction;
      const Integers integers = __builtin_convertvector(whole, Integers);
      const Narrow narrow = __builtin_convertvector(integers, Narrow);
      std::memcpy(rounded + at + s * kWide, &narrow, sizeof(narrow));
      sums[s] += (exact - whole) * (exact - whole);
    }
  }
  return Sum(sums);
}

WEIR_CACHE_BODY uint64_t SignsPortable(const float* turned, const float* origin) {
  uint64_t bits = 0;
  for (uint32_t i = 0; i < 64; ++i) bits |= uint64_t{turned[i] > origin[i]} << i;
  return bits;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) inline uint64_t SignsAvx2(const float* turned,
                                                          const float* origin) {
  uint64_t bits = 0;
  for (uint32_t i = 0; i < 64; i += 8) {
    const __m256 above =
        _mm256_cmp_ps(_mm256_loadu_ps(turned + i), _mm256_loadu_ps(origin + i), _CMP_GT_OQ);
    bits |= uint64_t{static_cast<uint32_t>(_mm256_movemask_ps(above))} << i;
  }
  return bits;
}
#endif

struct Loops {
  void (*turn)(const float*, uint32_t, const float*, float*);
  float (*largest)(const float*, uint32_t);
  float (*product)(const float*, const float*, uint32_t, float);
  void (*rotate)(float*, uint32_t, const float*, float);
  float (*round_query)(const float*, uint32_t, float, int16_t*);
  float (*round_row)(const float*, uint32_t, float, int8_t*);
  void (*widen)(const int8_t*, uint32_t, float, float*);
  uint64_t (*signs)(const float*, const float*);
};

// The attribute cannot stand in parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
#define WEIR_CACHE_LOOPS(name, attribute)                                                         \
  attribute void Turn##name(const float* vector, uint32_t stride, const float* signs,             \
                            float* turned) {                                                      \
    TurnBody(vector, stride, signs, turned);                                                      \
  }                                                                                               \
  attribute float Largest##name(const float* vector, uint32_t stride) {                           \
    return LargestBody(vector, stride);                                                           \
  }                                                                                               \
  attribute float Product##name(const float* a, const float* b, uint32_t stride, float by) {      \
    return ProductBody(a, b, stride, by);                                                         \
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
  attribute void Widen##name(const int8_t* row, uint32_t stride, float by, float* vector) {       \
    WidenBody(row, stride, by, vector);                                                           \
  }                                                                                               \
  constexpr Loops k##name = {Turn##name,       Largest##name,  Product##name, Rotate##name,       \
                             RoundQuery##name, RoundRow##name, Widen##name,   Signs##name};

// NOLINTEND(bugprone-macro-parentheses)
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
    : stride_((dimensions + 63) / 64 * 64), first_signs_(stride_), signs_(stride_ + kSketchBits) {
  Random generator(seed);
  const auto draw = [&generator] { return (generator.Next() >> 63) != 0 ? 1.0F : -1.0F; };
  std::generate(first_signs_.begin(), first_signs_.end(), draw);
  std::generate(signs_.begin(), signs_.end(), draw);
}

void Rotation::Turn(const float* vector, Turned* turned) const {
  BestLoops().turn(vector, stride_, signs_.data(), turned->data());
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
  const float squares = loops.product(unit, unit, stride_, 1 / largest);
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
  static constexpr Turned kOrigin = {};
  const Turned& origin = centre == nullptr ? kOrigin : *centre;
  Sketch sketch;
  for (uint32_t w = 0; w < kSketchWords; ++w) {
    sketch[w] = BestLoops().signs(turned.data() + 64 * w, origin.data() + 64 * w);
  }
  return sketch;
}

void Rotation::TurnRow(const int8_t* row, float scale, Turned* turned) const {
  alignas(64) float vector[kMaxDimensions];
  BestLoops().widen(row, stride_, scale, vector);
  Turn(vector, turned);
}

Bearing BearingOf(const Turned& turned, const Turned& centre) {
  Turned apart;
  for (uint32_t i = 0; i < kBearings; ++i) apart[i] = turned[i] - centre[i];
  const Loops& loops = BestLoops();
  const float squares = loops.product(apart.data(), apart.data(), kBearings, 1);
  Bearing bearing = {};
  // Nothing is seen from where one is, or from nowhere (memory that was damaged).
  if (!(squares >= kSmallest) || !std::isfinite(squares)) return bearing;
  loops.round_query(apart.data(), kBearings, kMostBearing / std::sqrt(squares), bearing.at);
  return bearing;
}

Bearing BearingOf(const Code& code) {
  Bearing bearing;
  for (uint32_t i = 0; i < kBearings; ++i) bearing.at[i] = static_cast<int16_t>(code.at[i] * 16);
  return bearing;
}

Code CodeOf(const std::array<int32_t, kBearings>& sum) {
  Turned direction;
  for (uint32_t i = 0; i < kBearings; ++i) direction[i] = static_cast<float>(sum[i]);
  const Loops& loops = BestLoops();
  const float squares = loops.product(direction.data(), direction.data(), kBearings, 1);
  const float by = squares == 0 ? 0 : kCodeUnit / std::sqrt(squares);
  for (float& part : direction) part = std::clamp(part * by, -127.0F, 127.0F);
  Code code;
  loops.round_row(direction.data(), kBearings, 1, code.at);
  return code;
}

float DistanceFrom(const Centre& centre, const Prepared& prepared) {
  const float product = BestLoops().product(centre.mean.data(), prepared.unit, prepared.stride, 1);
  return std::sqrt(std::max(0.0F, 1 - 2 * product + centre.squared));
}

namespace {

// Of `bits` drawn ones that each differ with the chance `share`.
uint32_t LimitOf(uint32_t bits, double share, double deviations) {
  const double limit =
      bits * share + deviations * std::sqrt(bits * share * (1 - share)) + kBitsToSpare;
  return limit >= bits ? bits : static_cast<uint32_t>(limit);
}

}  // namespace

float WidestSine(float similarity, float from_centre) {
  const float apart = std::sqrt(2 - 2 * std::clamp(similarity, -1.0F, 1.0F));
  return apart < from_centre ? apart / from_centre : 1;
}

Limits SketchLimits(float similarity, bool centred, float from_centre) {
  const double near = std::clamp(double{similarity}, -1.0, 1.0);
  double angle = std::acos(near);
  if (centred) {
    const double apart = std::sqrt(2 - 2 * near);
    if (!(apart < from_centre)) return {};
    angle = std::asin(apart / double{from_centre});
  }
  const double share = angle / kPi;
  Limits limits;
  limits.all = LimitOf(kSketchBits, share, kDeviations);
  limits.first = LimitOf(kFirstBits, share, kFirstDeviations);
  return limits;
}

}  // namespace weir::cache
