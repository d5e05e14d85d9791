// Caches and vectors to test with.

#ifndef WEIR_TESTS_CACHE_SUPPORT_H_
#define WEIR_TESTS_CACHE_SUPPORT_H_

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "cache/memory.h"
#include "tests/support/catch.h"
#include "weir/cache.h"
#include "weir/state.h"

namespace weir::cache {

using Vector = std::vector<float>;

inline std::string Named(const char* name, uint64_t number) {
  return std::string(name).append(std::to_string(number));
}

inline Now At(int64_t s) { return {0, s * kSecond}; }

inline CacheOptions Options(uint32_t dimensions, uint32_t entries, uint32_t value_bytes = 256,
                            uint32_t partitions = 64) {
  CacheOptions options;
  options.dimensions = dimensions;
  options.max_entries = entries;
  options.max_partitions = partitions;
  options.bytes = BytesFor(options, value_bytes);
  options.seed = 5;
  return options;
}

// With room for cells of so few rows.
inline CacheOptions WithCells(CacheOptions options, uint32_t cell_rows) {
  const uint64_t cells = 2 * (options.max_entries / cell_rows) + kGroupCells;
  options.bytes += cells * (sizeof(Block) + sizeof(CellGroup) / kGroupCells) +
                   (options.max_partitions + 1) * sizeof(CellGroup);
  return options;
}

// A cache in a segment of its own.
struct Owned {
  explicit Owned(const CacheOptions& options, uint32_t cell_rows = kCellRows) {
    auto made = state::Segment::CreatePrivate({options.bytes + (size_t{1} << 20), 42});
    REQUIRE(made.ok());
    segment = *std::move(made);
    layout = *PlanLayout(options, cell_rows);
    auto opened = CreateWithCells(segment.get(), "test", options, cell_rows);
    INFO(opened.status().ToString());
    REQUIRE(opened.ok());
    cache = *std::move(opened);
  }
  Cache* operator->() const { return cache.get(); }
  Memory memory() const {
    return MemoryAt(static_cast<char*>(*segment->Region("cache:test", layout.bytes)), layout);
  }

  std::unique_ptr<state::Segment> segment;
  Layout layout;
  std::unique_ptr<Cache> cache;
};

// About normally distributed: of twelve uniform ones.
inline float Normal(Random* random) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += static_cast<double>(random->Next() >> 11) / (1LL << 53);
  return static_cast<float>(sum);
}

inline void Normalise(Vector* vector) {
  double squares = 0;
  for (const float x : *vector) squares += double{x} * x;
  for (float& x : *vector) x = static_cast<float>(x / std::sqrt(squares));
}

inline Vector RandomVector(Random* random, uint32_t dimensions) {
  Vector vector(dimensions);
  for (float& x : vector) x = Normal(random);
  Normalise(&vector);
  return vector;
}

inline double Cosine(const Vector& a, const Vector& b) {
  double dot = 0;
  double aa = 0;
  double bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return dot / std::sqrt(aa * bb);
}

// A unit vector whose cosine with the unit vector `centre` is `similarity`.
inline Vector Near(const Vector& centre, double similarity, Random* random) {
  Vector other = RandomVector(random, static_cast<uint32_t>(centre.size()));
  const double along = Cosine(centre, other);
  for (size_t i = 0; i < other.size(); ++i) {
    other[i] -= static_cast<float>(along * centre[i]);
  }
  Normalise(&other);
  const double aside = std::sqrt(1 - similarity * similarity);
  for (size_t i = 0; i < other.size(); ++i) {
    other[i] = static_cast<float>(similarity * centre[i] + aside * other[i]);
  }
  return other;
}

inline double Uniform(Random* random, double from, double to) {
  return from + (to - from) * static_cast<double>(random->Next() >> 11) / (1LL << 53);
}

}  // namespace weir::cache

#endif  // WEIR_TESTS_CACHE_SUPPORT_H_
