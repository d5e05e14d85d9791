#include "tokens/loaded/chars_map.h"

#include <algorithm>

#include "base/text.h"
#include "tokens/loaded/code_points.h"
#include "tokens/loaded/normal_form.h"

namespace weir::tokens {
namespace {

constexpr size_t kMaxReplacementBytes = 255;

// One unit of the double array. A unit with the top bit set holds a value; another says where its
// children are, as an offset that is XORed with the unit's own index and with the child's label.
constexpr bool IsValue(uint32_t unit) { return unit >> 31 != 0; }
constexpr uint32_t Value(uint32_t unit) { return unit & 0x7FFFFFFF; }
constexpr uint32_t Label(uint32_t unit) { return unit & 0x800000FF; }
constexpr bool HasValueChild(uint32_t unit) { return (unit >> 8 & 1) != 0; }
constexpr uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); }

absl::Status Invalid(std::string_view what) {
  return absl::InvalidArgumentError(Concat({"normalizer.precompiled_charsmap ", what}));
}

}  // namespace

absl::Status CharsMap::Load(std::string_view bytes) {
  const auto word = [bytes](size_t at) {
    uint32_t value = 0;
    for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
  };
  if (bytes.size() < 4) return Invalid("is cut short");
  const uint32_t trie_bytes = word(0);
  if (trie_bytes == 0 || trie_bytes % 4 != 0 || trie_bytes > bytes.size() - 4) {
    return Invalid("says a wrong size");
  }
  units_.resize(trie_bytes / 4);
  for (size_t i = 0; i < units_.size(); ++i) units_[i] = word(4 + i * 4);
  replacements_ = bytes.substr(4 + trie_bytes);
  if (absl::Status status = Check(); !status.ok()) return status;
  for (size_t c = 0; c < ascii_.size(); ++c) {
    const char text[] = {static_cast<char>(c)};
    ascii_[c].changes = Replace({text, 1}, &ascii_[c].becomes);
  }
  return absl::OkStatus();
}

absl::Status CharsMap::Check() {
  if (FindInvalidUtf8(replacements_) != std::string_view::npos) {
    return Invalid("has replacements that are not UTF-8");
  }
  if (IsValue(units_[0])) return Invalid("has no root");
  for (size_t i = 0; i < units_.size(); ++i) {
    const uint32_t unit = units_[i];
    if (IsValue(unit)) continue;
    const size_t base = i ^ Offset(unit);
    if ((base | 0xFF) >= units_.size()) return Invalid("points outside itself");
    if (!HasValueChild(unit)) continue;
    const uint32_t value = Value(units_[base]);
    if (value >= replacements_.size() || IsContinuationByte(replacements_[value])) {
      return Invalid("has a replacement outside itself");
    }
    const size_t end = replacements_.find('\0', value);
    if (end == std::string::npos || end - value > kMaxReplacementBytes) {
      return Invalid("has a replacement that is too long");
    }
    growth_ = std::max(growth_, end - value);
  }
  return absl::OkStatus();
}

bool CharsMap::Replace(std::string_view text, std::string* out) const {
  size_t at = Offset(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return false;
    at ^= byte;
    const uint32_t unit = units_[at];
    if (Label(unit) != byte) return false;
    at ^= Offset(unit);
    if (!HasValueChild(unit)) continue;
    const size_t begin = Value(units_[at]);
    out->append(replacements_, begin, replacements_.find('\0', begin) - begin);
    return true;
  }
  return false;
}

void CharsMap::AppendCluster(std::string* out, std::string_view cluster) const {
  constexpr size_t kLongCluster = 6;
  if (cluster.size() < kLongCluster && Replace(cluster, out)) return;
  for (size_t i = 0; i < cluster.size();) {
    const size_t bytes = DecodeAt(cluster.data() + i, cluster.data() + cluster.size()).bytes;
    const std::string_view character = cluster.substr(i, bytes);
    if (!Replace(character, out)) out->append(character);
    i += bytes;
  }
}

void CharsMap::Append(std::string* out, std::string_view text) const {
  const char* const end = text.data() + text.size();
  for (const char* begin = text.data(); begin < end;) {
    CodePoint c = DecodeAt(begin, end);
    const char* next = begin + c.bytes;
    // Two ASCII characters are two clusters, but for CR LF.
    const bool alone = next == end || static_cast<unsigned char>(*next) < 0x80;
    if (c.value < 0x80 && alone && (c.value != '\r' || next == end || *next != '\n')) {
      const Ascii& ascii = ascii_[c.value];
      if (ascii.changes) {
        out->append(ascii.becomes);
      } else {
        out->push_back(*begin);
      }
      begin = next;
      continue;
    }
    int32_t state = 0;
    while (next < end) {
      const CodePoint after = DecodeAt(next, end);
      if (ClusterEnds(c.value, after.value, &state)) break;
      c = after;
      next += after.bytes;
    }
    AppendCluster(out, {begin, static_cast<size_t>(next - begin)});
    begin = next;
  }
}

}  // namespace weir::tokens
