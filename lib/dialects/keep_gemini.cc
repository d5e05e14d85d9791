// What is kept of Google's generateContent and streamGenerateContent.

#include "dialects/keep.h"

namespace weir::dialects {
namespace {

using json::Value;

constexpr NotKept kUnknown = NotKept::kUnknownContent;

constexpr Member kRatingMembers[] = {{"category"},
                                     {"probability"},
                                     {"probabilityScore"},
                                     {"severity"},
                                     {"severityScore"},
                                     {"overwrittenThreshold"},
                                     {"blocked", Allow::kNothing, NotKept::kFinishReason}};
constexpr Shape kRating = {kRatingMembers};

constexpr Member kFeedbackMembers[] = {
    {"safetyRatings", Allow::kArray, kUnknown, &kRating},
    {"blockReason", Allow::kNothing, NotKept::kFinishReason},
};
constexpr Shape kFeedback = {kFeedbackMembers};

constexpr Member kPartMembers[] = {
    {"text", Allow::kText},
    {"thought", Allow::kNothing, NotKept::kReasoning},
    {"thoughtSignature"},
    {"functionCall", Allow::kNothing, NotKept::kToolCall},
    {"toolCall", Allow::kNothing, NotKept::kToolCall},
    {"toolResponse", Allow::kNothing, NotKept::kToolCall},
    {"executableCode", Allow::kNothing, NotKept::kToolCall},
    {"codeExecutionResult", Allow::kNothing, NotKept::kToolCall},
};
constexpr Shape kPart = {kPartMembers};

constexpr Member kContentMembers[] = {
    {"parts", Allow::kArray, kUnknown, &kPart},
    {.key = "role", .allow = Allow::kWord, .word = "model"},
};
constexpr Shape kContent = {kContentMembers};

constexpr Member kCandidateMembers[] = {
    {"content", Allow::kObject, kUnknown, &kContent},
    {"finishReason", Allow::kJudged},
    {"index", Allow::kNumber},
    {"safetyRatings", Allow::kArray, kUnknown, &kRating},
    {"avgLogprobs", Allow::kNumber},
    {"tokenCount", Allow::kNumber},
};
constexpr Shape kCandidate = {kCandidateMembers};

constexpr Member kAnswerMembers[] = {
    {"candidates", Allow::kArray, kUnknown, &kCandidate},
    {"usageMetadata", Allow::kCounts},
    {"modelVersion"},
    {"responseId"},
    {"createTime"},
    {"promptFeedback", Allow::kObject, kUnknown, &kFeedback},
    {"error", Allow::kNothing, NotKept::kError},
};
constexpr Shape kAnswer = {kAnswerMembers};

class GeminiKeeper final : public Keeper {
 public:
  using Keeper::Keeper;

 private:
  bool has_last_event() const override { return false; }
  NotKept JudgeEvent(std::string_view /*name*/, Value chunk) override {
    return Judge(chunk, /*event=*/true);
  }
  NotKept JudgeBody(Value body) override { return Judge(body, /*event=*/false); }

  NotKept Judge(Value chunk, bool event) {
    const NotKept reason = CheckShape(chunk, kAnswer, event);
    if (reason != NotKept::kNothing) return reason;
    uint32_t position = 0;
    for (Value candidate : chunk["candidates"].members()) {
      const uint32_t index = IndexOr(candidate["index"], position++);
      const NotKept ended = SeeChoice(index, candidate["finishReason"], {"STOP"});
      if (ended != NotKept::kNothing) return ended;
    }
    return NotKept::kNothing;
  }
};

}  // namespace

std::unique_ptr<Keeper> MakeGeminiKeeper(size_t max_bytes) {
  return std::make_unique<GeminiKeeper>(max_bytes);
}

}  // namespace weir::dialects
