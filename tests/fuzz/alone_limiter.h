// A part of fz_abi_alone: limiters and their reservations.

#ifndef WEIR_TESTS_FUZZ_ALONE_LIMITER_H_
#define WEIR_TESTS_FUZZ_ALONE_LIMITER_H_

#include "tests/fuzz/abi_structs.h"
#include "tests/fuzz/alone_common.h"

namespace weir::fuzz {

class LimiterPart {
 public:
  explicit LimiterPart(Common* common) : common_(*common) {}
  ~LimiterPart() {
    for (Held& held : held_) weir_reservation_free(held.reservation);
  }

  void Do(const AbiCall& call, uint8_t verb) {
    switch (verb % 9) {
      case 0:
        return New(call);
      case 1:
        return Reserve(call);
      case 2:
        return Take(call);
      case 3:
        return TopUp(call);
      case 4:
      case 5:
        return End(call, verb % 9 == 4);
      case 6:
        return Ask(call);
      case 7:
        Checked(weir_limiter_override(limiters_[call.a], call.b % 4, common_.Text(call.c).data(),
                                      common_.Text(call.c).size(), call.b, call.c * 100,
                                      &common_.now, &common_.error));
        return;
      default:
        return Free(call);
    }
  }

 private:
  static constexpr size_t kMostCharges = 2;
  using Charges = Given<weir_limit_charge>;

  // A reservation, whose it is, and what it charges.
  struct Held {
    weir_reservation* reservation = nullptr;
    weir_limiter* limiter = nullptr;
    weir_limit_charge charges[kMostCharges] = {};
    size_t count = 0;
    bool ended = false;
  };

  static weir_limit_rule Rule(uint8_t which) {
    constexpr std::string_view kNames[] = {"sliding", "bucket", "fixed", "month",
                                           "ways",    "shared", "",      "any"};
    weir_limit_rule rule = {};
    rule.name = kNames[which % 8].data();
    rule.name_size = kNames[which % 8].size();
    rule.algorithm = 1 + which % 8 % 5;
    rule.amount = 100 + which / 8 * 40;
    rule.window_ms = which % 8 == 3 || which % 8 == 4 ? 0 : 10'000;
    rule.burst = which % 8 == 1 ? 150 : 0;
    rule.lease_ms = which % 16 == 4 ? 2'000 : 0;
    rule.share = which % 8 == 5;
    rule.share_floor = rule.share != 0 ? 10 : 0;
    if (which % 8 == 5) rule.algorithm = WEIR_LIMIT_SLIDING_WINDOW;
    if (which == 255) rule.amount = UINT64_MAX;
    return rule;
  }

  void New(const AbiCall& call) {
    const size_t count = call.b % 4;
    Given<weir_limit_rule> rules(common_.TakeAge(), count);
    for (size_t i = 0; i < count; ++i) {
      rules.Put(i, Rule(static_cast<uint8_t>(call.b / 4 + i * (1 + call.c % 3))));
    }
    weir_limiter_options record = {};
    record.max_counters = 4;
    record.full_admits = call.c % 2;
    const Given<weir_limiter_options> options(common_.TakeAge(), record);
    auto* const made = Made<weir_limiter>([&](weir_limiter** out) {
      return weir_limiter_new(common_.states[call.c / 4], rules.get(), count,
                              call.c % 32 == 31 ? nullptr : options.get(), out, &common_.error);
    });
    if (made != nullptr) Replace(call.a, made);
  }

  // A limiter goes after its reservations.
  void Replace(uint8_t operand, weir_limiter* limiter) {
    for (Held& held : held_) {
      if (held.limiter == nullptr || held.limiter != limiters_.Place(operand)) continue;
      weir_reservation_free(held.reservation);
      held = Held();
    }
    limiters_.Put(operand, limiter);
  }

  weir_limit_charge Charge(uint8_t what, uint8_t cost) const {
    const std::string_view key = common_.Text(what), model = common_.Text(cost);
    weir_limit_charge charge = {};
    charge.rule = what / 3 % 4;
    charge.key = key.data();
    charge.key_size = key.size();
    charge.cost = cost == 255 ? UINT64_MAX : cost / 2;
    charge.headroom = what % 4 == 0 ? cost : 0;
    charge.learned = what % 8 == 1;
    charge.weight = what % 16 == 2 ? cost : 0;
    charge.model = model.data();
    charge.model_size = model.size();
    charge.has_amount = what % 16 == 3;
    charge.amount = cost;
    return charge;
  }

