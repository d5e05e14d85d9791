// weir_limiter_*: the keyed limiter by itself.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "base/saturating.h"
#include "handles.h"
#include "sized_array.h"

namespace {

using weir::SaturatingMul;
using weir::capi::At;
using weir::capi::ElementAt;
using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::ReadArray;
using weir::capi::ReadSized;
using weir::capi::ReadStride;
using weir::capi::View;
using weir::capi::WriteSized;
using weir::limits::Actual;
using weir::limits::Algorithm;
using weir::limits::Charge;
using weir::limits::Decision;
using weir::limits::Limiter;
using weir::limits::Period;
using weir::limits::Rule;
using weir::limits::Verdict;

using Charges = absl::InlinedVector<Charge, 4>;

static_assert(static_cast<int>(Algorithm::kSlidingWindow) + 1 == WEIR_LIMIT_SLIDING_WINDOW);
static_assert(static_cast<int>(Algorithm::kConcurrency) + 1 == WEIR_LIMIT_CONCURRENCY);
static_assert(static_cast<int>(Period::kHour) + 1 == WEIR_PERIOD_HOUR);
static_assert(static_cast<int>(Period::kLifetime) + 1 == WEIR_PERIOD_LIFETIME);
static_assert(WEIR_NEVER == weir::limits::kNever);

// A rule's table slot of 128 bytes, half as many again so that the table stays sparse.
constexpr uint64_t kBytesPerCounter = 256;
constexpr uint64_t kBytesForTheRest = uint64_t{1} << 20;

weir_status InvalidRule(size_t index, std::string_view why, weir_error* error) {
  std::string message = "limits rule " + std::to_string(index) + ": ";
  message.append(why);
  return Fail(error, WEIR_INVALID_ARGUMENT, message);
}

weir_status ReadRule(size_t index, const weir_limit_rule& read, Rule* rule, weir_error* error) {
  if (!IsText(read.name, read.name_size) || !IsText(read.time_zone, read.time_zone_size)) {
    return NullArgument(error);
  }
  if (read.algorithm < 0 || read.algorithm > WEIR_LIMIT_CONCURRENCY) {
    return InvalidRule(index, "there is no such algorithm", error);
  }
  if (read.period < 0 || read.period > WEIR_PERIOD_LIFETIME) {
    return InvalidRule(index, "there is no such period", error);
  }
  rule->name = View(read.name, read.name_size);
  if (read.algorithm != 0) rule->algorithm = static_cast<Algorithm>(read.algorithm - 1);
  rule->amount = read.amount;
  rule->window_ns = SaturatingMul(read.window_ms, weir::kMillisecond);
  rule->burst = read.burst;
  if (read.period != 0) rule->period = static_cast<Period>(read.period - 1);
  if (read.week_start != 0) rule->week_start = read.week_start;
  rule->time_zone = View(read.time_zone, read.time_zone_size);
  if (read.lease_ms == WEIR_LEASE_PERIOD) {
    rule->lease_ns = 0;
  } else if (read.lease_ms != 0) {
    rule->lease_ns = SaturatingMul(read.lease_ms, weir::kMillisecond);
  }
  if (read.is_anchored != 0) {
    rule->anchor_unix_ns = SaturatingMul(read.anchor_unix_ms, weir::kMillisecond);
  }
  rule->share = read.share != 0;
  rule->share_floor = read.share_floor;
  return WEIR_OK;
}

// `rules`: how many the limiter has.
weir_status ReadCharge(size_t rules, const weir_limit_charge& read, Charge* charge,
                       weir_error* error) {
  if (!IsText(read.key, read.key_size) || !IsText(read.model, read.model_size)) {
    return NullArgument(error);
  }
  if (read.rule >= rules) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "a charge names a rule that the limiter has not");
  }
  if (read.weight > weir::limits::kMaxShareWeight) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "a charge's weight is above 1000000");
  }
  charge->rule = read.rule;
  charge->key = View(read.key, read.key_size);
  charge->cost = read.cost;
  charge->headroom = read.headroom;
  charge->learned = read.learned != 0;
  charge->model = View(read.model, read.model_size);
  if (read.has_amount != 0) charge->amount = std::min(read.amount, weir::limits::kMaxAmount);
  if (read.weight != 0) charge->weight = read.weight;
  return WEIR_OK;
}

