// Pool against twins: the classic algorithm where it applies, and a ledger of what was due.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/support/catch.h"
#include "weir/balance.h"
#include "weir/state.h"

namespace weir::balance {
namespace {

std::unique_ptr<state::Segment> NewSegment(size_t bytes = size_t{1} << 20) {
  auto segment = state::Segment::CreatePrivate({bytes, 42});
  REQUIRE(segment.ok());
  return *std::move(segment);
}

std::string Numbered(std::string_view name, size_t number) {
  return Concat({name, std::to_string(number)});
}

std::vector<Member> Members(const std::vector<uint32_t>& weights, uint32_t priority = 1) {
  std::vector<Member> members;
  for (size_t i = 0; i < weights.size(); ++i) {
    members.push_back({Numbered("m", i), priority, weights[i]});
  }
  return members;
}

std::unique_ptr<Pool> NewPool(state::Segment* segment, std::vector<Member> members,
                              uint64_t seed = 0) {
  auto pool = Pool::Create(segment, "pool", std::move(members), seed);
  REQUIRE(pool.ok());
  return *std::move(pool);
}

std::vector<Availability> AllUsable(size_t size) {
  return std::vector<Availability>(size, Availability::kUsable);
}

// The algorithm as it is usually written, credits in weights, all members usable.
class ClassicTwin {
 public:
  explicit ClassicTwin(std::vector<uint32_t> weights)
      : weights_(std::move(weights)), current_(weights_.size(), 0) {}

  int Pick() {
    int64_t total = 0;
    size_t best = 0;
    for (size_t i = 0; i < weights_.size(); ++i) {
      current_[i] += weights_[i];
      total += weights_[i];
      if (current_[i] > current_[best]) best = i;
    }
    current_[best] -= total;
    return static_cast<int>(best);
  }

 private:
  std::vector<uint32_t> weights_;
  std::vector<int64_t> current_;
};

// What each member was due and what it got.
class Ledger {
 public:
  explicit Ledger(size_t size) : owed_(size, 0) {}

  void Count(const std::vector<Member>& members, const std::vector<Availability>& availability,
             int picked) {
    const uint32_t tier = members[static_cast<size_t>(picked)].priority;
    long double total = 0;
    for (size_t i = 0; i < members.size(); ++i) {
      if (Shares(members[i], availability[i], tier)) total += members[i].weight;
    }
    for (size_t i = 0; i < members.size(); ++i) {
      if (Shares(members[i], availability[i], tier)) owed_[i] += members[i].weight / total;
    }
    owed_[static_cast<size_t>(picked)] -= 1;
  }

  long double Worst() const {
    long double worst = 0;
    for (const long double owed : owed_) worst = std::max(worst, std::abs(owed));
    return worst;
  }

 private:
  static bool Shares(const Member& member, Availability availability, uint32_t tier) {
    return member.priority == tier && availability == Availability::kUsable;
  }

  std::vector<long double> owed_;
};

std::vector<uint32_t> RandomWeights(Random* random, size_t size) {
  std::vector<uint32_t> weights(size);
  const uint64_t bound = random->Below(2) == 0 ? 5 : 1000;
  for (uint32_t& weight : weights) weight = static_cast<uint32_t>(1 + random->Below(bound));
  return weights;
}

TEST_CASE("the known example comes out") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({5, 1, 1}));
  const std::vector<int> expected = {0, 0, 1, 0, 2, 0, 0};
  for (int round = 0; round < 3; ++round) {
    for (const int member : expected) CHECK(pool->Pick(AllUsable(3)) == member);
  }
}

TEST_CASE("with all members usable the sequence is the classic one, from any seed") {
  Random random(1);
  for (int round = 0; round < 60; ++round) {
    const auto weights = RandomWeights(&random, 1 + random.Below(kMaxMembers));
    const auto usable = AllUsable(weights.size());
    uint64_t period = 0;
    uint32_t divisor = 0;
    for (const uint32_t weight : weights) {
      period += weight;
      divisor = std::gcd(divisor, weight);
    }
    period = std::min<uint64_t>(period / divisor, 4096);
    const uint64_t seed = round % 3 == 0 ? 0 : random.Next();
    ClassicTwin twin(weights);
    for (uint64_t i = seed % period; i > 0; --i) twin.Pick();
    auto segment = NewSegment();
    auto pool = NewPool(segment.get(), Members(weights), seed);
    INFO("round " << round);
    for (int pick = 0; pick < 20'000; ++pick) REQUIRE(pool->Pick(usable) == twin.Pick());
  }
}

TEST_CASE("a period gives each member exactly its share") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({128, 10, 1, 61}), 77);
  std::vector<int> count(4, 0);
  for (int pick = 0; pick < 5 * 200; ++pick) ++count[static_cast<size_t>(pool->Pick(AllUsable(4)))];
  CHECK(count == std::vector<int>{640, 50, 5, 305});
}

