#include <algorithm>

#include "absl/strings/cord.h"
#include "base/json.h"
#include "base/text.h"
#include "weir/dialects.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

// Longer messages quote the client's own bytes back; this much is enough to find the place.
constexpr size_t kMaxErrorBytes = 300;

// Room made at once; a longer list may be a hostile one, whose elements are no messages.
constexpr size_t kReservedMessages = 64;

absl::Status Refuse(std::string_view message, std::string_view param) {
  std::string text(message.substr(0, Utf8Prefix(message, kMaxErrorBytes)));
  absl::Status status = absl::InvalidArgumentError(text);
  if (!param.empty()) status.SetPayload("weir/param", absl::Cord(AbslView(param)));
  return status;
}

absl::Status Unparsable(std::string_view body, const json::ParseError& error) {
  const json::LineColumn at = json::Locate(body, error.offset);
  std::string_view reason = error.message;
  reason = reason.substr(0, Utf8Prefix(reason, kMaxErrorBytes / 2));
  return Refuse(Concat({"The body is not valid JSON: ", reason, " (line ", std::to_string(at.line),
                        ", column ", std::to_string(at.column), ")."}),
                "");
}

// What may stand in a field.
enum : unsigned {
  kNone = 1u << static_cast<unsigned>(Type::kNull),
  kBoolean = 1u << static_cast<unsigned>(Type::kBool),
  kText = 1u << static_cast<unsigned>(Type::kString),
  kList = 1u << static_cast<unsigned>(Type::kArray),
  kObject = 1u << static_cast<unsigned>(Type::kObject),
};

std::string TypeWords(unsigned allowed) {
  std::string words;
  for (Type type : {Type::kBool, Type::kNumber, Type::kString, Type::kArray, Type::kObject}) {
    if ((allowed & (1u << static_cast<unsigned>(type))) == 0) continue;
    if (!words.empty()) words.append(" or ");
    words.append(json::TypeName(type));
  }
  return words;
}

ChatRequest::Span SpanOf(Value value) { return {value.begin_offset(), value.end_offset()}; }

// Reads one body. The first error ends it: every step returns whether to go on.
class Reader {
 public:
  bool Root(Value root) {
    request_.object_open = root.begin_offset();
    Value messages;
    Value max_tokens;
    Value max_completion_tokens;
    for (Value member : root.members()) {
      const std::string_view key = member.key();
      bool ok = true;
      if (key == "messages") {
        messages = member;
      } else if (key == "max_tokens") {
        max_tokens = member;
      } else if (key == "max_completion_tokens") {
        max_completion_tokens = member;
      } else {
        ok = Field(key, member);
      }
      if (!ok) return false;
    }
    std::optional<uint64_t> older;
    if (!Count(max_tokens, "max_tokens", &older) ||
        !Count(max_completion_tokens, "max_completion_tokens", &request_.max_output_tokens)) {
      return false;
    }
    if (!request_.max_output_tokens) request_.max_output_tokens = older;
    return Messages(messages);
  }

  ChatRequest& request() { return request_; }
  absl::Status status() const { return Refuse(message_, param_); }

 private:
  // ---- Errors ----

  bool Fail(std::string param, std::string message) {
    param_ = std::move(param);
    message_ = std::move(message);
    return false;
  }

  bool Missing(const std::string& param) {
    return Fail(param, Concat({"Missing required parameter: '", param, "'."}));
  }

  bool Mistyped(Value value, const std::string& param, unsigned allowed) {
    return Fail(param, Concat({"Invalid type for '", param, "': expected ", TypeWords(allowed),
                               ", but got ", json::TypeName(value.type()), " instead."}));
  }

  static bool Allows(unsigned allowed, Value value) {
    return (allowed & (1u << static_cast<unsigned>(value.type()))) != 0;
  }

  // ---- Where the reader is, for errors only ----

  std::string InMessage(std::string_view field) const {
    return Concat({"messages[", std::to_string(message_index_), "]", field});
  }
  std::string InPart(std::string_view field) const {
    return Concat({InMessage(".content["), std::to_string(part_index_), "]", field});
  }

  // ---- The body's own members ----

  bool Field(std::string_view key, Value value) {
    if (key == "model") {
      if (!Typed(value, key, kNone | kText)) return false;
      request_.model = value.text();
      request_.model_value = SpanOf(value);
      return true;
    }
    if (key == "stream") {
      request_.stream = value.boolean();
      return Typed(value, key, kNone | kBoolean);
    }
    if (key == "stream_options") return StreamOptions(value);
    if (key == "n") {
      std::optional<uint64_t> n;
      if (!Count(value, key, &n)) return false;
      request_.n = n.value_or(1);
      return true;
    }
    if (key == "tools" || key == "functions")
      return Typed(value, key, kNone | kList) && Extra(value);
    if (key == "response_format") return Typed(value, key, kNone | kObject) && Extra(value);
    if (key == "tool_choice" || key == "function_call") {
      return Typed(value, key, kNone | kText | kObject) && Extra(value);
    }
    return true;
  }

