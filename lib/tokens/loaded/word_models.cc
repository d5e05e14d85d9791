#include "tokens/loaded/word_models.h"

#include <algorithm>

#include "tokens/loaded/code_points.h"

namespace weir::tokens {

WordPieceModel::WordPieceModel(const TokenTable& tokens, uint32_t unknown, std::string_view prefix,
                               uint64_t max_characters)
    : unknown_(unknown), max_characters_(max_characters) {
  for (size_t i = 0; i < tokens.size(); ++i) trie_.Add(tokens.TextAt(i), tokens.IdAt(i));
  for (const char byte : prefix) {
    if (continuation_ == Trie::kNowhere) break;
    continuation_ = trie_.Step(continuation_, static_cast<unsigned char>(byte));
  }
}

std::unique_ptr<ModelScratch> WordPieceModel::MakeScratch() const {
  return std::make_unique<Scratch>();
}

void WordPieceModel::Encode(std::string_view piece, ModelScratch* scratch, IdSink* sink) const {
  const auto characters = static_cast<uint64_t>(std::count_if(
      piece.begin(), piece.end(), [](char byte) { return !IsContinuationByte(byte); }));
  if (characters > max_characters_) return sink->Put(unknown_);
  std::vector<uint32_t>& ids = static_cast<Scratch*>(scratch)->ids;
  ids.clear();
  for (size_t begin = 0; begin < piece.size();) {
    uint32_t node = begin == 0 ? Trie::kRoot : continuation_;
    size_t longest = begin;
    uint32_t id = kNoToken;
    for (size_t end = begin; end < piece.size() && node != Trie::kNowhere;) {
      node = trie_.Step(node, static_cast<unsigned char>(piece[end]));
      if (node == Trie::kNowhere) break;
      ++end;
      if (trie_.Value(node) == Trie::kNoValue) continue;
      longest = end;
      id = trie_.Value(node);
    }
    if (id == kNoToken) return sink->Put(unknown_);
    ids.push_back(id);
    begin = longest;
  }
  for (const uint32_t each : ids) sink->Put(each);
}

}  // namespace weir::tokens
