// Are recorded histories linearizable? Threads reserve, settle and refuse over two counters at
// once; each answer says what the counters held. A history is good when some order of its
// operations, each between its call and its return, explains every answer (Wing and Gong, "Testing
// and verifying concurrent objects", 1993; with the visited states remembered, Lowe 2017).

#include <array>
#include <atomic>
#include <cstdlib>
#include <map>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/limits/support.h"

namespace weir::limits {
namespace {

using Pair = std::array<uint64_t, 2>;

struct Operation {
  uint64_t called = 0, returned = 0;
  bool reserve = false;
  // A reservation: what it asked of which counters, and what it was told.
  Pair cost{}, used_before{};
  std::array<bool, 2> charged{};
  bool admitted = false;
  // A settling: what it took away.
  Pair returned_units{};
};

// Does `operation` fit a state? Then it changes it.
bool Apply(const Operation& operation, uint64_t amount, Pair* used) {
  if (!operation.reserve) {
    for (size_t i = 0; i < 2; ++i) (*used)[i] -= operation.returned_units[i];
    return true;
  }
  bool fits = true;
  for (size_t i = 0; i < 2; ++i) {
    if (!operation.charged[i]) continue;
    if ((*used)[i] != operation.used_before[i]) return false;
    fits = fits && (*used)[i] + operation.cost[i] <= amount;
  }
  if (fits != operation.admitted) return false;
  for (size_t i = 0; i < 2 && fits; ++i) {
    if (operation.charged[i]) (*used)[i] += operation.cost[i];
  }
  return true;
}

class Checker {
 public:
  Checker(const std::vector<Operation>& history, uint64_t amount)
      : history_(history), amount_(amount) {}

  bool IsLinearizable() {
    std::vector<std::pair<uint64_t, Pair>> open = {{0, Pair{}}};
    std::set<std::pair<uint64_t, Pair>> seen;
    const uint64_t all = (uint64_t{1} << history_.size()) - 1;
    while (!open.empty()) {
      const auto [done, used] = open.back();
      open.pop_back();
      if (done == all) return true;
      // Whatever was called before every other open one returned may come next.
      uint64_t first_return = UINT64_MAX;
      for (size_t i = 0; i < history_.size(); ++i) {
        if ((done >> i & 1) == 0) first_return = std::min(first_return, history_[i].returned);
      }
      for (size_t i = 0; i < history_.size(); ++i) {
        if ((done >> i & 1) != 0 || history_[i].called > first_return) continue;
        Pair next = used;
        if (!Apply(history_[i], amount_, &next)) continue;
        const auto state = std::pair(done | uint64_t{1} << i, next);
        if (seen.insert(state).second) open.push_back(state);
      }
    }
    return false;
  }

 private:
  const std::vector<Operation>& history_;
  const uint64_t amount_;
};

std::vector<Operation> Record(Limiter& limiter, uint64_t seed) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 6;
  std::atomic<uint64_t> clock{0};
  std::atomic<int> ready{0};
  std::array<std::vector<Operation>, kThreads> told;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Random random(seed * kThreads + static_cast<uint64_t>(t));
      ++ready;
      while (ready < kThreads) std::this_thread::yield();
      for (int i = 0; i < kRounds; ++i) {
        Operation reserve;
        reserve.reserve = true;
        std::vector<Charge> charges;
        const uint64_t which = 1 + random.Below(3);
        for (uint32_t c = 0; c < 2; ++c) {
          if ((which >> c & 1) == 0) continue;
          reserve.charged[c] = true;
          reserve.cost[c] = 1 + random.Below(6);
          charges.push_back({.rule = c, .key = "k", .cost = reserve.cost[c]});
        }
        Reservation held;
        reserve.called = clock++;
        if (random.Below(3) == 0) std::this_thread::yield();
        const Decision decision = limiter.Reserve(charges, At(0), &held);
        if (random.Below(3) == 0) std::this_thread::yield();
        reserve.returned = clock++;
        reserve.admitted = decision.admitted;
        for (size_t v = 0; v < charges.size(); ++v) {
          reserve.used_before[charges[v].rule] = decision.verdicts[v].used_before;
        }
        told[static_cast<size_t>(t)].push_back(reserve);
        // Settling ends each counter by itself: with one counter it is one operation.
        if (!decision.admitted || charges.size() != 1 || random.Below(2) == 0) continue;
        Operation settle;
        const uint32_t c = charges[0].rule;
        const uint64_t used = random.Below(reserve.cost[c]);
        settle.returned_units[c] = reserve.cost[c] - used;
        settle.called = clock++;
        limiter.Settle(&held, {{.cost = used}}, At(0));
        settle.returned = clock++;
        told[static_cast<size_t>(t)].push_back(settle);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<Operation> history;
  for (const auto& of_thread : told)
    history.insert(history.end(), of_thread.begin(), of_thread.end());
  return history;
}

TEST_CASE("recorded histories are linearizable") {
  const uint64_t histories = std::getenv("WEIR_LONG") != nullptr ? 100000 : 400;
  constexpr uint64_t kAmount = 30;
  uint64_t wrong = 0, refused = 0, overlaps = 0;
  for (uint64_t seed = 0; seed < histories; ++seed) {
    Fixture fixture({Window(kAmount, kHour, "a"),
                     seed % 2 == 0 ? Bucket(kAmount, kHour, 0, "b") : Window(kAmount, kDay, "b")});
    const std::vector<Operation> history = Record(*fixture.limiter, seed);
    REQUIRE(history.size() < 64);
    wrong += !Checker(history, kAmount).IsLinearizable();
    for (const Operation& operation : history) {
      refused += operation.reserve && !operation.admitted;
      overlaps += operation.returned - operation.called > 1;
    }
  }
  CHECK(wrong == 0);
  CHECK(refused > histories);
  CHECK(overlaps > histories / 4);
}

TEST_CASE("the checker finds fault with histories that are none") {
  // Two that both saw an empty counter, one after the other; and one that was refused too early.
  Operation a, b;
  a.reserve = b.reserve = a.admitted = b.admitted = true;
  a.charged[0] = b.charged[0] = true;
  a.cost[0] = b.cost[0] = 5;
  a.called = 0, a.returned = 1, b.called = 2, b.returned = 3;
  CHECK_FALSE(Checker({a, b}, 30).IsLinearizable());
  b.used_before[0] = 5;
  CHECK(Checker({a, b}, 30).IsLinearizable());
  CHECK_FALSE(Checker({a, b}, 9).IsLinearizable());
  b.admitted = false;
  CHECK(Checker({a, b}, 9).IsLinearizable());
  std::swap(a.called, b.called);
  std::swap(a.returned, b.returned);
  CHECK_FALSE(Checker({a, b}, 9).IsLinearizable());
  a.called = 0, b.returned = 9;  // now they overlap
  CHECK(Checker({a, b}, 9).IsLinearizable());
}

}  // namespace
}  // namespace weir::limits
