// What is kept of OpenAI's chat completions and completions, of Azure's, and of compatible
// servers'.

#include "dialects/keep.h"

namespace weir::dialects {
namespace {

using json::Value;

constexpr Shape kNothingInside = {};

constexpr Member kOffsetMembers[] = {{"check_offset", Allow::kNumber},
                                     {"start_offset", Allow::kNumber},
                                     {"end_offset", Allow::kNumber}};
constexpr Shape kOffsets = {kOffsetMembers};

constexpr Member kPromptFilterMembers[] = {{"prompt_index", Allow::kNumber},
                                           {"content_filter_results", Allow::kFilters}};
constexpr Shape kPromptFilters = {kPromptFilterMembers};

constexpr Member kGroqMembers[] = {
    {"id", Allow::kScalar}, {"seed", Allow::kNumber}, {"usage", Allow::kCounts}};
constexpr Shape kGroq = {kGroqMembers};

// A `message` or a `delta`.
constexpr Member kMessageMembers[] = {
    {.key = "role", .allow = Allow::kWord, .word = "assistant"},
    {"content", Allow::kText},
    {"refusal", Allow::kNothing, NotKept::kRefusal},
    {"tool_calls", Allow::kNothing, NotKept::kToolCall},
    {"function_call", Allow::kNothing, NotKept::kToolCall},
    {"reasoning_content", Allow::kNothing, NotKept::kReasoning},
    {"reasoning", Allow::kNothing, NotKept::kReasoning},
    {"reasoning_details", Allow::kNothing, NotKept::kReasoning},
    {"annotations", Allow::kNothing},
    {"audio", Allow::kNothing},
};
constexpr Shape kMessage = {kMessageMembers};

// Of all forms: which of `message`, `delta` and `text` it has is looked at below.
constexpr Member kChoiceMembers[] = {
    {"index", Allow::kNumber},
    {"message", Allow::kObject, NotKept::kUnknownContent, &kMessage},
    {"delta", Allow::kObject, NotKept::kUnknownContent, &kMessage},
    {"text", Allow::kText},
    {"finish_reason", Allow::kJudged},
    {"native_finish_reason", Allow::kScalar},  // OpenRouter
    {"stop_reason", Allow::kScalar},           // vLLM: which of the stop sequences
    {"matched_stop", Allow::kScalar},          // SGLang: the same
    {"logprobs", Allow::kObject, NotKept::kUnknownContent, &kNothingInside},
    {"content_filter_results", Allow::kFilters},
    {"content_filter_offsets", Allow::kObject, NotKept::kUnknownContent, &kOffsets},
};
constexpr Shape kChoice = {kChoiceMembers};

constexpr Member kAnswerMembers[] = {
    {"id"},
    {"object"},
    {"created"},
    {"model"},
    {"choices", Allow::kArray, NotKept::kUnknownContent, &kChoice},
    {"usage", Allow::kCounts},
    {"system_fingerprint"},
    {"service_tier"},
    {"obfuscation"},
    {"provider"},
    {"error", Allow::kNothing, NotKept::kError},
    {"prompt_filter_results", Allow::kArray, NotKept::kUnknownContent, &kPromptFilters},
    {"latency_checkpoint", Allow::kCounts},
    {"x_groq", Allow::kObject, NotKept::kUnknownContent, &kGroq},
};
constexpr Shape kAnswer = {kAnswerMembers};

class ChatKeeper final : public Keeper {
 public:
  ChatKeeper(bool chat, size_t max_bytes) : Keeper(max_bytes), chat_(chat) {}

 private:
  NotKept JudgeEvent(std::string_view /*name*/, Value chunk) override {
    const NotKept reason = CheckShape(chunk, kAnswer, /*event=*/true);
    return reason != NotKept::kNothing ? reason : Judge(chunk, chat_ ? "delta" : "text");
  }

  NotKept JudgeBody(Value body) override {
    End();
    const NotKept reason = CheckShape(body, kAnswer, /*event=*/false);
    return reason != NotKept::kNothing ? reason : Judge(body, chat_ ? "message" : "text");
  }

  // `content` is where its choices have it.
  NotKept Judge(Value answer, std::string_view content) {
    uint32_t position = 0;
    for (Value choice : answer["choices"].members()) {
      for (std::string_view other : {"message", "delta", "text"}) {
        if (other != content && !IsEmpty(choice[other])) return NotKept::kUnknownContent;
      }
      const uint32_t index = IndexOr(choice["index"], position++);
      const NotKept reason = SeeChoice(index, choice["finish_reason"], {"stop"});
      if (reason != NotKept::kNothing) return reason;
    }
    return NotKept::kNothing;
  }

  const bool chat_;
};

}  // namespace

std::unique_ptr<Keeper> MakeChatKeeper(Operation operation, size_t max_bytes) {
  return std::make_unique<ChatKeeper>(operation == Operation::kChat, max_bytes);
}

}  // namespace weir::dialects
