// Kept chat completions and completions, written.

#include "base/json.h"
#include "dialects/ending.h"
#include "dialects/replay.h"

namespace weir::dialects {
namespace {

bool IsChat(const ReplayJob& job) { return job.replay.operation == Operation::kChat; }

// An answer, or a chunk, up to its choices.
json::Writer Begin(const ReplayJob& job, std::string_view object, std::string* out) {
  json::Writer writer(out);
  writer.BeginObject();
  writer.Key("id").String(job.Id(IsChat(job) ? "chatcmpl-" : "cmpl-"));
  writer.Key("object").String(IsChat(job) ? object : "text_completion");
  writer.Key("created").Uint(job.created);
  writer.Key("model").String(job.model);
  writer.Key("choices").BeginArray();
  return writer;
}

class ChunkWriter {
 public:
  explicit ChunkWriter(const ReplayJob& job) : job_(job) {}

  // A chunk of one choice, whose content write_delta writes; an empty reason is none.
  template <typename WriteDelta>
  void Chunk(size_t choice, std::string_view reason, WriteDelta write_delta) {
    json::Writer writer = BeginChunk();
    writer.BeginObject();
    writer.Key("index").Uint(choice);
    write_delta(&writer);
    writer.Key("logprobs").Null();
    writer.Key("finish_reason");
    if (reason.empty()) {
      writer.Null();
    } else {
      writer.String(reason);
    }
    writer.EndObject().EndArray();
    if (StatesUsage()) writer.Key("usage").Null();
    EndChunk(&writer);
  }

  void End() {
    if (StatesUsage()) {
      json::Writer writer = BeginChunk();
      writer.EndArray().Key("usage");
      WriteOpenAiUsage(&writer, job_.usage, /*responses=*/false);
      EndChunk(&writer);
    }
    out_.append("data: [DONE]\n\n");
  }

  std::string& out() { return out_; }

 private:
  bool StatesUsage() const { return job_.replay.include_usage && job_.usage_known; }
  json::Writer BeginChunk() {
    out_.append("data: ");
    return Begin(job_, "chat.completion.chunk", &out_);
  }
  void EndChunk(json::Writer* writer) {
    writer->EndObject();
    out_.append("\n\n");
  }

  const ReplayJob& job_;
  std::string out_;
};

}  // namespace

std::string WriteChatAnswer(const ReplayJob& job) {
  std::string out;
  json::Writer writer = Begin(job, "chat.completion", &out);
  size_t index = 0;
  for (const KeptChoice& choice : job.answer.choices) {
    writer.BeginObject();
    writer.Key("index").Uint(index++);
    if (IsChat(job)) {
      writer.Key("message").BeginObject();
      writer.Key("role").String("assistant");
      writer.Key("content").String(choice.text);
      writer.Key("refusal").Null();
      writer.Key("annotations").BeginArray().EndArray();
      writer.EndObject();
    } else {
      writer.Key("text").String(choice.text);
    }
    writer.Key("logprobs").Null();
    writer.Key("finish_reason").String(choice.finish_reason);
    writer.EndObject();
  }
  writer.EndArray();
  if (job.usage_known) {
    writer.Key("usage");
    WriteOpenAiUsage(&writer, job.usage, /*responses=*/false);
  }
  writer.EndObject();
  return out;
}

std::string WriteChatStream(const ReplayJob& job) {
  ChunkWriter chunks(job);
  const bool chat = IsChat(job);
  size_t index = 0;
  for (const KeptChoice& choice : job.answer.choices) {
    const size_t at = index++;
    if (chat) {
      chunks.Chunk(at, "", [](json::Writer* writer) {
        writer->Key("delta").BeginObject();
        writer->Key("role").String("assistant");
        writer->Key("content").String("");
        writer->Key("refusal").Null().EndObject();
      });
    }
    ForEachPiece(choice.text, [&](std::string_view piece, bool /*last*/) {
      chunks.Chunk(at, "", [&](json::Writer* writer) {
        if (chat) {
          writer->Key("delta").BeginObject().Key("content").String(piece).EndObject();
        } else {
          writer->Key("text").String(piece);
        }
      });
    });
    chunks.Chunk(at, choice.finish_reason, [&](json::Writer* writer) {
      if (chat) {
        writer->Key("delta").BeginObject().EndObject();
      } else {
        writer->Key("text").String("");
      }
    });
  }
  chunks.End();
  return std::move(chunks.out());
}

}  // namespace weir::dialects
