// One pool's state under many hands: reloads, generations, processes that die.

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <thread>

#include "tests/balance/support.h"
#include "tests/support/processes.h"

namespace weir::balance {
namespace {

using testing::OpenFile;
using testing::Shared;
using testing::Start;
using testing::TempPath;

TEST_CASE("reload keeps the place of every member, by name") {
  Random random(1);
  const std::vector<uint32_t> weights = {7, 3, 5, 1, 900};
  auto segment = NewSegment();
  std::vector<Member> members = Members(weights);
  std::vector<int64_t> count(5, 0);
  for (int pick = 1; pick <= 20'000; ++pick) {
    // Another order each time: the name finds what is owed.
    std::swap(members[random.Below(5)], members[random.Below(5)]);
    auto pool = NewPool(segment.get(), members, With(Strategy::kWeighted, random.Next()));
    const Member& member = members[static_cast<size_t>(pool->Pick({}))];
    ++count[static_cast<size_t>(member.name[1] - '0')];
    for (size_t i = 0; i < 5; ++i) {
      REQUIRE(std::abs(static_cast<double>(count[i]) - pick * weights[i] / 916.0) <= 5);
    }
  }
}

TEST_CASE("membership edits under traffic stay within the bound") {
  Random random(2);
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
      const int picked = pool->Pick({});
      REQUIRE(picked >= 0);
      ledger.Count(members, std::vector<bool>(6, true), picked);
      REQUIRE(ledger.Worst() <= 6);
    }
  }
}

TEST_CASE("a member that stays keeps what it is owed while all others are replaced") {
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
    got += pool->Pick({}) == static_cast<int>(kOthers) ? 1 : 0;
  }
  CHECK(got >= 95);
  CHECK(got <= 105);
}

TEST_CASE("an old and a new policy work at once on what they have in common") {
  auto segment = NewSegment();
  auto old_pool = NewPool(segment.get(), {{"a", 1, 3}, {"b", 1, 1}, {"gone", 1, 2}});
  auto new_pool =
      NewPool(segment.get(), {{"new", 1, 1}, {"b", 1, 5}, {"a", 1, 4}}, With(Strategy::kLeastBusy));
  old_pool->Rest(0, kMinute, Availability::kTripped, At(kSecond));
  for (int pick = 0; pick < 50; ++pick) {
    CHECK(old_pool->Pick(AskAt(kSecond)) != 0);
    CHECK(new_pool->Pick(AskAt(kSecond)) != 2);
  }
  CHECK(new_pool->Snapshot(At(kSecond))[2].why == Availability::kTripped);
  new_pool->Wake(2, At(kSecond));
  CHECK(old_pool->Snapshot(At(kSecond))[0].usable);
  for (int i = 0; i < 9; ++i) old_pool->Started(1, At(kSecond));
  old_pool->FirstToken(1, kSecond, At(kSecond));
  CHECK(new_pool->Snapshot(At(kSecond))[1].in_flight == 9);
  CHECK(new_pool->Snapshot(At(kSecond))[1].ttft_ns == kSecond);
  for (int pick = 0; pick < 50; ++pick) CHECK(new_pool->Pick(AskAt(kSecond)) != 1);
  new_pool->Finished(1, -1, true, At(kSecond));
  CHECK(old_pool->Snapshot(At(kSecond))[1].in_flight == 8);
}

TEST_CASE("two policies by turns each keep within their bounds") {
  auto segment = NewSegment();
  const std::vector<Member> old_members = Members({9, 3, 1, 1});
  std::vector<Member> new_members = Members({1, 1, 7, 4});
  new_members.push_back({"five", 1, 2});
  auto old_pool = NewPool(segment.get(), old_members);
  auto new_pool = NewPool(segment.get(), new_members);
  Random random(3);
  std::vector<double> owed(5, 0);
  for (int pick = 0; pick < 20'000; ++pick) {
    const bool is_old = random.Below(2) == 0;
    const auto& members = is_old ? old_members : new_members;
    const int picked = (is_old ? *old_pool : *new_pool).Pick({});
    const double total = is_old ? 14 : 15;
    for (size_t i = 0; i < members.size(); ++i) owed[i] += members[i].weight / total;
    owed[static_cast<size_t>(picked)] -= 1;
    for (const double one : owed) REQUIRE(std::abs(one) <= 6);
  }
}

