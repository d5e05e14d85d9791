// The loops that a look-up spends its time in, written once for each kind of processor.
//
// All are integer arithmetic, so every variant gives the same results to the bit. They read
// memory that a writer may be changing: what comes of that is thrown away by whoever calls, who
// checks the row's sequence after.

#ifndef WEIR_LIB_CACHE_KERNELS_H_
#define WEIR_LIB_CACHE_KERNELS_H_

#include <cstdint>

#include "cache/memory.h"

namespace weir::cache {

// How many bits a sketch may be off: in its first words, and in all.
struct Limits {
  uint32_t first = kFirstBits, all = kSketchBits;
};

struct Kernels {
  // For each of `blocks` blocks, in `near`, a bit for each row whose sketch is within the limits of
  // `sketch`.
  void (*scan)(const Block* const* blocks, uint32_t count, const uint64_t* sketch, Limits limits,
               uint32_t* near);
  // How many bits one row of a block is off.
  Limits (*distance)(const Block& block, uint32_t row, const uint64_t* sketch);
  // The product of two vectors of `stride` (a multiple of 64) components, of -4095 … 4095 and -127
  // … 127: no sum of kMaxDimensions such products leaves 32 bits.
  int32_t (*dot)(const int16_t* query, const int8_t* row, uint32_t stride);
  // The products of a bearing's kBearings components (-kMostBearing … kMostBearing) and the codes
  // of a group's cells.
  void (*score)(const CellGroup& group, const int16_t* bearing, int32_t* scores);
};

// What there is to choose from, for the tests; null where this machine cannot run it.
struct KernelVariants {
  const Kernels *portable, *avx2, *avx512, *neon;
};
KernelVariants AllKernelVariants();
const Kernels& BestKernels();

}  // namespace weir::cache

#endif  // WEIR_LIB_CACHE_KERNELS_H_
