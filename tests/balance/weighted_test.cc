// Weighted round robin against a twin in credits and a ledger of what was due.

#include <numeric>

#include "tests/balance/support.h"

namespace weir::balance {
namespace {

constexpr int64_t kForever = kDay;

TEST_CASE("a period gives each member exactly its share, from any seed") {
  Random random(1);
  for (int round = 0; round < 40; ++round) {
    const auto weights = RandomWeights(&random, 1 + random.Below(round % 8 == 0 ? 300 : 12));
    uint32_t divisor = 0;
    uint32_t total = 0;
    for (const uint32_t weight : weights) {
      divisor = std::gcd(divisor, weight);
      total += weight;
    }
    auto segment = NewSegment(size_t{2} << 20);
    auto pool = NewPool(segment.get(), Members(weights), With(Strategy::kWeighted, random.Next()));
    std::vector<uint32_t> count(weights.size(), 0);
    for (uint32_t pick = 0; pick < total / divisor; ++pick) {
      ++count[static_cast<size_t>(pool->Pick({}))];
    }
    INFO("round " << round);
    for (size_t i = 0; i < weights.size(); ++i) {
      // An interval's end may fall on either side of the period's.
      CHECK(std::abs(int64_t{count[i]} - int64_t{weights[i] / divisor}) <= (total > 4096 ? 1 : 0));
    }
  }
}

TEST_CASE("heavy picks do not clump") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({5, 1, 1}));
  int run = 0;
  int longest = 0;
  for (int pick = 0; pick < 7000; ++pick) {
    run = pool->Pick({}) == 0 ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  CHECK(longest <= 4);
}

TEST_CASE("round robin takes turns whatever the weights") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({5, 1, 900, 3}), With(Strategy::kRoundRobin, 2));
  std::vector<int> first;
  for (int pick = 0; pick < 4; ++pick) first.push_back(pool->Pick({}));
  for (int pick = 0; pick < 400; ++pick) CHECK(pool->Pick({}) == first[pick % 4]);
  std::sort(first.begin(), first.end());
  CHECK(first == std::vector<int>{0, 1, 2, 3});
}

// A tier of random members that rest, wake, are refused and change weights, as the twin has it.
TEST_CASE("every pick is one that the twin allows") {
  Random random(2);
  for (int round = 0; round < 60; ++round) {
    const size_t size = 1 + random.Below(round % 10 == 0 ? 70 : 9);
    auto weights = RandomWeights(&random, size);
    auto segment = NewSegment();
    auto pool = NewPool(segment.get(), Members(weights));
    Twin twin(weights);
    for (size_t i = 0; i < size; ++i) {  // many newcomers are not due at once
      const auto spread = static_cast<int32_t>(static_cast<uint32_t>(i) * 0x9E3779B9u);
      twin.SetCredit(i, -spread / 4294967296.0L);
    }
    std::vector<bool> rests(size, false);
    INFO("round " << round << ", " << size << " members");
    for (int pick = 0; pick < 3000; ++pick) {
      if (random.Below(4) == 0) {
        const size_t i = random.Below(size);
        rests[i] = !rests[i];
        if (rests[i]) {
          pool->Rest(static_cast<int>(i), kForever, Availability::kThrottled, At(1));
        } else {
          pool->Wake(static_cast<int>(i), At(1));
        }
      }
      std::vector<bool> there(size);
      for (size_t i = 0; i < size; ++i) there[i] = !rests[i];
      std::vector<uint16_t> refused;
      while (random.Below(3) == 0) refused.push_back(static_cast<uint16_t>(random.Below(size)));
      for (const uint16_t i : refused) there[i] = false;
      Ask ask = AskAt(1);
      ask.refused = refused;
      const int picked = pool->Pick(ask);
      if (std::find(there.begin(), there.end(), true) == there.end()) {
        REQUIRE(picked == -1);
      } else {
        REQUIRE(twin.Follow(there, picked));
      }
    }
  }
}

