// Byte-pair encoding: a piece becomes symbols (its characters or its bytes), and neighbours merge.

#ifndef WEIR_LIB_TOKENS_LOADED_BPE_MODEL_H_
#define WEIR_LIB_TOKENS_LOADED_BPE_MODEL_H_

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokens/loaded/merges.h"
#include "tokens/loaded/model.h"
#include "tokens/loaded/vocabulary.h"

namespace weir::tokens {

struct BpeParts {
  // Every text that can be looked up: bytes if `by_bytes`, else characters.
  TokenTable tokens;
  Merges merges;  // not frozen yet
  bool by_bytes = false;
  bool ignore_merges = false;  // a piece that is a token is that token
  bool byte_fallback = false;
  bool fuse_unknown = false;
  uint32_t unknown = kNoToken;              // kNoToken: what is unknown is left out
  std::array<uint32_t, 256> fallback = {};  // "<0x..>", or kNoToken
  std::string prefix;                       // of every symbol of a piece but the first
  std::string suffix;                       // of the last
};

class BpeModel final : public Model {
 public:
  explicit BpeModel(BpeParts parts);

  void Encode(std::string_view piece, ModelScratch* scratch, IdSink* sink) const override;
  std::unique_ptr<ModelScratch> MakeScratch() const override;

 private:
  struct Scratch;
  class SymbolReader;

  void FindWholes();
  void FindSymbols();
  uint32_t SymbolOf(std::string_view character, bool first, bool last) const;
  void EncodeSymbols(std::string_view piece, Scratch* scratch, IdSink* sink) const;

  BpeParts parts_;
  bool affixes_ = false;
  std::array<uint32_t, 256> byte_symbols_ = {};  // also of ASCII, if the symbols are characters
  TokenTable character_symbols_;
  TokenTable wholes_;  // the tokens that merging makes of their own text
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_BPE_MODEL_H_
