// Which backend is asked next: the pool's choice, then another after a failure, then the pools that
// the policy falls back to, until the plan of attempts is used up.

#include <algorithm>

#include "base/saturating.h"
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

// The first attempt, or what the policy wants when there can be none.
Action TransactionImpl::StartRouting() {
  model_asked_ = request_.model;
  const policy::Pool& main = plan().pools[request_.route->pool];
  max_attempts_ = main.retry.attempts;
  for (const policy::Fallback& fallback : main.fallbacks) {
    max_attempts_ += plan().pools[fallback.pool].retry.attempts;
  }
  attempts_.reserve(max_attempts_);  // so that a right once taken is never lost
  return Route();
}

// Through all pools from the first on, also when a backend was waited for.
Action TransactionImpl::Route() {
  if (request_.model != model_asked_) ChangeModel(model_asked_);
  EnterPool(request_.route->pool);
  fallbacks_tried_ = 0;
  if (std::optional<Action> forward = Forward()) return *forward;
  if (std::optional<Action> other = WaitForBackend()) return *other;
  return AllDown();
}

void TransactionImpl::EnterPool(uint32_t pool) {
  pool_ = pool;
  attempts_in_pool_ = 0;
  tries_.assign(this->pool().members.size(), 0);
  availability_.assign(this->pool().members.size(), balance::Availability::kUsable);
}

// The next attempt that the plan has, if any backend can take it.
std::optional<Action> TransactionImpl::Forward() {
  retry_at_mono_ns_ = kNoRetryTime;
  do {
    if (attempts_.size() >= max_attempts_) return std::nullopt;
    if (attempts_in_pool_ >= pool().retry.attempts) continue;
    if (PickMember()) return Send(&attempt());
  } while (FallBack());
  return std::nullopt;
}

// Goes on to the next pool that the policy names. False when there is none that may be used.
bool TransactionImpl::FallBack() {
  const std::vector<policy::Fallback>& fallbacks = plan().pools[request_.route->pool].fallbacks;
  while (fallbacks_tried_ < fallbacks.size()) {
    const policy::Fallback& fallback = fallbacks[fallbacks_tried_++];
    const std::string& model = fallback.model.empty() ? model_asked_ : fallback.model;
    if (model != request_.model && (!asked_ || !ChangeModel(model))) continue;
    if (CountsDollars() && !IsPriced()) continue;  // it would be free
    EnterPool(fallback.pool);
    return true;
  }
  return false;
}

bool TransactionImpl::PickMember() {
  for (uint32_t member = 0; member < availability_.size(); ++member) {
    availability_[member] = Find(member);
  }
  balance::Pool& balancer = *generation_->pools[pool_];
  // Between look and take another request may have been faster; then this member is out.
  for (size_t tries = 0; tries < availability_.size(); ++tries) {
    const int picked = balancer.Pick(availability_);
    if (picked < 0) return false;
    if (Acquire(static_cast<uint32_t>(picked))) return true;
  }
  return false;
}

void TransactionImpl::NoteRetryAt(int64_t mono_ns) {
  if (retry_at_mono_ns_ == kNoRetryTime || mono_ns < retry_at_mono_ns_) {
    retry_at_mono_ns_ = mono_ns;
  }
}

balance::Availability TransactionImpl::Find(uint32_t member) {
  if (tries_[member] >= pool().retry.attempts_per_backend) return balance::Availability::kRefused;
  const uint32_t index = pool().backends[member];
  for (const Attempt& made : attempts_) {
    if (made.open && made.backend == index) return balance::Availability::kRefused;
  }
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

// The right to send to it: the breaker's, and room in its capacity.
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
  AddAttempt(member, std::move(made));
  return true;
}

void TransactionImpl::AddAttempt(uint32_t member, Attempt made) {
  made.sent_mono_ns = now_.mono_ns;
  ++tries_[member];
  ++attempts_in_pool_;
  current_ = attempts_.size();
  attempts_.push_back(std::move(made));
}

// When the plan's deadline is, INT64_MAX when it has none.
int64_t TransactionImpl::PlanDeadline() const {
  const int64_t deadline_ns = plan().pools[request_.route->pool].retry.deadline_ns;
  return deadline_ns == 0 ? INT64_MAX : SaturatingAdd(*started_mono_ns_, deadline_ns);
}

// After a failure: what comes instead of telling the client. `worth_it`: the policy tries others
// after such a one.
std::optional<Action> TransactionImpl::RetryElsewhere(bool worth_it) {
  const policy::Retry& retry = pool().retry;
  const int64_t took_ns = ElapsedNs(attempt().sent_mono_ns, now_.mono_ns);
  const bool too_slow = retry.if_failed_within_ns != 0 && took_ns > retry.if_failed_within_ns;
  if (!worth_it || too_slow || now_.mono_ns >= PlanDeadline()) return std::nullopt;
  if (std::optional<Action> forward = Forward()) return forward;
  return WaitForBackend();
}

// Nobody can take the request now: what the policy does besides refusing it.
std::optional<Action> TransactionImpl::WaitForBackend() {
  const policy::Pool& main = plan().pools[request_.route->pool];
  if (main.all_down == policy::AllDown::kLastResort && attempts_.empty()) return LastResort();
  if (main.all_down != policy::AllDown::kWait || attempts_.size() >= max_attempts_) {
    return std::nullopt;
  }
  const std::optional<Return> soonest = SoonestReturn();
  if (!soonest) return std::nullopt;
  if (!routing_since_mono_ns_) routing_since_mono_ns_ = now_.mono_ns;
  const int64_t patience_ends = SaturatingAdd(*routing_since_mono_ns_, main.max_wait_ns);
  if (soonest->mono_ns > std::min(patience_ends, PlanDeadline())) return std::nullopt;
  Action wait;
  wait.kind = ActionKind::kWait;
  // Whoever is told "now" was refused for another reason: not again at once.
  wait.deadline_mono_ns = std::max(soonest->mono_ns, now_.mono_ns + kMillisecond);
  phase_ = Phase::kRouting;
  return wait;
}

// The member of the route's pool that is to be back first, of those that rest.
std::optional<TransactionImpl::Return> TransactionImpl::SoonestReturn() {
  std::optional<Return> soonest;
  EnterPool(request_.route->pool);
  for (uint32_t member = 0; member < pool().members.size(); ++member) {
    retry_at_mono_ns_ = kNoRetryTime;
    Find(member);
    if (retry_at_mono_ns_ == kNoRetryTime) continue;
    if (!soonest || retry_at_mono_ns_ < soonest->mono_ns) soonest = {member, retry_at_mono_ns_};
  }
  retry_at_mono_ns_ = soonest ? soonest->mono_ns : kNoRetryTime;
  return soonest;
}

// Asks without leave: no breaker learns from it.
std::optional<Action> TransactionImpl::LastResort() {
  const std::optional<Return> soonest = SoonestReturn();
  if (!soonest) return std::nullopt;
  Attempt made;
  made.backend = pool().backends[soonest->member];
  AddAttempt(soonest->member, std::move(made));
  return Send(&attempt());
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

}  // namespace weir::engine