// Runs `picks` picks while `change` decides who is there, and returns the worst debt at any prefix.
// `rest` says how: by resting, or by the request's refusals.
template <class Change>
long double WorstDebt(const std::vector<Member>& members, uint64_t seed, bool rest, int picks,
                      Change&& change) {
  const size_t size = members.size();
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), members, With(Strategy::kWeighted, seed));
  std::vector<bool> there(size, true);
  Ledger ledger(size);
  long double worst = 0;
  int last = -1;
  for (int pick = 0; pick < picks; ++pick) {
    const std::vector<bool> before = there;
    change(&there, last);
    std::vector<uint16_t> refused;
    for (size_t i = 0; i < size; ++i) {
      if (!rest && !there[i]) refused.push_back(static_cast<uint16_t>(i));
      if (!rest || there[i] == before[i]) continue;
      if (there[i]) {
        pool->Wake(static_cast<int>(i), At(1));
      } else {
        pool->Rest(static_cast<int>(i), kForever, Availability::kOutOfCapacity, At(1));
      }
    }
    Ask ask = AskAt(1);
    ask.refused = refused;
    const int picked = pool->Pick(ask);
    if (picked < 0) continue;
    REQUIRE(there[static_cast<size_t>(picked)]);
    last = picked;
    ledger.Count(members, there, picked);
    worst = std::max(worst, ledger.Worst());
  }
  return worst;
}

TEST_CASE("no prefix strays by more than the number of members, however members come and go") {
  Random random(3);
  long double nearest = 0;
  for (int round = 0; round < 60; ++round) {
    const size_t size = 2 + random.Below(round % 10 == 0 ? 62 : 9);
    const auto members = Members(RandomWeights(&random, size));
    const auto limit = static_cast<long double>(size);
    const bool rest = round % 2 == 0;
    INFO("round " << round << ", " << size << " members");
    const auto check = [&](auto&& change) {
      const long double worst = WorstDebt(members, random.Next(), rest, 3'000, change);
      nearest = std::max(nearest, worst / limit);
      CHECK(worst <= limit);
    };
    check([&](std::vector<bool>* there, int) {
      const size_t i = random.Below(size);
      (*there)[i] = !(*there)[i];
    });
    check([&](std::vector<bool>* there, int) {
      for (size_t i = 0; i < size; ++i) (*there)[i] = random.Below(4) == 0;
    });
    // A spiteful world: whoever was picked last is not there next time.
    check([&](std::vector<bool>* there, int last) {
      there->assign(size, true);
      if (last >= 0) (*there)[static_cast<size_t>(last)] = false;
    });
    // Long outages of the heaviest member.
    int pick = 0;
    const size_t heaviest = static_cast<size_t>(
        std::max_element(members.begin(), members.end(),
                         [](const Member& a, const Member& b) { return a.weight < b.weight; }) -
        members.begin());
    check([&](std::vector<bool>* there, int) { (*there)[heaviest] = ++pick / 501 % 2 == 0; });
  }
  INFO("nearest to the limit: " << static_cast<double>(nearest));
  CHECK(nearest > 0.3);  // the worlds are bad enough to show something
}

TEST_CASE("a member that returns gets no burst") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({1, 1, 1, 1}));
  for (int pick = 0; pick < 10; ++pick) pool->Pick({});
  pool->Rest(2, kForever, Availability::kTripped, At(0));
  for (int pick = 0; pick < 100'000; ++pick) REQUIRE(pool->Pick({}) != 2);
  pool->Wake(2, At(0));
  int got = 0;
  for (int pick = 0; pick < 12; ++pick) got += pool->Pick({}) == 2 ? 1 : 0;
  CHECK(got >= 2);
  CHECK(got <= 4);
}

TEST_CASE("a heavy member that leaves does not silence a light one") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({1000, 1, 1}));
  while (pool->Pick({}) != 1) {
  }
  pool->Rest(0, kForever, Availability::kTripped, At(0));
  int got = 0;
  for (int pick = 0; pick < 10; ++pick) got += pool->Pick({}) == 1 ? 1 : 0;
  CHECK(got >= 4);
}

