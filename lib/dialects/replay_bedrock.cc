// Kept answers of Bedrock's converse, written.

#include "base/json.h"
#include "dialects/ending.h"
#include "dialects/replay.h"

namespace weir::dialects {
namespace {

void WriteNumbers(const ReplayJob& job, json::Writer* writer) {
  if (job.usage_known) {
    writer->Key("usage");
    WriteBedrockUsage(writer, job.usage);
  }
  writer->Key("metrics").BeginObject().Key("latencyMs").Uint(0).EndObject();
}

}  // namespace

std::string WriteConverseAnswer(const ReplayJob& job) {
  std::string out;
  json::Writer writer(&out);
  writer.BeginObject();
  writer.Key("output").BeginObject().Key("message").BeginObject();
  writer.Key("role").String("assistant");
  writer.Key("content").BeginArray().BeginObject();
  writer.Key("text").String(job.only().text);
  writer.EndObject().EndArray().EndObject().EndObject();
  writer.Key("stopReason").String(job.only().finish_reason);
  WriteNumbers(job, &writer);
  writer.EndObject();
  return out;
}

std::string WriteConverseStream(const ReplayJob& job) {
  std::string out;
  AppendEventFrame("messageStart", R"({"role":"assistant"})", &out);
  std::string data;
  ForEachPiece(job.only().text, [&](std::string_view piece, bool /*last*/) {
    data.clear();
    json::Writer writer(&data);
    writer.BeginObject().Key("contentBlockIndex").Uint(0);
    writer.Key("delta").BeginObject().Key("text").String(piece).EndObject().EndObject();
    AppendEventFrame("contentBlockDelta", data, &out);
  });
  AppendEventFrame("contentBlockStop", R"({"contentBlockIndex":0})", &out);
  data.clear();
  json::Writer stop(&data);
  stop.BeginObject().Key("stopReason").String(job.only().finish_reason).EndObject();
  AppendEventFrame("messageStop", data, &out);
  data.clear();
  json::Writer metadata(&data);
  metadata.BeginObject();
  WriteNumbers(job, &metadata);
  metadata.EndObject();
  AppendEventFrame("metadata", data, &out);
  return out;
}

}  // namespace weir::dialects
