// Text helpers: the bridges between std and Abseil string types, UTF-8, globs, nearest words.

#ifndef WEIR_LIB_BASE_TEXT_H_
#define WEIR_LIB_BASE_TEXT_H_

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace weir {

// Some distributions build Abseil with a string_view type of its own; these two cross over.
inline absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view StdView(absl::string_view text) { return {text.data(), text.size()}; }

// For flat_hash_map<std::string, …, StringHash, StringEq>: look-up by std::string_view. The hash is
// Abseil's, seeded in each process, so keys chosen by an attacker do not collide at will.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const {
    return absl::Hash<absl::string_view>{}(AbslView(text));
  }
};
struct StringEq {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};

// Concatenates into one string.
std::string Concat(std::initializer_list<std::string_view> parts);

std::string_view TrimSpace(std::string_view text);  // ASCII blanks and tabs at both ends
bool EqualsIgnoreCase(std::string_view a, std::string_view b);  // ASCII case only
constexpr char AsciiLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
std::string AsciiLower(std::string_view text);

// The offset of the first byte that is not part of well-formed UTF-8 (surrogates and overlong forms
// are not well-formed); npos when all of it is.
size_t FindInvalidUtf8(std::string_view text);

// The length of the longest prefix of at most `limit` bytes that does not split a character.
size_t Utf8Prefix(std::string_view text, size_t limit);

// `*` matches any run, `?` any byte; linear in practice, O(pattern × text) at worst.
bool GlobMatch(std::string_view pattern, std::string_view text);

// The candidate nearest to `word` by edit distance, if near enough to be what was meant; else
// empty.
std::string_view NearestWord(std::string_view word, absl::Span<const std::string_view> candidates);

// Decimal integers, whole text only.
bool ParseInt64(std::string_view text, int64_t* value);
bool ParseUint64(std::string_view text, uint64_t* value);

// An unsigned number as text, where no string is needed.
class Decimal {
 public:
  explicit Decimal(uint64_t value)
      : size_(static_cast<size_t>(std::to_chars(digits_, digits_ + kMost, value).ptr - digits_)) {}
  operator std::string_view() const { return {digits_, size_}; }  // NOLINT: it is one

 private:
  static constexpr size_t kMost = 20;
  char digits_[kMost];
  size_t size_;
};

// Percent-decoding of a path segment; false when an escape is malformed or decodes to NUL.
bool PercentDecode(std::string_view text, std::string* decoded);
std::string PercentEncode(std::string_view text);

}  // namespace weir

#endif  // WEIR_LIB_BASE_TEXT_H_
