// How many tokens a request's prompt has, and how sure that is.

#ifndef WEIR_LIB_ENGINE_PROMPT_H_
#define WEIR_LIB_ENGINE_PROMPT_H_

#include <cstdint>
#include <string_view>

#include "weir/dialects.h"
#include "weir/policy.h"
#include "weir/tokens.h"

namespace weir::engine {

struct PromptCount {
  uint64_t count = 0;
  dialects::Provenance provenance = dialects::Provenance::kExact;
};

// The tokenizer of a model: what the policy says, else what is publicly known of it. `known` is
// false when neither knows the model; then it is o200k_base, to estimate with.
const tokens::Tokenizer& TokenizerFor(const policy::Plan& plan, std::string_view model,
                                      bool* known);

// Of a chat: 3 + Σ(3 + role + content + (name ? 1 + name : 0)), each counted by the model's
// encoding; the rule is OpenAI's published one and agrees with billed requests (plain chats
// exactly). Tool definitions, schemas and tool calls are counted as their JSON and images as
// kImageTokens: then the count is an estimate and says so.
PromptCount CountPrompt(const tokens::Tokenizer& tokenizer, std::string_view model,
                        bool model_known, const dialects::ChatRequest& request);

// What Azure API Management counts an image as: more than most cost.
inline constexpr uint64_t kImageTokens = 1200;

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_PROMPT_H_
