// Which backend gets this request, and what exactly is sent to it.

#include <algorithm>

#include "base/saturating.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/transaction.h"

namespace weir::engine {
namespace {

constexpr int64_t kNoRetryTime = 0;

limits::Charge CapacityCharge(const policy::Backend& backend, uint64_t cost) {
  limits::Charge charge;
  charge.rule = static_cast<uint32_t>(backend.capacity_rule);
  charge.cost = std::max<uint64_t>(cost, 1);
  charge.learned = true;
  return charge;
}

}  // namespace

// The next attempt, or nothing when no member of the pool can take the request now.
std::optional<Action> TransactionImpl::Forward() {
  retry_at_mono_ns_ = kNoRetryTime;
  for (uint32_t member = 0; member < availability_.size(); ++member) {
    availability_[member] = Find(member);
  }
  balance::Pool& balancer = *generation_->pools[request_.route->pool];
  // Between look and take another request may have been faster; then this member is out.
  for (size_t tries = 0; tries < availability_.size(); ++tries) {
    const int picked = balancer.Pick(availability_);
    if (picked < 0) return std::nullopt;
    if (Acquire(static_cast<uint32_t>(picked))) return Send(&attempt());
  }
  return std::nullopt;
}

void TransactionImpl::NoteRetryAt(int64_t mono_ns) {
  if (retry_at_mono_ns_ == kNoRetryTime || mono_ns < retry_at_mono_ns_) {
    retry_at_mono_ns_ = mono_ns;
  }
}

balance::Availability TransactionImpl::Find(uint32_t member) {
  if ((refused_members_ >> member & 1) != 0) return balance::Availability::kRefused;
  const uint32_t index = pool().backends[member];
  const policy::Backend& backend = plan().backends[index];
  const breaker::Permit permit = generation_->breaker->Check(backend.name, index, now_);
  if (!permit.allowed) {
    NoteRetryAt(permit.retry_at_mono_ns);
    return balance::Availability::kTripped;
  }
  if (backend.capacity_rule >= 0) {
    const limits::Verdict verdict =
        generation_->limiter->Peek(CapacityCharge(backend, prompt_.count), now_);
    if (!verdict.admitted) {
      NoteRetryAt(SaturatingAdd(now_.mono_ns, verdict.retry_after_ns));
      return balance::Availability::kOutOfCapacity;
    }
  }
  return balance::Availability::kUsable;
}

bool TransactionImpl::Acquire(uint32_t member) {
  const uint32_t index = pool().backends[member];
  const policy::Backend& backend = plan().backends[index];
  Attempt made;
  made.backend = index;
  made.permit = generation_->breaker->Acquire(backend.name, index, now_);
  if (!made.permit.allowed) {
    availability_[member] = balance::Availability::kTripped;
    NoteRetryAt(made.permit.retry_at_mono_ns);
    return false;
  }
  if (backend.capacity_rule >= 0) {
    const limits::Charge charge[] = {CapacityCharge(backend, prompt_.count)};
    const limits::Decision decision = generation_->limiter->Reserve(charge, now_, &made.capacity);
    if (!decision.admitted) {
      generation_->breaker->Cancel(made.permit, index, now_);
      availability_[member] = balance::Availability::kOutOfCapacity;
      NoteRetryAt(SaturatingAdd(now_.mono_ns, decision.retry_after_ns));
      return false;
    }
  }
  made.sent_mono_ns = now_.mono_ns;
  refused_members_ |= uint64_t{1} << member;  // one try each, whatever comes of it
  attempts_.push_back(std::move(made));
  return true;
}

Action TransactionImpl::Send(Attempt* attempt) {
  const policy::Backend& backend = plan().backends[attempt->backend];
  request_.backend = backend.name;
  answer_status_ = 0;
  url_ = backend.origin;
  target_ = backend.base_path;
  if (IsChat()) {
    const std::string& model = backend.model.empty() ? request_.model : backend.model;
    std::string version = backend.api_version;
    if (version.empty()) version = request_.QueryParameter("api-version");
    target_ += dialects::ChatTarget(backend.dialect, model, version);
  } else {
    target_ += request_.path;
    if (!request_.query.empty()) target_ += Concat({"?", request_.query});
  }
  body_ = BackendBody(backend);
  EditForBackend(backend);
  Action forward;
  forward.kind = ActionKind::kForward;
  forward.attempt = static_cast<uint32_t>(attempts_.size());
  forward.deadline_mono_ns = SaturatingAdd(now_.mono_ns, backend.timeout_ns);
  phase_ = Phase::kSent;
  return forward;
}

// Made from the original each time: what one backend wanted never reaches the next.
std::string TransactionImpl::BackendBody(const policy::Backend& backend) {
  if (!chat_) return request_.body;
  std::string_view model = backend.model;
  if (model.empty() && backend.dialect == dialects::Dialect::kOpenAi &&
      chat_->model != request_.model) {
    model = request_.model;  // the client named it in the path; here it belongs into the body
  }
  injected_usage_ = chat_->stream && !chat_->include_usage;
  return dialects::RewriteChatRequest(request_.body, *chat_, model, injected_usage_);
}

void TransactionImpl::EditForBackend(const policy::Backend& backend) {
  constexpr std::string_view kReserved = "x-weir-";
  std::vector<std::string_view> removed;
  for (const HeaderList::Entry& entry : request_.headers.entries()) {
    const bool reserved = std::string_view(entry.name).substr(0, kReserved.size()) == kReserved;
    if (!reserved && !auth::IsCredentialHeader(entry.name)) continue;
    if (std::find(removed.begin(), removed.end(), entry.name) != removed.end()) continue;
    removed.push_back(entry.name);
    RemoveHeader(entry.name);
  }
  RemoveHeader("content-length");            // the body may have changed; the host knows its length
  SetHeader("accept-encoding", "identity");  // usage is read as it passes
  if (backend.credential >= 0) {
    const policy::Credential& credential =
        plan().credentials[static_cast<size_t>(backend.credential)];
    SetHeader(AsciiLower(credential.header), std::string(plan().Resolve(credential.value)));
  }
}

Action TransactionImpl::AllDown() {
  if (attempts_.empty()) {
    ReleaseLimits();
  } else {
    SettleLimits({}, /*learn=*/false);
  }
  if (retry_at_mono_ns_ != kNoRetryTime) {
    SetRetryHeaders(ElapsedNs(now_.mono_ns, retry_at_mono_ns_));
  }
  return Reply(503, {"No backend can take this request at the moment.", "server_error", "",
                     "service_unavailable"});
}

// The one end of an attempt. `told`: what the breaker learns; null when the end says nothing about
// the backend. `cost`: what its capacity is charged.
void TransactionImpl::EndAttempt(std::string_view outcome, const breaker::Outcome* told,
                                 uint64_t cost) {
  Attempt& ending = attempt();
  if (!ending.open) return;
  ending.open = false;
  ending.outcome = outcome;
  const policy::Backend& backend = plan().backends[ending.backend];
  if (told == nullptr) {
    generation_->breaker->Cancel(ending.permit, ending.backend, now_);
  } else {
    const breaker::Report report =
        generation_->breaker->Record(ending.permit, ending.backend, *told, now_);
    TryToMeter([&] {
      if (report.event == breaker::Event::kTripped) {
        generation_->instruments->BreakerEvent(backend.name, "tripped", 1);
      } else if (report.event == breaker::Event::kReset) {
        generation_->instruments->BreakerEvent(backend.name, "reset", 0);
      }
    });
  }
  if (ending.capacity.active()) {
    limits::Actual actual;
    actual.cost = cost;
    actual.headroom_used = cost > prompt_.count ? cost - prompt_.count : 0;
    generation_->limiter->Settle(&ending.capacity, {actual}, now_);
  }
  TryToMeter([&] { generation_->instruments->Attempt(backend.name, outcome); });
}

}  // namespace weir::engine
