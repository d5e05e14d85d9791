// What is kept of OpenAI's responses, and Azure's: one message with one text, which a stream says
// in deltas and then restates three times.

#include "dialects/keep.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

constexpr NotKept kUnknown = NotKept::kUnknownContent;

constexpr Member kFilterMembers[] = {
    {"blocked", Allow::kNothing, NotKept::kFinishReason},
    {"source_type"},
    {"content_filter_raw", Allow::kNothing},
    {"content_filter_results", Allow::kFilters},
    {"content_filter_offsets", Allow::kCounts},
};
constexpr Shape kFilter = {kFilterMembers};

constexpr Member kResponseMembers[] = {
    {"id"},
    {"object"},
    {"created_at"},
    {"completed_at"},
    {"status", Allow::kJudged},
    {"model"},
    {"output", Allow::kJudged},
    {"usage", Allow::kCounts},
    {"error", Allow::kNothing, NotKept::kError},
    {"incomplete_details", Allow::kNothing, NotKept::kFinishReason},
    {"service_tier"},
    {"background", Allow::kNothing},
    {"conversation", Allow::kNothing},
    {"moderation", Allow::kNothing},
    {"content_filters", Allow::kArray, kUnknown, &kFilter},
    {"billing", Allow::kRequest},
    {"frequency_penalty", Allow::kRequest},
    {"instructions", Allow::kRequest},
    {"max_output_tokens", Allow::kRequest},
    {"max_tool_calls", Allow::kRequest},
    {"metadata", Allow::kRequest},
    {"parallel_tool_calls", Allow::kRequest},
    {"presence_penalty", Allow::kRequest},
    {"previous_response_id", Allow::kRequest},
    {"prompt", Allow::kRequest},
    {"prompt_cache_key", Allow::kRequest},
    {"prompt_cache_retention", Allow::kRequest},
    {"reasoning", Allow::kRequest},
    {"safety_identifier", Allow::kRequest},
    {"store", Allow::kRequest},
    {"temperature", Allow::kRequest},
    {"text", Allow::kRequest},
    {"tool_choice", Allow::kRequest},
    {"tools", Allow::kRequest},
    {"tool_usage", Allow::kCounts},
    {"top_logprobs", Allow::kRequest},
    {"top_p", Allow::kRequest},
    {"truncation", Allow::kRequest},
    {"user", Allow::kRequest},
};
constexpr Shape kResponse = {kResponseMembers};

constexpr Member kPartMembers[] = {
    {"type"},
    {"text", Allow::kText},
    {"annotations", Allow::kNothing},
    {"logprobs", Allow::kNothing},
};
constexpr Shape kPart = {kPartMembers};

constexpr Member kMessageMembers[] = {
    {"id"},
    {"type"},
    {"status"},
    {.key = "role", .allow = Allow::kWord, .word = "assistant"},
    {.key = "phase", .allow = Allow::kWord, .word = "final_answer"},
    {"content", Allow::kArray, kUnknown, &kPart},
};
constexpr Shape kMessage = {kMessageMembers};

// Thoughts of which nothing is said.
constexpr Member kThoughtsMembers[] = {
    {"id"},
    {"type"},
    {"status"},
    {"summary", Allow::kNothing, NotKept::kReasoning},
    {"content", Allow::kNothing, NotKept::kReasoning},
    {"encrypted_content", Allow::kNothing, NotKept::kReasoning},
};
constexpr Shape kThoughts = {kThoughtsMembers};

constexpr Member kEventMembers[] = {
    {"type"},
    {"sequence_number", Allow::kNumber},
    {"item_id"},
    {"output_index", Allow::kNumber},
    {"content_index", Allow::kNumber},
    {"obfuscation"},
    {"logprobs", Allow::kNothing},
    {"response", Allow::kObject, kUnknown, &kResponse},
    {"item", Allow::kJudged},
    {"part", Allow::kObject, kUnknown, &kPart},
    {"delta", Allow::kText},
    {"text", Allow::kText},
};
constexpr Shape kEvent = {kEventMembers};

// What kinds of events there are, and which of its members says something.
enum class Kind : uint8_t { kBegin, kAddItem, kAddPart, kDelta, kText, kPart, kItem, kEnd, kAlive };
struct Known {
  std::string_view type;
  Kind kind;
  std::string_view member;
};
constexpr Known kKnown[] = {
    {"response.created", Kind::kBegin, "response"},
    {"response.queued", Kind::kBegin, "response"},
    {"response.in_progress", Kind::kBegin, "response"},
    {"response.output_item.added", Kind::kAddItem, "item"},
    {"response.content_part.added", Kind::kAddPart, "part"},
    {"response.output_text.delta", Kind::kDelta, "delta"},
    {"response.output_text.done", Kind::kText, "text"},
    {"response.content_part.done", Kind::kPart, "part"},
    {"response.output_item.done", Kind::kItem, "item"},
    {"response.completed", Kind::kEnd, "response"},
    {"keepalive", Kind::kAlive, ""},
};

