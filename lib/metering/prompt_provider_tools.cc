#include "metering/prompt_provider_tools.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "metering/prompt_openai.h"

namespace weir::metering {
namespace {

using dialects::Provenance;
using json::Value;
using Kind = PromptPart::Kind;

struct Known {
  std::string_view type;
  uint64_t count;
  bool constant;  // always the same, by five bills
};
// Their instructions and what they fetch are billed as prompt. Medians of bills.
constexpr Known kKnown[] = {
    {"web_search_preview", 294, true},  // what it fetches is not billed as prompt
    {"web_search", 8500, false},       {"code_interpreter", 2950, false},
    {"file_search", 1000, false},      {"mcp", 1100, false},
};

// GPT-5.4 and later look for functions whose loading is deferred: the search is told about while
// there are some that were not found yet. Fitted to 23 bills.
constexpr uint64_t kSearch = 347;        // beside the functions that can be found
constexpr uint64_t kSearchCall = 12;     // beside its arguments
constexpr uint64_t kFound = 113;         // beside the functions that were found
constexpr uint64_t kServerSearch = 135;  // a search that the provider makes before it answers
constexpr uint64_t kBrought = 90;        // beside the functions of an item additional_tools
constexpr uint64_t kUnknownTool = 8;     // beside its JSON

bool IsFunction(const Value& tool) { return TextOf(tool["type"]) == "function"; }

bool IsDeferred(const Value& tool) {
  const Value deferred = tool["defer_loading"];
  return deferred.Is(json::Type::kBool) && deferred.boolean();
}

uint64_t TokensOfAll(const Value& tools, bool harmony, const Tally& tally) {
  Functions functions;
  for (const Value tool : tools.members()) {
    if (IsFunction(tool)) AppendFunctionOf(tool, harmony, &functions);
  }
  return functions.count == 0 ? 0 : FunctionsTokens(functions, harmony, tally);
}

// The names of the functions that were found or brought, sorted.
std::vector<std::string_view> LoadedNames(const Value& input, bool* searched) {
  std::vector<std::string_view> names;
  for (const Value item : input.members()) {
    const std::string_view type = TextOf(item["type"]);
    *searched = *searched || type == "tool_search_call";
    if (type != "tool_search_output" && type != "additional_tools") continue;
    names.reserve(names.size() + item["tools"].size());
    for (const Value tool : item["tools"].members()) names.push_back(TextOf(tool["name"]));
  }
  std::sort(names.begin(), names.end());
  return names;
}

void CountSearch(const Family& family, const Value& request, const Place& place, Tally* tally) {
  const bool harmony = family.rendering == Rendering::kHarmony;
  bool searched = false;
  const std::vector<std::string_view> loaded = LoadedNames(request["input"], &searched);
  Functions left;
  for (const Value tool : request["tools"].members()) {
    if (!IsFunction(tool) || !IsDeferred(tool)) continue;
    if (std::binary_search(loaded.begin(), loaded.end(), TextOf(tool["name"]))) continue;
    AppendFunctionOf(tool, harmony, &left);
  }
  uint64_t count = 0;
  if (left.count > 0) {
    count = kSearch + FunctionsTokens(left, harmony, *tally);
    if (!searched) count += kServerSearch + FunctionsTokens(left, harmony, *tally) / left.count;
  }
  tally->Add(Kind::kTools, place, count, Provenance::kEstimated);
}

}  // namespace

void CountProviderTools(const Family& family, const Value& request, Tally* tally) {
  size_t index = 0;
  bool searches = false;  // told about once, however often it is asked for
  for (const Value tool : request["tools"].members()) {
    const Place at{"tools", index++};
    if (IsFunctionLike(tool) || tally->full()) continue;
    const std::string_view type = TextOf(tool["type"]);
    // A search that the client makes is told about in the client's words.
    if (type == "tool_search" && TextOf(tool["execution"]) != "client") {
      if (!searches) CountSearch(family, request, at, tally);
      searches = true;
      continue;
    }
    const auto* known = std::find_if(std::begin(kKnown), std::end(kKnown),
                                     [&](const Known& entry) { return entry.type == type; });
    const bool found = known != std::end(kKnown);
    const uint64_t count = found ? known->count : kUnknownTool + tally->Text(tool.source());
    const bool exact = found && known->constant && family.rendering == Rendering::kOmni;
    tally->Add(Kind::kTools, at, count, exact ? Provenance::kExact : Provenance::kEstimated);
  }
}

bool CountToolItem(const Family& family, const Value& item, const Place& place, Tally* tally) {
  const bool harmony = family.rendering == Rendering::kHarmony;
  const std::string_view type = TextOf(item["type"]);
  if (type == "tool_search_call") {
    tally->Add(Kind::kToolCall, place, kSearchCall + tally->Text(item["arguments"].source()),
               Provenance::kEstimated);
    return true;
  }
  const bool found = type == "tool_search_output";
  if (!found && type != "additional_tools") return false;
  tally->Add(found ? Kind::kToolResult : Kind::kTools, place,
             (found ? kFound : kBrought) + TokensOfAll(item["tools"], harmony, *tally),
             Provenance::kEstimated);
  return true;
}

}  // namespace weir::metering
