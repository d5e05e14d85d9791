#include "shape.h"

#include <string_view>

namespace weir::capi {
namespace {

using dialects::Dialect;
using dialects::Operation;
using json::Type;
using json::Value;

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Whether an element of `list` has a field that `is` true for.
template <typename Predicate>
bool AnyOf(Value list, Predicate&& is) {
  if (!list.Is(Type::kArray)) return false;
  for (const Value element : list.members()) {
    if (is(element)) return true;
  }
  return false;
}

// Bedrock's converse: the parts of a content have no type, their field is their type.
bool IsConverse(Value body) {
  if (body["inferenceConfig"] || body["toolConfig"] || body["additionalModelRequestFields"]) {
    return true;
  }
  return AnyOf(body["messages"], [](Value message) {
    return AnyOf(message["content"],
                 [](Value part) { return part.Is(Type::kObject) && !part["type"]; });
  });
}

// Fields that only OpenAI's chat has: models of other makers are asked in its words, too.
bool IsOpenAiChat(Value body) {
  if (body["stream_options"] || body["max_completion_tokens"] || body["response_format"]) {
    return true;
  }
  if (AnyOf(body["tools"], [](Value tool) { return bool{tool["function"]}; })) return true;
  return AnyOf(body["messages"], [](Value message) {
    const std::string_view role = message["role"].text();
    return role == "developer" || role == "tool" || role == "function";
  });
}

bool IsAnthropic(Value body) {
  if (IsOpenAiChat(body)) return false;
  if (body["system"] || body["stop_sequences"] || body["thinking"] || body["mcp_servers"]) {
    return true;
  }
  if (Contains(body["model"].text(), "claude")) return true;
  if (AnyOf(body["tools"], [](Value tool) { return bool{tool["input_schema"]}; })) return true;
  return AnyOf(body["messages"], [](Value message) {
    return AnyOf(message["content"], [](Value part) {
      const std::string_view type = part["type"].text();
      return type == "tool_use" || type == "tool_result" || type == "thinking" ||
             type == "document" || (type == "image" && part["source"]);
    });
  });
}

// `input` is what Responses and Embeddings read: the former items, the latter texts or tokens.
bool IsEmbeddings(Value body) {
  if (body["encoding_format"] || body["dimensions"]) return true;
  if (Contains(body["model"].text(), "embed")) return true;
  return AnyOf(body["input"], [](Value element) { return !element.Is(Type::kObject); });
}

}  // namespace

std::optional<Shape> ShapeOf(Value body) {
  if (body["contents"]) return Shape{Dialect::kGemini, Operation::kChat};
  if (body["messages"]) {
    if (body["anthropic_version"] || IsConverse(body)) {
      return Shape{Dialect::kBedrock, Operation::kChat};
    }
    return Shape{IsAnthropic(body) ? Dialect::kAnthropic : Dialect::kOpenAi, Operation::kChat};
  }
  if (body["input"] || body["prompt"].Is(Type::kObject)) {
    return Shape{Dialect::kOpenAi,
                 IsEmbeddings(body) ? Operation::kEmbeddings : Operation::kResponses};
  }
  if (body["num_generations"] || body["max_gen_len"] || body["max_tokens_to_sample"]) {
    return Shape{Dialect::kBedrock, Operation::kChat};
  }
  if (body["prompt"]) return Shape{Dialect::kOpenAi, Operation::kCompletions};
  if (body["content"] || body["requests"]) return Shape{Dialect::kGemini, Operation::kEmbeddings};
  if (body["inputText"] || body["texts"]) return Shape{Dialect::kBedrock, Operation::kEmbeddings};
  return std::nullopt;
}

}  // namespace weir::capi
