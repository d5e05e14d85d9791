// The backend's answer: try elsewhere or relay it, and what of its bytes is passed on.

#include <algorithm>

#include "base/saturating.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/signals.h"
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
  answered.utilization = UtilizationTold(answer_headers_);
  HeedSignals();
  if (answer_status_ >= 200 && answer_status_ < 300) {
    NoteFirstByte();
    return RelayHead();
  }
  breaker::Outcome told;
  told.status = answer_status_;
  const int64_t cap_ns = plan().backends[answered.backend].breaker.retry_after_max_ns;
  told.retry_after_ns =
      breaker::ParseRetryAfter(RetryHeadersOf(answer_headers_), now_, cap_ns).value_or(-1);
  EndAttempt(&answered, "status", &told, prompt_.count);
  const bool worth_it = Matches(pool().retry.statuses, answer_status_);
  if (worth_it && TurnToOther()) return Await();
  if (std::optional<Action> next = RetryElsewhere(worth_it)) return *next;
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
  EndAttempt(&attempt(), FailureName(failure_), &told,
             failure_ == Failure::kConnect ? 0 : prompt_.count);
  if (TurnToOther()) return Await();
  if (std::optional<Action> next = RetryElsewhere(worth_it)) return *next;
  if (retry_at_mono_ns_ != 0) return AllDown();
  SettleLimits({}, /*learn=*/false);
  const bool timeout = failure_ == Failure::kTimeout;
  return Reply(timeout ? 504 : 502,
               {timeout ? "The backend did not answer in time." : "The backend cannot be reached.",
                "server_error", "", timeout ? "backend_timeout" : "backend_unreachable"});
}

Action TransactionImpl::RelayHead() {
  const bool success = answer_status_ >= 200 && answer_status_ < 300;
  DropOthers("hedge_lost");
  if (success) KeepSession();
  if (success && IsCounted()) StartMeter();
  SetLimitHeaders();
  SetCacheHeader();
  SetClientHeader(policy::ClientHeader::kBackend, plan().backends[attempt().backend].name);
  SetClientHeader(policy::ClientHeader::kAttempts, Decimal(attempts_.size()));
  Action relay;
  relay.status = answer_status_;
  phase_ = Phase::kRelay;
  ForgetAsked();
  return relay;
}

// No other backend is asked from here on, and an answer may take minutes.
void TransactionImpl::ForgetAsked() {
  sent_ = {};
  RecycledString().swap(rewritten_);
  RecycledString().swap(target_);
  if (!plan().reads_bodies) RecycledString().swap(request_.body);
  answer_headers_.Clear();
}

void TransactionImpl::NoteFirstByte() {
  if (generation_->first_bytes[pool_] == nullptr) return;
  FirstByteOf(pool_)->Add(ElapsedNs(attempt().sent_mono_ns, now_.mono_ns), pool().hedge.below);
}

void TransactionImpl::StartMeter() {
  metering::StreamMeterOptions options;
  options.dialect = plan().backends[attempt().backend].dialect;
  options.operation = asked_->operation;
  options.content_type = TrimSpace(answer_headers_.Get("content-type"));
  options.content_encoding = TrimSpace(answer_headers_.Get("content-encoding"));
  options.tokenizer = counting_.tokenizer;
  options.tokenizer_is_exact = counting_.is_known;
  options.model = counting_.model;
  options.declares_functions = declares_functions_;
  options.strip_usage = attempt().injected_usage;
  options.keep_bytes = KeepsBytes();
  may_cut_ = MayCut();
  options.hold_events = may_cut_;
  meter_ = metering::StreamMeter::Create(options);
  const dialects::BodyKind kind = dialects::KindOf(options.content_type);
  is_stream_ = kind == dialects::BodyKind::kSse || kind == dialects::BodyKind::kEventStream;
  is_encoded_ =
      !options.content_encoding.empty() && !EqualsIgnoreCase(options.content_encoding, "identity");
  if (RewritesBody()) RemoveHeader("content-length");
}

// Takes in what was fed since the last decision; if bytes are left out, body_ becomes the others.
void TransactionImpl::ReadFedBytes() {
  if (!fed_.empty() && !first_bytes_mono_ns_) {
    first_bytes_mono_ns_ = now_.mono_ns;
    const int64_t took_ns = ElapsedNs(attempt().sent_mono_ns, now_.mono_ns);
    if (answer_status_ >= 200 && answer_status_ < 300) {
      generation_->pools[attempt().pool]->FirstToken(static_cast<int>(attempt().member), took_ns,
                                                     now_);
    }
  }
  if (answer_status_ >= 200 && answer_status_ < 300) LearnId(fed_);
  if (meter_ != nullptr && !meter_failed_) {
    meter_failed_ = true;
    if (is_stream_) {
      FeedStream();
    } else {
      meter_->Feed(fed_, nullptr);
    }
    meter_failed_ = false;
  }
  fed_.clear();
}

