// The hash that names counters: keyed, 128 bits, a few nanoseconds.
//
// Two rows of multilinear hashing (Lemire and Kaser, "Strongly universal string hashing is fast",
// 2014): each 64-bit word of the text times a secret 128-bit multiplier, summed modulo 2^128; the
// upper half of the sum is the result. For any two different texts, whoever chose them without
// knowing the secret, both rows collide with probability 2^-128, and each half is as good as random
// for placing keys in a table. The length is one of the words. Texts above kLongestDirect bytes are
// first brought to 16 bytes by SipHash.
//
// The multipliers come from the segment's seed, so every process hashes alike. The host must take
// the seed from a source of secrets where keys are chosen by strangers.

#ifndef WEIR_LIB_LIMITS_KEY_HASH_H_
#define WEIR_LIB_LIMITS_KEY_HASH_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "base/hash.h"
#include "base/saturating.h"

namespace weir::limits {

class KeyHash {
 public:
  explicit KeyHash(uint64_t seed) : seed_(seed) {
    for (uint64_t row = 0; row < 2; ++row) {
      for (uint64_t word = 0; word < kWords; ++word) {
        const uint64_t place[] = {row, word};
        const Hash128 made =
            SipHash(seed, "multipliers", {reinterpret_cast<const char*>(place), sizeof(place)});
        multipliers_[word][row] = static_cast<uint128>(made.hi) << 64 | made.lo;
      }
    }
    for (size_t size = 0; size <= kLongestDirect; ++size) {
      for (int row = 0; row < 2; ++row) lengths_[size][row] = multipliers_[2][row] * size;
    }
  }

  uint64_t seed() const { return seed_; }

  // A sum in two words: as one, it would be copied by way of a vector register and memory.
  struct Sum128 {
    uint64_t low = 0, high = 0;
    ABSL_ATTRIBUTE_ALWAYS_INLINE void Add(uint128 n) {
      const uint128 sum = (static_cast<uint128>(high) << 64 | low) + n;
      low = static_cast<uint64_t>(sum);
      high = static_cast<uint64_t>(sum >> 64);
    }
  };

  // What all keys of one name space begin with. Different names, different starts.
  struct Start {
    Sum128 rows[2];
  };
  Start Begin(Hash128 name_space) const {
    Start start;
    Add(start, 0, name_space.hi);
    Add(start, 1, name_space.lo);
    return start;
  }

  // Of a note about what has a hash already.
  Hash128 operator()(const Start& start, Hash128 key) const {
    return (*this)(start, {reinterpret_cast<const char*>(&key), sizeof(key)});
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE Hash128 operator()(const Start& start, std::string_view text) const {
    const char* bytes = text.data();
    const size_t size = text.size();
    if (ABSL_PREDICT_FALSE(size > kLongestDirect)) return Long(start, text);
    Start sum = start;
    for (int row = 0; row < 2; ++row) sum.rows[row].Add(lengths_[size][row]);
    if (size < 8) {
      if (size != 0) Add(sum, 3, Short(bytes, size));
      return Finish(sum);
    }
    // The last eight bytes, and before them whole words from the front: they may overlap, and the
    // length says by how much.
    const size_t last = 2 + (size + 7) / 8;
    Add(sum, last, Load(bytes + size - 8));
#pragma GCC unroll 1
    for (size_t word = 3; word < last; ++word, bytes += 8) Add(sum, word, Load(bytes));
    return Finish(sum);
  }

 private:
  static constexpr size_t kLongestDirect = 64;
  static constexpr size_t kWords = 3 + kLongestDirect / 8;  // name space, length, text

  static uint64_t Load(const char* bytes) {
    uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof(word));
    return word;
  }

  // One to seven bytes: two overlapping halves.
  static uint64_t Short(const char* bytes, size_t size) {
    if (size >= 4) {
      uint32_t first = 0, last = 0;
      std::memcpy(&first, bytes, sizeof(first));
      std::memcpy(&last, bytes + size - sizeof(last), sizeof(last));
      return uint64_t{first} << 32 | last;
    }
    const auto byte = [&](size_t i) { return uint64_t{static_cast<unsigned char>(bytes[i])}; };
    return byte(0) << 16 | byte(size / 2) << 8 | byte(size - 1);
  }

  void Add(Start& start, size_t word, uint64_t value) const {
    start.rows[0].Add(multipliers_[word][0] * value);
    start.rows[1].Add(multipliers_[word][1] * value);
  }

  static Hash128 Finish(const Start& start) { return {start.rows[0].high, start.rows[1].high}; }

  ABSL_ATTRIBUTE_NOINLINE Hash128 Long(Start start, std::string_view text) const {
    const Hash128 digest = SipHash(seed_, text);
    Add(start, 2, text.size());
    Add(start, 3, digest.hi);
    Add(start, 4, digest.lo);
    return Finish(start);
  }

  uint64_t seed_;
  uint128 multipliers_[kWords][2];
  uint128 lengths_[kLongestDirect + 1][2];  // what a length adds
};

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_KEY_HASH_H_
