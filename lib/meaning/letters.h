// Characters as the guards and the embedder see them: what they are, and their folded form, which
// has neither case nor the accents of Latin letters.

#ifndef WEIR_LIB_MEANING_LETTERS_H_
#define WEIR_LIB_MEANING_LETTERS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::meaning {

enum class Script : uint8_t { kNone, kLatin, kGreek, kCyrillic, kHan, kKana, kHangul, kOther };

struct Character {
  uint32_t value = 0;  // 0 for a byte that is no UTF-8
  uint32_t size = 1;   // bytes
};
// The character at `at`, which is inside the text.
Character Decode(std::string_view text, size_t at);

bool IsSpace(uint32_t c);
bool IsDigit(uint32_t c);  // ASCII and full width
bool IsLetter(uint32_t c);
bool IsUpper(uint32_t c);
Script ScriptOf(uint32_t c);  // kNone for what is no letter
// Written without spaces between words: each is a word of its own.
inline bool StandsAlone(Script s) { return s == Script::kHan || s == Script::kKana; }
// An apostrophe inside a word, in either form.
inline bool IsApostrophe(uint32_t c) { return c == '\'' || c == 0x2019; }

// Appends the folded character: one or two ASCII letters for Latin, the lower case otherwise.
void AppendFolded(uint32_t c, std::string* out);

// FNV-1a with a last mix, over folded text. Fixed for good: vectors and features depend on it.
inline uint64_t WordHash(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325u;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  h ^= h >> 32;
  h *= 0xd6e8feb86659fd93u;
  return h ^ (h >> 32);
}

// Cuts the commonest English endings, so that the forms of a word have one hash: "enables",
// "enabled" and "enabling" give "enabl". Writes into `buffer`, of at least the word's size.
std::string_view Stem(std::string_view word, char* buffer);

}  // namespace weir::meaning

#endif  // WEIR_LIB_MEANING_LETTERS_H_