  void Reserve(const AbiCall& call) {
    weir_limiter* const limiter = limiters_[call.a];
    Held held;
    held.limiter = limiter;
    held.count = call.a / 4 % (kMostCharges + 1);
    Charges charges(common_.TakeAge(), held.count);
    for (size_t i = 0; i < held.count; ++i) {
      held.charges[i] = Charge(static_cast<uint8_t>(call.b + i * 5), call.c);
      charges.Put(i, held.charges[i]);
    }
    Taken<weir_limit_decision> decision(common_.TakeAge());
    Taken<weir_limit_verdict> verdicts(common_.TakeAge(), held.count);
    const bool wants_verdicts = call.a % 64 < 48;
    auto* const none = reinterpret_cast<weir_reservation*>(&common_);
    held.reservation = none;
    const weir_status status = weir_limiter_reserve(
        limiter, charges.get(), held.count, &common_.now, wants_verdicts ? verdicts.get() : nullptr,
        decision.get(), &held.reservation, &common_.error);
    const bool ok = decision.Checked(status);
    verdicts.Checked(ok && wants_verdicts ? WEIR_OK : WEIR_INVALID_ARGUMENT);
    if (ok == (held.reservation == none)) std::abort();
    if (!ok) return;
    const bool admitted = decision.Read().admitted != 0;
    if (held.reservation != nullptr && (!admitted || held.count == 0)) std::abort();
    if (decision.is_whole()) CheckDecision(decision.Read(), held.count);
    if (wants_verdicts) CheckVerdicts(held, charges, decision, verdicts, true);
    if (held.reservation == nullptr) return;
    Held& place = held_[call.b % std::size(held_)];
    weir_reservation_free(place.reservation);
    place = held;
  }

  void Take(const AbiCall& call) {
    Held held;
    held.count = 1;
    held.charges[0] = Charge(call.b, call.c);
    const Charges charges(common_.TakeAge(), held.charges[0]);
    Taken<weir_limit_decision> decision(common_.TakeAge());
    Taken<weir_limit_verdict> verdicts(common_.TakeAge(), 1);
    const bool ok =
        decision.Checked(weir_limiter_take(limiters_[call.a], charges.get(), 1, &common_.now,
                                           verdicts.get(), decision.get(), &common_.error));
    verdicts.Checked(ok ? WEIR_OK : WEIR_INVALID_ARGUMENT);
    if (!ok) return;
    if (decision.is_whole()) CheckDecision(decision.Read(), 1);
    CheckVerdicts(held, charges, decision, verdicts, false);
  }

  static void CheckDecision(const weir_limit_decision& decision, size_t count) {
    if (decision.admitted > 1 || decision.table_full > 1) std::abort();
    if (decision.binding < -1 || decision.binding >= static_cast<int32_t>(count)) std::abort();
    if (decision.admitted == 1 && (decision.binding != -1 || decision.retry_after_ns != 0)) {
      std::abort();
    }
    if (decision.admitted == 0 && decision.retry_after_ns <= 0) std::abort();
  }

  static void CheckVerdicts(const Held& held, const Charges& charges,
                            const Taken<weir_limit_decision>& decision,
                            const Taken<weir_limit_verdict>& verdicts, bool reserves) {
    if (!charges.is_whole() || !decision.is_whole() || !verdicts.is_whole()) return;
    const weir_limit_decision told = decision.Read();
    for (size_t i = 0; i < held.count; ++i) {
      const weir_limit_verdict verdict = verdicts.Read(i);
      const weir_limit_charge& charge = held.charges[i];
      if (verdict.rule != charge.rule || verdict.admitted > 1) std::abort();
      if (told.admitted == 1 && verdict.admitted == 0) std::abort();
      if (told.admitted == 0 && verdict.reserved != 0) std::abort();
      if ((verdict.admitted == 1) != (verdict.retry_after_ns == 0)) std::abort();
      if (verdict.remaining > verdict.amount || verdict.reset_ns < 0) std::abort();
      if (told.admitted == 0 || told.table_full != 0) continue;
      if (verdict.reserved < charge.cost) std::abort();
      const uint64_t most =
          reserves && charge.learned == 0 ? charge.cost + charge.headroom : verdict.amount;
      if (verdict.reserved > std::max(most, charge.cost)) std::abort();
      if (charge.cost != 0 && verdict.used_before + verdict.reserved > verdict.amount) std::abort();
    }
  }

