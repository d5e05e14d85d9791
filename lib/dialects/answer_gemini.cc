// Google's generateContent and streamGenerateContent: a chunk has the shape of a whole answer.

#include "dialects/answer.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

void ReadPart(uint32_t choice, uint32_t position, Value part, Answer* answer) {
  const bool thought = part["thought"].boolean();
  answer->Text(choice, thought ? TextKind::kReasoning : TextKind::kContent, 0, part["text"]);
  const Value call = part["functionCall"];
  answer->Text(choice, TextKind::kToolName, position, call["name"]);
  answer->Object(choice, TextKind::kToolArguments, position, call["args"]);
  answer->Text(choice, TextKind::kToolArguments, position, part["executableCode"]["code"]);
}

void ReadCandidate(uint32_t choice, Value index, Value candidate, Answer* answer) {
  answer->Choice(choice, index, candidate["finishReason"]);
  const Value parts = candidate["content"]["parts"];
  if (!parts.Is(Type::kArray)) return;
  uint32_t position = 0;
  for (Value part : parts.members()) ReadPart(choice, position++, part, answer);
}

void ReadBody(Value body, Answer* answer) {
  answer->Model(body["modelVersion"]);
  answer->Error(body["error"]);
  const Value usage = body["usageMetadata"];
  if (usage && !usage.Is(Type::kNull)) ReadGeminiNumbers(usage, answer->MergeNumbers());
  // A prompt that is refused has no candidates: that is the end of it.
  const Value block_reason = body["promptFeedback"]["blockReason"];
  if (block_reason) answer->Choice(0, {}, block_reason);
  const Value candidates = body["candidates"];
  if (!candidates.Is(Type::kArray)) return;
  uint32_t position = 0;
  for (Value candidate : candidates.members()) {
    const Value index = candidate["index"];
    ReadCandidate(IndexOr(index, position++), index, candidate, answer);
  }
}

void ReadEvent(std::string_view /*name*/, Value event, Answer* answer) { ReadBody(event, answer); }

}  // namespace

const AnswerReader kGeminiContent = {ReadEvent, ReadBody, {.reasoning_beside = true}, false};

}  // namespace weir::dialects
