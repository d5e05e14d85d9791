// Responses: instructions and a list of items.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "metering/prompt_openai.h"
#include "metering/prompt_provider_tools.h"
#include "metering/prompt_schema.h"

namespace weir::metering {
namespace {

using dialects::Provenance;
using json::Type;
using json::Value;
using Kind = PromptPart::Kind;

constexpr uint64_t kFrame = 3;
constexpr uint64_t kFinalChannel = 2;

// Unlike in chat, the definitions have a message of their own.
struct Frames {
  uint64_t functions, schema, call, result;
};
constexpr Frames kFrames = {3, 5, 5, 6};
constexpr Frames kHarmonyFrames = {8, 4, 11, 6};
constexpr uint64_t kCallId = 3;  // more for a call that the provider knows by its id

class ResponsesCounter {
 public:
  ResponsesCounter(const Family& family, const Value& request, Tally* tally)
      : family_(family),
        request_(request),
        tally_(*tally),
        harmony_(family.rendering == Rendering::kHarmony),
        frames_(harmony_ ? kHarmonyFrames : kFrames) {}

  void Count() {
    const bool reasons = harmony_ || family_.rendering == Rendering::kOSeries;
    tally_.Add(Kind::kFraming, {}, reasons ? 2 : 3);
    CountUnseen();
    const std::string_view instructions = TextOf(request_["instructions"]);
    if (!instructions.empty()) {
      tally_.Add(Kind::kMessage, Place{"instructions"}, kFrame + 1 + tally_.Text(instructions));
    }
    CountFunctions();
    CountProviderTools(family_, request_, &tally_);
    CountFormat();
    const Value input = request_["input"];
    if (input.Is(Type::kString)) {
      tally_.Add(Kind::kMessage, Place{"input"}, kFrame + 1 + tally_.Text(input.text()));
    } else {
      CountItems(input);
    }
    CountForcedCall();
  }

 private:
  // What the provider keeps and puts before the input.
  void CountUnseen() {
    for (const std::string_view field : {"previous_response_id", "conversation", "prompt"}) {
      const Value value = request_[field];
      if (!value || value.Is(Type::kNull)) continue;
      tally_.Add(Kind::kOther, Place{field}, 0, Provenance::kEstimated);
    }
    if (request_["reasoning"]["mode"]) {
      tally_.Add(Kind::kOther, Place{"reasoning", Place::kNone, "mode"}, 0, Provenance::kEstimated);
    }
  }

  void CountFunctions() {
    Functions functions;
    AppendFunctions(request_["tools"], harmony_, &functions);
    if (functions.count == 0) return;
    uint64_t count = frames_.functions + FunctionsTokens(functions, harmony_, tally_);
    const Value parallel = request_["parallel_tool_calls"];
    if (harmony_ && parallel.Is(Type::kBool) && !parallel.boolean()) {
      // The same words about calling functions that chat always adds, after the instructions.
      count += TextOf(request_["instructions"]).empty() ? 82 : 78;
    }
    const Provenance provenance =
        family_.tools_measured ? functions.provenance : Provenance::kEstimated;
    tally_.Add(Kind::kTools, Place{"tools"}, count, provenance);
  }

  void CountFormat() {
    const Value format = request_["text"]["format"];
    if (TextOf(format["type"]) != "json_schema") return;
    tally_.Add(Kind::kSchema, Place{"text", Place::kNone, "format"},
               frames_.schema + AnswerSchemaTokens(format, tally_),
               family_.tools_measured ? Provenance::kExact : Provenance::kEstimated);
  }

  void CountItems(const Value& items) {
    size_t index = 0, last_user = Place::kNone;
    calls_.reserve(items.size());
    for (const Value item : items.members()) {
      if (TextOf(item["role"]) == "user") last_user = index;
      if (TextOf(item["type"]) == "function_call") {
        calls_.push_back(
            {TextOf(item["call_id"]), TextOf(item["name"]), TextOf(item["namespace"])});
      }
      ++index;
    }
    std::sort(calls_.begin(), calls_.end(),
              [](const Call& a, const Call& b) { return a.id < b.id; });
    index = 0;
    for (const Value item : items.members()) {
      if (tally_.full()) return;
      // Thoughts of turns that are over are dropped.
      const bool live = last_user == Place::kNone || index > last_user;
      CountItem(item, Place{"input", index}, live);
      ++index;
    }
  }