  // What a counter has, by a limiter that answers.
  uint64_t Used(const Held& held, size_t index) {
    weir_limit_charge charge = held.charges[index];
    charge.size = sizeof(charge);
    weir_limit_verdict verdict = {};
    verdict.size = sizeof(verdict);
    weir::testing::FailAllocation(-1);
    Checked(weir_limiter_peek(held.limiter, &charge, &common_.now, &verdict, nullptr));
    return verdict.used_before;
  }

  void TopUp(const AbiCall& call) {
    const Held& held = held_[call.b % std::size(held_)];
    const uint64_t more[] = {call.c, call.c / uint64_t{2}, 1};
    Taken<weir_limit_decision> decision(common_.TakeAge());
    Taken<weir_limit_verdict> verdicts(common_.TakeAge(), std::max<size_t>(held.count, 1));
    weir_limiter* const limiter = call.a < 128 ? held.limiter : limiters_[call.a];
    const bool ok = decision.Checked(weir_limiter_top_up(limiter, held.reservation, more,
                                                         call.b % 4, &common_.now, verdicts.get(),
                                                         decision.get(), &common_.error));
    verdicts.Checked(ok ? WEIR_OK : WEIR_INVALID_ARGUMENT);
    if (!ok) return;
    if (held.ended || limiter != held.limiter) std::abort();
    if (decision.is_whole()) CheckDecision(decision.Read(), held.count);
  }

  // Of what has ended already nothing changes.
  void End(const AbiCall& call, bool settles) {
    Held& held = held_[call.b % std::size(held_)];
    weir_limiter* const limiter = call.a < 128 ? held.limiter : limiters_[call.a];
    uint64_t before[kMostCharges] = {};
    for (size_t i = 0; held.ended && i < held.count; ++i) before[i] = Used(held, i);
    const bool ok = settles ? Settle(limiter, held.reservation, call)
                            : Checked(weir_limiter_release(limiter, held.reservation, &common_.now,
                                                           &common_.error));
    if (ok && limiter != held.limiter) std::abort();
    for (size_t i = 0; held.ended && i < held.count; ++i) {
      if (before[i] != Used(held, i)) std::abort();
    }
    held.ended = held.ended || ok;
    if (call.a % 8 == 7) {
      weir_reservation_free(held.reservation);
      held = Held();
    }
  }

  bool Settle(weir_limiter* limiter, weir_reservation* reservation, const AbiCall& call) {
    const size_t count = call.a / 8 % 4;
    Given<weir_limit_actual> actuals(common_.TakeAge(), count);
    for (size_t i = 0; i < count; ++i) {
      weir_limit_actual actual = {};
      actual.cost = call.c == 255 ? UINT64_MAX : call.c * (i + 1);
      actual.headroom_used = call.c / 2;
      actual.unlearned = call.c % 2;
      actuals.Put(i, actual);
    }
    return Checked(weir_limiter_settle(limiter, reservation, actuals.get(), count, &common_.now,
                                       &common_.error));
  }

  // Calls about one counter, or none.
  void Ask(const AbiCall& call) {
    weir_limiter* const limiter = limiters_[call.a];
    const Charges charge(common_.TakeAge(), Charge(call.b, call.c));
    if (call.a / 4 % 3 == 0) {
      Checked(weir_limiter_book(limiter, charge.get(), &common_.now, &common_.error));
    } else if (call.a / 4 % 3 == 1) {
      const char* name = nullptr;
      size_t size = 0;
      if (Checked(weir_limiter_restarted(limiter, call.b % 4, &name, &size))) ReadAll(name, size);
    } else {
      const Taken<weir_limit_verdict> verdict(common_.TakeAge());
      const bool ok = verdict.Checked(
          weir_limiter_peek(limiter, charge.get(), &common_.now, verdict.get(), &common_.error));
      if (!ok || !verdict.is_whole()) return;
      if (verdict.Read().remaining > verdict.Read().amount) std::abort();
    }
  }

  void Free(const AbiCall& call) {
    if (call.b % 4 != 0) return Replace(call.a, nullptr);
    Held& held = held_[call.b / 4 % std::size(held_)];
    weir_reservation_free(held.reservation);
    held = Held();
  }

  Common& common_;
  Slots<weir_limiter, weir_limiter_free> limiters_;  // freed last
  Held held_[3];
};

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_ALONE_LIMITER_H_