weir_status ReadCharges(const Limiter& limiter, const weir_limit_charge* given, size_t count,
                        Charges* charges, weir_error* error) {
  charges->reserve(count);
  const size_t rules = limiter.rules().size();
  return ReadArray(given, count, error, [&](size_t, const weir_limit_charge& read) {
    return ReadCharge(rules, read, &charges->emplace_back(), error);
  });
}

weir_limit_verdict Translated(const Verdict& verdict) {
  weir_limit_verdict full = {};
  full.rule = verdict.rule;
  full.admitted = verdict.admitted ? 1 : 0;
  full.used_before = verdict.used_before;
  full.reserved = verdict.reserved;
  full.amount = verdict.amount;
  full.remaining = verdict.remaining;
  full.retry_after_ns = verdict.retry_after_ns;
  full.reset_ns = verdict.reset_ns;
  return full;
}

// Where a decision is written to, looked at before anything is decided.
class Answer {
 public:
  weir_status Prepare(weir_limit_verdict* verdicts, size_t count, weir_limit_decision* decision,
                      weir_error* error) {
    if (decision == nullptr) return NullArgument(error);
    if (decision->size < offsetof(weir_limit_decision, binding)) {
      return Fail(error, WEIR_INVALID_ARGUMENT, "decision->size has no room for the decision");
    }
    decision_ = decision;
    verdicts_ = verdicts;
    if (verdicts == nullptr) return WEIR_OK;
    return ReadStride(verdicts, count, offsetof(weir_limit_verdict, used_before), &stride_, error);
  }

  void Write(const Decision& decision) const {
    weir_limit_decision full = {};
    full.admitted = decision.admitted ? 1 : 0;
    full.binding = decision.binding;
    full.table_full = decision.table_full ? 1 : 0;
    full.retry_after_ns = decision.retry_after_ns;
    WriteSized(full, decision_);
    if (verdicts_ == nullptr) return;
    for (size_t i = 0; i < decision.verdicts.size(); ++i) {
      weir_limit_verdict verdict = Translated(decision.verdicts[i]);
      verdict.size = static_cast<uint32_t>(stride_);
      if (stride_ == sizeof(verdict)) {
        verdicts_[i] = verdict;
      } else {
        std::memcpy(ElementAt(verdicts_, stride_, i), &verdict, std::min(stride_, sizeof(verdict)));
      }
    }
  }

 private:
  weir_limit_decision* decision_ = nullptr;
  weir_limit_verdict* verdicts_ = nullptr;
  size_t stride_ = 0;
};

// Whether `reservation` is one that `limiter` made; what a call with both begins with.
weir_status CheckOwner(const weir_limiter* limiter, const weir_reservation* reservation,
                       const weir_now* now, weir_error* error) {
  if (limiter == nullptr || reservation == nullptr || now == nullptr) return NullArgument(error);
  if (reservation->limiter == limiter) return WEIR_OK;
  return Fail(error, WEIR_INVALID_ARGUMENT, "the reservation is another limiter's");
}

absl::StatusOr<std::shared_ptr<weir::state::Segment>> SegmentFor(const weir_state* state,
                                                                 const weir_limiter_options& read,
                                                                 uint32_t max_counters) {
  if (state != nullptr) return state->segment;
  weir::state::SegmentOptions options;
  options.bytes = max_counters * kBytesPerCounter + kBytesForTheRest;
  options.seed = read.seed;
  auto made = weir::state::Segment::CreatePrivate(options);
  if (!made.ok()) return made.status();
  return std::shared_ptr<weir::state::Segment>(*std::move(made));
}

}  // namespace

