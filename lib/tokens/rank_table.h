// The prebuilt look-up table of one encoding: its layout, and the reader.
//
// The generator (generate/make_table.cc) writes it at build time and the library embeds it, so this
// file is all that the two share. Offsets are from the table's start and nothing is relocated: the
// bytes work wherever they are mapped. Integers are in the byte order of the target.
//
// Whole pieces are looked up in three tables by length, because a key that fits in one or two words
// is compared without touching the token's bytes. The two for up to 15 bytes are perfect hash
// tables: keys fall into small buckets, and the generator has found for each bucket a pilot that
// sends its keys to slots of their own, so a look-up reads one pilot and one slot whatever it finds
// (Pibiri, Trani: "PTHash: revisiting FCH minimal perfect hashing", 2021). Longer tokens are few,
// and a fourth table maps two adjacent tokens to the token they merge into: there probing is linear
// and never wraps, as each ends with an empty entry. A fifth says the same for two single bytes,
// which merging begins with, by their values.

#ifndef WEIR_LIB_TOKENS_RANK_TABLE_H_
#define WEIR_LIB_TOKENS_RANK_TABLE_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weir::tokens {

static_assert(std::endian::native == std::endian::little, "keys are read as little-endian words");

inline constexpr uint64_t kTableMagic = 0x334c424154524957;  // "WIRTABL3"
inline constexpr uint32_t kNoToken = 0xFFFFFFFF;
inline constexpr int kIdBits = 18;  // 2^18 > 199,998; a pair and its result fill 54 bits of a word
inline constexpr uint32_t kMaxTokens = (1u << kIdBits) - 1;

inline constexpr size_t kMaxTokenBytes = 128;  // the generator refuses longer ones

struct PerfectHash {
  uint32_t buckets;
  uint32_t slots;
  uint32_t pilots;  // offset of uint16_t[buckets]
};

