#include "dialects/replay.h"

#include "absl/types/span.h"

namespace weir::dialects {
namespace {

// What makes an answer one of a dialect's, and how it is written.
struct Form {
  absl::Span<const std::string_view> reasons;  // to finish
  size_t max_choices;
  std::string (*answer)(const ReplayJob& job);
  std::string (*stream)(const ReplayJob& job);
  std::string_view answer_type, stream_type;
};

constexpr std::string_view kStop[] = {"stop"};
constexpr std::string_view kCompleted[] = {"completed"};
constexpr std::string_view kTurn[] = {"end_turn", "stop_sequence"};
constexpr std::string_view kGeminiStop[] = {"STOP"};

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kSse = "text/event-stream; charset=utf-8";

constexpr Form kChat = {kStop, kMaxKeptChoices, WriteChatAnswer, WriteChatStream, kJson, kSse};
constexpr Form kResponses = {kCompleted,           1,     WriteResponsesAnswer,
                             WriteResponsesStream, kJson, kSse};
constexpr Form kMessages = {kTurn, 1, WriteMessage, WriteMessageStream, kJson, kSse};
constexpr Form kGemini = {kGeminiStop,
                          kMaxKeptChoices,
                          WriteGeminiAnswer,
                          WriteGeminiStream,
                          "application/json; charset=UTF-8",
                          "text/event-stream"};
constexpr Form kConverse = {kTurn,
                            1,
                            WriteConverseAnswer,
                            WriteConverseStream,
                            kJson,
                            "application/vnd.amazon.eventstream"};

const Form& FormOf(Dialect dialect, Operation operation) {
  if (dialect == Dialect::kAnthropic) return kMessages;
  if (dialect == Dialect::kGemini) return kGemini;
  if (dialect == Dialect::kBedrock) return kConverse;
  return operation == Operation::kResponses ? kResponses : kChat;
}

bool IsSeed(std::string_view seed) {
  return seed.size() == 32 &&
         seed.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

bool IsOf(const KeptAnswer& answer, const Form& form) {
  if (answer.choices.empty() || answer.choices.size() > form.max_choices) return false;
  return std::all_of(answer.choices.begin(), answer.choices.end(), [&](const KeptChoice& choice) {
    return std::find(form.reasons.begin(), form.reasons.end(), choice.finish_reason) !=
           form.reasons.end();
  });
}

}  // namespace

absl::StatusOr<Replayed> WriteReplay(const KeptAnswer& answer, const Replay& replay) {
  if (replay.operation == Operation::kEmbeddings) {
    return absl::InvalidArgumentError("embeddings are not replayed");
  }
  if (!IsSeed(replay.id_seed)) {
    return absl::InvalidArgumentError("the id seed is not 32 hexadecimal digits");
  }
  const Form& form = FormOf(replay.dialect, replay.operation);
  if (!IsOf(answer, form)) {
    return absl::InvalidArgumentError("the answer was kept of another dialect");
  }
  ReplayJob job = {answer, replay, replay.model.empty() ? answer.model : replay.model,
                   static_cast<uint64_t>(std::max<int64_t>(replay.created_unix_s, 0)),
                   answer.usage};
  job.usage.cached = job.usage.prompt;
  job.usage.cache_write.reset();
  job.usage_known = job.usage.prompt || job.usage.completion;
  Replayed replayed;
  const bool array = replay.stream && replay.json_array && replay.dialect == Dialect::kGemini;
  replayed.content_type = replay.stream && !array ? form.stream_type : form.answer_type;
  replayed.body = replay.stream ? form.stream(job) : form.answer(job);
  return replayed;
}

}  // namespace weir::dialects
