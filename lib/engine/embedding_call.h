// Asking an embeddings service for a vector, in OpenAI's words, and reading its answer.

#ifndef WEIR_LIB_ENGINE_EMBEDDING_CALL_H_
#define WEIR_LIB_ENGINE_EMBEDDING_CALL_H_

#include <string>
#include <string_view>
#include <vector>

#include "weir/policy.h"

namespace weir::engine {

std::string EmbeddingBody(const policy::Embedding& embedding, std::string_view text);

// The first vector of an answer's `data`. False for anything else, and for a number that no float
// can be: an answer is as hostile as a request.
bool ReadEmbedding(std::string_view body, std::vector<float>* vector);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_EMBEDDING_CALL_H_
