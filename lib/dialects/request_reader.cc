#include "dialects/request_reader.h"

#include <algorithm>
#include <vector>

#include "absl/strings/cord.h"
#include "base/text.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

// Longer messages quote the client's own bytes back; this much is enough to find the place.
constexpr size_t kMaxErrorBytes = 300;

std::string TypeWords(unsigned allowed) {
  std::string words;
  for (Type type : {Type::kBool, Type::kNumber, Type::kString, Type::kArray, Type::kObject}) {
    if ((allowed & (1u << static_cast<unsigned>(type))) == 0) continue;
    if (!words.empty()) words.append(" or ");
    words.append(json::TypeName(type));
  }
  return words;
}

bool Allows(unsigned allowed, Value value) {
  return (allowed & (1u << static_cast<unsigned>(value.type()))) != 0;
}

absl::Status Refusal(std::string_view message, std::string_view param) {
  std::string text(message.substr(0, Utf8Prefix(message, kMaxErrorBytes)));
  absl::Status status = absl::InvalidArgumentError(text);
  if (!param.empty()) status.SetPayload("weir/param", absl::Cord(AbslView(param)));
  return status;
}

absl::Status Unparsable(std::string_view body, const json::ParseError& error) {
  const json::LineColumn at = json::Locate(body, error.offset);
  std::string_view reason = error.message;
  reason = reason.substr(0, Utf8Prefix(reason, kMaxErrorBytes / 2));
  return Refusal(Concat({"The body is not valid JSON: ", reason, " (line ", std::to_string(at.line),
                         ", column ", std::to_string(at.column), ")."}),
                 "");
}

using ReadBody = bool (*)(Value, RequestReader*);

// Null when the dialect has no such operation.
ReadBody BodyReader(const Request& request) {
  const bool embeds = request.operation == Operation::kEmbeddings;
  const bool chat = request.operation == Operation::kChat;
  switch (request.dialect) {
    case Dialect::kAnthropic:
      return chat ? ReadAnthropicMessages : nullptr;
    case Dialect::kGemini:
      return chat ? ReadGeminiGenerate : embeds ? ReadGeminiEmbed : nullptr;
    case Dialect::kBedrock:
      if (embeds || (chat && request.invoke)) return ReadBedrockInvoke;
      return chat ? ReadBedrockConverse : nullptr;
    default:
      break;
  }
  switch (request.operation) {
    case Operation::kChat:
      return ReadOpenAiChat;
    case Operation::kResponses:
      return ReadOpenAiResponses;
    case Operation::kCompletions:
      return ReadOpenAiCompletions;
    case Operation::kEmbeddings:
      return ReadOpenAiEmbeddings;
  }
  return nullptr;
}

}  // namespace

std::string Place::Spelled(bool brackets) const {
  std::vector<const Place*> steps;
  for (const Place* place = this; place->above_ != nullptr; place = place->above_) {
    steps.push_back(place);
  }
  std::string spelled;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const bool element = (*step)->key_.empty();
    if (element && brackets) {
      spelled.append(Concat({"[", std::to_string((*step)->index_), "]"}));
      continue;
    }
    if (!spelled.empty()) spelled.push_back('.');
    spelled.append(element ? std::to_string((*step)->index_) : std::string((*step)->key_));
  }
  return spelled;
}

absl::Status RequestReader::status() const { return Refusal(message_, param_); }

bool RequestReader::Fail(const Place& place, std::string_view before, std::string_view after) {
  param_ = place.Spelled(Brackets());
  message_ = Concat({before, " '", param_, "'", after});
  return false;
}

bool RequestReader::Missing(const Place& place) {
  return Fail(place, "Missing required parameter:", ".");
}

bool RequestReader::Typed(Value value, const Place& place, unsigned allowed) {
  if (!value || Allows(allowed, value)) return true;
  return Fail(place, "Invalid type for",
              Concat({": expected ", TypeWords(allowed), ", but got ", json::TypeName(value.type()),
                      " instead."}));
}

bool RequestReader::Needed(Value value, const Place& place, unsigned allowed) {
  return value ? Typed(value, place, allowed) : Missing(place);
}

bool RequestReader::Text(Value value, const Place& place, RecycledString* out) {
  if (!Typed(value, place, kNull | kText)) return false;
  if (value.Is(Type::kString)) *out = value.text();
  return true;
}

bool RequestReader::Flag(Value value, const Place& place, bool* out) {
  if (!Typed(value, place, kNull | kBoolean)) return false;
  if (value.Is(Type::kBool)) *out = value.boolean();
  return true;
}

bool RequestReader::Count(Value value, const Place& place, uint64_t least,
                          std::optional<uint64_t>* out) {
  if (!value || value.Is(Type::kNull)) return true;
  std::optional<uint64_t> count = value.Uint();
  uint64_t quoted = 0;
  if (request_.dialect == Dialect::kGemini && value.Is(Type::kString) &&
      ParseUint64(value.text(), &quoted)) {
    count = quoted;
  }
  if (count && *count >= least && *count <= kMaxTokens) {
    *out = count;
    return true;
  }
  return Fail(place, "Invalid value for",
              Concat({": expected an integer from ", std::to_string(least), " to ",
                      std::to_string(kMaxTokens), "."}));
}

bool RequestReader::Model(Value value, const Place& place) {
  if (!value) return true;
  request_.model_value = SpanOf(value);
  if (!Text(value, place, &request_.body_model)) return false;
  if (!request_.model_in_path) request_.model = request_.body_model;
  return true;
}

bool RequestReader::MaxOutput(Value value, const Place& place, uint64_t least) {
  if (value) request_.max_output_value = SpanOf(value);
  return Count(value, place, least, &request_.max_output_tokens);
}

bool RequestReader::Parts(Value content, const Place& place, unsigned allowed) {
  if (!Typed(content, place, allowed)) return false;
  if (!content.Is(Type::kArray)) return true;
  return Objects(content, place, [this](Value part, const Place& at) {
    return Needed(part["type"], Place(at, "type"), kText);
  });
}

absl::StatusOr<Request> ReadRequest(Dialect dialect, Operation operation, std::string_view target,
                                    std::string_view body) {
  json::Document document;
  return ReadRequest(dialect, operation, ParseTarget(target), body, &document);
}

absl::StatusOr<Request> ReadRequest(Dialect dialect, Operation operation,
                                    const std::optional<ParsedTarget>& asked, std::string_view body,
                                    json::Document* parsed) {
  Request request;
  request.dialect = dialect;
  request.operation = operation;
  if (asked) {
    request.model = asked->model;
    request.model_in_path = asked->model_span.end != 0;
    request.stream = asked->stream;
    request.invoke = asked->invoke;
  }
  const ReadBody read = BodyReader(request);
  if (read == nullptr) {
    return Refusal(Concat({"There is no operation \"", OperationName(operation), "\" in ",
                           DialectName(dialect), "'s dialect."}),
                   "");
  }
  json::ParseError error;
  if (!parsed->ParseBorrowed(body, {}, &error)) return Unparsable(body, error);
  const Value root = parsed->root();
  if (!root.Is(Type::kObject)) return Refusal("The body must be a JSON object.", "");
  request.object_open = root.begin_offset();
  RequestReader reader(&request);
  if (!read(root, &reader)) return reader.status();
  return request;
}

}  // namespace weir::dialects
