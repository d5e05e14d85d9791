// The end of Anthropic's messages, also as Bedrock passes them on.

#include "base/text.h"
#include "dialects/ending.h"

namespace weir::dialects {
namespace {

using json::Value;

class MessagesEnding final : public Ending {
 public:
  bool See(std::string_view name, Value event) override { return state_.See(name, event); }

  std::string Write(const Answer& answer, const Usage& usage,
                    bool /*include_usage*/) const override {
    std::string out;
    if (answer.done()) return out;
    state_.Write(answer, usage, "", [&](std::string_view type, const std::string& data) {
      out.append(Concat({"event: ", type, "\ndata: ", data, "\n\n"}));
    });
    return out;
  }

 private:
  MessageState state_;
};

}  // namespace

bool MessageState::See(std::string_view name, Value event) {
  std::string_view type = event["type"].text();
  if (type.empty()) type = name;
  if (type == "message_start") started_ = true;
  const uint32_t index = IndexOr(event["index"], 0);
  if (type == "content_block_start") return blocks_.Open(index);
  return type == "content_block_stop" && blocks_.Close(index);
}

void WriteAnthropicInput(json::Writer* writer, const Usage& usage) {
  writer->Key("input_tokens").Uint(InputBesideCaches(usage));
  if (usage.cache_write) writer->Key("cache_creation_input_tokens").Uint(*usage.cache_write);
  if (usage.cached) writer->Key("cache_read_input_tokens").Uint(*usage.cached);
}

std::string MessageStartJson(std::string_view id, std::string_view model, const Usage& usage) {
  std::string data;
  json::Writer writer(&data);
  writer.BeginObject();
  writer.Key("type").String("message_start");
  writer.Key("message").BeginObject();
  writer.Key("id").String(id);
  writer.Key("type").String("message");
  writer.Key("role").String("assistant");
  writer.Key("model").String(model);
  writer.Key("content").BeginArray().EndArray();
  writer.Key("stop_reason").Null();
  writer.Key("stop_sequence").Null();
  writer.Key("usage").BeginObject();
  WriteAnthropicInput(&writer, usage);
  writer.Key("output_tokens").Uint(0);
  writer.EndObject().EndObject().EndObject();
  return data;
}

std::string BlockStopJson(uint32_t index) {
  std::string data;
  json::Writer writer(&data);
  writer.BeginObject().Key("type").String("content_block_stop");
  writer.Key("index").Uint(index).EndObject();
  return data;
}

// The prompt was message_start's to state: what it said stands.
std::string MessageDeltaJson(std::string_view reason, std::string_view stop_sequence,
                             const Usage& usage) {
  std::string data;
  json::Writer writer(&data);
  writer.BeginObject();
  writer.Key("type").String("message_delta");
  writer.Key("delta").BeginObject();
  writer.Key("stop_reason").String(reason);
  writer.Key("stop_sequence");
  if (stop_sequence.empty()) {
    writer.Null();
  } else {
    writer.String(stop_sequence);
  }
  writer.EndObject();
  writer.Key("usage").BeginObject();
  writer.Key("output_tokens").Uint(usage.completion.value_or(0));
  writer.EndObject().EndObject();
  return data;
}

std::string MessageState::Stop(std::string_view metrics) {
  std::string data;
  json::Writer writer(&data);
  writer.BeginObject().Key("type").String("message_stop");
  if (!metrics.empty()) writer.Key("amazon-bedrock-invocationMetrics").Raw(metrics);
  writer.EndObject();
  return data;
}

std::unique_ptr<Ending> MakeMessagesEnding() { return std::make_unique<MessagesEnding>(); }

}  // namespace weir::dialects
