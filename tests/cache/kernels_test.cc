// The kernels against each other and against what they mean. tests/cache/neon.sh runs these on
// another kind of processor, so they need nothing but the kernels.

#include <memory>
#include <vector>

#include "base/random.h"
#include "cache/kernels.h"
#include "cache/vector.h"
#include "tests/support/catch.h"

namespace weir::cache {
namespace {

std::vector<const Kernels*> Runnable() {
  const KernelVariants all = AllKernelVariants();
  std::vector<const Kernels*> runnable = {all.portable};
  if (all.avx2 != nullptr) runnable.push_back(all.avx2);
  if (all.avx512 != nullptr) runnable.push_back(all.avx512);
  if (all.neon != nullptr) runnable.push_back(all.neon);
  return runnable;
}

TEST_CASE("every kernel gives the same products, and the right ones") {
  Random random(1);
  alignas(64) int16_t query[kMaxDimensions];
  alignas(64) int8_t row[kMaxDimensions];
  for (int round = 0; round < 400; ++round) {
    const auto stride = static_cast<uint32_t>(64 * (1 + random.Below(kMaxDimensions / 64)));
    const bool extreme = round % 10 == 0;
    int64_t expected = 0;
    for (uint32_t i = 0; i < stride; ++i) {
      query[i] = static_cast<int16_t>(
          extreme ? -kQueryMost : static_cast<int>(random.Below(2 * kQueryMost + 1)) - kQueryMost);
      row[i] = static_cast<int8_t>(
          extreme ? kRowMost : static_cast<int>(random.Below(2 * kRowMost + 1)) - kRowMost);
      expected += int64_t{query[i]} * row[i];
    }
    REQUIRE(expected == static_cast<int32_t>(expected));
    for (const Kernels* kernels : Runnable()) {
      REQUIRE(kernels->dot(query, row, stride) == expected);
    }
  }
}

TEST_CASE("every kernel marks the same sketches, and the right ones") {
  Random random(2);
  auto blocks = std::make_unique<Block[]>(3);
  for (int round = 0; round < 500; ++round) {
    uint64_t sketch[kSketchWords];
    for (uint64_t& word : sketch) word = random.Next();
    for (int b = 0; b < 3; ++b) {
      for (uint32_t row = 0; row < kBlockRows; ++row) {
        const bool near = random.Below(2) == 0;
        for (uint32_t w = 0; w < kSketchWords; ++w) {
          const uint64_t few = random.Next() & random.Next() & random.Next();
          Set(blocks[b].sketch_word(row, w), near ? sketch[w] ^ few : random.Next());
        }
      }
    }
    const Block* const three[] = {&blocks[2], &blocks[0], &blocks[1]};
    Limits limits;
    if (round != 0) limits.all = static_cast<uint32_t>(random.Below(160));
    if (round % 3 != 0) limits.first = static_cast<uint32_t>(random.Below(80));
    for (const Kernels* kernels : Runnable()) {
      uint32_t near[3];
      kernels->scan(three, 3, sketch, limits, near);
      for (int b = 0; b < 3; ++b) {
        for (uint32_t row = 0; row < kBlockRows; ++row) {
          uint32_t distance = 0, first = 0;
          for (uint32_t w = 0; w < kSketchWords; ++w) {
            uint64_t differ = Get(three[b]->sketch_word(row, w)) ^ sketch[w];
            for (; differ != 0; differ &= differ - 1) ++distance;
            if (w + 1 == kFirstWords) first = distance;
          }
          const Limits off = kernels->distance(*three[b], row, sketch);
          REQUIRE(off.all == distance);
          REQUIRE(off.first == first);
          REQUIRE((near[b] >> row & 1) ==
                  (distance <= limits.all && first <= limits.first ? 1 : 0));
        }
      }
    }
  }
}

TEST_CASE("every kernel gives a cell the same score, and the right one") {
  Random random(3);
  const auto group = std::make_unique<CellGroup>();
  for (int round = 0; round < 200; ++round) {
    const bool extreme = round % 10 == 0;
    Bearing bearing;
    int8_t codes[kGroupCells][kBearings];
    for (int16_t& part : bearing.at) {
      part = static_cast<int16_t>(extreme ? -kMostBearing
                                          : static_cast<int>(random.Below(2 * kMostBearing + 1)) -
                                                kMostBearing);
    }
    for (uint32_t c = 0; c < kGroupCells; ++c) {
      for (uint32_t i = 0; i < kBearings; ++i) {
        codes[c][i] =
            static_cast<int8_t>(extreme ? 127 : static_cast<int>(random.Below(255)) - 127);
      }
      for (uint32_t p = 0; p < kBearings / 2; ++p) {
        const auto first = static_cast<uint8_t>(codes[c][2 * p]);
        const auto second = static_cast<uint8_t>(codes[c][2 * p + 1]);
        Set(group->codes[p][c], first | second << 8);
      }
    }
    for (const Kernels* kernels : Runnable()) {
      int32_t scores[kGroupCells];
      kernels->score(*group, bearing.at, scores);
      for (uint32_t c = 0; c < kGroupCells; ++c) {
        int64_t expected = 0;
        for (uint32_t i = 0; i < kBearings; ++i) expected += int64_t{bearing.at[i]} * codes[c][i];
        REQUIRE(scores[c] == expected);
      }
    }
  }
}

}  // namespace
}  // namespace weir::cache
