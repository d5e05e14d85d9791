// May this request pass: its route, its caller, its size; and what it asks for.

#include <algorithm>

#include "absl/strings/cord.h"
#include "base/json.h"
#include "base/saturating.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/transaction.h"

namespace weir::engine {
namespace {

constexpr std::string_view kInvalidRequest = "invalid_request_error";
}  // namespace

std::optional<Action> TransactionImpl::CheckHead() {
  if (request_.target_too_large) {
    return Reply(414, {"The request target is too long.", kInvalidRequest, "", "uri_too_long"});
  }
  if (request_.headers.too_large()) {
    return Reply(431, {"The request headers are too large.", kInvalidRequest, "",
                       "request_header_fields_too_large"});
  }
  bool other_method = false;
  request_.route =
      plan().Match(request_.method, request_.path, &request_.parameters, &other_method);
  if (request_.route == nullptr) {
    if (other_method) {
      return Reply(405,
                   {Concat({"Method not allowed (", request_.method, " ", request_.path, ")."}),
                    kInvalidRequest, "", "method_not_allowed"});
    }
    return UnknownUrl();
  }
  return request_.route->authenticate ? Authenticate() : std::nullopt;
}

std::optional<Action> TransactionImpl::Authenticate() {
  const auth::Identity identity = generation_->keys->Identify(request_.headers.entries());
  if (identity.consumer != nullptr) {
    request_.consumer = identity.consumer;
    return std::nullopt;
  }
  switch (identity.denial) {
    case auth::Denial::kMissing:
      return Reply(401,
                   {"You didn't provide an API key. Send it as \"Authorization: Bearer KEY\" or "
                    "\"api-key: KEY\".",
                    kInvalidRequest, "", "missing_api_key"});
    case auth::Denial::kMalformed:
      return Reply(401,
                   {"The API key header is malformed.", kInvalidRequest, "", "invalid_api_key"});
    default:
      return Reply(401, {"Incorrect API key provided.", kInvalidRequest, "", "invalid_api_key"});
  }
}

Action TransactionImpl::Admit() {
  if (!request_read_) {
    if (std::optional<Action> refusal = ReadRequest()) return *refusal;
    request_read_ = true;
  }
  // Who is charged for hits too has to be let in first.
  const bool charges_hits = caching_ != nullptr && caching_->cache->rules().charges_hits;
  if (caching_ != nullptr && !charges_hits) {
    if (std::optional<Action> known = AskCache()) return *known;
  }
  while (!limits_taken_) {
    if (!limits_applied_) {
      if (std::optional<Action> refusal = ApplyLimits()) return *refusal;
      limits_applied_ = true;
    }
    if (std::optional<Action> refusal = TakeLimits()) return *refusal;
  }
  if (charges_hits) {
    if (std::optional<Action> known = AskCache()) return *known;
  }
  return StartRouting();
}

std::optional<Action> TransactionImpl::ReadRequest() {
  if (request_.body_too_large) {
    return Reply(413, {Concat({"The request body is larger than ",
                               std::to_string(plan().body_bytes_max), " bytes."}),
                       kInvalidRequest, "", "request_too_large"});
  }
  return IsCounted() ? ReadCounted() : std::nullopt;
}

Action TransactionImpl::UnknownUrl() {
  return Reply(404, {Concat({"Invalid URL (", request_.method, " ", request_.path, ")."}),
                     kInvalidRequest, "", "unknown_url"});
}

std::optional<Action> TransactionImpl::ReadCounted() {
  const auto parsed = dialects::ParseTarget(request_.path);
  // The route's parameters may have made another path of it, or steps that walk up.
  if (!parsed || !dialects::SameFamily(parsed->dialect, request_.route->dialect)) {
    return UnknownUrl();
  }
  target_asked_ = *parsed;
  json::Document body;
  auto asked =
      dialects::ReadRequest(parsed->dialect, parsed->operation, parsed, request_.body, &body);
  if (!asked.ok()) {
    std::string param;
    if (const auto payload = asked.status().GetPayload("weir/param")) param = std::string(*payload);
    return Reply(
        400, {std::string(asked.status().message()), kInvalidRequest, param, "invalid_request"});
  }
  asked_ = *std::move(asked);
  request_.model = asked_->model;
  for (const auto& [name, value] : request_.parameters) {
    if (name == "model") request_.model = value;
  }
  if (request_.model.empty()) {
    return Reply(400, {"you must provide a model parameter", kInvalidRequest, "model",
                       "missing_required_parameter"});
  }
  if (request_.consumer != nullptr && !request_.consumer->MayUse(request_.model)) {
    return Reply(403, {Concat({"This key may not use the model `", request_.model, "`."}),
                       "permission_error", "model", "model_not_allowed"});
  }
  CountPrompt(body.root());
  PrepareCaching(body.root());
  return std::nullopt;
}

void TransactionImpl::CountPrompt(const json::Value& body) {
  model_ = plan().FindModel(request_.model);
  counting_ = CountingOf(model_, request_.model);
  prompt_ = metering::CountPromptOf(target_asked_.dialect, target_asked_.operation, counting_.model,
                                    *counting_.tokenizer, counting_.is_known, body, {});
  const policy::Pool& pool = MainPool();
  if (pool.strategy == balance::Strategy::kHash && pool.hash_key == nullptr) {
    prefix_hash_ = PrefixHash(body);
  }
  declares_functions_ = static_cast<bool>(body["tools"]) || static_cast<bool>(body["functions"]);
}

// The same request, of another model.
bool TransactionImpl::ChangeModel(std::string_view model) {
  if (request_.consumer != nullptr && !request_.consumer->MayUse(model)) return false;
  json::Document body;
  if (!dialects::ReadRequest(target_asked_.dialect, target_asked_.operation, target_asked_,
                             request_.body, &body)
           .ok()) {
    return false;
  }
  request_.model = model;
  CountPrompt(body.root());
  return true;
}

}  // namespace weir::engine
