// OpenAI's chat completions, completions and embeddings, Azure's forms of them, and what compatible
// servers make of them.

#include "dialects/answer.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

// The older, single call: a part of its own beside the tool calls'.
constexpr uint32_t kFunctionCall = UINT32_MAX;

// A `message` or a `delta`.
class MessageReader {
 public:
  MessageReader(uint32_t choice, Answer* answer) : choice_(choice), answer_(answer) {}

  void Read(Value message) {
    Value content, refusal, reasoning, tool_calls, function_call, audio;
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
      } else if (key == "audio") {
        audio = member;
      }
    }
    Content(content);
    Text(TextKind::kContent, audio["transcript"]);
    Text(TextKind::kRefusal, refusal);
    Text(TextKind::kReasoning, reasoning);
    ToolCalls(tool_calls);
    Function(kFunctionCall, function_call);
  }

 private:
  void Text(TextKind kind, Value value) { answer_->Text(choice_, kind, 0, value); }

  void Content(Value content) {
    Text(TextKind::kContent, content);
    if (!content.Is(Type::kArray)) return;
    for (Value part : content.members()) {
      Text(TextKind::kContent, part["text"]);
      // Mistral's thoughts are a part of the content, in parts of their own.
      const Value thinking = part["thinking"];
      Text(TextKind::kReasoning, thinking);
      if (!thinking.Is(Type::kArray)) continue;
      for (Value thought : thinking.members()) Text(TextKind::kReasoning, thought["text"]);
    }
  }

  void ToolCalls(Value calls) {
    if (!calls.Is(Type::kArray)) return;
    uint32_t position = 0;
    for (Value call : calls.members()) {
      const uint32_t part = IndexOr(call["index"], position++);
      Function(part, call["function"]);
      Function(part, call["custom"]);
    }
  }

  void Function(uint32_t part, Value function) {
    answer_->Text(choice_, TextKind::kToolName, part, function["name"]);
    for (Value written : {function["arguments"], function["input"]}) {
      answer_->Text(choice_, TextKind::kToolArguments, part, written);
      // Some servers send the arguments parsed; the model wrote them as text.
      answer_->Object(choice_, TextKind::kToolArguments, part, written);
    }
  }

  const uint32_t choice_;
  Answer* answer_;
};

struct Members {
  Value choices, usage, error, groq;
};

Members ReadMembers(Value object, Answer* answer) {
  Members members;
  Value model;
  for (Value member : object.members()) {
    const std::string_view key = member.key();
    if (key == "choices") {
      members.choices = member;
    } else if (key == "usage") {
      members.usage = member;
    } else if (key == "error") {
      members.error = member;
    } else if (key == "model") {
      model = member;
    } else if (key == "x_groq") {
      members.groq = member["usage"];
    }
  }
  answer->Model(model);
  return members;
}

void ReadUsage(const Members& members, Answer* answer) {
  for (Value usage : {members.groq, members.usage}) {
    if (usage && !usage.Is(Type::kNull)) answer->ReplaceNumbers(ReadOpenAiNumbers(usage));
  }
}

void ReadChoices(Value choices, std::string_view message, Answer* answer) {
  if (!choices.Is(Type::kArray)) return;
  uint32_t position = 0;
  for (Value choice : choices.members()) {
    const uint32_t otherwise = position++;
    if (!choice.Is(Type::kObject)) continue;
    const Value index = choice["index"];
    const uint32_t which = IndexOr(index, otherwise);
    answer->Choice(which, index, choice["finish_reason"]);
    MessageReader(which, answer).Read(choice[message]);
    answer->Text(which, TextKind::kContent, 0, choice["text"]);  // completions
  }
}

void ReadChunk(std::string_view name, Value chunk, Answer* answer) {
  const Members members = ReadMembers(chunk, answer);
  ReadUsage(members, answer);
  const bool error = answer->Error(members.error);
  ReadChoices(members.choices, "delta", answer);
  const bool no_choices = members.choices.Is(Type::kArray) && members.choices.size() == 0;
  if (no_choices && members.usage.Is(Type::kObject) && !error && name != "error") {
    answer->UsageOnly();
  }
}

void ReadBody(Value body, Answer* answer) {
  const Members members = ReadMembers(body, answer);
  ReadUsage(members, answer);
  answer->Error(members.error);
  ReadChoices(members.choices, "message", answer);
}

// Embeddings write nothing: that is known.
void ReadEmbeddings(Value body, Answer* answer) {
  const Members members = ReadMembers(body, answer);
  answer->Error(members.error);
  Numbers numbers = ReadOpenAiNumbers(members.usage);
  if (numbers.input.good() && numbers.output.absent()) numbers.output.Set(0);
  answer->ReplaceNumbers(numbers);
}

void ReadEmbeddingsEvent(std::string_view /*name*/, Value event, Answer* answer) {
  ReadEmbeddings(event, answer);
}

}  // namespace

const AnswerReader kOpenAiChat = {ReadChunk, ReadBody, {.total_tells = true}, true};
const AnswerReader kOpenAiEmbeddings = {ReadEmbeddingsEvent, ReadEmbeddings, {}, false};

}  // namespace weir::dialects
