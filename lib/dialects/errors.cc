// weir's own errors in each dialect's shape, and what providers' errors say.

#include <algorithm>

#include "base/json.h"
#include "base/saturating.h"
#include "base/text.h"
#include "base/time.h"
#include "dialects/event_stream.h"
#include "weir/dialects.h"

namespace weir::dialects {
namespace {

using json::Type;
using json::Value;

struct StatusWord {
  int status;
  std::string_view word;
};

// The list's word for a status, else the one for its hundred.
std::string_view WordOf(absl::Span<const StatusWord> words, int status, std::string_view client,
                        std::string_view server) {
  for (const StatusWord& entry : words) {
    if (entry.status == status) return entry.word;
  }
  return status >= 500 ? server : client;
}

constexpr StatusWord kAnthropicWords[] = {
    {401, "authentication_error"}, {402, "billing_error"},    {403, "permission_error"},
    {404, "not_found_error"},      {408, "timeout_error"},    {409, "conflict_error"},
    {413, "request_too_large"},    {429, "rate_limit_error"}, {503, "overloaded_error"},
    {504, "timeout_error"},        {529, "overloaded_error"},
};
constexpr StatusWord kGeminiWords[] = {
    {401, "UNAUTHENTICATED"},   {403, "PERMISSION_DENIED"}, {404, "NOT_FOUND"},
    {408, "DEADLINE_EXCEEDED"}, {409, "ABORTED"},           {429, "RESOURCE_EXHAUSTED"},
    {499, "CANCELLED"},         {501, "UNIMPLEMENTED"},     {503, "UNAVAILABLE"},
    {504, "DEADLINE_EXCEEDED"},
};
constexpr StatusWord kBedrockWords[] = {
    {401, "AccessDeniedException"},       {403, "AccessDeniedException"},
    {404, "ResourceNotFoundException"},   {408, "ModelTimeoutException"},
    {424, "ModelErrorException"},         {429, "ThrottlingException"},
    {503, "ServiceUnavailableException"},
};

void WriteOrNull(json::Writer* writer, std::string_view text) {
  if (text.empty()) {
    writer->Null();
  } else {
    writer->String(text);
  }
}

// {"type":…,"code":…,"message":…,"param":…} in OpenAI's words, into an object that is open.
void WriteOpenAiMembers(json::Writer* writer, const ErrorWords& words, std::string_view type) {
  writer->Key("message").String(words.message).Key("type").String(type).Key("param");
  WriteOrNull(writer, words.param);
  writer->Key("code");
  WriteOrNull(writer, words.code);
}

std::string OpenAiBody(const ErrorWords& words, std::string_view type) {
  std::string body;
  json::Writer writer(&body);
  writer.BeginObject().Key("error").BeginObject();
  WriteOpenAiMembers(&writer, words, type);
  writer.EndObject().EndObject();
  return body;
}

std::string AnthropicBody(const ErrorWords& words) {
  std::string body;
  json::Writer writer(&body);
  writer.BeginObject().Key("type").String("error").Key("error").BeginObject();
  writer.Key("type").String(ErrorType(Dialect::kAnthropic, words.status));
  writer.Key("message").String(words.message).EndObject().EndObject();
  return body;
}

constexpr std::string_view kRpcType = "type.googleapis.com/google.rpc.";

// "1.25s": proto3's spelling of a duration. Whole milliseconds, never less than was meant.
std::string DurationText(int64_t ns) {
  const uint64_t ms = CeilDiv(static_cast<uint64_t>(std::max<int64_t>(ns, 0)), kMillisecond);
  std::string text = std::to_string(ms / 1000);
  if (ms % 1000 != 0) {
    std::string fraction = std::to_string(ms % 1000);
    fraction.insert(0, 3 - fraction.size(), '0');
    text.append(".").append(fraction);
  }
  return text + "s";
}

std::string GeminiBody(const ErrorWords& words) {
  std::string body;
  json::Writer writer(&body);
  writer.BeginObject().Key("error").BeginObject();
  writer.Key("code").Int(words.status).Key("message").String(words.message);
  writer.Key("status").String(ErrorType(Dialect::kGemini, words.status));
  if (!words.param.empty() || words.retry_after_ns) {
    writer.Key("details").BeginArray();
    if (!words.param.empty()) {
      writer.BeginObject().Key("@type").String(Concat({kRpcType, "BadRequest"}));
      writer.Key("fieldViolations").BeginArray().BeginObject();
      writer.Key("field").String(words.param).Key("description").String(words.message);
      writer.EndObject().EndArray().EndObject();
    }
    if (words.retry_after_ns) {
      writer.BeginObject().Key("@type").String(Concat({kRpcType, "RetryInfo"}));
      writer.Key("retryDelay").String(DurationText(*words.retry_after_ns)).EndObject();
    }
    writer.EndArray();
  }
  writer.EndObject().EndObject();
  return body;
}

std::string BedrockBody(const ErrorWords& words) {
  std::string body;
  json::Writer(&body).BeginObject().Key("message").String(words.message).EndObject();
  return body;
}

// The flat members are what the API documents; the nested ones are what it sends and what its
// official client raises on.
std::string ResponsesEvent(const ErrorWords& words, uint64_t sequence_number) {
  const std::string_view type =
      words.type.empty() ? ErrorType(Dialect::kOpenAi, words.status) : words.type;
  std::string body;
  json::Writer writer(&body);
  writer.BeginObject().Key("type").String("error");
  writer.Key("sequence_number").Uint(sequence_number).Key("code");
  WriteOrNull(&writer, words.code);
  writer.Key("message").String(words.message).Key("param");
  WriteOrNull(&writer, words.param);
  writer.Key("error").BeginObject();
  WriteOpenAiMembers(&writer, words, type);
  writer.EndObject().EndObject();
  return Concat({"event: error\ndata: ", body, "\n\n"});
}

// The exceptions that a stream may end with are fewer than those of an answer, and begin with a
// small letter.
std::string BedrockFrame(const ErrorWords& words) {
  std::string_view exception = "internalServerException";
  if (words.status == 424) {
    exception = "modelStreamErrorException";
  } else if (words.status == 429) {
    exception = "throttlingException";
  } else if (words.status == 503) {
    exception = "serviceUnavailableException";
  } else if (words.status < 500) {
    exception = "validationException";
  }
  std::string frame;
  AppendFrame(&frame,
              {{":message-type", "exception"},
               {":exception-type", exception},
               {":content-type", "application/json"}},
              BedrockBody(words));
  return frame;
}

// ---- Reading ----

// "34.4s", as far as an int64 of nanoseconds goes.
std::optional<int64_t> ParseDuration(std::string_view text) {
  if (text.size() < 2 || text.back() != 's') return std::nullopt;
  text.remove_suffix(1);
  const size_t point = std::min(text.find('.'), text.size());
  uint64_t seconds = 0;
  if (!ParseUint64(text.substr(0, point), &seconds)) return std::nullopt;
  uint64_t ns = 0;
  if (point < text.size()) {
    std::string digits(text.substr(point + 1));
    if (digits.empty() || digits.size() > 9) return std::nullopt;
    digits.append(9 - digits.size(), '0');
    if (!ParseUint64(digits, &ns)) return std::nullopt;
  }
  const uint64_t total = SaturatingAdd(SaturatingMul(seconds, uint64_t{kSecond}), ns);
  return static_cast<int64_t>(std::min<uint64_t>(total, INT64_MAX));
}

// A text as it is, a number as its digits.
std::string Words(Value value) {
  if (!value.Is(Type::kString) && !value.Is(Type::kNumber)) return {};
  return std::string(value.text());
}

Value FirstOf(Value object, std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) {
    if (const Value value = object[key]; value && !value.Is(Type::kNull)) return value;
  }
  return {};
}

void ReadDetails(Value details, ProviderError* error) {
  for (Value detail : details.members()) {
    if (const Value delay = detail["retryDelay"]; delay.Is(Type::kString)) {
      if (!error->retry_after_ns) error->retry_after_ns = ParseDuration(delay.text());
    }
    for (Value violation : detail["fieldViolations"].members()) {
      if (error->param.empty()) error->param = Words(violation["field"]);
    }
  }
}

// "com.amazon.coral.service#ThrottlingException:http://…" is a ThrottlingException.
std::string ExceptionName(std::string_view text) {
  if (const size_t hash = text.find('#'); hash != std::string_view::npos) {
    text.remove_prefix(hash + 1);
  }
  return std::string(text.substr(0, text.find(':')));
}

}  // namespace

