#include "tests/tokens/oracle.h"

#include <cstring>
#include <functional>
#include <stdexcept>

#include "tests/support/shared_data.h"

namespace weir::testing {
namespace {

using tokens::CharClass;
using tokens::ClassOf;

Ranks ReadRanks(const std::string& encoding) {
  const auto bytes = ReadFile(SourcePath("lib/tokens/data/" + encoding + ".ranks"));
  if (!bytes) throw std::runtime_error("no rank file of " + encoding);
  Ranks ranks;
  uint32_t rank = 0;
  for (size_t at = 12; at < bytes->size(); ++rank) {
    const size_t size = static_cast<unsigned char>((*bytes)[at]);
    if (size > 0) ranks.emplace(bytes->substr(at + 1, size), rank);
    at += 1 + size;
  }
  return ranks;
}

using Predicate = std::function<bool(char32_t)>;

bool IsLetter(char32_t c) {
  const CharClass k = ClassOf(c);
  return k == tokens::kUpper || k == tokens::kLower || k == tokens::kLetter;
}
bool IsMark(char32_t c) { return ClassOf(c) == tokens::kMark; }
bool IsNumber(char32_t c) { return ClassOf(c) == tokens::kNumber; }
bool IsNewline(char32_t c) { return c == U'\r' || c == U'\n'; }
bool IsSpace(char32_t c) { return ClassOf(c) == tokens::kSpace || IsNewline(c); }
bool IsUpper(char32_t c) {  // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
  return ClassOf(c) == tokens::kUpper || ClassOf(c) == tokens::kLetter || IsMark(c);
}
bool IsLower(char32_t c) {  // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
  return ClassOf(c) == tokens::kLower || ClassOf(c) == tokens::kLetter || IsMark(c);
}
bool IsLead(char32_t c) { return !IsNewline(c) && !IsLetter(c) && !IsNumber(c); }
bool IsPunctuation(char32_t c) { return !IsSpace(c) && !IsLetter(c) && !IsNumber(c); }

constexpr size_t kMany = ~size_t{0};

// One element of an expression, greedy; `words`, when set, are literal choices in any case.
struct Element {
  Predicate matches;
  size_t least = 1, most = 1;
  std::vector<std::u32string> words = {};
  bool not_before_non_space = false;  // (?!\S)
  bool exact_case = false;            // of the words
};
using Expression = std::vector<Element>;

char32_t Fold(char32_t c) {
  if (c == 0x17F) return U's';
  return c >= U'A' && c <= U'Z' ? c + 32 : c;
}

// The end of the first match of elements [from, …) at `at`, by backtracking; kMany when none.
size_t Match(const Expression& expression, size_t from, const std::u32string& text, size_t at) {
  if (from == expression.size()) return at;
  const Element& element = expression[from];
  if (element.not_before_non_space) {
    if (at < text.size() && !IsSpace(text[at])) return kMany;
    return Match(expression, from + 1, text, at);
  }
  for (const std::u32string& word : element.words) {
    std::u32string folded = text.substr(at, word.size());
    if (!element.exact_case) {
      for (char32_t& c : folded) c = Fold(c);
    }
    if (folded != word) continue;
    const size_t end = Match(expression, from + 1, text, at + word.size());
    if (end != kMany) return end;
  }
  if (!element.words.empty()) {
    return element.least == 0 ? Match(expression, from + 1, text, at) : kMany;
  }
  size_t count = 0;
  while (count < element.most && at + count < text.size() && element.matches(text[at + count])) {
    ++count;
  }
  for (; count + 1 > element.least; --count) {
    const size_t end = Match(expression, from + 1, text, at + count);
    if (end != kMany) return end;
    if (count == 0) break;
  }
  return kMany;
}

Element Optional(Predicate p) { return {p, 0, 1}; }
Element Star(Predicate p) { return {p, 0, kMany}; }
Element Plus(Predicate p) { return {p, 1, kMany}; }
Element Contraction(size_t least, bool exact_case = false) {
  return {nullptr, least,     1, {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"},
          false,   exact_case};
}
Element NotBeforeNonSpace() { return {nullptr, 0, 0, {}, true}; }
bool IsBlank(char32_t c) { return c == U' '; }
bool IsNewlineOrSlash(char32_t c) { return IsNewline(c) || c == U'/'; }

const std::vector<Expression>& Alternatives(const std::string& encoding) {
  static const std::vector<Expression> cl100k = {
      {Contraction(1)},
      {Optional(IsLead), Plus(IsLetter)},
      {{IsNumber, 1, 3}},
      {Optional(IsBlank), Plus(IsPunctuation), Star(IsNewline)},
      {Star(IsSpace), Plus(IsNewline)},
      {Plus(IsSpace), NotBeforeNonSpace()},
      {Plus(IsSpace)},
  };
  static const std::vector<Expression> o200k = {
      {Optional(IsLead), Star(IsUpper), Plus(IsLower), Contraction(0)},
      {Optional(IsLead), Plus(IsUpper), Star(IsLower), Contraction(0)},
      {{IsNumber, 1, 3}},
      {Optional(IsBlank), Plus(IsPunctuation), Star(IsNewlineOrSlash)},
      {Star(IsSpace), Plus(IsNewline)},
      {Plus(IsSpace), NotBeforeNonSpace()},
      {Plus(IsSpace)},
  };
  static const std::vector<Expression> r50k = {
      {Contraction(1, true)},
      {Optional(IsBlank), Plus(IsLetter)},
      {Optional(IsBlank), Plus(IsNumber)},
      {Optional(IsBlank), Plus(IsPunctuation)},
      {Plus(IsSpace), NotBeforeNonSpace()},
      {Plus(IsSpace)},
  };
  if (encoding == "r50k_base" || encoding == "p50k_base") return r50k;
  return encoding == "cl100k_base" ? cl100k : o200k;
}

}  // namespace

const Ranks& RanksOf(const std::string& encoding) {
  static const Ranks cl100k = ReadRanks("cl100k_base");
  static const Ranks o200k = ReadRanks("o200k_base");
  static const Ranks r50k = ReadRanks("r50k_base");
  static const Ranks p50k = ReadRanks("p50k_base");
  if (encoding == "r50k_base") return r50k;
  if (encoding == "p50k_base") return p50k;
  return encoding == "cl100k_base" ? cl100k : o200k;
}

std::vector<uint32_t> NaiveMerge(const Ranks& ranks, std::string_view piece) {
  std::vector<std::string> parts;
  for (const char c : piece) parts.emplace_back(1, c);
  for (;;) {
    uint32_t best = ~0u;
    size_t best_at = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = ranks.find(parts[i] + parts[i + 1]);
      if (found != ranks.end() && found->second < best) {
        best = found->second;
        best_at = i;
      }
    }
    if (best == ~0u) break;
    parts[best_at] += parts[best_at + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
  std::vector<uint32_t> ids;
  for (const std::string& part : parts) ids.push_back(ranks.at(part));
  return ids;
}

std::u32string DecodeLossy(std::string_view text) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    // The longest prefix, up to 4 bytes, of some well-formed character.
    size_t used = 0;
    char32_t whole = 0xFFFD;
    for (char32_t lead_bits = 0, size = 1; size <= 4; ++size) {
      const auto lead = static_cast<unsigned char>(text[at]);
      const bool fits = size == 1   ? lead < 0x80
                        : size == 2 ? lead >= 0xC2 && lead < 0xE0
                        : size == 3 ? lead >= 0xE0 && lead < 0xF0
                                    : lead >= 0xF0 && lead < 0xF5;
      if (!fits) continue;
      lead_bits = size == 1 ? lead : lead & (0x7Fu >> size);
      used = 1;
      char32_t value = lead_bits;
      for (; used < size && at + used < text.size(); ++used) {
        const auto next = static_cast<unsigned char>(text[at + used]);
        if (next >> 6 != 2) break;
        // No continuation may already say: overlong, surrogate, above U+10FFFF.
        const char32_t grown = value << 6 | (next & 0x3F);
        const int missing = static_cast<int>(size - used) - 1;
        const char32_t low = grown << (6 * missing), high = low | ((1u << (6 * missing)) - 1);
        const char32_t least = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
        if (high < least || low > 0x10FFFF || (low >= 0xD800 && high <= 0xDFFF)) break;
        value = grown;
      }
      if (used == size) whole = value;
    }
    out.push_back(whole);
    at += used == 0 ? 1 : used;
  }
  return out;
}

std::string EncodeUtf8(std::u32string_view text) {
  std::string out;
  for (const char32_t c : text) {
    if (c < 0x80) {
      out.push_back(static_cast<char>(c));
      continue;
    }
    const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    out.push_back(static_cast<char>((0xFF00u >> (more + 1) & 0xFF) | c >> (6 * more)));
    for (int i = more - 1; i >= 0; --i)
      out.push_back(static_cast<char>(0x80 | (c >> (6 * i) & 63)));
  }
  return out;
}

std::vector<std::u32string> NaivePieces(const std::string& encoding, const std::u32string& text) {
  std::vector<std::u32string> pieces;
  for (size_t at = 0; at < text.size();) {
    size_t end = kMany;
    for (const Expression& expression : Alternatives(encoding)) {
      end = Match(expression, 0, text, at);
      if (end != kMany) break;
    }
    if (end == kMany || end == at) throw std::runtime_error("the expression does not cover a text");
    pieces.push_back(text.substr(at, end - at));
    at = end;
  }
  return pieces;
}

std::vector<uint32_t> NaiveEncode(const std::string& encoding, std::string_view text) {
  std::vector<uint32_t> ids;
  for (const std::u32string& piece : NaivePieces(encoding, DecodeLossy(text))) {
    const auto merged = NaiveMerge(RanksOf(encoding), EncodeUtf8(piece));
    ids.insert(ids.end(), merged.begin(), merged.end());
  }
  return ids;
}

}  // namespace weir::testing
