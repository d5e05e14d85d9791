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
  target_ += IsCounted() ? BackendTarget(backend) : request_.Target();
  body_ = BackendBody(backend);
  EditForBackend(backend);
  Action forward;
  forward.kind = ActionKind::kForward;
  forward.attempt = static_cast<uint32_t>(attempts_.size());
  forward.deadline_mono_ns = SaturatingAdd(now_.mono_ns, backend.timeout_ns);
  phase_ = Phase::kSent;
  return forward;
}

// OpenAI's and Azure's targets are made anew, since each may serve the other's clients. The other
// dialects' go on as the client wrote them, with its versions and parameters.
std::string TransactionImpl::BackendTarget(const policy::Backend& backend) const {
  const bool openai = dialects::SameFamily(backend.dialect, dialects::Dialect::kOpenAi);
  const bool resource =
      backend.dialect == dialects::Dialect::kGemini && backend.model.find('/') != std::string::npos;
  if (!openai && !resource) {
    return dialects::RewriteTarget(request_.Target(), target_asked_, backend.model);
  }
  const std::string& model = backend.model.empty() ? request_.model : backend.model;
  return dialects::Target(backend.dialect, asked_->operation, model, BackendVersion(backend),
                          asked_->stream);
}

std::string TransactionImpl::BackendVersion(const policy::Backend& backend) const {
  return backend.api_version.empty() ? request_.QueryParameter("api-version") : backend.api_version;
}

// Made from the original each time: what one backend wanted never reaches the next.
std::string TransactionImpl::BackendBody(const policy::Backend& backend) {
  if (!asked_) return request_.body;
  dialects::Edits edits;
  if (!dialects::ModelInPath(backend.dialect, asked_->operation, BackendVersion(backend))) {
    edits.model = backend.model.empty() ? request_.model : backend.model;
  }
  const bool can_ask = asked_->operation == dialects::Operation::kChat ||
                       asked_->operation == dialects::Operation::kCompletions;
  injected_usage_ = can_ask && asked_->stream && !asked_->include_usage &&
                    dialects::SameFamily(backend.dialect, dialects::Dialect::kOpenAi);
  edits.want_usage = injected_usage_;
  edits.max_output_tokens = clamped_output_;
  return dialects::RewriteRequest(request_.body, *asked_, edits);
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
  Words words = {"No backend can take this request at the moment.", "server_error", "",
                 "service_unavailable"};
  if (retry_at_mono_ns_ != kNoRetryTime) {
    words.retry_after_ns = ElapsedNs(now_.mono_ns, retry_at_mono_ns_);
    SetRetryHeaders(*words.retry_after_ns);
  }
  return Reply(503, words);
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
