// Which tokenizer counts a model's prompts.

#ifndef WEIR_LIB_ENGINE_PROMPT_H_
#define WEIR_LIB_ENGINE_PROMPT_H_

#include <string_view>

#include "base/json.h"
#include "weir/policy.h"
#include "weir/recycling.h"
#include "weir/tokens.h"

namespace weir::engine {

// How a model's texts are counted.
struct Counting {
  const tokens::Tokenizer* tokenizer = nullptr;
  bool is_known = false;  // it is the model's own; else one to estimate with
  RecycledString model;   // whose formulas hold: itself, or the one at which its name hints
};

// As the policy says, `stated` (null: it does not know the model), else as is publicly known.
Counting CountingOf(const policy::Model* stated, std::string_view model);

// A number for what the prompt begins with: tools, system prompt and first message, the parts that
// a conversation keeps and providers cache. Never 0. `body`: of a request, in any dialect.
uint64_t PrefixHash(const json::Value& body);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_PROMPT_H_
