// A frozen table from digests to numbers whose look-up costs the same for every digest.
//
// Entries lie in one array, sorted by bucket. A look-up reads exactly `probes` entries from where
// the digest's bucket begins, compares each of them whole and in constant time, and never stops
// early; so neither a hit nor the place of a hit nor a near miss shows in the time. `probes` is the
// size of the fullest bucket. Reading on into the next bucket is harmless: digests are compared
// whole.

#ifndef WEIR_LIB_AUTH_DIGEST_TABLE_H_
#define WEIR_LIB_AUTH_DIGEST_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/hash.h"

namespace weir::auth {

class DigestTable {
 public:
  struct Entry {
    Digest256 digest;
    uint32_t value = 0;
  };

  // Digests must be distinct, values below 2^32 - 1.
  explicit DigestTable(std::vector<Entry> entries);

  // The value of `digest`, or -1.
  int64_t Find(const Digest256& digest) const;

  size_t probes() const { return probes_; }

 private:
  size_t Bucket(const Digest256& digest) const;

  struct Slot {
    Digest256 digest{};
    uint32_t value_plus_one = 0;  // 0: filler after the last entry, so that every run is full
  };

  std::vector<Slot> slots_;
  std::vector<uint32_t> starts_;  // by bucket; a power of two of them
  size_t probes_ = 0;
};

}  // namespace weir::auth

#endif  // WEIR_LIB_AUTH_DIGEST_TABLE_H_