NotKept CheckItem(Value item) {
  const std::string_view type = item["type"].text();
  if (type == "reasoning") return CheckShape(item, kThoughts, /*event=*/false);
  if (type != "message") return ReasonOf(type, NotKept::kUnknownContent);
  for (Value part : item["content"].members()) {
    const std::string_view kind = part["type"].text();
    if (kind != "output_text") return ReasonOf(kind, NotKept::kUnknownContent);
  }
  return CheckShape(item, kMessage, /*event=*/false);
}

bool IsMessage(Value item) { return item["type"].text() == "message"; }

class ResponsesKeeper final : public Keeper {
 public:
  using Keeper::Keeper;

 private:
  NotKept JudgeEvent(std::string_view name, Value event) override {
    const std::string_view type = event["type"].text();
    if (!name.empty() && name != type) return NotKept::kUnknownContent;
    for (const Known& known : kKnown) {
      if (type != known.type) continue;
      for (std::string_view other : {"response", "item", "part", "delta", "text"}) {
        if (other != known.member && !IsEmpty(event[other])) return NotKept::kUnknownContent;
      }
      const NotKept reason = CheckShape(event, kEvent, /*event=*/true);
      return reason != NotKept::kNothing ? reason : Judge(known.kind, event);
    }
    if (type == "response.incomplete" || type == "response.cancelled") {
      return NotKept::kFinishReason;
    }
    return ReasonOf(type, NotKept::kUnknownContent);
  }

  NotKept Judge(Kind kind, Value event) {
    const uint32_t index = IndexOr(event["output_index"], 0);
    const bool first_part = IndexOr(event["content_index"], 0) == 0;
    switch (kind) {
      case Kind::kBegin:
        return IsEmpty(event["response"]["output"]) ? NotKept::kNothing : kUnknown;
      case Kind::kAddItem:
        return AddItem(index, event["item"]);
      case Kind::kAddPart: {
        const Value part = event["part"];
        if (part["type"].text() != "output_text") return ReasonOf(part["type"].text(), kUnknown);
        return Require(first_part && message_.IsOpen(index) && IsEmpty(part["text"]));
      }
      case Kind::kDelta:
        return Require(first_part && MayWrite(index));
      case Kind::kText:
        Turn();
        said_ = true;
        return Require(first_part && message_.IsOpen(index) && event["text"].text() == text());
      case Kind::kPart:
        Turn();
        said_ = true;
        return Require(first_part && message_.IsOpen(index) &&
                       event["part"]["type"].text() == "output_text" &&
                       event["part"]["text"].text() == text());
      case Kind::kItem:
        return EndItem(index, event["item"]);
      case Kind::kEnd:
        End();
        return JudgeEnd(event["response"], /*restates=*/true);
      case Kind::kAlive:
        return NotKept::kNothing;
    }
    return kUnknown;
  }

  static NotKept Require(bool agrees) { return agrees ? NotKept::kNothing : kUnknown; }

  NotKept AddItem(uint32_t index, Value item) {
    Turn();
    const NotKept reason = CheckItem(item);
    if (reason != NotKept::kNothing || !IsMessage(item)) return reason;
    return Require(message_.Open(index) && IsEmpty(item["content"]));
  }

  NotKept EndItem(uint32_t index, Value item) {
    Turn();
    const NotKept reason = CheckItem(item);
    if (reason != NotKept::kNothing || !IsMessage(item)) return reason;
    return Require(message_.Close(index) && Says(item));
  }

  // The message has the one text that the deltas made.
  bool Says(Value item) const {
    const Value content = item["content"];
    if (content.size() != 1) return false;
    for (Value part : content.members()) return part["text"].text() == text();
    return false;
  }

  NotKept JudgeBody(Value body) override {
    End();
    const NotKept reason = CheckShape(body, kResponse, /*event=*/false);
    return reason != NotKept::kNothing ? reason : JudgeEnd(body, /*restates=*/false);
  }

  // A response at its end; one that restates what was said has to say the same.
  NotKept JudgeEnd(Value response, bool restates) {
    const Value output = response["output"];
    if (!IsEmpty(output) && !output.Is(Type::kArray)) return kUnknown;
    uint32_t index = 0;
    size_t messages = 0;
    for (Value item : output.members()) {
      const uint32_t at = index++;
      const NotKept reason = CheckItem(item);
      if (reason != NotKept::kNothing) return reason;
      if (!IsMessage(item)) continue;
      ++messages;
      if (!restates && (!message_.Open(at) || item["content"].size() != 1)) return kUnknown;
      if (restates && !Says(item)) return kUnknown;
    }
    const NotKept ended = SeeChoice(0, response["status"], {"completed"});
    if (ended != NotKept::kNothing) return ended;
    if (messages == 0) return NotKept::kEmpty;
    return restates ? Require(messages == 1 && message_.is_closed()) : NotKept::kNothing;
  }

  bool MayWrite(uint32_t part) const override { return message_.IsOpen(part) && !said_; }

  OneBlock message_;
  bool said_ = false;  // its text was restated: no more may come
};

}  // namespace

std::unique_ptr<Keeper> MakeResponsesKeeper(size_t max_bytes) {
  return std::make_unique<ResponsesKeeper>(max_bytes);
}

}  // namespace weir::dialects
