// The end of OpenAI's chat completions and completions, and of Azure's.

#include "base/text.h"
#include "dialects/ending.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

class ChatEnding final : public Ending {
 public:
  explicit ChatEnding(bool chat) : chat_(chat) {}

  bool See(std::string_view /*name*/, Value chunk) override {
    // Azure's first chunk tells of the prompt, under an empty id.
    if (id_.empty()) {
      id_ = Remembered(chunk["id"]);
      created_ = chunk["created"].Uint().value_or(0);
    }
    const Value choices = chunk["choices"];
    const bool no_choices = choices.Is(Type::kArray) && choices.size() == 0;
    usage_stated_ = usage_stated_ || (no_choices && chunk["usage"].Is(Type::kObject));
    return false;
  }

  std::string Write(const Answer& answer, const Usage& usage, bool include_usage) const override {
    std::string out;
    if (answer.done()) return out;
    if (!answer.any_choice()) WriteChoice(answer, 0, &out);
    for (uint32_t choice = 0; choice < Answer::kMaxChoices; ++choice) {
      if (answer.choices_open()[choice]) WriteChoice(answer, choice, &out);
    }
    // Compatible servers state it with the finish reason.
    const bool is_stated = usage_stated_ || (answer.finished() && answer.usage().completion);
    if (include_usage && !is_stated) {
      json::Writer writer = Begin(answer, &out);
      writer.Key("choices").BeginArray().EndArray();
      writer.Key("usage");
      WriteOpenAiUsage(&writer, usage, /*responses=*/false);
      writer.EndObject();
      out.append("\n\n");
    }
    return out.append("data: [DONE]\n\n");
  }

 private:
  // A chunk up to its choices.
  json::Writer Begin(const Answer& answer, std::string* out) const {
    out->append("data: ");
    json::Writer writer(out);
    writer.BeginObject();
    writer.Key("id").String(id_);
    writer.Key("object").String(chat_ ? "chat.completion.chunk" : "text_completion");
    writer.Key("created").Uint(created_);
    writer.Key("model").String(answer.model());
    return writer;
  }

  void WriteChoice(const Answer& answer, uint32_t choice, std::string* out) const {
    json::Writer writer = Begin(answer, out);
    writer.Key("choices").BeginArray().BeginObject();
    writer.Key("index").Uint(choice);
    if (!chat_) {
      writer.Key("text").String("");
    } else if (answer.any_choice()) {
      writer.Key("delta").BeginObject().EndObject();
    } else {
      writer.Key("delta").BeginObject();
      writer.Key("role").String("assistant").Key("content").String("").EndObject();
    }
    writer.Key("logprobs").Null();
    writer.Key("finish_reason").String("length");
    writer.EndObject().EndArray().EndObject();
    out->append("\n\n");
  }

  const bool chat_;
  bool usage_stated_ = false;
  uint64_t created_ = 0;
  std::string id_;
};

}  // namespace

std::unique_ptr<Ending> MakeChatEnding(Operation operation) {
  return std::make_unique<ChatEnding>(operation == Operation::kChat);
}

}  // namespace weir::dialects
