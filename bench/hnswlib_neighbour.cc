// A graph index as vector stores use it: hnswlib (Malkov and Yashunin, "Efficient and robust
// approximate nearest neighbor search using Hierarchical Navigable Small World graphs").
//
// Part of cache_bench where hnswlib is found, so that both are measured in one run. It keeps
// float32 and no values, and one thread inserts.

#include <benchmark/benchmark.h>
#include <hnswlib/hnswlib.h>

#include <map>
#include <memory>

#include "bench/cache_vectors.h"

namespace weir::bench {
namespace {

struct Graph {
  Graph(uint32_t rows, uint32_t dimensions, uint32_t spare)
      : space(dimensions), index(&space, rows + spare, 16, 200) {
    for (uint32_t i = 0; i < rows; ++i) {
      index.addPoint(VectorsOf(rows, dimensions).row(i).data(), i);
    }
  }
  hnswlib::InnerProductSpace space;
  hnswlib::HierarchicalNSW<float> index;
};

constexpr uint32_t kSpare = 2'000;

Graph& Shared(uint32_t rows, uint32_t dimensions) {
  static auto* all = new std::map<std::pair<uint32_t, uint32_t>, std::unique_ptr<Graph>>;
  auto& one = (*all)[{rows, dimensions}];
  if (one == nullptr) one = std::make_unique<Graph>(rows, dimensions, kSpare);
  return *one;
}

void BM_Lookup_Hnswlib(benchmark::State& state) {
  const auto rows = static_cast<uint32_t>(state.range(0));
  const auto dimensions = static_cast<uint32_t>(state.range(1));
  Graph& graph = Shared(rows, dimensions);
  const Vectors& vectors = VectorsOf(rows, dimensions);
  graph.index.setEf(static_cast<size_t>(state.range(2)));
  size_t i = 0;
  size_t hits = 0;
  for (auto _ : state) {
    const auto best = graph.index.searchKnn(vectors.query(i++ % kQueries).data(), 1);
    hits += 1 - best.top().first >= 0.9F ? 1 : 0;
  }
  state.counters["hit_share"] = static_cast<double>(hits) / static_cast<double>(i);
  state.counters["true_share"] = vectors.true_share(0.9F);
}
BENCHMARK(BM_Lookup_Hnswlib)
    ->ArgNames({"rows", "dimensions", "ef"})
    ->Args({10'000, 1536, 10})
    ->Args({10'000, 1536, 32});

void BM_Insert_Hnswlib(benchmark::State& state) {
  Graph& graph = Shared(10'000, 1536);
  const Vectors& vectors = VectorsOf(10'000, 1536);
  uint32_t i = 0;
  for (auto _ : state) {
    graph.index.addPoint(vectors.row(i).data(), 10'000 + i);
    ++i;
  }
}
BENCHMARK(BM_Insert_Hnswlib)->ArgNames({})->Iterations(kSpare / 2);

}  // namespace
}  // namespace weir::bench
