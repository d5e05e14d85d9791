// Models that know words: WordLevel, one token a piece, and WordPiece, greedily from the left.

#ifndef WEIR_LIB_TOKENS_LOADED_WORD_MODELS_H_
#define WEIR_LIB_TOKENS_LOADED_WORD_MODELS_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokens/loaded/model.h"
#include "tokens/loaded/trie.h"
#include "tokens/loaded/vocabulary.h"

namespace weir::tokens {

class WordLevelModel final : public Model {
 public:
  WordLevelModel(TokenTable tokens, uint32_t unknown)
      : tokens_(std::move(tokens)), unknown_(unknown) {}

  void Encode(std::string_view piece, ModelScratch*, IdSink* sink) const override {
    const uint32_t id = tokens_.Find(piece);
    sink->Put(id == kNoToken ? unknown_ : id);
  }
  std::unique_ptr<ModelScratch> MakeScratch() const override {
    return std::make_unique<ModelScratch>();
  }

 private:
  TokenTable tokens_;
  uint32_t unknown_;
};

class WordPieceModel final : public Model {
 public:
  // `prefix` is that of tokens that go on a word. Longer words than `max_characters` are unknown.
  WordPieceModel(const TokenTable& tokens, uint32_t unknown, std::string_view prefix,
                 uint64_t max_characters);

  void Encode(std::string_view piece, ModelScratch* scratch, IdSink* sink) const override;
  std::unique_ptr<ModelScratch> MakeScratch() const override;

 private:
  struct Scratch final : ModelScratch {
    std::vector<uint32_t> ids;
  };
  Trie trie_;
  uint32_t continuation_ = Trie::kRoot;  // the node after the prefix
  uint32_t unknown_;
  uint64_t max_characters_;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_WORD_MODELS_H_
