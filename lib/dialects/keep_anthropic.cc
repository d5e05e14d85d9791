// What is kept of Anthropic's messages.

#include "dialects/keep.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

constexpr Shape kNothingInside = {};

constexpr Member kTextMembers[] = {
    {"type"}, {"text", Allow::kText}, {"citations", Allow::kNothing}};
constexpr Shape kText = {kTextMembers};

// Whole, or as message_start has it.
constexpr Member kMessageMembers[] = {
    {"id"},
    {.key = "type", .allow = Allow::kWord, .word = "message"},
    {.key = "role", .allow = Allow::kWord, .word = "assistant"},
    {"model"},
    {"content", Allow::kJudged},
    {"stop_reason", Allow::kJudged},
    {"stop_sequence", Allow::kScalar},
    {"stop_details", Allow::kNothing},
    {"usage", Allow::kCounts},
    {"container", Allow::kNothing},
    {"context_management", Allow::kObject, NotKept::kUnknownContent, &kNothingInside},
    {"error", Allow::kNothing, NotKept::kError},
};
constexpr Shape kMessage = {kMessageMembers};

constexpr Member kStartMembers[] = {
    {"type"}, {"message", Allow::kObject, NotKept::kUnknownContent, &kMessage}};
constexpr Member kBlockMembers[] = {
    {"type"},
    {"index", Allow::kNumber},
    {"content_block", Allow::kObject, NotKept::kUnknownContent, &kText},
    {"delta", Allow::kObject, NotKept::kUnknownContent, &kText}};
constexpr Member kStopMembers[] = {{"stop_reason", Allow::kJudged},
                                   {"stop_sequence"},
                                   {"stop_details", Allow::kNothing},
                                   {"container", Allow::kNothing}};
constexpr Shape kStop = {kStopMembers};
constexpr Member kDeltaMembers[] = {
    {"type"},
    {"delta", Allow::kObject, NotKept::kUnknownContent, &kStop},
    {"usage", Allow::kCounts},
    {"context_management", Allow::kObject, NotKept::kUnknownContent, &kNothingInside}};
constexpr Member kTypeMembers[] = {{"type"}};

constexpr Shape kStartEvent = {kStartMembers};
constexpr Shape kBlockEvent = {kBlockMembers};
constexpr Shape kDeltaEvent = {kDeltaMembers};
constexpr Shape kBareEvent = {kTypeMembers};

// Of a block or delta that is not text.
NotKept CheckType(Value object, std::string_view type) {
  const std::string_view stated = object["type"].text();
  if (stated == type) return NotKept::kNothing;
  return ReasonOf(stated, NotKept::kUnknownContent);
}

class MessagesKeeper final : public Keeper {
 public:
  using Keeper::Keeper;

 private:
  NotKept JudgeEvent(std::string_view name, Value event) override {
    const std::string_view stated = event["type"].text();
    const std::string_view type = stated.empty() ? name : stated;
    // Some clients go by the one, some by the other.
    if (!name.empty() && name != type) return NotKept::kUnknownContent;
    if (type == "message_start") return JudgeStart(event);
    if (type == "content_block_start") return JudgeBlock(event, event["content_block"], "text");
    if (type == "content_block_delta") return JudgeBlock(event, event["delta"], "text_delta");
    if (type == "content_block_stop") return JudgeBlockStop(event);
    if (type == "message_delta") return JudgeDelta(event);
    if (type == "message_stop") {
      if (!block_.is_closed()) return NotKept::kIncomplete;
      End();
    } else if (type != "ping") {
      return ReasonOf(type, NotKept::kUnknownContent);
    }
    return CheckShape(event, kBareEvent, /*event=*/true);
  }

  NotKept JudgeStart(Value event) {
    const Value message = event["message"];
    if (started_ || !IsEmpty(message["content"])) return NotKept::kUnknownContent;
    started_ = true;
    const NotKept reason = CheckShape(event, kStartEvent, /*event=*/true);
    return reason != NotKept::kNothing ? reason : Finish(message);
  }

  // The beginning of a block, or more of it; `part` is what it is of that.
  NotKept JudgeBlock(Value event, Value part, std::string_view type) {
    const NotKept other = CheckType(part, type);
    if (other != NotKept::kNothing) return other;
    const uint32_t index = IndexOr(event["index"], 0);
    const bool begins = type == "text";
    if (begins) Turn();
    const bool in_turn = begins ? started_ && block_.Open(index) : block_.IsOpen(index);
    if (!in_turn || !IsEmpty(event[begins ? "delta" : "content_block"])) {
      return NotKept::kUnknownContent;
    }
    return CheckShape(event, kBlockEvent, /*event=*/true);
  }

  NotKept JudgeBlockStop(Value event) {
    Turn();
    const bool more = !IsEmpty(event["delta"]) || !IsEmpty(event["content_block"]);
    if (more || !block_.Close(IndexOr(event["index"], 0))) return NotKept::kUnknownContent;
    return CheckShape(event, kBlockEvent, /*event=*/true);
  }

  NotKept JudgeDelta(Value event) {
    const NotKept reason = Finish(event["delta"]);
    return reason != NotKept::kNothing ? reason : CheckShape(event, kDeltaEvent, /*event=*/true);
  }

  NotKept JudgeBody(Value body) override {
    End();
    if (body["type"].text() == "error") return NotKept::kError;
    const NotKept reason = CheckShape(body, kMessage, /*event=*/false);
    if (reason != NotKept::kNothing) return reason;
    const Value content = body["content"];
    if (!IsEmpty(content) && !content.Is(Type::kArray)) return NotKept::kUnknownContent;
    block_.Open(0);
    for (Value block : content.members()) {
      NotKept other = CheckType(block, "text");
      if (other == NotKept::kNothing) other = CheckShape(block, kText, /*event=*/false);
      if (other != NotKept::kNothing) return other;
    }
    if (content.size() > 1) return NotKept::kUnknownContent;
    return Finish(body);
  }

  NotKept Finish(Value message) {
    const NotKept reason = SeeChoice(0, message["stop_reason"], {"end_turn", "stop_sequence"});
    return reason != NotKept::kNothing ? reason : SetStopSequence(message["stop_sequence"]);
  }

  bool MayWrite(uint32_t part) const override { return block_.IsOpen(part); }

  bool started_ = false;
  OneBlock block_;
};

}  // namespace

std::unique_ptr<Keeper> MakeMessagesKeeper(size_t max_bytes) {
  return std::make_unique<MessagesKeeper>(max_bytes);
}

}  // namespace weir::dialects