  void CountItem(const Value& item, const Place& place, bool live) {
    const std::string_view type = TextOf(item["type"]);
    if (type == "message" || (type.empty() && item["role"])) return CountMessage(item, place);
    if (type == "function_call") return CountCall(item, place);
    if (type == "function_call_output") return CountOutput(item, place);
    if (type == "reasoning") return CountReasoning(item, place, live);
    if (CountToolItem(family_, item, place, &tally_)) return;
    tally_.Add(Kind::kOther, place, tally_.Text(item.source()), Provenance::kEstimated);
  }

  void CountMessage(const Value& item, const Place& place) {
    // Of the models with patches the older are billed one token more for each image.
    const uint64_t patch_extra = harmony_ ? 0 : 1;
    std::string_view role = TextOf(item["role"]);
    if (role == "developer") role = "system";
    uint64_t count = kFrame + RoleTokens(role, tally_);
    count += CountContent(family_, item["content"], place, patch_extra, &tally_);
    if (harmony_ && role == "assistant") count += kFinalChannel;
    tally_.Add(Kind::kMessage, place, count);
  }

  void CountCall(const Value& item, const Place& place) {
    std::string recipient = ".", arguments;
    recipient.append(TextOf(item["name"]));
    AppendCompactJson(TextOf(item["arguments"]), &arguments);
    const bool known = !TextOf(item["id"]).empty();
    const bool dear = known || !family_.calls_by_id;
    const std::string_view space = TextOf(item["namespace"]);
    // GPT-5's calls were seen without an id in bills enough.
    const bool measured = family_.calls_by_id && !(harmony_ && known) && space.empty();
    tally_.Add(Kind::kToolCall, place,
               frames_.call + (dear ? kCallId : 0) + tally_.Text(recipient) +
                   tally_.Text(arguments) + tally_.Text(space),
               measured ? Provenance::kExact : Provenance::kEstimated);
  }

  void CountOutput(const Value& item, const Place& place) {
    const std::string_view id = TextOf(item["call_id"]);
    const auto call = std::lower_bound(
        calls_.begin(), calls_.end(), id,
        [](const Call& entry, std::string_view wanted) { return entry.id < wanted; });
    const bool answers = call != calls_.end() && call->id == id;
    uint64_t count =
        frames_.result + CountContent(family_, item["output"], place, harmony_ ? 0 : 1, &tally_);
    if (answers) count += tally_.Text(call->name) + tally_.Text(call->space);
    tally_.Add(Kind::kToolResult, place, count,
               answers ? Provenance::kExact : Provenance::kEstimated);
  }

  // Thoughts come encrypted; their length tells about how many there are.
  void CountReasoning(const Value& item, const Place& place, bool live) {
    constexpr uint64_t kEnvelopeBytes = 850, kBytesPerTenTokens = 65;
    const size_t bytes = TextOf(item["encrypted_content"]).size();
    const uint64_t count =
        live && bytes > kEnvelopeBytes ? (bytes - kEnvelopeBytes) * 10 / kBytesPerTenTokens : 0;
    tally_.Add(Kind::kReasoning, place, count, live ? Provenance::kEstimated : Provenance::kExact);
  }

  void CountForcedCall() {
    constexpr uint64_t kBegunCall = 7;
    const Value choice = request_["tool_choice"];
    const std::string_view name = TextOf(choice["name"]);
    if (harmony_ || name.empty() || TextOf(choice["type"]) != "function") return;
    tally_.Add(Kind::kFraming, Place{"tool_choice"}, kBegunCall + tally_.Text(name));
  }

  struct Call {
    std::string_view id, name, space;
  };
  const Family& family_;
  const Value& request_;
  Tally& tally_;
  bool harmony_;
  Frames frames_;
  std::vector<Call> calls_;  // sorted by id
};

}  // namespace

void CountResponses(const Family& family, const Value& request, Tally* tally) {
  ResponsesCounter(family, request, tally).Count();
}

}  // namespace weir::metering
