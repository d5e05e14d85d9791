// Chat completions: messages of a role each, in frames of three tokens.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metering/prompt_openai.h"
#include "metering/prompt_schema.h"

namespace weir::metering {
namespace {

using dialects::Provenance;
using json::Type;
using json::Value;
using Kind = PromptPart::Kind;

constexpr uint64_t kFrame = 3;         // of a message: its start, what parts role and text, its end
constexpr uint64_t kFinalChannel = 2;  // GPT-5's answers name their channel

// What stands round the functions and the schema, beside their text. They join the first system
// message; without one they make a message, which is the difference between the two.
struct Frames {
  uint64_t functions, functions_joined;
  uint64_t schema, schema_joined, schema_after_functions;
};
constexpr Frames kFrames = {9, 5, 10, 6, 5};
// GPT-5 is told more about calling functions, always the same.
constexpr Frames kHarmonyFrames = {90, 86, 9, 5, 4};

// Calls and results in the history. A call is addressed to "functions.<name>"; its result comes
// from there.
struct CallFrames {
  uint64_t call, result;
};
constexpr CallFrames kCall = {7, 6};
constexpr CallFrames kHarmonyCall = {13, 6};
constexpr CallFrames kFunctionCall = {7, 3};  // of the older field function_call
// Calls made at once are one call of a wrapper, which gets their results without their names.
constexpr CallFrames kParallel = {10, 7};

class ChatCounter {
 public:
  ChatCounter(const Family& family, const Value& request, Tally* tally)
      : family_(family),
        request_(request),
        tally_(*tally),
        harmony_(family.rendering == Rendering::kHarmony) {}

  void Count() {
    const bool reasons = harmony_ || family_.rendering == Rendering::kOSeries;
    if (!family_.bare) tally_.Add(Kind::kFraming, {}, reasons ? 2 : 3);
    CountDefinitions();
    size_t index = 0;
    for (const Value message : request_["messages"].members()) {
      if (tally_.full()) return;
      CountMessage(message, Place{"messages", index++});
    }
    CountForcedCall();
  }

 private:
  // Functions and the schema of the answer, which are told before everything else.
  void CountDefinitions() {
    const Frames& frames = harmony_ ? kHarmonyFrames : kFrames;
    const Value format = request_["response_format"];
    const bool schema = TextOf(format["type"]) == "json_schema";
    Functions functions;
    AppendFunctions(request_["tools"], harmony_, &functions);
    AppendFunctions(request_["functions"], harmony_, &functions);
    joins_ = functions.count > 0 || schema;
    const bool has_system = joins_ && HasSystem();
    if (functions.count > 0) {
      if (!family_.tools_measured) functions.provenance = Provenance::kEstimated;
      tally_.Add(Kind::kTools, Place{request_["tools"] ? "tools" : "functions"},
                 FunctionsTokens(functions, harmony_, tally_) +
                     (has_system ? frames.functions_joined : frames.functions),
                 functions.provenance);
    }
    CountOtherTools();
    if (schema) {
      const Value answer = format["json_schema"];
      uint64_t count = AnswerSchemaTokens(answer, tally_);
      if (functions.count > 0) {
        count += frames.schema_after_functions;
      } else {
        // By what is billed, the schema's name is there once more when there are no functions.
        std::string name = " ";
        count += tally_.Text(name.append(TextOf(answer["name"])));
        count += has_system ? frames.schema_joined : frames.schema;
      }
      tally_.Add(Kind::kSchema, Place{"response_format"}, count,
                 family_.tools_measured ? Provenance::kExact : Provenance::kEstimated);
    }
  }

  bool HasSystem() const {
    for (const Value message : request_["messages"].members()) {
      if (RoleOf(message["role"]) == "system") return true;
    }
    return false;
  }

  void CountOtherTools() {
    size_t index = 0;
    for (const Value tool : request_["tools"].members()) {
      const Place at{"tools", index++};
      if (IsFunctionLike(tool) || tool["function"] || tally_.full()) continue;
      const uint64_t frame = harmony_ ? kHarmonyFrames.functions : kFrames.functions;
      tally_.Add(Kind::kTools, at, frame + tally_.Text(tool.source()), Provenance::kEstimated);
    }
  }

