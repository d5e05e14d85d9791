// One segment, many processes: one text tells of all, and a kill loses nothing.

#include <csignal>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "tests/metrics/prometheus_parser.h"
#include "tests/metrics/support.h"
#include "tests/support/catch.h"
#include "tests/support/processes.h"
#include "weir/metrics.h"

namespace weir::metrics {
namespace {

using testing::EndsWell;
using testing::OpenFile;
using testing::Shared;
using testing::Start;
using testing::TempPath;

constexpr size_t kBytes = size_t{256} << 10;

struct Opened {
  explicit Opened(const TempPath& path, uint32_t max_series = 100)
      : segment(OpenFile(path)), registry(*Registry::Open(segment.get(), kBytes)) {
    counter = *registry->AddCounter(
        {.name = "c", .help = "", .labels = {"model"}, .max_series = max_series});
    histogram = *registry->AddHistogram(
        {.name = "h", .help = "", .labels = {"model"}, .max_series = max_series}, {10, 100}, 1);
  }
  std::unique_ptr<state::Segment> segment;
  std::unique_ptr<Registry> registry;
  FamilyId counter = 0, histogram = 0;
};

std::string Model(uint64_t number) { return std::string("m").append(std::to_string(number)); }

TEST_CASE("threads of several processes count in the same series") {
  const TempPath path;
  constexpr int kProcesses = 3, kThreads = 3;
  constexpr uint64_t kUpdates = 20'000;
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    children.push_back(Start([&] {
      Opened own(path, 50);
      std::vector<std::thread> threads;
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&own, p, t] {
          Random random(static_cast<uint64_t>(p * 10 + t));
          for (uint64_t i = 0; i < kUpdates; ++i) {
            const std::string model = Model(random.Below(80));  // some beyond max_series
            own.registry->Increment(own.counter, {model}, 3);
            own.registry->Observe(own.histogram, {model}, random.Below(200));
          }
        });
      }
      for (auto& thread : threads) thread.join();
    }));
  }
  for (const pid_t child : children) CHECK(EndsWell(child));
  const Opened looking(path);
  const auto totals = testing::Totals(looking.registry->PrometheusText());
  CHECK(totals.at("c_total") == kProcesses * kThreads * kUpdates * 3);
  CHECK(totals.at("h_count") == kProcesses * kThreads * kUpdates);
  CHECK(testing::CountLines(looking.registry->PrometheusText(), "c_total{") == 51);
}

TEST_CASE("what was counted stays when processes are killed at any instruction") {
  const TempPath path;
  const Opened looking(path);
  auto* done = Shared<std::atomic<uint64_t>>();
  constexpr int kRounds = 60;
  Random random(3);
  for (int round = 0; round < kRounds; ++round) {
    const pid_t child = Start([&] {
      Opened own(path);
      Random models(static_cast<uint64_t>(round));
      while (true) {
        // New series all the time too: their making is what a kill must not break.
        own.registry->Increment(own.counter, {Model(models.Below(2000))}, 1);
        done->fetch_add(1);
      }
    });
    const uint64_t before = done->load();
    while (done->load() < before + 1) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(random.Below(3000)));
    kill(child, SIGKILL);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    const uint64_t told = testing::Totals(looking.registry->PrometheusText()).at("c_total");
    // The one that was counted and not yet said to be.
    REQUIRE(told >= done->load());
    REQUIRE(told <= done->load() + static_cast<uint64_t>(round) + 1);
  }
  CHECK(testing::CountLines(looking.registry->PrometheusText(), "c_total{") <= 101);
}

TEST_CASE("a forked child counts beside its parent") {
  const TempPath path;
  Opened own(path);
  own.registry->Increment(own.counter, {"m"}, 1);
  const pid_t child = Start([&] {
    own.segment->identity();
    for (int i = 0; i < 1000; ++i) own.registry->Increment(own.counter, {"m"}, 1);
  });
  for (int i = 0; i < 1000; ++i) own.registry->Increment(own.counter, {"m"}, 1);
  CHECK(EndsWell(child));
  CHECK(testing::Totals(own.registry->PrometheusText()).at("c_total") == 2001);
}

TEST_CASE("families that differ do not mix in one segment") {
  const TempPath path;
  Opened first(path);
  first.registry->Increment(first.counter, {"m"}, 5);
  auto other = *Registry::Open(first.segment.get());
  const FamilyId id = *other->AddCounter({.name = "c", .help = "", .labels = {"team"}});
  other->Increment(id, {"m"}, 7);
  CHECK(testing::Totals(first.registry->PrometheusText()).at("c_total") == 5);
  CHECK(testing::Totals(other->PrometheusText()).at("c_total") == 7);
  auto again = *Registry::Open(first.segment.get());
  CHECK(again->AddCounter({.name = "c", .help = "else", .labels = {"team"}}).ok());
  CHECK(testing::Totals(again->PrometheusText()).at("c_total") == 7);
}

TEST_CASE("without room, new label sets are others and no family is made") {
  auto registry = Registry::Create(kMinBytes);
  const FamilyId id = *registry->AddCounter({.name = "c", .help = "", .labels = {"model"}});
  constexpr uint64_t kUpdates = 100'000;
  for (uint64_t i = 0; i < kUpdates; ++i) registry->Increment(id, {Model(i)}, 1);
  const std::string text = registry->PrometheusText();
  CHECK(testing::Totals(text).at("c_total") == kUpdates);
  CHECK(testing::CountLines(text, "c_total{") < kMinBytes / 64);
  CHECK(testing::CountLines(text, "c_total{model=\"other\"}") == 1);
  std::vector<uint64_t> bounds;
  for (uint64_t i = 0; i < 256; ++i) bounds.push_back(i);
  absl::Status status;
  for (int i = 0; i < 10 && status.ok(); ++i) {
    status =
        registry->AddHistogram({.name = Model(static_cast<uint64_t>(i)), .help = ""}, bounds, 1)
            .status();
  }
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  registry->Increment(id, {"m"}, 1);
  CHECK(testing::Totals(registry->PrometheusText()).at("c_total") == kUpdates + 1);
}

TEST_CASE("a segment gives what it has") {
  auto segment = *state::Segment::CreatePrivate({.bytes = size_t{512} << 10});
  auto registry = *Registry::Open(segment.get(), size_t{64} << 20);
  CHECK(registry->AddCounter({.name = "c", .help = ""}).ok());
  auto again = *Registry::Open(segment.get());
  CHECK(again->AddCounter({.name = "c", .help = ""}).ok());
  while (segment->Region(Model(segment->bytes_used()), 4096).ok()) continue;
  CHECK(Registry::Open(segment.get()).ok());
  auto full = *state::Segment::CreatePrivate({.bytes = size_t{512} << 10});
  while (full->Region(Model(full->bytes_used()), 4096).ok()) continue;
  CHECK(Registry::Open(full.get()).status().code() == absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace weir::metrics
