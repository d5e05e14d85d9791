// Texts by their bytes, to find all that begin a text, shortest first.

#ifndef WEIR_LIB_TOKENS_LOADED_TRIE_H_
#define WEIR_LIB_TOKENS_LOADED_TRIE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/hash/hash.h"

namespace weir::tokens {

class Trie {
 public:
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNowhere = ~uint32_t{0};
  static constexpr uint32_t kNoValue = ~uint32_t{0};

  Trie();

  // False when there is a text like it already, or when the trie is full (16 million nodes).
  bool Add(std::string_view text, uint32_t value);

  // The node after `byte`; kNowhere when no text goes on so.
  uint32_t Step(uint32_t node, unsigned char byte) const {
    if (node == kRoot) return first_[byte];
    const uint32_t key = node << 8 | byte;
    for (size_t at = HashOf(key) & mask_;; at = (at + 1) & mask_) {
      if (edges_[at].key == key) return edges_[at].child;
      if (edges_[at].key == 0) return kNowhere;
    }
  }
  uint32_t Value(uint32_t node) const { return values_[node]; }

 private:
  struct Edge {
    uint32_t key = 0;  // no edge has it: those of the root are in first_
    uint32_t child = 0;
  };
  static constexpr size_t kMaxNodes = size_t{1} << 24;
  static size_t HashOf(uint32_t key) { return absl::Hash<uint32_t>{}(key); }
  void Insert(Edge edge);

  std::array<uint32_t, 256> first_;
  std::vector<Edge> edges_;
  size_t mask_ = 0;
  std::vector<uint32_t> values_;  // by node
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_TRIE_H_