// Runs `picks` picks with an availability that `change` alters before each of them, and returns the
// worst debt at any prefix.
template <class Change>
long double WorstDebt(const std::vector<Member>& members, uint64_t seed, int picks,
                      Change&& change) {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), members, seed);
  auto availability = AllUsable(members.size());
  Ledger ledger(members.size());
  long double worst = 0;
  int last = -1;
  for (int pick = 0; pick < picks; ++pick) {
    change(&availability, last);
    const int picked = pool->Pick(availability);
    if (picked < 0) continue;
    REQUIRE(availability[static_cast<size_t>(picked)] == Availability::kUsable);
    last = picked;
    ledger.Count(members, availability, picked);
    worst = std::max(worst, ledger.Worst());
  }
  return worst;
}

TEST_CASE("no prefix strays by more than the number of members, however members come and go") {
  Random random(2);
  for (int round = 0; round < 60; ++round) {
    const size_t size = 2 + random.Below(round % 10 == 0 ? 62 : 9);
    const auto members = Members(RandomWeights(&random, size));
    const auto limit = static_cast<long double>(size);
    INFO("round " << round << ", " << size << " members");

    const auto flip_one = [&](std::vector<Availability>* availability, int) {
      Availability& one = (*availability)[random.Below(size)];
      one = one == Availability::kUsable ? Availability::kTripped : Availability::kUsable;
    };
    CHECK(WorstDebt(members, random.Next(), 5'000, flip_one) <= limit);

    const auto all_anew = [&](std::vector<Availability>* availability, int) {
      for (auto& one : *availability) one = static_cast<Availability>(random.Below(4));
    };
    CHECK(WorstDebt(members, random.Next(), 5'000, all_anew) <= limit);

    // A spiteful world: whoever was picked last is not there next time.
    const auto drop_last = [&](std::vector<Availability>* availability, int last) {
      *availability = AllUsable(size);
      if (last >= 0) (*availability)[static_cast<size_t>(last)] = Availability::kRefused;
    };
    CHECK(WorstDebt(members, random.Next(), 5'000, drop_last) <= limit);

    // Long outages of the heaviest member.
    int pick = 0;
    const size_t heaviest = static_cast<size_t>(
        std::max_element(members.begin(), members.end(),
                         [](const Member& a, const Member& b) { return a.weight < b.weight; }) -
        members.begin());
    const auto outages = [&](std::vector<Availability>* availability, int) {
      (*availability)[heaviest] =
          ++pick / 501 % 2 == 1 ? Availability::kOutOfCapacity : Availability::kUsable;
    };
    CHECK(WorstDebt(members, random.Next(), 5'000, outages) <= limit);
  }
}

TEST_CASE("a member that returns gets no burst") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({1, 1, 1, 1}));
  auto availability = AllUsable(4);
  for (int pick = 0; pick < 10; ++pick) pool->Pick(availability);
  availability[2] = Availability::kTripped;
  for (int pick = 0; pick < 100'000; ++pick) REQUIRE(pool->Pick(availability) != 2);
  availability[2] = Availability::kUsable;
  int got = 0;
  for (int pick = 0; pick < 12; ++pick) got += pool->Pick(availability) == 2 ? 1 : 0;
  CHECK(got >= 2);
  CHECK(got <= 4);
}

TEST_CASE("a heavy member that leaves does not silence a light one") {
  // Credits in weights would pass the second member over for five hundred picks.
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({1000, 1, 1}));
  auto availability = AllUsable(3);
  while (pool->Pick(availability) != 1) {
  }
  availability[0] = Availability::kTripped;
  int got = 0;
  for (int pick = 0; pick < 10; ++pick) got += pool->Pick(availability) == 1 ? 1 : 0;
  CHECK(got >= 4);
}

double ChiSquare(const std::vector<int64_t>& count, const std::vector<uint32_t>& weights) {
  int64_t picks = 0;
  uint64_t total = 0;
  for (const int64_t c : count) picks += c;
  for (const uint32_t w : weights) total += w;
  double sum = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double due = static_cast<double>(picks) * weights[i] / static_cast<double>(total);
    sum += (static_cast<double>(count[i]) - due) * (static_cast<double>(count[i]) - due) / due;
  }
  return sum;
}

TEST_CASE("a million picks after arbitrary weight edits follow the weights") {
  Random random(3);
  auto segment = NewSegment();
  for (int edit = 0; edit < 10; ++edit) {
    const auto weights = RandomWeights(&random, 10);
    auto pool = NewPool(segment.get(), Members(weights));
    std::vector<int64_t> count(10, 0);
    for (int pick = 0; pick < 100'000; ++pick) {
      ++count[static_cast<size_t>(pool->Pick(AllUsable(10)))];
    }
    // 27.9 is the 0.1 % point with nine degrees of freedom; a fair die would come near it, a smooth
    // sequence stays far below.
    CHECK(ChiSquare(count, weights) < 27.9);
  }
}

TEST_CASE("a pool made anew every fifty picks keeps the shares") {
  auto segment = NewSegment();
  std::vector<int64_t> count(2, 0);
  int64_t idle = 0;
  int64_t longest_idle = 0;
  for (int round = 0; round < 2'000; ++round) {
    auto pool = NewPool(segment.get(), Members({128, 10}), static_cast<uint64_t>(round));
    for (int pick = 0; pick < 50; ++pick) {
      const int member = pool->Pick(AllUsable(2));
      ++count[static_cast<size_t>(member)];
      idle = member == 1 ? 0 : idle + 1;
      longest_idle = std::max(longest_idle, idle);
    }
  }
  const double due = 100'000.0 * 10 / 138;
  CHECK(std::abs(static_cast<double>(count[1]) - due) <= 0.02 * due);
  CHECK(longest_idle <= 3 * 138 / 10);
}

TEST_CASE("reload keeps the place of every member, by name") {
  Random random(4);
  const std::vector<uint32_t> weights = {7, 3, 5, 1, 900};
  auto segment = NewSegment();
  ClassicTwin twin(weights);
  std::vector<Member> members = Members(weights);
  std::vector<int64_t> count(5, 0);
  std::vector<int64_t> twin_count(5, 0);
  for (int pick = 0; pick < 20'000; ++pick) {
    // Another order each time: the name finds the credit.
    std::swap(members[random.Below(5)], members[random.Below(5)]);
    auto pool = NewPool(segment.get(), members, random.Next());
    const Member& member = members[static_cast<size_t>(pool->Pick(AllUsable(5)))];
    ++count[static_cast<size_t>(member.name[1] - '0')];
    ++twin_count[static_cast<size_t>(twin.Pick())];
    // Where credits are equal the order decides; nothing else differs from the twin.
    for (size_t i = 0; i < 5; ++i) REQUIRE(std::abs(count[i] - twin_count[i]) <= 1);
  }
}

TEST_CASE("membership edits under traffic stay within the bound") {
  Random random(5);
  auto segment = NewSegment();
  std::vector<Member> members = Members({4, 2, 9, 1, 1, 30});
  size_t made = 6;
  for (int edit = 0; edit < 400; ++edit) {
    const size_t at = random.Below(members.size());
    members[at] = {Numbered("m", made++), 1, static_cast<uint32_t>(1 + random.Below(50))};
    members[random.Below(6)].weight = static_cast<uint32_t>(1 + random.Below(1000));
    std::swap(members[0], members[random.Below(6)]);
    auto pool = NewPool(segment.get(), members);
    Ledger ledger(6);
    for (int pick = 0; pick < 100; ++pick) {
      const int picked = pool->Pick(AllUsable(6));
      REQUIRE(picked >= 0);
      ledger.Count(members, AllUsable(6), picked);
      REQUIRE(ledger.Worst() <= 6);
    }
  }
}

TEST_CASE("a member that stays keeps its credit while all others are replaced") {
  auto segment = NewSegment();
  constexpr size_t kOthers = 60;
  int got = 0;
  for (size_t reload = 0; reload < 6'100; ++reload) {
    std::vector<Member> members;
    for (size_t i = 0; i < kOthers; ++i) {
      members.push_back({Numbered("other", reload * kOthers + i), 1, 1});
    }
    members.push_back({"stays", 1, 1});
    auto pool = NewPool(segment.get(), members);
    got += pool->Pick(AllUsable(members.size())) == static_cast<int>(kOthers) ? 1 : 0;
  }
  CHECK(got >= 98);
  CHECK(got <= 102);
}

TEST_CASE("an old and a new pool pick from the same cursors") {
  auto segment = NewSegment();
  auto old_pool = NewPool(segment.get(), Members({3, 1, 2}));
  auto new_pool = NewPool(segment.get(), Members({3, 1, 2}), 99);
  ClassicTwin twin({3, 1, 2});
  for (int pick = 0; pick < 1'000; ++pick) {
    Pool& pool = pick % 3 == 0 ? *old_pool : *new_pool;
    REQUIRE(pool.Pick(AllUsable(3)) == twin.Pick());
  }
}

TEST_CASE("an old pool finds its cursors again after they gave way") {
  auto segment = NewSegment();
  auto old_pool = NewPool(segment.get(), Members({3, 1}));
  for (size_t generation = 0; generation < 4; ++generation) {
    std::vector<Member> members;
    for (size_t i = 0; i < kMaxMembers; ++i) {
      members.push_back({Numbered(Numbered("g", generation) + ".", i), 1, 1});
    }
    auto pool = NewPool(segment.get(), members);
    std::vector<int> count(kMaxMembers, 0);
    std::vector<int> old_count(2, 0);
    for (int pick = 0; pick < 10 * kMaxMembers; ++pick) {
      ++count[static_cast<size_t>(pool->Pick(AllUsable(kMaxMembers)))];
      ++old_count[static_cast<size_t>(old_pool->Pick(AllUsable(2)))];
    }
    CHECK(*std::min_element(count.begin(), count.end()) >= 9);
    CHECK(*std::max_element(count.begin(), count.end()) <= 11);
    CHECK(std::abs(old_count[1] - 160) <= 2);
  }
}

TEST_CASE("pools of different names do not share cursors") {
  auto segment = NewSegment();
  auto one = Pool::Create(segment.get(), "one", Members({1, 1}), 0);
  auto two = Pool::Create(segment.get(), std::string(300, 'n'), Members({1, 1}), 0);
  REQUIRE(one.ok());
  REQUIRE(two.ok());
  CHECK((*one)->Pick(AllUsable(2)) == 0);
  CHECK((*two)->Pick(AllUsable(2)) == 0);
  CHECK((*one)->Pick(AllUsable(2)) == 1);
}

TEST_CASE("first picks over all seeds follow the weights") {
  const std::vector<uint32_t> weights = {128, 10, 62};
  std::vector<int> count(3, 0);
  for (uint64_t seed = 0; seed < 100; ++seed) {
    auto segment = NewSegment(size_t{512} << 10);
    ++count[static_cast<size_t>(
        NewPool(segment.get(), Members(weights), seed)->Pick(AllUsable(3)))];
  }
  CHECK(count == std::vector<int>{64, 5, 31});
}

TEST_CASE("a tier is used only when those above cannot take the request") {
  auto segment = NewSegment();
  const std::vector<Member> members = {
      {"low", 9, 5}, {"a", 1, 2}, {"b", 1, 1}, {"mid1", 5, 1}, {"mid2", 5, 1}};
  auto pool = NewPool(segment.get(), members, 3);
  REQUIRE(pool->members().size() == 5);
  CHECK(pool->members()[0].name == "low");
  Random random(6);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<Availability> availability(5);
    for (auto& one : availability) one = static_cast<Availability>(random.Below(4));
    uint32_t first = UINT32_MAX;
    for (size_t i = 0; i < 5; ++i) {
      if (availability[i] == Availability::kUsable) first = std::min(first, members[i].priority);
    }
    const int picked = pool->Pick(availability);
    REQUIRE((picked < 0) == (first == UINT32_MAX));
    if (picked < 0) continue;
    REQUIRE(members[static_cast<size_t>(picked)].priority == first);
    REQUIRE(availability[static_cast<size_t>(picked)] == Availability::kUsable);
  }
}

TEST_CASE("spilling over leaves the upper tier's sequence alone") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), {{"a", 1, 2}, {"b", 1, 1}, {"c", 2, 1}});
  ClassicTwin twin({2, 1});
  std::vector<Availability> spill = AllUsable(3);
  spill[0] = Availability::kOutOfCapacity;
  spill[1] = Availability::kRefused;
  for (int pick = 0; pick < 300; ++pick) {
    REQUIRE(pool->Pick(AllUsable(3)) == twin.Pick());
    REQUIRE(pool->Pick(spill) == 2);
  }
}

TEST_CASE("nobody, one, and a wrong count") {
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members({1, 1, 1}));
  for (const auto down :
       {Availability::kTripped, Availability::kOutOfCapacity, Availability::kRefused}) {
    std::vector<Availability> availability(3, down);
    CHECK(pool->Pick(availability) == -1);
    availability[1] = Availability::kUsable;
    for (int pick = 0; pick < 5; ++pick) CHECK(pool->Pick(availability) == 1);
  }
  CHECK(pool->Pick(AllUsable(2)) == -1);
  CHECK(pool->Pick(AllUsable(4)) == -1);
  CHECK(pool->Pick({}) == -1);

  auto lonely = Pool::Create(segment.get(), "lonely", {{"x", 1, 1}}, 5);
  REQUIRE(lonely.ok());
  for (int pick = 0; pick < 5; ++pick) CHECK((*lonely)->Pick(AllUsable(1)) == 0);
  CHECK((*lonely)->Pick(std::vector<Availability>{Availability::kTripped}) == -1);
}

