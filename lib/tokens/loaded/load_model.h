// The "model" of a tokenizer.json.

#ifndef WEIR_LIB_TOKENS_LOADED_LOAD_MODEL_H_
#define WEIR_LIB_TOKENS_LOADED_LOAD_MODEL_H_

#include <array>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "tokens/loaded/json_fields.h"
#include "tokens/loaded/model.h"
#include "tokens/loaded/vocabulary.h"

namespace weir::tokens {

// Ids are indices of tables here and elsewhere; the largest vocabulary known has 262,144.
inline constexpr uint32_t kMaxTokenId = (uint32_t{1} << 22) - 1;

struct LoadedModel {
  TokenTable vocabulary;  // as the file writes the tokens
  std::unique_ptr<Model> model;
  // The tokens that stand for a byte when characters are unknown, and the byte.
  std::vector<std::pair<uint32_t, unsigned char>> byte_tokens;
};

// "BPE", "Unigram", "WordPiece" or "WordLevel", also of files that do not say.
std::string_view ModelType(json::Value model);

// `by_bytes`: the pieces of a BPE model come as bytes, not as the characters that stand for them.
// Records an error when the model cannot be used; what it returns is then of no use.
LoadedModel LoadModel(json::Value model, bool by_bytes, LoadErrors* errors);

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_LOAD_MODEL_H_