TEST_CASE("an old pool finds its members again after they gave way") {
  auto segment = NewSegment(size_t{4} << 20);
  auto old_pool = NewPool(segment.get(), Members({3, 1}));
  for (size_t generation = 0; generation < 6; ++generation) {
    std::vector<Member> members;
    for (size_t i = 0; i < 64; ++i) {
      members.push_back({Numbered(Numbered("g", generation) + ".", i), 1, 1});
    }
    auto pool = NewPool(segment.get(), members);
    std::vector<int> count(64, 0);
    std::vector<int> old_count(2, 0);
    for (int pick = 0; pick < 640; ++pick) {
      ++count[static_cast<size_t>(pool->Pick({}))];
      ++old_count[static_cast<size_t>(old_pool->Pick({}))];
    }
    CHECK(*std::min_element(count.begin(), count.end()) >= 9);
    CHECK(*std::max_element(count.begin(), count.end()) <= 11);
    CHECK(std::abs(old_count[1] - 160) <= 2);
  }
}

TEST_CASE("a pool that outgrows its region takes everything along") {
  auto segment = NewSegment(size_t{4} << 20);
  auto small = NewPool(segment.get(), Members({1, 1}));
  small->Rest(1, kMinute, Availability::kThrottled, At(kSecond));
  small->Started(0, At(kSecond));
  CHECK(small->Pick(AskAt(kSecond)) == 0);
  for (const size_t size : {16, 17, 64, 200, 1000}) {
    auto pool = NewPool(segment.get(), Members(std::vector<uint32_t>(size, 1)));
    const auto states = pool->Snapshot(At(kSecond));
    CHECK(states[0].in_flight == 1);
    CHECK(states[0].picks >= 1);
    CHECK_FALSE(states[1].usable);
    CHECK(states[1].until_mono_ns == kMinute);
    // The old one follows.
    CHECK(small->Pick(AskAt(kSecond)) == 0);
    pool->Wake(1, At(kSecond));
    CHECK(small->Snapshot(At(kSecond))[1].usable);
    small->Rest(1, kMinute, Availability::kThrottled, At(kSecond));
  }
  small->Finished(0, -1, true, At(kSecond));
  CHECK(small->Snapshot(At(kSecond))[0].in_flight == 0);
  // So does one whose threads are in the middle of it.
  auto elsewhere = NewSegment(size_t{4} << 20);
  auto first = NewPool(elsewhere.get(), Members({1, 1}));
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  std::atomic<uint64_t> picks{0};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (!stop) picks += first->Pick(AskAt(1)) >= 0 ? 1 : 0;
    });
  }
  std::vector<std::unique_ptr<Pool>> pools;
  for (const size_t size : {40, 100, 900}) {
    pools.push_back(NewPool(elsewhere.get(), Members(std::vector<uint32_t>(size, 1))));
    const uint64_t before = picks;
    while (picks < before + 1000) std::this_thread::yield();
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  uint64_t counted = 0;
  for (const MemberState& member : first->Snapshot(At(1))) counted += member.picks;
  CHECK(counted == picks);
}

TEST_CASE("pools of different names share nothing") {
  auto segment = NewSegment();
  auto one = Pool::Create(segment.get(), "one", Members({1, 1}), {});
  auto two = Pool::Create(segment.get(), std::string(300, 'n'), Members({1, 1}), {});
  REQUIRE(one.ok());
  REQUIRE(two.ok());
  const int first = (*one)->Pick({});
  CHECK((*two)->Pick({}) == first);
  CHECK((*one)->Pick({}) == 1 - first);
}

