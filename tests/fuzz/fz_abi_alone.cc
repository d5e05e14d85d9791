// The parts of weir.h that stand alone: limiters, breakers, balancers, caches, tokenizers,
// counters, stream meters, called in any order, with null handles, with handles whose makers are
// gone, with structs of callers of any age, and with memory that runs out.
//
// Oracle: every status is one that the header names; outputs are written by success alone; a
// limiter's decision and its verdicts agree; a reservation ends once; pieces count as the whole;
// sanitizers see the rest, leaks included.

#include "tests/fuzz/alone_balancer.h"
#include "tests/fuzz/alone_breaker.h"
#include "tests/fuzz/alone_cache.h"
#include "tests/fuzz/alone_common.h"
#include "tests/fuzz/alone_counting.h"
#include "tests/fuzz/alone_limiter.h"

namespace weir::fuzz {
namespace {

class StandAloneParts {
 public:
  explicit StandAloneParts(const AbiInput& input) : common_(input) {}

  void Do(const AbiCall& call) {
    const uint8_t verb = call.which / 5;
    switch (call.which % 5) {
      case 0:
        return limiter_.Do(call, verb);
      case 1:
        return breaker_.Do(call, verb);
      case 2:
        return balancer_.Do(call, verb);
      case 3:
        return counting_.Do(call, verb);
      default:
        return verb < kCommonVerbs ? DoCommon(call, verb) : cache_.Do(call, verb);
    }
  }

 private:
  static constexpr uint8_t kCommonVerbs = 28;

  void DoCommon(const AbiCall& call, uint8_t verb) {
    switch (verb % 7) {
      case 0:
        return OpenState(call);
      case 1:
        return common_.states.Put(call.a, nullptr);
      case 2:
        return weir::testing::FailAllocation(call.b);
      case 3:
        common_.ages = {call.a, call.b, call.c};
        return;
      case 4:
        return RetryAfter(call);
      case 5:
        return HashKey(call);
      default:
        common_.now.mono_ns += int64_t{call.b} * call.c * 1'000'000 - 10'000'000;
        common_.now.unix_ns += int64_t{call.b} * call.c * 1'000'000 - 10'000'000;
    }
  }

  // Private memory: no path.
  void OpenState(const AbiCall& call) {
    weir_state_options record = {};
    record.bytes = call.b < 16 ? call.b * uint64_t{100'000} : uint64_t{1} << 20;
    record.seed = call.c;
    const Given<weir_state_options> options(common_.TakeAge(), record);
    auto* const made = Made<weir_state>([&](weir_state** out) {
      return weir_state_open("", 0, call.c == 255 ? nullptr : options.get(), out, &common_.error);
    });
    if (made != nullptr) common_.states.Put(call.a, made);
  }

  void RetryAfter(const AbiCall& call) {
    const std::string_view one = common_.Text(call.a), two = common_.Text(call.b);
    weir_retry_headers record = {};
    record.retry_after = one.data();
    record.retry_after_size = call.c % 2 == 0 ? one.size() : 0;
    record.retry_after_ms = two.data();
    record.retry_after_ms_size = call.c % 4 < 2 ? two.size() : 0;
    record.remaining_tokens = "0";
    record.remaining_tokens_size = call.c % 3 == 0 ? 1 : 0;
    record.reset_tokens = two.data();
    record.reset_tokens_size = two.size();
    const Given<weir_retry_headers> headers(common_.TakeAge(), record);
    const int64_t cap_ns = call.c * int64_t{1'000'000'000};
    int64_t ns = -2;
    const bool ok =
        Checked(weir_retry_after(headers.get(), &common_.now, cap_ns, &ns, &common_.error));
    if (ok ? ns < -1 || ns > cap_ns : ns != -2) std::abort();
  }

  void HashKey(const AbiCall& call) {
    const std::string_view pepper = common_.Text(call.a), key = common_.Text(call.b);
    ReadText(
        [&](char* buffer, size_t capacity, size_t* needed) {
          return weir_key_hash(pepper.data(), pepper.size(), key.data(), key.size(), buffer,
                               capacity, needed, &common_.error);
        },
        call.c);
  }

  Common common_;
  LimiterPart limiter_{&common_};
  BreakerPart breaker_{&common_};
  BalancerPart balancer_{&common_};
  CachePart cache_{&common_};
  CountingPart counting_{&common_};
};

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return weir::fuzz::Play<weir::fuzz::StandAloneParts>(data, size);
}
