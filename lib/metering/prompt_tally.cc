#include "metering/prompt_tally.h"

#include <utility>

#include "base/saturating.h"

namespace weir::metering {
namespace {

using dialects::Provenance;

int Weakness(Provenance provenance) {
  switch (provenance) {
    case Provenance::kExact:
      return 0;
    case Provenance::kProvider:
      return 1;
    case Provenance::kUpperBound:
      return 2;
    case Provenance::kEstimated:
      break;
  }
  return 3;
}

void AppendIndex(size_t index, std::string* out) {
  if (index != Place::kNone) out->append("[").append(std::to_string(index)).append("]");
}

}  // namespace

Provenance Weaker(Provenance a, Provenance b) { return Weakness(a) < Weakness(b) ? b : a; }

std::string PlaceText(const Place& place) {
  std::string text(place.list);
  AppendIndex(place.index, &text);
  if (!place.field.empty()) {
    if (!text.empty()) text += '.';
    text += place.field;
  }
  AppendIndex(place.item, &text);
  return text;
}

uint64_t Tally::Text(std::string_view text) const {
  if (full() || text.empty()) return 0;
  const uint64_t left = options_.limit - prompt_.count;
  return left >= text.size() ? tokenizer_.Count(text)
                             : tokenizer_.CountUpTo(text, static_cast<size_t>(left));
}

void Tally::Add(PromptPart::Kind kind, const Place& place, uint64_t count, Provenance provenance) {
  if (full()) return;
  if (!model_known_) provenance = Weaker(provenance, Provenance::kEstimated);
  prompt_.count = SaturatingAdd(prompt_.count, count);
  prompt_.provenance = Weaker(prompt_.provenance, provenance);
  if (options_.with_parts) {
    prompt_.parts.push_back({kind, PlaceText(place), count, provenance});
  }
}

std::string_view PromptPartKindName(PromptPart::Kind kind) {
  switch (kind) {
    case PromptPart::Kind::kFraming:
      return "framing";
    case PromptPart::Kind::kMessage:
      return "message";
    case PromptPart::Kind::kName:
      return "name";
    case PromptPart::Kind::kTools:
      return "tools";
    case PromptPart::Kind::kToolCall:
      return "tool_call";
    case PromptPart::Kind::kToolResult:
      return "tool_result";
    case PromptPart::Kind::kSchema:
      return "schema";
    case PromptPart::Kind::kImage:
      return "image";
    case PromptPart::Kind::kAudio:
      return "audio";
    case PromptPart::Kind::kFile:
      return "file";
    case PromptPart::Kind::kInput:
      return "input";
    case PromptPart::Kind::kReasoning:
      return "reasoning";
    case PromptPart::Kind::kOther:
      break;
  }
  return "other";
}

}  // namespace weir::metering