TEST_CASE("what dead processes had under way is given back") {
  const TempPath path;
  auto segment = OpenFile(path);
  const auto members = Members({1, 1, 1});
  auto pool = NewPool(segment.get(), members, With(Strategy::kLeastBusy));
  pool->Started(2, At(kHour));
  int64_t now = kHour;
  for (int round = 0; round < 3; ++round) {
    const bool forked = round == 1;  // works with the pool of its parent
    const pid_t child = Start([&] {
      std::unique_ptr<state::Segment> own_segment;
      std::unique_ptr<Pool> own;
      if (!forked) {
        own_segment = OpenFile(path);
        own = *Pool::Create(own_segment.get(), "pool", members, With(Strategy::kLeastBusy));
      }
      Pool& mine = forked ? *pool : *own;
      for (int i = 0; i < 50; ++i) mine.Started(i % 2, At(now));
      kill(getpid(), SIGKILL);
    });
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    // Until somebody looks, a second later at most.
    now += kSecond + 1;
    CHECK(pool->Pick(AskAt(now)) != 2);
    const auto states = pool->Snapshot(At(now));
    CHECK(states[0].in_flight == 0);
    CHECK(states[1].in_flight == 0);
    CHECK(states[2].in_flight == 1);
  }
  pool->Finished(2, -1, true, At(now));
  CHECK(pool->Snapshot(At(now))[2].in_flight == 0);
}

TEST_CASE("more processes than columns: the others are not counted, and nothing is lost") {
  const TempPath path;
  auto segment = OpenFile(path);
  auto pool = NewPool(segment.get(), Members({1}));
  std::vector<std::unique_ptr<state::Segment>> segments;
  std::vector<std::unique_ptr<Pool>> pools;
  for (int i = 0; i < 70; ++i) {
    segments.push_back(OpenFile(path));
    pools.push_back(NewPool(segments.back().get(), Members({1})));
    pools.back()->Started(0, At(kHour));
  }
  CHECK(pool->Snapshot(At(kHour))[0].in_flight == 64);
  for (auto& one : pools) one->Finished(0, -1, true, At(kHour));
  CHECK(pool->Snapshot(At(kHour))[0].in_flight == 0);
  // Columns of those that are gone are free again.
  pools.clear();
  segments.clear();
  pool->Started(0, At(kHour));
  CHECK(pool->Snapshot(At(kHour))[0].in_flight == 1);
}

