#include "engine/prompt.h"

namespace weir::engine {
namespace {

// o1, o3, o4-mini, gpt-5 and their versions.
bool IsReasoningModel(std::string_view model) {
  const bool o_series = model.size() >= 2 && model[0] == 'o' && model[1] >= '1' && model[1] <= '9';
  return o_series || model.substr(0, 5) == "gpt-5";
}

}  // namespace

const tokens::Tokenizer& TokenizerFor(const policy::Plan& plan, std::string_view model,
                                      bool* known) {
  const policy::Model* stated = plan.FindModel(model);
  const std::string_view encoding = stated != nullptr && !stated->encoding.empty()
                                        ? std::string_view(stated->encoding)
                                        : tokens::EncodingForModel(model);
  const tokens::Tokenizer* tokenizer = tokens::Find(encoding);
  *known = tokenizer != nullptr;
  return tokenizer != nullptr ? *tokenizer : *tokens::Find("o200k_base");
}

PromptCount CountPrompt(const tokens::Tokenizer& tokenizer, std::string_view model,
                        bool model_known, const dialects::ChatRequest& request) {
  constexpr uint64_t kReplyPriming = 3;
  constexpr uint64_t kPerMessage = 3;
  constexpr uint64_t kPerName = 1;
  PromptCount prompt;
  // Bills show that reasoning models are primed with one token less.
  prompt.count = IsReasoningModel(model) ? kReplyPriming - 1 : kReplyPriming;
  for (const dialects::Message& message : request.messages) {
    // The model sees the developer's messages as the system's.
    std::string_view role = message.role;
    if (role == "developer") role = "system";
    prompt.count += kPerMessage + tokenizer.Count(role);
    if (!message.name.empty()) prompt.count += kPerName + tokenizer.Count(message.name);
    for (const std::string& text : message.texts) prompt.count += tokenizer.Count(text);
  }
  prompt.count += tokenizer.Count(request.extra_text);
  prompt.count += kImageTokens * request.image_parts;
  const bool explained =
      request.extra_text.empty() && request.image_parts == 0 && request.other_parts == 0;
  prompt.provenance =
      explained && model_known ? dialects::Provenance::kExact : dialects::Provenance::kEstimated;
  return prompt;
}

}  // namespace weir::engine
