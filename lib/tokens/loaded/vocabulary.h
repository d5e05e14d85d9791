// The tokens of a loaded file: bytes to id, and id to bytes.

#ifndef WEIR_LIB_TOKENS_LOADED_VOCABULARY_H_
#define WEIR_LIB_TOKENS_LOADED_VOCABULARY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace weir::tokens {

inline constexpr uint32_t kNoToken = ~uint32_t{0};

// A hash table of texts with a number each. Abseil's hash is seeded in each process, so a file
// cannot be made to collide.
class TokenTable {
 public:
  void Reserve(size_t tokens);

  // False when the text is there already.
  bool Add(std::string_view text, uint32_t id);
  // kNoToken when there is none.
  uint32_t Find(std::string_view text) const;
  size_t size() const { return entries_.size(); }

  // The entries in the order in which they came.
  std::string_view TextAt(size_t i) const {
    return std::string_view(arena_).substr(entries_[i].begin, entries_[i].bytes);
  }
  uint32_t IdAt(size_t i) const { return entries_[i].id; }

 private:
  struct Entry {
    size_t begin;
    uint32_t bytes;
    uint32_t id;
  };
  struct Slot {
    uint32_t tag = 0;          // part of the hash
    uint32_t entry_plus1 = 0;  // 0: free
  };
  static size_t HashOf(std::string_view text) { return StringHash()(text); }
  void Rehash(size_t slots);

  std::string arena_;
  std::vector<Entry> entries_;
  std::vector<Slot> slots_;
  size_t longest_ = 0;
};

// The bytes of tokens by id, for any ids.
class TokenBytesTable {
 public:
  void Add(uint32_t id, std::string_view bytes);
  // Call once, after the last Add. Of two with one id the later stays.
  void Freeze();
  std::string_view Find(uint32_t id) const;

 private:
  struct Entry {
    uint32_t id;
    uint32_t bytes;
    size_t begin;
  };
  std::string arena_;
  std::vector<Entry> entries_;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_VOCABULARY_H_