  static std::string_view RoleOf(const Value& role) {
    const std::string_view text = TextOf(role);
    return text == "developer" ? "system" : text;
  }

  struct Message {
    Value role, content, name, refusal, calls, call, call_id, thoughts;
  };

  // In one pass over the members.
  static Message ReadMessage(const Value& value) {
    Message message;
    const std::pair<std::string_view, Value*> fields[] = {{"role", &message.role},
                                                          {"content", &message.content},
                                                          {"name", &message.name},
                                                          {"refusal", &message.refusal},
                                                          {"tool_calls", &message.calls},
                                                          {"function_call", &message.call},
                                                          {"tool_call_id", &message.call_id},
                                                          {"reasoning_content", &message.thoughts}};
    for (const Value member : value.members()) {
      const std::string_view key = member.key();
      for (const auto& [name, field] : fields) {
        if (key == name) {
          *field = member;
          break;
        }
      }
    }
    return message;
  }

  void CountMessage(const Value& value, const Place& place) {
    if (!value.Is(Type::kObject)) {
      tally_.Add(Kind::kOther, place, tally_.Text(value.source()), Provenance::kEstimated);
      return;
    }
    const Message message = ReadMessage(value);
    const std::string_view role = RoleOf(message.role);
    if (role == "tool" || role == "function") return CountResult(message, role, place);
    const Value& content = message.content;
    const bool has_calls = message.calls.size() > 0 || message.call.Is(Type::kObject);
    const bool has_content =
        content.Is(Type::kString) ? !content.text().empty() : content.size() > 0;
    if (!has_calls || has_content) {
      uint64_t count = family_.bare ? 0 : kFrame + RoleTokens(role, tally_);
      count += TextTokens(content, role, place);
      count += tally_.Text(TextOf(message.refusal));
      if (harmony_ && role == "assistant") count += kFinalChannel;
      tally_.Add(Kind::kMessage, place, count);
    }
    if (message.name) CountName(TextOf(message.name), place);
    if (message.calls.size() > 0) CountCalls(message.calls, place);
    if (message.call.Is(Type::kObject)) {
      CountFunctionCall(message.call, place.At("function_call"));
    }
    if (message.thoughts) CountReasoning(TextOf(message.thoughts), place);
  }

  // The definitions follow the first system message's text after an empty line.
  uint64_t TextTokens(const Value& content, std::string_view role, const Place& place) {
    constexpr uint64_t kPatchExtra = 1;
    const bool join = joins_ && role == "system";
    if (join) joins_ = false;
    if (join && content.Is(Type::kString)) {
      std::string text(content.text());
      return tally_.Text(text.append("\n\n"));
    }
    return CountContent(family_, content, place, kPatchExtra, &tally_) + (join ? 1 : 0);
  }

  void CountName(std::string_view name, const Place& place) {
    if (name.empty()) return;
    std::string text = ":";
    tally_.Add(Kind::kName, place.At("name"), tally_.Text(text.append(name)));
  }

  // Some servers give their model the thoughts of former answers back; OpenAI has no such field.
  void CountReasoning(std::string_view thoughts, const Place& place) {
    if (thoughts.empty()) return;
    tally_.Add(Kind::kReasoning, place.At("reasoning_content"), tally_.Text(thoughts),
               Provenance::kEstimated);
  }

  static Value FunctionOf(const Value& call) {
    return call["function"].Is(Type::kObject) ? call["function"] : call["custom"];
  }

  static std::string_view ArgumentsOf(const Value& function) {
    const Value arguments = function["arguments"];
    return TextOf(arguments ? arguments : function["input"]);
  }

