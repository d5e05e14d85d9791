// A part of fz_abi_alone: balancers.

#ifndef WEIR_TESTS_FUZZ_ALONE_BALANCER_H_
#define WEIR_TESTS_FUZZ_ALONE_BALANCER_H_

#include "tests/fuzz/abi_structs.h"
#include "tests/fuzz/alone_common.h"

namespace weir::fuzz {

class BalancerPart {
 public:
  explicit BalancerPart(Common* common) : common_(*common) {}

  void Do(const AbiCall& call, uint8_t verb) {
    weir_balancer* const balancer = balancers_[call.a];
    const int32_t member = call.b % 6 - 1;
    weir_error* const error = &common_.error;
    const weir_now* const now = &common_.now;
    switch (verb % 11) {
      case 0:
        return New(call);
      case 1:
        return Pick(call);
      case 2:
        Checked(weir_balancer_unused(balancer, member, error));
        return;
      case 3:
        Checked(weir_balancer_started(balancer, member, now, error));
        return;
      case 4:
        Checked(weir_balancer_first_token(balancer, member, (call.c - 5) * int64_t{10'000'000}, now,
                                          error));
        return;
      case 5:
        Checked(weir_balancer_finished(balancer, member, call.c % 2, now, error));
        return;
      case 6:
        Checked(weir_balancer_rest(balancer, member, Until(call.c), call.b / 6 % 5, now, error));
        return;
      case 7:
        Checked(weir_balancer_wake(balancer, member, now, error));
        return;
      case 8:
        return Identify(balancer, member);
      case 9:
        return ReadText(
            [&](char* buffer, size_t capacity, size_t* needed) {
              return weir_balancer_report_json(balancer, now, buffer, capacity, needed, error);
            },
            call.c);
      default:
        return balancers_.Put(call.a, nullptr);
    }
  }

 private:
  int64_t Until(uint8_t operand) const {
    return operand == 255 ? WEIR_NEVER : common_.now.mono_ns + operand * int64_t{20'000'000};
  }

  void New(const AbiCall& call) {
    constexpr std::string_view kNames[] = {"east", "west", "north", "south", "east"};
    const size_t count = call.b % 6;
    Given<weir_balance_member> members(common_.TakeAge(), count);
    for (size_t i = 0; i < count; ++i) {
      weir_balance_member member = {};
      member.name = kNames[i].data();
      member.name_size = kNames[i].size();
      member.priority = static_cast<uint32_t>(call.b / 6 % 3 * i);
      member.weight = static_cast<uint32_t>(call.c % 3 * i);
      members.Put(i, member);
    }
    weir_balancer_options record = {};
    record.strategy = call.c % 8;
    record.seed = call.c;
    record.hold_down_ms = call.c / 8 % 2 == 0 ? 0 : WEIR_NO_HOLD_DOWN;
    record.load_floor = call.c / 16 % 2;
    const Given<weir_balancer_options> options(common_.TakeAge(), record);
    const std::string_view name = common_.Text(call.c / 32);
    auto* const made = Made<weir_balancer>([&](weir_balancer** out) {
      return weir_balancer_new(common_.states[call.b / 18], name.data(), name.size(), members.get(),
                               count, options.get(), out, &common_.error);
    });
    if (made != nullptr) balancers_.Put(call.a, made);
  }

  void Pick(const AbiCall& call) {
    constexpr uint16_t kRefused[] = {0, 3, 1, 65535, 2};
    const std::string_view key = common_.Text(call.b);
    weir_balance_ask record = {};
    record.start = call.c % 2;
    record.key = key.data();
    record.key_size = key.size();
    record.refused = kRefused;
    record.refused_count = call.c / 2 % 6;
    record.has_prefer = call.c / 16 % 2;
    record.prefer = call.b % 6 - 1;
    record.sticky = call.c / 32 % 2;
    const Given<weir_balance_ask> ask(common_.TakeAge(), record);
    int32_t member = -2;
    int64_t returns_at_ns = -2;
    const bool ok =
        Checked(weir_balancer_pick(balancers_[call.a], call.c < 250 ? ask.get() : nullptr,
                                   &common_.now, &member, &returns_at_ns, &common_.error));
    if (ok == (member == -2) || ok == (returns_at_ns == -2)) std::abort();
    if (!ok) return;
    if (member < -1 || member > 3) std::abort();
    if (member >= 0 && returns_at_ns != 0) std::abort();
    if (!ask.is_whole() || call.c >= 250) return;
    const uint16_t* const end = kRefused + record.refused_count;
    if (member >= 0 && std::find(kRefused, end, member) != end) std::abort();
  }

  void Identify(const weir_balancer* balancer, int32_t member) {
    uint64_t id = 0;
    if (!Checked(weir_balancer_member_id(balancer, member, &id, &common_.error))) return;
    int32_t found = -1;
    if (Checked(weir_balancer_find_member(balancer, id, &found, &common_.error)) &&
        found != member) {
      std::abort();
    }
    Checked(weir_balancer_find_member(balancer, id + 1, &found, &common_.error));
  }

  Common& common_;
  Slots<weir_balancer, weir_balancer_free> balancers_;
};

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_ALONE_BALANCER_H_