  bool Typed(Value value, std::string_view key, unsigned allowed) {
    return Allows(allowed, value) || Mistyped(value, std::string(key), allowed);
  }

  bool StreamOptions(Value options) {
    if (!Typed(options, "stream_options", kNone | kObject)) return false;
    request_.stream_options_value = SpanOf(options);
    const Value include = options["include_usage"];
    if (!include) return true;
    request_.include_usage_value = SpanOf(include);
    request_.include_usage = include.boolean();
    return Typed(include, "stream_options.include_usage", kNone | kBoolean);
  }

  bool Count(Value value, std::string_view key, std::optional<uint64_t>* count) {
    if (!value || value.Is(Type::kNull)) return true;
    *count = value.Uint();
    if (*count && **count >= 1 && **count <= kMaxTokens) return true;
    return Fail(std::string(key),
                Concat({"Invalid value for '", key, "': expected an integer from 1 to ",
                        std::to_string(kMaxTokens), "."}));
  }

  bool Extra(Value value) {
    if (!value || value.Is(Type::kNull)) return true;
    if (!request_.extra_text.empty()) request_.extra_text.push_back('\n');
    request_.extra_text.append(value.source());
    return true;
  }

  // ---- Messages ----

  bool Messages(Value messages) {
    if (!messages) return Missing("messages");
    if (!messages.Is(Type::kArray)) return Mistyped(messages, "messages", kList);
    request_.messages.reserve(std::min(messages.size(), kReservedMessages));
    message_index_ = 0;
    for (Value message : messages.members()) {
      if (!message.Is(Type::kObject)) return Mistyped(message, InMessage(""), kObject);
      if (!OneMessage(message)) return false;
      ++message_index_;
    }
    return true;
  }

  bool OneMessage(Value source) {
    Message& message = request_.messages.emplace_back();
    bool has_role = false;
    for (Value member : source.members()) {
      const std::string_view key = member.key();
      bool ok = true;
      if (key == "role") {
        has_role = true;
        ok = InMessageTyped(member, ".role", kText);
        message.role = member.text();
      } else if (key == "content") {
        ok = Content(member, &message);
      } else if (key == "name") {
        ok = InMessageTyped(member, ".name", kNone | kText);
        message.name = member.text();
      } else if (key == "tool_calls") {
        ok = InMessageTyped(member, ".tool_calls", kNone | kList) && Extra(member);
      } else if (key == "function_call") {
        ok = InMessageTyped(member, ".function_call", kNone | kObject) && Extra(member);
      } else if (key == "refusal" || key == "reasoning_content") {
        // What the model wrote before, which it reads again.
        if (member.Is(Type::kString)) Extra(member);
      } else if (key == "audio") {
        if (member.Is(Type::kObject)) ++request_.other_parts;
      }
      if (!ok) return false;
    }
    return has_role || Missing(InMessage(".role"));
  }

  bool InMessageTyped(Value value, std::string_view field, unsigned allowed) {
    return Allows(allowed, value) || Mistyped(value, InMessage(field), allowed);
  }

  bool Content(Value content, Message* message) {
    if (!InMessageTyped(content, ".content", kNone | kText | kList)) return false;
    if (content.Is(Type::kString)) message->texts.emplace_back(content.text());
    part_index_ = 0;
    for (Value part : content.members()) {
      if (!part.Is(Type::kObject)) return Mistyped(part, InPart(""), kObject);
      if (!Part(part, message)) return false;
      ++part_index_;
    }
    return true;
  }

  bool Part(Value part, Message* message) {
    const Value type = part["type"];
    if (!type) return Missing(InPart(".type"));
    if (!type.Is(Type::kString)) return Mistyped(type, InPart(".type"), kText);
    if (type.text() == "text" || type.text() == "refusal") {
      const Value text = part[type.text()];
      const std::string_view field = type.text() == "text" ? ".text" : ".refusal";
      if (!text) return Missing(InPart(field));
      if (!text.Is(Type::kString)) return Mistyped(text, InPart(field), kText);
      message->texts.emplace_back(text.text());
    } else if (type.text() == "image_url") {
      ++request_.image_parts;
    } else {
      ++request_.other_parts;
    }
    return true;
  }

  ChatRequest request_;
  size_t message_index_ = 0;
  size_t part_index_ = 0;
  std::string message_;
  std::string param_;
};

}  // namespace

absl::StatusOr<ChatRequest> ReadChatRequest(std::string_view body) {
  json::Document document;
  json::ParseError error;
  if (!document.Parse(body, {}, &error)) return Unparsable(body, error);
  if (!document.root().Is(Type::kObject)) return Refuse("The body must be a JSON object.", "");
  Reader reader;
  if (!reader.Root(document.root())) return reader.status();
  return std::move(reader.request());
}

}  // namespace weir::dialects
