// The strategies that go by load and speed, each against its rule over plain lists.

#include <thread>

#include "balance/draw.h"
#include "balance/fixed.h"
#include "tests/balance/support.h"

namespace weir::balance {
namespace {

TEST_CASE("logarithms and powers are near enough, and whole ones exact") {
  for (uint64_t bit = 0; bit < 64; ++bit) CHECK(Log2(uint64_t{1} << bit) == bit * kOne);
  Random random(1);
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t x = (random.Next() >> random.Below(64)) | 1;
    const double exact = std::log2(static_cast<double>(x));
    REQUIRE(std::abs(static_cast<double>(Log2(x)) / 4294967296.0 - exact) < 4e-6);
    const uint64_t exponent = random.Next() >> (28 + random.Below(36));
    const double shrunk =
        std::ldexp(1e15, 0) * std::exp2(-static_cast<double>(exponent) / 4294967296.0);
    REQUIRE(std::abs(static_cast<double>(Shrink(1'000'000'000'000'000, exponent)) - shrunk) <=
            1 + 4e-6 * shrunk);
  }
  CHECK(Shrink(5, 64 * kOne) == 0);
  CHECK(Shrink(UINT64_MAX, 0) == UINT64_MAX);
}

TEST_CASE("draws follow the weights, and the other is another") {
  Random random(2);
  for (const size_t size : {1, 2, 3, 10, 700}) {
    const auto weights = RandomWeights(&random, size);
    std::vector<uint32_t> members(size);
    for (size_t i = 0; i < size; ++i) members[i] = static_cast<uint32_t>(3 * i);
    AliasTable table(static_cast<uint32_t>(size));
    table.Fill(members, weights);
    std::vector<int64_t> count(size, 0);
    const int draws = 200'000;
    for (int i = 0; i < draws; ++i) {
      const uint32_t one = table.Draw(random.Next() >> 32);
      const uint32_t two = table.DrawOther(random.Next() >> 32, one);
      REQUIRE((one % 3 == 0 && one / 3 < size && two % 3 == 0 && two / 3 < size));
      REQUIRE((size == 1 || one != two));
      ++count[one / 3];
    }
    // Far beyond what chance leaves at these degrees of freedom.
    const double freedom = static_cast<double>(size);
    CHECK(ChiSquare(count, weights) < freedom + 5 * std::sqrt(2 * freedom) + 5);
  }
}

// In flight by member, of the usable least for its weight; among equals anybody.
TEST_CASE("least busy picks who has least for its weight") {
  Random random(3);
  for (int round = 0; round < 30; ++round) {
    const size_t size = 1 + random.Below(round % 5 == 0 ? 200 : 8);
    const auto weights = RandomWeights(&random, size);
    auto segment = NewSegment();
    auto pool = NewPool(segment.get(), Members(weights), With(Strategy::kLeastBusy, round));
    std::vector<uint64_t> load(size, 0);
    std::vector<bool> rests(size, false);
    for (int step = 0; step < 4'000; ++step) {
      if (random.Below(10) == 0) {
        const size_t i = random.Below(size);
        rests[i] = !rests[i];
        if (rests[i]) pool->Rest(static_cast<int>(i), kNever, Availability::kThrottled, At(1));
        if (!rests[i]) pool->Wake(static_cast<int>(i), At(1));
      }
      const bool start = random.Below(2) == 0;
      const int picked = pool->Pick(start ? Started(AskAt(1)) : AskAt(1));
      if (picked < 0) {
        REQUIRE(std::find(rests.begin(), rests.end(), false) == rests.end());
        continue;
      }
      const auto p = static_cast<size_t>(picked);
      REQUIRE_FALSE(rests[p]);
      for (size_t i = 0; i < size; ++i) {
        if (rests[i]) continue;
        // The key tells loads apart that differ by a thousandth.
        REQUIRE(static_cast<double>(load[p]) * weights[i] <=
                static_cast<double>(load[i]) * weights[p] * 1.002);
      }
      if (start) ++load[p];
      if (!start && random.Below(2) == 0) {
        pool->Started(picked, At(1));
        ++load[p];
      }
      const size_t ends = random.Below(size);
      pool->Finished(static_cast<int>(ends), -1, true, At(1));  // nothing, when nothing is there
      if (load[ends] > 0) --load[ends];
    }
    const auto states = pool->Snapshot(At(1));
    for (size_t i = 0; i < size; ++i) REQUIRE(states[i].in_flight == load[i]);
  }
}

TEST_CASE("with nothing under way the less busy take turns by weight") {
  auto segment = NewSegment();
  const std::vector<uint32_t> weights = {128, 10, 62};
  auto pool = NewPool(segment.get(), Members(weights), With(Strategy::kLeastBusy));
  std::vector<int64_t> count(3, 0);
  for (int pick = 0; pick < 20'000; ++pick) {
    const int member = pool->Pick(Started(AskAt(1)));
    ++count[static_cast<size_t>(member)];
    pool->Finished(member, -1, true, At(1));
  }
  CHECK(std::abs(count[0] - 12'800) <= 3);
  CHECK(std::abs(count[1] - 1'000) <= 3);
  // Who could not be had for a while does not make up for it.
  pool->Rest(0, 10, Availability::kThrottled, At(1));
  for (int pick = 0; pick < 5'000; ++pick) pool->Pick(AskAt(5));
  int run = 0;
  for (int pick = 0; pick < 100; ++pick) run += pool->Pick(AskAt(20)) == 0 ? 1 : 0;
  CHECK(run <= 70);
}

TEST_CASE("among the less busy, others make up for what was out of turn, within bounds") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({1, 1, 1, 1}), With(Strategy::kLeastBusy));
  const uint16_t refused[] = {0, 1};
  Ask retry = Started(AskAt(1));
  retry.refused = refused;
  for (int pick = 0; pick < 10'000; ++pick) {
    const int member = pool->Pick(retry);
    REQUIRE(member >= 2);
    pool->Finished(member, -1, true, At(1));
  }
  std::vector<int> count(4, 0);
  for (int pick = 0; pick < 400; ++pick) {
    const int member = pool->Pick(Started(AskAt(1)));
    ++count[static_cast<size_t>(member)];
    pool->Finished(member, -1, true, At(1));
  }
  for (const int each : count) CHECK((each >= 90 && each <= 110));
}

TEST_CASE("of two drawn the less busy is taken, and draws follow the weights") {
  auto segment = NewSegment();
  const std::vector<uint32_t> weights = {100, 1, 50, 30, 7, 12};
  auto pool = NewPool(segment.get(), Members(weights), With(Strategy::kP2c, 5));
  std::vector<int64_t> count(6, 0);
  for (int pick = 0; pick < 100'000; ++pick) ++count[static_cast<size_t>(pool->Pick(AskAt(1)))];
  CHECK(ChiSquare(count, weights) < 25.7);  // 0.01 % at five degrees
  // The busiest for its weight is never taken: it is no better than any other drawn with it.
  for (int i = 0; i < 6; ++i) pool->Started(i, At(1));
  for (int i = 0; i < 500; ++i) pool->Started(2, At(1));
  for (int pick = 0; pick < 20'000; ++pick) REQUIRE(pool->Pick(AskAt(1)) != 2);
  // Resting and refused members are not drawn, though few are left.
  const uint16_t refused[] = {0, 3};
  Ask ask = AskAt(1);
  ask.refused = refused;
  pool->Rest(4, 10, Availability::kTripped, At(1));
  pool->Rest(5, 10, Availability::kTripped, At(1));
  for (int pick = 0; pick < 1'000; ++pick) CHECK(pool->Pick(ask) == 1);
  pool->Rest(1, 10, Availability::kTripped, At(1));
  CHECK(pool->Pick(ask) == 2);
}

TEST_CASE("draws even out what is under way") {
  // 64 members, requests that last 640 picks: the mean is 10, and nobody has many more.
  for (const Strategy strategy : {Strategy::kP2c, Strategy::kLeastBusy}) {
    auto segment = NewSegment();
    auto pool = NewPool(segment.get(), Members(std::vector<uint32_t>(64, 1)), With(strategy, 9));
    std::vector<int> under_way;
    uint32_t most = 0;
    for (int pick = 0; pick < 20'000; ++pick) {
      under_way.push_back(pool->Pick(Started(AskAt(1))));
      if (under_way.size() > 640) {
        pool->Finished(under_way.front(), -1, true, At(1));
        under_way.erase(under_way.begin());
      }
      if (pick % 100 == 0 && pick > 1000) {
        for (const MemberState& member : pool->Snapshot(At(1))) {
          most = std::max(most, member.in_flight);
        }
      }
    }
    CHECK(most <= (strategy == Strategy::kP2c ? 14u : 11u));
  }
}

// Peak averages in floating point, kept as the header says.
class LatencyTwin {
 public:
  LatencyTwin(std::vector<uint32_t> weights, double decay_ns)
      : weights_(std::move(weights)),
        decay_ns_(decay_ns),
        average_(weights_.size(), 0),
        at_(weights_.size(), 0),
        load_(weights_.size(), 0) {}

  void Observe(size_t i, double took, bool ok, double now) {
    if (!ok) took = std::max({took, 1e9, std::min(2 * std::min(average_[i], 60e9), 60e9)});
    if (took < average_[i]) {
      took += (average_[i] - took) * std::exp(-(now - at_[i]) / decay_ns_);
    }
    average_[i] = std::max(took, 1.0);
    at_[i] = now;
  }
  void Count(size_t i, int change, double now) {
    load_[i] += change;
    if (average_[i] == 0) at_[i] = now;
  }
  double load(size_t i) const { return load_[i]; }
  double average(size_t i) const { return average_[i]; }
  double Cost(size_t i, double now) const {
    if (average_[i] == 0 && load_[i] == 0) return 0;
    const double average = average_[i] == 0 ? 1e9 : average_[i];
    return average * std::exp(-(now - at_[i]) / decay_ns_) * (load_[i] + 1) / weights_[i];
  }

 private:
  std::vector<uint32_t> weights_;
  double decay_ns_;
  std::vector<double> average_, at_, load_;
};

TEST_CASE("least latency picks who costs least, by the peak averages of a twin") {
  Random random(4);
  for (int round = 0; round < 20; ++round) {
    const size_t size = 1 + random.Below(round % 5 == 0 ? 100 : 8);
    const auto weights = RandomWeights(&random, size);
    auto segment = NewSegment();
    PoolOptions options = With(Strategy::kLeastLatency, 3);
    options.latency_decay_ns = 5 * kSecond;
    auto pool = NewPool(segment.get(), Members(weights), options);
    LatencyTwin twin(weights, 5e9);
    int64_t now = kDay;
    INFO("round " << round);
    for (int step = 0; step < 3'000; ++step) {
      now += static_cast<int64_t>(random.Below(200)) * kMillisecond;
      const auto time = static_cast<double>(now);
      const int picked = pool->Pick(AskAt(now));
      const auto p = static_cast<size_t>(picked);
      double least = twin.Cost(0, time);
      for (size_t i = 0; i < size; ++i) least = std::min(least, twin.Cost(i, time));
      REQUIRE(twin.Cost(p, time) <= least * 1.002);
      const size_t i = random.Below(size);
      switch (random.Below(4)) {
        case 0:
          pool->Started(static_cast<int>(i), At(now));
          twin.Count(i, 1, time);
          break;
        case 1: {
          const auto ttft = static_cast<int64_t>(random.Below(3000) * random.Below(1000)) * 1000;
          pool->FirstToken(static_cast<int>(i), ttft, At(now));
          twin.Observe(i, static_cast<double>(ttft), true, time);
          break;
        }
        case 2: {
          const bool ok = random.Below(4) != 0;
          const int64_t ttft = random.Below(2) == 0 ? -1 : 300 * kMillisecond;
          pool->Finished(static_cast<int>(i), ttft, ok, At(now));
          if (!ok || ttft >= 0) twin.Observe(i, static_cast<double>(ttft), ok, time);
          if (twin.load(i) > 0) twin.Count(i, -1, time);
          break;
        }
        default:
          break;
      }
    }
    const auto states = pool->Snapshot(At(now));
    for (size_t i = 0; i < size; ++i) {
      const double average = twin.average(i) == 0 ? -1 : twin.average(i);
      REQUIRE(std::abs(static_cast<double>(states[i].ttft_ns) - average) <=
              2 + 1e-3 * std::abs(average));
    }
  }
}

TEST_CASE("who was never measured comes first, one request at a time") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({1, 1, 1}), With(Strategy::kLeastLatency));
  pool->FirstToken(0, 200 * kMillisecond, At(kHour));
  pool->FirstToken(1, 300 * kMillisecond, At(kHour));
  CHECK(pool->Pick(Started(AskAt(kHour))) == 2);
  // Until it has answered, it counts as slow.
  CHECK(pool->Pick(Started(AskAt(kHour))) == 0);
  CHECK(pool->Pick(Started(AskAt(kHour))) == 1);
  CHECK(pool->Pick(Started(AskAt(kHour))) == 0);
}

TEST_CASE("a member that fails fast does not look fast, and is tried again in time") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({1, 1}), With(Strategy::kLeastLatency));
  int64_t now = kHour;
  int failed = 0;
  int64_t first_again = 0;
  for (int request = 0; request < 20'000; ++request, now += 10 * kMillisecond) {
    const int member = pool->Pick(Started(AskAt(now)));
    // Member 0 refuses within a millisecond for the first 100 seconds; member 1 takes half a second
    // to its first token.
    if (member == 0 && now < kHour + 100 * kSecond) {
      ++failed;
      pool->Finished(0, kMillisecond, false, At(now));
    } else {
      if (member == 0 && first_again == 0) first_again = now - kHour;
      pool->Finished(member, (member == 0 ? 100 : 500) * kMillisecond, true, At(now));
    }
  }
  CHECK(failed >= 2);
  CHECK(failed <= 30);  // of ten thousand
  CHECK(first_again > 0);
  CHECK(first_again < 160 * kSecond);
}

TEST_CASE("a clock that steps back does not leave anyone slow for ever") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({1, 1}), With(Strategy::kLeastLatency));
  pool->FirstToken(0, 900 * kMillisecond, At(100 * kDay));
  pool->FirstToken(1, 800 * kMillisecond, At(100 * kDay));
  CHECK(pool->Pick(AskAt(100 * kDay)) == 1);
  // As after a reboot.
  CHECK(pool->Pick(AskAt(kMinute)) == 1);
  pool->FirstToken(1, 950 * kMillisecond, At(kMinute));
  CHECK(pool->Pick(AskAt(kMinute)) == 0);
}

TEST_CASE("many threads together get exactly the shares, and count exactly what is under way") {
  for (const Strategy strategy :
       {Strategy::kWeighted, Strategy::kLeastBusy, Strategy::kP2c, Strategy::kHash}) {
    auto segment = NewSegment();
    const std::vector<uint32_t> weights = {5, 3, 2};
    constexpr int kThreads = 4;
    const int picks = 5'000;
    std::vector<std::vector<int>> counts(kThreads, std::vector<int>(3, 0));
    auto shared = NewPool(segment.get(), Members(weights), With(strategy));
    std::vector<std::thread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        // Half of the threads use a pool of their own, as after a reload.
        auto own = Pool::Create(segment.get(), "pool", Members(weights), With(strategy, t));
        Pool& pool = t % 2 == 0 ? *shared : **own;
        for (int pick = 0; pick < picks; ++pick) {
          const int member =
              pool.Pick(Started(AskAt(1, static_cast<uint64_t>(pick) * kThreads + t)));
          ++counts[t][static_cast<size_t>(member)];
          if (pick % 4 != 0) pool.Finished(member, 5, true, At(1));
        }
      });
    }
    for (auto& thread : threads) thread.join();
    std::vector<int> sum(3, 0);
    for (const auto& count : counts) {
      for (size_t i = 0; i < 3; ++i) sum[i] += count[i];
    }
    uint32_t under_way = 0;
    uint64_t total = 0;
    for (const MemberState& member : shared->Snapshot(At(1))) {
      under_way += member.in_flight;
      total += member.picks;
    }
    CHECK(under_way == kThreads * picks / 4);
    CHECK(total == static_cast<uint64_t>(kThreads) * static_cast<uint64_t>(picks));
    if (strategy == Strategy::kWeighted) CHECK(sum == std::vector<int>{10'000, 6'000, 4'000});
  }
}

}  // namespace
}  // namespace weir::balance
