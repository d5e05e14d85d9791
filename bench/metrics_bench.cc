// Updating a known series with six labels, metering one exchange with eight, and writing series as
// text.
//
// The neighbours: what a gateway writes first, one std::mutex around a std::map from the label
// values to a double, printed with to_string; and, where it is installed, prometheus-cpp
// (prometheus_neighbour.cc).

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

// What weir's engine tells of one exchange: 4 histograms of 5 points, and 3 counters of 6.
Group ExchangeGroup() {
  Group group{.name = "exchange",
              .labels = {"route", "consumer", "operation", "provider", "model", "backend",
                         "error.type", "team"},
              .max_series = kSeries};
  const auto histogram = [&](const char* name) {
    group.instruments.push_back({.kind = Kind::kHistogram,
                                 .name = name,
                                 .unit = "s",
                                 .scale = kScale,
                                 .bounds = DurationBounds()});
  };
  histogram("usage");
  group.instruments.back().labels = {"type"};
  group.instruments.back().points = {{"input"}, {"output"}};
  histogram("duration");
  histogram("first_token");
  histogram("per_token");
  group.instruments.push_back({.name = "tokens",
                               .labels = {"category"},
                               .points = {{"input"}, {"output"}, {"cached"}, {"reasoning"}}});
  group.instruments.push_back({.name = "cost", .scale = 1'000'000});
  group.instruments.push_back(
      {.name = "requests", .labels = {"status"}, .points = {{"200"}, {"500"}}});
  return group;
}

std::array<std::string, 8> EightLabelsOf(int series) {
  return {"default-route",
          std::string("consumer-").append(std::to_string(series)),
          "chat",
          "azure.ai.openai",
          std::string("gpt-4o-mini-").append(std::to_string(series % 7)),
          "backend-west-2",
          "",
          "platform-team"};
}

void MeterExchange(Registry* registry, FamilyId id, absl::Span<const std::string_view> labels,
                   uint64_t value) {
  const Handle handle = registry->Find(id, labels);
  registry->Observe(handle, 0, 0, value >> 20, nullptr);
  registry->Observe(handle, 0, 1, value >> 22, nullptr);
  registry->Observe(handle, 1, 0, value, nullptr);
  registry->Observe(handle, 2, 0, value >> 3, nullptr);
  registry->Observe(handle, 3, 0, value >> 6, nullptr);
  for (uint32_t point = 0; point < 4; ++point) registry->Increment(handle, 4, point, value >> 20);
  registry->Increment(handle, 5, 0, value >> 21);
  registry->Increment(handle, 6, 0, 1);
}

struct Exchanges {
  std::unique_ptr<Registry> registry = Registry::Create(size_t{64} << 20);
  FamilyId group = *registry->AddGroup(ExchangeGroup());

  Exchanges() {
    for (int i = 0; i < kSeries; ++i) Meter(i, 123'456'789);
  }
  void Meter(int series, uint64_t value) {
    const auto labels = EightLabelsOf(series);
    const std::vector<std::string_view> views(labels.begin(), labels.end());
    MeterExchange(registry.get(), group, views, value);
  }
};
Exchanges& SharedExchanges() {
  static Exchanges exchanges;
  return exchanges;
}

// The goal: at most 300 ns. `same` = all threads the same label set.
void MeterLoop(benchmark::State& state, bool same) {
  Exchanges& exchanges = SharedExchanges();
  const auto labels = EightLabelsOf(1000 + (same ? 0 : state.thread_index()));
  const std::vector<std::string_view> views(labels.begin(), labels.end());
  uint64_t value = 0;
  for (auto _ : state) {
    value = (value + 77'777'777) % (100 * kScale);
    MeterExchange(exchanges.registry.get(), exchanges.group, views, value);
  }
}
void BM_MeterExchange8Labels11Points(benchmark::State& state) { MeterLoop(state, false); }
BENCHMARK(BM_MeterExchange8Labels11Points)->Threads(1)->Threads(2);
void BM_MeterExchangeSameLabels11Points(benchmark::State& state) { MeterLoop(state, true); }
BENCHMARK(BM_MeterExchangeSameLabels11Points)->Threads(2);

// Another label set each time, of 2,000: the caches of the processor miss.
void BM_MeterExchange2000Sets(benchmark::State& state) {
  Exchanges& exchanges = SharedExchanges();
  std::vector<std::array<std::string, 8>> labels;
  for (int i = 0; i < kSeries; ++i) labels.push_back(EightLabelsOf(i));
  std::vector<std::vector<std::string_view>> views;
  for (const auto& each : labels) views.emplace_back(each.begin(), each.end());
  size_t next = 0;
  for (auto _ : state) {
    next = (next + 797) % views.size();
    MeterExchange(exchanges.registry.get(), exchanges.group, views[next], 123'456'789 + next);
  }
}
BENCHMARK(BM_MeterExchange2000Sets);

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

// The goal: at most 10 ms.
void BM_TextOf10000Counters(benchmark::State& state) {
  auto registry = Registry::Create(size_t{64} << 20);
  Family family = SixLabels("bench.counter");
  family.max_series = 10'000;
  const FamilyId id = *registry->AddCounter(family);
  for (int i = 0; i < 10'000; ++i) registry->Increment(id, ViewsOf(LabelsOf(i)), 1);
  const auto format = static_cast<TextFormat>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(registry->Text(format));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(registry->Text(format).size()));
}
BENCHMARK(BM_TextOf10000Counters)
    ->ArgName("openmetrics")
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond);

void BM_OtlpOf10000Counters(benchmark::State& state) {
  auto registry = Registry::Create(size_t{64} << 20);
  Family family = SixLabels("bench.counter");
  family.max_series = 10'000;
  const FamilyId id = *registry->AddCounter(family);
  for (int i = 0; i < 10'000; ++i) registry->Increment(id, ViewsOf(LabelsOf(i)), 1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(registry->Export(ExportFormat::kOtlpCumulative, {}, {0, 1}));
  }
}
BENCHMARK(BM_OtlpOf10000Counters)->Unit(benchmark::kMillisecond);

void BM_NeighbourMutexMapTextOf2000(benchmark::State& state) {
  MutexMap& map = SharedMap();
  for (auto _ : state) benchmark::DoNotOptimize(map.Text());
}
BENCHMARK(BM_NeighbourMutexMapTextOf2000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace weir::metrics
