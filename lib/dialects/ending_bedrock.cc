// The end of AWS Bedrock's streams: converse-stream, and what invoke-model-with-response-stream
// brings of the models behind it.

#include "absl/strings/escaping.h"
#include "base/text.h"
#include "dialects/ending.h"
#include "dialects/event_stream.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

// Events of converse by their names, as frames or as the members of invoke's chunks.
class ConverseState {
 public:
  bool See(std::string_view name, Value event) {
    const uint32_t index = IndexOr(event["contentBlockIndex"], 0);
    if (name == "messageStart") started_ = true;
    if (name == "metadata") usage_stated_ = true;
    // Blocks of text begin with their first delta.
    if (name == "contentBlockStart" || name == "contentBlockDelta") return blocks_.Open(index);
    return name == "contentBlockStop" && blocks_.Close(index);
  }

  // Calls write(name, json) for each of the events that are left.
  template <typename WriteEvent>
  void Write(const Answer& answer, const Usage& usage, WriteEvent write) const {
    if (!started_) write("messageStart", R"({"role":"assistant"})");
    for (uint32_t index : blocks_.indexes()) {
      write("contentBlockStop", Concat({"{\"contentBlockIndex\":", std::to_string(index), "}"}));
    }
    if (!answer.done()) write("messageStop", R"({"stopReason":"max_tokens"})");
    if (!usage_stated_) write("metadata", Metadata(usage));
  }

 private:
  static std::string Metadata(const Usage& usage) {
    std::string data;
    json::Writer writer(&data);
    writer.BeginObject();
    writer.Key("metrics").BeginObject().Key("latencyMs").Uint(0).EndObject();
    writer.Key("usage");
    WriteBedrockUsage(&writer, usage);
    writer.EndObject();
    return data;
  }

  bool started_ = false;
  bool usage_stated_ = false;
  OpenBlocks blocks_;
};

// A family of models whose chunks are flat: the member that holds the text tells which, and how
// its last chunk says that it was cut.
struct Family {
  std::string_view text_member;
  std::string_view last_chunk;  // an object, open for its metrics
};
constexpr Family kFamilies[] = {
    {"generation", R"({"generation":"","prompt_token_count":null,"stop_reason":"length")"},
    {"outputText", R"({"outputText":"","index":0,"completionReason":"LENGTH")"},
    {"completion", R"({"type":"completion","completion":"","stop_reason":"max_tokens")"},
    {"outputs", R"({"outputs":[{"text":"","stop_reason":"length"}])"},
    {"is_finished", R"({"is_finished":true,"finish_reason":"MAX_TOKENS")"},
    {"text", R"({"is_finished":true,"finish_reason":"MAX_TOKENS")"},
};

class BedrockEnding final : public Ending {
 public:
  bool See(std::string_view name, Value event) override {
    if (event["amazon-bedrock-invocationMetrics"]) metrics_stated_ = true;
    if (!name.empty()) {
      shape_ = Shape::kConverse;
      return converse_.See(name, event);
    }
    // Claude's older completions have a type too, and none of the messages' events.
    if (event["type"].Is(Type::kString) && !event["completion"]) {
      shape_ = Shape::kMessages;
      return messages_.See(name, event);
    }
    bool changed = false;
    for (Value member : event.members()) changed = SeeMember(member) || changed;
    return changed;
  }

  std::string Write(const Answer& answer, const Usage& usage,
                    bool /*include_usage*/) const override {
    std::string out;
    const auto chunk = [&](std::string_view json) { AppendChunk(json, &out); };
    switch (shape_) {
      case Shape::kConverse:
        converse_.Write(answer, usage, [&](std::string_view name, std::string_view json) {
          AppendEventFrame(name, json, &out);
        });
        break;
      case Shape::kConverseChunks:
        converse_.Write(answer, usage, [&](std::string_view name, std::string_view json) {
          const std::string metrics = name != "metadata" ? "" : MetricsMember(usage);
          chunk(Concat({"{\"", name, "\":", json, metrics, "}"}));
        });
        break;
      case Shape::kMessages:
        if (answer.done()) break;
        messages_.Write(answer, usage, Metrics(usage),
                        [&](std::string_view /*type*/, const std::string& json) { chunk(json); });
        break;
      case Shape::kFlat:
        if (answer.finished() || metrics_stated_) break;
        chunk(Concat({family_->last_chunk, MetricsMember(usage), "}"}));
        break;
    }
    return out;
  }

 private:
  enum class Shape : uint8_t { kConverse, kConverseChunks, kMessages, kFlat };

  bool SeeMember(Value member) {
    for (std::string_view name : {"messageStart", "contentBlockStart", "contentBlockDelta",
                                  "contentBlockStop", "messageStop", "metadata"}) {
      if (member.key() != name || !member.Is(Type::kObject)) continue;
      shape_ = Shape::kConverseChunks;
      return converse_.See(name, member);
    }
    if (family_ != nullptr) return false;
    for (const Family& family : kFamilies) {
      if (member.key() != family.text_member) continue;
      shape_ = Shape::kFlat;
      family_ = &family;
      break;
    }
    return false;
  }

  static std::string Metrics(const Usage& usage) {
    std::string data;
    json::Writer writer(&data);
    writer.BeginObject();
    writer.Key("inputTokenCount").Uint(InputBesideCaches(usage));
    writer.Key("outputTokenCount").Uint(usage.completion.value_or(0));
    writer.Key("invocationLatency").Uint(0);
    writer.Key("firstByteLatency").Uint(0);
    if (usage.cached) writer.Key("cacheReadInputTokenCount").Uint(*usage.cached);
    if (usage.cache_write) writer.Key("cacheWriteInputTokenCount").Uint(*usage.cache_write);
    writer.EndObject();
    return data;
  }

  static std::string MetricsMember(const Usage& usage) {
    return Concat({",\"amazon-bedrock-invocationMetrics\":", Metrics(usage)});
  }

  static void AppendChunk(std::string_view json, std::string* out) {
    const std::string bytes = absl::Base64Escape(AbslView(json));
    AppendEventFrame("chunk", Concat({"{\"bytes\":\"", bytes, "\"}"}), out);
  }

  Shape shape_ = Shape::kConverse;
  bool metrics_stated_ = false;
  const Family* family_ = nullptr;
  ConverseState converse_;
  MessageState messages_;
};

}  // namespace

void WriteBedrockUsage(json::Writer* writer, const Usage& usage) {
  const uint64_t completion = usage.completion.value_or(0);
  writer->BeginObject();
  writer->Key("inputTokens").Uint(InputBesideCaches(usage));
  writer->Key("outputTokens").Uint(completion);
  writer->Key("totalTokens").Uint(usage.prompt.value_or(0) + completion);
  if (usage.cached) writer->Key("cacheReadInputTokens").Uint(*usage.cached);
  if (usage.cache_write) writer->Key("cacheWriteInputTokens").Uint(*usage.cache_write);
  writer->EndObject();
}

void AppendEventFrame(std::string_view name, std::string_view json, std::string* out) {
  AppendFrame(
      out,
      {{":event-type", name}, {":content-type", "application/json"}, {":message-type", "event"}},
      json);
}

std::unique_ptr<Ending> MakeBedrockEnding() { return std::make_unique<BedrockEnding>(); }

}  // namespace weir::dialects
