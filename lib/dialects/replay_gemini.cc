// Kept answers of Google's generateContent, written.

#include "base/json.h"
#include "dialects/ending.h"
#include "dialects/replay.h"

namespace weir::dialects {
namespace {

void WriteCandidate(size_t index, std::string_view text, std::string_view reason,
                    json::Writer* writer) {
  writer->BeginObject();
  writer->Key("content").BeginObject();
  writer->Key("parts").BeginArray().BeginObject();
  writer->Key("text").String(text);
  writer->EndObject().EndArray();
  writer->Key("role").String("model").EndObject();
  if (!reason.empty()) writer->Key("finishReason").String(reason);
  writer->Key("index").Uint(index);
  writer->EndObject();
}

// What follows the candidates.
void WriteRest(const ReplayJob& job, bool usage, json::Writer* writer) {
  if (usage && job.usage_known) WriteGeminiUsage(writer, job.usage, /*tools=*/0);
  writer->Key("modelVersion").String(job.model);
  writer->Key("responseId").String(job.replay.id_seed);
  writer->EndObject();
}

}  // namespace

std::string WriteGeminiAnswer(const ReplayJob& job) {
  std::string out;
  json::Writer writer(&out);
  writer.BeginObject().Key("candidates").BeginArray();
  size_t index = 0;
  for (const KeptChoice& choice : job.answer.choices) {
    WriteCandidate(index++, choice.text, choice.finish_reason, &writer);
  }
  writer.EndArray();
  WriteRest(job, /*usage=*/true, &writer);
  return out;
}

std::string WriteGeminiStream(const ReplayJob& job) {
  const bool array = job.replay.json_array;
  std::string out;
  size_t index = 0;
  for (const KeptChoice& choice : job.answer.choices) {
    const size_t at = index++;
    const bool last_choice = index == job.answer.choices.size();
    ForEachPiece(choice.text, [&](std::string_view piece, bool last) {
      out.append(!array ? "data: " : out.empty() ? "[" : ",\r\n");
      json::Writer writer(&out);
      writer.BeginObject().Key("candidates").BeginArray();
      WriteCandidate(at, piece, last ? choice.finish_reason : std::string_view(), &writer);
      writer.EndArray();
      WriteRest(job, last && last_choice, &writer);
      out.append(array ? "\n" : "\r\n\r\n");
    });
  }
  if (array) out.append("]\n");
  return out;
}

}  // namespace weir::dialects
