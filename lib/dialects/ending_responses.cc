// The end of OpenAI's responses, and Azure's. Their last events restate what was written, so what
// is open is kept with its text, and what is done as it was said.

#include <algorithm>

#include "base/text.h"
#include "dialects/ending.h"
#include "dialects/responses_events.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

constexpr size_t kMaxOpenItems = 64;
constexpr size_t kMaxKeptBytes = kMaxEventBytes;

// What an item may be written in.
struct PartKind {
  std::string_view delta;         // the event of its text …
  std::string_view done;          // … and the one that restates it,
  std::string_view text_member;   // here
  std::string_view item_member;   // where an item has it
  std::string_view type;          // of the part; empty: the item has the text itself
  std::string_view index_member;  // which of its parts
  std::string_view part_done;     // the event that ends it
};
constexpr PartKind kPartKinds[] = {
    {"response.output_text.delta", "response.output_text.done", "text", "content", "output_text",
     "content_index", "response.content_part.done"},
    {"response.refusal.delta", "response.refusal.done", "refusal", "content", "refusal",
     "content_index", "response.content_part.done"},
    {"response.reasoning_text.delta", "response.reasoning_text.done", "text", "content",
     "reasoning_text", "content_index", "response.content_part.done"},
    {"response.reasoning_summary_text.delta", "response.reasoning_summary_text.done", "text",
     "summary", "summary_text", "summary_index", "response.reasoning_summary_part.done"},
    {"response.function_call_arguments.delta", "response.function_call_arguments.done", "arguments",
     "arguments", "", "", ""},
    {"response.mcp_call_arguments.delta", "response.mcp_call_arguments.done", "arguments",
     "arguments", "", "", ""},
    {"response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", "input",
     "input", "", "", ""},
    {"response.code_interpreter_call_code.delta", "response.code_interpreter_call_code.done",
     "code", "code", "", "", ""},
};

// Adds an element to a list without its brackets.
void AppendElement(std::string_view json, std::string* list) {
  if (!list->empty()) list->push_back(',');
  list->append(json);
}

// An item of the output that is not done.
struct Item {
  uint32_t index = 0;
  bool too_large = false;        // to be kept
  std::string added;             // as it began, JSON
  std::string content, summary;  // its parts that are done: lists without brackets
  // The part that is open.
  const PartKind* kind = nullptr;
  uint32_t part = 0;
  bool part_added = false;  // an event said that it begins
  bool text_done = false;
  std::string text;

  size_t kept_bytes() const { return added.size() + content.size() + summary.size() + text.size(); }
};

std::string PartJson(const PartKind& kind, std::string_view text) {
  if (kind.type == "output_text") return OutputTextJson(text);
  std::string part;
  json::Writer writer(&part);
  writer.BeginObject().Key("type").String(kind.type);
  writer.Key(kind.text_member).String(text).EndObject();
  return part;
}

// The states in which an item may end that did not come to its end.
std::string_view EndState(std::string_view type) {
  return type == "web_search_call" || type == "image_generation_call" ? "failed" : "incomplete";
}

// The item as it is when it ends here; `began` is what it began as.
std::string ItemJson(const Item& item, Value began) {
  std::string content = item.content;
  std::string summary = item.summary;
  const bool in_part = item.kind != nullptr && !item.kind->type.empty();
  const bool in_item = item.kind != nullptr && item.kind->type.empty();
  if (in_part) {
    AppendElement(PartJson(*item.kind, item.text),
                  item.kind->item_member == "summary" ? &summary : &content);
  }
  std::string json;
  json::Writer writer(&json);
  writer.BeginObject();
  for (Value member : began.members()) {
    const std::string_view key = member.key();
    const bool replaced = (key == "content" && !content.empty()) ||
                          (key == "summary" && !summary.empty()) ||
                          (in_item && key == item.kind->item_member);
    if (replaced) continue;
    writer.Key(key);
    if (key == "status") {
      writer.String(EndState(began["type"].text()));
    } else {
      writer.Raw(member.source());
    }
  }
  if (!content.empty()) writer.Key("content").Raw(Concat({"[", content, "]"}));
  if (!summary.empty()) writer.Key("summary").Raw(Concat({"[", summary, "]"}));
  if (in_item) writer.Key(item.kind->item_member).String(item.text);
  writer.EndObject();
  return json;
}

// Ends the part that is open.
void WritePartEnd(const Item& item, Value began, EventWriter* events) {
  if (item.kind == nullptr) return;
  const PartKind& kind = *item.kind;
  const auto begin = [&](std::string_view type) -> json::Writer& {
    json::Writer& writer = events->Begin(type);
    writer.Key("item_id").String(began["id"].text());
    writer.Key("output_index").Uint(item.index);
    if (!kind.index_member.empty()) writer.Key(kind.index_member).Uint(item.part);
    return writer;
  };
  if (!item.text_done) {
    json::Writer& writer = begin(kind.done);
    writer.Key(kind.text_member).String(item.text);
    if (kind.type == "output_text") writer.Key("logprobs").BeginArray().EndArray();
    if (const Value name = began["name"]; kind.text_member == "arguments" && name) {
      writer.Key("name").Raw(name.source());
    }
    events->End();
  }
  if (item.part_added) {
    begin(kind.part_done).Key("part").Raw(PartJson(kind, item.text));
    events->End();
  }
}

