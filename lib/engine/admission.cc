// May this request pass: its route, its caller, its size, its limits.

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
// What a request that states no maximum may write, where the model's own maximum is unknown.
constexpr uint64_t kDefaultMaxOutput = 4096;

std::string_view UnitWords(policy::Unit unit) {
  switch (unit) {
    case policy::Unit::kTokens:
      return "tokens";
    case policy::Unit::kPromptTokens:
      return "prompt tokens";
    case policy::Unit::kCompletionTokens:
      return "completion tokens";
    case policy::Unit::kRequests:
      return "requests";
  }
  return "";
}

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
  std::vector<auth::Header> headers;
  headers.reserve(request_.headers.entries().size());
  for (const HeaderList::Entry& entry : request_.headers.entries()) {
    headers.push_back({entry.name, entry.value});
  }
  const auth::Identity identity = generation_->keys->Identify(headers);
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
  if (!limits_applied_) {
    if (std::optional<Action> refusal = ReadRequest()) return *refusal;
    if (std::optional<Action> refusal = ApplyLimits()) return *refusal;
    limits_applied_ = true;
  }
  if (!limits_taken_) {
    if (std::optional<Action> refusal = TakeLimits()) return *refusal;
  }
  attempts_.reserve(pool().retry.attempts);  // so that a right once taken is never lost
  availability_.assign(pool().members.size(), balance::Availability::kUsable);
  if (std::optional<Action> forward = Forward()) return *forward;
  return AllDown();
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
  const std::string target = request_.Target();
  const auto parsed = dialects::ParseTarget(target);
  // The route's parameters may have made another path of it, or steps that walk up.
  if (!parsed || !dialects::SameFamily(parsed->dialect, request_.route->dialect)) {
    return UnknownUrl();
  }
  target_asked_ = *parsed;
  json::Document body;
  auto asked =
      dialects::ReadRequest(parsed->dialect, parsed->operation, target, request_.body, &body);
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
  tokenizer_ = &TokenizerFor(plan(), request_.model, &tokenizer_known_);
  const std::string hint = tokenizer_known_ ? "" : tokens::ModelHint(request_.model);
  prompt_ = metering::CountPromptOf(parsed->dialect, parsed->operation,
                                    hint.empty() ? request_.model : hint, *tokenizer_,
                                    tokenizer_known_, body.root(), {});
  return std::nullopt;
}

// Finds which counters of which limits this request meets.
std::optional<Action> TransactionImpl::ApplyLimits() {
  const RequestEnvironment environment(request_);
  limits_.clear();
  limits_.reserve(request_.route->limits.size());  // charges point into the keys
  for (uint32_t index : request_.route->limits) {
    const policy::Limit& limit = plan().limits[index];
    std::string scratch;
    const std::optional<std::string_view> key = limit.key->EvalString(environment, &scratch);
    if (!key && limit.on_missing_key != policy::MissingKey::kShared) {
      const bool skip = limit.on_missing_key == policy::MissingKey::kSkip;
      generation_->instruments->LimitDecision(limit.name, skip ? "skipped" : "no_key");
      if (skip) continue;
      return Reply(403, {Concat({"The limit ", limit.name, " has no key for this request."}),
                         "permission_error", "", "limit_key_missing"});
    }
    if (!key) generation_->instruments->LimitDecision(limit.name, "shared_key");
    AppliedLimit& applied = limits_.emplace_back();
    applied.limit = index;
    applied.key = std::string(key.value_or(std::string_view()));
    applied.charge = ChargeOf(limit);
  }
  for (AppliedLimit& applied : limits_) applied.charge.key = applied.key;
  return std::nullopt;
}

limits::Charge TransactionImpl::ChargeOf(const policy::Limit& limit) const {
  limits::Charge charge;
  charge.rule = limit.rule;
  if (limit.unit == policy::Unit::kRequests) {
    charge.cost = 1;
    return charge;
  }
  if (limit.unit != policy::Unit::kCompletionTokens && limit.reserve_prompt) {
    charge.cost = prompt_.count;
  }
  const bool writes = asked_ && asked_->operation != dialects::Operation::kEmbeddings;
  if (limit.unit != policy::Unit::kPromptTokens && writes) {
    const policy::Model* model = plan().FindModel(request_.model);
    const uint64_t model_max =
        model != nullptr && model->max_output != 0 ? model->max_output : kDefaultMaxOutput;
    switch (limit.reserve_output) {
      case policy::OutputReserve::kNone:
        break;
      case policy::OutputReserve::kMaxTokens:
        charge.cost = SaturatingAdd(
            charge.cost, SaturatingMul(asked_->max_output_tokens.value_or(model_max), asked_->n));
        break;
      case policy::OutputReserve::kLearned:
        charge.learned = true;
        break;
      case policy::OutputReserve::kFixed:
        charge.headroom = limit.reserve_output_tokens;
        break;
    }
  }
  // With nothing to reserve, only the state of the counter decides: one unit must be left.
  charge.cost = std::max<uint64_t>(charge.cost, 1);
  return charge;
}