std::string_view ErrorType(Dialect dialect, int status) {
  switch (dialect) {
    case Dialect::kAnthropic:
      return WordOf(kAnthropicWords, status, "invalid_request_error", "api_error");
    case Dialect::kGemini:
      return WordOf(kGeminiWords, status, "INVALID_ARGUMENT", "INTERNAL");
    case Dialect::kBedrock:
      return WordOf(kBedrockWords, status, "ValidationException", "InternalServerException");
    default:
      return WordOf({}, status, "invalid_request_error", "server_error");
  }
}

std::string ErrorBody(Dialect dialect, const ErrorWords& words) {
  switch (dialect) {
    case Dialect::kAnthropic:
      return AnthropicBody(words);
    case Dialect::kGemini:
      return GeminiBody(words);
    case Dialect::kBedrock:
      return BedrockBody(words);
    default:
      return OpenAiBody(words, words.type.empty() ? ErrorType(dialect, words.status) : words.type);
  }
}

std::string ErrorEvent(Dialect dialect, Operation operation, const ErrorWords& words,
                       uint64_t sequence_number) {
  switch (dialect) {
    case Dialect::kAnthropic:
      return Concat({"event: error\ndata: ", ErrorBody(dialect, words), "\n\n"});
    case Dialect::kGemini:  // which ends its lines so
      return Concat({"data: ", ErrorBody(dialect, words), "\r\n\r\n"});
    case Dialect::kBedrock:
      return BedrockFrame(words);
    default:
      if (operation == Operation::kResponses) return ResponsesEvent(words, sequence_number);
      return Concat({"data: ", ErrorBody(dialect, words), "\n\n"});
  }
}

ProviderError ReadError(Dialect dialect, std::string_view body) {
  ProviderError error;
  json::Document document;
  json::ParseError parse_error;
  if (!document.Parse(body, {.allow_duplicate_keys = true}, &parse_error)) return error;
  Value root = document.root();
  if (root.Is(Type::kArray) && root.size() == 1) root = *root.members().begin();
  Value stated = root["error"];
  if (stated.Is(Type::kString)) {
    error.message = std::string(stated.text());
    return error;
  }
  if (!stated.Is(Type::kObject)) stated = root;
  error.message = Words(FirstOf(stated, {"message", "Message", "detail"}));
  error.code = Words(FirstOf(stated, {"code", "statusCode"}));
  error.param = Words(stated["param"]);
  if (dialect == Dialect::kGemini) {
    error.type = Words(stated["status"]);
  } else if (dialect == Dialect::kBedrock) {
    error.type = ExceptionName(Words(FirstOf(stated, {"__type", "type"})));
  } else {
    error.type = Words(stated["type"]);
  }
  ReadDetails(stated["details"], &error);
  return error;
}

}  // namespace weir::dialects
