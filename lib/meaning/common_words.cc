#include "meaning/common_words.h"

#include <cstddef>

namespace weir::meaning {
namespace {

// A Bloom filter, as data/make_common_words.py writes it.
constexpr uint64_t kFilter[] = {
#include "meaning/data/common_words.inc"
};
constexpr uint64_t kBits = sizeof(kFilter) * 8;
constexpr uint64_t kHashes = 5;

}  // namespace

bool IsCommonWord(uint64_t stem) {
  const uint64_t first = stem & 0xFFFFFFFF, step = stem >> 32 | 1;
  for (uint64_t i = 0; i < kHashes; ++i) {
    const uint64_t bit = (first + i * step) % kBits;
    if ((kFilter[bit / 64] >> bit % 64 & 1) == 0) return false;
  }
  return true;
}

}  // namespace weir::meaning
