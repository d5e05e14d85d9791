// The bytes of features: a header, facts, hashes of words, pieces of the text. Little-endian.
//
//   0   version            8   facts           24             facts, 16 bytes each, in order
//   1   language          10   words           … + 2 × words  hashes of the words, ascending
//   2   sure negations    12   bytes of pieces …              pieces
//   3   maybe negations   14   the first negation's piece
//   4   its size, then 3 zero bytes            16   hash of what is beyond the limits; 0: nothing

#ifndef WEIR_LIB_MEANING_PACKED_H_
#define WEIR_LIB_MEANING_PACKED_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::meaning {

inline constexpr uint8_t kVersion = 2;
inline constexpr size_t kHeaderBytes = 24;
inline constexpr size_t kFactBytes = 16;

// Axis of the words inside quotations and inline code.
inline constexpr uint32_t kInnerWord = 2;

// Axis of words whose form makes them opposites: the ShortHash of the word that each is the
// opposite of, above kFormShift bits of side 0.
inline constexpr uint32_t kFormAxis = 0xFFFFFF;
inline constexpr int kFormShift = 6;
// Axes of a whole text's order: its words, in any order and behind its frame; and in their own.
inline constexpr uint32_t kFrameAxis = 0xFFFFFE, kSequenceAxis = 0xFFFFFD;
// Axis of words of names that are hardly any text's, and so perhaps names.
inline constexpr uint32_t kRareAxis = 1;

inline uint16_t Load16(const char* p) {
  const auto* u = reinterpret_cast<const unsigned char*>(p);
  return static_cast<uint16_t>(u[0] | u[1] << 8);
}
inline uint32_t Load32(const char* p) { return Load16(p) | uint32_t{Load16(p + 2)} << 16; }
inline uint64_t Load64(const char* p) { return Load32(p) | uint64_t{Load32(p + 4)} << 32; }

// A word's place among 2^16.
inline uint16_t ShortHash(uint64_t hash) {
  return static_cast<uint16_t>(hash * 0x9e3779b97f4a7c15u >> 48);
}

struct PackedFact {
  uint32_t key;  // guard << 24 | axis
  uint64_t value;
  uint8_t flags;
  std::string_view piece;
};

// Reads bytes that were checked.
class Packed {
 public:
  explicit Packed(std::string_view bytes) : bytes_(bytes) {}

  uint8_t language() const { return Byte(1); }
  uint32_t sure() const { return Byte(2); }
  uint32_t maybe() const { return Byte(3); }
  size_t facts() const { return Load16(bytes_.data() + 8); }
  size_t words() const { return Load16(bytes_.data() + 10); }
  size_t piece_bytes() const { return Load16(bytes_.data() + 12); }
  std::string_view negation() const { return Piece(Load16(bytes_.data() + 14), Byte(4)); }
  uint64_t beyond() const { return Load64(bytes_.data() + 16); }

  uint32_t Key(size_t i) const { return Load32(FactAt(i)); }
  uint64_t Value(size_t i) const { return Load64(FactAt(i) + 8); }
  PackedFact Fact(size_t i) const {
    const char* p = FactAt(i);
    const auto size = static_cast<unsigned char>(p[6]);
    return {Load32(p), Load64(p + 8), static_cast<uint8_t>(p[7]), Piece(Load16(p + 4), size)};
  }
  uint16_t Word(size_t i) const {
    return Load16(bytes_.data() + kHeaderBytes + kFactBytes * facts() + 2 * i);
  }
  bool HasWord(uint64_t hash) const { return HasShort(ShortHash(hash)); }
  bool HasShort(uint16_t wanted) const {
    size_t low = 0, high = words();
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (Word(middle) < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < words() && Word(low) == wanted;
  }

 private:
  uint8_t Byte(size_t i) const { return static_cast<uint8_t>(bytes_[i]); }
  const char* FactAt(size_t i) const { return bytes_.data() + kHeaderBytes + kFactBytes * i; }
  std::string_view Piece(size_t offset, size_t size) const {
    return bytes_.substr(bytes_.size() - piece_bytes() + offset, size);
  }
  std::string_view bytes_;
};

}  // namespace weir::meaning

#endif  // WEIR_LIB_MEANING_PACKED_H_
