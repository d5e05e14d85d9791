#include "weir/queue.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"
#include "tests/support/processes.h"

namespace weir::queue {
namespace {

std::unique_ptr<state::Segment> MakeSegment() {
  auto segment = state::Segment::CreatePrivate({.bytes = size_t{4} << 20, .seed = 3});
  REQUIRE(segment.ok());
  return *std::move(segment);
}

std::unique_ptr<Lines> MakeLines(state::Segment* segment, uint32_t max_lines = 16) {
  auto lines = Lines::Create(segment, {max_lines});
  REQUIRE(lines.ok());
  return *std::move(lines);
}

Now At(int64_t ns) { return {.mono_ns = ns, .unix_ns = ns}; }

TEST_CASE("the example of the header") {
  const auto segment = MakeSegment();
  const auto lines = MakeLines(segment.get());
  const Now now = At(kHour);
  CHECK(lines->IsEmpty("a"));
  const auto first = lines->Join("a", 10, 100, now);
  const auto second = lines->Join("a", 20, 100, now);
  const auto third = lines->Join("a", 30, 100, now);
  REQUIRE((first && second && third));
  CHECK_FALSE(lines->IsEmpty("a"));
  CHECK(lines->IsEmpty("b"));
  lines->Promise(*first, now.mono_ns + 7, now);
  CHECK(lines->Look(*first, now).is_first);
  const Standing standing = lines->Look(*third, now);
  CHECK_FALSE(standing.is_first);
  CHECK(standing.ahead == 2);
  CHECK(standing.cost_ahead == 30);
  CHECK(standing.first_due_ns == now.mono_ns + 7);
  lines->Leave(*second);
  CHECK(lines->Look(*third, now).cost_ahead == 10);
  lines->Leave(*first);
  CHECK(lines->Look(*third, now).is_first);
  lines->Leave(*third);
  CHECK(lines->IsEmpty("a"));
}

TEST_CASE("a line takes so many and no more, and there are so many lines") {
  const auto segment = MakeSegment();
  const auto lines = MakeLines(segment.get(), 2);
  std::vector<Place> places;
  for (int i = 0; i < 3; ++i) places.push_back(*lines->Join("a", 1, 3, At(1)));
  CHECK_FALSE(lines->Join("a", 1, 3, At(1)));
  lines->Leave(places[0]);
  CHECK(lines->Join("a", 1, 3, At(1)));
  uint32_t joined = 0;
  while (lines->Join("b", 1, UINT32_MAX, At(1))) ++joined;
  CHECK(joined == kMaxWaiting);
  CHECK_FALSE(lines->Join("c", 1, 100, At(1)));
  // Nobody of "a" or "b" kept a promise.
  CHECK(lines->Join("c", 1, 100, At(2 * kSecond)));
  CHECK_FALSE(Lines::Create(segment.get(), {0}).ok());
  CHECK_FALSE(Lines::Create(segment.get(), {65537}).ok());
}

TEST_CASE("who is overdue is passed over, and is first if he comes back") {
  const auto segment = MakeSegment();
  const auto lines = MakeLines(segment.get());
  const Place dead = *lines->Join("a", 1, 9, At(0));
  const Place second = *lines->Join("a", 1, 9, At(0));
  const Place third = *lines->Join("a", 1, 9, At(0));
  lines->Promise(dead, kHour, At(0));
  lines->Promise(second, kLongestPromiseNs, At(0));
  lines->Promise(third, kLongestPromiseNs, At(0));
  const int64_t edge_ns = kLongestPromiseNs + kGraceNs;
  CHECK_FALSE(lines->Look(second, At(edge_ns)).is_first);
  lines->Promise(second, edge_ns, At(edge_ns));
  CHECK(lines->Look(second, At(edge_ns + 1)).is_first);
  CHECK(lines->Look(dead, At(edge_ns + 1)).is_first);
  lines->Leave(dead);  // its place is nobody's any more
  CHECK(lines->Look(third, At(edge_ns + 1)).ahead == 1);
}

TEST_CASE("promises of a clock that ran before this one hold nobody up") {
  const auto segment = MakeSegment();
  const auto lines = MakeLines(segment.get());
  const Now before = At(1000 * kHour);
  for (int i = 0; i < 3; ++i) {
    lines->Promise(*lines->Join("a", 1, 9, before), before.mono_ns + kSecond, before);
  }
  const Place place = *lines->Join("a", 1, 9, At(kSecond));
  CHECK(lines->Look(place, At(kSecond)).is_first);
}

TEST_CASE("a place of a line that went to another key and came back is not a new one's") {
  const auto segment = MakeSegment();
  const auto lines = MakeLines(segment.get(), 1);
  const Place old = *lines->Join("a", 1, 9, At(0));
  const Place other = *lines->Join("b", 1, 9, At(kMinute));
  lines->Leave(other);
  const Place fresh = *lines->Join("a", 1, 9, At(kHour));
  lines->Leave(old);
  CHECK_FALSE(lines->IsEmpty("a"));
  CHECK(lines->Look(fresh, At(kHour)).is_first);
}

// A list of who waits, in order.
struct Twin {
  struct Waiter {
    Place place;
    uint64_t cost;
    int64_t due_ns;
  };
  std::deque<Waiter> waiters;

