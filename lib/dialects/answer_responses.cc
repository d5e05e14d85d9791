// OpenAI's responses, and Azure's.

#include "dialects/answer.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

struct DeltaEvent {
  std::string_view type;
  TextKind kind;
};

// What their `delta` holds. (The `.done` events say it again.)
constexpr DeltaEvent kDeltas[] = {
    {"response.output_text.delta", TextKind::kContent},
    {"response.refusal.delta", TextKind::kRefusal},
    {"response.reasoning_text.delta", TextKind::kReasoning},
    {"response.reasoning_summary_text.delta", TextKind::kReasoning},
    {"response.function_call_arguments.delta", TextKind::kToolArguments},
    {"response.mcp_call_arguments.delta", TextKind::kToolArguments},
    {"response.custom_tool_call_input.delta", TextKind::kToolArguments},
    {"response.code_interpreter_call_code.delta", TextKind::kToolArguments},
    {"response.audio.transcript.delta", TextKind::kContent},
};

// A response is one choice; of `response` objects every event that has one says who serves it.
constexpr uint32_t kOnly = 0;

void ReadEnd(Value response, Answer* answer) {
  answer->Done();
  const Value reason = response["incomplete_details"]["reason"];
  answer->Choice(kOnly, {}, reason.Is(Type::kString) ? reason : response["status"]);
  answer->Error(response["error"]);
}

void ReadUsage(Value response, Answer* answer) {
  const Value usage = response["usage"];
  if (usage && !usage.Is(Type::kNull)) answer->ReplaceNumbers(ReadOpenAiNumbers(usage));
}

void ReadEvent(std::string_view /*name*/, Value event, Answer* answer) {
  const std::string_view type = event["type"].text();
  const uint32_t part = IndexOr(event["output_index"], 0);
  for (const DeltaEvent& known : kDeltas) {
    if (type == known.type) answer->Text(kOnly, known.kind, part, event["delta"]);
  }
  if (type == "response.output_item.added") {
    answer->Text(kOnly, TextKind::kToolName, part, event["item"]["name"]);
  } else if (type == "error") {
    answer->ErrorOf(event["code"].text(), event["message"].text());
    answer->Error(event["error"]);
  }
  const Value response = event["response"];
  if (!response.Is(Type::kObject)) return;
  answer->Model(response["model"]);
  ReadUsage(response, answer);
  if (type == "response.completed" || type == "response.incomplete" ||
      type == "response.cancelled") {
    ReadEnd(response, answer);
  } else if (type == "response.failed") {
    ReadEnd(response, answer);
    answer->ErrorOf("", "");
  }
}

void ReadParts(TextKind kind, uint32_t part, Value parts, Answer* answer) {
  if (!parts.Is(Type::kArray)) return;
  for (Value member : parts.members()) {
    answer->Text(kOnly, kind, part, member["text"]);
    answer->Text(kOnly, TextKind::kRefusal, part, member["refusal"]);
  }
}

void ReadItem(uint32_t part, Value item, Answer* answer) {
  const std::string_view type = item["type"].text();
  if (type == "message") {
    ReadParts(TextKind::kContent, part, item["content"], answer);
  } else if (type == "reasoning") {
    ReadParts(TextKind::kReasoning, part, item["summary"], answer);
    ReadParts(TextKind::kReasoning, part, item["content"], answer);
  } else {
    answer->Text(kOnly, TextKind::kToolName, part, item["name"]);
    for (std::string_view key : {"arguments", "input", "code"}) {
      answer->Text(kOnly, TextKind::kToolArguments, part, item[key]);
    }
  }
}

void ReadBody(Value body, Answer* answer) {
  answer->Model(body["model"]);
  ReadUsage(body, answer);
  answer->Error(body["error"]);
  const Value reason = body["incomplete_details"]["reason"];
  answer->Choice(kOnly, {}, reason.Is(Type::kString) ? reason : body["status"]);
  const Value output = body["output"];
  if (!output.Is(Type::kArray)) return;
  uint32_t part = 0;
  for (Value item : output.members()) ReadItem(part++, item, answer);
}

}  // namespace

const AnswerReader kOpenAiResponses = {ReadEvent, ReadBody, {.total_tells = true}, false};

}  // namespace weir::dialects
