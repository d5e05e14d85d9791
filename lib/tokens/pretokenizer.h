// Pre-tokenizers: cut a text into the pieces that byte-pair merging then works on one by one.
//
// They carry out the three regular expressions of OpenAI's tiktoken by hand. L are letters and N
// numbers; [upper] and [lower] both hold the letters without case and the marks. By preference:
//
//   cl100k_base                              o200k_base
//   's 't 're 've 'm 'll 'd, any case        [^\r\n L N]? [upper]* [lower]+ contraction?
//   [^\r\n L N]? L+                          [^\r\n L N]? [upper]+ [lower]* contraction?
//   N{1,3}                                   N{1,3}
//   ' '? [^\s L N]+ [\r\n]*                  ' '? [^\s L N]+ [\r\n/]*
//   \s* [\r\n]+                             the same
//   \s+ (?!\S)                              the same
//   \s+                                     the same
//
// r50k_base, p50k_base and p50k_edit have simpler ones: 's 't 're 've 'm 'll 'd in lower case,
// ' '? L+, ' '? N+, ' '? [^\s L N]+, \s+ (?!\S), \s+.
//
// Each step is linear in what it reads, and no character is read more than a few times, so a text
// takes linear time whatever it holds. Ill-formed UTF-8 counts as U+FFFD, of class "other".

#ifndef WEIR_LIB_TOKENS_PRETOKENIZER_H_
#define WEIR_LIB_TOKENS_PRETOKENIZER_H_

#include <cstddef>
#include <string_view>

#include "tokens/utf8_class.h"

namespace weir::tokens {

enum class Pattern : uint8_t { kR50k, kCl100k, kO200k };

// 's 't 're 've 'm 'll 'd at `p`, ASCII letters of either case and U+017F, which folds to s; 0 if
// none.
inline size_t ContractionBytes(const char* p, const char* end) {
  const size_t left = static_cast<size_t>(end - p);
  if (left < 2 || *p != '\'') return 0;
  const char first = static_cast<char>(p[1] | 0x20);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (left < 3) return 0;
  if (p[1] == '\xC5' && p[2] == '\xBF') return 3;
  const char second = static_cast<char>(p[2] | 0x20);
  if (second == 'e') return first == 'r' || first == 'v' ? 3 : 0;
  return first == 'l' && second == 'l' ? 3 : 0;
}

// A cursor over one text. `kPattern` chooses the rules at compile time.
template <Pattern kPattern>
class Pretokenizer {
 public:
  explicit Pretokenizer(std::string_view text) : p_(text.data()), end_(p_ + text.size()) {}

  // Moves to the next piece; false at the end of the text.
  bool Next() {
    if (p_ == end_) return false;
    ill_formed_ = false;
    begin_ = p_;
    p_ = PieceEnd(p_);
    return true;
  }

  std::string_view piece() const { return {begin_, static_cast<size_t>(p_ - begin_)}; }
  // False: the piece is well-formed UTF-8. True: it, or the character after it, may not be.
  bool maybe_ill_formed() const { return ill_formed_; }

 private:
  static constexpr ClassSet kLetters = Set(kUpper, kLower, kLetter);
  // [^\s\p{L}\p{N}]: marks too.
  static constexpr ClassSet kPunctuation = Set(kOther, kMark);
  // o200k's two letter classes.
  static constexpr ClassSet kUpperOrBoth = Set(kUpper, kLetter, kMark);
  static constexpr ClassSet kLowerOrBoth = Set(kLower, kLetter, kMark);
  static constexpr ClassSet kBoth = Set(kLetter, kMark);

  Char At(const char* p) {
    if (p == end_) return {kEnd, 0, false};
    const Char c = CharAt(p, end_);
    ill_formed_ |= c.ill_formed;
    return c;
  }

  const char* SkipAll(const char* p, ClassSet set) {
    for (;;) {
      CharClass by_byte = kEnd;
      while (p < end_ && In(set, by_byte = kByteClass[static_cast<unsigned char>(*p)])) ++p;
      if (p == end_ || by_byte != kMultiByte) return p;
      const Char c = At(p);
      if (!In(set, c.char_class)) return p;
      p += c.bytes;
    }
  }

  const char* PieceEnd(const char* p) {
    const Char first = At(p);
    if constexpr (kPattern == Pattern::kR50k) return OldPieceEnd(p, first);
    switch (first.char_class) {
      case kNumber:
        return NumberEnd(p + first.bytes);
      case kNewline:
        return WhitespaceEnd(p);
      default:
        break;
    }
    if constexpr (kPattern == Pattern::kCl100k) {
      if (first.char_class == kOther) {
        if (const size_t bytes = ContractionBytes(p, end_)) return p + bytes;
      }
    }
    if (const char* end = WordEnd(p, first)) return end;
    if (first.char_class != kSpace) return PunctuationEnd(p + first.bytes);
    if (*p == ' ') {
      const Char second = At(p + 1);
      if (In(kPunctuation, second.char_class)) return PunctuationEnd(p + 1 + second.bytes);
    }
    return WhitespaceEnd(p);
  }

