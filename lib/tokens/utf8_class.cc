#include "tokens/utf8_class.h"

namespace weir::tokens {
namespace {

constexpr bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

constexpr Char IllFormed(size_t bytes) { return {kOther, static_cast<uint8_t>(bytes), true}; }

}  // namespace

// Table 3-7 of the Unicode Standard: which second bytes may follow a first one. A part ends before
// the first byte that cannot go on (section 3.9, "substitution of maximal subparts").
Char DecodeMultiByte(const char* p, const char* end) {
  const auto byte = [p](size_t i) { return static_cast<unsigned char>(p[i]); };
  const size_t left = static_cast<size_t>(end - p);
  const unsigned char lead = byte(0);
  if (lead < 0xC2 || lead > 0xF4 || left < 2) return IllFormed(1);
  if (lead < 0xE0) {
    if (!IsContinuation(byte(1))) return IllFormed(1);
    return {ClassOf((lead & 0x1Fu) << 6 | (byte(1) & 0x3Fu)), 2, false};
  }
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return IllFormed(1);
  if (left < 3 || !IsContinuation(byte(2))) return IllFormed(2);
  const char32_t upper = (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
  if (lead < 0xF0) return {ClassOf((lead & 0x0Fu) << 12 | upper), 3, false};
  if (left < 4 || !IsContinuation(byte(3))) return IllFormed(3);
  return {ClassOf((lead & 0x07u) << 18 | upper << 6 | (byte(3) & 0x3Fu)), 4, false};
}

void AppendLossy(std::string* out, std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const bool ascii = static_cast<unsigned char>(*p) < 0x80;
    const Char c = ascii ? Char{kOther, 1, false} : DecodeMultiByte(p, end);
    if (c.ill_formed) {
      out->append("\xEF\xBF\xBD");
    } else {
      out->append(p, c.bytes);
    }
    p += c.bytes;
  }
}

}  // namespace weir::tokens
