// What OpenAI's whole answers and the chunks of its streams have in common: usage, errors, and the
// text that the model wrote.

#ifndef WEIR_LIB_DIALECTS_OPENAI_ANSWER_H_
#define WEIR_LIB_DIALECTS_OPENAI_ANSWER_H_

#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "base/json.h"
#include "weir/dialects.h"

namespace weir::dialects {

// Providers' bodies are read as clients read them: of a repeated key the last one counts.
inline constexpr json::ParseOptions kLenient = {.relaxed = false, .allow_duplicate_keys = true};

// A `usage` value. Null and absent state nothing; what cannot be is dropped and flagged; a part
// larger than its whole is clamped to it and flagged; a part without its whole is dropped.
Usage ReadUsage(json::Value usage);
// Whether any number is stated.
bool StatesTokens(const Usage& usage);

// Whether an `error` member tells of an error: some servers send null or "" with every chunk.
bool IsError(json::Value error);

enum class TextKind : uint8_t {
  kContent,
  kRefusal,
  kReasoning,
  kToolName,
  kToolArguments,
  kFunctionName,  // the older, single call
  kFunctionArguments,
};

struct Piece {
  TextKind kind = TextKind::kContent;
  uint32_t tool = 0;  // the tool call's index
  std::string_view text;
};

// Every non-empty text of a `message` or a `delta`, in the order of TextKind (a name before
// its arguments). Whatever is not of the expected type is passed over.
void ForEachPiece(json::Value message, absl::FunctionRef<void(const Piece&)> visit);

}  // namespace weir::dialects

#endif  // WEIR_LIB_DIALECTS_OPENAI_ANSWER_H_
