// Many threads, one registry: nothing is lost, and a text made meanwhile is whole.

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tests/metrics/prometheus_parser.h"
#include "tests/support/catch.h"
#include "weir/metrics.h"

namespace weir::metrics {
namespace {

using testing::Exposition;
using testing::PrometheusParser;

constexpr int kThreads = 4;
constexpr uint64_t kUpdates = 20'000;
constexpr uint64_t kModels = 300;  // some beyond max_series
constexpr uint32_t kMaxSeries = 200;

// A text's totals; fails the test when a histogram in it contradicts itself.
std::map<std::string, uint64_t> Totals(const std::string& text) {
  std::string error;
  const auto parsed = PrometheusParser::Parse(text, &error);
  INFO(error);
  REQUIRE(parsed.has_value());
  std::map<std::string, uint64_t> totals;
  uint64_t bucket = 0;
  for (const auto& sample : parsed->samples) {
    const uint64_t value = std::stoull(sample.value);
    if (sample.name == "h_bucket") {
      if (sample.labels.back().second == "10") bucket = 0;
      if (value < bucket) FAIL("buckets fall");
      bucket = value;
    }
    if (sample.name == "h_count" && value != bucket) FAIL("the count is not the last bucket");
    totals[sample.name] += value;
  }
  return totals;
}

TEST_CASE("threads lose no update") {
  auto registry = Registry::Create();
  const FamilyId counter = *registry->AddCounter(
      {.name = "c", .help = "", .labels = {"model"}, .max_series = kMaxSeries});
  const FamilyId histogram = *registry->AddHistogram(
      {.name = "h", .help = "", .labels = {"model"}, .max_series = kMaxSeries}, {10, 100}, 1);
  std::atomic<int> running{kThreads};
  std::atomic<uint64_t> observed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Random random(t);
      uint64_t sum = 0;
      for (uint64_t i = 0; i < kUpdates; ++i) {
        const std::string model = std::string("m").append(std::to_string(random.Below(kModels)));
        const uint64_t value = random.Below(200);
        registry->Increment(counter, {model}, 3);
        registry->Observe(histogram, {model}, value);
        sum += value;
        if (i % 5000 == 0) {
          // Registering while others update: the same ones again, and a new one.
          (void)registry->AddCounter(
              {.name = "c", .help = "", .labels = {"model"}, .max_series = kMaxSeries});
          const auto own = registry->AddGauge(
              {.name = std::string("g").append(std::to_string(t * kUpdates + i)), .help = ""});
          registry->Set(*own, {}, 1);
        }
      }
      observed += sum;
      --running;
    });
  }
  uint64_t last = 0;
  while (running > 0) {
    const uint64_t now = Totals(registry->PrometheusText())["c_total"];
    CHECK(now >= last);
    last = now;
  }
  for (auto& thread : threads) thread.join();
  const auto totals = Totals(registry->PrometheusText());
  CHECK(totals.at("c_total") == kThreads * kUpdates * 3);
  CHECK(totals.at("h_count") == kThreads * kUpdates);
  CHECK(totals.at("h_sum") == observed);
}

}  // namespace
}  // namespace weir::metrics
