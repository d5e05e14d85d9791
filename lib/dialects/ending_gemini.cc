// The end of Google's streamGenerateContent: one more chunk. How it is framed is for the stream.

#include <algorithm>

#include "dialects/ending.h"

namespace weir::dialects {
namespace {

using json::Value;

class GeminiEnding final : public Ending {
 public:
  bool See(std::string_view /*name*/, Value chunk) override {
    if (response_id_.empty()) response_id_ = Remembered(chunk["responseId"]);
    const Value tools = chunk["usageMetadata"]["toolUsePromptTokenCount"];
    tool_prompt_ = std::max(tool_prompt_, tools.Uint().value_or(0));
    return false;
  }

  std::string Write(const Answer& answer, const Usage& usage,
                    bool /*include_usage*/) const override {
    std::string out;
    if (answer.finished()) return out;
    json::Writer writer(&out);
    writer.BeginObject();
    writer.Key("candidates").BeginArray();
    if (!answer.any_choice()) WriteCandidate(0, &writer);
    for (uint32_t choice = 0; choice < Answer::kMaxChoices; ++choice) {
      if (answer.choices_open()[choice]) WriteCandidate(choice, &writer);
    }
    writer.EndArray();
    WriteUsage(answer, usage, &writer);
    if (!answer.model().empty()) writer.Key("modelVersion").String(answer.model());
    if (!response_id_.empty()) writer.Key("responseId").String(response_id_);
    writer.EndObject();
    return out;
  }

 private:
  // With a part, though an empty one: some clients look at the first part of every chunk.
  static void WriteCandidate(uint32_t choice, json::Writer* writer) {
    writer->BeginObject();
    writer->Key("content").BeginObject();
    writer->Key("parts").BeginArray().BeginObject();
    writer->Key("text").String("").EndObject().EndArray();
    writer->Key("role").String("model").EndObject();
    writer->Key("finishReason").String("MAX_TOKENS");
    writer->Key("index").Uint(choice);
    writer->EndObject();
  }

  // What a chunk before has stated of thoughts and tool use, beside the candidates and the prompt,
  // is stated again: whoever reads on would add it.
  void WriteUsage(const Answer& answer, Usage usage, json::Writer* writer) const {
    usage.reasoning = std::max(usage.reasoning, answer.usage().reasoning);
    WriteGeminiUsage(writer, usage, tool_prompt_);
  }

  std::string response_id_;
  uint64_t tool_prompt_ = 0;
};

}  // namespace

void WriteGeminiUsage(json::Writer* writer, const Usage& usage, uint64_t tools) {
  const uint64_t prompt = usage.prompt.value_or(0);
  tools = std::min(tools, prompt);
  const uint64_t completion = usage.completion.value_or(0);
  const uint64_t thoughts = std::min(usage.reasoning.value_or(0), completion);
  writer->Key("usageMetadata").BeginObject();
  writer->Key("promptTokenCount").Uint(prompt - tools);
  if (tools != 0) writer->Key("toolUsePromptTokenCount").Uint(tools);
  writer->Key("candidatesTokenCount").Uint(completion - thoughts);
  if (usage.reasoning) writer->Key("thoughtsTokenCount").Uint(thoughts);
  if (usage.cached) writer->Key("cachedContentTokenCount").Uint(*usage.cached);
  writer->Key("totalTokenCount").Uint(prompt + completion);
  writer->EndObject();
}

std::unique_ptr<Ending> MakeGeminiEnding() { return std::make_unique<GeminiEnding>(); }

}  // namespace weir::dialects
