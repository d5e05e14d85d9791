// Which backend is asked next: the pool's choice, then another after a failure, then the pools that
// the policy falls back to, until the plan of attempts is used up.
//
// The pool remembers who rests, for all requests of all processes. It is told only what holds for
// every request: a circuit of one model of many, or a counter that is too full for a large request,
// is between this request and the member alone.

#include <algorithm>

#include "base/saturating.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/transaction.h"

namespace weir::engine {
namespace {

constexpr int64_t kNoRetryTime = 0;

// While another request tries a backend out nobody knows how long that takes: it is worth another
// look after this.
constexpr int64_t kLookAtProbeNs = kSecond;

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
  max_attempts_ = MainPool().retry.attempts;
  for (const policy::Fallback& fallback : MainPool().fallbacks) {
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
  const std::vector<policy::Fallback>& fallbacks = MainPool().fallbacks;
  while (fallbacks_tried_ < fallbacks.size()) {
    const policy::Fallback& fallback = fallbacks[fallbacks_tried_++];
    const std::string_view model =
        fallback.model.empty() ? model_asked_ : std::string_view(fallback.model);
    if (model != request_.model && (!asked_ || !ChangeModel(model))) continue;
    if (CountsDollars() && !IsPriced()) continue;  // it would be free
    EnterPool(fallback.pool);
    return true;
  }
  return false;
}

bool TransactionImpl::PickMember() {
  balance::Pool& balancer = *generation_->pools[pool_];
  balance::Ask ask;
  ask.now = now_;
  ask.start = true;
  ask.hash = BalanceHash();
  ask.prefer = preferred_ = PreferredMember();
  ask.sticky = true;
  std::vector<uint16_t> refused = RefusedMembers();
  // Between look and take another request may have been faster; then this member is out.
  for (size_t tries = 0; tries <= pool().members.size(); ++tries) {
    ask.refused = refused;
    const int picked = balancer.Pick(ask);
    if (picked < 0) {
      const int64_t returns_at = balancer.ReturnsAt();
      if (returns_at != balance::kNever) NoteRetryAt(returns_at);
      return false;
    }
    if (Acquire(static_cast<uint32_t>(picked))) return true;
    balancer.Unused(picked);
    balancer.Finished(picked, -1, true, now_);
    refused.push_back(static_cast<uint16_t>(picked));
  }
  return false;
}

// Who has had its tries, or has this request under way.
std::vector<uint16_t> TransactionImpl::RefusedMembers() const {
  std::vector<uint16_t> refused;
  for (size_t member = 0; member < tries_.size(); ++member) {
    const uint32_t backend = pool().backends[member];
    const bool is_busy = std::any_of(attempts_.begin(), attempts_.end(), [&](const Attempt& made) {
      return made.open && made.backend == backend;
    });
    if (is_busy || tries_[member] >= pool().retry.attempts_per_backend) {
      refused.push_back(static_cast<uint16_t>(member));
    }
  }
  return refused;
}

void TransactionImpl::NoteRetryAt(int64_t mono_ns) {
  if (retry_at_mono_ns_ == kNoRetryTime || mono_ns < retry_at_mono_ns_) {
    retry_at_mono_ns_ = mono_ns;
  }
}

int64_t TransactionImpl::RetryAt(const breaker::Passage& denied) const {
  if (denied.state != breaker::State::kHalfOpen) return denied.retry_at_mono_ns;
  return std::min(denied.retry_at_mono_ns, SaturatingAdd(now_.mono_ns, kLookAtProbeNs));
}

// A backend with one model has one circuit, any other one for each model; models that nobody knows
// share one, since clients choose their names.
breaker::Circuit TransactionImpl::CircuitOf(uint32_t backend) const {
  const policy::Backend& found = plan().backends[backend];
  if (HasOneCircuit(found)) return generation_->circuits[backend];
  const bool is_known = model_ != nullptr || counting_.is_known;
  const std::string_view model = is_known ? BackendModel(found) : "*";
  RecycledString name(found.name);
  name.append("/").append(model);
  return generation_->breaker->Find(name, backend, now_);
}

bool TransactionImpl::HasOneCircuit(const policy::Backend& backend) const {
  return !asked_ || (!backend.model.empty() && backend.models.empty());
}

// The right to send to it: the breaker's, and room in its capacity.
bool TransactionImpl::Acquire(uint32_t member) {
  const uint32_t index = pool().backends[member];
  const policy::Backend& backend = plan().backends[index];
  Attempt made;
  made.pool = pool_;
  made.member = member;
  made.backend = index;
  const breaker::Circuit circuit = CircuitOf(index);
  made.permit = generation_->breaker->Acquire(circuit, now_);
  if (!made.permit.allowed) {
    // A half-open circuit is between this request and the member alone: the pool keeps the latest
    // of the times it is told, and the probe may end at any moment.
    if (made.permit.state == breaker::State::kOpen) {
      const breaker::Snapshot snapshot = generation_->breaker->Get(circuit, now_);
      RestTripped(member, made.permit.retry_at_mono_ns, snapshot.trip.asked);
    }
    NoteRetryAt(RetryAt(made.permit));
    return false;
  }
  if (backend.capacity_rule >= 0) {
    const limits::Charge charge[] = {CapacityCharge(backend, prompt_.count)};
    made.capacity = std::make_unique<KeptReservation>();
    const limits::Decision decision =
        generation_->limiter->Reserve(charge, now_, made.capacity.get());
    if (!decision.admitted) {
      generation_->breaker->Cancel(made.permit, now_);
      RestFull(member, decision.verdicts.front());
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

// The member's circuit is open. `asked`: the backend named the time, so it is over to the moment.
void TransactionImpl::RestTripped(uint32_t member, int64_t until_mono_ns, bool asked) {
  if (!HasOneCircuit(plan().backends[pool().backends[member]])) return;
  const auto why = asked ? balance::Availability::kThrottled : balance::Availability::kTripped;
  generation_->pools[pool_]->Rest(static_cast<int>(member), until_mono_ns, why, now_);
}

// The member's counter has no room for this request; with none at all, for no other either.
void TransactionImpl::RestFull(uint32_t member, const limits::Verdict& verdict) {
  if (verdict.remaining != 0) return;
  const policy::Backend& backend = plan().backends[pool().backends[member]];
  const int64_t for_ns =
      generation_->limiter->Peek(CapacityCharge(backend, 1), now_).retry_after_ns;
  generation_->pools[pool_]->Rest(static_cast<int>(member), SaturatingAdd(now_.mono_ns, for_ns),
                                  balance::Availability::kOutOfCapacity, now_);
}

// When the plan's deadline is, INT64_MAX when it has none.
int64_t TransactionImpl::PlanDeadline() const {
  const int64_t deadline_ns = MainPool().retry.deadline_ns;
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
  const policy::Pool& main = MainPool();
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

// The member of the route's pool that is to be back first, of those that cannot take the request.
std::optional<TransactionImpl::Return> TransactionImpl::SoonestReturn() {
  std::optional<Return> soonest;
  EnterPool(request_.route->pool);
  const std::vector<balance::MemberState> states = generation_->pools[pool_]->Snapshot(now_);
  for (uint32_t member = 0; member < states.size(); ++member) {
    int64_t until_ns = states[member].usable ? kNoRetryTime : states[member].until_mono_ns;
    const uint32_t index = pool().backends[member];
    const breaker::Passage passage = generation_->breaker->Check(CircuitOf(index), now_);
    if (!passage.allowed) until_ns = std::max(until_ns, RetryAt(passage));
    const policy::Backend& backend = plan().backends[index];
    if (backend.capacity_rule >= 0) {
      const limits::Verdict verdict =
          generation_->limiter->Peek(CapacityCharge(backend, prompt_.count), now_);
      if (!verdict.admitted) {
        until_ns = std::max(until_ns, SaturatingAdd(now_.mono_ns, verdict.retry_after_ns));
      }
    }
    if (until_ns == kNoRetryTime) continue;
    if (!soonest || until_ns < soonest->mono_ns) soonest = {member, until_ns};
  }
  retry_at_mono_ns_ = soonest ? soonest->mono_ns : kNoRetryTime;
  return soonest;
}

// Asks without leave: no breaker learns from it.
std::optional<Action> TransactionImpl::LastResort() {
  const std::optional<Return> soonest = SoonestReturn();
  if (!soonest) return std::nullopt;
  Attempt made;
  made.pool = pool_;
  made.member = soonest->member;
  made.backend = pool().backends[soonest->member];
  generation_->pools[pool_]->Started(static_cast<int>(soonest->member), now_);
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
