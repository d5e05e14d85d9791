// Whose turn it is when a limit lets requests wait.
//
// A request stands in one line at a time, that of the limit which binds it; the limits of other
// keys stay free for others meanwhile. Who comes while others stand in line goes to its end, also
// when there is room for him at the moment: it is theirs.

#include <algorithm>

#include "base/saturating.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/transaction.h"

namespace weir::engine {
namespace {

// Whoever is next looks this often when nothing tells how long it will take.
constexpr int64_t kShortestWaitNs = 5 * kMillisecond;

// The time after which so much may fit. What never fits at once, as the sum of many requests may,
// takes as long as the counter needs to be empty again.
int64_t RoomInNs(const limits::Verdict& verdict) {
  return verdict.admitted ? 0 : std::min(verdict.retry_after_ns, verdict.reset_ns);
}

}  // namespace

bool TransactionImpl::LetsWait(const AppliedLimit& applied) const {
  const policy::Limit& limit = plan().limits[applied.limit];
  return !limit.shadow && limit.on_exceeded == policy::OnExceeded::kWait;
}

std::string TransactionImpl::LineOf(const AppliedLimit& applied) const {
  return Concat({plan().limits[applied.limit].name, std::string_view("\0", 1), applied.charge.key});
}

int64_t TransactionImpl::WaitedNs() {
  if (!waiting_since_mono_ns_) waiting_since_mono_ns_ = now_.mono_ns;
  return ElapsedNs(*waiting_since_mono_ns_, now_.mono_ns);
}

// Before the limits are asked: nothing when it is this request's turn.
std::optional<Action> TransactionImpl::LetOthersPass() {
  if (generation_->lines == nullptr) return std::nullopt;
  for (AppliedLimit& applied : limits_) {
    if (!LetsWait(applied)) continue;
    if (place_ ? applied.limit != line_limit_ : generation_->lines->IsEmpty(LineOf(applied))) {
      continue;
    }
    if (!StandFor(applied)) return RefuseBehind(&applied, {});
    const queue::Standing standing = generation_->lines->Look(*place_, now_);
    if (standing.is_first) return std::nullopt;
    return WaitBehind(&applied, standing);
  }
  return std::nullopt;
}

Action TransactionImpl::WaitBehind(AppliedLimit* applied, const queue::Standing& standing) {
  const int64_t left_ns = plan().limits[applied->limit].max_wait_ns - WaitedNs();
  limits::Charge with_those_ahead = applied->charge;
  with_those_ahead.cost = SaturatingAdd(with_those_ahead.cost, standing.cost_ahead);
  const limits::Verdict verdict = generation_->limiter->Peek(with_those_ahead, now_);
  const int64_t room_in_ns = RoomInNs(verdict);
  if (left_ns <= 0 || room_in_ns > left_ns) return RefuseBehind(applied, verdict);
  const int64_t first_due_in_ns = ElapsedNs(now_.mono_ns, standing.first_due_ns);
  return Wait(std::min(left_ns, std::max({room_in_ns, first_due_in_ns, kShortestWaitNs})));
}

// Refuses because of those who stand in line, in the words of their limit.
Action TransactionImpl::RefuseBehind(AppliedLimit* applied,
                                     const limits::Verdict& with_those_ahead) {
  for (AppliedLimit& other : limits_)
    other.verdict = generation_->limiter->Peek(other.charge, now_);
  applied->verdict.admitted = false;
  applied->verdict.retry_after_ns =
      std::max({applied->verdict.retry_after_ns, RoomInNs(with_those_ahead), kShortestWaitNs});
  limits::Decision decision;
  decision.retry_after_ns = applied->verdict.retry_after_ns;
  return Refuse(decision);
}

// After the limits refused: waits if each of those that did lets it, and long enough.
std::optional<Action> TransactionImpl::WaitFor(const limits::Decision& decision) {
  const AppliedLimit* binding = BindingLimit();
  if (generation_->lines == nullptr || binding == nullptr || decision.table_full) {
    return std::nullopt;
  }
  const int64_t waited_ns = WaitedNs();
  for (const AppliedLimit& applied : limits_) {
    const policy::Limit& limit = plan().limits[applied.limit];
    if (limit.shadow || applied.verdict.admitted) continue;
    const int64_t whole_ns = SaturatingAdd(waited_ns, applied.verdict.retry_after_ns);
    if (!LetsWait(applied) || whole_ns > limit.max_wait_ns) return std::nullopt;
  }
  if (!StandFor(*binding)) return std::nullopt;
  return Wait(decision.retry_after_ns);
}

// Takes a place in the limit's line unless it has one. False: the line is full.
bool TransactionImpl::StandFor(const AppliedLimit& applied) {
  if (place_ && line_limit_ == applied.limit) return true;
  LeaveLine();
  const policy::Limit& limit = plan().limits[applied.limit];
  place_ = generation_->lines->Join(LineOf(applied), applied.charge.cost, limit.max_waiting, now_);
  line_limit_ = applied.limit;
  if (!place_) generation_->instruments->LimitDecision(limit.name, "line_full");
  return place_.has_value();
}

Action TransactionImpl::Wait(int64_t wait_ns) {
  Action wait;
  wait.kind = ActionKind::kWait;
  wait.deadline_mono_ns = SaturatingAdd(now_.mono_ns, std::min(wait_ns, queue::kLongestPromiseNs));
  generation_->lines->Promise(*place_, wait.deadline_mono_ns, now_);
  return wait;
}

void TransactionImpl::LeaveLine() {
  if (place_) generation_->lines->Leave(*place_);
  place_.reset();
}

}  // namespace weir::engine
