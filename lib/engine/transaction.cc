// Feeding is bookkeeping; Next asks the part that the phase belongs to.

#include "engine/transaction.h"

#include <utility>

#include "base/text.h"

namespace weir::engine {
namespace {

absl::Status OutOfOrder(std::string_view call) {
  return absl::FailedPreconditionError(Concat({call, " does not belong here"}));
}

}  // namespace

TransactionImpl::TransactionImpl(std::shared_ptr<const Generation> generation)
    : generation_(std::move(generation)) {}

// The client left, or the host is done: whatever is still open ends here. If memory runs out even
// for that, bookings stay and expire with their windows: the host is charged, never killed.
TransactionImpl::~TransactionImpl() {
  try {
    Close();
  } catch (...) {
    phase_ = Phase::kEnded;
  }
  TryToMeter([this] { MeterOverhead(); });
}

void TransactionImpl::Close() {
  constexpr int kClientClosedRequest = 499;  // nginx's number for it
  if (phase_ == Phase::kEnded) return;
  if (!attempts_.empty()) {
    SettleAnswer("abandoned", nullptr);
  } else {
    ReleaseLimits();
  }
  End(kClientClosedRequest);
}

absl::Status TransactionImpl::RequestHead(std::string_view method, std::string_view target,
                                          std::string_view client) {
  if (phase_ != Phase::kStart) return OutOfOrder("a request head");
  phase_ = Phase::kHead;
  request_.method = request_.headers.Keep(method);
  request_.client = request_.headers.Keep(client.substr(0, 256));
  if (target.size() > kMaxTargetBytes) {
    request_.target_too_large = true;
    return absl::OkStatus();
  }
  const size_t question = std::min(target.find('?'), target.size());
  request_.path = request_.headers.Keep(target.substr(0, question));
  if (question < target.size()) request_.query = request_.headers.Keep(target.substr(question + 1));
  return absl::OkStatus();
}

absl::Status TransactionImpl::RequestHeader(std::string_view name, std::string_view value) {
  if (phase_ != Phase::kHead || request_ended_ || !request_.body.empty()) {
    return OutOfOrder("a request header");
  }
  request_.headers.Add(name, value);
  return absl::OkStatus();
}

absl::Status TransactionImpl::Attribute(std::string_view name, std::string_view value) {
  if (phase_ > Phase::kHead) return OutOfOrder("an attribute");
  if (request_.attributes.size() >= kMaxHeaders) {
    return absl::ResourceExhaustedError("a transaction has at most 256 attributes");
  }
  request_.attributes.emplace_back(request_.headers.Keep(name), request_.headers.Keep(value));
  return absl::OkStatus();
}

absl::Status TransactionImpl::RequestBody(std::string_view bytes) {
  if ((phase_ != Phase::kHead && phase_ != Phase::kBody) || request_ended_) {
    return OutOfOrder("a piece of the request body");
  }
  if (request_.body_too_large || bytes.size() > plan().body_bytes_max - request_.body.size()) {
    request_.body_too_large = true;
    request_.body.clear();
    return absl::OkStatus();
  }
  request_.body.append(bytes);
  return absl::OkStatus();
}

absl::Status TransactionImpl::RequestEnd() {
  if ((phase_ != Phase::kHead && phase_ != Phase::kBody) || request_ended_) {
    return OutOfOrder("the end of the request");
  }
  request_ended_ = true;
  return absl::OkStatus();
}

absl::Status TransactionImpl::ResponseHead(int status) {
  if (phase_ != Phase::kSent) return OutOfOrder("a response head");
  if (status < 100 || status > 999) return absl::InvalidArgumentError("no such HTTP status");
  phase_ = Phase::kAnswered;
  answer_status_ = status;
  answer_headers_.Clear();
  return absl::OkStatus();
}

absl::Status TransactionImpl::ResponseHeader(std::string_view name, std::string_view value) {
  if (phase_ != Phase::kAnswered) return OutOfOrder("a response header");
  answer_headers_.Add(name, value);
  return absl::OkStatus();
}

absl::Status TransactionImpl::ResponseBody(std::string_view bytes) {
  if (phase_ != Phase::kRelay || answer_ended_ || break_ != Break::kNone) {
    return OutOfOrder("a piece of the response body");
  }
  fed_.append(bytes);
  return absl::OkStatus();
}

absl::Status TransactionImpl::ResponseEnd() {
  if (phase_ != Phase::kRelay || answer_ended_ || break_ != Break::kNone) {
    return OutOfOrder("the end of the response");
  }
  answer_ended_ = true;
  return absl::OkStatus();
}

absl::Status TransactionImpl::ResponseFailed(Failure failure) {
  if (phase_ == Phase::kSent || phase_ == Phase::kAnswered) {
    phase_ = Phase::kFailed;
  } else if (phase_ == Phase::kRelay && !answer_ended_ && break_ == Break::kNone) {
    break_ = Break::kFailed;
  } else {
    return OutOfOrder("a failure of the response");
  }
  failure_ = failure;
  return absl::OkStatus();
}

void TransactionImpl::ClientLeft(Now now) {
  if (phase_ == Phase::kEnded) return;
  if (started_mono_ns_) now_ = now;
  Close();
}

// What the last action showed.
void TransactionImpl::ForgetAction() {
  url_ = {};
  target_.clear();
  sent_ = {};
  body_.clear();
  edits_.clear();
  edit_texts_.Reuse();
  // While a stream is relayed, which may take minutes, there are none.
  if (phase_ == Phase::kRelay && is_stream_) {
    RecycledVector<HeaderEdit>().swap(edits_);
    edit_texts_.Clear();
  }
}

absl::StatusOr<Action> TransactionImpl::Next(Now now) {
  const bool awaits_answer = phase_ == Phase::kSent && hedge_at_mono_ns_ == 0 && !has_hedged_;
  if (phase_ == Phase::kStart || awaits_answer || phase_ == Phase::kEnded) {
    return absl::FailedPreconditionError(phase_ == Phase::kEnded
                                             ? "the transaction has ended"
                                             : "there is nothing to decide upon yet");
  }
  now_ = now;
  if (!started_mono_ns_) {
    started_mono_ns_ = now.mono_ns;
    started_unix_ns_ = now.unix_ns;
  }
  ForgetAction();
  const Action action = DecideNow();
  SetExplainHeader(action);
  return action;
}

Action TransactionImpl::DecideNow() {
  if (phase_ == Phase::kHead) {
    if (std::optional<Action> refusal = CheckHead()) return *refusal;
    phase_ = Phase::kBody;
  }
  switch (phase_) {
    case Phase::kBody:
      if (request_.body_too_large || request_ended_) {
        phase_ = Phase::kAdmit;
        return Admit();
      }
      return Action{};
    case Phase::kAdmit:
      return Admit();
    case Phase::kRouting:
      return Route();
    case Phase::kSent:
      return Hedge();
    case Phase::kAnswered:
      return DecideAnswer();
    case Phase::kFailed:
      return DecideFailure();
    default:
      return RelayBody();
  }
}

}  // namespace weir::engine
