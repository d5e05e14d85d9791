// A set of characters, as a pattern or a pre-tokenizer names it.

#ifndef WEIR_LIB_TOKENS_LOADED_CHAR_SET_H_
#define WEIR_LIB_TOKENS_LOADED_CHAR_SET_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "tokens/loaded/code_points.h"

namespace weir::tokens {

class CharSet {
 public:
  CharSet() = default;

  void Add(CategorySet categories) { categories_ |= categories; }
  void Add(char32_t first, char32_t last) { ranges_.emplace_back(first, last); }
  // ASCII letters in both cases, and the two characters that fold to one: U+017F to s, U+212A to k.
  void AddFolded(char32_t c);
  void Negate() { negated_ = !negated_; }
  // Call once when nothing more is added, before any question.
  void Freeze();

  bool Has(char32_t c) const {
    if (c < 0x80) return HasAscii(static_cast<unsigned char>(c));
    return HasOther(c);
  }
  bool HasAscii(unsigned char c) const { return (ascii_[c >> 6] >> (c & 63) & 1) != 0; }
  // Whether some character beyond ASCII may be in it.
  bool MayHaveOther() const { return negated_ || categories_ != 0 || has_other_range_; }

 private:
  bool HasOther(char32_t c) const;
  bool Plain(char32_t c) const;

  std::array<uint64_t, 2> ascii_ = {};
  CategorySet categories_ = 0;
  std::vector<std::pair<char32_t, char32_t>> ranges_;  // sorted and apart, once frozen
  bool negated_ = false;
  bool has_other_range_ = false;
  const Categories* table_ = nullptr;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_CHAR_SET_H_
