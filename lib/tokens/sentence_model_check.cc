// What is wrong with the bytes of a SentencePiece model, before SentencePiece sees them.
//
// A .model is a protocol buffer (sentencepiece_model.proto): field 1 the pieces, 3 and 5 the two
// normalizers. SentencePiece follows the offsets in a normalizer's table (a Darts-clone double
// array, then the replacement strings) without looking whether they stay inside, and computes with
// whatever scores it finds. So the wire format is walked here, and those are looked at.

#include <bit>
#include <cmath>
#include <cstring>

#include "tokens/sentence_model.h"

namespace weir::tokens {
namespace {

constexpr size_t kMaxModelBytes = size_t{64} << 20;  // the largest public one is about 5 MB
constexpr size_t kMaxPieces = size_t{1} << 21;
constexpr size_t kMaxPieceBytes = 4096;

struct Field {
  uint64_t number = 0;
  uint32_t wire_type = 0;
  uint64_t varint = 0;     // wire type 0
  std::string_view bytes;  // the others: 4, 8 or a stated number of bytes
};

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kDelimited = 2, kFixed32 = 5 };

// Reads a message field by field.
class Reader {
 public:
  explicit Reader(std::string_view message) : rest_(message) {}

  bool Next(Field* field) {
    uint64_t tag;
    if (rest_.empty() || !Varint(&tag)) return false;
    field->number = tag >> 3;
    field->wire_type = tag & 7;
    uint64_t size = 0;
    switch (field->wire_type) {
      case kVarint:
        return Varint(&field->varint);
      case kFixed64:
        size = 8;
        break;
      case kFixed32:
        size = 4;
        break;
      case kDelimited:
        if (!Varint(&size)) return false;
        break;
      default:  // groups: not in this format
        return Stop();
    }
    if (size > rest_.size()) return Stop();
    field->bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return field->number != 0 || Stop();
  }

  bool failed() const { return failed_; }

 private:
  bool Stop() {
    failed_ = true;
    return false;
  }

  bool Varint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      *value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return Stop();
  }

  std::string_view rest_;
  bool failed_ = false;
};

uint32_t LoadUint32(const char* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

std::string CheckPiece(std::string_view message) {
  Reader reader(message);
  bool has_text = false;
  for (Field field; reader.Next(&field);) {
    if (field.number == 1 && field.wire_type == kDelimited) {
      has_text = !field.bytes.empty();
      if (field.bytes.size() > kMaxPieceBytes) return "a piece is too long";
      if (field.bytes.find('\0') != std::string_view::npos) return "a piece has a NUL";
    } else if (field.number == 2 && field.wire_type == kFixed32) {
      if (!std::isfinite(std::bit_cast<float>(LoadUint32(field.bytes.data())))) {
        return "a score is not finite";
      }
    }
  }
  if (reader.failed()) return "a piece is malformed";
  return has_text ? "" : "a piece is empty";
}

// One unit of the double array. A unit with the top bit set holds a value; another says where its
// children are, as an offset that is XORed with the unit's own index and with the child's label.
constexpr bool IsValue(uint32_t unit) { return unit >> 31 != 0; }
constexpr uint32_t Value(uint32_t unit) { return unit & 0x7FFFFFFF; }
constexpr bool HasValueChild(uint32_t unit) { return (unit >> 8 & 1) != 0; }
constexpr uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); }

std::string CheckCharsMap(std::string_view map) {
  if (map.empty()) return "";
  if (map.size() < 4) return "a normalizer's table is cut short";
  const uint32_t trie_bytes = LoadUint32(map.data());
  map.remove_prefix(4);
  if (trie_bytes >= map.size() || trie_bytes % 4 != 0 || trie_bytes == 0) {
    return "a normalizer's table has a wrong size";
  }
  const std::string_view replacements = map.substr(trie_bytes);
  if (replacements.back() != '\0') return "a normalizer's last replacement has no end";
  const uint32_t units = trie_bytes / 4;
  for (uint32_t i = 0; i < units; ++i) {
    const uint32_t unit = LoadUint32(map.data() + size_t{i} * 4);
    if (IsValue(unit)) continue;
    const uint32_t base = i ^ Offset(unit);
    if ((base | 0xFF) >= units) return "a normalizer's table points outside itself";
    if (!HasValueChild(unit)) continue;
    if (Value(LoadUint32(map.data() + size_t{base} * 4)) >= replacements.size()) {
      return "a normalizer's replacement is outside its table";
    }
  }
  return "";
}

std::string CheckNormalizer(std::string_view message) {
  Reader reader(message);
  for (Field field; reader.Next(&field);) {
    if (field.number != 2 || field.wire_type != kDelimited) continue;
    if (std::string error = CheckCharsMap(field.bytes); !error.empty()) return error;
  }
  return reader.failed() ? "a normalizer is malformed" : "";
}

}  // namespace

std::string CheckSentenceModel(std::string_view model) {
  if (model.empty()) return "it is empty";
  if (model.size() > kMaxModelBytes) return "it is larger than 64 MiB";
  Reader reader(model);
  size_t pieces = 0;
  for (Field field; reader.Next(&field);) {
    if (field.wire_type != kDelimited) continue;
    std::string error;
    if (field.number == 1) {
      if (++pieces > kMaxPieces) return "it has too many pieces";
      error = CheckPiece(field.bytes);
    } else if (field.number == 3 || field.number == 5) {
      error = CheckNormalizer(field.bytes);
    }
    if (!error.empty()) return error;
  }
  if (reader.failed()) return "it is not a protocol buffer";
  return pieces == 0 ? "it has no pieces" : "";
}

}  // namespace weir::tokens
