// Characters as the pre-tokenizers see them: the length of one in UTF-8, and its Unicode 16.0
// class.

#ifndef WEIR_LIB_TOKENS_UTF8_CLASS_H_
#define WEIR_LIB_TOKENS_UTF8_CLASS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tokens/utf8.h"

namespace weir::tokens {

#include "tokens/data/unicode_classes.inc"

// The order is that of data/make_unicode.py.
enum CharClass : uint8_t {
  kOther,      // everything not named below, unassigned code points too
  kSpace,      // White_Space but for the two newlines
  kNewline,    // CR, LF
  kNumber,     // Nd, Nl, No
  kUpper,      // Lu, Lt
  kLower,      // Ll
  kLetter,     // Lm, Lo: letters without case
  kMark,       // Mn, Mc, Me
  kEnd,        // no character: the end of the text
  kMultiByte,  // in kByteClass only: a byte that does not say the class by
               // itself
};

using ClassSet = uint16_t;
constexpr ClassSet Set(CharClass c) { return static_cast<ClassSet>(1u << c); }
template <typename... Classes>
constexpr ClassSet Set(CharClass first, Classes... rest) {
  return static_cast<ClassSet>(Set(first) | Set(rest...));
}
constexpr bool In(ClassSet set, CharClass c) { return (set >> c & 1) != 0; }

inline CharClass ClassOf(char32_t code_point) {
  if (code_point >= kUnicodeTableEnd) {
    const bool mark = code_point >= kUnicodeMarksBegin && code_point < kUnicodeMarksEnd;
    return mark ? kMark : kOther;
  }
  const uint64_t word =
      kUnicodeClasses[kUnicodeBlock[code_point >> 8] * 16u + (code_point >> 4 & 15)];
  return static_cast<CharClass>(word >> (code_point & 15) * 4 & 15);
}

// The class of a character of two to four bytes; kEnd if it is not UTF-8, or if it is U+017F, which
// can be a contraction's s. Four bytes can be read at `p`; what lies behind the text are zeros.
[[gnu::always_inline]] inline CharClass MultiByteClass(const char* p) {
  const auto byte = [p](size_t i) { return static_cast<unsigned char>(p[i]); };
  const uint32_t lead = byte(0), second = byte(1) ^ 0x80u, third = byte(2) ^ 0x80u;
  if (lead < 0xE0) {
    const uint32_t code_point = (lead & 0x1F) << 6 | second;
    if (second > 0x3F || lead < 0xC2 || code_point == 0x17F) return kEnd;
    return ClassOf(code_point);
  }
  if (lead < 0xF0) {
    const uint32_t code_point = (lead & 0x0F) << 12 | second << 6 | third;
    const bool surrogate = code_point - 0xD800 < 0x800;
    if ((second | third) > 0x3F || code_point < 0x800 || surrogate) return kEnd;
    return ClassOf(code_point);
  }
  const uint32_t fourth = byte(3) ^ 0x80u;
  const uint32_t code_point = (lead & 0x07) << 18 | second << 12 | third << 6 | fourth;
  const bool outside = code_point < 0x10000 || code_point > 0x10FFFF || lead > 0xF4;
  if ((second | third | fourth) > 0x3F || outside) return kEnd;
  return ClassOf(code_point);
}

struct Char {
  CharClass char_class;
  uint8_t bytes;
  bool ill_formed;  // `bytes` are a maximal part that is not UTF-8, and stand
                    // for U+FFFD
};

constexpr std::array<CharClass, 256> MakeByteClass() {
  std::array<CharClass, 256> table = {};
  for (size_t byte = 0; byte < 256; ++byte) {
    if (byte >= 0x80) {
      table[byte] = kMultiByte;
    } else if (byte == '\n' || byte == '\r') {
      table[byte] = kNewline;
    } else if (byte == ' ' || (byte >= 0x09 && byte <= 0x0D)) {
      table[byte] = kSpace;
    } else if (byte >= '0' && byte <= '9') {
      table[byte] = kNumber;
    } else if (byte >= 'A' && byte <= 'Z') {
      table[byte] = kUpper;
    } else if (byte >= 'a' && byte <= 'z') {
      table[byte] = kLower;
    }
  }
  return table;
}
inline constexpr std::array<CharClass, 256> kByteClass = MakeByteClass();

// The character at `p` < `end`, of any length.
inline Char CharAt(const char* p, const char* end) {
  const CharClass by_byte = kByteClass[static_cast<unsigned char>(*p)];
  if (by_byte != kMultiByte) [[likely]]
    return {by_byte, 1, false};
  const CodePoint c = DecodeAt(p, end);
  return {ClassOf(c.value), c.bytes, c.ill_formed};
}

// Appends `text` with each maximal ill-formed part replaced by U+FFFD, as the WHATWG Encoding
// Standard and the string types of most languages decode it.
void AppendLossy(std::string* out, std::string_view text);

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_UTF8_CLASS_H_
