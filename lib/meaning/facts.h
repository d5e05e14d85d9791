// What is collected from a text before it is packed: facts, words, negations.

#ifndef WEIR_LIB_MEANING_FACTS_H_
#define WEIR_LIB_MEANING_FACTS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "meaning/scanner.h"
#include "weir/meaning.h"

namespace weir::meaning {

enum class Language : uint8_t {
  kUnknown,
  kEnglish,
  kGerman,
  kFrench,
  kSpanish,
  kItalian,
  kPortuguese,
  kDutch,
  kGreek,
  kRussian,
  kUkrainian,
  kChinese,
  kJapanese,
  kKorean,
  kOther,  // another script
};

// One thing that must agree: of an axis (a pair of opposites, a part of a date, …) a value.
struct Fact {
  Guard guard;
  uint32_t axis = 0;  // 24 bits
  uint64_t value = 0;
  uint32_t begin = 0, end = 0;  // the piece of the text
  uint8_t flags = 0;
};
inline constexpr uint8_t kWeak = 1;     // a number that is as often none ("one of them")
inline constexpr uint8_t kFlipped = 2;  // a negation before it turned it round

struct Negations {
  uint32_t sure = 0;  // not, never, without …
  uint32_t maybe =
      0;  // fail, lack, refuse …: as good as a negation in one paraphrase, none in another
  uint32_t begin = 0, end = 0;  // the first sure one
};

struct Facts {
  std::vector<Fact> facts;
  Negations negations;
  Language language = Language::kUnknown;
  // Lexemes that are spoken for: a number that is part of a date is no number fact.
  std::vector<bool> used;
};

// Each finder appends what its guard looks at. In this order: later ones look at `used`.
Language GuessLanguage(const Scan& scan);
void FindDates(const Scan& scan, Facts* facts);
void FindNumbers(const Scan& scan, Facts* facts);
void FindOpposites(const Scan& scan, Facts* facts);  // and negations, questions
void FindForms(const Scan& scan, Facts* facts);
void FindOrder(const Scan& scan, Facts* facts);
void FindQuotes(const Scan& scan, Facts* facts);
void FindCode(const Scan& scan, Facts* facts);
void FindNames(const Scan& scan, Facts* facts);

// A word that says little of what a text is about, in any language of the tables.
bool IsFunctionWord(uint64_t hash);
// The same for all forms of a word, all spellings of a known name and, as far as the tables know
// them, all words of one meaning.
uint64_t WordKey(const Lexeme& word);
// The group and side of a word in the table of opposites, hashed; 0 when it is in none.
uint64_t KnownMeaning(const Lexeme& word);
// What a word is called in the table of names: "javascript" for "js"; 0 when it is in none.
uint64_t KnownName(const Lexeme& word);

}  // namespace weir::meaning

#endif  // WEIR_LIB_MEANING_FACTS_H_
