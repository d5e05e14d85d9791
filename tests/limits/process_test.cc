// Many processes at one file, dying at any instruction.
//
// WEIR_LONG=1 asks for the long versions.

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/limits/support.h"
#include "tests/support/processes.h"

namespace weir::limits {
namespace {

using testing::EndsWell;
using testing::OpenFile;
using testing::Shared;
using testing::Start;
using testing::TempPath;

bool IsLong() { return std::getenv("WEIR_LONG") != nullptr; }

std::vector<Rule> MonthAndWindow(uint64_t amount) {
  return {
      {.name = "month",
       .algorithm = Algorithm::kCalendar,
       .amount = amount,
       .period = Period::kLifetime,
       .lease_ns = kMinute},
      Window(amount, 366 * kDay),
      {.name = "places", .algorithm = Algorithm::kConcurrency, .amount = 40, .lease_ns = kMinute}};
}

TEST_CASE("four workers forked from one engine and four with their own share every limit") {
  constexpr uint64_t kAmount = 20000;
  const TempPath path;
  const std::vector<Rule> rules = {Window(kAmount, 366 * kDay),
                                   Bucket(kAmount, 366 * kDay),
                                   {.name = "life",
                                    .algorithm = Algorithm::kCalendar,
                                    .amount = kAmount,
                                    .period = Period::kLifetime}};
  auto segment = OpenFile(path);
  auto limiter = MakeLimiter(segment.get(), rules);
  struct Counts {
    std::atomic<uint64_t> of_rule[3];
  };
  auto* admitted = Shared<Counts>();
  const auto work = [&](Limiter& mine) {
    for (int i = 0; i < 8000; ++i) {
      for (uint32_t rule = 0; rule < 3; ++rule) {
        if (mine.Take({{.rule = rule, .key = "k", .cost = 1}}, At(0)).admitted)
          ++admitted->of_rule[rule];
      }
    }
  };
  std::vector<pid_t> workers;
  for (int i = 0; i < 8; ++i) {
    workers.push_back(Start([&] {
      if (i < 4) return work(*limiter);
      auto own = OpenFile(path);
      auto mine = Limiter::Create(own.get(), rules, {.max_counters = 64});
      if (!mine.ok()) _exit(98);
      work(**mine);
    }));
  }
  for (const pid_t worker : workers) CHECK(EndsWell(worker));
  for (uint32_t rule = 0; rule < 3; ++rule) {
    CHECK(admitted->of_rule[rule] == kAmount);
    CHECK(limiter->Peek({.rule = rule, .key = "k"}, At(0)).used_before == kAmount);
  }
}

TEST_CASE("eight processes and a thousand limits: no sum is ever above its amount") {
  constexpr uint32_t kLimits = 1000;
  constexpr uint64_t kAmount = 300;
  const int operations = IsLong() ? 1000000 : 60000;
  const TempPath path;
  const std::vector<Rule> rules = {{.name = "life",
                                    .algorithm = Algorithm::kCalendar,
                                    .amount = kAmount,
                                    .period = Period::kLifetime}};
  auto segment = OpenFile(path);
  auto limiter = MakeLimiter(segment.get(), rules, {.max_counters = 2000});
  struct State {
    // What is certainly held: raised after a reservation, lowered before its end.
    std::atomic<uint64_t> held[kLimits];
    std::atomic<uint64_t> settled[kLimits];
    std::atomic<uint64_t> over{0};
    std::atomic<bool> stop{false};
  };
  auto* state = Shared<State>();
  std::vector<pid_t> workers;
  for (uint64_t w = 0; w < 8; ++w) {
    workers.push_back(Start([&, w] {
      Random random(w);
      std::vector<std::pair<Reservation, std::pair<uint32_t, uint64_t>>> open;
      for (int i = 0; i < operations; ++i) {
        const auto number = static_cast<uint32_t>(random.Below(kLimits));
        Reservation held;
        const Decision decision = limiter->Reserve({{.key = std::to_string(number),
                                                     .cost = random.Below(80),
                                                     .headroom = random.Below(80)}},
                                                   At(0), &held);
        if (decision.admitted) {
          const uint64_t reserved = decision.verdicts[0].reserved;
          if (state->held[number].fetch_add(reserved) + reserved > kAmount) ++state->over;
          open.emplace_back(std::move(held), std::pair(number, reserved));
        }
        if (open.size() < 50 && i + 1 != operations) continue;
        for (auto& [reservation, what] : open) {
          const uint64_t used = random.Below(100) == 0 ? random.Below(what.second + 1) / 8 : 0;
          state->held[what.first] -= what.second - used;
          state->settled[what.first] += used;
          limiter->Settle(&reservation, {{.cost = used}}, At(0));
        }
        open.clear();
      }
    }));
  }
  // The watcher reads the counters themselves.
  uint64_t seen_over = 0, looks = 0;
  std::thread watcher([&] {
    while (!state->stop) {
      for (uint32_t number = 0; number < kLimits; ++number, ++looks) {
        const std::string key = std::to_string(number);
        seen_over += limiter->Peek({.key = key}, At(0)).used_before > kAmount;
      }
    }
  });
  for (const pid_t worker : workers) CHECK(EndsWell(worker));
  state->stop = true;
  watcher.join();
  CHECK(state->over == 0);
  CHECK(seen_over == 0);
  CHECK(looks >= kLimits);
  uint64_t wrong = 0;
  for (uint32_t number = 0; number < kLimits; ++number) {
    const std::string key = std::to_string(number);
    wrong += limiter->Peek({.key = key}, At(0)).used_before != state->settled[number];
  }
  CHECK(wrong == 0);
}

// What the workers of the kill loop tell, each in its own line: `doing` is in doubt while it works.
struct Told {
  struct alignas(64) Worker {
    std::atomic<uint64_t> settled[2];
    std::atomic<uint64_t> doubt[2];
    std::atomic<uint64_t> done{0};
  } workers[8];
  std::atomic<int64_t> now_ns{0};
};

// Reserves, tops up, settles, releases, drops; over several counters at once.
void WorkForever(Limiter& limiter, Told& told, Told::Worker& mine, uint64_t seed) {
  Random random(seed);
  while (true) {
    const Now now = At(told.now_ns.load());
    const uint64_t cost = 1 + random.Below(20);
    const std::string key = std::to_string(random.Below(3));
    Reservation held;
    const Decision decision = limiter.Reserve({{.rule = 0, .key = key, .cost = cost},
                                               {.rule = 1, .key = key, .cost = cost},
                                               {.rule = 2, .key = "p", .cost = 1}},
                                              now, &held);
    if (decision.admitted) {
      if (random.Below(4) == 0) limiter.TopUp(&held, {3, 3}, now);
      const uint64_t used = random.Below(3) == 0 ? 0 : random.Below(cost + 1);
      for (int rule = 0; rule < 2; ++rule) mine.doubt[rule] = used;
      limiter.Settle(&held, {{.cost = used}, {.cost = used}, {}}, now);
      for (int rule = 0; rule < 2; ++rule) {
        mine.settled[rule] += used;
        mine.doubt[rule] = 0;
      }
    }
    ++mine.done;
  }
}

TEST_CASE("killed at any instruction, workers leave nothing locked, torn or held") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int kUsualKills = 50;  // starting a process takes its time here
#else
  constexpr int kUsualKills = 500;
#endif
  const int kills = IsLong() ? 10000 : kUsualKills;
  constexpr int kWorkers = 3;
  const TempPath path;
  const std::vector<Rule> rules = MonthAndWindow(uint64_t{1} << 50);
  auto segment = OpenFile(path);
  auto limiter = MakeLimiter(segment.get(), rules);
  auto* told = Shared<Told>();
  Random random(1);
  std::vector<pid_t> workers(kWorkers);
  const auto start = [&](int w) {
    return Start([&, w] {
      // Half of them are forks of this process's limiter, half open the file.
      if (w % 2 == 0) return WorkForever(*limiter, *told, told->workers[w], random.Next());
      auto own = OpenFile(path);
      auto mine = Limiter::Create(own.get(), rules, {.max_counters = 64});
      if (mine.ok()) WorkForever(**mine, *told, told->workers[w], random.Next());
    });
  };
  // What the killed may or may not have settled: at most this much is in doubt for good.
  uint64_t lost[2] = {0, 0};
  for (int w = 0; w < kWorkers; ++w) workers[w] = start(w);
  uint64_t stuck = 0;
  for (int i = 0; i < kills; ++i) {
    const int w = static_cast<int>(random.Below(kWorkers));
    const timespec wait = {0, static_cast<long>(random.Below(3 * kMillisecond))};
    nanosleep(&wait, nullptr);
    kill(workers[w], SIGKILL);
    waitpid(workers[w], nullptr, 0);
    for (int rule = 0; rule < 2; ++rule) {
      lost[rule] += told->workers[w].doubt[rule].exchange(0);
    }
    told->now_ns += static_cast<int64_t>(random.Below(100)) * kMillisecond;
    workers[w] = start(w);
    // Nothing is locked for long: this process gets at every counter.
    for (const char* key : {"0", "1", "2"}) {
      limiter->Peek({.rule = 0, .key = key}, At(told->now_ns));
      limiter->Peek({.rule = 1, .key = key}, At(told->now_ns));
    }
    const int other = (w + 1) % kWorkers;
    const uint64_t before = told->workers[other].done;
    for (int waited = 0; told->workers[other].done == before; ++waited) {
      usleep(200);
      if (waited == 20000) {
        ++stuck;
        break;
      }
    }
  }
  CHECK(stuck == 0);
  for (int w = 0; w < kWorkers; ++w) {
    kill(workers[w], SIGKILL);
    waitpid(workers[w], nullptr, 0);
    for (int rule = 0; rule < 2; ++rule) lost[rule] += told->workers[w].doubt[rule];
  }
  // Once the leases of the dead are over: exactly what was settled, and nothing is held.
  const Now later = At(told->now_ns + 2 * kMinute);
  uint64_t used[2] = {0, 0}, settled[2] = {0, 0};
  for (int rule = 0; rule < 2; ++rule) {
    for (const char* key : {"0", "1", "2"}) {
      used[rule] +=
          limiter->Peek({.rule = static_cast<uint32_t>(rule), .key = key}, later).used_before;
    }
    for (const Told::Worker& worker : told->workers) settled[rule] += worker.settled[rule];
  }
  CHECK(settled[0] > 0);
  CHECK(used[0] >= settled[0]);
  CHECK(used[0] <= settled[0] + lost[0]);
  // A window forgets what the dead held only with its bookings: never less than was settled.
  CHECK(used[1] >= settled[1]);
  CHECK(limiter->Peek({.rule = 2, .key = "p"}, later).used_before == 0);
  const auto report = Inspect(segment.get(), 10, later);
  REQUIRE(report.ok());
  // What the dead still seem to hold, the next who comes takes over.
  for (const char* key : {"0", "1", "2"}) limiter->Take({{.rule = 0, .key = key}}, later);
  limiter->Take({{.rule = 2, .key = "p"}}, later);
  for (const char* key : {"0", "1", "2"}) limiter->Take({{.rule = 1, .key = key}}, later);
  CHECK(Inspect(segment.get(), 10, later)->locked == 0);
}

TEST_CASE("a count outlives all processes") {
  const TempPath path;
  const std::vector<Rule> rules = MonthAndWindow(1000);
  for (int i = 0; i < 3; ++i) {
    CHECK(EndsWell(Start([&] {
      auto segment = OpenFile(path);
      auto limiter = Limiter::Create(segment.get(), rules, {.max_counters = 64});
      if (!limiter.ok()) _exit(98);
      if (!(*limiter)->Take({{.rule = 0, .key = "k", .cost = 300}}, At(0)).admitted) _exit(97);
    })));
  }
  auto segment = OpenFile(path);
  auto limiter = MakeLimiter(segment.get(), rules);
  CHECK(limiter->Peek({.rule = 0, .key = "k"}, At(0)).used_before == 900);
  auto reader = state::Segment::OpenReadOnly(path.str());
  REQUIRE(reader.ok());
  const auto report = Inspect(reader->get(), 1, At(0));
  REQUIRE(report.ok());
  REQUIRE(report->top.size() == 1);
  CHECK(report->top[0].rule == "month");
  CHECK(report->top[0].used == 900);
}

}  // namespace
}  // namespace weir::limits
