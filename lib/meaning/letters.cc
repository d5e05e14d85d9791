#include "meaning/letters.h"

#include <cstring>

namespace weir::meaning {
namespace {

// The letters U+00C0 … U+017F without accents; capitals are small letters here. '?' is no letter,
// digits stand for two letters: 1 ae, 2 ss, 3 th, 4 ij, 5 oe.
constexpr char kLatinBases[] =
    "aaaaaa1ceeeeiiiidnooooo?ouuuuy32aaaaaa1ceeeeiiiidnooooo?ouuuuy3y"
    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii44jjkkkllllllllllnnnnnnnnnoooooo55rrrrrrssss"
    "s"
    "sssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
static_assert(sizeof(kLatinBases) == 0x180 - 0xC0 + 1);

const char* TwoLetters(char code) {
  switch (code) {
    case '1':
      return "ae";
    case '2':
      return "ss";
    case '3':
      return "th";
    case '4':
      return "ij";
    default:
      return "oe";
  }
}

void AppendUtf8(uint32_t c, std::string* out) {
  if (c < 0x80) {
    out->push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out->push_back(static_cast<char>(0xC0 | c >> 6));
    out->push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else if (c < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | c >> 12));
    out->push_back(static_cast<char>(0x80 | (c >> 6 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else {
    out->push_back(static_cast<char>(0xF0 | c >> 18));
    out->push_back(static_cast<char>(0x80 | (c >> 12 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (c >> 6 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (c & 0x3F)));
  }
}

uint32_t LowerGreek(uint32_t c) {
  switch (c) {
    case 0x386:
    case 0x3AC:
      return 0x3B1;
    case 0x388:
    case 0x3AD:
      return 0x3B5;
    case 0x389:
    case 0x3AE:
      return 0x3B7;
    case 0x38A:
    case 0x3AF:
      return 0x3B9;
    case 0x38C:
    case 0x3CC:
      return 0x3BF;
    case 0x38E:
    case 0x3CD:
      return 0x3C5;
    case 0x38F:
    case 0x3CE:
      return 0x3C9;
    case 0x3C2:
      return 0x3C3;  // final sigma
    default:
      return c >= 0x391 && c <= 0x3AB ? c + 0x20 : c;
  }
}

bool Continues(std::string_view text, size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}
uint32_t Low6(std::string_view text, size_t at) {
  return static_cast<unsigned char>(text[at]) & 0x3F;
}

}  // namespace

Character Decode(std::string_view text, size_t at) {
  const uint32_t b = static_cast<unsigned char>(text[at]);
  if (b < 0x80) return {b, 1};
  if (b >= 0xC2 && b < 0xE0 && Continues(text, at + 1)) {
    return {(b & 0x1F) << 6 | Low6(text, at + 1), 2};
  }
  if (b >= 0xE0 && b < 0xF0 && Continues(text, at + 1) && Continues(text, at + 2)) {
    const uint32_t c = (b & 0x0F) << 12 | Low6(text, at + 1) << 6 | Low6(text, at + 2);
    if (c >= 0x800 && (c < 0xD800 || c > 0xDFFF)) return {c, 3};
  }
  if (b >= 0xF0 && b < 0xF5 && Continues(text, at + 1) && Continues(text, at + 2) &&
      Continues(text, at + 3)) {
    const uint32_t c =
        (b & 0x07) << 18 | Low6(text, at + 1) << 12 | Low6(text, at + 2) << 6 | Low6(text, at + 3);
    if (c >= 0x10000 && c <= 0x10FFFF) return {c, 4};
  }
  return {0, 1};
}

bool IsSpace(uint32_t c) {
  return c == ' ' || (c >= 9 && c <= 13) || c == 0xA0 || (c >= 0x2000 && c <= 0x200B) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x3000 || c == 0xFEFF || c == 0;
}

bool IsDigit(uint32_t c) { return (c >= '0' && c <= '9') || (c >= 0xFF10 && c <= 0xFF19); }

Script ScriptOf(uint32_t c) {
  if (c < 0x80) return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ? Script::kLatin : Script::kNone;
  if (c < 0x370) {
    if (c < 0xC0) return c == 0xAA || c == 0xBA || c == 0xB5 ? Script::kLatin : Script::kNone;
    if (c >= 0x300) return Script::kNone;  // combining marks
    return c == 0xD7 || c == 0xF7 || (c >= 0x2B0 && c < 0x300) ? Script::kNone : Script::kLatin;
  }
  if (c < 0x400) return c == 0x37E || c == 0x387 ? Script::kNone : Script::kGreek;
  if (c < 0x530) return Script::kCyrillic;
  if (c >= 0x1E00 && c < 0x1F00) return Script::kLatin;
  if (c >= 0x1F00 && c < 0x2000) return Script::kGreek;
  if (c < 0x2000) return c >= 0x1100 && c < 0x1200 ? Script::kHangul : Script::kOther;
  if (c < 0x2E80) return Script::kNone;  // punctuation, arrows, symbols
  if (c >= 0x3041 && c < 0x3100) return c == 0x30FB ? Script::kNone : Script::kKana;
  if ((c >= 0x3400 && c < 0xA000) || (c >= 0xF900 && c < 0xFB00)) return Script::kHan;
  if (c >= 0x20000 && c < 0x32000) return Script::kHan;
  if (c >= 0xAC00 && c < 0xD7B0) return Script::kHangul;
  if ((c >= 0xFF21 && c <= 0xFF3A) || (c >= 0xFF41 && c <= 0xFF5A)) return Script::kLatin;
  if (c >= 0xFF66 && c < 0xFFA0) return Script::kKana;
  if (c < 0x3400 || (c >= 0xFE00 && c < 0xFE70) || c >= 0xFF00) return Script::kNone;
  return Script::kOther;
}

bool IsLetter(uint32_t c) { return ScriptOf(c) != Script::kNone; }

bool IsUpper(uint32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z';
  if (c < 0x100) return c >= 0xC0 && c <= 0xDE && c != 0xD7;
  if (c < 0x180) {  // pairs, the capital even; in two stretches odd
    const bool odd = (c >= 0x139 && c <= 0x148) || c >= 0x179;
    return c == 0x178 || ((c & 1) != 0) == odd;
  }
  if (c < 0x370) return false;
  if (c < 0x400) return (c >= 0x386 && c <= 0x38F) || (c >= 0x391 && c <= 0x3AB);
  return c <= 0x42F || (c >= 0xFF21 && c <= 0xFF3A);
}

void AppendFolded(uint32_t c, std::string* out) {
  if (c < 0x80) {
    out->push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
    return;
  }
  if (c >= 0xC0 && c < 0x180) {
    const char base = kLatinBases[c - 0xC0];
    if (base >= 'a') {
      out->push_back(base);
    } else if (base != '?') {
      out->append(TwoLetters(base));
    }
    return;
  }
  if (c >= 0xFF10 && c <= 0xFF5A) {  // full width
    AppendFolded(c - 0xFEE0, out);
    return;
  }
  if (c >= 0x370 && c < 0x400) {
    c = LowerGreek(c);
  } else if (c >= 0x400 && c < 0x430) {
    c += c < 0x410 ? 0x50 : 0x20;
  }
  if (c == 0x451) c = 0x435;  // a Russian yo is mostly written as ye
  AppendUtf8(c, out);
}

std::string_view Stem(std::string_view word, char* buffer) {
  std::memcpy(buffer, word.data(), word.size());
  size_t n = word.size();
  const auto ends = [&](std::string_view suffix) {
    return n >= suffix.size() + 3 &&
           std::memcmp(buffer + n - suffix.size(), suffix.data(), suffix.size()) == 0;
  };
  if (ends("s") && buffer[n - 2] != 's' && buffer[n - 2] != 'u') --n;
  if (ends("ing")) {
    n -= 3;
  } else if (ends("ed") || ends("ly") || ends("en")) {
    n -= 2;
  }
  if (ends("e")) --n;
  if (n > 3 && buffer[n - 1] == 'y') buffer[n - 1] = 'i';
  if (n > 3 && buffer[n - 1] == buffer[n - 2]) --n;
  return {buffer, n};
}

}  // namespace weir::meaning
