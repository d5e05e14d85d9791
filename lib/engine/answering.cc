// The backend's answer: try elsewhere or relay it, and what of its bytes is passed on.

#include <algorithm>

#include "base/saturating.h"
#include "base/text.h"
#include "engine/transaction.h"

namespace weir::engine {
namespace {

bool Matches(const std::vector<breaker::StatusRange>& ranges, int status) {
  return std::any_of(ranges.begin(), ranges.end(), [status](const breaker::StatusRange& range) {
    return status >= range.first && status <= range.last;
  });
}

breaker::Failure BreakerFailure(Failure failure) {
  switch (failure) {
    case Failure::kConnect:
      return breaker::Failure::kConnect;
    case Failure::kTimeout:
      return breaker::Failure::kTimeout;
    case Failure::kReset:
      return breaker::Failure::kReset;
  }
  return breaker::Failure::kReset;
}

std::string_view FailureName(Failure failure) {
  switch (failure) {
    case Failure::kConnect:
      return "connect";
    case Failure::kTimeout:
      return "timeout";
    case Failure::kReset:
      return "reset";
  }
  return "";
}

}  // namespace

Action TransactionImpl::DecideAnswer() {
  Attempt& answered = attempt();
  answered.status = answer_status_;
  if (answer_status_ >= 200 && answer_status_ < 300) return RelayHead();
  breaker::Outcome told;
  told.status = answer_status_;
  const int64_t cap_ns = plan().backends[answered.backend].breaker.retry_after_max_ns;
  told.retry_after_ns =
      breaker::ParseRetryAfter(answer_headers_.Get("retry-after"),
                               answer_headers_.Get("retry-after-ms"), now_, cap_ns)
          .value_or(-1);
  EndAttempt("status", &told, prompt_.count);
  if (std::optional<Action> next = RetryElsewhere(Matches(pool().retry.statuses, answer_status_))) {
    return *next;
  }
  return RelayHead();
}

Action TransactionImpl::DecideFailure() {
  const policy::Retry& retry = pool().retry;
  const bool worth_it = failure_ == Failure::kConnect   ? retry.on_connect
                        : failure_ == Failure::kTimeout ? retry.on_timeout
                                                        : retry.on_reset;
  breaker::Outcome told;
  told.failure = BreakerFailure(failure_);
  // What never reached the backend cost it nothing.
  EndAttempt(FailureName(failure_), &told, failure_ == Failure::kConnect ? 0 : prompt_.count);
  if (std::optional<Action> next = RetryElsewhere(worth_it)) return *next;
  if (retry_at_mono_ns_ != 0) return AllDown();
  SettleLimits({}, /*learn=*/false);
  const bool timeout = failure_ == Failure::kTimeout;
  return Reply(timeout ? 504 : 502,
               {timeout ? "The backend did not answer in time." : "The backend cannot be reached.",
                "server_error", "", timeout ? "backend_timeout" : "backend_unreachable"});
}

std::optional<Action> TransactionImpl::RetryElsewhere(bool worth_it) {
  if (!worth_it || attempts_.size() >= pool().retry.attempts) return std::nullopt;
  return Forward();
}

Action TransactionImpl::RelayHead() {
  const bool success = answer_status_ >= 200 && answer_status_ < 300;
  const std::string_view encoding = TrimSpace(answer_headers_.Get("content-encoding"));
  const std::string_view type = TrimSpace(answer_headers_.Get("content-type"));
  if (success && IsCounted()) {
    const dialects::Dialect dialect = plan().backends[attempt().backend].dialect;
    const dialects::BodyKind kind = dialects::KindOf(type);
    if (!encoding.empty() && !EqualsIgnoreCase(encoding, "identity")) {
      answer_unread_ = true;
    } else if (kind == dialects::BodyKind::kSse || kind == dialects::BodyKind::kEventStream) {
      stream_ = dialects::StreamReader::Create(dialect, asked_->operation, kind);
      answer_kind_ = AnswerKind::kStream;
      stream_->set_strip_usage(injected_usage_);
      if (injected_usage_) RemoveHeader("content-length");
    } else {
      answer_kind_ = AnswerKind::kJson;
    }
  }
  SetLimitHeaders();
  SetHeader("x-weir-backend", plan().backends[attempt().backend].name);
  SetHeader("x-weir-attempts", std::to_string(attempts_.size()));
  Action relay;
  relay.status = answer_status_;
  phase_ = Phase::kRelay;
  return relay;
}

// Takes in what was fed since the last decision; with a stream, body_ becomes what is passed on.
void TransactionImpl::ReadFedBytes() {
  if (!fed_.empty() && !first_bytes_seen_) {
    first_bytes_seen_ = true;
    TryToMeter([&] {
      const std::vector<std::string> custom = DimensionValues();
      generation_->instruments->TimeToFirstToken(LabelsWith(custom),
                                                 now_.mono_ns - attempt().sent_mono_ns);
    });
  }
  if (answer_unread_) {
    // Nothing of it is read any more.
  } else if (answer_kind_ == AnswerKind::kStream) {
    answer_unread_ = true;  // should memory run out in here, the reader is not to be fed again
    stream_->Feed(fed_, &body_);
    CollectDeltas();
    answer_unread_ = false;
  } else if (answer_kind_ == AnswerKind::kJson) {
    if (answer_.size() + fed_.size() > kMaxAnswerBytes) {
      answer_unread_ = true;
      answer_.clear();
    } else {
      answer_.append(fed_);
    }
  }
  fed_.clear();
}

// Text is counted in pieces of this size, so that an endless stream holds no memory; a seam between
// pieces may cost one token.
void TransactionImpl::CollectDeltas() {
  constexpr size_t kCountedAtOnce = size_t{64} << 10;
  for (dialects::StreamReader::Delta& delta : stream_->TakeDeltas()) {
    constexpr uint32_t kMaxChoices = 128;
    const uint32_t choice = std::min(delta.choice, kMaxChoices - 1);
    if (written_.size() <= choice) written_.resize(choice + 1);
    std::string& text = written_[choice];
    text.append(delta.text);
    if (text.size() < kCountedAtOnce) continue;
    written_tokens_ += tokenizer_->Count(text);
    text.clear();
  }
}

Action TransactionImpl::RelayBody() {
  const bool fed = !fed_.empty();
  if (answer_kind_ == AnswerKind::kStream && answer_unread_) break_ = Break::kTruncated;
  ReadFedBytes();
  const bool rewritten = answer_kind_ == AnswerKind::kStream && injected_usage_;
  if (answer_ended_ && stream_ != nullptr) {
    stream_->End(&body_);
    CollectDeltas();
    // A stream that just stops is not noticed by most clients: whoever truncates must say so.
    if (!stream_->saw_done() && !stream_->saw_finish() && !stream_->saw_error()) {
      break_ = Break::kTruncated;
    }
  }
  if (break_ != Break::kNone) return FinishBroken();
  Action action;
  action.relay = !fed && body_.empty() ? Relay::kNothing : rewritten ? Relay::kView : Relay::kInput;
  if (action.relay == Relay::kInput) body_.clear();
  if (!answer_ended_) return action;
  breaker::Outcome told;
  told.status = answer_status_;
  const bool stream_error = stream_ != nullptr && stream_->saw_error();
  if (stream_error) told = {0, breaker::Failure::kStreamError, -1};
  SettleAnswer(stream_error ? "stream_error" : "ok", &told);
  if (answer_kind_ == AnswerKind::kJson) {
    const uint64_t total = SaturatingAdd(used_->prompt, used_->completion);
    SetHeader("x-weir-tokens-consumed", std::to_string(total));
  }
  action.kind = ActionKind::kDone;
  End(answer_status_);
  return action;
}

// The answer broke off: the client gets what came, then is told in a way that it notices.
Action TransactionImpl::FinishBroken() {
  breaker::Outcome told;
  told.failure =
      break_ == Break::kTruncated ? breaker::Failure::kStreamError : BreakerFailure(failure_);
  const std::string_view outcome =
      break_ == Break::kTruncated ? "truncated" : FailureName(failure_);
  if (answer_kind_ == AnswerKind::kStream) {
    body_ += dialects::ErrorEvent(ClientDialect(), asked_->operation,
                                  {.status = 502,
                                   .message = "The backend broke off its answer.",
                                   .type = "server_error",
                                   .code = "backend_stream_broken"},
                                  stream_->events());
  }
  SettleAnswer(outcome, &told);
  Action finish;
  finish.kind = ActionKind::kFinish;
  finish.relay = body_.empty() ? Relay::kNothing : Relay::kView;
  End(answer_status_);
  return finish;
}

}  // namespace weir::engine
