// The prebuilt look-up table of one encoding: its layout, and the reader.
//
// The generator (generate/make_table.cc) writes it at build time and the library embeds it, so this
// file is all that the two share. Offsets are from the table's start and nothing is relocated: the
// bytes work wherever they are mapped. Integers are in the byte order of the target.
//
// Whole pieces are looked up in three open-addressing tables by length, because a key that fits in
// one or two words is compared without touching the token's bytes. A fourth table maps two adjacent
// tokens to the token they merge into. Probing is linear and never wraps: each table ends with an
// empty entry.

#ifndef WEIR_LIB_TOKENS_RANK_TABLE_H_
#define WEIR_LIB_TOKENS_RANK_TABLE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::tokens {

static_assert(std::endian::native == std::endian::little, "keys are read as little-endian words");

inline constexpr uint64_t kTableMagic = 0x314c424154524957;  // "WIRTABL1"
inline constexpr uint32_t kNoToken = 0xFFFFFFFF;
inline constexpr int kIdBits = 18;  // 2^18 > 199,998; a pair and its result fill 54 bits of a word
inline constexpr uint32_t kMaxTokens = (1u << kIdBits) - 1;

struct TableHeader {
  uint64_t magic;
  uint32_t token_count;
  uint32_t max_token_bytes;
  // Home slots; each table has some entries more, for the probes that start in its last ones.
  uint32_t short_slots;   // tokens of 1 to 7 bytes
  uint32_t middle_slots;  // 8 to 15 bytes
  uint32_t long_slots;    // 16 bytes and more
  uint32_t pair_slots;
  // Offsets of the sections.
  uint32_t byte_ids;     // uint32_t[256]: the token of each single byte
  uint32_t token_begin;  // uint32_t[token_count + 1]: into token_bytes
  uint32_t token_bytes;
  uint32_t short_keys;    // uint64_t: the bytes, and the length in the top one; 0
                          // is empty
  uint32_t short_ids;     // uint32_t
  uint32_t middle_keys;   // MiddleKey; high 0 is empty
  uint32_t middle_ids;    // uint32_t
  uint32_t long_entries;  // LongEntry
  uint32_t pairs;         // uint64_t: left, right, result, kIdBits each; kNoPair is empty
  uint32_t table_bytes;
};

struct MiddleKey {
  uint64_t low;   // bytes 0 to 7
  uint64_t high;  // bytes 8 to 14, and the length in the top one
};

struct LongEntry {
  uint32_t tag;
  uint32_t id;  // kNoToken is empty
};

inline constexpr uint64_t kNoPair = ~uint64_t{0};
inline constexpr size_t kShortBytes = 7;
inline constexpr size_t kMiddleBytes = 15;

__extension__ typedef unsigned __int128 Uint128;

// Both halves of the 128-bit product, folded: every input bit reaches every output bit.
inline uint64_t FoldedProduct(uint64_t a, uint64_t b) {
  Uint128 product = static_cast<Uint128>(a) * b;
  return static_cast<uint64_t>(product >> 64) ^ static_cast<uint64_t>(product);
}

// Odd constants from the digits of pi.
inline constexpr uint64_t kSeedA = 0x243F6A8885A308D3;
inline constexpr uint64_t kSeedB = 0x13198A2E03707345;

inline uint64_t HashWord(uint64_t word) { return FoldedProduct(word ^ kSeedA, kSeedB); }
inline uint64_t HashMiddle(MiddleKey key) {
  return FoldedProduct(key.low ^ kSeedA, key.high ^ kSeedB);
}
inline uint64_t HashLong(const char* bytes, size_t size) {
  uint64_t hash = size;
  for (size_t at = 0; at + 8 < size; at += 8) {
    uint64_t word;
    std::memcpy(&word, bytes + at, 8);
    hash = FoldedProduct(hash ^ word ^ kSeedA, kSeedB);
  }
  uint64_t last;  // overlaps the word before it unless the size is a multiple of 8
  std::memcpy(&last, bytes + size - 8, 8);
  return FoldedProduct(hash ^ last ^ kSeedA, kSeedB);
}

// A slot in [0, slots), by the upper half of the hash.
inline uint32_t HomeSlot(uint64_t hash, uint32_t slots) {
  return static_cast<uint32_t>(((hash >> 32) * slots) >> 32);
}

