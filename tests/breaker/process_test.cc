// Processes that share circuits through a file, and die with a probe or a lock in hand.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "breaker/circuit.h"
#include "state/table.h"
#include "tests/breaker/support.h"
#include "tests/support/processes.h"

namespace weir::breaker {
namespace {

using testing::EndsWell;
using testing::OpenFile;
using testing::Shared;
using testing::Start;
using testing::TempPath;

void Kill(pid_t child) {
  int status = 0;
  REQUIRE(kill(child, SIGKILL) == 0);
  REQUIRE(waitpid(child, &status, 0) == child);
}

// Spins until all have come.
void Meet(std::atomic<int>* here, int all) {
  ++*here;
  while (*here < all) usleep(50);
}

TEST_CASE("processes at the edge of the cool-down: exactly the probes pass") {
  const TempPath path;
  RuleSet set = Throttle();
  set.probes = 5;
  set.successes_to_close = 1'000'000;
  auto segment = OpenFile(path);
  auto breaker = NewBreaker(segment.get(), {set});
  struct Counts {
    std::atomic<int> passed{0}, here{0};
  };
  const int rounds = std::getenv("WEIR_LONG") != nullptr ? 200 : 10;
  for (int round = 0; round < rounds; ++round) {
    const std::string key = std::string("k").append(std::to_string(round));
    REQUIRE(breaker.Send(key, {429}, At(0)).event == Event::kTripped);
    auto* counts = Shared<Counts>();
    std::vector<pid_t> workers;
    for (int w = 0; w < 8; ++w) {
      workers.push_back(Start([&] {
        // Half of them forked with the file open, half opened it themselves.
        auto own_segment = w < 4 ? nullptr : OpenFile(path);
        std::unique_ptr<Breaker> own;
        if (own_segment != nullptr) own = *Breaker::Create(own_segment.get(), {set}, {64});
        Breaker& mine = own == nullptr ? breaker.breaker() : *own;
        const Circuit circuit = mine.Find(key, 0, At(0));
        Meet(&counts->here, 8);
        for (int ask = 0; ask < 1'250; ++ask) {
          if (mine.Acquire(circuit, At(30)).allowed) ++counts->passed;
        }
      }));
    }
    for (const pid_t worker : workers) CHECK(EndsWell(worker));
    CHECK(counts->passed == 5);
  }
}

TEST_CASE("what one process trips is tripped for all, and the file remembers") {
  const TempPath path;
  auto segment = OpenFile(path);
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  const Circuit circuit = breaker.Find("k", At(0));
  CHECK(circuit.IsClosed());
  CHECK(EndsWell(Start([&] {
    auto own = OpenFile(path);
    auto mine = *Breaker::Create(own.get(), {Throttle()}, {64});
    const Permit permit = mine->Acquire(mine->Find("k", 0, At(0)), At(0));
    if (mine->Record(permit, {429}, At(0)).event != Event::kTripped) _exit(1);
  })));
  CHECK_FALSE(circuit.IsClosed());
  CHECK_FALSE(breaker.breaker().Acquire(circuit, At(29)).allowed);
  std::vector<Change> changes;
  CHECK(breaker.breaker().Changes(0, &changes).lost == 0);
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].key == "k");
  CHECK(changes[0].event == Event::kTripped);
}

TEST_CASE("a process that is killed with a probe out gives it back after its time") {
  const TempPath path;
  RuleSet set = Throttle();
  set.probe_timeout_ns = 20 * kSecond;
  auto segment = OpenFile(path);
  auto breaker = NewBreaker(segment.get(), {set});
  breaker.Send("k", {429}, At(0));
  auto* here = Shared<std::atomic<int>>();
  const pid_t child = Start([&] {
    if (!breaker.Acquire("k", At(30)).probe) _exit(1);
    *here = 1;
    pause();
  });
  while (*here == 0) usleep(100);
  Kill(child);
  CHECK_FALSE(breaker.Acquire("k", At(49)).allowed);
  const Permit probe = breaker.Acquire("k", At(50));
  CHECK(probe.probe);
  CHECK(breaker.Record(probe, {200}, At(50)).event == Event::kReset);
}

TEST_CASE("a process that is killed with a circuit's lock in hand holds nobody up") {
  const TempPath path;
  auto segment = OpenFile(path);
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  breaker.Send("k", {429}, At(0));
  auto* here = Shared<std::atomic<int>>();
  const pid_t child = Start([&] {
    auto own = OpenFile(path);
    auto table = *state::Table<CircuitData>::Open(own.get(), "breaker", 64);
    const Hash128 key = SipHash(own->seed(), "k");
    if (!table.Lock(*table.Find(key), key)) _exit(1);
    *here = 1;
    pause();
  });
  while (*here == 0) usleep(100);
  Kill(child);
  CHECK_FALSE(breaker.Check("k", At(29)).allowed);
  const Permit probe = breaker.Acquire("k", At(30));
  CHECK(probe.probe);
  CHECK(breaker.Record(probe, {200}, At(30)).event == Event::kReset);
}

TEST_CASE("processes killed at any instruction leave circuits that a healthy backend closes") {
  const TempPath path;
  RuleSet set = OneRule(StatusRule(500, 599, 2, 50, 40));
  set.rules.push_back(StatusRule(500, 599, 1, 160, 40));
  set.rules[1].percentage = 20;
  set.rules[1].min_samples = 5;
  set.probes = 2;
  set.probe_timeout_ns = 100;
  auto segment = OpenFile(path);
  auto breaker = NewBreaker(segment.get(), {set}, 8);
  auto* clock = Shared<std::atomic<int64_t>>();
  *clock = 1;
  const int kills = std::getenv("WEIR_LONG") != nullptr ? 5'000 : 150;
  for (int i = 0; i < kills; ++i) {
    const pid_t child = Start([&] {
      auto own = OpenFile(path);
      auto mine = *Breaker::Create(own.get(), {set}, {8});
      for (uint64_t n = 0;; ++n) {
        const Now now{clock->fetch_add(7), 0};
        const Permit permit = mine->Acquire(mine->Find(std::to_string(n % 11), 0, now), now);
        if (n % 5 == 4) continue;  // lost
        mine->Record(permit, {n % 3 == 0 ? 200 : 500}, now);
      }
    });
    const int64_t begun = *clock;
    while (*clock < begun + 700) usleep(20);
    usleep(static_cast<useconds_t>(i % 50));
    Kill(child);
  }
  std::vector<Change> changes;
  const ChangesRead read = breaker.breaker().Changes(0, &changes);
  CHECK(read.last > 50);
  CHECK(changes.size() + read.lost == read.last);
  for (int k = 0; k < 11; ++k) {
    const std::string key = std::to_string(k);
    int64_t now = *clock + 300;
    for (const int64_t end = now + 300; now < end; ++now) {
      const Permit permit = breaker.Acquire(key, {now, 0});
      if (permit.allowed) breaker.Record(permit, {200}, {now, 0});
    }
    CHECK(breaker.Get(key, {now, 0}).state == State::kClosed);
  }
}

}  // namespace
}  // namespace weir::breaker
