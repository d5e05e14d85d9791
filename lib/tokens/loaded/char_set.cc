#include "tokens/loaded/char_set.h"

#include <algorithm>

namespace weir::tokens {

void CharSet::AddFolded(char32_t c) {
  Add(c, c);
  const char32_t lower = c | 0x20;
  if (c >= 0x80 || lower < 'a' || lower > 'z') return;
  Add(c ^ 0x20, c ^ 0x20);
  if (lower == 's') Add(0x17F, 0x17F);
  if (lower == 'k') Add(0x212A, 0x212A);
}

void CharSet::Freeze() {
  table_ = &Categories::Get();
  std::sort(ranges_.begin(), ranges_.end());
  size_t kept = 0;
  for (const auto& range : ranges_) {
    if (kept != 0 && range.first <= ranges_[kept - 1].second + 1) {
      ranges_[kept - 1].second = std::max(ranges_[kept - 1].second, range.second);
    } else {
      ranges_[kept++] = range;
    }
  }
  ranges_.resize(kept);
  has_other_range_ = !ranges_.empty() && ranges_.back().second >= 0x80;
  for (char32_t c = 0; c < 0x80; ++c) {
    if (Plain(c) != negated_) ascii_[c >> 6] |= uint64_t{1} << (c & 63);
  }
}

bool CharSet::HasOther(char32_t c) const {
  if (table_->In(categories_, c)) return !negated_;
  return (has_other_range_ && Plain(c)) != negated_;
}

bool CharSet::Plain(char32_t c) const {
  if (table_->In(categories_, c)) return true;
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(),
                                      std::pair<char32_t, char32_t>{c, ~char32_t{0}});
  return after != ranges_.begin() && c <= std::prev(after)->second;
}

}  // namespace weir::tokens