inline uint64_t PairKey(uint32_t left, uint32_t right) {
  return static_cast<uint64_t>(left) << kIdBits | right;
}

// Up to 15 bytes as two words, zero-padded, without the length.
inline MiddleKey LoadBytes(const char* bytes, size_t size, const char* limit) {
  MiddleKey key = {0, 0};
  if (limit - bytes >= 16) [[likely]] {
    std::memcpy(&key, bytes, 16);
    if (size <= 8) {
      key.low = size == 8 ? key.low : key.low & ((uint64_t{1} << (8 * size)) - 1);
      key.high = 0;
    } else {
      key.high &= (uint64_t{1} << (8 * (size - 8))) - 1;
    }
  } else {
    std::memcpy(&key, bytes, size);
  }
  return key;
}

class RankTable {
 public:
  explicit RankTable(const unsigned char* base) {
    std::memcpy(&header_, base, sizeof header_);
    base_ = base;
  }

  uint32_t token_count() const { return header_.token_count; }

  std::string_view TokenBytes(uint32_t id) const {
    if (id >= header_.token_count) return {};
    const uint32_t* begin = Section<uint32_t>(header_.token_begin) + id;
    return {Section<char>(header_.token_bytes) + begin[0], begin[1] - begin[0]};
  }

  uint32_t ByteToken(unsigned char byte) const { return Section<uint32_t>(header_.byte_ids)[byte]; }

  // Where the id of the token with exactly these bytes is; null when there is none. A pointer, so
  // that who only counts does not fetch the id. Bytes up to `limit` may be read. size > 0.
  const uint32_t* Find(const char* bytes, size_t size, const char* limit) const {
    if (size <= kShortBytes) return FindShort(LoadBytes(bytes, size, limit).low, size);
    if (size <= kMiddleBytes) return FindMiddle(LoadBytes(bytes, size, limit), size);
    if (size <= header_.max_token_bytes) return FindLong(bytes, size);
    return nullptr;
  }

  // The token that `left` followed by `right` merges into, or kNoToken.
  uint32_t Merge(uint32_t left, uint32_t right) const {
    const uint64_t key = PairKey(left, right);
    const uint64_t* entry =
        Section<uint64_t>(header_.pairs) + HomeSlot(HashWord(key), header_.pair_slots);
    for (; *entry != kNoPair; ++entry) {
      if (*entry >> kIdBits == key) return *entry & kMaxTokens;
    }
    return kNoToken;
  }

 private:
  template <typename T>
  const T* Section(uint32_t offset) const {
    return reinterpret_cast<const T*>(base_ + offset);
  }

  const uint32_t* FindShort(uint64_t bytes, size_t size) const {
    const uint64_t key = bytes | static_cast<uint64_t>(size) << 56;
    const uint64_t* keys = Section<uint64_t>(header_.short_keys);
    uint32_t slot = HomeSlot(HashWord(key), header_.short_slots);
    for (; keys[slot] != 0; ++slot) {
      if (keys[slot] == key) return Section<uint32_t>(header_.short_ids) + slot;
    }
    return nullptr;
  }

  const uint32_t* FindMiddle(MiddleKey key, size_t size) const {
    key.high |= static_cast<uint64_t>(size) << 56;
    const MiddleKey* keys = Section<MiddleKey>(header_.middle_keys);
    uint32_t slot = HomeSlot(HashMiddle(key), header_.middle_slots);
    for (; keys[slot].high != 0; ++slot) {
      if (keys[slot].low == key.low && keys[slot].high == key.high) {
        return Section<uint32_t>(header_.middle_ids) + slot;
      }
    }
    return nullptr;
  }

  const uint32_t* FindLong(const char* bytes, size_t size) const {
    const uint64_t hash = HashLong(bytes, size);
    const LongEntry* entry =
        Section<LongEntry>(header_.long_entries) + HomeSlot(hash, header_.long_slots);
    for (; entry->id != kNoToken; ++entry) {
      if (entry->tag == static_cast<uint32_t>(hash) &&
          TokenBytes(entry->id) == std::string_view(bytes, size)) {
        return &entry->id;
      }
    }
    return nullptr;
  }

  const unsigned char* base_;
  TableHeader header_;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_RANK_TABLE_H_