TEST_CASE("a pick that was of no use is given back") {
  Random random(4);
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({7, 2, 1}));
  std::vector<int> count(3, 0);
  for (int pick = 0; pick < 1000;) {
    const int member = pool->Pick({});
    if (random.Below(3) == 0) {
      const bool rests = random.Below(2) == 0;
      if (rests) pool->Rest(member, kForever, Availability::kOutOfCapacity, At(1));
      pool->Unused(member);
      if (rests) pool->Wake(member, At(1));
      continue;
    }
    ++pick;
    ++count[static_cast<size_t>(member)];
  }
  CHECK(std::abs(count[0] - 700) <= 3);
  CHECK(std::abs(count[1] - 200) <= 3);
  uint64_t picks = 0;
  for (const MemberState& member : pool->Snapshot(At(1))) picks += member.picks;
  CHECK(picks == 1000);
}

TEST_CASE("a million picks after arbitrary weight edits follow the weights") {
  Random random(5);
  auto segment = NewSegment();
  for (int edit = 0; edit < 10; ++edit) {
    const auto weights = RandomWeights(&random, 10);
    auto pool = NewPool(segment.get(), Members(weights));
    std::vector<int64_t> count(10, 0);
    for (int pick = 0; pick < 100'000; ++pick) ++count[static_cast<size_t>(pool->Pick({}))];
    // 27.9 is the 0.1 % point with nine degrees of freedom; a fair die would come near it, a smooth
    // sequence stays far below.
    CHECK(ChiSquare(count, weights) < 27.9);
  }
}

TEST_CASE("a pool made anew every fifty picks keeps the shares") {
  for (const bool edited : {false, true}) {
    auto segment = NewSegment();
    std::vector<int64_t> count(2, 0);
    int64_t idle = 0;
    int64_t longest_idle = 0;
    for (int round = 0; round < 2'000; ++round) {
      // Every other policy says the same in other words.
      const uint32_t factor = edited && round % 2 == 1 ? 5 : 1;
      auto pool = NewPool(segment.get(), Members({128 * factor, 10 * factor}),
                          With(Strategy::kWeighted, static_cast<uint64_t>(round)));
      for (int pick = 0; pick < 50; ++pick) {
        const int member = pool->Pick({});
        ++count[static_cast<size_t>(member)];
        idle = member == 1 ? 0 : idle + 1;
        longest_idle = std::max(longest_idle, idle);
      }
    }
    const double due = 100'000.0 * 10 / 138;
    CHECK(std::abs(static_cast<double>(count[1]) - due) <= 0.02 * due);
    CHECK(longest_idle <= 3 * 138 / 10);
  }
}

TEST_CASE("first picks over all seeds follow the weights") {
  const std::vector<uint32_t> weights = {128, 10, 62};
  for (const Strategy strategy : {Strategy::kWeighted, Strategy::kLeastBusy}) {
    std::vector<int> count(3, 0);
    for (uint64_t seed = 0; seed < 100; ++seed) {
      auto segment = NewSegment(size_t{512} << 10);
      auto pool = NewPool(segment.get(), Members(weights), With(strategy, seed));
      ++count[static_cast<size_t>(pool->Pick({}))];
    }
    CHECK(count == std::vector<int>{64, 5, 31});
  }
}

TEST_CASE("due times never outgrow their keys") {
  // One member of weight 1 beside nobody runs through rounds fastest.
  auto segment = NewSegment();
  for (const Strategy strategy : {Strategy::kWeighted, Strategy::kLeastBusy}) {
    auto pool = NewPool(segment.get(), Members({1, 1}), With(strategy));
    const int64_t picks = IsLong() ? 10'000'000 : 2'400'000;
    std::vector<int64_t> count(2, 0);
    for (int64_t pick = 0; pick < picks; ++pick) ++count[static_cast<size_t>(pool->Pick({}))];
    CHECK(std::abs(count[0] - count[1]) <= 2);
  }
}

TEST_CASE("sessions are followed, and others make up for them, within bounds") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({1, 1, 1, 1}));
  Ask session = AskAt(1);
  session.prefer = 2;
  for (int pick = 0; pick < 10'000; ++pick) REQUIRE(pool->Pick(session) == 2);
  std::vector<int> count(4, 0);
  for (int pick = 0; pick < 400; ++pick) ++count[static_cast<size_t>(pool->Pick(AskAt(1)))];
  CHECK(count[2] < 100);
  CHECK(count[2] >= 90);
}

}  // namespace
}  // namespace weir::balance
