#include "dialects/openai_answer.h"

#include <algorithm>
#include <optional>

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

void ReadCount(Value value, std::optional<uint64_t>* count, bool* anomaly) {
  count->reset();
  if (!value || value.Is(Type::kNull)) return;
  const std::optional<uint64_t> stated = value.Uint();
  if (stated && *stated <= kMaxTokens) {
    *count = stated;
  } else {
    *anomaly = true;
  }
}

// A number inside a details object.
void ReadPart(Value details, std::string_view key, std::optional<uint64_t>* part, bool* anomaly) {
  part->reset();
  if (!details || details.Is(Type::kNull)) return;
  if (!details.Is(Type::kObject)) {
    *anomaly = true;
    return;
  }
  for (Value member : details.members()) {
    if (member.key() == key) ReadCount(member, part, anomaly);
  }
}

void Clamp(const std::optional<uint64_t>& whole, std::optional<uint64_t>* part, bool* anomaly) {
  if (!whole) part->reset();
  if (!*part || **part <= *whole) return;
  *part = whole;
  *anomaly = true;
}

class Visitor {
 public:
  explicit Visitor(absl::FunctionRef<void(const Piece&)> visit) : visit_(visit) {}

  void Message(Value message) {
    Value content, refusal, reasoning, tool_calls, function_call;
    for (Value member : message.members()) {
      const std::string_view key = member.key();
      if (key == "content") {
        content = member;
      } else if (key == "refusal") {
        refusal = member;
      } else if (key == "reasoning_content" || key == "reasoning") {
        // Two names for one thing; servers that send both send the same text.
        if (member.Is(Type::kString) && !member.text().empty()) reasoning = member;
      } else if (key == "tool_calls") {
        tool_calls = member;
      } else if (key == "function_call") {
        function_call = member;
      }
    }
    Content(content);
    Text(TextKind::kRefusal, 0, refusal);
    Text(TextKind::kReasoning, 0, reasoning);
    ToolCalls(tool_calls);
    Function(TextKind::kFunctionName, TextKind::kFunctionArguments, 0, function_call);
  }

 private:
  void Text(TextKind kind, uint32_t tool, Value value) {
    if (value.Is(Type::kString) && !value.text().empty()) visit_({kind, tool, value.text()});
  }

  void Content(Value content) {
    Text(TextKind::kContent, 0, content);
    if (!content.Is(Type::kArray)) return;
    for (Value part : content.members()) Text(TextKind::kContent, 0, part["text"]);
  }

  void ToolCalls(Value calls) {
    if (!calls.Is(Type::kArray)) return;
    uint32_t position = 0;
    for (Value call : calls.members()) {
      const std::optional<uint64_t> index = call["index"].Uint();
      const uint32_t tool =
          index && *index <= UINT32_MAX ? static_cast<uint32_t>(*index) : position;
      Function(TextKind::kToolName, TextKind::kToolArguments, tool, call["function"]);
      ++position;
    }
  }

  void Function(TextKind name, TextKind arguments, uint32_t tool, Value function) {
    Text(name, tool, function["name"]);
    const Value written = function["arguments"];
    Text(arguments, tool, written);
    // Some servers send the arguments parsed; the model wrote them as text.
    if (written.Is(Type::kObject)) visit_({arguments, tool, written.source()});
  }

  absl::FunctionRef<void(const Piece&)> visit_;
};

}  // namespace

Usage ReadUsage(Value usage) {
  Usage read;
  if (!usage || usage.Is(Type::kNull)) return read;
  if (!usage.Is(Type::kObject)) {
    read.anomaly = true;
    return read;
  }
  for (Value member : usage.members()) {
    const std::string_view key = member.key();
    if (key == "prompt_tokens") {
      ReadCount(member, &read.prompt, &read.anomaly);
    } else if (key == "completion_tokens") {
      ReadCount(member, &read.completion, &read.anomaly);
    } else if (key == "total_tokens") {
      ReadCount(member, &read.reported_total, &read.anomaly);
    } else if (key == "prompt_tokens_details") {
      ReadPart(member, "cached_tokens", &read.cached, &read.anomaly);
    } else if (key == "completion_tokens_details") {
      ReadPart(member, "reasoning_tokens", &read.reasoning, &read.anomaly);
    }
  }
  Clamp(read.prompt, &read.cached, &read.anomaly);
  Clamp(read.completion, &read.reasoning, &read.anomaly);
  return read;
}

bool StatesTokens(const Usage& usage) {
  return usage.prompt || usage.completion || usage.reported_total;
}

bool IsError(Value error) {
  return error.Is(Type::kObject) || (error.Is(Type::kString) && !error.text().empty());
}

void ForEachPiece(Value message, absl::FunctionRef<void(const Piece&)> visit) {
  if (message.Is(Type::kObject)) Visitor(visit).Message(message);
}

}  // namespace weir::dialects
