// Which member a key belongs to: fixed, fair, and moved only when it must.

#include <deque>
#include <list>
#include <map>
#include <thread>

#include "balance/rendezvous.h"
#include "tests/balance/support.h"

namespace weir::balance {
namespace {

uint64_t Key(size_t number) { return StableHash(Numbered("key-", number)); }

std::vector<int> Targets(Pool* pool, size_t keys) {
  std::vector<int> targets;
  for (size_t key = 0; key < keys; ++key) targets.push_back(pool->Pick(AskAt(1, Key(key))));
  return targets;
}

// What every build must give for ever: other values move every key of every user.
TEST_CASE("the same key gives the same member in every build") {
  CHECK(StableHash("") == 0x3c9688b4d55e2839u);
  CHECK(StableHash("session-1") == 0x096e088c4b7d16c8u);
  auto segment = NewSegment();
  const std::vector<Member> members = {
      {"east", 1, 1}, {"west", 1, 1}, {"north", 1, 2}, {"south", 1, 5}, {"far", 2, 1}};
  auto pool = NewPool(segment.get(), members, With(Strategy::kHash));
  CHECK(Targets(pool.get(), 40) == std::vector<int>{3, 3, 3, 0, 3, 3, 3, 3, 3, 2, 2, 0, 3, 3,
                                                    3, 3, 3, 3, 3, 1, 2, 3, 3, 0, 0, 0, 3, 3,
                                                    0, 3, 3, 3, 2, 3, 2, 3, 0, 3, 2, 3});
  std::vector<Member> many = Members(std::vector<uint32_t>(300, 3));
  for (size_t i = 0; i < many.size(); ++i) many[i].weight = static_cast<uint32_t>(1 + i % 7 * 100);
  auto large = NewPool(segment.get(), many, With(Strategy::kHash));
  CHECK(Targets(large.get(), 16) == std::vector<int>{116, 52, 279, 281, 160, 243, 244, 186, 286,
                                                     223, 286, 124, 74, 62, 265, 172});
  // The second choices too.
  pool->Rest(3, 10, Availability::kTripped, At(1));
  CHECK(Targets(pool.get(), 24) ==
        std::vector<int>{2, 2, 2, 0, 0, 0, 2, 2, 2, 2, 2, 0, 1, 1, 1, 1, 2, 2, 2, 1, 2, 0, 1, 0});
}

TEST_CASE("neither order nor seed nor segment nor thread matters") {
  Random random(1);
  std::vector<Member> members = Members(RandomWeights(&random, 50));
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), members, With(Strategy::kHash, 1));
  const std::vector<int> expected = Targets(pool.get(), 2000);
  std::vector<Member> turned(members.rbegin(), members.rend());
  auto elsewhere = *state::Segment::CreatePrivate({size_t{1} << 20, 99});
  auto other = NewPool(elsewhere.get(), turned, With(Strategy::kHash, 2));
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t key = 0; key < 2000; ++key) {
        const int got = other->Pick(AskAt(1, Key(key)));
        if (turned[static_cast<size_t>(got)].name !=
            members[static_cast<size_t>(expected[key])].name) {
          ++wrong[t];
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>{0, 0, 0, 0});
}

TEST_CASE("members get keys by weight") {
  Random random(2);
  for (const size_t size : {2, 5, 10, 100}) {
    auto segment = NewSegment();
    const auto weights = RandomWeights(&random, size);
    auto pool = NewPool(segment.get(), Members(weights), With(Strategy::kHash));
    std::vector<int64_t> count(size, 0);
    const int64_t keys = 100'000;
    for (int64_t key = 0; key < keys; ++key) {
      ++count[static_cast<size_t>(pool->Pick(AskAt(1, random.Next())))];
    }
    uint64_t total = 0;
    for (const uint32_t weight : weights) total += weight;
    for (size_t i = 0; i < size; ++i) {
      const double share = static_cast<double>(weights[i]) / static_cast<double>(total);
      // Five standard deviations of buckets and keys.
      const double off = 5 * std::sqrt(share * (1 / 65536.0 + 1.0 / static_cast<double>(keys)));
      CHECK(std::abs(static_cast<double>(count[i]) / static_cast<double>(keys) - share) <= off);
    }
  }
}

