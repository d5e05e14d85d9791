// Anthropic's messages, also as Bedrock passes them on.

#include "dialects/answer.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

constexpr uint32_t kOnly = 0;  // a message is one choice

// A block of a whole message, or the beginning of one in a stream.
void ReadBlock(uint32_t part, Value block, Answer* answer) {
  const std::string_view type = block["type"].text();
  if (type == "text") {
    answer->Text(kOnly, TextKind::kContent, part, block["text"]);
  } else if (type == "thinking") {
    answer->Text(kOnly, TextKind::kReasoning, part, block["thinking"]);
  } else if (type == "compaction") {
    answer->Text(kOnly, TextKind::kContent, part, block["content"]);
  } else if (type == "tool_use" || type == "server_tool_use" || type == "mcp_tool_use") {
    answer->Text(kOnly, TextKind::kToolName, part, block["name"]);
    answer->Object(kOnly, TextKind::kToolArguments, part, block["input"]);
  }
}

void ReadDelta(uint32_t part, Value delta, Answer* answer) {
  answer->Text(kOnly, TextKind::kContent, part, delta["text"]);
  answer->Text(kOnly, TextKind::kReasoning, part, delta["thinking"]);
  answer->Text(kOnly, TextKind::kToolArguments, part, delta["partial_json"]);
  answer->Text(kOnly, TextKind::kContent, part, delta["content"]);  // of a compaction
}

bool States(Value usage, std::string_view key) { return usage[key] && !usage[key].Is(Type::kNull); }

// What message_delta restates is the later word, wherever a repeated message_start comes.
void ReadStart(Value message, Answer* answer) {
  answer->Model(message["model"]);
  answer->Choice(kOnly, {}, {});
  const Value usage = message["usage"];
  if (!usage || usage.Is(Type::kNull)) return;
  Numbers* numbers = answer->MergeNumbers();
  Numbers stated = *numbers;
  ReadAnthropicNumbers(usage, &stated);
  numbers->junk = stated.junk;
  if (!answer->input_restated) numbers->input = stated.input;
  if (!answer->cache_restated) {
    numbers->cache_read = stated.cache_read;
    numbers->cache_write = stated.cache_write;
  }
  // Its output_tokens count what has been written when the stream begins: next to nothing.
}

void ReadMessageDelta(Value event, Answer* answer) {
  answer->Choice(kOnly, {}, event["delta"]["stop_reason"]);
  const Value usage = event["usage"];
  if (!usage || usage.Is(Type::kNull)) return;
  ReadAnthropicNumbers(usage, answer->MergeNumbers());
  answer->input_restated = answer->input_restated || States(usage, "input_tokens");
  answer->cache_restated = answer->cache_restated || States(usage, "cache_read_input_tokens") ||
                           States(usage, "cache_creation_input_tokens");
}

}  // namespace

void ReadAnthropicEvent(std::string_view name, Value event, Answer* answer) {
  std::string_view type = event["type"].text();
  if (type.empty()) type = name;
  const uint32_t part = IndexOr(event["index"], 0);
  if (type == "content_block_delta") {
    ReadDelta(part, event["delta"], answer);
  } else if (type == "content_block_start") {
    ReadBlock(part, event["content_block"], answer);
  } else if (type == "message_start") {
    ReadStart(event["message"], answer);
  } else if (type == "message_delta") {
    ReadMessageDelta(event, answer);
  } else if (type == "message_stop") {
    answer->Done();
  } else if (type == "error") {
    if (!answer->Error(event["error"])) answer->SeeErrorEvent();
  }
}

void ReadAnthropicBody(Value body, Answer* answer) {
  answer->Model(body["model"]);
  if (body["type"].text() == "error" || body["error"]) answer->Error(body["error"]);
  const Value usage = body["usage"];
  if (usage && !usage.Is(Type::kNull)) ReadAnthropicNumbers(usage, answer->MergeNumbers());
  answer->Choice(kOnly, {}, body["stop_reason"]);
  const Value content = body["content"];
  if (!content.Is(Type::kArray)) return;
  uint32_t part = 0;
  for (Value block : content.members()) ReadBlock(part++, block, answer);
}

const AnswerReader kAnthropicMessages = {
    ReadAnthropicEvent, ReadAnthropicBody, {.cache_beside = true}, false};

}  // namespace weir::dialects
