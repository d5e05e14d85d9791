// A text as a list of what the guards look at: words, numbers, symbols, code, identifiers.

#ifndef WEIR_LIB_MEANING_SCANNER_H_
#define WEIR_LIB_MEANING_SCANNER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "meaning/letters.h"

namespace weir::meaning {

struct Lexeme {
  enum Kind : uint8_t {
    kWord,
    kNumber,      // digits with separators between them, as written
    kSymbol,      // one character, or an operator of several; a new line is one too
    kIdentifier,  // snake_case, CamelCase, ABC-123, foo(), a.b.c
    kLink,        // a URL, an e-mail address, a path
    kCode,        // what is between backticks
    kFence,       // what is between fences
  };
  static constexpr uint8_t kCapital = 1;    // begins with a capital
  static constexpr uint8_t kAllCaps = 2;    // two or more letters, all capitals
  static constexpr uint8_t kStart = 4;      // a sentence begins with it
  static constexpr uint8_t kGlued = 8;      // nothing is between it and the one before
  static constexpr uint8_t kNonLatin = 16;  // its first letter is not Latin

  Kind kind = kWord;
  uint8_t flags = 0;
  uint32_t begin = 0, end = 0;                 // bytes of the text
  uint32_t folded_begin = 0, folded_size = 0;  // of Scan::folded
  uint64_t hash = 0;                           // of the folded text
  uint64_t stem = 0;                           // of its stem; of a code, as `hash`

  bool Has(uint8_t flag) const { return (flags & flag) != 0; }
};

struct Quotation {
  uint32_t begin, end;  // bytes of the text between the marks
};

struct Scan {
  std::string_view text;  // at most kMaxTextBytes of it
  std::string folded;
  std::vector<Lexeme> lexemes;
  std::vector<Quotation> quotations;
  uint32_t letters[8] = {};  // by script

  std::string_view Folded(const Lexeme& x) const {
    return std::string_view(folded).substr(x.folded_begin, x.folded_size);
  }
  std::string_view Source(const Lexeme& x) const { return text.substr(x.begin, x.end - x.begin); }
};

// The text must outlive the result. Cuts nothing: the caller does.
Scan ScanText(std::string_view text);

}  // namespace weir::meaning

#endif  // WEIR_LIB_MEANING_SCANNER_H_
