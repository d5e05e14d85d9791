// AWS Bedrock: converse, converse-stream, and what invoke-model brings of the models behind it.

#include "dialects/answer.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

constexpr uint32_t kOnly = 0;  // an answer is one choice

void ReadNumbers(Value usage, Answer* answer) {
  if (usage && !usage.Is(Type::kNull)) ReadBedrockNumbers(usage, answer->MergeNumbers());
}

// A block of a whole message, and of a delta in which the arguments come as text.
void ReadBlock(uint32_t part, Value block, Answer* answer) {
  answer->Text(kOnly, TextKind::kContent, part, block["text"]);
  const Value reasoning = block["reasoningContent"];
  answer->Text(kOnly, TextKind::kReasoning, part, reasoning["text"]);
  answer->Text(kOnly, TextKind::kReasoning, part, reasoning["reasoningText"]["text"]);
  const Value call = block["toolUse"];
  answer->Text(kOnly, TextKind::kToolName, part, call["name"]);
  answer->Text(kOnly, TextKind::kToolArguments, part, call["input"]);
  answer->Object(kOnly, TextKind::kToolArguments, part, call["input"]);
}

// An event of converse-stream, by its name.
void ReadConverseEvent(std::string_view name, Value event, Answer* answer) {
  const uint32_t part = IndexOr(event["contentBlockIndex"], 0);
  if (name == "contentBlockDelta") {
    ReadBlock(part, event["delta"], answer);
  } else if (name == "contentBlockStart") {
    ReadBlock(part, event["start"], answer);
  } else if (name == "messageStart") {
    answer->Choice(kOnly, {}, {});
  } else if (name == "messageStop") {
    answer->Choice(kOnly, {}, event["stopReason"]);
    answer->Done();
  } else if (name == "metadata") {
    ReadNumbers(event["usage"], answer);
  }
}

// What models that have no shape of their own here write: Cohere, Titan, Llama, Mistral.
void ReadPlainText(Value body, Answer* answer) {
  for (std::string_view key : {"text", "outputText", "generation", "completion"}) {
    answer->Text(kOnly, TextKind::kContent, 0, body[key]);
  }
  Value reason;
  for (std::string_view key : {"finish_reason", "stop_reason", "completionReason", "stopReason"}) {
    if (body[key].Is(Type::kString)) reason = body[key];
  }
  if (reason) answer->Choice(kOnly, {}, reason);
  for (std::string_view key : {"generations", "results", "outputs"}) {
    const Value list = body[key];
    if (!list.Is(Type::kArray)) continue;
    for (Value entry : list.members()) {
      answer->Text(kOnly, TextKind::kContent, 0, entry["text"]);
      answer->Text(kOnly, TextKind::kContent, 0, entry["outputText"]);
    }
  }
}

constexpr std::string_view kConverseEvents[] = {"messageStart",      "contentBlockStart",
                                                "contentBlockDelta", "contentBlockStop",
                                                "messageStop",       "metadata"};

// A chunk of invoke-model-with-response-stream: the model's own event.
void ReadChunk(Value chunk, Answer* answer) {
  bool converse = false;
  for (std::string_view name : kConverseEvents) {
    const Value event = chunk[name];
    if (!event.Is(Type::kObject)) continue;
    converse = true;
    ReadConverseEvent(name, event, answer);
  }
  if (chunk["type"].Is(Type::kString)) {
    ReadAnthropicEvent("", chunk, answer);
  } else if (!converse) {
    ReadPlainText(chunk, answer);
  }
  // The last chunk's; it restates what the model's own events said.
  ReadNumbers(chunk["amazon-bedrock-invocationMetrics"], answer);
}

void ReadEvent(std::string_view name, Value event, Answer* answer) {
  for (std::string_view known : kConverseEvents) {
    if (name == known) return ReadConverseEvent(name, event, answer);
  }
  ReadChunk(event, answer);
}

void ReadBody(Value body, Answer* answer) {
  if (body["type"].text() == "message") return ReadAnthropicBody(body, answer);
  const Value usage = body["usage"];
  const Value output = body["output"];
  if (!usage && !output && body["message"].Is(Type::kString)) {
    answer->ErrorOf(body["__type"].text(), body["message"].text());
    return;
  }
  ReadNumbers(usage, answer);
  answer->Choice(kOnly, {}, body["stopReason"]);
  const Value content = output["message"]["content"];
  if (content.Is(Type::kArray)) {
    uint32_t part = 0;
    for (Value block : content.members()) ReadBlock(part++, block, answer);
  } else {
    ReadPlainText(body, answer);
    ReadNumbers(body, answer);  // Llama's and Titan's lie beside the text
  }
}

}  // namespace

const AnswerReader kBedrockAnswers = {ReadEvent, ReadBody, {.cache_beside = true}, false};

}  // namespace weir::dialects
