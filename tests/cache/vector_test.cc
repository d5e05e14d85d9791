// The arithmetic: sketches against angles, and the stated error of int8.

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "cache/kernels.h"
#include "cache/vector.h"
#include "tests/cache/support.h"

namespace weir::cache {
namespace {

TEST_CASE(
    "int8 is off by no more than what rounding cut off, and hardly ever by the stated error") {
  Random random(3);
  auto asked = std::make_unique<Prepared>();
  auto kept = std::make_unique<Prepared>();
  for (const uint32_t dimensions : {8U, 100U, 384U, 1536U, 3072U, 4096U}) {
    const Rotation rotation(9, dimensions);
    int beyond = 0;
    constexpr int kPairs = 300;
    for (int i = 0; i < kPairs; ++i) {
      const Vector a = RandomVector(&random, dimensions);
      Vector b = Near(a, Uniform(&random, -1, 1), &random);
      const double exact = Cosine(a, b);
      for (float& x : b) x *= 1e10F;  // only the direction counts
      REQUIRE(rotation.PrepareQuery(a, asked.get()));
      REQUIRE(rotation.PrepareRow(b, kept.get()));
      const double found =
          double{static_cast<float>(BestKernels().dot(asked->query, kept->row, asked->stride))} *
          asked->query_scale * kept->row_scale;
      // What the 13 bits of the query add is a thirtieth of it.
      REQUIRE(std::abs(found - exact) <= kept->row_rounding * 1.1 + 1e-5);
      const double stated = kept->row_rounding * std::min(1.0, 4 / std::sqrt(dimensions));
      if (std::abs(found - exact) > stated + 1e-6) ++beyond;
    }
    CHECK(beyond <= 1);
  }
}

TEST_CASE("one component that is larger than all others costs the others nothing") {
  Random random(6);
  auto kept = std::make_unique<Prepared>();
  const Rotation rotation(2, 1536);
  Vector vector = RandomVector(&random, 1536);
  REQUIRE(rotation.PrepareRow(vector, kept.get()));
  CHECK(kept->row_rounding < 0.011);
  vector[194] = -0.7F;
  REQUIRE(rotation.PrepareRow(vector, kept.get()));
  CHECK(kept->row_rounding < 0.013);
}

TEST_CASE("sketches differ by the angle, in few dimensions as in many") {
  Random random(4);
  auto prepared = std::make_unique<Prepared>();
  for (const uint32_t dimensions : {8U, 64U, 384U, 1536U, 2000U}) {
    const Rotation rotation(17, dimensions);
    for (const double similarity : {0.99, 0.9, 0.7, 0.0}) {
      double sum = 0;
      int beyond = 0;
      constexpr int kPairs = 400;
      for (int i = 0; i < kPairs; ++i) {
        const Vector a = RandomVector(&random, dimensions);
        REQUIRE(rotation.PrepareRow(a, prepared.get()));
        const Sketch one = SketchOf(prepared->turned, nullptr);
        REQUIRE(rotation.PrepareRow(Near(a, similarity, &random), prepared.get()));
        const Sketch other = SketchOf(prepared->turned, nullptr);
        uint32_t distance = 0;
        uint32_t first = 0;
        for (uint32_t w = 0; w < kSketchWords; ++w) {
          distance += static_cast<uint32_t>(__builtin_popcountll(one[w] ^ other[w]));
          if (w + 1 == kFirstWords) first = distance;
        }
        sum += distance;
        const Limits limits = SketchLimits(static_cast<float>(similarity), false, 1);
        if (distance > limits.all || first > limits.first) ++beyond;
      }
      CHECK(std::abs(sum / kPairs - kSketchBits * std::acos(similarity) / 3.14159265) < 3);
      CHECK(beyond <= 2);
    }
  }
}

TEST_CASE("vectors of any size prepare; those without a direction do not") {
  const Rotation rotation(1, 16);
  auto prepared = std::make_unique<Prepared>();
  Vector vector(16, 0.0F);
  CHECK_FALSE(rotation.PrepareRow(vector, prepared.get()));
  vector[3] = 1e-40F;
  CHECK_FALSE(rotation.PrepareRow(vector, prepared.get()));
  vector[3] = 3e38F;
  vector[4] = -3e38F;
  REQUIRE(rotation.PrepareRow(vector, prepared.get()));
  double squares = 0;
  for (uint32_t i = 0; i < prepared->stride; ++i) {
    squares += std::pow(prepared->row[i] * prepared->row_scale, 2);
  }
  CHECK(std::abs(squares - 1) < 0.01);
  vector[9] = -INFINITY;
  CHECK_FALSE(rotation.PrepareRow(vector, prepared.get()));
  vector[9] = NAN;
  CHECK_FALSE(rotation.PrepareQuery(vector, prepared.get()));
}

}  // namespace
}  // namespace weir::cache