// Four workers do everything that can be done, and are killed at any instruction; the pool goes on,
// keeps the shares of those who live, and forgets what the dead had under way.
TEST_CASE("workers that are killed leave a sound pool") {
  for (const Strategy strategy : {Strategy::kWeighted, Strategy::kLeastLatency, Strategy::kP2c}) {
    const TempPath path;
    auto segment = OpenFile(path);
    const std::vector<uint32_t> weights = {5, 3, 2, 7, 1, 1, 9};
    std::vector<Member> members = Members(weights);
    members[6].priority = 2;
    auto pool = NewPool(segment.get(), members, With(strategy));
    struct State {
      std::atomic<int64_t> now{kHour};
      std::atomic<uint64_t> picks{0};
    };
    auto* state = Shared<State>();
    const auto work = [&](uint64_t seed) {
      auto own_segment = OpenFile(path);
      Random random(seed);
      for (;;) {
        // Another policy each time, of other weights half of the time.
        std::vector<Member> mine = members;
        if (random.Below(2) == 0) mine[random.Below(7)].weight += 3;
        auto own = Pool::Create(own_segment.get(), "pool", mine, With(strategy, seed));
        if (!own.ok()) _exit(97);
        for (int i = 0; i < 40; ++i) {
          const Now now = At(state->now);
          const int member = (*own)->Pick(Started(AskAt(now.mono_ns, random.Next())));
          ++state->picks;
          if (member < 0) continue;
          if (random.Below(10) == 0) {
            (*own)->Rest(member, now.mono_ns + 20, Availability::kTripped, now);
          }
          if (random.Below(10) == 0) (*own)->Wake(static_cast<int>(random.Below(7)), now);
          (*own)->Finished(member, 5 * kMillisecond, random.Below(5) != 0, now);
          state->now += 5;
        }
      }
    };
    Random random(9);
    std::map<pid_t, int> workers;
    const int kills = IsLong() ? 2'000 : 60;
    for (int round = 0; round < kills; ++round) {
      while (workers.size() < 4) {
        const uint64_t seed = random.Next();
        workers[Start([&] { work(seed); })] = 1;
      }
      const timespec pause = {0, static_cast<long>(random.Below(3'000'000))};
      nanosleep(&pause, nullptr);
      auto victim = workers.begin();
      std::advance(victim, static_cast<std::ptrdiff_t>(random.Below(workers.size())));
      kill(victim->first, SIGKILL);
      int status = 0;
      waitpid(victim->first, &status, 0);
      REQUIRE(WIFSIGNALED(status));
      workers.erase(victim);
    }
    for (const auto& worker : workers) {
      kill(worker.first, SIGKILL);
      waitpid(worker.first, nullptr, 0);
    }
    CHECK(state->picks > 1'000);
    const int64_t now = state->now + 10 * kSecond + kHour;
    REQUIRE(pool->Pick(AskAt(now)) >= 0);
    for (const MemberState& member : pool->Snapshot(At(now))) {
      CHECK(member.in_flight == 0);
      CHECK(member.usable);
    }
    if (strategy != Strategy::kWeighted) continue;
    Ledger ledger(7);
    for (int pick = 0; pick < 10'000; ++pick) {
      const int picked = pool->Pick(AskAt(now));
      REQUIRE(picked < 6);
      ledger.Count(members, std::vector<bool>(7, true), picked);
      REQUIRE(ledger.Worst() <= 7);
    }
  }
}

// Weights edited, health flapping, policies made anew: shares, prefixes, starvation, switches.
TEST_CASE("a long day of edits, flaps and refreshes") {
  const int64_t picks = IsLong() ? 10'000'000 : 300'000;
  Random random(11);
  auto segment = NewSegment();
  constexpr size_t kSize = 12;
  std::vector<Member> members = Members(RandomWeights(&random, kSize));
  for (size_t i = 8; i < kSize; ++i) members[i].priority = 2;
  auto pool = NewPool(segment.get(), members);
  std::vector<int64_t> until(kSize, 0);
  std::vector<double> due(kSize, 0);
  std::vector<double> got(kSize, 0);
  std::vector<double> waited(kSize, 0);
  long double worst = 0;
  double longest_wait = 0;
  int64_t now = kHour;
  int64_t switches = 0;
  uint32_t tier = 1;
  const int64_t begin = now;
  for (int64_t pick = 0; pick < picks; ++pick) {
    now += kMillisecond;
    if (pick % 50 == 0) {
      if (random.Below(4) == 0) {
        members[random.Below(kSize)].weight = static_cast<uint32_t>(1 + random.Below(100));
      }
      pool = NewPool(segment.get(), members, With(Strategy::kWeighted, random.Next()));
    }
    if (random.Below(2000) == 0) {
      const size_t i = random.Below(kSize);
      const int64_t end = now + static_cast<int64_t>(random.Below(3000)) * kMillisecond;
      const auto why = random.Below(2) == 0 ? Availability::kThrottled : Availability::kTripped;
      pool->Rest(static_cast<int>(i), end, why, At(now));
      if (end > now) until[i] = std::max(until[i], end);
    }
    if (pick % 60'000 == 0) {  // all of the first tier at once
      for (size_t i = 0; i < 8; ++i) {
        pool->Rest(static_cast<int>(i), now + kSecond, Availability::kTripped, At(now));
        until[i] = std::max(until[i], now + kSecond);
      }
    }
    const int picked = pool->Pick(AskAt(now));
    if (picked < 0) continue;
    const auto p = static_cast<size_t>(picked);
    REQUIRE(until[p] <= now);
    if (members[p].priority != tier) ++switches;
    tier = members[p].priority;
    double total = 0;
    for (size_t i = 0; i < kSize; ++i) {
      if (members[i].priority == tier && until[i] <= now) total += members[i].weight;
    }
    for (size_t i = 0; i < kSize; ++i) {
      if (members[i].priority != tier || until[i] > now) continue;
      due[i] += members[i].weight / total;
      waited[i] += members[i].weight / total;
      longest_wait = std::max(longest_wait, waited[i]);
      worst = std::max<long double>(worst, std::abs(due[i] - got[i] - (i == p ? 1 : 0)));
    }
    got[p] += 1;
    waited[p] = 0;
  }
  CHECK(worst <= static_cast<long double>(kSize));
  CHECK(longest_wait <= 6);  // in intervals between two picks
  for (size_t i = 0; i < kSize; ++i) CHECK(std::abs(got[i] - due[i]) <= 0.02 * due[i] + 12);
  // Down and back count one each; the first tier comes back when it has held for ten seconds.
  CHECK(switches <= 1 + (now - begin) / (10 * kSecond));
  CHECK(switches >= picks / 60'000);
}

}  // namespace
}  // namespace weir::balance
