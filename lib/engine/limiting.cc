// The limits of a request: what it is charged, what it may have, and more of it on the way.

#include <algorithm>

#include "base/saturating.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/costs.h"
#include "engine/transaction.h"

namespace weir::engine {
namespace {

using policy::OnExceeded;
using policy::Unit;

// What a request that states no maximum may write, where the model's own maximum is unknown.
constexpr uint64_t kDefaultMaxOutput = 4096;

std::string_view UnitWords(Unit unit) {
  switch (unit) {
    case Unit::kTokens:
      return "tokens";
    case Unit::kPromptTokens:
      return "prompt tokens";
    case Unit::kCompletionTokens:
      return "completion tokens";
    case Unit::kRequests:
      return "requests";
    case Unit::kUsd:
      return "US dollars";
    case Unit::kConcurrency:
      return "requests at once";
    case Unit::kCost:
      return "units";
  }
  return "";
}

std::string AmountWords(Unit unit, uint64_t amount) {
  if (unit != Unit::kUsd) return std::to_string(amount);
  constexpr uint64_t kMicro = 1'000'000;
  std::string fraction = std::to_string(kMicro + amount % kMicro).substr(1);
  fraction.resize(std::max<size_t>(fraction.find_last_not_of('0') + 1, 2));
  return Concat({std::to_string(amount / kMicro), ".", fraction});
}

std::string PeriodWords(const limits::Rule& rule) {
  constexpr std::string_view kPeriods[] = {" per hour",    " per day",  " per week", " per month",
                                           " per quarter", " per year", " in all"};
  if (rule.algorithm == limits::Algorithm::kConcurrency) return "";
  if (rule.algorithm == limits::Algorithm::kCalendar) {
    return std::string(kPeriods[static_cast<size_t>(rule.period)]);
  }
  return Concat({" per ", FormatResetDuration(rule.window_ns)});
}

// The reason, for programs; and the field's word for what ran out.
std::string_view CodeOf(Unit unit, const limits::Rule& rule) {
  if (unit == Unit::kUsd) return "budget_exceeded";
  if (unit == Unit::kConcurrency) return "concurrency_limit_exceeded";
  if (rule.algorithm == limits::Algorithm::kCalendar) return "quota_exceeded";
  return "rate_limit_exceeded";
}
std::string_view TypeOf(Unit unit, const limits::Rule& rule) {
  if (unit == Unit::kUsd || rule.algorithm == limits::Algorithm::kCalendar) {
    return "insufficient_quota";
  }
  return unit == Unit::kRequests || unit == Unit::kConcurrency ? "requests" : "tokens";
}

}  // namespace

// Finds which counters of which limits this request meets.
std::optional<Action> TransactionImpl::ApplyLimits() {
  const RequestEnvironment environment(request_);
  limits_.clear();
  limits_.reserve(request_.route->limits.size());
  for (uint32_t index : request_.route->limits) {
    const policy::Limit& limit = plan().limits[index];
    std::string scratch;
    const std::optional<std::string_view> key = limit.key->EvalString(environment, &scratch);
    if (!key && limit.on_missing_key != policy::MissingKey::kShared) {
      const bool skip = limit.on_missing_key == policy::MissingKey::kSkip;
      generation_->instruments->LimitDecision(limit.name, skip ? "skipped" : "no_key");
      if (skip) continue;
      return Reply(403, {Concat({"The limit ", limit.name, " has no key for this request."}),
                         "permission_error", "", "limit_key_missing"});
    }
    if (!key) generation_->instruments->LimitDecision(limit.name, "shared_key");
    if (limit.unit == policy::Unit::kUsd && !IsPriced()) {
      if (limit.shadow) continue;
      return Reply(403, {Concat({"The limit ", limit.name, " counts US dollars; the model `",
                                 request_.model, "` has no price."}),
                         "permission_error", "model", "price_unknown"});
    }
    AppliedLimit& applied = limits_.emplace_back();
    applied.limit = index;
    applied.charge = ChargeOf(limit);
    applied.charge.key = request_.headers.Keep(key.value_or(std::string_view()));
  }
  return std::nullopt;
}

bool TransactionImpl::IsPriced() const {
  const bool writes = asked_ && asked_->operation != dialects::Operation::kEmbeddings;
  return PriceOf(CurrentPricing(), {.prompt = 1, .completion = writes ? 1U : 0U}).has_value();
}

bool TransactionImpl::CountsDollars() const {
  return std::any_of(limits_.begin(), limits_.end(), [this](const AppliedLimit& applied) {
    return plan().limits[applied.limit].unit == Unit::kUsd;
  });
}

uint64_t TransactionImpl::CostIn(const policy::Limit& limit, const Usage& usage) const {
  return CostOf(limit, CurrentPricing(), usage, request_).value_or(0);
}

// What an answer may write at most, all choices together.
uint64_t TransactionImpl::MaxOutput() const {
  const uint64_t model_max =
      model_ != nullptr && model_->max_output != 0 ? model_->max_output : kDefaultMaxOutput;
  return SaturatingMul(asked_->max_output_tokens.value_or(model_max), asked_->n);
}

// An amount for this request, and its key's weight in a share. What is no number lets nothing pass.
void TransactionImpl::EvaluateAmount(const policy::Limit& limit, limits::Charge* charge) const {
  const RequestEnvironment environment(request_);
  const auto integer = [&](const expr::Program& program) -> std::optional<uint64_t> {
    std::string scratch;
    const expr::Value value = program.Eval(environment, &scratch);
    uint64_t number = 0;
    if (value.type == expr::Type::kInt && value.integer >= 0) {
      return static_cast<uint64_t>(value.integer);
    }
    // An attribute of a consumer is text.
    if (value.type == expr::Type::kString && ParseUint64(value.text, &number)) return number;
    return std::nullopt;
  };
  if (limit.amount != nullptr) {
    constexpr uint64_t kMicro = 1'000'000;
    const uint64_t amount = integer(*limit.amount).value_or(0);
    charge->amount = std::min(limit.unit == Unit::kUsd ? SaturatingMul(amount, kMicro) : amount,
                              limits::kMaxAmount);
  }
  if (limit.weight != nullptr) {
    charge->weight = static_cast<uint32_t>(
        std::clamp<uint64_t>(integer(*limit.weight).value_or(1), 1, limits::kMaxShareWeight));
  }
}

limits::Charge TransactionImpl::ChargeOf(const policy::Limit& limit) const {
  limits::Charge charge;
  charge.rule = limit.rule;
  EvaluateAmount(limit, &charge);
  if (!asked_ || limit.unit == Unit::kRequests || limit.unit == Unit::kConcurrency) {
    charge.cost = 1;
    return charge;
  }
  const Usage prompt = {.prompt = limit.reserve_prompt ? prompt_.count : 0};
  const auto with = [&](uint64_t completion) {
    return CostIn(limit, {.prompt = prompt.prompt, .completion = completion});
  };
  charge.cost = with(0);
  const bool writes = asked_->operation != dialects::Operation::kEmbeddings;
  if (writes && limit.on_exceeded == OnExceeded::kClamp) {
    // One token each must be left; of the others, as many as are left.
    charge.cost = with(asked_->n);
    charge.headroom = SaturatingSub(with(MaxOutput()), charge.cost);
  } else if (writes && limit.unit != Unit::kPromptTokens) {
    switch (limit.reserve_output) {
      case policy::OutputReserve::kNone:
        break;
      case policy::OutputReserve::kMaxTokens:
        charge.cost = with(MaxOutput());
        break;
      case policy::OutputReserve::kLearned:
        charge.learned = true;
        charge.model = request_.model;
        break;
      case policy::OutputReserve::kFixed:
        charge.headroom = with(limit.reserve_output_tokens) - charge.cost;
        break;
    }
  }
  if (!GoesByCounter(limit)) charge.cost = std::max<uint64_t>(charge.cost, 1);
  return charge;
}

// Whether nothing is reserved for a request: only the state of the counter decides, and the cost is
// booked when it is known (as Azure API Management does it).
bool TransactionImpl::GoesByCounter(const policy::Limit& limit) const {
  return asked_ && limit.unit != Unit::kRequests && limit.unit != Unit::kConcurrency &&
         !limit.reserve_prompt && limit.reserve_output == policy::OutputReserve::kNone &&
         limit.on_exceeded != OnExceeded::kClamp;
}

// The limit that goes by its counter and has nothing left, if any.
TransactionImpl::AppliedLimit* TransactionImpl::UsedUpCounter() {
  for (AppliedLimit& applied : limits_) {
    const policy::Limit& limit = plan().limits[applied.limit];
    if (limit.shadow || !GoesByCounter(limit)) continue;
    limits::Charge one = applied.charge;
    one.cost = 1;
    applied.verdict = generation_->limiter->Peek(one, now_);
    if (!applied.verdict.admitted) return &applied;
  }
  return nullptr;
}

std::optional<Action> TransactionImpl::TakeLimits() {
  if (std::optional<Action> wait = LetOthersPass()) return wait;
  absl::InlinedVector<limits::Charge, 4> enforced;
  for (const AppliedLimit& applied : limits_) {
    if (!plan().limits[applied.limit].shadow) enforced.push_back(applied.charge);
  }
  for (AppliedLimit& applied : limits_) {
    if (!plan().limits[applied.limit].shadow) continue;
    if (applied.shadow != nullptr && applied.shadow->active()) continue;
    const limits::Charge alone[] = {applied.charge};
    applied.shadow = std::make_unique<KeptReservation>();
    applied.verdict =
        generation_->limiter->Reserve(alone, now_, applied.shadow.get()).verdicts.front();
  }
  limits::Decision decision;
  if (const AppliedLimit* used_up = UsedUpCounter()) {
    const limits::Verdict verdict = used_up->verdict;
    for (AppliedLimit& other : limits_) {
      if (!plan().limits[other.limit].shadow) {
        other.verdict =
            &other == used_up ? verdict : generation_->limiter->Peek(other.charge, now_);
      }
      decision.retry_after_ns = std::max(decision.retry_after_ns, other.verdict.retry_after_ns);
    }
  } else {
    decision = generation_->limiter->Reserve(enforced, now_, &held_);
    size_t next = 0;
    for (AppliedLimit& applied : limits_) {
      if (!plan().limits[applied.limit].shadow) applied.verdict = decision.verdicts[next++];
    }
  }
  limits_taken_ = decision.admitted;
  if (!decision.admitted) {
    if (Downgrade()) return std::nullopt;
    if (std::optional<Action> wait = WaitFor(decision)) return wait;
    return Refuse(decision);
  }
  LeaveLine();
  for (AppliedLimit& applied : limits_) applied.held = applied.verdict.reserved;
  ClampOutput();
  TryToMeter([&] { MeterDecisions(decision); });
  return std::nullopt;
}

// Lowers what the answer may write to what is left of the limits that are held this way.
void TransactionImpl::ClampOutput() {
  if (!asked_) return;
  for (const AppliedLimit& applied : limits_) {
    const policy::Limit& limit = plan().limits[applied.limit];
    if (limit.shadow || limit.on_exceeded != OnExceeded::kClamp) continue;
    const uint64_t left =
        CompletionWithin(limit, CurrentPricing(), limit.reserve_prompt ? prompt_.count : 0,
                         applied.verdict.reserved);
    if (left >= MaxOutput()) continue;
    const uint64_t each = std::max<uint64_t>(left / asked_->n, 1);
    clamped_output_ = std::min(clamped_output_.value_or(each), each);
  }
}

const TransactionImpl::AppliedLimit* TransactionImpl::BindingLimit() const {
  const AppliedLimit* binding = nullptr;
  for (const AppliedLimit& applied : limits_) {
    if (plan().limits[applied.limit].shadow || applied.verdict.admitted) continue;
    if (binding == nullptr || applied.verdict.retry_after_ns > binding->verdict.retry_after_ns) {
      binding = &applied;
    }
  }
  return binding;
}

// Whether the request goes on as one of the model that the limit names which refused it.
bool TransactionImpl::Downgrade() {
  constexpr int kMaxDowngrades = 4;  // limits may name each other's models in a ring
  const AppliedLimit* binding = BindingLimit();
  if (binding == nullptr || !asked_ || downgrades_ == kMaxDowngrades) return false;
  const policy::Limit& limit = plan().limits[binding->limit];
  if (limit.on_exceeded != OnExceeded::kDowngrade || limit.downgrade_model == request_.model ||
      !ChangeModel(limit.downgrade_model)) {
    return false;
  }
  ++downgrades_;
  LeaveLine();
  for (AppliedLimit& applied : limits_) {
    if (applied.shadow != nullptr) generation_->limiter->Release(applied.shadow.get(), now_);
  }
  limits_applied_ = false;
  generation_->instruments->LimitDecision(limit.name, "downgraded");
  return true;
}

bool TransactionImpl::MayCut() const {
  return std::any_of(limits_.begin(), limits_.end(), [this](const AppliedLimit& applied) {
    const policy::Limit& limit = plan().limits[applied.limit];
    return !limit.shadow && limit.on_exceeded == OnExceeded::kCut;
  });
}

// Reserves more for an output that outgrows what is held for it, and keeps leases alive. False when
// a limit that cuts has nothing left.
bool TransactionImpl::TopUp() {
  // A question costs some microseconds: not for every word.
  constexpr uint64_t kBytesBetween = 256;
  constexpr int64_t kRenewNs = kMinute;
  const bool renew = ElapsedNs(topped_up_mono_ns_, now_.mono_ns) >= kRenewNs;
  const uint64_t written = meter_->text_bytes();
  if (!held_.active() || (!renew && written - topped_up_bytes_ < kBytesBetween)) return true;
  topped_up_bytes_ = written;
  const uint64_t counted = meter_->Read().counted;
  bool any_missing = false;
  for (AppliedLimit& applied : limits_) {
    applied.is_used_up = false;
    const bool missing =
        IsToppedUp(plan().limits[applied.limit]) && MissingIn(applied, counted) != 0;
    applied.asks = missing ? Asks::kAhead : Asks::kNothing;
    any_missing = any_missing || missing;
  }
  if (!any_missing && !renew) return true;
  topped_up_mono_ns_ = now_.mono_ns;
  // Who is refused asks for less, and then no more. Each round is one step of at least one limit.
  for (size_t round = 0; round <= 2 * limits_.size(); ++round) {
    if (AskForMore(counted)) return true;
    for (const AppliedLimit& applied : limits_) {
      const bool cuts = plan().limits[applied.limit].on_exceeded == OnExceeded::kCut;
      if (cuts && applied.asks == Asks::kNothing && applied.is_used_up) return false;
    }
  }
  return true;
}

bool TransactionImpl::IsToppedUp(const policy::Limit& limit) {
  if (limit.unit == Unit::kRequests || limit.unit == Unit::kConcurrency || limit.shadow) {
    return false;
  }
  return limit.reserve_output != policy::OutputReserve::kNone ||
         limit.on_exceeded == OnExceeded::kCut;
}

// What is not held yet for so much output.
uint64_t TransactionImpl::MissingIn(const AppliedLimit& applied, uint64_t completion) const {
  const policy::Limit& limit = plan().limits[applied.limit];
  const uint64_t prompt = limit.reserve_prompt ? prompt_.count : 0;
  const uint64_t cost = CostIn(limit, {.prompt = prompt, .completion = completion});
  return cost - std::min(cost, applied.held);
}

bool TransactionImpl::AskForMore(uint64_t completion) {
  constexpr uint64_t kAheadTokens = 256;
  absl::InlinedVector<uint64_t, 4> more;
  for (const AppliedLimit& applied : limits_) {
    if (plan().limits[applied.limit].shadow) continue;
    const bool ahead = applied.asks == Asks::kAhead;
    more.push_back(applied.asks == Asks::kNothing
                       ? 0
                       : MissingIn(applied, completion + (ahead ? kAheadTokens : 0)));
  }
  const limits::Decision decision = generation_->limiter->TopUp(&held_, more, now_);
  size_t next = 0;
  for (AppliedLimit& applied : limits_) {
    if (plan().limits[applied.limit].shadow) continue;
    if (next == decision.verdicts.size()) break;
    applied.is_used_up = !decision.verdicts[next].admitted;
    if (decision.admitted) {
      applied.held = SaturatingAdd(applied.held, more[next]);
    } else if (applied.is_used_up) {
      applied.asks = applied.asks == Asks::kAhead ? Asks::kMissing : Asks::kNothing;
    }
    ++next;
  }
  return decision.admitted;
}

void TransactionImpl::MeterDecisions(const limits::Decision& decision) {
  for (const AppliedLimit& applied : limits_) {
    const policy::Limit& limit = plan().limits[applied.limit];
    const std::string_view word =
        limit.shadow ? (applied.verdict.admitted ? "shadow_admitted" : "shadow_refused")
        : applied.verdict.admitted ? (decision.admitted ? "admitted" : "not_binding")
                                   : "refused";
    generation_->instruments->LimitDecision(limit.name, word);
  }
}

// No, in the words of the limit that binds.
Action TransactionImpl::Refuse(const limits::Decision& decision) {
  TryToMeter([&] { MeterDecisions(decision); });
  const AppliedLimit* binding = BindingLimit();
  if (binding == nullptr) {
    SetRetryHeaders(kSecond);
    return Reply(503, {"The limits cannot take another key at the moment.", "server_error", "",
                       "limit_table_full"});
  }
  const policy::Limit& limit = plan().limits[binding->limit];
  const limits::Rule& rule = plan().rules[limit.rule];
  SetLimitHeaders();
  SetRetryHeaders(decision.retry_after_ns);
  Words words = {RefusalMessage(*binding), TypeOf(limit.unit, rule), "", CodeOf(limit.unit, rule)};
  if (decision.retry_after_ns != limits::kNever) words.retry_after_ns = decision.retry_after_ns;
  return Reply(limit.status, words);
}

std::string TransactionImpl::RefusalMessage(const AppliedLimit& binding) const {
  const policy::Limit& limit = plan().limits[binding.limit];
  if (!limit.message.empty()) return limit.message;
  const limits::Verdict& verdict = binding.verdict;
  std::string message =
      Concat({"Limit ", limit.name, " reached: ", AmountWords(limit.unit, verdict.amount), " ",
              UnitWords(limit.unit), PeriodWords(plan().rules[limit.rule]), ". Used ",
              AmountWords(limit.unit, verdict.used_before), ", requested ",
              AmountWords(limit.unit, binding.charge.cost), "."});
  message +=
      verdict.retry_after_ns == limits::kNever
          ? " The request is larger than the limit."
          : Concat({" Please try again in ", FormatResetDuration(verdict.retry_after_ns), "."});
  return message;
}

}  // namespace weir::engine
