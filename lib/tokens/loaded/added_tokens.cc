#include "tokens/loaded/added_tokens.h"

#include "tokens/loaded/code_points.h"

namespace weir::tokens {
namespace {

bool IsBlank(char32_t c) { return Categories::Get().In(kWhiteSpace, c); }

bool IsPartOfWord(char32_t c) {
  return IsWordCharacter(Categories::Get(), c) || c == 0x200C || c == 0x200D;
}

CodePoint At(std::string_view text, size_t at) {
  return DecodeAt(text.data() + at, text.data() + text.size());
}

size_t BeginOfCharacterBefore(std::string_view text, size_t at) {
  do --at;
  while (at > 0 && IsContinuationByte(text[at]));
  return at;
}

}  // namespace

bool AddedTokens::Add(std::string_view text, const AddedToken& token) {
  if (text.empty() || text.size() > kMaxBytes) return false;
  if (!trie_.Add(text, static_cast<uint32_t>(tokens_.size()))) return false;
  tokens_.push_back(token);
  return true;
}

const AddedToken* AddedTokens::LongestAt(std::string_view text, size_t at, size_t* end) const {
  const AddedToken* longest = nullptr;
  uint32_t node = Trie::kRoot;
  for (size_t i = at; i < text.size();) {
    node = trie_.Step(node, static_cast<unsigned char>(text[i]));
    if (node == Trie::kNowhere) break;
    ++i;
    const uint32_t value = trie_.Value(node);
    if (value == Trie::kNoValue) continue;
    longest = &tokens_[value];
    *end = i;
  }
  return longest;
}

bool AddedTokens::StandsAlone(std::string_view text, size_t begin, size_t end) const {
  const bool word_before =
      begin > 0 && IsPartOfWord(At(text, BeginOfCharacterBefore(text, begin)).value);
  const bool word_after = end < text.size() && IsPartOfWord(At(text, end).value);
  return !word_before && !word_after;
}

size_t AddedTokens::BlanksBefore(std::string_view text, size_t begin, size_t low) {
  while (begin > low) {
    const size_t before = BeginOfCharacterBefore(text, begin);
    if (before < low || !IsBlank(At(text, before).value)) break;
    begin = before;
  }
  return begin;
}

size_t AddedTokens::BlanksAfter(std::string_view text, size_t end) {
  while (end < text.size()) {
    const CodePoint c = At(text, end);
    if (!IsBlank(c.value)) break;
    end += c.bytes;
  }
  return end;
}

}  // namespace weir::tokens
