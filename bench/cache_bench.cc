// The similarity cache's calls beside what one writes first: a scan of float32 vectors (built as
// the rest is, so for the oldest processor of its kind; one for AVX-512 takes about a quarter of
// its time), a mutex around an unordered_map, and, where it is installed, hnswlib.
//
// Vectors are clustered, as embeddings are: a common component, and centres that are about 0.6 from
// each other; a third of the queries have a neighbour at 0.9 or more.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "bench/cache_vectors.h"
#include "weir/cache.h"
#include "weir/state.h"

namespace weir::cache {
namespace {

constexpr Embedder kOne = {1, 1};
constexpr Now kNow = {0, kSecond};

struct Filled {
  Filled(uint32_t rows, uint32_t dimensions, uint32_t partitions, uint32_t spare = 0) {
    CacheOptions options;
    options.dimensions = dimensions;
    options.max_entries = rows + spare;
    options.max_partitions = partitions + 1;
    options.bytes = BytesFor(options, 1024);
    segment = *state::Segment::CreatePrivate({options.bytes + (size_t{1} << 20), 1});
    cache = *Cache::Create(segment.get(), "bench", options);
    const std::string value(1000, 'v');
    for (uint32_t i = 0; i < partitions; ++i) {
      names.push_back(std::string("tenant-").append(std::to_string(i)));
    }
    const bench::Vectors& vectors = bench::VectorsOf(rows, dimensions);
    for (uint64_t i = 0; i < rows; ++i) {
      const auto made =
          cache->Insert({names[i % partitions], {i, i * 77}, vectors.row(i), value, 0, kOne}, kNow);
      if (!made.ok()) return;
    }
  }
  std::unique_ptr<state::Segment> segment;
  std::unique_ptr<Cache> cache;
  std::vector<std::string> names;
};

Filled& Shared(uint32_t rows, uint32_t dimensions, uint32_t partitions) {
  static auto* all = new std::map<std::vector<uint32_t>, std::unique_ptr<Filled>>;
  auto& one = (*all)[{rows, dimensions, partitions}];
  if (one == nullptr) one = std::make_unique<Filled>(rows, dimensions, partitions);
  return *one;
}

// range: rows, dimensions, partitions. What a hit or a miss of the semantic layer takes.
void BM_Lookup_Semantic(benchmark::State& state) {
  const auto rows = static_cast<uint32_t>(state.range(0));
  const auto dimensions = static_cast<uint32_t>(state.range(1));
  const auto partitions = static_cast<uint32_t>(state.range(2));
  Filled& filled = Shared(rows, dimensions, partitions);
  const bench::Vectors& vectors = bench::VectorsOf(rows, dimensions);
  std::string value;
  size_t i = 0;
  size_t hits = 0;
  for (auto _ : state) {
    const size_t query = i++ % bench::kQueries;
    const Answer answer = filled.cache->Lookup({filled.names[vectors.near(query) % partitions],
                                                {~0ULL, i},
                                                vectors.query(query),
                                                0.9,
                                                kOne},
                                               kNow, &value);
    hits += answer.found == Found::kSemantic ? 1 : 0;
  }
  state.counters["hit_share"] = static_cast<double>(hits) / static_cast<double>(i);
  state.counters["true_share"] = vectors.true_share(0.9F);
}
BENCHMARK(BM_Lookup_Semantic)
    ->ArgNames({"rows", "dimensions", "partitions"})
    ->Args({10'000, 1536, 1})
    ->Args({10'000, 384, 1})
    ->Args({10'000, 1536, 1000})
    ->Args({100'000, 384, 1})
    ->Args({100'000, 1536, 1});

// A million rows take 3 GB of memory and two minutes to make: only with WEIR_LONG=1.
[[maybe_unused]] const bool kLong = [] {
  if (std::getenv("WEIR_LONG") == nullptr) return false;
  benchmark::RegisterBenchmark("BM_Lookup_Semantic", BM_Lookup_Semantic)
      ->ArgNames({"rows", "dimensions", "partitions"})
      ->Args({1'000'000, 384, 1});
  return true;
}();

// What readers wait while somebody inserts and evicts in their partition (`inserts` a second), and
// while nobody does. Each look-up is timed, which adds the clock's 50 ns.
void BM_Lookup_BesideAWriter(benchmark::State& state) {
  constexpr uint32_t kRows = 10'000, kDimensions = 384;
  Filled filled(kRows, kDimensions, 1);
  const bench::Vectors& vectors = bench::VectorsOf(kRows, kDimensions);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    if (state.range(0) == 0) return;
    const std::chrono::nanoseconds pause(kSecond / state.range(0));
    auto next = std::chrono::steady_clock::now();
    for (uint64_t i = 0; !done; ++i) {
      const Entry entry{filled.names[0], {1, i}, vectors.row(i % kRows), "v", 0, kOne};
      benchmark::DoNotOptimize(filled.cache->Insert(entry, kNow).ok());
      next += pause;
      std::this_thread::sleep_until(next);
    }
  });
  std::vector<int64_t> times_ns;
  std::string value;
  for (auto _ : state) {
    const size_t query = times_ns.size() % bench::kQueries;
    const auto begin = std::chrono::steady_clock::now();
    const Query asked{filled.names[0], {~0ULL, query}, vectors.query(query), 0.9, kOne};
    benchmark::DoNotOptimize(filled.cache->Lookup(asked, kNow, &value));
    times_ns.push_back((std::chrono::steady_clock::now() - begin).count());
  }
  done = true;
  writer.join();
  std::sort(times_ns.begin(), times_ns.end());
  const auto at = [&](size_t percent) {
    return static_cast<double>(times_ns[times_ns.size() * percent / 100]) / 1000;
  };
  state.counters["p50_us"] = at(50);
  state.counters["p99_us"] = at(99);
  const uint64_t raced = filled.cache->GetStats().misses[static_cast<int>(Miss::kRaced)];
  state.counters["raced_share"] = static_cast<double>(raced) / static_cast<double>(times_ns.size());
}
BENCHMARK(BM_Lookup_BesideAWriter)->ArgName("inserts")->Arg(0)->Arg(100)->Arg(5'000);

// A tenant asks, by key and by meaning, for what other tenants have (1), or nobody has (0): what he
// is told takes as long either way. Rows of half of the tenants are gone.
void BM_Miss_OfOneTenant(benchmark::State& state) {
  constexpr size_t kTenants = 100, kRows = 10'000;
  Filled filled(kRows, 384, kTenants);
  const bench::Vectors& vectors = bench::VectorsOf(kRows, 384);
  for (size_t i = 1; i < kTenants / 2; ++i) filled.cache->PurgePartition(filled.names[i]);
  const size_t first = state.range(0) == 0 ? 1 : kTenants / 2 + 1;
  std::string value;
  uint64_t i = 0, misses = 0;
  for (auto _ : state) {
    const uint64_t row = i % (kRows / kTenants) * kTenants + first + i % (kTenants / 2 - 1);
    ++i;
    const Answer answer = filled.cache->Lookup(
        {filled.names[0], {row, row * 77}, vectors.row(row), 0.99, kOne}, kNow, &value);
    misses += answer.found == Found::kMiss ? 1 : 0;
  }
  state.counters["miss_share"] = static_cast<double>(misses) / static_cast<double>(i);
}
BENCHMARK(BM_Miss_OfOneTenant)->ArgName("others_have_it")->Arg(0)->Arg(1);

void BM_Lookup_NaiveFloat32Scan(benchmark::State& state) {
  const auto rows = static_cast<uint32_t>(state.range(0));
  const auto dimensions = static_cast<uint32_t>(state.range(1));
  const bench::Vectors& vectors = bench::VectorsOf(rows, dimensions);
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(vectors.Best(i++ % bench::kQueries));
  }
}
BENCHMARK(BM_Lookup_NaiveFloat32Scan)
    ->ArgNames({"rows", "dimensions"})
    ->Args({10'000, 1536})
    ->Args({10'000, 384});

void BM_Lookup_Exact(benchmark::State& state) {
  Filled& filled = Shared(10'000, 1536, 1);
  std::string value;
  uint64_t i = 0;
  for (auto _ : state) {
    const uint64_t n = i++ % 1000;
    benchmark::DoNotOptimize(
        filled.cache->Lookup({filled.names[0], {n, n * 77}, {}, 1, kOne}, kNow, &value));
  }
}
BENCHMARK(BM_Lookup_Exact);

void BM_Lookup_Exact_MutexAndMap(benchmark::State& state) {
  std::mutex mutex;
  std::unordered_map<std::string, std::string> map;
  const auto key = [](uint64_t n) {
    std::string bytes("tenant-0");
    bytes.append(reinterpret_cast<const char*>(&n), sizeof(n));
    return bytes.append(reinterpret_cast<const char*>(&n), sizeof(n));
  };
  for (uint64_t n = 0; n < 10'000; ++n) map[key(n)] = std::string(1000, 'v');
  std::string value;
  uint64_t i = 0;
  for (auto _ : state) {
    const std::lock_guard<std::mutex> lock(mutex);
    value = map.find(key(i++ % 1000))->second;
    benchmark::DoNotOptimize(value);
  }
}
BENCHMARK(BM_Lookup_Exact_MutexAndMap);

void BM_Insert_WithRoom(benchmark::State& state) {
  const auto dimensions = static_cast<uint32_t>(state.range(0));
  const uint32_t batch = 5'000;
  const bench::Vectors& vectors = bench::VectorsOf(10'000, dimensions);
  auto filled = std::make_unique<Filled>(10'000, dimensions, 1, batch);
  const std::string value(1000, 'v');
  uint64_t i = 0;
  for (auto _ : state) {
    if (i % batch == 0 && i != 0) {
      state.PauseTiming();
      filled->cache->PurgePartition("new");
      state.ResumeTiming();
    }
    const Entry entry{"new", {1, ++i}, vectors.row(i % 10'000), value, 0, kOne};
    benchmark::DoNotOptimize(filled->cache->Insert(entry, kNow).ok());
  }
}
BENCHMARK(BM_Insert_WithRoom)->ArgName("dimensions")->Arg(384)->Arg(1536);

// A partition grows from nothing: what an insert takes on average, and what the slowest of a
// thousand do, when cells are split or settled.
void BM_Insert_FromNothing(benchmark::State& state) {
  const auto rows = static_cast<uint32_t>(state.range(0));
  const auto dimensions = static_cast<uint32_t>(state.range(1));
  const bench::Vectors& vectors = bench::VectorsOf(rows, dimensions);
  const Filled filled(16, dimensions, 1, rows);  // of others
  const std::string value(1000, 'v');
  std::vector<int64_t> times_ns;
  int64_t sum_ns = 0;
  for (auto _ : state) {
    for (uint64_t i = 0; i < rows; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      const Entry entry{filled.names[0], {1, i}, vectors.row(i), value, 0, kOne};
      benchmark::DoNotOptimize(filled.cache->Insert(entry, kNow).ok());
      times_ns.push_back((std::chrono::steady_clock::now() - begin).count());
      sum_ns += times_ns.back();
    }
  }
  std::sort(times_ns.begin(), times_ns.end());
  const auto at = [&](size_t per_mille) {
    return static_cast<double>(times_ns[times_ns.size() * per_mille / 1000]) / 1000;
  };
  state.counters["mean_us"] =
      static_cast<double>(sum_ns) / static_cast<double>(times_ns.size()) / 1000;
  state.counters["p50_us"] = at(500);
  state.counters["p99_us"] = at(990);
  state.counters["p999_us"] = at(999);
}
BENCHMARK(BM_Insert_FromNothing)
    ->ArgNames({"rows", "dimensions"})
    ->Args({100'000, 384})
    ->Args({100'000, 1536})
    ->Iterations(1);

// Full: each insert evicts one.
void BM_Insert_AndEvict(benchmark::State& state) {
  const auto dimensions = static_cast<uint32_t>(state.range(0));
  Filled filled(10'000, dimensions, 1);
  const bench::Vectors& vectors = bench::VectorsOf(10'000, dimensions);
  const std::string value(1000, 'v');
  uint64_t i = 0;
  for (auto _ : state) {
    const Entry entry{filled.names[0], {1, ++i}, vectors.row(i % 10'000), value, 0, kOne};
    benchmark::DoNotOptimize(filled.cache->Insert(entry, kNow).ok());
  }
}
BENCHMARK(BM_Insert_AndEvict)->ArgName("dimensions")->Arg(384)->Arg(1536);

// An insert of a row without a vector, that evicts one: what is left is the eviction's own.
void BM_Insert_AndEvict_KeyOnly(benchmark::State& state) {
  Filled filled(10'000, 384, 1);
  uint64_t i = 0;
  for (auto _ : state) {
    const Entry entry{filled.names[0], {1, ++i}, {}, "v", 0, kOne};
    benchmark::DoNotOptimize(filled.cache->Insert(entry, kNow).ok());
  }
}
BENCHMARK(BM_Insert_AndEvict_KeyOnly);

void BM_Remove_AndInsert(benchmark::State& state) {
  Filled filled(10'000, 1536, 1, 10);
  const bench::Vectors& vectors = bench::VectorsOf(10'000, 1536);
  const std::string value(1000, 'v');
  EntryId last = 0;
  uint64_t i = 0;
  for (auto _ : state) {
    filled.cache->Remove(last);
    const Entry entry{filled.names[0], {1, ++i}, vectors.row(i % 10'000), value, 0, kOne};
    last = *filled.cache->Insert(entry, kNow);
  }
}
BENCHMARK(BM_Remove_AndInsert);

}  // namespace
}  // namespace weir::cache
