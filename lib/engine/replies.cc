// weir's own answers in the client's dialect, and the headers that go with every answer.

#include <algorithm>

#include "base/saturating.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/transaction.h"

namespace weir::engine {
namespace {

// Real clients obey a retry-after of a minute; some ignore longer ones and hammer, others hang for
// the whole of it. For those waits they are told not to retry by themselves.
constexpr int64_t kLongWaitNs = kMinute;

}  // namespace

dialects::Dialect TransactionImpl::ClientDialect() const {
  if (request_.route != nullptr) return request_.route->dialect;
  const auto parsed = dialects::ParseTarget(request_.path);
  return parsed ? parsed->dialect : dialects::Dialect::kOpenAi;
}

Action TransactionImpl::Reply(int status, const Words& words) {
  body_ = dialects::ErrorBody(ClientDialect(), {.status = status,
                                                .message = words.message,
                                                .type = words.type,
                                                .param = words.param,
                                                .code = words.code,
                                                .retry_after_ns = words.retry_after_ns});
  SetHeader("content-type", "application/json");
  if (ClientDialect() == dialects::Dialect::kBedrock) {
    SetHeader(dialects::kBedrockErrorHeader, dialects::ErrorType(ClientDialect(), status));
  }
  if (!attempts_.empty()) {
    SetClientHeader(policy::ClientHeader::kAttempts, Decimal(attempts_.size()));
  }
  Action reply;
  reply.kind = ActionKind::kReply;
  reply.status = status;
  End(status);
  return reply;
}

// `name` must stay: a literal, or the policy's or the request's own.
// A value with a line break or a NUL would be another header's beginning: it is not sent.
void TransactionImpl::SetHeader(std::string_view name, std::string_view value) {
  const auto ends_line = [](char c) { return c == '\r' || c == '\n' || c == '\0'; };
  if (std::any_of(value.begin(), value.end(), ends_line)) return;
  AddEdit({HeaderEdit::Operation::kSet, name, value});
}

void TransactionImpl::AddEdit(HeaderEdit edit) {
  constexpr size_t kUsual = 10;
  if (edits_.capacity() == 0 && phase_ != Phase::kRelay) edits_.reserve(kUsual);
  edit.value = edit_texts_.Keep(edit.value);
  edits_.push_back(edit);
}

// By the name that the policy gives it, if any.
void TransactionImpl::SetClientHeader(policy::ClientHeader header, std::string_view value) {
  const std::string& name = plan().client_headers[static_cast<size_t>(header)];
  if (!name.empty()) SetHeader(name, value);
}

void TransactionImpl::RemoveHeader(std::string_view name) {
  AddEdit({HeaderEdit::Operation::kRemove, name, {}});
}

// Rounded up, so that who waits that long is admitted; never 0, which some clients take for "now".
void TransactionImpl::SetRetryHeaders(int64_t retry_after_ns) {
  if (retry_after_ns > kLongWaitNs) {  // kNever too
    SetClientHeader(policy::ClientHeader::kShouldRetry, "false");
  }
  if (retry_after_ns == limits::kNever) return;
  const auto ns = static_cast<uint64_t>(std::max<int64_t>(retry_after_ns, 1));
  SetClientHeader(policy::ClientHeader::kRetryAfter, Decimal(CeilDiv(ns, kSecond)));
  SetClientHeader(policy::ClientHeader::kRetryAfterMs, Decimal(CeilDiv(ns, kMillisecond)));
}

// OpenAI's x-ratelimit-* headers, of the limit that has least left, for tokens and for requests.
void TransactionImpl::SetLimitHeaders() {
  using policy::ClientHeader;
  using policy::Unit;
  for (const bool requests : {false, true}) {
    const AppliedLimit* tightest = nullptr;
    for (const AppliedLimit& applied : limits_) {
      const policy::Limit& limit = plan().limits[applied.limit];
      const bool is_of_tokens = limit.unit == Unit::kTokens || limit.unit == Unit::kPromptTokens ||
                                limit.unit == Unit::kCompletionTokens;
      if (limit.shadow || !(requests ? limit.unit == Unit::kRequests : is_of_tokens)) continue;
      if (tightest == nullptr || applied.verdict.remaining < tightest->verdict.remaining) {
        tightest = &applied;
      }
    }
    if (tightest == nullptr) continue;
    const limits::Verdict& verdict = tightest->verdict;
    SetClientHeader(requests ? ClientHeader::kLimitRequests : ClientHeader::kLimitTokens,
                    Decimal(verdict.amount));
    SetClientHeader(requests ? ClientHeader::kRemainingRequests : ClientHeader::kRemainingTokens,
                    Decimal(verdict.remaining));
    if (verdict.reset_ns == limits::kNever) continue;
    SetClientHeader(requests ? ClientHeader::kResetRequests : ClientHeader::kResetTokens,
                    FormatResetDuration(verdict.reset_ns));
  }
  const bool is_other_model = downgrades_ != 0 || request_.model != model_asked_;
  if (is_other_model) SetClientHeader(ClientHeader::kDowngraded, request_.model);
}

}  // namespace weir::engine