TEST_CASE("losing a member moves its keys alone, and its return brings them back") {
  Random random(3);
  for (const size_t size : {2, 3, 10, 200}) {
    auto segment = NewSegment();
    std::vector<Member> members = Members(RandomWeights(&random, size));
    auto pool = NewPool(segment.get(), members, With(Strategy::kHash));
    const std::vector<int> before = Targets(pool.get(), 3000);
    const int lost = before[0];
    pool->Rest(lost, 10, Availability::kTripped, At(1));
    const std::vector<int> during = Targets(pool.get(), 3000);
    CHECK(Targets(pool.get(), 3000) == during);
    for (size_t key = 0; key < before.size(); ++key) {
      if (before[key] != lost) REQUIRE(during[key] == before[key]);
      REQUIRE(during[key] != lost);
    }
    // One request that refuses it goes where it would then.
    pool->Wake(lost, At(1));
    const uint16_t refused[] = {static_cast<uint16_t>(lost)};
    for (size_t key = 0; key < before.size(); ++key) {
      Ask ask = AskAt(1, Key(key));
      REQUIRE(pool->Pick(ask) == before[key]);
      ask.refused = refused;
      REQUIRE(pool->Pick(ask) == during[key]);
    }
    // The same of a policy without it: no key moves between the others.
    members.erase(members.begin() + lost);
    auto edited = NewPool(segment.get(), members, With(Strategy::kHash));
    const std::vector<int> after = Targets(edited.get(), 3000);
    for (size_t key = 0; key < before.size(); ++key) {
      if (before[key] == lost) continue;
      REQUIRE(after[key] == before[key] - (before[key] > lost ? 1 : 0));
    }
  }
}

TEST_CASE("a new weight moves keys to or from its member alone") {
  auto segment = NewSegment();
  std::vector<Member> members = Members({4, 4, 4, 4});
  const auto before = Targets(NewPool(segment.get(), members, With(Strategy::kHash)).get(), 3000);
  members[2].weight = 9;
  const auto after = Targets(NewPool(segment.get(), members, With(Strategy::kHash)).get(), 3000);
  for (size_t key = 0; key < before.size(); ++key) {
    if (after[key] != before[key]) REQUIRE(after[key] == 2);
  }
}

TEST_CASE("few that are left of many still get all keys") {
  auto segment = NewSegment(size_t{4} << 20);
  auto pool =
      NewPool(segment.get(), Members(std::vector<uint32_t>(1000, 1)), With(Strategy::kHash));
  for (int i = 0; i < 1000; ++i) {
    if (i % 400 != 7) pool->Rest(i, 10, Availability::kTripped, At(1));
  }
  std::map<int, int> count;
  const std::vector<int> targets = Targets(pool.get(), 300);
  for (const int target : targets) ++count[target];
  CHECK(count.size() == 3);
  CHECK(count[407] > 60);
  CHECK(Targets(pool.get(), 300) == targets);
}

TEST_CASE("nobody has more under way than its bound") {
  Random random(5);
  for (const uint32_t percent : {101u, 125u, 300u}) {
    PoolOptions options = With(Strategy::kHash);
    options.load_bound_percent = percent;
    options.load_floor = 1;
    const std::vector<uint32_t> weights = {5, 1, 3, 3, 8};
    auto segment = NewSegment();
    auto pool = NewPool(segment.get(), Members(weights), options);
    std::vector<int> under_way;
    std::vector<double> load(5, 0);
    for (int pick = 0; pick < 3000; ++pick) {
      // One key has half of the requests.
      const uint64_t key = random.Below(2) == 0 ? 7 : random.Next();
      const int member = pool->Pick(Started(AskAt(1, key)));
      under_way.push_back(member);
      const auto total = static_cast<double>(under_way.size());
      const double bound =
          std::ceil(percent / 100.0 * total * weights[static_cast<size_t>(member)] / 20.0);
      REQUIRE(++load[static_cast<size_t>(member)] <= bound);
      if (random.Below(100) < 45) {
        const size_t ends = random.Below(under_way.size());
        pool->Finished(under_way[ends], -1, true, At(1));
        --load[static_cast<size_t>(under_way[ends])];
        under_way.erase(under_way.begin() + static_cast<std::ptrdiff_t>(ends));
      }
    }
  }
}

TEST_CASE("up to the floor no member is passed over") {
  PoolOptions options = With(Strategy::kHash);
  options.load_floor = 4;
  auto segment = NewSegment();
  auto pool = NewPool(segment.get(), Members(std::vector<uint32_t>(8, 1)), options);
  const int first = pool->Pick(AskAt(1, 5));
  for (int i = 0; i < 4; ++i) CHECK(pool->Pick(Started(AskAt(1, 5))) == first);
  CHECK(pool->Pick(Started(AskAt(1, 5))) != first);
}

