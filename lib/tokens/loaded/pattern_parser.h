// A pattern as it is written: alternatives of items. pattern_compiler.cc makes the graph of it.

#ifndef WEIR_LIB_TOKENS_LOADED_PATTERN_PARSER_H_
#define WEIR_LIB_TOKENS_LOADED_PATTERN_PARSER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "tokens/loaded/pattern.h"

namespace weir::tokens {

struct PatternAtom {
  PatternNode::Kind kind = PatternNode::Kind::kAtom;
  uint16_t set = 0;
  uint32_t min = 1, max = 1;
  bool possessive = false;
};

// One atom, or a group of alternatives.
struct PatternItem {
  PatternAtom atom;
  std::vector<std::vector<PatternAtom>> group;  // empty: an atom
  bool optional = false;                        // the group
};

class PatternParser {
 public:
  PatternParser(std::string_view source, RegexFlavour flavour)
      : source_(source), rest_(source), flavour_(flavour) {}

  absl::Status Parse();

  std::vector<std::vector<PatternItem>> alternatives;
  std::vector<CharSet> sets;

 private:
  // Each takes its part off rest_; false after Fail.
  bool ParseItem(std::vector<PatternItem>* items);
  bool ParseGroup(std::vector<PatternItem>* items);
  bool AtLookAhead() const;
  bool ParseLookAhead(PatternAtom* atom);
  bool ParseAtom(PatternAtom* atom);
  bool ParseQuantifier(PatternAtom* atom);
  bool ParseBraces(PatternAtom* atom);
  bool ParseOne(CharSet* set);  // a character, an escape or a class
  bool ParseClass(CharSet* set);
  bool ParseClassPart(CharSet* set);
  bool ParseEscape(CharSet* set, char32_t* literal);
  bool ParseCodePoint(char32_t* literal);
  bool ParseProperty(CharSet* set, bool negated);
  bool FoldsAcrossCharacters(const std::vector<PatternAtom>& atoms) const;

  bool AddSet(CharSet set, uint16_t* index);
  void AddLiteral(CharSet* set, char32_t c);
  char32_t TakeCharacter();
  bool Take(std::string_view text);
  bool Unsupported(std::string_view what);
  bool Malformed(std::string_view what);

  std::string_view source_, rest_;
  RegexFlavour flavour_;
  bool fold_ = false;  // inside (?i:
  absl::Status status_;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_PATTERN_PARSER_H_
