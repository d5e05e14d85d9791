// Byte-pair merging by a list of merges: the pair of the lowest rank is merged first, the leftmost
// of equals, until no neighbours are a pair.

#ifndef WEIR_LIB_TOKENS_LOADED_MERGES_H_
#define WEIR_LIB_TOKENS_LOADED_MERGES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/hash/hash.h"
#include "tokens/loaded/vocabulary.h"

namespace weir::tokens {

struct Merge {
  uint32_t rank;
  uint32_t id;
};
inline constexpr Merge kNoMerge = {~uint32_t{0}, kNoToken};

// Memory of Merges::Apply, reused from run to run.
struct MergeScratch {
  struct Link {
    uint32_t previous, next;
  };
  struct Candidate {
    uint64_t key;  // the rank, then the position
    uint32_t id;
  };
  std::vector<Merge> merges;
  std::vector<Link> links;
  std::vector<Candidate> heap;
};

class Merges {
 public:
  void Reserve(size_t merges);
  // A pair that is added again gets the later rank.
  void Add(uint32_t left, uint32_t right, Merge merge);
  // Call once, after the last Add: finds out between which symbols no merge can ever reach.
  // `symbols` are the ids that a text can begin as; if there are none, nothing is found out.
  void Freeze(const std::vector<uint32_t>& symbols);

  Merge Find(uint32_t left, uint32_t right) const;

  // Whether some merge may come to cover the boundary between these two symbols of a text. Where
  // none may, the text can be cut before merging.
  bool MayCross(uint32_t left, uint32_t right) const {
    const size_t hash = HashOf(left, right) >> 43;
    return (crossings_[hash / 64] >> (hash % 64) & 1) != 0;
  }

  // Merges `symbols` in place. O(n log n) in their number.
  void Apply(std::vector<uint32_t>* symbols, MergeScratch* scratch) const;

 private:
  struct Slot {
    uint32_t left = kNoToken, right = kNoToken;
    Merge merge = kNoMerge;
  };
  static constexpr size_t kCrossingBits = size_t{1} << 21;

  static uint64_t HashOf(uint32_t left, uint32_t right) {
    return absl::Hash<uint64_t>{}(uint64_t{left} << 32 | right);
  }
  void Rehash(size_t slots);
  bool FindEnds(const std::vector<uint32_t>& symbols);
  void ApplyFew(std::vector<uint32_t>* symbols, MergeScratch* scratch) const;
  void ApplyMany(std::vector<uint32_t>* symbols, MergeScratch* scratch) const;

  std::vector<Slot> slots_;
  size_t size_ = 0;
  std::vector<uint64_t> crossings_;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_MERGES_H_
