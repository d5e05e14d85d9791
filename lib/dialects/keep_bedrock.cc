// What is kept of AWS Bedrock: converse and converse-stream. What invoke brings of the models
// behind it has as many shapes as there are models.

#include "dialects/keep.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

constexpr NotKept kUnknown = NotKept::kUnknownContent;

// A block, a delta, or what a block starts with.
constexpr Member kTextMembers[] = {
    {"text", Allow::kText},
    {"toolUse", Allow::kNothing, NotKept::kToolCall},
    {"toolResult", Allow::kNothing, NotKept::kToolCall},
    {"reasoningContent", Allow::kNothing, NotKept::kReasoning},
};
constexpr Shape kText = {kTextMembers};

constexpr Member kMessageMembers[] = {
    {.key = "role", .allow = Allow::kWord, .word = "assistant"},
    {"content", Allow::kArray, kUnknown, &kText},
};
constexpr Shape kMessage = {kMessageMembers};
constexpr Member kOutputMembers[] = {{"message", Allow::kObject, kUnknown, &kMessage}};
constexpr Shape kOutput = {kOutputMembers};

constexpr Member kLatencyMembers[] = {{"latency"}};
constexpr Shape kLatency = {kLatencyMembers};
constexpr Member kTierMembers[] = {{"type"}};
constexpr Shape kTier = {kTierMembers};

constexpr Member kBodyMembers[] = {
    {"output", Allow::kObject, kUnknown, &kOutput},
    {"stopReason", Allow::kJudged},
    {"usage", Allow::kCounts},
    {"metrics", Allow::kCounts},
    {"performanceConfig", Allow::kObject, kUnknown, &kLatency},
    {"serviceTier", Allow::kObject, kUnknown, &kTier},
};
constexpr Shape kBody = {kBodyMembers};

constexpr Member kStartMembers[] = {{.key = "role", .allow = Allow::kWord, .word = "assistant"}};
constexpr Member kBlockMembers[] = {
    {"contentBlockIndex", Allow::kNumber},
    {"start", Allow::kObject, kUnknown, &kText},
    {"delta", Allow::kObject, kUnknown, &kText},
};
constexpr Member kStopMembers[] = {{"stopReason", Allow::kJudged}};
constexpr Member kMetadataMembers[] = {
    {"usage", Allow::kCounts},
    {"metrics", Allow::kCounts},
    {"performanceConfig", Allow::kObject, kUnknown, &kLatency},
    {"serviceTier", Allow::kObject, kUnknown, &kTier},
};
constexpr Shape kStartEvent = {kStartMembers};
constexpr Shape kBlockEvent = {kBlockMembers};
constexpr Shape kStopEvent = {kStopMembers};
constexpr Shape kMetadataEvent = {kMetadataMembers};

class ConverseKeeper final : public Keeper {
 public:
  using Keeper::Keeper;

 private:
  NotKept JudgeEvent(std::string_view name, Value event) override {
    if (name.empty() || name == "chunk") return NotKept::kDialect;  // invoke's
    const uint32_t index = IndexOr(event["contentBlockIndex"], 0);
    const Shape* shape = &kBlockEvent;
    bool in_turn = started_ && !stopped_;
    if (name == "messageStart") {
      in_turn = !started_;
      started_ = true;
      shape = &kStartEvent;
    } else if (name == "contentBlockStart") {
      Turn();
      in_turn = in_turn && block_.Open(index) && IsEmpty(event["delta"]);
    } else if (name == "contentBlockDelta") {
      // Blocks of text begin with their first delta.
      const bool begins = block_.Open(index);
      if (begins) Turn();
      in_turn = in_turn && block_.IsOpen(index) && IsEmpty(event["start"]);
    } else if (name == "contentBlockStop") {
      Turn();
      in_turn =
          in_turn && block_.Close(index) && IsEmpty(event["delta"]) && IsEmpty(event["start"]);
    } else if (name == "messageStop") {
      stopped_ = true;
      shape = &kStopEvent;
    } else if (name == "metadata") {
      in_turn = stopped_;
      End();
      shape = &kMetadataEvent;
    } else {
      return NotKept::kUnknownContent;
    }
    const NotKept reason = CheckShape(event, *shape, /*event=*/true);
    if (reason != NotKept::kNothing) return reason;
    if (!in_turn) return NotKept::kUnknownContent;
    if (name != "messageStop") return NotKept::kNothing;
    const NotKept ended = Finish(event["stopReason"]);
    if (ended != NotKept::kNothing) return ended;
    return block_.is_closed() ? NotKept::kNothing : NotKept::kIncomplete;
  }

  NotKept JudgeBody(Value body) override {
    End();
    if (body["message"].Is(Type::kString)) return NotKept::kError;
    if (!body["output"].Is(Type::kObject)) return NotKept::kDialect;
    const NotKept reason = CheckShape(body, kBody, /*event=*/false);
    if (reason != NotKept::kNothing) return reason;
    if (body["output"]["message"]["content"].size() > 1) return NotKept::kUnknownContent;
    block_.Open(0);
    return Finish(body["stopReason"]);
  }

  NotKept Finish(Value reason) { return SeeChoice(0, reason, {"end_turn", "stop_sequence"}); }

  bool MayWrite(uint32_t part) const override { return block_.IsOpen(part); }

  bool started_ = false, stopped_ = false;
  OneBlock block_;
};

}  // namespace

std::unique_ptr<Keeper> MakeConverseKeeper(size_t max_bytes) {
  return std::make_unique<ConverseKeeper>(max_bytes);
}

}  // namespace weir::dialects