class ResponsesEnding final : public Ending {
 public:
  bool See(std::string_view /*name*/, Value event) override {
    SeeNumber(event["sequence_number"]);
    SeeResponse(event["response"]);
    const std::string_view type = event["type"].text();
    const uint32_t index = IndexOr(event["output_index"], 0);
    if (type == "response.output_item.added") return OpenItem(index, event["item"]);
    if (type == "response.output_item.done") return CloseItem(index, event["item"]);
    Item* item = Find(index);
    if (item == nullptr) return false;
    const Value part = event["part"];
    const bool added =
        type == "response.content_part.added" || type == "response.reasoning_summary_part.added";
    for (const PartKind& kind : kPartKinds) {
      const uint32_t which = IndexOr(event[kind.index_member], 0);
      if (type == kind.delta) return OpenPart(item, kind, which, /*added=*/false);
      if (type == kind.done) return item->text_done = true;
      if (kind.type.empty() || part["type"].text() != kind.type) continue;
      if (added) return OpenPart(item, kind, which, /*added=*/true);
      if (type == kind.part_done) return ClosePart(item, kind, part);
    }
    return false;
  }

  void SeeAlike() override {
    if (numbered_) ++next_;
  }

  std::string Write(const Answer& answer, const Usage& usage,
                    bool /*include_usage*/) const override {
    if (answer.done()) return {};
    EventWriter events(numbered_ || !started_, next_);
    if (!started_) {
      WriteResponse(answer, "", nullptr, &events.Begin("response.created").Key("response"));
      events.End();
    }
    std::string output = done_items_;
    for (const Item& item : items_) {
      json::Document document;
      json::ParseError error;
      if (!document.ParseBorrowed(item.added, kLenient, &error)) continue;  // it was too large
      const Value began = document.root();
      WritePartEnd(item, began, &events);
      const std::string json = ItemJson(item, began);
      json::Writer& writer = events.Begin("response.output_item.done");
      writer.Key("output_index").Uint(item.index).Key("item").Raw(json);
      events.End();
      AppendElement(json, &output);
    }
    WriteResponse(answer, output, &usage, &events.Begin("response.incomplete").Key("response"));
    events.End();
    return events.out();
  }

 private:
  void SeeText(const TextPiece& piece) override {
    if (piece.kind == TextKind::kToolName) return;
    Item* item = Find(piece.part);
    if (item != nullptr && item->kind != nullptr) Keep(item, piece.text, &item->text);
  }

  void SeeNumber(Value number) {
    if (const std::optional<uint64_t> stated = number.Uint(); stated && *stated <= kMaxTokens) {
      numbered_ = true;
      next_ = *stated;
    }
    if (numbered_) ++next_;
  }

  void SeeResponse(Value response) {
    if (started_ || !response.Is(Type::kObject)) return;
    started_ = true;
    id_ = Remembered(response["id"]);
    created_at_ = response["created_at"].Uint().value_or(0);
  }

  Item* Find(uint32_t index) {
    for (Item& item : items_) {
      if (item.index == index) return &item;
    }
    return nullptr;
  }

  // Appends to a text of the item; if there is no room, nothing is kept of it.
  void Keep(Item* item, std::string_view bytes, std::string* text) {
    if (item->too_large) return;
    if (kept_bytes_ + bytes.size() > kMaxKeptBytes) {
      kept_bytes_ -= item->kept_bytes();
      const uint32_t index = item->index;
      *item = Item();
      item->index = index;
      item->too_large = true;
      return;
    }
    kept_bytes_ += bytes.size();
    text->append(bytes);
  }

  bool OpenItem(uint32_t index, Value began) {
    if (items_.size() == kMaxOpenItems || Find(index) != nullptr) return false;
    Item& item = items_.emplace_back();
    item.index = index;
    Keep(&item, began.source(), &item.added);
    return true;
  }

  bool CloseItem(uint32_t index, Value done) {
    Item* item = Find(index);
    if (item != nullptr) {
      kept_bytes_ -= item->kept_bytes();
      items_.erase(items_.begin() + (item - items_.data()));
    }
    if (!done || kept_bytes_ + done.source().size() + 1 > kMaxKeptBytes) return true;
    kept_bytes_ += done.source().size() + 1;
    AppendElement(done.source(), &done_items_);
    return true;
  }

  // A delta opens the part that it belongs to, unless that is open already.
  bool OpenPart(Item* item, const PartKind& kind, uint32_t part, bool added) {
    if (item->too_large || (!added && item->kind == &kind && item->part == part)) return false;
    DropPart(item);
    item->kind = &kind;
    item->part = part;
    item->part_added = added;
    return true;
  }

  bool ClosePart(Item* item, const PartKind& kind, Value part) {
    DropPart(item);
    std::string* list = kind.item_member == "summary" ? &item->summary : &item->content;
    if (!list->empty()) Keep(item, ",", list);
    Keep(item, part.source(), list);
    return true;
  }

  void DropPart(Item* item) {
    kept_bytes_ -= item->text.size();
    std::string().swap(item->text);
    item->kind = nullptr;
    item->text_done = false;
  }

  // A response; incomplete if it states a usage.
  void WriteResponse(const Answer& answer, std::string_view output, const Usage* usage,
                     json::Writer* writer) const {
    WriteResponseObject({.id = id_,
                         .created_at = created_at_,
                         .model = answer.model(),
                         .status = usage != nullptr ? "incomplete" : "in_progress",
                         .output = output,
                         .usage = usage},
                        writer);
  }

  bool started_ = false;
  bool numbered_ = false;
  uint64_t next_ = 0;  // of the events' numbers
  std::string id_;
  uint64_t created_at_ = 0;
  std::vector<Item> items_;
  std::string done_items_;  // a list without brackets
  size_t kept_bytes_ = 0;   // of all items
};

}  // namespace

std::unique_ptr<Ending> MakeResponsesEnding() { return std::make_unique<ResponsesEnding>(); }

}  // namespace weir::dialects
