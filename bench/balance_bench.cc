// Pick against its neighbours: the same algorithm as it is usually written, over structs behind a
// mutex, and a weighted draw (std::discrete_distribution), which has no memory and so clumps.

#include <benchmark/benchmark.h>

#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "weir/balance.h"
#include "weir/state.h"

namespace weir::balance {
namespace {

std::vector<Member> Members(int64_t count) {
  std::vector<Member> members;
  for (int64_t i = 0; i < count; ++i) {
    members.push_back({std::string("backend-").append(std::to_string(i)), 1,
                       static_cast<uint32_t>(1 + i * 37 % 10)});
  }
  return members;
}

struct Fixture {
  explicit Fixture(int64_t count)
      : segment(*state::Segment::CreatePrivate({size_t{1} << 20, 1})),
        pool(*Pool::Create(segment.get(), "pool", Members(count), 7)),
        availability(static_cast<size_t>(count), Availability::kUsable) {}
  std::unique_ptr<state::Segment> segment;
  std::unique_ptr<Pool> pool;
  std::vector<Availability> availability;
};

void BM_Pick_AllUsable(benchmark::State& state) {
  Fixture fixture(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(fixture.pool->Pick(fixture.availability));
}
BENCHMARK(BM_Pick_AllUsable)->Arg(2)->Arg(10)->Arg(64);

void BM_Pick_OneTripped(benchmark::State& state) {
  Fixture fixture(state.range(0));
  fixture.availability[1] = Availability::kTripped;
  for (auto _ : state) benchmark::DoNotOptimize(fixture.pool->Pick(fixture.availability));
}
BENCHMARK(BM_Pick_OneTripped)->Arg(2)->Arg(10)->Arg(64);

// Run by two threads at once as well: one pool, one lock.
void BM_Pick_AllUsable_Shared(benchmark::State& state) {
  static auto* fixture = new Fixture(10);
  for (auto _ : state) benchmark::DoNotOptimize(fixture->pool->Pick(fixture->availability));
}
BENCHMARK(BM_Pick_AllUsable_Shared)->ThreadRange(1, 2);

class NaiveScan {
 public:
  explicit NaiveScan(const std::vector<Member>& members) {
    for (const Member& member : members) {
      peers_.push_back(
          std::make_unique<Peer>(Peer{member.name, static_cast<int>(member.weight), 0, true}));
    }
  }
  int Pick() {
    const std::lock_guard<std::mutex> lock(mutex_);
    int total = 0;
    int best = -1;
    for (size_t i = 0; i < peers_.size(); ++i) {
      if (!peers_[i]->up) continue;
      peers_[i]->current += peers_[i]->weight;
      total += peers_[i]->weight;
      if (best < 0 || peers_[i]->current > peers_[static_cast<size_t>(best)]->current) {
        best = static_cast<int>(i);
      }
    }
    if (best >= 0) peers_[static_cast<size_t>(best)]->current -= total;
    return best;
  }

 private:
  struct Peer {
    std::string name;
    int weight, current;
    bool up;
  };
  std::mutex mutex_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

void BM_Neighbour_NaiveScanUnderMutex(benchmark::State& state) {
  NaiveScan scan(Members(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(scan.Pick());
}
BENCHMARK(BM_Neighbour_NaiveScanUnderMutex)->Arg(2)->Arg(10)->Arg(64);

void BM_Neighbour_DiscreteDistribution_FixedSet(benchmark::State& state) {
  std::vector<double> weights;
  for (const Member& member : Members(state.range(0))) weights.push_back(member.weight);
  std::discrete_distribution<int> distribution(weights.begin(), weights.end());
  std::mt19937_64 random(1);
  for (auto _ : state) benchmark::DoNotOptimize(distribution(random));
}
BENCHMARK(BM_Neighbour_DiscreteDistribution_FixedSet)->Arg(2)->Arg(10)->Arg(64);

// What the draw costs when the usable members are known only at the moment of the pick.
void BM_Neighbour_DiscreteDistribution_BuiltPerPick(benchmark::State& state) {
  std::vector<double> weights;
  for (const Member& member : Members(state.range(0))) weights.push_back(member.weight);
  std::mt19937_64 random(1);
  for (auto _ : state) {
    std::discrete_distribution<int> distribution(weights.begin(), weights.end());
    benchmark::DoNotOptimize(distribution(random));
  }
}
BENCHMARK(BM_Neighbour_DiscreteDistribution_BuiltPerPick)->Arg(2)->Arg(10)->Arg(64);

}  // namespace
}  // namespace weir::balance
