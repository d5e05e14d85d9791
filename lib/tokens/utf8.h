// Code points in UTF-8.

#ifndef WEIR_LIB_TOKENS_UTF8_H_
#define WEIR_LIB_TOKENS_UTF8_H_

#include <cstddef>
#include <cstdint>

namespace weir::tokens {

struct CodePoint {
  char32_t value;
  uint8_t bytes;
  bool ill_formed;  // `bytes` are a maximal part that is not UTF-8, and stand for U+FFFD
};

constexpr bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// The character at `p` < `end`.
//
// Table 3-7 of the Unicode Standard: which second bytes may follow a first one. A part ends before
// the first byte that cannot go on (section 3.9, "substitution of maximal subparts").
inline CodePoint DecodeAt(const char* p, const char* end) {
  const auto ill_formed = [](uint8_t bytes) { return CodePoint{0xFFFD, bytes, true}; };
  const auto byte = [p](size_t i) { return static_cast<unsigned char>(p[i]); };
  const size_t left = static_cast<size_t>(end - p);
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, false};
  if (lead < 0xC2 || lead > 0xF4 || left < 2) return ill_formed(1);
  if (lead < 0xE0) {
    if (!IsContinuation(byte(1))) return ill_formed(1);
    return {(lead & 0x1Fu) << 6 | (byte(1) & 0x3Fu), 2, false};
  }
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return ill_formed(1);
  if (left < 3 || !IsContinuation(byte(2))) return ill_formed(2);
  const char32_t upper = (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
  if (lead < 0xF0) return {(lead & 0x0Fu) << 12 | upper, 3, false};
  if (left < 4 || !IsContinuation(byte(3))) return ill_formed(3);
  return {(lead & 0x07u) << 18 | upper << 6 | (byte(3) & 0x3Fu), 4, false};
}

// The same of text that is known to be UTF-8.
inline CodePoint DecodeWellFormed(const char* p) {
  const auto byte = [p](size_t i) { return static_cast<unsigned char>(p[i]); };
  const auto tail = [&byte](size_t i) { return byte(i) & 0x3Fu; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, false};
  if (lead < 0xE0) return {(lead & 0x1Fu) << 6 | tail(1), 2, false};
  const char32_t upper = tail(1) << 6 | tail(2);
  if (lead < 0xF0) return {(lead & 0x0Fu) << 12 | upper, 3, false};
  return {(lead & 0x07u) << 18 | upper << 6 | tail(3), 4, false};
}

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_UTF8_H_