  void PassOver(int64_t now_ns) {
    while (!waiters.empty() && now_ns > waiters.front().due_ns + kGraceNs) waiters.pop_front();
  }
};

TEST_CASE("lines agree with a list of who waits") {
  const auto segment = MakeSegment();
  const auto lines = MakeLines(segment.get());
  Random random(11);
  Twin twin;
  int64_t now_ns = kHour;
  for (int step = 0; step < 200000; ++step) {
    now_ns += static_cast<int64_t>(random.Below(kSecond / 10));
    const Now now = At(now_ns);
    const uint64_t what = random.Below(4);
    if (what == 0) {
      twin.PassOver(now_ns);
      const uint64_t cost = random.Below(1000);
      const auto place = lines->Join("a", cost, 50, now);
      REQUIRE(place.has_value() == (twin.waiters.size() < 50));
      if (place) twin.waiters.push_back({*place, cost, now_ns});
    }
    if (twin.waiters.empty()) continue;
    const size_t index = random.Below(twin.waiters.size());
    const Place place = twin.waiters[index].place;
    if (what == 1) {
      lines->Leave(place);
      twin.waiters.erase(twin.waiters.begin() + static_cast<std::ptrdiff_t>(index));
    } else if (what == 2) {
      const auto wait_ns = static_cast<int64_t>(random.Below(5 * kSecond));
      lines->Promise(place, now_ns + wait_ns, now);
      twin.waiters[index].due_ns = now_ns + std::min(wait_ns, kLongestPromiseNs);
    } else {
      // Whoever looks passes over the overdue before him, not himself.
      const int64_t own_due_ns = twin.waiters[index].due_ns;
      twin.waiters[index].due_ns = INT64_MAX - kGraceNs;
      twin.PassOver(now_ns);
      const auto self =
          std::find_if(twin.waiters.begin(), twin.waiters.end(),
                       [&](const Twin::Waiter& w) { return w.place.number == place.number; });
      self->due_ns = own_due_ns;
      uint64_t cost_ahead = 0;
      for (auto it = twin.waiters.begin(); it != self; ++it) cost_ahead += it->cost;
      const Standing standing = lines->Look(place, now);
      REQUIRE(standing.ahead == static_cast<uint32_t>(self - twin.waiters.begin()));
      REQUIRE(standing.cost_ahead == cost_ahead);
      if (standing.ahead != 0) REQUIRE(standing.first_due_ns == twin.waiters.front().due_ns);
    }
    REQUIRE(lines->IsEmpty("a") == twin.waiters.empty());
  }
}

TEST_CASE("threads are served in the order in which they came") {
  const auto segment = MakeSegment();
  const auto lines = MakeLines(segment.get());
  constexpr int kThreads = 8;
  std::atomic<int> inside{0};
  std::atomic<int> overtaken{0};
  std::atomic<uint32_t> last_served{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const Place place = *lines->Join("a", 1, 100, At(0));
        while (!lines->Look(place, At(0)).is_first) std::this_thread::yield();
        if (inside.fetch_add(1) != 0) ++overtaken;
        const uint32_t before = last_served.exchange(place.number);
        if (before != 0 && place.number != before + 1) ++overtaken;
        inside.fetch_sub(1);
        lines->Leave(place);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(overtaken == 0);
  CHECK(lines->IsEmpty("a"));
}

TEST_CASE("processes stand in the same line, and a killed one holds it up for a while only") {
  const testing::TempPath path;
  auto opened = state::Segment::OpenFile(path.str(), {.bytes = size_t{4} << 20, .seed = 7});
  REQUIRE(opened.ok());
  const auto lines = MakeLines(opened->get());
  const pid_t child = fork();
  if (child == 0) {
    auto own = state::Segment::OpenFile(path.str(), {.bytes = size_t{4} << 20, .seed = 7});
    const bool joined = own.ok() && (*Lines::Create(own->get(), {16}))->Join("a", 5, 9, At(kHour));
    _exit(joined ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  const Place place = *lines->Join("a", 1, 9, At(kHour));
  CHECK(lines->Look(place, At(kHour)).cost_ahead == 5);
  CHECK(lines->Look(place, At(kHour + kGraceNs + 1)).is_first);
}

}  // namespace
}  // namespace weir::queue
