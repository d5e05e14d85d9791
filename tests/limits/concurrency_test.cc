// Many threads on few counters. Run under the thread sanitizer too.

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tests/limits/support.h"

namespace weir::limits {
namespace {

// WEIR_LONG=1 asks for ten million operations a thread.
int Rounds(int usual) { return std::getenv("WEIR_LONG") != nullptr ? 10000000 : usual; }

template <class Body>
void InThreads(int count, Body&& body) {
  std::vector<std::thread> threads;
  for (int t = 0; t < count; ++t) threads.emplace_back([&body, t] { body(t); });
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("64 threads take exactly the amount, not one more") {
  for (const Rule& rule : {Window(50000, 366 * kDay), Bucket(50000, 366 * kDay)}) {
    Fixture fixture({rule});
    std::atomic<uint64_t> admitted{0};
    InThreads(64, [&](int) {
      for (int i = 0; i < 1000; ++i) admitted += fixture.Take(1, 0).admitted ? 1 : 0;
    });
    CHECK(admitted == 50000);
    CHECK(fixture.Used(0) == 50000);
  }
}

TEST_CASE("64 threads that reserve, settle and release never hold more than the amount") {
  for (const Rule& rule : {Window(2000, 366 * kDay), Bucket(2000, 366 * kDay)}) {
    Fixture fixture({rule});
    // Raised after a reservation and lowered before its end, so it never says more than is held.
    std::atomic<uint64_t> held_now{0};
    std::atomic<uint64_t> settled{0};
    std::atomic<int> over{0};
    InThreads(64, [&](int t) {
      Random random(static_cast<uint64_t>(t));
      for (int i = 0; i < Rounds(500); ++i) {
        Reservation held;
        const Decision decision = fixture.Reserve(random.Below(40), 0, &held, random.Below(40));
        if (!decision.admitted) continue;
        const uint64_t reserved = decision.verdicts[0].reserved;
        if (held_now.fetch_add(reserved) + reserved > rule.amount) ++over;
        const uint64_t used = random.Below(100) == 0 ? random.Below(reserved + 1) / 8 : 0;
        held_now -= reserved - used;
        settled += used;
        if (random.Below(2) == 0 && used == 0) {
          fixture.limiter->Release(&held, At(0));
        } else {
          fixture.Settle(&held, used, 0);
        }
      }
    });
    CHECK(over == 0);
    CHECK(fixture.Used(0) == settled);
  }
}

TEST_CASE("charges over the same counters in opposite orders end, and are all or nothing") {
  Fixture fixture(
      {Window(30000, kHour, "a"), Bucket(40000, 366 * kDay, 0, "b"), Window(20000, kHour, "c")});
  std::atomic<uint64_t> admitted{0};
  InThreads(8, [&](int t) {
    for (int i = 0; i < 30000; ++i) {
      Charge charges[] = {{.rule = 0, .key = "k", .cost = 1},
                          {.rule = 1, .key = "k", .cost = 1},
                          {.rule = 2, .key = "k", .cost = 1}};
      if (t % 2 == 0) std::swap(charges[0], charges[2]);
      if (t % 3 == 0) std::swap(charges[0], charges[1]);
      admitted += fixture.limiter->Take(charges, At(0)).admitted ? 1 : 0;
    }
  });
  CHECK(admitted == 20000);
  for (uint32_t rule = 0; rule < 3; ++rule) CHECK(fixture.Used(0, rule) == 20000);
}

TEST_CASE("counters that come and go under many threads never admit too much") {
  // 16 slots for 40 keys; every key has its own clock, so slots fall idle all the time.
  Fixture fixture({Window(10, kSecond)}, {.max_counters = 16});
  constexpr int kKeys = 40;
  constexpr int kRounds = 200;
  uint64_t over = 0, admitted_ever = 0;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t now = round * kSecond / 3;
    std::vector<std::atomic<uint64_t>> admitted(kKeys);
    InThreads(4, [&](int t) {
      Random random(static_cast<uint64_t>(round * 4 + t));
      for (int i = 0; i < 100; ++i) {
        const size_t key = (static_cast<size_t>(round) * 5 + random.Below(12)) % kKeys;
        if (fixture.Take(1, now, 0, std::to_string(key)).admitted) ++admitted[key];
      }
    });
    for (const auto& count : admitted) {
      over += count > 10;
      admitted_ever += count;
    }
  }
  CHECK(over == 0);
  CHECK(admitted_ever > 1000);
}

TEST_CASE("peeking and reloading while others take is free of races") {
  auto segment = MakeSegment();
  auto limiter = MakeLimiter(segment.get(), {Window(1000000, kHour)});
  std::atomic<uint64_t> admitted{0};
  InThreads(4, [&](int t) {
    for (int i = 0; i < 2000; ++i) {
      if (t == 0) {
        auto reloaded = MakeLimiter(segment.get(), {Window(1000000, kHour)});
        admitted += reloaded->Take({{.key = "k", .cost = 1}}, At(0)).admitted ? 1 : 0;
      } else if (t == 1) {
        static_cast<void>(limiter->Peek({.key = "k", .cost = 1}, At(0)));
      } else {
        admitted += limiter->Take({{.key = "k", .cost = 1}}, At(0)).admitted ? 1 : 0;
      }
    }
  });
  CHECK(limiter->Peek({.key = "k"}, At(0)).used_before == admitted);
}

}  // namespace
}  // namespace weir::limits
