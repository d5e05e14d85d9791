#include "metering/prompt_estimate.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metering/image_size.h"
#include "metering/prompt_openai.h"
#include "metering/prompt_schema.h"

namespace weir::metering {
namespace {

using dialects::Provenance;
using json::Type;
using json::Value;
using Kind = PromptPart::Kind;

// Of one request: what is counted by the tokenizer that stands in, scaled and summed.
class Estimator {
 public:
  Estimator(const Family& family, const Value& request, Tally* tally)
      : family_(family), numbers_(family.estimate), request_(request), tally_(*tally) {}

  void Estimate() {
    Add(Kind::kFraming, {}, numbers_.start + (Thinks() ? numbers_.reasoning : 0));
    // OpenAI's instructions, Anthropic's and Bedrock's system, Gemini's system instruction.
    for (const std::string_view field :
         {"system", "systemInstruction", "system_instruction", "instructions"}) {
      const Value value = request_[field];
      if (value && !value.Is(Type::kNull)) AddContent(value, Place{field}, 0);
    }
    Tools();
    Schema();
    // "content" and "requests" are Gemini's texts to embed, "prompt" and "inputText" those of
    // models that Bedrock invokes.
    for (const std::string_view field :
         {"messages", "contents", "input", "content", "requests", "prompt", "inputText"}) {
      const Value list = request_[field];
      if (list.Is(Type::kString) || list.Is(Type::kObject)) {
        AddContent(list, Place{field}, numbers_.message);
      }
      if (!list.Is(Type::kArray)) continue;
      size_t index = 0;
      for (const Value message : list.members()) {
        if (tally_.full()) return;
        AddContent(message, Place{field, index++}, numbers_.message);
      }
    }
  }

 private:
  void Add(Kind kind, const Place& place, double count) {
    tally_.Add(kind, place, static_cast<uint64_t>(std::llround(std::max(0.0, count))),
               Provenance::kEstimated);
  }

  bool Thinks() const {
    const std::string_view type = TextOf(request_["thinking"]["type"]);
    return type == "enabled" || type == "adaptive";
  }

  void Tools() {
    Value tools = request_["tools"];
    if (!tools) tools = request_["toolConfig"]["tools"];
    if (!tools) tools = request_["functions"];
    if (tools.size() == 0) return;
    std::string text;
    double count = numbers_.tools;
    for (const Value tool : tools.members()) {
      if (const std::optional<double> served = ServedTool(TextOf(tool["type"]))) {
        count += *served;
        continue;
      }
      text.clear();
      AppendCompactJson(tool.source(), &text);
      count += numbers_.tool + numbers_.tool_text * static_cast<double>(tally_.Text(text));
    }
    const std::string_view choice = TextOf(request_["tool_choice"]["type"]);
    if (choice == "any" || choice == "tool") count += numbers_.forced;
    Add(Kind::kTools, Place{"tools"}, count);
  }

  // Tools that Anthropic runs: what they are told, and what they fetch, is billed as prompt.
  // Medians of bills.
  static std::optional<double> ServedTool(std::string_view type) {
    struct Known {
      std::string_view prefix;
      double count;
    };
    constexpr Known kKnown[] = {
        {"web_search", 9000}, {"web_fetch", 2000},  {"code_execution", 4300}, {"memory", 1050},
        {"advisor", 1500},    {"tool_search", 160}, {"google_search", 1000}};
    for (const Known& known : kKnown) {
      if (type.substr(0, known.prefix.size()) == known.prefix) return known.count;
    }
    return std::nullopt;
  }

  void Schema() {
    const Value format = request_["response_format"]["json_schema"];
    const Value other = request_["output_format"]["schema"];
    const Value gemini = request_["generationConfig"]["responseSchema"];
    const Value schema = format ? format : other ? other : gemini;
    if (!schema) return;
    // Written out for the model twice over, by what is billed.
    constexpr double kTimes = 2;
    std::string text;
    AppendCompactJson(schema.source(), &text);
    Add(Kind::kSchema, Place{"response_format"}, kTimes * static_cast<double>(tally_.Text(text)));
  }

  // What of a message is read depends on the keys that hold it; the keys themselves cost nothing.
  // Carried out on a stack of its own.
  void AddContent(const Value& content, const Place& place, double frame) {
    text_ = calls_ = 0;
    stack_.assign(1, {content, false});
    while (!stack_.empty() && !tally_.full()) {
      const Pending pending = stack_.back();
      stack_.pop_back();
      Read(pending.value, pending.call, place);
    }
    Add(Kind::kMessage, place, frame + numbers_.text * text_);
    if (calls_ > 0) Add(Kind::kToolCall, place, calls_);
  }

