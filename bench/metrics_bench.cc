// Updating a known series with six labels, and writing 2,000 series as text.
//
// The neighbour is what a gateway writes first: one std::mutex around a std::map from the label
// values to a double, printed with to_string.

#include <benchmark/benchmark.h>

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "weir/metrics.h"

namespace weir::metrics {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"api",   "consumer", "route",
                                                    "model", "backend",  "gen_ai.token.type"};
constexpr int kSeries = 2000;
constexpr uint64_t kScale = 1'000'000'000;

// The GenAI conventions' bounds for durations: 10 ms … 81.92 s, doubling.
std::vector<uint64_t> DurationBounds() {
  std::vector<uint64_t> bounds;
  for (uint64_t bound = 10'000'000; bounds.size() < 14; bound *= 2) bounds.push_back(bound);
  return bounds;
}

Family SixLabels(std::string name) {
  return {.name = std::move(name),
          .help = "A bench.",
          .unit = "s",
          .labels = {kNames.begin(), kNames.end()},
          .max_series = kSeries};
}

// The values of one series; those of different numbers differ in two labels.
std::array<std::string, 6> LabelsOf(int series) {
  return {"chat-completions", std::string("consumer-").append(std::to_string(series)),
          "default-route",    std::string("model-").append(std::to_string(series % 7)),
          "backend-west-2",   "input"};
}

std::array<std::string_view, 6> ViewsOf(const std::array<std::string, 6>& labels) {
  std::array<std::string_view, 6> views;
  for (size_t i = 0; i < labels.size(); ++i) views[i] = labels[i];
  return views;
}

struct Filled {
  std::unique_ptr<Registry> registry = Registry::Create();
  FamilyId counter = *registry->AddCounter(SixLabels("bench.counter"));
  FamilyId histogram =
      *registry->AddHistogram(SixLabels("bench.histogram"), DurationBounds(), kScale);

  Filled() {
    for (int i = 0; i < kSeries; ++i) {
      const auto labels = LabelsOf(i);
      registry->Increment(counter, ViewsOf(labels), 1);
      registry->Observe(histogram, ViewsOf(labels), 123'456'789);
    }
  }
};

class MutexMap {
 public:
  MutexMap() {
    for (int i = 0; i < kSeries; ++i) Add(ViewsOf(LabelsOf(i)), 1);
  }
  void Add(const std::array<std::string_view, 6>& labels, double by) {
    const std::vector<std::string> key(labels.begin(), labels.end());
    const std::lock_guard<std::mutex> lock(mutex_);
    values_[key] += by;
  }
  std::string Text() {
    std::string text;
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [labels, value] : values_) {
      text += "bench_counter_total{";
      for (size_t i = 0; i < labels.size(); ++i) {
        text.append(kNames[i]).append("=\"").append(labels[i]).append("\",");
      }
      text.append("} ").append(std::to_string(value)).append("\n");
    }
    return text;
  }

 private:
  std::mutex mutex_;
  std::map<std::vector<std::string>, double> values_;
};

Filled& Shared() {
  static Filled filled;
  return filled;
}
MutexMap& SharedMap() {
  static MutexMap map;
  return map;
}

// Threads update different series, as requests of different consumers do.
void BM_IncrementKnown6Labels(benchmark::State& state) {
  Filled& filled = Shared();
  const auto labels = LabelsOf(1000 + state.thread_index());
  const auto views = ViewsOf(labels);
  for (auto _ : state) filled.registry->Increment(filled.counter, views, 3);
}
BENCHMARK(BM_IncrementKnown6Labels)->Threads(1)->Threads(2);

void BM_IncrementSameSeries6Labels(benchmark::State& state) {
  Filled& filled = Shared();
  const auto labels = LabelsOf(1000);
  const auto views = ViewsOf(labels);
  for (auto _ : state) filled.registry->Increment(filled.counter, views, 3);
}
BENCHMARK(BM_IncrementSameSeries6Labels)->Threads(2);

void BM_ObserveKnown6Labels14Buckets(benchmark::State& state) {
  Filled& filled = Shared();
  const auto labels = LabelsOf(1000 + state.thread_index());
  const auto views = ViewsOf(labels);
  uint64_t value = 0;
  for (auto _ : state) {
    value = (value + 77'777'777) % (100 * kScale);
    filled.registry->Observe(filled.histogram, views, value);
  }
}
BENCHMARK(BM_ObserveKnown6Labels14Buckets)->Threads(1)->Threads(2);

void BM_IncrementBeyondMaxSeries(benchmark::State& state) {
  Filled& filled = Shared();
  auto labels = LabelsOf(0);
  labels[3] = "a-model-that-was-invented";
  const auto views = ViewsOf(labels);
  for (auto _ : state) filled.registry->Increment(filled.counter, views, 3);
}
BENCHMARK(BM_IncrementBeyondMaxSeries);

void BM_NeighbourMutexMapIncrement6Labels(benchmark::State& state) {
  MutexMap& map = SharedMap();
  const auto labels = LabelsOf(1000 + state.thread_index());
  const auto views = ViewsOf(labels);
  for (auto _ : state) map.Add(views, 3);
}
BENCHMARK(BM_NeighbourMutexMapIncrement6Labels)->Threads(1)->Threads(2);

void BM_TextOf2000Counters(benchmark::State& state) {
  auto registry = Registry::Create();
  const FamilyId id = *registry->AddCounter(SixLabels("bench.counter"));
  for (int i = 0; i < kSeries; ++i) registry->Increment(id, ViewsOf(LabelsOf(i)), 1);
  for (auto _ : state) benchmark::DoNotOptimize(registry->PrometheusText());
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(registry->PrometheusText().size()));
}
BENCHMARK(BM_TextOf2000Counters)->Unit(benchmark::kMicrosecond);

void BM_TextOf2000HistogramsOf14Buckets(benchmark::State& state) {
  auto registry = Registry::Create();
  const FamilyId id = *registry->AddHistogram(SixLabels("bench.h"), DurationBounds(), kScale);
  for (int i = 0; i < kSeries; ++i) registry->Observe(id, ViewsOf(LabelsOf(i)), 123'456'789);
  for (auto _ : state) benchmark::DoNotOptimize(registry->PrometheusText());
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(registry->PrometheusText().size()));
}
BENCHMARK(BM_TextOf2000HistogramsOf14Buckets)->Unit(benchmark::kMicrosecond);

void BM_NeighbourMutexMapTextOf2000(benchmark::State& state) {
  MutexMap& map = SharedMap();
  for (auto _ : state) benchmark::DoNotOptimize(map.Text());
}
BENCHMARK(BM_NeighbourMutexMapTextOf2000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace weir::metrics
