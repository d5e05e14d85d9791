// Pick of every strategy, with two tiers and every tenth member resting, against its neighbours:
// the scan of nginx's smooth weighted round robin and a heap of earliest deadlines as in Envoy.
// Both are stand-ins written for this file, over plain structs, and take no lock.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "weir/balance.h"
#include "weir/state.h"

namespace weir::balance {
namespace {

constexpr int64_t kStart = 1000 * kSecond;

uint32_t WeightOf(int64_t i) { return static_cast<uint32_t>(1 + i * 37 % 10); }

// Nine tenths of the members in the first tier.
std::vector<Member> Members(int64_t count) {
  std::vector<Member> members;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t tier = i % 10 == 9 ? 2 : 1;
    members.push_back({std::string("backend-").append(std::to_string(i)), tier, WeightOf(i)});
  }
  return members;
}

std::unique_ptr<state::Segment> NewSegment() {
  return *state::Segment::CreatePrivate({size_t{4} << 20, 1});
}

std::unique_ptr<Pool> NewPool(state::Segment* segment, int64_t count, Strategy strategy) {
  PoolOptions options;
  options.strategy = strategy;
  options.seed = 7;
  auto pool = *Pool::Create(segment, "pool", Members(count), options);
  for (int i = 0; i < count; i += 10) {
    pool->Rest(i, 2 * kStart, Availability::kTripped, {kStart, 0});
  }
  return pool;
}

constexpr Strategy kStrategies[] = {Strategy::kWeighted,  Strategy::kRoundRobin,
                                    Strategy::kLeastBusy, Strategy::kLeastLatency,
                                    Strategy::kP2c,       Strategy::kHash};
constexpr const char* kNames[] = {"weighted",      "round_robin", "least_busy",
                                  "least_latency", "p2c",         "hash"};

// Some load and some measured times, as in the middle of a day, and (hash) every bucket asked for.
void Warm(Pool* pool, int64_t count) {
  Ask ask;
  ask.now.mono_ns = kStart;
  for (; ask.hash < 1'500'000; ++ask.hash) pool->Pick(ask);
  for (int64_t i = 0; i < count; ++i) {
    const int member = static_cast<int>(i);
    for (int64_t k = i * 7 % 4; k > 0; --k) pool->Started(member, {kStart, 0});
    pool->FirstToken(member, (300 + i * 13 % 200) * kMillisecond, {kStart, 0});
  }
}

// The clock moves by a microsecond a pick, the key changes each time.
void BM_Pick(benchmark::State& state, Strategy strategy) {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), state.range(0), strategy);
  Warm(pool.get(), state.range(0));
  Ask ask;
  ask.now.mono_ns = kStart;
  for (auto _ : state) {
    ask.now.mono_ns += kMicrosecond;
    ++ask.hash;
    benchmark::DoNotOptimize(pool->Pick(ask));
  }
}

// A request's whole way: picked and counted, first token, finished.
void BM_PickStartFinish(benchmark::State& state, Strategy strategy) {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), state.range(0), strategy);
  Warm(pool.get(), state.range(0));
  Ask ask;
  ask.start = true;
  ask.now.mono_ns = kStart;
  for (auto _ : state) {
    ask.now.mono_ns += kMicrosecond;
    ask.hash += 977;
    const int member = pool->Pick(ask);
    pool->Finished(member, 400 * kMillisecond, true, ask.now);
  }
}

const bool kRegistered = [] {
  for (size_t i = 0; i < std::size(kStrategies); ++i) {
    const std::string name = kNames[i];
    benchmark::RegisterBenchmark(("BM_Pick/" + name).c_str(), BM_Pick, kStrategies[i])
        ->Arg(10)
        ->Arg(100)
        ->Arg(1000);
    benchmark::RegisterBenchmark(("BM_PickStartFinish/" + name).c_str(), BM_PickStartFinish,
                                 kStrategies[i])
        ->Arg(10)
        ->Arg(1000);
  }
  return true;
}();

// One member refused by the request, as at a second attempt.
void BM_Pick_OneRefused(benchmark::State& state) {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), state.range(0), Strategy::kWeighted);
  const uint16_t refused[] = {1};
  Ask ask;
  ask.now.mono_ns = kStart;
  ask.refused = refused;
  for (auto _ : state) benchmark::DoNotOptimize(pool->Pick(ask));
}
BENCHMARK(BM_Pick_OneRefused)->Arg(10)->Arg(1000);

void BM_RestAndWake(benchmark::State& state) {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), state.range(0), Strategy::kWeighted);
  for (auto _ : state) {
    pool->Rest(1, 3 * kStart, Availability::kThrottled, {kStart, 0});
    pool->Wake(1, {kStart, 0});
  }
}
BENCHMARK(BM_RestAndWake)->Arg(10)->Arg(1000);

