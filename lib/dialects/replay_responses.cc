// Kept responses, written.

#include "dialects/replay.h"
#include "dialects/responses_events.h"

namespace weir::dialects {
namespace {

std::string ItemJson(const ReplayJob& job, std::string_view status, std::string_view content) {
  std::string item;
  item.reserve(content.size() + 128);
  json::Writer writer(&item);
  writer.BeginObject();
  writer.Key("id").String(job.Id("msg_"));
  writer.Key("type").String("message");
  writer.Key("status").String(status);
  writer.Key("content").Raw(Concat({"[", content, "]"}));
  writer.Key("role").String("assistant");
  writer.EndObject();
  return item;
}

void WriteResponse(const ReplayJob& job, std::string_view id, std::string_view output,
                   json::Writer* writer) {
  const bool ended = !output.empty();
  WriteResponseObject({.id = id,
                       .created_at = job.created,
                       .model = job.model,
                       .status = ended ? "completed" : "in_progress",
                       .output = output,
                       .usage = ended && job.usage_known ? &job.usage : nullptr},
                      writer);
}

}  // namespace

std::string WriteResponsesAnswer(const ReplayJob& job) {
  const std::string item = ItemJson(job, "completed", OutputTextJson(job.only().text));
  std::string out;
  json::Writer writer(&out);
  WriteResponse(job, job.Id("resp_"), item, &writer);
  return out;
}

std::string WriteResponsesStream(const ReplayJob& job) {
  const std::string id = job.Id("resp_");
  const std::string item_id = job.Id("msg_");
  const std::string_view text = job.only().text;
  EventWriter events(/*numbered=*/true, 0);
  for (std::string_view type : {"response.created", "response.in_progress"}) {
    WriteResponse(job, id, "", &events.Begin(type).Key("response"));
    events.End();
  }
  events.Begin("response.output_item.added").Key("output_index").Uint(0);
  events.writer().Key("item").Raw(ItemJson(job, "in_progress", ""));
  events.End();
  // An event about the text.
  const auto begin = [&](std::string_view type) -> json::Writer& {
    json::Writer& writer = events.Begin(type);
    writer.Key("item_id").String(item_id);
    writer.Key("output_index").Uint(0).Key("content_index").Uint(0);
    return writer;
  };
  begin("response.content_part.added").Key("part").Raw(OutputTextJson(""));
  events.End();
  ForEachPiece(text, [&](std::string_view piece, bool /*last*/) {
    begin("response.output_text.delta").Key("delta").String(piece);
    events.writer().Key("logprobs").BeginArray().EndArray();
    events.End();
  });
  begin("response.output_text.done").Key("text").String(text);
  events.writer().Key("logprobs").BeginArray().EndArray();
  events.End();
  const std::string part = OutputTextJson(text);
  begin("response.content_part.done").Key("part").Raw(part);
  events.End();
  const std::string item = ItemJson(job, "completed", part);
  events.Begin("response.output_item.done").Key("output_index").Uint(0);
  events.writer().Key("item").Raw(item);
  events.End();
  WriteResponse(job, id, item, &events.Begin("response.completed").Key("response"));
  events.End();
  return events.out();
}

}  // namespace weir::dialects
