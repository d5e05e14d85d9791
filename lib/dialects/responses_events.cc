#include "dialects/responses_events.h"

#include "base/text.h"
#include "dialects/ending.h"

namespace weir::dialects {

json::Writer& EventWriter::Begin(std::string_view type) {
  out_.append(Concat({"event: ", type, "\ndata: "}));
  writer_ = json::Writer(&out_);
  writer_.BeginObject().Key("type").String(type);
  if (numbered_) writer_.Key("sequence_number").Uint(next_++);
  return writer_;
}

void EventWriter::End() {
  writer_.EndObject();
  out_.append("\n\n");
}

std::string OutputTextJson(std::string_view text) {
  std::string part;
  part.reserve(text.size() + text.size() / 8 + 80);
  json::Writer writer(&part);
  writer.BeginObject().Key("type").String("output_text");
  writer.Key("annotations").BeginArray().EndArray();
  writer.Key("logprobs").BeginArray().EndArray();
  writer.Key("text").String(text).EndObject();
  return part;
}

void WriteResponseObject(const ResponseState& state, json::Writer* writer) {
  writer->BeginObject();
  writer->Key("id").String(state.id);
  writer->Key("object").String("response");
  writer->Key("created_at").Uint(state.created_at);
  writer->Key("status").String(state.status);
  writer->Key("error").Null();
  writer->Key("incomplete_details");
  if (state.status == "incomplete") {
    writer->BeginObject().Key("reason").String("max_output_tokens").EndObject();
  } else {
    writer->Null();
  }
  writer->Key("instructions").Null();
  writer->Key("model").String(state.model);
  writer->Key("output").Raw(Concat({"[", state.output, "]"}));
  writer->Key("parallel_tool_calls").Bool(true);
  writer->Key("tool_choice").String("auto");
  writer->Key("tools").BeginArray().EndArray();
  writer->Key("temperature").Null();
  writer->Key("top_p").Null();
  writer->Key("metadata").BeginObject().EndObject();
  writer->Key("usage");
  if (state.usage != nullptr) {
    WriteOpenAiUsage(writer, *state.usage, /*responses=*/true);
  } else {
    writer->Null();
  }
  writer->EndObject();
}

}  // namespace weir::dialects