TEST_CASE("what Create refuses") {
  auto segment = NewSegment();
  const auto code = [&](std::vector<Member> members) {
    return Pool::Create(segment.get(), "pool", std::move(members), 0).status().code();
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  CHECK(code({}) == kInvalid);
  CHECK(code(Members(std::vector<uint32_t>(kMaxMembers + 1, 1))) == kInvalid);
  CHECK(code(Members(std::vector<uint32_t>(kMaxMembers, 1))) == absl::StatusCode::kOk);
  CHECK(code({{"a", 1, 1}, {"a", 2, 1}}) == kInvalid);
  CHECK(code({{"a", 0, 1}}) == kInvalid);
  CHECK(code({{"a", 1001, 1}}) == kInvalid);
  CHECK(code({{"a", 1, 0}}) == kInvalid);
  CHECK(code({{"a", 1, 1001}}) == kInvalid);
  CHECK(code({{"a", UINT32_MAX, UINT32_MAX}}) == kInvalid);
  CHECK(code({{"a", 1000, 1000}}) == absl::StatusCode::kOk);
  const auto status = Pool::Create(segment.get(), "p", {{"a", 1, 0}}, 0).status();
  CHECK(std::string(status.message()) == "pool \"p\": member \"a\": weight must be 1 to 1000");
}

TEST_CASE("a full segment is an error, not a crash") {
  auto segment = NewSegment(size_t{512} << 10);
  absl::Status status;
  for (size_t i = 0; i < 2000 && status.ok(); ++i) {
    status = Pool::Create(segment.get(), Numbered("p", i), Members({1, 1}), 0).status();
  }
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("many threads together get exactly the shares") {
  auto segment = NewSegment();
  const std::vector<uint32_t> weights = {5, 3, 2};
  constexpr int kThreads = 4;
  constexpr int kPicks = 10'000;
  std::vector<std::vector<int>> counts(kThreads, std::vector<int>(3, 0));
  auto shared = NewPool(segment.get(), Members(weights));
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      // Half of the threads use a pool of their own, as after a reload.
      auto own = Pool::Create(segment.get(), "pool", Members(weights), t);
      Pool& pool = t % 2 == 0 ? *shared : **own;
      for (int pick = 0; pick < kPicks; ++pick) {
        ++counts[t][static_cast<size_t>(pool.Pick(AllUsable(3)))];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<int> sum(3, 0);
  for (const auto& count : counts) {
    for (size_t i = 0; i < 3; ++i) sum[i] += count[i];
  }
  CHECK(sum == std::vector<int>{20'000, 12'000, 8'000});
}

}  // namespace
}  // namespace weir::balance
