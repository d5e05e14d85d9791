// The unigram language model: of all ways to write a piece as tokens, the most probable.

#ifndef WEIR_LIB_TOKENS_LOADED_UNIGRAM_MODEL_H_
#define WEIR_LIB_TOKENS_LOADED_UNIGRAM_MODEL_H_

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "tokens/loaded/model.h"
#include "tokens/loaded/trie.h"
#include "tokens/loaded/vocabulary.h"

namespace weir::tokens {

struct UnigramParts {
  TokenTable tokens;
  std::vector<double> scores;  // by id, finite
  uint32_t unknown = 0;
  bool byte_fallback = false;
  std::array<uint32_t, 256> fallback = {};  // "<0x..>", or kNoToken
};

class UnigramModel final : public Model {
 public:
  explicit UnigramModel(UnigramParts parts);

  void Encode(std::string_view piece, ModelScratch* scratch, IdSink* sink) const override;
  std::unique_ptr<ModelScratch> MakeScratch() const override;

 private:
  struct Scratch;
  void EncodePart(std::string_view piece, Scratch* scratch, IdSink* sink) const;
  void FindPath(std::string_view piece, Scratch* scratch) const;
  void PutUnknown(std::string_view text, IdSink* sink) const;

  UnigramParts parts_;
  Trie trie_;
  double unknown_score_ = 0;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_UNIGRAM_MODEL_H_
