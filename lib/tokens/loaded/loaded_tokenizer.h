// The Tokenizer that a tokenizer.json or a rank file becomes: added tokens, normalizers,
// pre-tokenizers and a model, in that order.

#ifndef WEIR_LIB_TOKENS_LOADED_LOADED_TOKENIZER_H_
#define WEIR_LIB_TOKENS_LOADED_LOADED_TOKENIZER_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokens/loaded/added_tokens.h"
#include "tokens/loaded/model.h"
#include "tokens/loaded/normalizers.h"
#include "tokens/loaded/pre_tokenizers.h"
#include "tokens/loaded/vocabulary.h"
#include "weir/tokens.h"

namespace weir::tokens {

struct TokenizerParts {
  std::string name;
  AddedTokens raw_tokens;         // found in the text as it comes
  AddedTokens normalized_tokens;  // found in the normalized text
  std::vector<std::unique_ptr<Normalizer>> normalizers;
  std::vector<std::unique_ptr<PreTokenizer>> pre_tokenizers;
  std::unique_ptr<Model> model;
  TokenBytesTable bytes;  // frozen; without the special ones
  std::vector<std::pair<std::string, uint32_t>> specials;
};

class LoadedTokenizer final : public Tokenizer {
 public:
  explicit LoadedTokenizer(TokenizerParts parts) : parts_(std::move(parts)) {
    specials_.reserve(parts_.specials.size());
    for (const auto& [text, id] : parts_.specials) specials_.push_back({text, id});
  }

  std::string_view name() const override { return parts_.name; }
  size_t Count(std::string_view text) const override { return Run(text, nullptr); }
  size_t Encode(std::string_view text, std::vector<uint32_t>* ids) const override {
    return Run(text, ids);
  }
  std::string_view TokenBytes(uint32_t id) const override { return parts_.bytes.Find(id); }
  absl::Span<const SpecialToken> Specials() const override { return specials_; }

 private:
  size_t Run(std::string_view text, std::vector<uint32_t>* ids) const;

  TokenizerParts parts_;
  std::vector<SpecialToken> specials_;
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_LOADED_TOKENIZER_H_