std::optional<Action> TransactionImpl::TakeLimits() {
  absl::InlinedVector<limits::Charge, 4> enforced;
  for (const AppliedLimit& applied : limits_) {
    if (!plan().limits[applied.limit].shadow) enforced.push_back(applied.charge);
  }
  for (AppliedLimit& applied : limits_) {
    if (!plan().limits[applied.limit].shadow || applied.shadow.active()) continue;
    const limits::Charge alone[] = {applied.charge};
    applied.verdict = generation_->limiter->Reserve(alone, now_, &applied.shadow).verdicts.front();
  }
  const limits::Decision decision = generation_->limiter->Reserve(enforced, now_, &held_);
  limits_taken_ = decision.admitted;
  size_t next = 0;
  for (AppliedLimit& applied : limits_) {
    if (!plan().limits[applied.limit].shadow) applied.verdict = decision.verdicts[next++];
  }
  if (!decision.admitted) return Refuse(decision);
  TryToMeter([&] { MeterDecisions(decision); });
  return std::nullopt;
}

void TransactionImpl::MeterDecisions(const limits::Decision& decision) {
  for (const AppliedLimit& applied : limits_) {
    const policy::Limit& limit = plan().limits[applied.limit];
    const std::string_view word =
        limit.shadow ? (applied.verdict.admitted ? "shadow_admitted" : "shadow_refused")
        : applied.verdict.admitted ? (decision.admitted ? "admitted" : "not_binding")
                                   : "refused";
    generation_->instruments->LimitDecision(limit.name, word);
  }
}

// Waits if every limit that refuses lets it, else says no in the words of the one that binds.
Action TransactionImpl::Refuse(const limits::Decision& decision) {
  if (!waiting_since_mono_ns_) waiting_since_mono_ns_ = now_.mono_ns;
  const int64_t waited_ns = ElapsedNs(*waiting_since_mono_ns_, now_.mono_ns);
  bool may_wait = !decision.table_full;
  const AppliedLimit* binding = nullptr;
  for (const AppliedLimit& applied : limits_) {
    const policy::Limit& limit = plan().limits[applied.limit];
    if (limit.shadow || applied.verdict.admitted) continue;
    if (SaturatingAdd(waited_ns, applied.verdict.retry_after_ns) > limit.max_wait_ns) {
      may_wait = false;
    }
    if (binding == nullptr || applied.verdict.retry_after_ns > binding->verdict.retry_after_ns) {
      binding = &applied;
    }
  }
  if (may_wait) {
    Action wait;
    wait.kind = ActionKind::kWait;
    wait.deadline_mono_ns = SaturatingAdd(now_.mono_ns, decision.retry_after_ns);
    return wait;
  }
  TryToMeter([&] { MeterDecisions(decision); });
  if (binding == nullptr) {
    SetRetryHeaders(kSecond);
    return Reply(503, {"The limits cannot take another key at the moment.", "server_error", "",
                       "limit_table_full"});
  }
  const policy::Limit& limit = plan().limits[binding->limit];
  const limits::Verdict& verdict = binding->verdict;
  std::string message = limit.message;
  if (message.empty()) {
    message = Concat({"Limit ", limit.name, " reached: ", std::to_string(verdict.amount), " ",
                      UnitWords(limit.unit), " per ",
                      FormatResetDuration(plan().rules[limit.rule].window_ns), ". Used ",
                      std::to_string(verdict.used_before), ", requested ",
                      std::to_string(binding->charge.cost), "."});
    message +=
        verdict.retry_after_ns == limits::kNever
            ? " The request is larger than the limit."
            : Concat({" Please try again in ", FormatResetDuration(verdict.retry_after_ns), "."});
  }
  SetLimitHeaders();
  SetRetryHeaders(decision.retry_after_ns);
  Words words = {std::move(message), limit.unit == policy::Unit::kRequests ? "requests" : "tokens",
                 "", "rate_limit_exceeded"};
  if (decision.retry_after_ns != limits::kNever) words.retry_after_ns = decision.retry_after_ns;
  return Reply(limit.status, words);
}

}  // namespace weir::engine