  void Read(const Value& value, bool call, const Place& place) {
    if (value.Is(Type::kString)) {
      const double tokens = static_cast<double>(tally_.Text(value.text()));
      if (call) {
        calls_ += numbers_.call_text * tokens;
      } else {
        text_ += tokens;
      }
      return;
    }
    if (value.Is(Type::kArray)) {
      for (const Value item : value.members()) stack_.push_back({item, call});
      return;
    }
    if (!value.Is(Type::kObject)) return;
    const std::string_view type = TextOf(value["type"]);
    if (ReadMedia(value, type, place)) return;
    if (ReadCall(value, type)) return;
    for (const std::string_view key :
         {"text", "content", "parts", "thinking", "refusal", "output"}) {
      // Signatures and ids are not text; thoughts of earlier turns are dropped by the provider.
      if (key == "thinking") continue;
      if (value[key]) stack_.push_back({value[key], call});
    }
    if (value["tool_calls"]) stack_.push_back({value["tool_calls"], true});
    // A block of a kind that is not known.
    const bool known = type.empty() || type == "text" || type == "input_text" ||
                       type == "output_text" || type == "thinking" || type == "message" ||
                       type == "redacted_thinking" || type == "refusal";
    if (!known && !value["text"] && !value["content"]) {
      text_ += static_cast<double>(tally_.Text(value.source()));
    }
  }

  // Calls and results: Anthropic's tool_use and tool_result, OpenAI's {function}, function_call,
  // Gemini's functionCall and functionResponse, Bedrock's toolUse and toolResult.
  bool ReadCall(const Value& value, std::string_view type) {
    Value call = value;
    for (const std::string_view key :
         {"function", "functionCall", "functionResponse", "toolUse", "toolResult"}) {
      if (value[key].Is(Type::kObject)) call = value[key];
    }
    const bool use = type == "tool_use" || type == "function_call" || value["function"] ||
                     value["functionCall"] || value["toolUse"];
    const bool result = type == "tool_result" || type == "function_call_output" ||
                        value["functionResponse"] || value["toolResult"];
    if (!use && !result) return false;
    if (use) calls_ += numbers_.call;
    if (call["name"]) stack_.push_back({call["name"], true});
    for (const std::string_view key : {"input", "arguments", "args", "response"}) {
      const Value data = call[key];
      if (data.Is(Type::kString)) {
        stack_.push_back({data, true});
      } else if (data) {
        std::string text;
        AppendCompactJson(data.source(), &text);
        calls_ += numbers_.call_text * static_cast<double>(tally_.Text(text));
      }
    }
    for (const std::string_view key : {"content", "output"}) {
      if (call[key]) stack_.push_back({call[key], true});
    }
    return true;
  }

  // Images, documents and sound, in whichever dialect.
  bool ReadMedia(const Value& value, std::string_view type, const Place& place) {
    constexpr double kDocument = 1600, kUnseenImage = 500;
    if (type == "document" || type == "file" || type == "input_file" || value["document"]) {
      // A page of text, for want of anything better; text that is in the request is counted.
      const std::string_view text = TextOf(value["source"]["data"]);
      const bool plain = TextOf(value["source"]["type"]) == "text";
      Add(Kind::kFile, place, plain ? static_cast<double>(tally_.Text(text)) : kDocument);
      return true;
    }
    const bool image = type == "image" || type == "image_url" || type == "input_image" ||
                       value["image"].Is(Type::kObject);
    const Value inlined = value["inlineData"] ? value["inlineData"] : value["inline_data"];
    if (!image && !inlined) return false;
    const Value url = value["image_url"];
    std::optional<Base64Bytes> bytes =
        DataUrlBytes(TextOf(url.Is(Type::kObject) ? url["url"] : url));
    std::string_view data = TextOf(value["source"]["data"]);
    if (data.empty()) data = TextOf(inlined["data"]);
    if (data.empty()) data = TextOf(value["image"]["source"]["bytes"]);
    if (!bytes && !data.empty()) bytes = Base64Bytes(data);
    std::optional<ImageSize> size;
    if (bytes) size = ReadImageSize(*bytes);
    const bool flat = family_.image.kind == ImageRule::Kind::kFlat;
    Add(Kind::kImage, place,
        size || flat ? static_cast<double>(ImageTokens(family_.image, size, false)) : kUnseenImage);
    return true;
  }

  struct Pending {
    Value value;
    bool call;  // inside of a call or a result
  };

  const Family& family_;
  const struct Estimate& numbers_;
  const Value& request_;
  Tally& tally_;
  std::vector<Pending> stack_;
  double text_ = 0, calls_ = 0;
};

}  // namespace

void EstimateChat(const Family& family, const Value& request, Tally* tally) {
  Estimator(family, request, tally).Estimate();
}

}  // namespace weir::metering
