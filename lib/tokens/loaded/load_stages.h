// The "normalizer" and the "pre_tokenizer" of a tokenizer.json.

#ifndef WEIR_LIB_TOKENS_LOADED_LOAD_STAGES_H_
#define WEIR_LIB_TOKENS_LOADED_LOAD_STAGES_H_

#include <memory>
#include <string>
#include <vector>

#include "tokens/loaded/json_fields.h"
#include "tokens/loaded/normalizers.h"
#include "tokens/loaded/pre_tokenizers.h"

namespace weir::tokens {

// One step of a chain: sequences are taken apart.
struct Stage {
  json::Value value;
  std::string path;
};

// The steps of a value that is null, one step or a sequence of steps, whose list is called `list`.
std::vector<Stage> Flatten(json::Value value, std::string_view path, std::string_view list,
                           LoadErrors* errors);

bool IsByteLevel(const Stage& stage);

// Both record an error for what they do not know.
std::vector<std::unique_ptr<Normalizer>> LoadNormalizers(const std::vector<Stage>& stages,
                                                         LoadErrors* errors);

// `last_maps`: whether a byte-level step at the end turns bytes into characters.
std::vector<std::unique_ptr<PreTokenizer>> LoadPreTokenizers(const std::vector<Stage>& stages,
                                                             bool last_maps, LoadErrors* errors);

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_LOADED_LOAD_STAGES_H_
