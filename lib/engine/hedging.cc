// A second backend is asked when the first takes longer than usual to begin its answer; whoever
// begins first is relayed, the other dropped.

#include <algorithm>

#include "base/saturating.h"
#include "base/time.h"
#include "engine/transaction.h"

namespace weir::engine {

FirstByte* TransactionImpl::FirstByteOf(uint32_t pool) const {
  FirstBytes* both = generation_->first_bytes[pool];
  if (both == nullptr) return nullptr;
  return asked_ && asked_->stream ? &both->streams : &both->whole;
}

// When the attempt just sent has taken long enough for another beside it; 0: never.
int64_t TransactionImpl::HedgeTime() const {
  const policy::Hedge& hedge = pool().hedge;
  const bool may =
      !has_hedged_ && attempts_in_pool_ < pool().retry.attempts && attempts_.size() < max_attempts_;
  if (!may || (hedge.after_ns == 0 && hedge.below == 0)) return 0;
  const int64_t after_ns = hedge.below == 0 ? hedge.after_ns : FirstByteOf(pool_)->estimate_ns();
  return after_ns == 0 ? 0 : SaturatingAdd(now_.mono_ns, after_ns);
}

// An attempt is under way and has not begun its answer.
Action TransactionImpl::Hedge() {
  if (hedge_at_mono_ns_ != 0 && now_.mono_ns >= hedge_at_mono_ns_) {
    hedge_at_mono_ns_ = 0;
    const size_t first = current_;
    if (PickMember()) {
      has_hedged_ = true;
      Action forward = Send(&attempt());
      forward.parallel = true;
      return forward;
    }
    current_ = first;
  }
  return Await();
}

// Nothing to do but to wait for an answer that is under way.
Action TransactionImpl::Await() {
  Action wait;
  wait.kind = ActionKind::kWait;
  wait.deadline_mono_ns = hedge_at_mono_ns_;
  phase_ = Phase::kSent;
  return wait;
}

// The attempt under way beside the current one, if any; it is the current one then.
bool TransactionImpl::TurnToOther() {
  for (size_t i = 0; i < attempts_.size(); ++i) {
    if (i == current_ || !attempts_[i].open) continue;
    current_ = i;
    request_.backend = plan().backends[attempt().backend].name;
    return true;
  }
  return false;
}

// Every other attempt ends, since this one's answer is taken.
void TransactionImpl::DropOthers(std::string_view outcome) {
  for (Attempt& other : attempts_) {
    if (&other != &attempt()) EndAttempt(&other, outcome, nullptr, prompt_.count);
  }
}

absl::Status TransactionImpl::ResponseFrom(uint32_t attempt) {
  const bool is_open = attempt >= 1 && attempt <= attempts_.size() && attempts_[attempt - 1].open;
  if (phase_ != Phase::kSent || !is_open) {
    return absl::FailedPreconditionError("no such attempt is waiting for its answer");
  }
  current_ = attempt - 1;
  request_.backend = plan().backends[attempts_[current_].backend].name;
  return absl::OkStatus();
}

}  // namespace weir::engine
