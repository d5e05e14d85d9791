// A piece of text (a word, a run of blanks or of punctuation) that comes bit by bit and does not
// end: counted in bounded memory, exactly.

#ifndef WEIR_LIB_TOKENS_LONG_PIECE_H_
#define WEIR_LIB_TOKENS_LONG_PIECE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokens/bpe.h"
#include "tokens/pretokenizer.h"
#include "tokens/rank_table.h"
#include "weir/tokens.h"

namespace weir::tokens {

// Merges a piece that comes in parts.
//
// As MergePiece does with what it has whole (see bpe.cc): tokens are right if each two neighbours
// go together, so what came is merged in sections, and of each the last tokens wait for the next
// section. When a section's first token does not go with the last one before it, tokens are given
// up one by one until one goes. The last kKeptTokens can be; no text is known that takes back more
// than a few, and if one did, its count would be right for the two parts by themselves.
class PartsMerger {
 public:
  explicit PartsMerger(const RankTable& table) : table_(&table) {}

  void Append(std::string_view bytes);
  void Clear();
  // How many tokens there are if the piece ends here.
  size_t Total() const;
  bool empty() const { return total_ == 0 && pending_.empty(); }

 private:
  static constexpr size_t kSectionBytes = 4096;
  static constexpr size_t kKeptTokens = 256;

  void MergeSection(bool is_last);
  bool GoTogether(uint32_t left, uint32_t right) const;

  const RankTable* table_;
  std::string pending_;         // not merged yet
  std::vector<uint32_t> kept_;  // the last tokens before it
  size_t total_ = 0;            // tokens before it
};

// What an endless piece of a text that is cut by `kPattern` comes to.
//
// What a rule needs to know of the bytes that were taken is little: it would do the same if they
// were a few other characters. So the pre-tokenizer itself is asked where the piece ends, in a text
// that begins with such a stand-in.
//
// Two rules can end a piece at a place that passed long ago: blanks end after their last newline,
// and a word of o200k without lower case after its last letter without case, but only if what
// follows is not more of the same. Until that is known the piece is merged both ways: whole, and
// what came after that place by itself.
template <Pattern kPattern>
class LongPiece final : public OpenPiece {
 public:
  // Where a piece begins. Both must outlive this.
  LongPiece(const RankTable& table, const Tokenizer& tokenizer)
      : tokenizer_(tokenizer), whole_(table), after_(table) {}

  size_t Take(std::string_view text) override;
  bool ended() const override { return ended_; }
  size_t Total(std::string_view text) const override;

 private:
  enum class Kind : uint8_t { kUnknown, kWord, kNumber, kPunctuation, kBlank };

  // What a part of the piece is made of.
  struct Part {
    std::string bytes;   // UTF-8
    ClassSet first = 0;  // the class of its first character
    ClassSet rest = 0;   // and of the others
    size_t turn = 0;     // after the last character at which the piece may have ended; 0: none
  };

  static constexpr ClassSet kLetters = Set(kUpper, kLower, kLetter);

  Part Read(std::string_view text) const;
  static Kind KindOf(const Part& part);
  bool HasTurns() const;
  bool IsTurn(CharClass char_class) const;
  std::string StandIn() const;
  void Feed(std::string_view text);
  void EndAtTurn();
  size_t DecidedAt(std::string_view view, size_t end) const;

  const Tokenizer& tokenizer_;
  Kind kind_ = Kind::kUnknown;
  bool is_late_ = false;   // lower case was seen in a word, a newline after punctuation
  bool has_turn_ = false;  // the piece may have ended already
  bool ended_ = false;
  size_t settled_ = 0;     // tokens of pieces that did end
  size_t until_turn_ = 0;  // tokens of the piece if it ended there
  PartsMerger whole_;      // the piece if it did not
  PartsMerger after_;      // what came after that place
};

extern template class LongPiece<Pattern::kR50k>;
extern template class LongPiece<Pattern::kCl100k>;
extern template class LongPiece<Pattern::kO200k>;

// How many bytes at the front of `text` are cut into the same pieces whatever follows them. Finds
// more than StablePieces does, at the price of cutting them.
template <Pattern kPattern>
size_t FinalPieces(std::string_view text);

extern template size_t FinalPieces<Pattern::kR50k>(std::string_view);
extern template size_t FinalPieces<Pattern::kCl100k>(std::string_view);
extern template size_t FinalPieces<Pattern::kO200k>(std::string_view);

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LONG_PIECE_H_