// A backend's cache of prompt prefixes: the conversations it saw last.
class PrefixCache {
 public:
  explicit PrefixCache(size_t room) : room_(room) {}
  // How many of the turns before `turn` are in it; they are now, with this one.
  int Take(int conversation, int turn) {
    int known = 0;
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (entry->first != conversation) continue;
      known = entry->second;
      entries_.erase(entry);
      break;
    }
    entries_.push_front({conversation, turn + 1});
    if (entries_.size() > room_) entries_.pop_back();
    return std::min(known, turn);
  }

 private:
  size_t room_;
  std::list<std::pair<int, int>> entries_;
};

struct Trace {
  double hit_share = 0;      // of the turns before, that a backend had in its cache
  double imbalance = 0;      // the most a member had under way, of the mean, averaged over time
  double most_requests = 0;  // the most requests of a member, of the mean
};

// 200 conversations of 30 turns, each asked up to four seconds after the answer to the last, which
// took one to six. A backend's cache has room for 50 of them, a single backend's for all.
Trace Run(Strategy strategy, size_t backends, uint64_t seed) {
  auto segment = NewSegment();
  PoolOptions options = With(strategy, seed);
  options.load_floor = 1;
  auto pool = NewPool(segment.get(), Members(std::vector<uint32_t>(backends, 1)), options);
  Random random(seed);
  std::vector<PrefixCache> caches(backends, PrefixCache(backends == 1 ? 200 : 50));
  struct Event {
    int64_t at;
    int conversation;
    int member;  // whose answer ends, or -1: a turn is asked
    bool operator<(const Event& other) const { return at > other.at; }
  };
  std::vector<Event> events;
  const auto add = [&](Event event) {
    events.push_back(event);
    std::push_heap(events.begin(), events.end());
  };
  std::vector<int> turns(200, 0);
  for (int c = 0; c < 200; ++c) {
    add({static_cast<int64_t>(random.Below(20'000)) * kMillisecond, c, -1});
  }
  std::vector<int> load(backends, 0);
  std::vector<int> requests(backends, 0);
  double before = 0;
  double hits = 0;
  std::vector<double> busy(backends, 0);  // request-seconds
  int64_t last = 0;
  int under_way = 0;
  while (!events.empty()) {
    std::pop_heap(events.begin(), events.end());
    const Event event = events.back();
    events.pop_back();
    for (size_t i = 0; i < backends; ++i) {
      busy[i] += load[i] * static_cast<double>(event.at - last);
    }
    last = event.at;
    const auto c = static_cast<size_t>(event.conversation);
    if (event.member >= 0) {
      pool->Finished(event.member, -1, true, At(event.at));
      --load[static_cast<size_t>(event.member)];
      --under_way;
      if (++turns[c] == 30) continue;
      add({event.at + static_cast<int64_t>(random.Below(4'000)) * kMillisecond, event.conversation,
           -1});
      continue;
    }
    const int member =
        pool->Pick(Started(AskAt(event.at, StableHash(Numbered("conversation-", c)))));
    const auto m = static_cast<size_t>(member);
    hits += caches[m].Take(event.conversation, turns[c]);
    before += turns[c];
    ++load[m];
    ++requests[m];
    ++under_way;
    const double mean = static_cast<double>(under_way) / static_cast<double>(backends);
    if (strategy == Strategy::kHash) REQUIRE(load[m] <= std::ceil(1.25 * mean));
    add({event.at + static_cast<int64_t>(1'000 + random.Below(5'000)) * kMillisecond,
         event.conversation, member});
  }
  const double mean = 6000.0 / static_cast<double>(backends);
  double all = 0;
  for (const double one : busy) all += one;
  return {hits / before,
          *std::max_element(busy.begin(), busy.end()) * static_cast<double>(backends) / all,
          *std::max_element(requests.begin(), requests.end()) / mean};
}

TEST_CASE("prefix affinity keeps provider caches warm and loads even") {
  double worst_share = 1;
  double worst_imbalance = 0;
  double worst_requests = 0;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Trace ideal = Run(Strategy::kHash, 1, seed);
    const Trace affine = Run(Strategy::kHash, 8, seed);
    const Trace turns = Run(Strategy::kRoundRobin, 8, seed);
    worst_share = std::min(worst_share, affine.hit_share / ideal.hit_share);
    worst_imbalance = std::max(worst_imbalance, affine.imbalance);
    worst_requests = std::max(worst_requests, affine.most_requests);
    CHECK(turns.hit_share < 0.7 * ideal.hit_share);
  }
  INFO("hit share of the ideal " << worst_share << ", most under way of the mean "
                                 << worst_imbalance << ", most requests of the mean "
                                 << worst_requests);
  CHECK(worst_share >= 0.95);
  CHECK(worst_imbalance <= 1.25);
  CHECK(worst_requests <= 1.25);
}

}  // namespace
}  // namespace weir::balance