  void CountCalls(const Value& calls, const Place& place) {
    pending_.clear();
    pending_.reserve(calls.size());
    parallel_ = calls.size() > 1 && !harmony_;
    size_t index = 0;
    std::string wrapped = R"({"tool_uses":[)";
    for (const Value call : calls.members()) {
      if (tally_.full()) return;
      const Value function = FunctionOf(call);
      const std::string_view name = TextOf(function["name"]);
      pending_.emplace_back(TextOf(call["id"]), name);
      std::string arguments;
      AppendCompactJson(ArgumentsOf(function), &arguments);
      if (parallel_) {
        if (index > 0) wrapped += ',';
        wrapped.append(R"({"recipient_name":"functions.)").append(name);
        wrapped.append(R"(","parameters":)").append(arguments).append("}");
      } else {
        AddCall(harmony_ ? kHarmonyCall.call : kCall.call, name, arguments,
                place.At("tool_calls", index));
      }
      ++index;
    }
    std::sort(pending_.begin(), pending_.end());
    if (!parallel_) return;
    wrapped += "]}";
    // Of three calls or more no bill was seen.
    tally_.Add(Kind::kToolCall, place.At("tool_calls"), kParallel.call + tally_.Text(wrapped),
               index == 2 ? Provenance::kExact : Provenance::kEstimated);
  }

  void AddCall(uint64_t frame, std::string_view name, std::string_view arguments,
               const Place& place, Provenance provenance = Provenance::kExact) {
    std::string recipient = ".";
    tally_.Add(Kind::kToolCall, place,
               frame + tally_.Text(recipient.append(name)) + tally_.Text(arguments), provenance);
  }

  void CountFunctionCall(const Value& call, const Place& place) {
    std::string arguments;
    AppendCompactJson(ArgumentsOf(call), &arguments);
    // Of the older fields no bill was seen.
    AddCall(kFunctionCall.call, TextOf(call["name"]), arguments, place, Provenance::kEstimated);
  }

  void CountResult(const Message& message, std::string_view role, const Place& place) {
    uint64_t count = CountContent(family_, message.content, place, /*patch_extra=*/1, &tally_);
    Provenance provenance = Provenance::kExact;
    if (role == "function") {
      count += kFunctionCall.result + tally_.Text(TextOf(message.name));
      provenance = Provenance::kEstimated;
    } else {
      const std::string_view id = TextOf(message.call_id);
      const auto call = std::lower_bound(pending_.begin(), pending_.end(),
                                         std::pair<std::string_view, std::string_view>(id, {}));
      const bool answers = call != pending_.end() && call->first == id;
      const bool wrapped = answers && parallel_;
      count += wrapped ? kParallel.result : kCall.result;
      if (answers && !wrapped) count += tally_.Text(call->second);
      if (!answers) provenance = Provenance::kEstimated;
    }
    tally_.Add(Kind::kToolResult, place, count, provenance);
  }

  // A call that is required by name is begun in the prompt.
  void CountForcedCall() {
    constexpr uint64_t kOmniCall = 7, kTurboCall = 4;
    const Value choice = request_["tool_choice"];
    const Value named =
        choice["function"].Is(Type::kObject) ? choice["function"] : request_["function_call"];
    const std::string_view name = TextOf(named["name"]);
    const bool turbo = family_.rendering == Rendering::kTurbo;
    if (name.empty()) {
      if (turbo && TextOf(request_["function_call"]) == "none") tally_.Add(Kind::kFraming, {}, 1);
      return;
    }
    if (harmony_) return;
    tally_.Add(Kind::kFraming, Place{choice ? "tool_choice" : "function_call"},
               (turbo ? kTurboCall : kOmniCall) + tally_.Text(name));
  }

  const Family& family_;
  const Value& request_;
  Tally& tally_;
  bool harmony_;
  bool joins_ = false;     // the definitions have not met their system message yet
  bool parallel_ = false;  // the calls that are pending were made at once
  // The calls of the last message that had any: id and name, sorted.
  std::vector<std::pair<std::string_view, std::string_view>> pending_;
};

}  // namespace

void CountChat(const Family& family, const Value& request, Tally* tally) {
  ChatCounter(family, request, tally).Count();
}

}  // namespace weir::metering
