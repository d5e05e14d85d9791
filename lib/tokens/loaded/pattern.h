// The regular expressions by which tokenizers split text: a small engine whose time and memory are
// linear in the text, whatever the pattern and the text are, because a pattern comes with a file
// and a file may come from a stranger.
//
// What is understood: alternatives; groups (?:…) and (?i:…), one level deep, with or without `?`;
// classes […], \p{…} of general categories, \s \d \w and their complements; the quantifiers ? * +
// {n} {n,} {n,m}, greedy or possessive, of one character or class; (?=…) and (?!…) of one character
// or class; `$`. Everything else is refused with its name. Alternatives are tried in order and
// quantifiers give back, as in a backtracking engine (leftmost-first).
//
// Why it is linear: only single-character atoms repeat, so a compiled pattern is a graph without
// cycles. An atom that has been left in vain at a position is remembered ("failed", a bit for each
// such atom and position) and never entered there again, also not by a later search in the same
// text, since what can follow a position does not depend on where the match began. So each atom
// walks over each character once, or at most 255 times for a counted quantifier.

#ifndef WEIR_LIB_TOKENS_LOADED_PATTERN_H_
#define WEIR_LIB_TOKENS_LOADED_PATTERN_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "tokens/loaded/char_set.h"

namespace weir::tokens {

// The engines whose reading of a pattern is law for a file: that of tiktoken (Rust's fancy-regex)
// and that of Hugging Face's tokenizers (Oniguruma). They differ in what `$`, `{n,m}+` and \w mean.
enum class RegexFlavour { kTiktoken, kOniguruma };

struct PatternNode {
  enum class Kind : uint8_t { kAtom, kSplit, kJoin, kAhead, kNotAhead, kEndOfLine, kEndOfText };
  Kind kind = Kind::kAtom;
  bool possessive = false;
  bool gives_back = false;  // kAtom: what follows may fail, and a shorter run may help
  int8_t slot = -1;         // its bit among the failed ones; -1: not remembered
  uint16_t set = 0;         // kAtom, kAhead, kNotAhead: index of the CharSet
  uint16_t next = 0;        // index of the node that follows
  uint16_t choice = 0;      // kSplit: index of the choice
  uint32_t min = 1, max = 1;
};

// The ways out of a kSplit, as bits, lowest first.
struct PatternChoice {
  std::vector<uint16_t> targets;
  std::array<uint64_t, 128> by_ascii = {};
  uint64_t by_other = 0;  // the next character is not ASCII
  uint64_t at_end = 0;    // there is none
};

class Pattern {
 public:
  static constexpr uint32_t kUnlimited = ~uint32_t{0};

  // UNIMPLEMENTED for what is not understood, INVALID_ARGUMENT for what is no pattern, and for a
  // pattern that can match nothing at all.
  static absl::StatusOr<Pattern> Compile(std::string_view source, RegexFlavour flavour);

 private:
  friend class PatternCompiler;
  friend class PatternMatcher;
  static constexpr uint16_t kAccept = 0xFFFF;

  std::vector<CharSet> sets_;
  std::vector<PatternNode> nodes_;
  std::vector<PatternChoice> choices_;
  uint16_t start_ = kAccept;
};

// The matches of a pattern in one text, in order, as a find-all gives them. The text is well-formed
// UTF-8; it and the pattern outlive the matcher. Memory: two bytes for each byte of text that is
// looked at in vain, which is a few for usual text.
class PatternMatcher {
 public:
  PatternMatcher(const Pattern& pattern, std::string_view text) : pattern_(pattern), text_(text) {}

  // The next match as [*begin, *end); false when there is no more.
  bool Next(size_t* begin, size_t* end);

 private:
  // What to do when the present way fails.
  struct Retreat {
    enum class Kind : uint8_t { kChoice, kGiveBack, kFailed, kFailedRun };
    Kind kind;
    uint16_t node;
    size_t position;   // kGiveBack: where the atom's run ends now
    size_t low;        // kGiveBack, kFailedRun: where it may end at the least
    uint64_t choices;  // kChoice: the alternatives that are left
  };

  bool MatchAt(size_t start, size_t* end);
  bool EnterAtom(uint16_t index, size_t* position);
  // Takes the last retreat back to a node and position; false when there is none left.
  bool Back(uint16_t* node, size_t* position);
  bool EnterSplit(uint16_t index, size_t position, uint64_t choices, uint16_t* node);
  bool Holds(const PatternNode& node, size_t position) const;

  bool Failed(int8_t slot, size_t position) const {
    const size_t i = position - base_;
    return i < failed_.size() && (failed_[i] >> slot & 1) != 0;
  }
  void SetFailed(int8_t slot, size_t position);
  CodePoint At(size_t position) const {
    return DecodeAt(text_.data() + position, text_.data() + text_.size());
  }

  const Pattern& pattern_;
  std::string_view text_;
  size_t position_ = 0;
  absl::InlinedVector<Retreat, 8> retreats_;
  size_t base_ = 0;  // the position of failed_[0]
  absl::InlinedVector<uint16_t, 32> failed_;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_PATTERN_H_
