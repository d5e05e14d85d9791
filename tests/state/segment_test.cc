#include <atomic>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "weir/state.h"

namespace weir::state {
namespace {

std::unique_ptr<Segment> MakeSegment(size_t bytes) {
  auto segment = Segment::CreatePrivate({.bytes = bytes, .seed = 42});
  REQUIRE(segment.ok());
  return *std::move(segment);
}

TEST_CASE("a region is zeroed, aligned and found again by its name") {
  auto segment = MakeSegment(size_t{1} << 20);
  CHECK(segment->seed() == 42);
  const size_t before = segment->bytes_used();
  auto first = segment->Region("alpha", 1000);
  REQUIRE(first.ok());
  CHECK(reinterpret_cast<uintptr_t>(*first) % 128 == 0);
  const auto* bytes = static_cast<const char*>(*first);
  CHECK(std::string(bytes, 1000) == std::string(1000, '\0'));
  auto second = segment->Region("alphb", 1);
  REQUIRE(second.ok());
  CHECK(static_cast<char*>(*second) >= bytes + 1000);
  CHECK(segment->bytes_used() == before + 1024 + 128);

  std::memset(*first, 'x', 1000);
  auto again = segment->Region("alpha", 1000);
  REQUIRE(again.ok());
  CHECK(*again == *first);
  CHECK(*static_cast<const char*>(*second) == 0);
  CHECK(segment->bytes_used() == before + 1024 + 128);
}

TEST_CASE("names of regions are compared as a whole, any bytes") {
  auto segment = MakeSegment(size_t{1} << 20);
  std::set<void*> places;
  const std::string longest(48, 'n');
  for (const std::string& name :
       {std::string("a"), std::string("a\0", 2), std::string("a\0\0", 3), std::string("A"),
        std::string("ab"), longest, longest.substr(1), std::string("\0", 1)}) {
    auto region = segment->Region(name, 64);
    REQUIRE(region.ok());
    CHECK(places.insert(*region).second);
  }
}

TEST_CASE("what a segment can not give has a status of its own") {
  auto segment = MakeSegment(size_t{1} << 19);
  REQUIRE(segment->Region("taken", 64).ok());
  CHECK(segment->Region("taken", 65).status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(segment->Region("", 64).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(segment->Region(std::string(49, 'n'), 64).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(segment->Region("none", 0).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(segment->Region("huge", SIZE_MAX).status().code() == absl::StatusCode::kResourceExhausted);
  const size_t left = (size_t{1} << 19) - segment->bytes_used();
  CHECK(segment->Region("over", left + 1).status().code() == absl::StatusCode::kResourceExhausted);
  auto all = segment->Region("rest", left);
  REQUIRE(all.ok());
  std::memset(*all, 1, left);
  CHECK(segment->Region("more", 1).status().code() == absl::StatusCode::kResourceExhausted);
  // A failure takes nothing and breaks nothing.
  CHECK(segment->Region("taken", 64).ok());
}

TEST_CASE("the directory has an end") {
  auto segment = MakeSegment(size_t{1} << 20);
  int made = 0;
  while (segment->Region(std::to_string(made), 64).ok()) ++made;
  CHECK(made == 1024);
  CHECK(segment->Region("one more", 64).status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(segment->Region("1023", 64).ok());
}

TEST_CASE("sizes that make no segment are refused") {
  CHECK(Segment::CreatePrivate({.bytes = 0}).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(Segment::CreatePrivate({.bytes = (size_t{1} << 19) - 1}).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(Segment::CreatePrivate({.bytes = size_t{1} << 62}).status().code() ==
        absl::StatusCode::kResourceExhausted);
  CHECK(Segment::CreatePrivate({.bytes = (size_t{1} << 19) + 1}).ok());
}

TEST_CASE("threads that ask for one region at once get one region") {
  auto segment = MakeSegment(size_t{1} << 20);
  constexpr int kThreads = 8;
  constexpr int kRegions = 40;
  std::vector<std::vector<void*>> seen(kThreads, std::vector<void*>(kRegions));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int r = 0; r < kRegions; ++r) {
        auto region = segment->Region(std::to_string(r), 128);
        if (region.ok()) seen[t][r] = *region;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(std::set<void*>(seen[0].begin(), seen[0].end()).size() == kRegions);
  for (int t = 0; t < kThreads; ++t) CHECK(seen[t] == seen[0]);
}

}  // namespace
}  // namespace weir::state
