// What exactly is sent to a backend, and the end of every attempt.

#include <algorithm>

#include "base/saturating.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/signals.h"
#include "engine/transaction.h"

namespace weir::engine {

Action TransactionImpl::Send(Attempt* attempt) {
  const policy::Backend& backend = plan().backends[attempt->backend];
  request_.backend = backend.name;
  answer_status_ = 0;
  url_ = backend.origin;
  target_ = backend.base_path;
  AppendTarget(backend);
  sent_ = BackendBody(backend);
  EditForBackend(backend);
  Action forward;
  forward.kind = ActionKind::kForward;
  forward.attempt = static_cast<uint32_t>(attempts_.size());
  forward.deadline_mono_ns =
      std::min(SaturatingAdd(now_.mono_ns, backend.timeout_ns), PlanDeadline());
  forward.wake_mono_ns = hedge_at_mono_ns_ = HedgeTime();
  phase_ = Phase::kSent;
  return forward;
}

// OpenAI's and Azure's targets are made anew, since each may serve the other's clients. The other
// dialects' go on as the client wrote them, with its versions and parameters.
void TransactionImpl::AppendTarget(const policy::Backend& backend) {
  if (!IsCounted()) {
    target_ += request_.Target();
    return;
  }
  const bool openai = dialects::SameFamily(backend.dialect, dialects::Dialect::kOpenAi);
  const bool resource =
      backend.dialect == dialects::Dialect::kGemini && backend.model.find('/') != std::string::npos;
  if (!openai && !resource) {
    const std::string_view model = BackendModel(backend);
    target_ += dialects::RewriteTarget(request_.Target(), target_asked_,
                                       model == target_asked_.model ? std::string_view() : model);
    return;
  }
  const std::string_view fixed = dialects::FixedTarget(backend.dialect, asked_->operation);
  target_ += fixed;
  if (!fixed.empty()) return;
  target_ += dialects::Target(backend.dialect, asked_->operation, BackendModel(backend),
                              BackendVersion(backend), asked_->stream);
}

// What the model is called there.
std::string_view TransactionImpl::BackendModel(const policy::Backend& backend) const {
  for (const auto& [asked, there] : backend.models) {
    if (asked == request_.model) return there;
  }
  return backend.model.empty() ? request_.model : std::string_view(backend.model);
}

std::string TransactionImpl::BackendVersion(const policy::Backend& backend) const {
  return backend.api_version.empty() ? request_.QueryParameter("api-version") : backend.api_version;
}

// Made from the original each time: what one backend wanted never reaches the next.
std::string_view TransactionImpl::BackendBody(const policy::Backend& backend) {
  if (!asked_) return request_.body;
  dialects::Edits edits;
  if (!dialects::ModelInPath(backend.dialect, asked_->operation, BackendVersion(backend))) {
    edits.model = BackendModel(backend);
  }
  const bool can_ask = asked_->operation == dialects::Operation::kChat ||
                       asked_->operation == dialects::Operation::kCompletions;
  attempt().injected_usage = can_ask && asked_->stream && !asked_->include_usage &&
                             dialects::SameFamily(backend.dialect, dialects::Dialect::kOpenAi);
  edits.want_usage = attempt().injected_usage;
  edits.max_output_tokens = clamped_output_;
  return dialects::RewriteRequest(request_.body, *asked_, edits, &rewritten_);
}

void TransactionImpl::EditForBackend(const policy::Backend& backend) {
  constexpr std::string_view kReserved = "x-weir-";
  absl::InlinedVector<std::string_view, 8> removed;
  for (const HeaderList::Entry& entry : request_.headers.entries()) {
    const bool reserved = std::string_view(entry.name).substr(0, kReserved.size()) == kReserved;
    if (!reserved && !auth::IsCredentialHeader(entry.name)) continue;
    if (std::find(removed.begin(), removed.end(), entry.name) != removed.end()) continue;
    removed.push_back(entry.name);
    RemoveHeader(entry.name);
  }
  RemoveHeader("content-length");            // the body may have changed; the host knows its length
  SetHeader("accept-encoding", "identity");  // usage is read as it passes
  SetCredential(backend);
}

void TransactionImpl::SetCredential(const policy::Backend& backend) {
  if (backend.credential < 0) return;
  const policy::Credential& credential =
      plan().credentials[static_cast<size_t>(backend.credential)];
  SetHeader(credential.header, plan().Resolve(credential.value));
}

// The one end of an attempt. `told`: what the breaker learns; null when the end says nothing about
// the backend. `cost`: what its capacity is charged.
void TransactionImpl::EndAttempt(Attempt* attempt, std::string_view outcome,
                                 const breaker::Outcome* told, uint64_t cost) {
  Attempt& ending = *attempt;
  if (!ending.open) return;
  ending.open = false;
  ending.ended_mono_ns = now_.mono_ns;
  ending.outcome = outcome;
  const std::string& backend = plan().backends[ending.backend].name;
  if (told == nullptr) {
    generation_->breaker->Cancel(ending.permit, now_);
  } else {
    TellBreaker(ending, *told);
  }
  const bool failed = told != nullptr && (told->failure != breaker::Failure::kNone ||
                                          told->status == 429 || told->status >= 500);
  generation_->pools[ending.pool]->Finished(static_cast<int>(ending.member), -1, !failed, now_);
  if (ending.capacity != nullptr) {
    limits::Actual actual;
    actual.cost = cost;
    actual.headroom_used = cost > prompt_.count ? cost - prompt_.count : 0;
    generation_->limiter->Settle(ending.capacity.get(), {actual}, now_);
  }
  TryToMeter([&] { generation_->instruments->Attempt(backend, outcome); });
}

void TransactionImpl::TellBreaker(const Attempt& ended, const breaker::Outcome& told) {
  const policy::Backend& backend = plan().backends[ended.backend];
  const breaker::Report report = generation_->breaker->Record(ended.permit, told, now_);
  if (report.event == breaker::Event::kNone) return;
  const bool tripped = report.event == breaker::Event::kTripped;
  if (HasOneCircuit(backend)) {
    balance::Pool& balancer = *generation_->pools[ended.pool];
    const auto member = static_cast<int>(ended.member);
    const bool asked = told.retry_after_ns > 0;
    if (tripped) {
      balancer.Rest(member, report.open_until_mono_ns,
                    asked ? balance::Availability::kThrottled : balance::Availability::kTripped,
                    now_);
    } else {
      balancer.Wake(member, now_);
    }
  }
  TryToMeter([&] {
    generation_->instruments->BreakerEvent(backend.name, breaker::EventName(report.event),
                                           tripped ? 1 : 0);
  });
}

// What the answer's head says of how much the backend has left, whatever its status.
void TransactionImpl::HeedSignals() {
  const Attempt& answered = attempt();
  const policy::Backend& backend = plan().backends[answered.backend];
  const int64_t rest_ns = RestTold(answer_headers_, prompt_.count, backend, now_);
  if (rest_ns == 0) return;
  generation_->pools[answered.pool]->Rest(static_cast<int>(answered.member),
                                          SaturatingAdd(now_.mono_ns, rest_ns),
                                          balance::Availability::kOutOfCapacity, now_);
}

}  // namespace weir::engine