weir_status weir_limiter_new(weir_state* state, const weir_limit_rule* rules, size_t rule_count,
                             const weir_limiter_options* options, weir_limiter** limiter,
                             weir_error* error) {
  if (limiter == nullptr) return NullArgument(error);
  weir_limiter_options read;
  if (const weir_status status = ReadSized(options, &read, error); status != WEIR_OK) return status;
  return Guard(error, [&]() -> weir_status {
    std::vector<Rule> made;
    const weir_status status =
        ReadArray(rules, rule_count, error, [&](size_t index, const weir_limit_rule& rule) {
          return ReadRule(index, rule, &made.emplace_back(), error);
        });
    if (status != WEIR_OK) return status;
    weir::limits::LimiterOptions limiter_options;
    if (read.max_counters != 0) limiter_options.max_counters = read.max_counters;
    limiter_options.full_admits = read.full_admits != 0;
    auto segment = SegmentFor(state, read, limiter_options.max_counters);
    if (!segment.ok()) return Fail(error, segment.status());
    auto handle = std::make_unique<weir_limiter>();
    handle->segment = *std::move(segment);
    auto created = Limiter::Create(handle->segment.get(), std::move(made), limiter_options);
    if (!created.ok()) return Fail(error, created.status());
    handle->limiter = *std::move(created);
    *limiter = handle.release();
    return WEIR_OK;
  });
}

weir_status weir_limiter_restarted(const weir_limiter* limiter, uint32_t index, const char** name,
                                   size_t* name_size) {
  if (limiter == nullptr || name == nullptr || name_size == nullptr) return WEIR_INVALID_ARGUMENT;
  const absl::Span<const std::string> names = limiter->limiter->restarted();
  if (index >= names.size()) return WEIR_OUT_OF_RANGE;
  *name = names[index].data();
  *name_size = names[index].size();
  return WEIR_OK;
}

weir_status weir_limiter_reserve(weir_limiter* limiter, const weir_limit_charge* charges,
                                 size_t charge_count, const weir_now* now,
                                 weir_limit_verdict* verdicts, weir_limit_decision* decision,
                                 weir_reservation** reservation, weir_error* error) {
  if (limiter == nullptr || now == nullptr || reservation == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    Answer answer;
    Charges read;
    weir_status status = answer.Prepare(verdicts, charge_count, decision, error);
    if (status != WEIR_OK) return status;
    status = ReadCharges(*limiter->limiter, charges, charge_count, &read, error);
    if (status != WEIR_OK) return status;
    // Made first: once something is booked, nothing can fail any more.
    auto handle = std::make_unique<weir_reservation>();
    handle->limiter = limiter;
    handle->last_now = At(*now);
    answer.Write(limiter->limiter->Reserve(read, handle->last_now, &handle->held));
    *reservation = handle->held.active() ? handle.release() : nullptr;
    return WEIR_OK;
  });
}

weir_status weir_limiter_take(weir_limiter* limiter, const weir_limit_charge* charges,
                              size_t charge_count, const weir_now* now,
                              weir_limit_verdict* verdicts, weir_limit_decision* decision,
                              weir_error* error) {
  if (limiter == nullptr || now == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    Answer answer;
    Charges read;
    weir_status status = answer.Prepare(verdicts, charge_count, decision, error);
    if (status != WEIR_OK) return status;
    status = ReadCharges(*limiter->limiter, charges, charge_count, &read, error);
    if (status != WEIR_OK) return status;
    answer.Write(limiter->limiter->Take(read, At(*now)));
    return WEIR_OK;
  });
}

weir_status weir_limiter_top_up(weir_limiter* limiter, weir_reservation* reservation,
                                const uint64_t* more, size_t more_count, const weir_now* now,
                                weir_limit_verdict* verdicts, weir_limit_decision* decision,
                                weir_error* error) {
  if (const weir_status status = CheckOwner(limiter, reservation, now, error); status != WEIR_OK) {
    return status;
  }
  if (more == nullptr && more_count != 0) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    if (!reservation->held.active()) {
      return Fail(error, WEIR_FAILED_PRECONDITION, "the reservation has ended");
    }
    Answer answer;
    const weir_status status = answer.Prepare(verdicts, 1, decision, error);
    if (status != WEIR_OK) return status;
    const weir::Now at = At(*now);
    answer.Write(limiter->limiter->TopUp(&reservation->held, {more, more_count}, at));
    reservation->last_now = at;
    return WEIR_OK;
  });
}