  // The rules of r50k.
  const char* OldPieceEnd(const char* p, Char first) {
    if (*p == '\'') {
      const size_t bytes = ContractionBytes(p, end_);
      // In lower case, and none of it U+017F.
      const bool plain = bytes != 0 && p[1] >= 'a' && static_cast<unsigned char>(p[1]) < 0x80 &&
                         (bytes == 2 || p[2] >= 'a');
      if (plain) return p + bytes;
    }
    const Char start = *p == ' ' ? At(p + 1) : first;
    const char* const after = *p == ' ' ? p + 1 + start.bytes : p + first.bytes;
    if (In(kLetters, start.char_class)) return SkipAll(after, kLetters);
    if (start.char_class == kNumber) return SkipAll(after, Set(kNumber));
    if (In(kPunctuation, start.char_class)) return SkipAll(after, kPunctuation);
    return WhitespaceEnd(p);
  }

  // After the first of up to three numbers.
  const char* NumberEnd(const char* p) {
    for (int more = 0; more < 2; ++more) {
      const Char c = At(p);
      if (c.char_class != kNumber) return p;
      p += c.bytes;
    }
    return p;
  }

  // After the first character of [^\s\p{L}\p{N}]+.
  const char* PunctuationEnd(const char* p) {
    p = SkipAll(p, kPunctuation);
    if constexpr (kPattern == Pattern::kCl100k) {
      while (p < end_ && (*p == '\r' || *p == '\n')) ++p;
    } else {
      while (p < end_ && (*p == '\r' || *p == '\n' || *p == '/')) ++p;
    }
    return p;
  }

  // \s*[\r\n]+ | \s+(?!\S) | \s+, or only the last two. The first backs off to the last newline of
  // the run; the second leaves the last character to what follows, if something does and if one is
  // left before it.
  const char* WhitespaceEnd(const char* p) {
    const char* const begin = p;
    const char* after_newline = nullptr;
    const char* last = p;
    for (;;) {
      const Char c = At(p);
      if (c.char_class == kNewline) {
        after_newline = p + 1;
      } else if (c.char_class != kSpace) {
        break;
      }
      last = p;
      p += c.bytes;
    }
    if (kPattern != Pattern::kR50k && after_newline != nullptr) return after_newline;
    return p == end_ || last == begin ? p : last;
  }

  // A word with its optional leading character; null when there is none at `p`.
  const char* WordEnd(const char* p, Char first) {
    if constexpr (kPattern == Pattern::kCl100k) {
      const char* end = SkipAll(p + first.bytes, kLetters);
      return In(kLetters, first.char_class) || end != p + first.bytes ? end : nullptr;
    } else {
      const char* end = CasedWordEnd(p, first);
      return end == nullptr ? nullptr : end + ContractionBytes(end, end_);
    }
  }

  // Both word rules of o200k. The first is tried with the leading character and without it before
  // the second is; only a mark can be a leading character and a part of a word.
  const char* CasedWordEnd(const char* p, Char first) {
    if (In(kLetters, first.char_class)) {
      const Cased word = Scan(p);
      return word.first_rule != nullptr ? word.first_rule : word.second_rule;
    }
    const Cased word = Scan(p + first.bytes);
    if (word.first_rule != nullptr) return word.first_rule;
    if (first.char_class == kMark) return p + first.bytes;
    return word.second_rule;
  }

  struct Cased {
    const char* first_rule;   // end of [upper]*[lower]+ at the place, or null
    const char* second_rule;  // end of [upper]+[lower]*, or null; set only when
                              // the first is null
  };

  // [upper]* takes all it can. If no lower-case letter follows, it gives back characters until
  // [lower]+ can have one: the last of the run that is in both classes ends the word.
  Cased Scan(const char* p) {
    const char* const begin = p;
    const char* after_both = nullptr;
    for (;;) {
      const Char c = At(p);
      if (!In(kUpperOrBoth, c.char_class)) {
        if (c.char_class == kLower) return {SkipAll(p + c.bytes, kLowerOrBoth), nullptr};
        break;
      }
      p += c.bytes;
      if (In(kBoth, c.char_class)) after_both = p;
    }
    if (after_both != nullptr) return {after_both, nullptr};
    return {nullptr, p == begin ? nullptr : p};
  }

  const char* begin_ = nullptr;
  const char* p_;
  const char* const end_;
  bool ill_formed_ = false;
};

// How many bytes at the front of `text` are cut into the same pieces whatever follows them: up to
// the last place where a letter or a number is followed by something that no rule joins to it, or
// anything by a blank. The rules of all patterns agree on these places.
size_t StablePieces(std::string_view text);

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_PRETOKENIZER_H_
