#include "tokens/loaded/vocabulary.h"

#include <algorithm>

namespace weir::tokens {

void TokenTable::Reserve(size_t tokens) {
  entries_.reserve(tokens);
  size_t slots = 16;
  while (slots < tokens * 2) slots *= 2;
  if (slots > slots_.size()) Rehash(slots);
}

void TokenTable::Rehash(size_t slots) {
  slots_.assign(slots, Slot());
  for (size_t i = 0; i < entries_.size(); ++i) {
    const size_t hash = HashOf(TextAt(i));
    size_t at = hash & (slots - 1);
    while (slots_[at].entry_plus1 != 0) at = (at + 1) & (slots - 1);
    slots_[at] = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(i + 1)};
  }
}

bool TokenTable::Add(std::string_view text, uint32_t id) {
  if (Find(text) != kNoToken) return false;
  if ((entries_.size() + 1) * 2 > slots_.size()) Rehash(slots_.empty() ? 16 : slots_.size() * 2);
  entries_.push_back({arena_.size(), static_cast<uint32_t>(text.size()), id});
  arena_.append(text);
  longest_ = std::max(longest_, text.size());
  const size_t hash = HashOf(text);
  size_t at = hash & (slots_.size() - 1);
  while (slots_[at].entry_plus1 != 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(entries_.size())};
  return true;
}

uint32_t TokenTable::Find(std::string_view text) const {
  if (text.size() > longest_ || slots_.empty()) return kNoToken;
  const size_t hash = HashOf(text);
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (size_t at = hash & (slots_.size() - 1); slots_[at].entry_plus1 != 0;
       at = (at + 1) & (slots_.size() - 1)) {
    const size_t entry = slots_[at].entry_plus1 - 1;
    if (slots_[at].tag == tag && TextAt(entry) == text) return entries_[entry].id;
  }
  return kNoToken;
}

void TokenBytesTable::Add(uint32_t id, std::string_view bytes) {
  entries_.push_back({id, static_cast<uint32_t>(bytes.size()), arena_.size()});
  arena_.append(bytes);
}

void TokenBytesTable::Freeze() {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.id < b.id; });
  size_t kept = 0;
  for (const Entry& entry : entries_) {
    if (kept != 0 && entries_[kept - 1].id == entry.id) --kept;
    entries_[kept++] = entry;
  }
  entries_.resize(kept);
}

std::string_view TokenBytesTable::Find(uint32_t id) const {
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), id,
                       [](const Entry& entry, uint32_t wanted) { return entry.id < wanted; });
  if (found == entries_.end() || found->id != id) return {};
  return std::string_view(arena_).substr(found->begin, found->bytes);
}

}  // namespace weir::tokens
