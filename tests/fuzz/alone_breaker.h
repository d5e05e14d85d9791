// A part of fz_abi_alone: breakers, their circuits and permits.

#ifndef WEIR_TESTS_FUZZ_ALONE_BREAKER_H_
#define WEIR_TESTS_FUZZ_ALONE_BREAKER_H_

#include "tests/fuzz/abi_structs.h"
#include "tests/fuzz/alone_common.h"

namespace weir::fuzz {

class BreakerPart {
 public:
  explicit BreakerPart(Common* common) : common_(*common) {}

  void Do(const AbiCall& call, uint8_t verb) {
    switch (verb % 8) {
      case 0:
        return New(call);
      case 1:
        return Find(call);
      case 2:
      case 3:
        return Pass(call, verb % 8 == 2);
      case 4:
        return Record(call);
      case 5:
        Checked(weir_breaker_cancel(breakers_[call.a], Permit(call).get(), &common_.now,
                                    &common_.error));
        return;
      case 6:
        return Look(call);
      default:
        return Replace(call.a, nullptr);
    }
  }

 private:
  struct Found {
    weir_breaker* breaker = nullptr;
    weir_circuit circuit = {};
  };

  static weir_breaker_rule Rule(uint8_t which) {
    static constexpr weir_status_range kStatuses[] = {{429, 429}, {500, 599}, {900, 100}};
    weir_breaker_rule rule = {};
    rule.name = "rule";
    rule.name_size = which % 5;
    rule.statuses = kStatuses;
    rule.status_count = which % 16 == 15 ? 3 : which % 3;
    rule.failures = which % 32;
    rule.count = which % 4;
    rule.percentage = which % 8 == 7 ? 50 : 0;
    rule.min_samples = 2;
    rule.interval_ms = 1'000;
    rule.trip_ms = 500;
    rule.trip_growth_percent = which % 8 == 6 ? 200 : 0;
    rule.ignore_retry_after = which % 2;
    return rule;
  }

  void New(const AbiCall& call) {
    const size_t rule_count = call.b % 6, set_count = call.b / 6 % 3;
    Given<weir_breaker_rule> rules(common_.TakeAge(), rule_count);
    for (size_t i = 0; i < rule_count; ++i) {
      rules.Put(i, Rule(static_cast<uint8_t>(call.c + i)));
    }
    Given<weir_breaker_rule_set> sets(common_.TakeAge(), set_count);
    for (size_t i = 0; i < set_count; ++i) {
      weir_breaker_rule_set set = {};
      set.probes = call.c % 4;
      set.rules = rules.get();
      set.rule_count = rule_count;
      set.successes_to_close = call.c % 3;
      sets.Put(i, set);
    }
    weir_breaker_options record = {};
    record.max_circuits = 4;
    const Given<weir_breaker_options> options(common_.TakeAge(), record);
    auto* const made = Made<weir_breaker>([&](weir_breaker** out) {
      return weir_breaker_new(common_.states[call.c / 4], sets.get(), set_count, options.get(), out,
                              &common_.error);
    });
    if (made != nullptr) Replace(call.a, made);
  }

  // Circuits are good for as long as their breaker.
  void Replace(uint8_t operand, weir_breaker* breaker) {
    for (Found& found : found_) {
      if (found.breaker == breakers_.Place(operand)) found = Found();
    }
    breakers_.Put(operand, breaker);
  }

  void Find(const AbiCall& call) {
    weir_breaker* const breaker = breakers_[call.a];
    const std::string_view key = common_.Text(call.b);
    Taken<weir_circuit> circuit(common_.TakeAge());
    if (circuit.Checked(weir_breaker_find(breaker, call.a / 4 % 3, key.data(), key.size(),
                                          &common_.now, circuit.get(), &common_.error))) {
      found_[call.c % std::size(found_)] = {breaker, circuit.Read()};
    }
  }

  void Pass(const AbiCall& call, bool takes) {
    const Found& found = found_[call.b % std::size(found_)];
    weir_breaker* const breaker = call.a < 192 ? found.breaker : breakers_[call.a];
    const Given<weir_circuit> circuit(common_.TakeAge(), found.circuit);
    Taken<weir_permit> permit(common_.TakeAge());
    const bool ok = permit.Checked((takes ? weir_breaker_acquire : CheckPass)(
        breaker, circuit.get(), &common_.now, permit.get(), &common_.error));
    if (!ok) return;
    if (breaker != found.breaker) std::abort();
    const weir_permit told = permit.Read();
    if (told.allowed > 1 || told.is_probe > told.allowed) std::abort();
    if (told.state < WEIR_BREAKER_CLOSED || told.state > WEIR_BREAKER_HALF_OPEN) std::abort();
    if (told.state == WEIR_BREAKER_CLOSED && told.allowed == 0) std::abort();
    if (told.state == WEIR_BREAKER_OPEN && told.allowed == 1) std::abort();
    permits_[call.c % std::size(permits_)] = told;
  }
  static weir_status CheckPass(weir_breaker* breaker, const weir_circuit* circuit,
                               const weir_now* now, weir_permit* permit, weir_error* error) {
    return weir_breaker_check(breaker, circuit, now, permit, error);
  }

  Given<weir_permit> Permit(const AbiCall& call) {
    return Given<weir_permit>(common_.TakeAge(), permits_[call.b % std::size(permits_)]);
  }

  void Record(const AbiCall& call) {
    weir_outcome record = {};
    record.status = call.c % 2 == 0 ? 200 + call.c : 429;
    record.failure = call.b / 4 % 8 < 4 ? 0 : call.b / 32;
    record.has_asked = call.c % 8 == 7;
    record.retry_after_ns = call.c * int64_t{10'000'000};
    const Given<weir_outcome> outcome(common_.TakeAge(), record);
    const Taken<weir_breaker_report> report(common_.TakeAge());
    const bool ok =
        report.Checked(weir_breaker_record(breakers_[call.a], Permit(call).get(), outcome.get(),
                                           &common_.now, report.get(), &common_.error));
    if (!ok || !report.is_whole()) return;
    const weir_breaker_report told = report.Read();
    if (told.tripped > 1 || told.reset > 1 || told.tripped + told.reset > 1) std::abort();
    if ((told.tripped == 1) != (told.rule >= 0) || told.rule > 3) std::abort();
  }

  void Look(const AbiCall& call) {
    weir_breaker* const breaker = breakers_[call.a];
    ReadText(
        [&](char* buffer, size_t capacity, size_t* needed) {
          return call.b % 2 == 0 ? weir_breaker_snapshot_json(breaker, &common_.now, buffer,
                                                              capacity, needed, &common_.error)
                                 : weir_breaker_changes_json(breaker, call.b / 2, buffer, capacity,
                                                             needed, &common_.error);
        },
        call.c);
  }

  Common& common_;
  Slots<weir_breaker, weir_breaker_free> breakers_;
  Found found_[3];
  weir_permit permits_[4] = {};
};

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_ALONE_BREAKER_H_