// Two threads, one pool, one lock.
void BM_Pick_TwoThreads(benchmark::State& state) {
  static auto* segment = NewSegment().release();
  static auto* pool = NewPool(segment, 10, Strategy::kWeighted).release();
  Ask ask;
  ask.now.mono_ns = kStart;
  for (auto _ : state) benchmark::DoNotOptimize(pool->Pick(ask));
}
BENCHMARK(BM_Pick_TwoThreads)->ThreadRange(1, 2);

// A policy change: every weight is another, the members are known.
void BM_Create_EditedWeights(benchmark::State& state) {
  auto segment = NewSegment();
  auto members = Members(state.range(0));
  uint32_t edit = 0;
  for (auto _ : state) {
    for (Member& member : members) member.weight = member.weight % 10 + 1;
    PoolOptions options;
    options.seed = ++edit;
    benchmark::DoNotOptimize(Pool::Create(segment.get(), "pool", members, options));
  }
}
BENCHMARK(BM_Create_EditedWeights)->Arg(10)->Arg(1000)->Unit(benchmark::kMicrosecond);

// The same into memory never touched before.
void BM_Create_New(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    auto segment = NewSegment();
    auto members = Members(state.range(0));
    state.ResumeTiming();
    auto pool = Pool::Create(segment.get(), "pool", std::move(members), {});
    state.PauseTiming();
    (*pool).reset();
    segment.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(BM_Create_New)->Arg(10)->Arg(1000)->Unit(benchmark::kMicrosecond);

// Of an old and a new policy that pick by turns: the view is laid out anew for each pick.
void BM_Pick_TwoPoliciesByTurns(benchmark::State& state) {
  auto segment = NewSegment();
  auto one = NewPool(segment.get(), state.range(0), Strategy::kWeighted);
  auto two = NewPool(segment.get(), state.range(0), Strategy::kRoundRobin);
  Ask ask;
  ask.now.mono_ns = kStart;
  for (auto _ : state) {
    benchmark::DoNotOptimize(one->Pick(ask));
    std::swap(one, two);
  }
}
BENCHMARK(BM_Pick_TwoPoliciesByTurns)->Arg(10)->Arg(1000);

class NginxScan {
 public:
  explicit NginxScan(int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      peers_.push_back({static_cast<int>(WeightOf(i)), static_cast<int>(WeightOf(i)), 0,
                        i % 10 == 0, i % 10 == 9});
    }
  }
  int Pick() {
    int total = 0;
    int best = -1;
    for (size_t i = 0; i < peers_.size(); ++i) {
      Peer& peer = peers_[i];
      if (peer.down || peer.backup) continue;
      peer.current += peer.effective;
      total += peer.effective;
      if (peer.effective < peer.weight) ++peer.effective;
      if (best < 0 || peer.current > peers_[static_cast<size_t>(best)].current) {
        best = static_cast<int>(i);
      }
    }
    if (best >= 0) peers_[static_cast<size_t>(best)].current -= total;
    return best;
  }

 private:
  struct Peer {
    int weight, effective, current;
    bool down, backup;
  };
  std::vector<Peer> peers_;
};

void BM_Neighbour_NginxScan_StandIn(benchmark::State& state) {
  NginxScan scan(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(scan.Pick());
}
BENCHMARK(BM_Neighbour_NginxScan_StandIn)->Arg(10)->Arg(100)->Arg(1000);

class DeadlineHeap {
 public:
  explicit DeadlineHeap(int64_t count) {
    for (int64_t i = 0; i < count; ++i) Push(0, static_cast<int>(i));
  }
  int Pick() {
    std::pop_heap(heap_.begin(), heap_.end());
    const Entry entry = heap_.back();
    heap_.pop_back();
    Push(entry.deadline, entry.member);
    return entry.member;
  }

 private:
  struct Entry {
    double deadline;
    uint64_t order;
    int member;
    bool operator<(const Entry& other) const {
      return deadline != other.deadline ? deadline > other.deadline : order > other.order;
    }
  };
  void Push(double deadline, int member) {
    heap_.push_back({deadline + 1.0 / WeightOf(member), order_++, member});
    std::push_heap(heap_.begin(), heap_.end());
  }
  std::vector<Entry> heap_;
  uint64_t order_ = 0;
};

void BM_Neighbour_DeadlineHeap_StandIn_AllUsable(benchmark::State& state) {
  DeadlineHeap heap(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(heap.Pick());
}
BENCHMARK(BM_Neighbour_DeadlineHeap_StandIn_AllUsable)->Arg(10)->Arg(100)->Arg(1000);

}  // namespace
}  // namespace weir::balance