struct TableHeader {
  uint64_t magic;
  uint32_t token_count;
  uint32_t max_token_bytes;
  uint32_t long_slots;  // tokens of 16 bytes and more; home slots, as are the next
  uint32_t pair_slots;
  // Offsets of the sections.
  uint32_t byte_ids;     // uint32_t[256]: the token of each single byte
  uint32_t token_begin;  // uint32_t[token_count + 1]: into token_bytes
  uint32_t token_bytes;
  PerfectHash short_hash;   // tokens of 1 to 7 bytes
  uint32_t short_keys;      // uint64_t: the bytes, and the length in the top one
  uint32_t short_ids;       // uint32_t
  PerfectHash middle_hash;  // 8 to 15 bytes
  uint32_t middle_keys;     // MiddleKey
  uint32_t middle_ids;      // uint32_t
  uint32_t long_entries;    // LongEntry
  uint32_t pairs;           // uint64_t: left, right, result, kIdBits each; kNoPair is empty
  uint32_t byte_pairs;      // uint32_t[65536]: by the first byte, then the second; or kNoToken
  uint32_t pair_filter;     // uint64_t[kFilterBits / 64]: bit FilterBit(hash) is set for each pair
  uint32_t whole_chars;     // uint32_t[65536]: by code point, see WholeChar; or kNoToken
  uint32_t threats;         // uint64_t: a threat, kIdBits of a rank; kNoPair is empty
  uint32_t threat_slots;
  uint32_t neighbours;  // uint64_t[kNeighbourBits / 64]: bit NeighbourBit(a, b) is set if a token
                        // holds the character a directly before the character b
  uint32_t open_chars;  // uint8_t[65536]: by code point, see MayJoin
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

// Most pairs that merging asks for are none. A filter of one bit for each hash says so from a place
// that stays in the second-level cache, at an eighth of false hopes for 200,000 pairs.
inline constexpr uint32_t kFilterBits = uint32_t{1} << 21;
inline uint32_t FilterBit(uint64_t hash) { return static_cast<uint32_t>(hash) % kFilterBits; }

// Where a bucket's pilot sends a key.
inline uint32_t PilotSlot(uint64_t hash, uint32_t pilot, uint32_t slots) {
  const uint32_t moved = static_cast<uint32_t>(hash) ^ pilot * uint32_t{0x9E3779B1};
  return static_cast<uint32_t>(uint64_t{moved} * slots >> 32);
}

inline uint64_t PairKey(uint32_t left, uint32_t right) {
  return static_cast<uint64_t>(left) << kIdBits | right;
}

// Characters that may not be whole everywhere: flags beside their ids.
inline constexpr uint32_t kCheckBefore = uint32_t{1} << 30;
inline constexpr uint32_t kCheckAfter = uint32_t{1} << 31;
inline constexpr uint32_t kNoCodePoint = 0x1FFFFF;

// The first byte, and the first two, of a character of two or three bytes; the latter is 0 when
// that is all of it. Likewise the last. Two bytes are above 255.
struct PartsOfChar {
  uint32_t one, two;
};
inline PartsOfChar FirstBytes(uint32_t code_point) {
  if (code_point < 0x800) return {0xC0 | code_point >> 6, 0};
  const uint32_t first = 0xE0 | code_point >> 12;
  return {first, first << 8 | 0x80 | (code_point >> 6 & 0x3F)};
}
inline PartsOfChar LastBytes(uint32_t code_point) {
  const uint32_t last = 0x80 | (code_point & 0x3F);
  if (code_point < 0x800) return {last, 0};
  return {last, (0x80 | (code_point >> 6 & 0x3F)) << 8 | last};
}

// That a token joins the character `before` to the first bytes of another; or the last bytes of one
// to the byte `after` it.
inline uint64_t ThreatBefore(uint32_t before, uint32_t first_bytes) {
  return uint64_t{before} << 16 | first_bytes;
}
inline uint64_t ThreatAfter(uint32_t last_bytes, int after) {
  return uint64_t{1} << 40 | uint64_t{last_bytes} << 16 | static_cast<uint64_t>(after);
}

// Whether two characters of up to 16 bits are neighbours in a token.
inline constexpr int kNeighbourBitsLog2 = 19;
inline constexpr uint32_t kNeighbourBits = uint32_t{1} << kNeighbourBitsLog2;
inline uint32_t NeighbourBit(uint32_t before, uint32_t after) {
  return static_cast<uint32_t>((before << 16 | after) * kSeedA >> (64 - kNeighbourBitsLog2));
}
// A token that holds the character goes on with a part of another; or begins with a part of one.
inline constexpr uint8_t kOpenAfter = 1, kOpenBefore = 2;

// The key of up to 15 bytes, of which kKeyReadBytes can be read: zero-padded, with the length in
// the top byte of the first word, if that has room for it, else of the second.
inline constexpr size_t kKeyReadBytes = 16;

inline uint64_t ShortKey(const char* bytes, size_t size) {
  uint64_t word;
  std::memcpy(&word, bytes, 8);
  return (word & ((uint64_t{1} << (8 * size)) - 1)) | static_cast<uint64_t>(size) << 56;
}

constexpr std::array<MiddleKey, kMiddleBytes + 1> MakeKeyMasks() {
  std::array<MiddleKey, kMiddleBytes + 1> masks = {};
  for (size_t size = 0; size < masks.size(); ++size) {
    masks[size].low = size >= 8 ? ~uint64_t{0} : (uint64_t{1} << 8 * size) - 1;
    masks[size].high = size <= 8 ? 0 : (uint64_t{1} << 8 * (size - 8)) - 1;
  }
  return masks;
}
inline constexpr std::array<MiddleKey, kMiddleBytes + 1> kKeyMasks = MakeKeyMasks();

inline MiddleKey MiddleKeyOf(const char* bytes, size_t size) {
  MiddleKey key;
  std::memcpy(&key, bytes, sizeof key);
  key.low &= kKeyMasks[size].low;
  key.high &= kKeyMasks[size].high;
  key.high |= static_cast<uint64_t>(size) << 56;
  return key;
}

// A view of a table; copies are cheap.
class RankTable {
 public:
  explicit RankTable(const unsigned char* base) : base_(base) {
    std::memcpy(&header_, base, sizeof header_);
    short_pilots_ = Section<uint16_t>(header_.short_hash.pilots);
    short_keys_ = Section<uint64_t>(header_.short_keys);
    middle_pilots_ = Section<uint16_t>(header_.middle_hash.pilots);
    middle_keys_ = Section<MiddleKey>(header_.middle_keys);
    pairs_ = Section<uint64_t>(header_.pairs);
    pair_filter_ = Section<uint64_t>(header_.pair_filter);
    byte_pairs_ = Section<uint32_t>(header_.byte_pairs);
    byte_ids_ = Section<uint32_t>(header_.byte_ids);
    whole_chars_ = Section<uint32_t>(header_.whole_chars);
    threats_ = Section<uint64_t>(header_.threats);
    neighbours_ = Section<uint64_t>(header_.neighbours);
    open_chars_ = Section<uint8_t>(header_.open_chars);
  }

  uint32_t token_count() const { return header_.token_count; }
  uint32_t max_token_bytes() const { return header_.max_token_bytes; }

  std::string_view TokenBytes(uint32_t id) const {
    if (id >= header_.token_count) return {};
    const uint32_t* begin = Section<uint32_t>(header_.token_begin) + id;
    return {Section<char>(header_.token_bytes) + begin[0], begin[1] - begin[0]};
  }

  uint32_t ByteToken(unsigned char byte) const { return byte_ids_[byte]; }

