// Kept messages of Anthropic's, written.

#include "base/json.h"
#include "dialects/ending.h"
#include "dialects/replay.h"

namespace weir::dialects {

std::string WriteMessage(const ReplayJob& job) {
  const KeptChoice& only = job.only();
  std::string out;
  json::Writer writer(&out);
  writer.BeginObject();
  writer.Key("id").String(job.Id("msg_"));
  writer.Key("type").String("message");
  writer.Key("role").String("assistant");
  writer.Key("model").String(job.model);
  writer.Key("content").BeginArray().BeginObject();
  writer.Key("type").String("text").Key("text").String(only.text);
  writer.EndObject().EndArray();
  writer.Key("stop_reason").String(only.finish_reason);
  writer.Key("stop_sequence");
  if (only.stop_sequence.empty()) {
    writer.Null();
  } else {
    writer.String(only.stop_sequence);
  }
  writer.Key("usage").BeginObject();
  WriteAnthropicInput(&writer, job.usage);
  writer.Key("output_tokens").Uint(job.usage.completion.value_or(0));
  writer.EndObject().EndObject();
  return out;
}

std::string WriteMessageStream(const ReplayJob& job) {
  const KeptChoice& only = job.only();
  std::string out;
  const auto event = [&](std::string_view type, std::string_view data) {
    out.append(Concat({"event: ", type, "\ndata: ", data, "\n\n"}));
  };
  event("message_start", MessageStartJson(job.Id("msg_"), job.model, job.usage));
  event("content_block_start",
        R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})");
  ForEachPiece(only.text, [&](std::string_view piece, bool /*last*/) {
    std::string data;
    json::Writer writer(&data);
    writer.BeginObject().Key("type").String("content_block_delta").Key("index").Uint(0);
    writer.Key("delta").BeginObject();
    writer.Key("type").String("text_delta").Key("text").String(piece);
    writer.EndObject().EndObject();
    event("content_block_delta", data);
  });
  event("content_block_stop", BlockStopJson(0));
  event("message_delta", MessageDeltaJson(only.finish_reason, only.stop_sequence, job.usage));
  event("message_stop", R"({"type":"message_stop"})");
  return out;
}

}  // namespace weir::dialects
