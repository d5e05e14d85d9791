// The naive twin of the built-in tokenizers: the published regular expressions carried out by a
// small backtracking matcher, and byte-pair merging by its definition over a hash map of byte
// strings, quadratic in the piece. Slow and short; nothing of it comes from the library but the
// classes of characters, which vectors check.

#ifndef WEIR_TESTS_TOKENS_ORACLE_H_
#define WEIR_TESTS_TOKENS_ORACLE_H_

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokens/utf8_class.h"

namespace weir::testing {

// So many rounds of a random test in the build that ships, a tenth where each takes ten times as
// long; in the long form sixty times as many.
inline int Rounds(int rounds) {
  if (std::getenv("WEIR_LONG") != nullptr) rounds *= 60;
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  return rounds;
#else
  return rounds / 10;
#endif
}

using Ranks = std::unordered_map<std::string, uint32_t>;

// The ranks of lib/tokens/data/<encoding>.ranks.
const Ranks& RanksOf(const std::string& encoding);

// Merges the lowest-ranked pair, the leftmost first, until there is none.
std::vector<uint32_t> NaiveMerge(const Ranks& ranks, std::string_view piece);

// UTF-32 of `text`, ill-formed parts as U+FFFD by the rule of the Unicode Standard.
std::u32string DecodeLossy(std::string_view text);
std::string EncodeUtf8(std::u32string_view text);

// The pieces that the regular expression of `encoding` cuts `text` into.
std::vector<std::u32string> NaivePieces(const std::string& encoding, const std::u32string& text);

// All of it.
std::vector<uint32_t> NaiveEncode(const std::string& encoding, std::string_view text);

}  // namespace weir::testing

#endif  // WEIR_TESTS_TOKENS_ORACLE_H_
