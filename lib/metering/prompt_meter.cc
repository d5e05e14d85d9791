#include "weir/prompt_meter.h"

#include <string>

#include "absl/status/status.h"
#include "base/json.h"
#include "base/text.h"
#include "metering/prompt_estimate.h"
#include "metering/prompt_family.h"
#include "metering/prompt_openai.h"
#include "metering/prompt_tally.h"

namespace weir::metering {

using dialects::Dialect;
using dialects::Operation;

PromptCount CountPromptOf(Dialect dialect, Operation operation, std::string_view model,
                          const tokens::Tokenizer& tokenizer, bool model_known,
                          const json::Value& request, const PromptOptions& options) {
  const Family family = FamilyOf(model, model_known ? tokenizer.name() : std::string_view());
  const bool openai = dialect == Dialect::kOpenAi || dialect == Dialect::kAzureOpenAi;
  const bool rendered = openai && family.rendering < Rendering::kClaude;
  Tally tally(tokenizer, model_known, options);
  const bool texts = operation == Operation::kEmbeddings || operation == Operation::kCompletions;
  if (openai && texts) {
    CountTexts(request, operation == Operation::kEmbeddings ? "input" : "prompt", &tally);
  } else if (!rendered) {
    EstimateChat(family, request, &tally);
  } else if (operation == Operation::kResponses) {
    CountResponses(family, request, &tally);
  } else {
    CountChat(family, request, &tally);
  }
  return tally.Take();
}

absl::StatusOr<PromptCount> CountPrompt(Dialect dialect, Operation operation,
                                        std::string_view model, const tokens::Tokenizer& tokenizer,
                                        bool model_known, std::string_view body,
                                        const PromptOptions& options) {
  json::Document document;
  json::ParseError error;
  if (!document.ParseBorrowed(body, {}, &error)) {
    return absl::InvalidArgumentError(Concat({"the request is not JSON: ", error.message}));
  }
  if (!document.root().Is(json::Type::kObject)) {
    return absl::InvalidArgumentError("the request must be an object");
  }
  return CountPromptOf(dialect, operation, model, tokenizer, model_known, document.root(), options);
}

}  // namespace weir::metering
