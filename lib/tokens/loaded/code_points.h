// Characters of well-formed UTF-8, and their Unicode 16.0 general categories.

#ifndef WEIR_LIB_TOKENS_LOADED_CODE_POINTS_H_
#define WEIR_LIB_TOKENS_LOADED_CODE_POINTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tokens/utf8.h"

namespace weir::tokens {

constexpr bool IsContinuationByte(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

void AppendCodePoint(std::string* out, char32_t code_point);

// The order is that of make_categories.py.
enum Category : uint8_t {
  // clang-format off
  kLu, kLl, kLt, kLm, kLo, kMn, kMc, kMe, kNd, kNl, kNo, kPc, kPd, kPs, kPe, kPi, kPf, kPo,
  kSm, kSc, kSk, kSo, kZs, kZl, kZp, kCc, kCf, kCs, kCo, kCn,
  // clang-format on
  kCcSpace,  // the controls that are White_Space
};

using CategorySet = uint32_t;
template <typename... Categories>
constexpr CategorySet SetOf(Categories... categories) {
  return (... | (CategorySet{1} << categories));
}
inline constexpr CategorySet kAnyLetter = SetOf(kLu, kLl, kLt, kLm, kLo);
inline constexpr CategorySet kAnyMark = SetOf(kMn, kMc, kMe);
inline constexpr CategorySet kAnyNumber = SetOf(kNd, kNl, kNo);
inline constexpr CategorySet kAnyPunctuation = SetOf(kPc, kPd, kPs, kPe, kPi, kPf, kPo);
inline constexpr CategorySet kAnySymbol = SetOf(kSm, kSc, kSk, kSo);
inline constexpr CategorySet kAnySeparator = SetOf(kZs, kZl, kZp);
inline constexpr CategorySet kWhiteSpace = kAnySeparator | SetOf(kCcSpace);
inline constexpr CategorySet kEveryCategory = (CategorySet{1} << (kCcSpace + 1)) - 1;

// What is known of every code point. One in a process, made (in about a millisecond, 260 KB) when
// the first tokenizer is loaded.
class Categories {
 public:
  static const Categories& Get();

  Category Of(char32_t c) const { return static_cast<Category>(Entry(c) & 0x1F); }
  bool In(CategorySet set, char32_t c) const { return (set >> (Entry(c) & 0x1F) & 1) != 0; }
  // Whether Unicode 8.0, or 9.0, had assigned it.
  bool InUnicode8(char32_t c) const { return Entry(c) >> 5 == 0; }
  bool InUnicode9(char32_t c) const { return Entry(c) >> 5 <= 1; }

 private:
  struct Run {
    char32_t end;
    uint8_t entry;
  };
  Categories();
  uint8_t Entry(char32_t c) const { return c < dense_.size() ? dense_[c] : SparseEntry(c); }
  uint8_t SparseEntry(char32_t c) const;

  std::vector<uint8_t> dense_;  // the planes that are in use
  std::vector<Run> sparse_;     // the rest, which are few runs
};

// `\w` of the Unicode Standard's regular expressions (UTS #18), but for the two joiners.
bool IsWordCharacter(const Categories& categories, char32_t c);

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_CODE_POINTS_H_
