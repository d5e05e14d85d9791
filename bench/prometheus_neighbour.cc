// prometheus-cpp beside weir's meters: the same exchange, the same series as text.
//
// It has no hash of a label set that one exchange could share: each instrument is looked up by its
// labels (Family::Add), as a gateway does whose labels come with the request. "Kept" is with the
// metrics found beforehand, which only a gateway with one label set can do.

#include <benchmark/benchmark.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <map>
#include <string>
#include <vector>

namespace {

using Labels = std::map<std::string, std::string>;

prometheus::Histogram::BucketBoundaries Bounds() {
  prometheus::Histogram::BucketBoundaries bounds;
  for (double bound = 0.01; bounds.size() < 14; bound *= 2) bounds.push_back(bound);
  return bounds;
}

Labels EightLabelsOf(int series) {
  return {{"route", "default-route"},
          {"consumer", std::string("consumer-").append(std::to_string(series))},
          {"operation", "chat"},
          {"provider", "azure.ai.openai"},
          {"model", std::string("gpt-4o-mini-").append(std::to_string(series % 7))},
          {"backend", "backend-west-2"},
          {"error_type", ""},
          {"team", "platform-team"}};
}

Labels With(Labels labels, const char* name, const char* value) {
  labels[name] = value;
  return labels;
}

struct Exchange {
  std::array<prometheus::Histogram*, 5> histograms;
  std::array<prometheus::Counter*, 6> counters;

  void Meter(double value) {
    for (auto* histogram : histograms) histogram->Observe(value);
    for (auto* counter : counters) counter->Increment(value);
  }
};

struct Exchanges {
  prometheus::Registry registry;
  std::vector<prometheus::Family<prometheus::Histogram>*> histograms;
  std::vector<prometheus::Family<prometheus::Counter>*> counters;

  Exchanges() {
    for (const char* name : {"usage", "duration", "first_token", "per_token"}) {
      histograms.push_back(&prometheus::BuildHistogram().Name(name).Register(registry));
    }
    for (const char* name : {"tokens_total", "cost_total", "requests_total"}) {
      counters.push_back(&prometheus::BuildCounter().Name(name).Register(registry));
    }
    for (int i = 0; i < 2000; ++i) Find(EightLabelsOf(i)).Meter(0.5);
  }

  Exchange Find(const Labels& labels) {
    const auto histogram = [&](size_t i, const Labels& all) {
      return &histograms[i]->Add(all, Bounds());
    };
    return {
        {histogram(0, With(labels, "type", "input")), histogram(0, With(labels, "type", "output")),
         histogram(1, labels), histogram(2, labels), histogram(3, labels)},
        {&counters[0]->Add(With(labels, "category", "input")),
         &counters[0]->Add(With(labels, "category", "output")),
         &counters[0]->Add(With(labels, "category", "cached")),
         &counters[0]->Add(With(labels, "category", "reasoning")), &counters[1]->Add(labels),
         &counters[2]->Add(With(labels, "status", "200"))}};
  }
};
Exchanges& SharedExchanges() {
  static Exchanges exchanges;
  return exchanges;
}

void BM_NeighbourPrometheusCppMeterExchange(benchmark::State& state) {
  Exchanges& exchanges = SharedExchanges();
  const Labels labels = EightLabelsOf(1000 + state.thread_index());
  for (auto _ : state) exchanges.Find(labels).Meter(0.123);
}
BENCHMARK(BM_NeighbourPrometheusCppMeterExchange)->Threads(1)->Threads(2);

void BM_NeighbourPrometheusCppMeterExchangeKept(benchmark::State& state) {
  Exchange kept = SharedExchanges().Find(EightLabelsOf(1000 + state.thread_index()));
  for (auto _ : state) kept.Meter(0.123);
}
BENCHMARK(BM_NeighbourPrometheusCppMeterExchangeKept)->Threads(1)->Threads(2);

void BM_NeighbourPrometheusCppTextOf10000Counters(benchmark::State& state) {
  prometheus::Registry registry;
  auto& family = prometheus::BuildCounter().Name("bench_counter_total").Register(registry);
  for (int i = 0; i < 10'000; ++i) family.Add(EightLabelsOf(i)).Increment();
  const prometheus::TextSerializer serializer;
  for (auto _ : state) benchmark::DoNotOptimize(serializer.Serialize(registry.Collect()));
}
BENCHMARK(BM_NeighbourPrometheusCppTextOf10000Counters)->Unit(benchmark::kMillisecond);

}  // namespace
