// Which tokenizer counts a model's prompts.

#ifndef WEIR_LIB_ENGINE_PROMPT_H_
#define WEIR_LIB_ENGINE_PROMPT_H_

#include <string_view>

#include "weir/policy.h"
#include "weir/tokens.h"

namespace weir::engine {

// The tokenizer of a model: what the policy says, else what is publicly known of it. `known` is
// false when neither knows the model; then it is one to estimate with, that of the model at which
// the name hints if it does.
const tokens::Tokenizer& TokenizerFor(const policy::Plan& plan, std::string_view model,
                                      bool* known);

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_PROMPT_H_
