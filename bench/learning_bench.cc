// What deciding on a hit costs, beside counters of the same entries in a map under a mutex, which
// decide by a fixed share of errors and promise nothing.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "weir/learning.h"

namespace {

using weir::learning::Choice;
using weir::learning::Outcome;

constexpr uint64_t kEntries = 10'000;
constexpr weir::Now kNow{weir::kSecond, 1'767'225'600 * weir::kSecond};

// Trusted entries: what a busy cache decides all day.
void BM_Decide(benchmark::State& state) {
  const auto segment = *weir::state::Segment::CreatePrivate({size_t{8} << 20, 1});
  weir::learning::Rules rules;
  rules.max_error_rate = state.range(0) / 1000.0;
  rules.min_similarity = 0.8;
  const auto verifier = *weir::learning::Verifier::Create(segment.get(), "bench", rules);
  uint64_t i = 0;
  const auto one = [&] {
    const auto ticket = verifier->Decide({i++ % kEntries + 1, "partition", 0.93}, kNow);
    if (ticket.choice != Choice::kServe) verifier->Report(ticket, Outcome::kRight, kNow);
    return ticket.choice;
  };
  for (uint64_t k = 0; k < 10 * kEntries; ++k) one();
  uint64_t served = 0;
  for (auto _ : state) served += one() == Choice::kServe ? 1 : 0;
  state.counters["served"] =
      benchmark::Counter(static_cast<double>(served), benchmark::Counter::kAvgIterations);
}
BENCHMARK(BM_Decide)->Arg(20)->Arg(1000);

void BM_FixedShareInMap(benchmark::State& state) {
  struct Counts {
    uint32_t all = 0, wrong = 0;
  };
  std::mutex mutex;
  std::unordered_map<uint64_t, Counts> entries;
  uint64_t i = 0, served = 0;
  for (auto _ : state) {
    const std::lock_guard<std::mutex> lock(mutex);
    Counts& counts = entries[i++ % kEntries + 1];
    ++counts.all;
    if (50 * counts.wrong <= counts.all) ++served;
  }
  benchmark::DoNotOptimize(served);
}
BENCHMARK(BM_FixedShareInMap);

}  // namespace
