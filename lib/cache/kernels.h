// The two loops that a look-up spends its time in, written once for each kind of processor.
//
// Both are integer arithmetic, so every variant gives the same results to the bit. They read
// memory that a writer may be changing: what comes of that is thrown away by whoever calls, who
// checks the row's sequence after.

#ifndef WEIR_LIB_CACHE_KERNELS_H_
#define WEIR_LIB_CACHE_KERNELS_H_

#include <cstdint>

#include "cache/memory.h"

namespace weir::cache {

struct Kernels {
  // For each of `blocks` blocks, in `near`, a bit for each row whose sketch is at most `limit` bits
  // off `sketch`.
  void (*scan)(const Block* const* blocks, uint32_t count, const uint64_t* sketch, uint32_t limit,
               uint32_t* near);
  // The product of two vectors of `stride` (a multiple of 64) components, of -4095 … 4095 and -127
  // … 127: no sum of kMaxDimensions such products leaves 32 bits.
  int32_t (*dot)(const int16_t* query, const int8_t* row, uint32_t stride);
};

// What there is to choose from, for the tests; null where this machine cannot run it.
struct KernelVariants {
  const Kernels *portable, *avx2, *avx512;
};
KernelVariants AllKernelVariants();
const Kernels& BestKernels();

// How many bits a row's sketch is off.
inline uint32_t SketchDistance(const Block& block, uint32_t position, const uint64_t* sketch) {
  uint32_t distance = 0;
  for (uint32_t w = 0; w < kSketchWords; ++w) {
    const uint64_t word = Get(block.sketch[position / kLanes][w][position % kLanes]);
    distance += static_cast<uint32_t>(__builtin_popcountll(word ^ sketch[w]));
  }
  return distance;
}

}  // namespace weir::cache

#endif  // WEIR_LIB_CACHE_KERNELS_H_
