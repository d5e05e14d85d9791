// weir_count_request: the prompt of a whole request.

#include <limits>
#include <optional>
#include <string>

#include "base/json.h"
#include "dialect_numbers.h"
#include "handles.h"
#include "shape.h"
#include "weir/dialects.h"
#include "weir/prompt_meter.h"
#include "weir/tokens.h"

namespace {

using weir::capi::Behind;
using weir::capi::CopyOut;
using weir::capi::DialectOf;
using weir::capi::Fail;
using weir::capi::FailAt;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::NumberOf;
using weir::capi::OperationOf;
using weir::capi::ReadSized;
using weir::capi::View;
using weir::capi::WriteSized;
using weir::dialects::Dialect;
using weir::dialects::Operation;
using weir::metering::PromptCount;

struct Counted {
  PromptCount prompt;
  Dialect dialect = Dialect::kOpenAi;
  Operation operation = Operation::kChat;
  bool is_guess = false;
  std::string model;
  bool model_known = false;
  const weir::tokens::Tokenizer* tokenizer = nullptr;
};

weir_status ReadRequestOptions(const weir_request_options* given, weir_request_options* options,
                               weir_error* error) {
  const weir_status status = ReadSized(given, options, error);
  if (status != WEIR_OK) return status;
  if (!IsText(options->target, options->target_size) ||
      !IsText(options->model, options->model_size)) {
    return NullArgument(error);
  }
  return weir::capi::CheckNumbers(options->dialect, options->operation, error);
}

// Fills in what `options` leaves open.
bool Place(const weir_request_options& options, weir::json::Value body, Counted* counted) {
  int32_t dialect = options.dialect, operation = options.operation;
  counted->model = View(options.model, options.model_size);
  const auto target = weir::dialects::ParseTarget(View(options.target, options.target_size));
  if (target) {
    if (dialect == 0) dialect = NumberOf(target->dialect);
    if (operation == 0) operation = NumberOf(target->operation);
    if (counted->model.empty()) counted->model = target->model;
  }
  if (counted->model.empty() && body["model"].Is(weir::json::Type::kString)) {
    counted->model = body["model"].text();
  }
  if (dialect == 0 || operation == 0) {
    const auto shape = weir::capi::ShapeOf(body);
    if (!shape) return false;
    counted->is_guess = true;
    if (dialect == 0) dialect = NumberOf(shape->dialect);
    if (operation == 0) operation = NumberOf(shape->operation);
  }
  counted->dialect = DialectOf(dialect);
  counted->operation = OperationOf(operation);
  return true;
}

weir_status CountBody(const weir_request_options& options, std::string_view body, bool with_parts,
                      Counted* counted, weir_error* error) {
  weir::json::Document document;
  weir::json::ParseError fault;
  if (!document.Parse(body, {}, &fault)) {
    const weir::json::LineColumn at = weir::json::Locate(body, fault.offset);
    return FailAt(error, WEIR_INVALID_ARGUMENT, "the body is not valid JSON: " + fault.message,
                  fault.offset, at.line, at.column);
  }
  if (!document.root().Is(weir::json::Type::kObject)) {
    return FailAt(error, WEIR_INVALID_ARGUMENT, "the body is not a JSON object", 0, 1, 1);
  }
  if (!Place(options, document.root(), counted)) {
    return FailAt(error, WEIR_INVALID_ARGUMENT,
                  "the body has none of messages, input, prompt, contents, content and requests; "
                  "its dialect and operation must be given",
                  0, 1, 1);
  }
  counted->tokenizer = Behind(options.tokenizer);
  counted->model_known = counted->tokenizer != nullptr && options.is_standin == 0;
  if (counted->tokenizer == nullptr) {
    counted->tokenizer = weir::tokens::Find(weir::tokens::EncodingForModel(counted->model));
    counted->model_known = counted->tokenizer != nullptr;
  }
  const std::string hint = counted->model_known ? "" : weir::tokens::ModelHint(counted->model);
  if (counted->tokenizer == nullptr) {
    counted->tokenizer = weir::tokens::Find(weir::tokens::EncodingForModel(hint));
  }
  if (counted->tokenizer == nullptr) counted->tokenizer = &weir::tokens::Default();
  weir::metering::PromptOptions prompt;
  prompt.with_parts = with_parts;
  if (options.limit != 0) prompt.limit = options.limit;
  counted->prompt = weir::metering::CountPromptOf(
      counted->dialect, counted->operation, hint.empty() ? counted->model : hint,
      *counted->tokenizer, counted->model_known, document.root(), prompt);
  return WEIR_OK;
}

std::string JsonOf(const Counted& counted) {
  std::string text;
  weir::json::Writer writer(&text);
  writer.BeginObject();
  writer.Key("prompt_tokens").Uint(counted.prompt.count);
  writer.Key("provenance").String(ProvenanceName(counted.prompt.provenance));
  writer.Key("dialect").String(DialectName(counted.dialect));
  writer.Key("operation").String(OperationName(counted.operation));
  writer.Key("is_guess").Bool(counted.is_guess);
  writer.Key("model").String(counted.model);
  writer.Key("model_known").Bool(counted.model_known);
  writer.Key("encoding").String(counted.tokenizer->name());
  writer.Key("parts").BeginArray();
  for (const weir::metering::PromptPart& part : counted.prompt.parts) {
    writer.BeginObject();
    writer.Key("kind").String(PromptPartKindName(part.kind));
    writer.Key("path").String(part.path);
    writer.Key("tokens").Uint(part.count);
    writer.Key("provenance").String(ProvenanceName(part.provenance));
    writer.EndObject();
  }
  writer.EndArray().EndObject();
  return text;
}

}  // namespace

weir_status weir_count_request(const weir_request_options* options, const char* body,
                               size_t body_size, weir_prompt_count* count, weir_error* error) {
  if (!IsText(body, body_size) || count == nullptr) return NullArgument(error);
  if (count->size < offsetof(weir_prompt_count, dialect)) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "count->size has no room for the number of tokens");
  }
  return Guard(error, [&]() -> weir_status {
    weir_request_options read;
    Counted counted;
    weir_status status = ReadRequestOptions(options, &read, error);
    if (status == WEIR_OK) status = CountBody(read, View(body, body_size), false, &counted, error);
    if (status != WEIR_OK) return status;
    weir_prompt_count full = {};
    full.provenance = NumberOf(counted.prompt.provenance);
    full.prompt_tokens = counted.prompt.count;
    full.dialect = NumberOf(counted.dialect);
    full.operation = NumberOf(counted.operation);
    full.is_guess = counted.is_guess ? 1 : 0;
    full.model_known = counted.model_known ? 1 : 0;
    WriteSized(full, count);
    return WEIR_OK;
  });
}

weir_status weir_count_request_json(const weir_request_options* options, const char* body,
                                    size_t body_size, char* buffer, size_t capacity, size_t* needed,
                                    weir_error* error) {
  if (!IsText(body, body_size) || !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    weir_request_options read;
    Counted counted;
    weir_status status = ReadRequestOptions(options, &read, error);
    if (status == WEIR_OK) status = CountBody(read, View(body, body_size), true, &counted, error);
    if (status != WEIR_OK) return status;
    return CopyOut(JsonOf(counted), buffer, capacity, needed, error);
  });
}
