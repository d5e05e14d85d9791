#include "tokens/loaded/normalizers.h"

#include <algorithm>
#include <array>

#include "tokens/loaded/code_points.h"

namespace weir::tokens {
namespace {

bool IsWhiteSpace(char32_t c) { return Categories::Get().In(kWhiteSpace, c); }

// unicode_categories, which the format's own library asks here, has the tables of Unicode 8.0.
bool IsBertControl(char32_t c) {
  const Categories& categories = Categories::Get();
  if (c == '\t' || c == '\n' || c == '\r') return false;
  return c == 0 || c == 0xFFFD ||
         (categories.InUnicode8(c) && categories.In(SetOf(kCc, kCcSpace, kCf, kCo), c));
}

bool IsIdeograph(char32_t c) {
  constexpr std::pair<char32_t, char32_t> kBlocks[] = {
      {0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F},
      {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F},
  };
  return std::any_of(std::begin(kBlocks), std::end(kBlocks),
                     [c](const auto& block) { return c >= block.first && c <= block.second; });
}

// One that was punctuation in Unicode 8.0 and 9.0.
constexpr char32_t kMarkSince10 = 0x111C9;

// Marks as Unicode 9.0 knew them; three have changed their category since.
bool IsOldMark(char32_t c) {
  const Categories& categories = Categories::Get();
  return (categories.InUnicode9(c) && categories.In(kAnyMark, c) && c != kMarkSince10) ||
         c == 0x1CF2 || c == 0x1CF3;
}

bool IsNmtControl(char32_t c) {
  return (c >= 1 && c <= 8) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F ||
         c == 0x9F;
}

bool IsNmtSpace(char32_t c) {
  return c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
         (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
         c == 0xFFFD;
}

// How much of what `rewrite` makes of a text stands for its first `origin` bytes, for a rewriter
// that looks at no more than its neighbours.
template <typename Rewrite>
void ApplyByParts(TextInWork* work, const Rewrite& rewrite) {
  const std::string_view text = work->text;
  std::string head, all;
  if (work->origin != 0) rewrite(&head, text.substr(0, work->origin));
  all.reserve(text.size() + text.size() / 8);
  rewrite(&all, text);
  work->origin = std::min(head.size(), all.size());
  work->text.swap(all);
}

}  // namespace

void NormalFormNormalizer::Apply(TextInWork* work) const {
  ApplyByParts(work, [this](std::string* out, std::string_view text) {
    AppendNormalForm(out, text, form_);
  });
}

void LowercaseNormalizer::Apply(TextInWork* work) const { ApplyByParts(work, AppendLowerCase); }

void PrecompiledNormalizer::Apply(TextInWork* work) const {
  const bool had_origin = work->origin != 0;
  ApplyByParts(work, [this](std::string* out, std::string_view text) { map_.Append(out, text); });
  // The format's own library forgets that a character was left out if none came before it.
  if (!had_origin || work->text.empty()) return;
  const char* const text = work->text.data();
  const size_t first = DecodeAt(text, text + work->text.size()).bytes;
  work->origin = std::max(work->origin, first);
}

void StripNormalizer::Apply(TextInWork* work) const {
  std::string_view text = work->text;
  const char* const end = text.data() + text.size();
  size_t begin = 0;
  while (left_ && begin < text.size()) {
    const CodePoint c = DecodeAt(text.data() + begin, end);
    if (!IsWhiteSpace(c.value)) break;
    begin += c.bytes;
  }
  size_t last = text.size();
  while (right_ && last > begin) {
    size_t character = last - 1;
    while (character > begin && IsContinuationByte(text[character])) --character;
    if (!IsWhiteSpace(DecodeAt(text.data() + character, end).value)) break;
    last = character;
  }
  work->origin = std::min(work->origin > begin ? work->origin - begin : 0, last - begin);
  work->text = std::string(text.substr(begin, last - begin));
}

void PrependNormalizer::Apply(TextInWork* work) const {
  work->text.insert(0, text_);
  if (work->origin != 0) work->origin += text_.size();
}

// What replaces a match stands for the last character of the match.
void ReplaceNormalizer::Apply(TextInWork* work) const {
  const std::string_view text = work->text;
  std::string out;
  size_t copied = 0, origin = 0;
  bool in_origin = true;
  const auto keep = [&](size_t end) {
    out.append(text.substr(copied, end - copied));
    if (in_origin) {
      origin = out.size();
      if (end > work->origin) {
        origin -= end - std::max(copied, work->origin);
        in_origin = false;
      }
    }
    copied = end;
  };
  const auto replace = [&](size_t begin, size_t end) {
    keep(begin);
    if (!by_.empty() && in_origin) {
      in_origin = end <= work->origin;
      if (in_origin) origin += by_.size();
    }
    out.append(by_);
    copied = end;
  };
  if (what_.pattern != nullptr) {
    PatternMatcher matcher(*what_.pattern, text);
    for (size_t begin = 0, end = 0; matcher.Next(&begin, &end);) replace(begin, end);
  } else {
    const std::string& literal = what_.literal;
    for (size_t at = text.find(literal); at != std::string_view::npos;
         at = text.find(literal, at + literal.size())) {
      replace(at, at + literal.size());
    }
  }
  keep(text.size());
  work->origin = std::min(origin, out.size());
  work->text.swap(out);
}

void CharacterNormalizer::Apply(TextInWork* work) const {
  ApplyByParts(work, [this](std::string* out, std::string_view text) {
    for (const char *p = text.data(), *end = p + text.size(); p < end;) {
      const CodePoint c = DecodeAt(p, end);
      AppendOne(out, {p, c.bytes}, c.value);
      p += c.bytes;
    }
  });
}

void CharacterNormalizer::AppendOne(std::string* out, std::string_view character,
                                    char32_t value) const {
  bool keep = true, blank = false;
  switch (rule_) {
    case CharacterRule::kStripAccents:
      keep = !IsOldMark(value);
      break;
    case CharacterRule::kNmt:
      keep = !IsNmtControl(value);
      blank = IsNmtSpace(value);
      break;
    case CharacterRule::kBertClean:
      keep = !IsBertControl(value);
      blank = IsWhiteSpace(value);
      break;
    case CharacterRule::kBertChinese:
      if (!IsIdeograph(value)) break;
      out->push_back(' ');
      out->append(character);
      character = " ";
      break;
    case CharacterRule::kBertAccents:
      keep = !Categories::Get().InUnicode8(value) || !Categories::Get().In(SetOf(kMn), value) ||
             value == kMarkSince10;
      break;
    case CharacterRule::kByteLevel:
      return AppendBytesAsCharacters(out, character);
  }
  if (keep) out->append(blank ? std::string_view(" ") : character);
}

char32_t CharacterOfByte(unsigned char byte) {
  if (byte <= 0x20) return 0x100u + byte;
  if (byte < 0x7F) return byte;
  if (byte <= 0xA0) return 0x121u + (byte - 0x7Fu);
  return byte == 0xAD ? 0x143u : byte;
}

void AppendBytesAsCharacters(std::string* out, std::string_view bytes) {
  for (const char byte : bytes) {
    AppendCodePoint(out, CharacterOfByte(static_cast<unsigned char>(byte)));
  }
}

bool AppendCharactersAsBytes(std::string* out, std::string_view characters) {
  for (const char *p = characters.data(), *end = p + characters.size(); p < end;) {
    const CodePoint c = DecodeAt(p, end);
    p += c.bytes;
    char32_t byte = c.value;
    if (c.value == 0x143) {
      byte = 0xAD;
    } else if (c.value >= 0x121 && c.value <= 0x142) {
      byte = c.value - 0x121 + 0x7F;
    } else if (c.value >= 0x100 && c.value <= 0x120) {
      byte = c.value - 0x100;
    }
    if (byte > 0xFF || CharacterOfByte(static_cast<unsigned char>(byte)) != c.value) return false;
    out->push_back(static_cast<char>(byte));
  }
  return true;
}

}  // namespace weir::tokens
