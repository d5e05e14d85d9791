// Characters of well-formed UTF-8, and their Unicode 16.0 general categories.

#ifndef WEIR_LIB_TOKENS_LOADED_CODE_POINTS_H_
#define WEIR_LIB_TOKENS_LOADED_CODE_POINTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::tokens {

struct CodePoint {
  char32_t value;
  uint32_t bytes;
};

// The character at `p` < `end`. A byte that begins no character stands for itself alone as U+FFFD,
// so that nothing is read beyond `end` whatever the text is.
inline CodePoint DecodeAt(const char* p, const char* end) {
  const auto byte = [p](int i) { return static_cast<unsigned char>(p[i]); };
  const auto tail = [&byte](int i) { return byte(i) & 0x3Fu; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t left = static_cast<size_t>(end - p);
  if (lead >= 0xF0 && left >= 4) {
    return {(lead & 0x07u) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4};
  }
  if (lead >= 0xE0 && lead < 0xF0 && left >= 3) {
    return {(lead & 0x0Fu) << 12 | tail(1) << 6 | tail(2), 3};
  }
  if (lead >= 0xC0 && lead < 0xE0 && left >= 2) return {(lead & 0x1Fu) << 6 | tail(1), 2};
  return {0xFFFD, 1};
}

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
