// Tokens that are found in a text before anything else is done to it.

#ifndef WEIR_LIB_TOKENS_LOADED_ADDED_TOKENS_H_
#define WEIR_LIB_TOKENS_LOADED_ADDED_TOKENS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokens/loaded/trie.h"
#include "tokens/loaded/vocabulary.h"

namespace weir::tokens {

struct AddedToken {
  uint32_t id = 0;
  bool special = false;  // its text is text, but hides what is inside it
  bool single_word = false;
  bool strip_left = false;   // takes the white space before it along
  bool strip_right = false;  // and after it
};

// One part of a text: a token, or (id kNoToken) text between tokens.
struct AddedPart {
  uint32_t id = kNoToken;
  size_t begin = 0, end = 0;
};

class AddedTokens {
 public:
  static constexpr size_t kMaxBytes = 256;

  // False when the text is empty, longer than kMaxBytes or there already.
  bool Add(std::string_view text, const AddedToken& token);
  bool empty() const { return tokens_.empty(); }

  // Cuts `text` at the leftmost of the tokens, the longest of those that begin there, and so on.
  // Calls take(part) for each part in order. A token that strips can take along what the one before
  // it has taken, as it does in the format's own library.
  template <typename Take>
  void Cut(std::string_view text, const Take& take) const;

 private:
  // The longest token at `at`; null when there is none.
  const AddedToken* LongestAt(std::string_view text, size_t at, size_t* end) const;
  bool StandsAlone(std::string_view text, size_t begin, size_t end) const;
  static size_t BlanksBefore(std::string_view text, size_t begin, size_t low);
  static size_t BlanksAfter(std::string_view text, size_t end);

  Trie trie_;
  std::vector<AddedToken> tokens_;
};

template <typename Take>
void AddedTokens::Cut(std::string_view text, const Take& take) const {
  size_t done = 0;
  size_t blanks_end = 0;  // how far the last stripping went, so that no blank is read twice
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    const AddedToken* const token = LongestAt(text, at, &end);
    if (token == nullptr) {
      ++at;
      continue;
    }
    const size_t after = end;
    size_t begin = at;
    at = after;
    if (token->special || (token->single_word && !StandsAlone(text, begin, end))) continue;
    if (token->strip_left) {
      const size_t left = BlanksBefore(text, begin, done < begin ? done : begin);
      begin = left > done ? left : done;
    }
    if (token->strip_right) {
      end = blanks_end > after ? blanks_end : BlanksAfter(text, after);
      blanks_end = end;
    }
    if (done < begin) take(AddedPart{kNoToken, done, begin});
    take(AddedPart{token->id, begin, end});
    done = end;
  }
  if (done != text.size()) take(AddedPart{kNoToken, done, text.size()});
}

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_ADDED_TOKENS_H_
