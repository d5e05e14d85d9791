// Where to split a cell.

#ifndef WEIR_LIB_CACHE_HALVES_H_
#define WEIR_LIB_CACHE_HALVES_H_

#include <array>
#include <cstdint>
#include <vector>

#include "cache/vector.h"

namespace weir::cache {

struct Halves {
  std::array<Code, 2> codes;
  std::vector<uint8_t> sides;  // of each bearing: 0 or 1
  std::array<uint32_t, 2> counts = {};
};

// Two means (Lloyd's algorithm, of directions), begun from two bearings far from each other; each
// one's code is the mean of its side. Of one vector many times over all are on one side.
Halves Halve(const std::vector<Bearing>& bearings);

}  // namespace weir::cache

#endif  // WEIR_LIB_CACHE_HALVES_H_
