// A table of words, written as text and hashed once: who is in which group, and on which side.

#ifndef WEIR_LIB_MEANING_WORD_TABLE_H_
#define WEIR_LIB_MEANING_WORD_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "meaning/letters.h"

namespace weir::meaning {

// The hash of two neighbouring words.
inline uint64_t PairHash(uint64_t first, uint64_t second) {
  return (first ^ (second << 1 | second >> 63)) * 0x9fb21c651e98df25u;
}

// Groups end with ';', their sides with '|', words are parted by blanks; `a_b` is two words in a
// row. Words are ASCII and folded. kStems: they stand for all their forms.
template <size_t kSlots>
class WordTable {
 public:
  enum Form : uint8_t { kExact, kStems };
  struct Entry {
    uint64_t hash = 0;  // 0: empty
    uint16_t group = 0, side = 0;
  };

  WordTable(std::string_view text, Form form) {
    Entry next;
    size_t begin = 0;
    for (size_t at = 0; at <= text.size(); ++at) {
      const char c = at < text.size() ? text[at] : ';';
      if (c != ' ' && c != '|' && c != ';') continue;
      if (at > begin) Insert(text.substr(begin, at - begin), form, next);
      begin = at + 1;
      if (c == '|') ++next.side;
      if (c == ';') {
        ++next.group;
        next.side = 0;
      }
    }
  }

  // Calls f(entry) for each entry of the word.
  template <typename F>
  void Find(uint64_t hash, F f) const {
    for (size_t slot = hash % kSlots; entries_[slot].hash != 0; slot = (slot + 1) % kSlots) {
      if (entries_[slot].hash == hash) f(entries_[slot]);
    }
  }
  const Entry* First(uint64_t hash) const {
    for (size_t slot = hash % kSlots; entries_[slot].hash != 0; slot = (slot + 1) % kSlots) {
      if (entries_[slot].hash == hash) return &entries_[slot];
    }
    return nullptr;
  }
  size_t size() const { return size_; }

 private:
  static uint64_t Hash(std::string_view word, Form form) {
    std::array<char, 64> buffer;
    return WordHash(form == kStems ? Stem(word, buffer.data()) : word);
  }

  void Insert(std::string_view word, Form form, Entry entry) {
    const size_t bar = word.find('_');
    entry.hash = bar == std::string_view::npos
                     ? Hash(word, form)
                     : PairHash(Hash(word.substr(0, bar), form), Hash(word.substr(bar + 1), form));
    if (2 * (size_ + 1) > kSlots) return;  // tests see to it that this never happens
    size_t slot = entry.hash % kSlots;
    while (entries_[slot].hash != 0) {
      const Entry& there = entries_[slot];
      if (there.hash == entry.hash && there.group == entry.group && there.side == entry.side)
        return;
      slot = (slot + 1) % kSlots;
    }
    entries_[slot] = entry;
    ++size_;
  }

  std::array<Entry, kSlots> entries_ = {};
  size_t size_ = 0;
};

}  // namespace weir::meaning

#endif  // WEIR_LIB_MEANING_WORD_TABLE_H_
