#include "dialects/keep_shape.h"

#include <algorithm>
#include <vector>

#include "dialects/answer_template.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

bool IsScalar(Value value) {
  return value.Is(Type::kString) || value.Is(Type::kNumber) || value.Is(Type::kBool);
}

bool SaysNothing(Value value) {
  return IsEmpty(value) || (value.Is(Type::kBool) && !value.boolean());
}

// Words that stand among the numbers of a usage.
constexpr std::string_view kUsageWords[] = {"service_tier", "inference_geo", "search_context_size",
                                            "modality",     "trafficType",   "ttl",
                                            "type",         "model"};

bool IsCounts(Value usage) {
  if (!usage.Is(Type::kObject)) return false;
  std::vector<Value> open = {usage};
  while (!open.empty()) {
    const Value value = open.back();
    open.pop_back();
    for (Value member : value.members()) {
      if (member.Is(Type::kObject) || member.Is(Type::kArray)) {
        open.push_back(member);
      } else if (member.Is(Type::kString) && !member.text().empty()) {
        const bool known = std::find(std::begin(kUsageWords), std::end(kUsageWords),
                                     member.key()) != std::end(kUsageWords);
        if (!known) return false;
      }
    }
  }
  return true;
}

// {"hate":{"filtered":false,"severity":"safe"},"jailbreak":{"filtered":false,"detected":false}}
NotKept CheckFilters(Value filters) {
  if (!filters.Is(Type::kObject)) return NotKept::kUnknownContent;
  for (Value filter : filters.members()) {
    if (IsEmpty(filter)) continue;
    if (!filter.Is(Type::kObject)) return NotKept::kUnknownContent;
    for (Value member : filter.members()) {
      const std::string_view key = member.key();
      if (key == "filtered" && !SaysNothing(member)) return NotKept::kFinishReason;
      const bool allowed = key == "filtered" || key == "detected" ? SaysNothing(member)
                           : key == "severity"                    ? member.Is(Type::kString)
                                                                  : IsEmpty(member);
      if (!allowed) return NotKept::kUnknownContent;
    }
  }
  return NotKept::kNothing;
}

struct Open {
  Value object;
  const Shape* shape;
};

// The objects inside are left in `open`.
NotKept CheckMember(const Member& rule, Value member, std::vector<Open>* open) {
  bool allowed = true;
  switch (rule.allow) {
    case Allow::kScalar:
      allowed = IsScalar(member);
      break;
    case Allow::kNumber:
      allowed = member.Is(Type::kNumber);
      break;
    case Allow::kText:
      allowed = member.Is(Type::kString);
      break;
    case Allow::kWord:
      allowed = member.Is(Type::kString) && member.text() == rule.word;
      break;
    case Allow::kNothing:
      allowed = SaysNothing(member);
      break;
    case Allow::kObject:
      allowed = member.Is(Type::kObject);
      if (allowed) open->push_back({member, rule.shape});
      break;
    case Allow::kArray:
      allowed = member.Is(Type::kArray);
      if (!allowed) break;
      for (Value element : member.members()) {
        if (!element.Is(Type::kObject)) return rule.otherwise;
        open->push_back({element, rule.shape});
      }
      break;
    case Allow::kCounts:
      allowed = IsCounts(member);
      break;
    case Allow::kFilters:
      return CheckFilters(member);
    case Allow::kRequest:
    case Allow::kJudged:
      break;
  }
  return allowed ? NotKept::kNothing : rule.otherwise;
}

NotKept CheckMembers(const Open& checked, bool root_of_event, std::vector<Open>* open) {
  uint64_t seen = 0;
  for (Value member : checked.object.members()) {
    const absl::Span<const Member> rules = checked.shape->members;
    const Member* rule = std::find_if(
        rules.begin(), rules.end(), [&](const Member& known) { return known.key == member.key(); });
    if (rule == rules.end()) {
      const bool passed_over = root_of_event && IsPassedOver(member.key()) && IsScalar(member);
      if (!IsEmpty(member) && !passed_over) return NotKept::kUnknownContent;
      continue;
    }
    const uint64_t bit = uint64_t{1} << (rule - rules.begin());
    if ((seen & bit) != 0) return NotKept::kUnknownContent;
    seen |= bit;
    if (IsEmpty(member)) continue;
    const NotKept reason = CheckMember(*rule, member, open);
    if (reason != NotKept::kNothing) return reason;
  }
  return NotKept::kNothing;
}

}  // namespace

bool IsEmpty(Value value) {
  if (!value || value.Is(Type::kNull)) return true;
  if (value.Is(Type::kString)) return value.text().empty();
  return (value.Is(Type::kObject) || value.Is(Type::kArray)) && value.size() == 0;
}

NotKept CheckShape(Value object, const Shape& shape, bool event) {
  std::vector<Open> open;
  Open next = {object, &shape};
  for (;;) {
    const NotKept reason = CheckMembers(next, event, &open);
    if (reason != NotKept::kNothing || open.empty()) return reason;
    event = false;
    next = open.back();
    open.pop_back();
  }
}

NotKept ReasonOf(std::string_view type, NotKept otherwise) {
  struct Known {
    std::string_view part;
    NotKept reason;
  };
  constexpr Known kKnown[] = {
      {"refusal", NotKept::kRefusal},     {"thinking", NotKept::kReasoning},
      {"reasoning", NotKept::kReasoning}, {"signature", NotKept::kReasoning},
      {"tool", NotKept::kToolCall},       {"function", NotKept::kToolCall},
      {"_call", NotKept::kToolCall},      {"input_json", NotKept::kToolCall},
      {"mcp", NotKept::kToolCall},        {"error", NotKept::kError},
      {"failed", NotKept::kError},
  };
  for (const Known& known : kKnown) {
    if (type.find(known.part) != std::string_view::npos) return known.reason;
  }
  return otherwise;
}

}  // namespace weir::dialects
