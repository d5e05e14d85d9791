#include "tokens/loaded/trie.h"

#include <utility>

namespace weir::tokens {

Trie::Trie() : edges_(64), mask_(63), values_(1, kNoValue) { first_.fill(kNowhere); }

bool Trie::Add(std::string_view text, uint32_t value) {
  uint32_t node = kRoot;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    uint32_t child = Step(node, byte);
    if (child == kNowhere) {
      if (values_.size() == kMaxNodes) return false;
      child = static_cast<uint32_t>(values_.size());
      values_.push_back(kNoValue);
      if (node == kRoot) {
        first_[byte] = child;
      } else {
        Insert({node << 8 | byte, child});
      }
    }
    node = child;
  }
  if (values_[node] != kNoValue) return false;
  values_[node] = value;
  return true;
}

void Trie::Insert(Edge edge) {
  if (values_.size() * 2 > edges_.size()) {
    std::vector<Edge> old(edges_.size() * 2);
    old.swap(edges_);
    mask_ = edges_.size() - 1;
    for (const Edge& moved : old) {
      if (moved.key == 0) continue;
      size_t at = HashOf(moved.key) & mask_;
      while (edges_[at].key != 0) at = (at + 1) & mask_;
      edges_[at] = moved;
    }
  }
  size_t at = HashOf(edge.key) & mask_;
  while (edges_[at].key != 0) at = (at + 1) & mask_;
  edges_[at] = edge;
}

}  // namespace weir::tokens
