// The prompts of models whose tokenizer is not public: estimates, fitted to bills.

#ifndef WEIR_LIB_METERING_PROMPT_ESTIMATE_H_
#define WEIR_LIB_METERING_PROMPT_ESTIMATE_H_

#include "base/json.h"
#include "metering/prompt_family.h"
#include "metering/prompt_tally.h"
#include "weir/usage.h"

namespace weir::metering {

// A chat in any dialect's form (OpenAI's chat completions and responses, Anthropic's messages,
// Gemini's contents, Bedrock's converse), or texts to embed, of a family with an Estimate.
void EstimateChat(const Family& family, const json::Value& request, Tally* tally);

}  // namespace weir::metering

#endif  // WEIR_LIB_METERING_PROMPT_ESTIMATE_H_
