// The prompts of OpenAI's operations.

#ifndef WEIR_LIB_METERING_PROMPT_OPENAI_H_
#define WEIR_LIB_METERING_PROMPT_OPENAI_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "metering/prompt_family.h"
#include "metering/prompt_tally.h"

namespace weir::metering {

// Chat completions and responses, of a family whose rendering is known.
void CountChat(const Family& family, const json::Value& request, Tally* tally);
void CountResponses(const Family& family, const json::Value& request, Tally* tally);

// Completions and embeddings: text, arrays of texts, arrays of tokens.
void CountTexts(const json::Value& request, std::string_view field, Tally* tally);

// ---- What chat and responses share ----

// The tokens of the parts of a content: text is returned, the rest is added as parts of their own.
// `patch_extra`: what an image in patches costs beside its patches.
uint64_t CountContent(const Family& family, const json::Value& content, const Place& place,
                      uint64_t patch_extra, Tally* tally);

// The namespace of the function definitions of a request, and how well it is known.
struct Functions {
  std::string text;
  size_t count = 0;
  uint64_t unwritten = 0;  // tokens of words about grammars, which are not known
  dialects::Provenance provenance = dialects::Provenance::kExact;
};
// Of tools in the form of chat ({type, function: {…}}) or of responses ({type, name, …}), and of
// plain function definitions; custom tools are there too. Tools that are neither, and those whose
// loading is deferred, are passed over.
void AppendFunctionOf(const json::Value& tool, bool harmony, Functions* functions);
void AppendFunctions(const json::Value& tools, bool harmony, Functions* functions);

// Whether a tool is written among the functions.
bool IsFunctionLike(const json::Value& tool);

// The tokens of functions without what frames them.
uint64_t FunctionsTokens(const Functions& functions, bool harmony, const Tally& tally);

// The tokens of a schema of answers {name, description, schema} without what frames it.
uint64_t AnswerSchemaTokens(const json::Value& format, const Tally& tally);

// The tokens of a role; of those that there are it is one.
uint64_t RoleTokens(std::string_view role, const Tally& tally);

// An empty text when `value` is no string.
std::string_view TextOf(const json::Value& value);

}  // namespace weir::metering

#endif  // WEIR_LIB_METERING_PROMPT_OPENAI_H_