// The limits are asked for more as the answer grows; if one may end it, after each event.
void TransactionImpl::FeedStream() {
  std::string* const relay = RewritesBody() ? &body_ : nullptr;
  if (!may_cut_) {
    meter_->Feed(fed_, relay);
    TopUp();
    return;
  }
  for (std::string_view rest = fed_; !rest.empty();) {
    rest.remove_prefix(meter_->FeedEvent(rest, relay));
    if (TopUp()) continue;
    const dialects::StreamReader* reader = meter_->reader();
    if (reader == nullptr || !reader->can_finish_early()) continue;
    const metering::Metered so_far = meter_->Read();
    dialects::Usage usage = so_far.usage;
    usage.prompt = usage.prompt.value_or(prompt_.count);
    usage.completion = so_far.completion;
    body_ += reader->FinishEarly(usage, asked_->include_usage);
    break_ = Break::kCut;
    return;
  }
}

// The answer's own end came.
void TransactionImpl::EndMeter() {
  if (meter_ == nullptr || meter_failed_) return;
  meter_failed_ = true;
  meter_->End(RewritesBody() ? &body_ : nullptr);
  meter_failed_ = false;
  // A stream that just stops is not noticed by most clients: whoever truncates must say so.
  const dialects::StreamReader* reader = meter_->reader();
  if (!is_stream_ || reader == nullptr || meter_->unread() != metering::Unread::kNothing) return;
  if (!reader->saw_done() && !reader->saw_finish() && !reader->saw_error()) {
    break_ = Break::kTruncated;
  }
}

Action TransactionImpl::RelayBody() {
  const bool fed = !fed_.empty();
  // What of the body was to be left out is not known any more.
  if (meter_failed_ && RewritesBody()) break_ = Break::kTruncated;
  ReadFedBytes();
  if (break_ == Break::kCut) return FinishCut();
  if (answer_ended_) EndMeter();
  if (break_ != Break::kNone) return FinishBroken();
  if (answer_ended_) KeepAnswer();
  Action action;
  if (RewritesBody()) {
    action.relay = body_.empty() ? Relay::kNothing : Relay::kView;
  } else {
    action.relay = fed ? Relay::kInput : Relay::kNothing;
  }
  if (!answer_ended_) return action;
  breaker::Outcome told;
  told.status = answer_status_;
  const dialects::StreamReader* reader = meter_ != nullptr ? meter_->reader() : nullptr;
  const bool stream_error = is_stream_ && reader != nullptr && reader->saw_error();
  if (stream_error) told = {0, breaker::Failure::kStreamError, -1};
  SettleAnswer(stream_error ? "stream_error" : "ok", &told);
  if (meter_ != nullptr && !is_stream_) {
    const uint64_t total = SaturatingAdd(used_->prompt, used_->completion);
    SetClientHeader(policy::ClientHeader::kTokensConsumed, Decimal(total));
  }
  action.kind = ActionKind::kDone;
  End(answer_status_);
  return action;
}

// A limit was used up: the client got an end that its dialect knows. The backend did nothing wrong.
Action TransactionImpl::FinishCut() {
  breaker::Outcome told;
  told.status = answer_status_;
  SettleAnswer("cut", &told);
  Action finish;
  finish.kind = ActionKind::kFinish;
  finish.relay = Relay::kView;
  End(answer_status_);
  return finish;
}

// The answer broke off: the client gets what came, then is told in a way that it notices.
Action TransactionImpl::FinishBroken() {
  breaker::Outcome told;
  told.failure =
      break_ == Break::kTruncated ? breaker::Failure::kTruncated : BreakerFailure(failure_);
  const std::string_view outcome =
      break_ == Break::kTruncated ? "truncated" : FailureName(failure_);
  if (is_stream_ && !is_encoded_) {
    body_ += dialects::ErrorEvent(ClientDialect(), asked_->operation,
                                  {.status = 502,
                                   .message = "The backend broke off its answer.",
                                   .type = "server_error",
                                   .code = "backend_stream_broken"},
                                  meter_->reader()->events());
  }
  SettleAnswer(outcome, &told);
  Action finish;
  finish.kind = ActionKind::kFinish;
  finish.relay = body_.empty() ? Relay::kNothing : Relay::kView;
  End(answer_status_);
  return finish;
}

}  // namespace weir::engine