  // Where the id of the token with this key is; null when there is none. A pointer, so that who
  // only counts does not fetch the id. The first for 1 to 7 bytes, the second for 8 to 15.
  const uint32_t* FindShort(uint64_t key, uint64_t hash) const {
    const uint32_t slot = SlotOf(hash, header_.short_hash, short_pilots_);
    if (short_keys_[slot] != key) return nullptr;
    return Section<uint32_t>(header_.short_ids) + slot;
  }
  const uint32_t* FindMiddle(MiddleKey key, uint64_t hash) const {
    const uint32_t slot = SlotOf(hash, header_.middle_hash, middle_pilots_);
    const MiddleKey found = middle_keys_[slot];
    if (((found.low ^ key.low) | (found.high ^ key.high)) != 0) return nullptr;
    return Section<uint32_t>(header_.middle_ids) + slot;
  }
  // Has the key fetched that one of these will be compared with.
  void PrefetchShort(uint64_t hash) const {
    __builtin_prefetch(short_keys_ + SlotOf(hash, header_.short_hash, short_pilots_));
  }
  void PrefetchMiddle(uint64_t hash) const {
    __builtin_prefetch(middle_keys_ + SlotOf(hash, header_.middle_hash, middle_pilots_));
  }
  // 16 bytes and more.
  const uint32_t* FindLong(const char* bytes, size_t size, uint64_t hash) const {
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

  // The token that `left` followed by `right` merges into, or kNoToken.
  uint32_t Merge(uint32_t left, uint32_t right) const {
    const uint64_t key = PairKey(left, right);
    const uint64_t hash = HashWord(key);
    const uint32_t bit = FilterBit(hash);
    if ((pair_filter_[bit / 64] >> bit % 64 & 1) == 0) return kNoToken;
    const uint64_t* entry = pairs_ + HomeSlot(hash, header_.pair_slots);
    for (; *entry != kNoPair; ++entry) {
      if (*entry >> kIdBits == key) return *entry & kMaxTokens;
    }
    return kNoToken;
  }
  // The same for two single bytes.
  uint32_t MergeBytes(unsigned char left, unsigned char right) const {
    return byte_pairs_[static_cast<size_t>(left) << 8 | right];
  }
  // The token of a character of two or three bytes, which its bytes merge to before any other merge
  // can take one of them: then merging may begin with the token. kNoToken if it is none, or if that
  // is not sure beside its neighbours: `before` is the code point of the character before it, or
  // kNoCodePoint, and `after` the byte after it, or -1.
  uint32_t WholeChar(uint32_t code_point, uint32_t before, int after) const {
    const uint32_t found = whole_chars_[code_point];
    if ((found & (kCheckBefore | kCheckAfter)) == 0 || found == kNoToken) return found;
    const uint32_t id = found & kMaxTokens;
    if ((found & kCheckBefore) != 0) {
      const auto [first, second] = FirstBytes(code_point);
      if (ThreatRank(ThreatBefore(before, first)) < id) return kNoToken;
      if (second != 0 && ThreatRank(ThreatBefore(before, second)) < id) return kNoToken;
    }
    if ((found & kCheckAfter) != 0 && after >= 0) {
      const auto [last, last_two] = LastBytes(code_point);
      if (ThreatRank(ThreatAfter(last, after)) < id) return kNoToken;
      if (last_two != 0 && ThreatRank(ThreatAfter(last_two, after)) < id) return kNoToken;
    }
    return id;
  }

  // False: no token holds bytes of both of these characters, `after` directly after `before`. Then
  // no merge ever joins them, and the text up to the one and from the other on are merged each by
  // itself.
  bool MayJoin(uint32_t before, uint32_t after) const {
    if ((before | after) > 0xFFFF) return true;
    const uint32_t bit = NeighbourBit(before, after);
    return (neighbours_[bit / 64] >> bit % 64 & 1) != 0 ||
           ((open_chars_[before] & kOpenAfter) | (open_chars_[after] & kOpenBefore)) != 0;
  }

 private:
  template <typename T>
  const T* Section(uint32_t offset) const {
    return reinterpret_cast<const T*>(base_ + offset);
  }

  // The lowest rank of a token that would take these bytes, or kNoToken.
  uint32_t ThreatRank(uint64_t threat) const {
    const uint64_t* entry = threats_ + HomeSlot(HashWord(threat), header_.threat_slots);
    for (; *entry != kNoPair; ++entry) {
      if (*entry >> kIdBits == threat) return *entry & kMaxTokens;
    }
    return kNoToken;
  }

  static uint32_t SlotOf(uint64_t hash, const PerfectHash& table, const uint16_t* pilots) {
    return PilotSlot(hash, pilots[HomeSlot(hash, table.buckets)], table.slots);
  }

  const unsigned char* base_;
  const uint16_t* short_pilots_;
  const uint64_t* short_keys_;
  const uint16_t* middle_pilots_;
  const MiddleKey* middle_keys_;
  const uint64_t* pairs_;
  const uint64_t* pair_filter_;
  const uint32_t* byte_pairs_;
  const uint32_t* byte_ids_;
  const uint32_t* whole_chars_;
  const uint64_t* threats_;
  const uint64_t* neighbours_;
  const uint8_t* open_chars_;
  TableHeader header_;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_RANK_TABLE_H_
