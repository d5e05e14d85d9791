#include "tokens/loaded/normal_form.h"

#if WEIR_WITH_UTF8PROC

#include <utf8proc.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tokens/loaded/code_points.h"

namespace weir::tokens {
namespace {

struct Mark {
  utf8proc_int32_t value;
  int combining_class;
};

// A stretch of text while it is brought into a form.
class Stretch {
 public:
  explicit Stretch(NormalForm form) : form_(form), categories_(Categories::Get()) {}

  void Append(std::string* out, std::string_view text) {
    characters_.clear();
    for (const char *p = text.data(), *end = p + text.size(); p < end;) {
      const CodePoint c = DecodeAt(p, end);
      Decompose(static_cast<utf8proc_int32_t>(c.value));
      p += c.bytes;
    }
    SortMarks();
    size_t begin = 0;
    for (size_t i = 0; i < characters_.size(); ++i) {
      if (IsKnown(characters_[i])) continue;
      Put(out, begin, i);
      AppendCodePoint(out, static_cast<char32_t>(characters_[i]));
      begin = i + 1;
    }
    Put(out, begin, characters_.size());
  }

 private:
  bool IsKnown(utf8proc_int32_t c) const {
    return categories_.InUnicode9(static_cast<char32_t>(c));
  }
  int CombiningClass(utf8proc_int32_t c) const {
    return IsKnown(c) ? utf8proc_get_property(c)->combining_class : 0;
  }

  void Decompose(utf8proc_int32_t c) {
    constexpr int kLongest = 18;  // U+FDFA
    utf8proc_int32_t parts[kLongest] = {c};
    utf8proc_ssize_t count = 1;
    if (IsKnown(c)) {
      const int options = UTF8PROC_DECOMPOSE | (form_.compatible ? UTF8PROC_COMPAT : 0);
      int boundary = 0;
      count = utf8proc_decompose_char(c, parts, kLongest, static_cast<utf8proc_option_t>(options),
                                      &boundary);
      if (count < 1 || count > kLongest) {
        parts[0] = c;
        count = 1;
      }
    }
    characters_.insert(characters_.end(), parts, parts + count);
  }

  void SortMarks() {
    for (size_t i = 0; i < characters_.size(); ++i) {
      if (CombiningClass(characters_[i]) == 0) continue;
      marks_.clear();
      const size_t begin = i;
      for (; i < characters_.size(); ++i) {
        const int combining_class = CombiningClass(characters_[i]);
        if (combining_class == 0) break;
        marks_.push_back({characters_[i], combining_class});
      }
      if (marks_.size() == 1) continue;
      std::stable_sort(marks_.begin(), marks_.end(), [](const Mark& a, const Mark& b) {
        return a.combining_class < b.combining_class;
      });
      for (size_t k = 0; k < marks_.size(); ++k) characters_[begin + k] = marks_[k].value;
    }
  }

  void Put(std::string* out, size_t begin, size_t end) {
    auto count = static_cast<utf8proc_ssize_t>(end - begin);
    if (form_.composed && count > 1) {
      const int options = UTF8PROC_COMPOSE | UTF8PROC_STABLE;
      const utf8proc_ssize_t left = utf8proc_normalize_utf32(
          characters_.data() + begin, count, static_cast<utf8proc_option_t>(options));
      if (left >= 0 && left <= count) count = left;
    }
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      AppendCodePoint(out, static_cast<char32_t>(characters_[begin + static_cast<size_t>(i)]));
    }
  }

  NormalForm form_;
  const Categories& categories_;
  std::vector<utf8proc_int32_t> characters_;
  std::vector<Mark> marks_;
};

bool IsAscii(char byte) { return static_cast<unsigned char>(byte) < 0x80; }

// Case pairs that are younger than utf8proc may be (Unicode 16.0 and 17.0).
char32_t YoungLowerCase(char32_t c) {
  constexpr std::pair<char32_t, char32_t> kPairs[] = {
      {0x1C89, 0x1C8A}, {0xA7CB, 0x264},  {0xA7CC, 0xA7CD}, {0xA7CE, 0xA7CF},
      {0xA7D2, 0xA7D3}, {0xA7D4, 0xA7D5}, {0xA7DA, 0xA7DB}, {0xA7DC, 0x19B},
  };
  if (c >= 0x10D50 && c <= 0x10D65) return c + 0x20;
  if (c >= 0x16EA0 && c <= 0x16EB8) return c + 0x1B;
  for (const auto& [upper, lower] : kPairs) {
    if (upper == c) return lower;
  }
  return c;
}

// Marks of Unicode 17.0, which go on a cluster as all marks do.
bool IsMarkOf17(char32_t c) {
  constexpr std::pair<char32_t, char32_t> kRanges[] = {
      {0x1ACF, 0x1ADD},   {0x1AE0, 0x1AEB},   {0x10EFA, 0x10EFB}, {0x11B60, 0x11B67},
      {0x1E6E3, 0x1E6E3}, {0x1E6E6, 0x1E6E6}, {0x1E6EE, 0x1E6EF}, {0x1E6F5, 0x1E6F5},
  };
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [c](const auto& range) { return c >= range.first && c <= range.second; });
}

// A mark that is younger than utf8proc as one that is not.
char32_t KnownMark(char32_t c) {
  if (c < 0x300 || utf8proc_category(static_cast<utf8proc_int32_t>(c)) != UTF8PROC_CATEGORY_CN) {
    return c;
  }
  return IsMarkOf17(c) || Categories::Get().In(kAnyMark, c) ? 0x301 : c;
}

}  // namespace

const bool kHasUtf8proc = true;

// ASCII is in every form, and composes only with what follows it: so runs of it are copied, and the
// rest is brought into the form together with the one ASCII character before it.
void AppendNormalForm(std::string* out, std::string_view text, NormalForm form) {
  Stretch stretch(form);
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && IsAscii(text[end])) ++end;
    const size_t begin = end == text.size() || end == i ? end : end - 1;
    out->append(text.substr(i, begin - i));
    while (end < text.size() && !IsAscii(text[end])) ++end;
    if (end > begin) stretch.Append(out, text.substr(begin, end - begin));
    i = end;
  }
}

void AppendLowerCase(std::string* out, std::string_view text) {
  for (const char *p = text.data(), *end = p + text.size(); p < end;) {
    const CodePoint c = DecodeAt(p, end);
    p += c.bytes;
    if (c.value < 0x80) {
      out->push_back(
          static_cast<char>(c.value >= 'A' && c.value <= 'Z' ? c.value | 0x20 : c.value));
    } else if (c.value == 0x130) {
      out->append("i\xCC\x87");
    } else {
      const char32_t young = YoungLowerCase(c.value);
      AppendCodePoint(out, young != c.value ? young
                                            : static_cast<char32_t>(utf8proc_tolower(
                                                  static_cast<utf8proc_int32_t>(c.value))));
    }
  }
}

bool ClusterEnds(char32_t before, char32_t after, int32_t* state) {
  return utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(KnownMark(before)),
                                          static_cast<utf8proc_int32_t>(KnownMark(after)),
                                          state) != 0;
}

}  // namespace weir::tokens

#else

namespace weir::tokens {

const bool kHasUtf8proc = false;

void AppendNormalForm(std::string*, std::string_view, NormalForm) {}
void AppendLowerCase(std::string*, std::string_view) {}
bool ClusterEnds(char32_t, char32_t, int32_t*) { return true; }

}  // namespace weir::tokens

#endif  // WEIR_WITH_UTF8PROC