weir_status weir_limiter_settle(weir_limiter* limiter, weir_reservation* reservation,
                                const weir_limit_actual* actuals, size_t actual_count,
                                const weir_now* now, weir_error* error) {
  if (const weir_status status = CheckOwner(limiter, reservation, now, error); status != WEIR_OK) {
    return status;
  }
  return Guard(error, [&]() -> weir_status {
    absl::InlinedVector<Actual, 4> read;
    read.reserve(actual_count);
    const weir_status status =
        ReadArray(actuals, actual_count, error, [&](size_t, const weir_limit_actual& actual) {
          read.push_back({.cost = actual.cost,
                          .headroom_used = actual.headroom_used,
                          .learn = actual.unlearned == 0});
          return WEIR_OK;
        });
    if (status != WEIR_OK) return status;
    limiter->limiter->Settle(&reservation->held, read, At(*now));
    return WEIR_OK;
  });
}

weir_status weir_limiter_release(weir_limiter* limiter, weir_reservation* reservation,
                                 const weir_now* now, weir_error* error) {
  if (const weir_status status = CheckOwner(limiter, reservation, now, error); status != WEIR_OK) {
    return status;
  }
  return Guard(error, [&]() -> weir_status {
    limiter->limiter->Release(&reservation->held, At(*now));
    return WEIR_OK;
  });
}

void weir_reservation_free(weir_reservation* reservation) {
  if (reservation == nullptr) return;
  static_cast<void>(Guard(nullptr, [&]() -> weir_status {
    reservation->limiter->limiter->Release(&reservation->held, reservation->last_now);
    return WEIR_OK;
  }));
  delete reservation;
}

weir_status weir_limiter_peek(const weir_limiter* limiter, const weir_limit_charge* charge,
                              const weir_now* now, weir_limit_verdict* verdict, weir_error* error) {
  if (limiter == nullptr || charge == nullptr || now == nullptr || verdict == nullptr) {
    return NullArgument(error);
  }
  if (verdict->size < offsetof(weir_limit_verdict, used_before)) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "verdict->size has no room for the verdict");
  }
  return Guard(error, [&]() -> weir_status {
    weir_limit_charge read;
    Charge asked;
    weir_status status = ReadSized(charge, &read, error);
    if (status == WEIR_OK)
      status = ReadCharge(limiter->limiter->rules().size(), read, &asked, error);
    if (status != WEIR_OK) return status;
    WriteSized(Translated(limiter->limiter->Peek(asked, At(*now))), verdict);
    return WEIR_OK;
  });
}

weir_status weir_limiter_book(weir_limiter* limiter, const weir_limit_charge* charge,
                              const weir_now* now, weir_error* error) {
  if (limiter == nullptr || charge == nullptr || now == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    weir_limit_charge read;
    Charge booked;
    weir_status status = ReadSized(charge, &read, error);
    if (status == WEIR_OK)
      status = ReadCharge(limiter->limiter->rules().size(), read, &booked, error);
    if (status != WEIR_OK) return status;
    limiter->limiter->Book(booked, At(*now));
    return WEIR_OK;
  });
}

weir_status weir_limiter_override(weir_limiter* limiter, uint32_t rule, const char* key,
                                  size_t key_size, uint64_t amount, int64_t for_ms,
                                  const weir_now* now, weir_error* error) {
  if (limiter == nullptr || now == nullptr || !IsText(key, key_size)) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    std::optional<std::string_view> of_key;
    if (key != nullptr) of_key = View(key, key_size);
    const int64_t for_ns = SaturatingMul(for_ms, weir::kMillisecond);
    const absl::Status status = limiter->limiter->Override(rule, of_key, amount, for_ns, At(*now));
    return status.ok() ? WEIR_OK : Fail(error, status);
  });
}

void weir_limiter_free(weir_limiter* limiter) { delete limiter; }
