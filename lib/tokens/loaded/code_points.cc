#include "tokens/loaded/code_points.h"

namespace weir::tokens {
namespace {

#include "tokens/loaded/categories.inc"

constexpr char32_t kDenseEnd = 0x40000;

}  // namespace

void AppendCodePoint(std::string* out, char32_t c) {
  const auto put = [out](char32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

const Categories& Categories::Get() {
  static const Categories categories;
  return categories;
}

Categories::Categories() {
  dense_.reserve(kDenseEnd);
  char32_t position = 0;
  for (size_t i = 0; i < sizeof kCategoryRuns;) {
    const uint8_t entry = kCategoryRuns[i++];
    char32_t length = 0;
    for (int shift = 0;; shift += 7) {
      const uint8_t byte = kCategoryRuns[i++];
      length |= static_cast<char32_t>(byte & 0x7F) << shift;
      if (byte < 0x80) break;
    }
    position += length;
    if (dense_.size() < kDenseEnd) {
      dense_.resize(position < kDenseEnd ? position : kDenseEnd, entry);
    }
    if (position > kDenseEnd) sparse_.push_back({position, entry});
  }
}

uint8_t Categories::SparseEntry(char32_t c) const {
  for (const Run& run : sparse_) {
    if (c < run.end) return run.entry;
  }
  return kCn | 2 << 5;
}

bool IsWordCharacter(const Categories& categories, char32_t c) {
  if (categories.In(kAnyLetter | kAnyMark | SetOf(kNd, kNl, kPc), c)) return true;
  // The symbols that are Alphabetic: letters in circles and squares.
  return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
         (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

}  // namespace weir::tokens
