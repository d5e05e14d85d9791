// Vectors as the cache sees them: integers to compare by, and bits to pass over by.
//
// A vector is scaled to length 1 and then rotated: random signs, and a Hadamard transform across
// its 64ths. That changes no product, and leaves no component much larger than the others: some
// embedders have a few of twenty times the usual size, which would leave int8 little for the rest.
//
// A sketch is the signs of 256 components after another rotation: the vector is folded to 256
// components with random signs, which then go through a Hadamard transform. Two vectors at an angle
// differ in the share angle / pi of their signs (Charikar 2002), give or take what 256 draws
// deviate.

#ifndef WEIR_LIB_CACHE_VECTOR_H_
#define WEIR_LIB_CACHE_VECTOR_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "cache/kernels.h"
#include "cache/memory.h"

namespace weir::cache {

inline constexpr int kQueryMost = 4095;  // 13 bits with the sign
inline constexpr int kRowMost = 127;

using Sketch = std::array<uint64_t, kSketchWords>;
using Turned = std::array<float, kSketchBits>;

// A vector of length 1, rotated, and what is needed of it. Large: for the stack, not to be zeroed.
struct Prepared {
  alignas(64) float unit[kMaxDimensions];
  alignas(64) int16_t query[kMaxDimensions];
  alignas(64) int8_t row[kMaxDimensions];
  alignas(64) Turned turned;
  uint32_t stride;     // the components of all three
  float query_scale;   // query * query_scale is the vector
  float row_scale;     // row * row_scale is about the vector …
  float row_rounding;  // … off by this length
};

// Where a vector lies as seen from the mean: a direction of kBearings components, which are
// integers of kMostBearing for 1. What cells are chosen by.
inline constexpr int kMostBearing = 8192;
struct Bearing {
  alignas(64) int16_t at[kBearings];
};

// And where a cell lies: integers of kCodeUnit for 1, of which no component of a direction reaches
// a third.
inline constexpr float kCodeUnit = 400;
struct Code {
  alignas(64) int8_t at[kBearings];
};
// What the product of a bearing and a code is that point the same way.
inline constexpr float kSameWay = kMostBearing * kCodeUnit;

// The random signs of one cache.
class Rotation {
 public:
  Rotation(uint64_t seed, uint32_t dimensions);

  // `query` for a look-up. False: the vector has no direction.
  bool PrepareQuery(absl::Span<const float> vector, Prepared* prepared) const;
  // `row` and its fellows for a row.
  bool PrepareRow(absl::Span<const float> vector, Prepared* prepared) const;

  // Of a rotated vector.
  void Turn(const float* vector, Turned* turned) const;
  // Of a row's integers.
  void TurnRow(const int8_t* row, float scale, Turned* turned) const;

 private:
  // Up to the largest component's size; 0: it has no direction.
  float Rotate(absl::Span<const float> vector, Prepared* prepared) const;

  uint32_t stride_;
  std::vector<float> first_signs_, signs_;  // of the rotation, of the sketch
};

// The mean that sketches are around, as each process keeps it for itself.
struct Centre {
  std::vector<float> mean;  // stride
  Turned turned;
  float squared = 0;  // its length
};

// The signs, around `centre` or the origin.
Sketch SketchOf(const Turned& turned, const Turned* centre);

Bearing BearingOf(const Turned& turned, const Turned& centre);
// About where a cell lies.
Bearing BearingOf(const Code& code);
// Of the direction of a sum of bearings.
Code CodeOf(const std::array<int32_t, kBearings>& sum);

// The length of a unit vector's difference from the mean.
float DistanceFrom(const Centre& centre, const Prepared& prepared);

// The sine of the widest angle, as seen from the centre, between a vector at `from_centre` of it
// and one of this similarity; 1: any.
float WidestSine(float similarity, float from_centre);

// How many bits the sketch of a vector with at least this similarity may be off. `from_centre`: the
// length of the difference of the vector asked about from the centre of the sketches; 1 at the
// origin. The other one's is not known: the widest angle under which it can lie is taken.
Limits SketchLimits(float similarity, bool centred, float from_centre);

}  // namespace weir::cache

#endif  // WEIR_LIB_CACHE_VECTOR_H_
