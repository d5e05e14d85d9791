// Readers and writers at once: what is found is whole, of one's own partition, and near.
// WEIR_LONG=1 asks for ten minutes of it.

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tests/cache/support.h"

namespace weir::cache {
namespace {

constexpr Embedder kOne = {1, 1};
constexpr uint32_t kDimensions = 64;
constexpr uint64_t kVectors = 200;
constexpr uint64_t kPartitions = 5;

std::string ValueOf(uint64_t partition, uint64_t n, uint64_t life) {
  const std::string unit = Named("p", partition).append(Named("n", n)).append(Named("l", life));
  std::string value;
  for (uint64_t i = 0; i <= life % 40; ++i) value += unit;
  return value;
}

// Is it one whole value of this partition and vector?
bool IsOf(const std::string& value, uint64_t partition, uint64_t n) {
  const std::string begin = Named("p", partition).append(Named("n", n)).append("l");
  if (value.compare(0, begin.size(), begin) != 0) return false;
  const size_t end = value.find('p', 1);
  const std::string life = value.substr(begin.size(), end - begin.size());
  return value == ValueOf(partition, n, std::stoull(life));
}

// `cell_rows`: of cells that are split and given up all the time, or of none.
void ReadBesideWriters(uint32_t cell_rows, double recall) {
  const Owned cache(WithCells(Options(kDimensions, 700, 512, kPartitions), cell_rows), cell_rows);
  std::vector<Vector> vectors;
  Random seeds(2);
  for (uint64_t n = 0; n < kVectors; ++n) vectors.push_back(RandomVector(&seeds, kDimensions));
  const bool is_long = std::getenv("WEIR_LONG") != nullptr;
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(10);
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::atomic<int> hits{0};
  const auto write = [&](uint64_t seed) {
    Random random(seed);
    const auto goes_on = [&](uint64_t life) {
      return is_long ? std::chrono::steady_clock::now() < until : life < 20'000;
    };
    for (uint64_t life = 0; goes_on(life); ++life) {
      const uint64_t n = random.Below(kVectors);
      const uint64_t partition = random.Below(kPartitions);
      const std::string name = Named("p", partition);
      if (life % 500 == 499) cache->PurgePartition(name);
      const std::string value = ValueOf(partition, n, life);
      if (!cache->Insert({name, {n, n}, vectors[n], value, 0, kOne, n % 7}, At(0)).ok()) ++wrong;
      if (life % 1000 == 999) cache->PurgeModel(random.Below(7));
    }
  };
  const auto read = [&](uint64_t seed) {
    Random random(seed);
    std::string value;
    while (!done) {
      const uint64_t n = random.Below(kVectors);
      const uint64_t partition = random.Below(kPartitions);
      const std::string name = Named("p", partition);
      const Key key = {random.Below(2) == 0 ? n : kVectors, n};
      const Answer answer = cache->Lookup({name, key, vectors[n], 0.9, kOne}, At(0), &value);
      if (answer.found == Found::kMiss) continue;
      ++hits;
      if (!IsOf(value, partition, n)) ++wrong;
      if (random.Below(50) == 0) cache->Touch(answer.entry, kSecond, At(0));
      if (random.Below(50) == 0) cache->Remove(answer.entry);
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 2; ++i) threads.emplace_back(read, 100 + i);
  std::thread first(write, 1);
  std::thread second(write, 2);
  first.join();
  second.join();
  done = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(hits > 100);
  // And after it all, what is there is there for both ways of looking.
  uint32_t found = 0;
  int nearby = 0;
  std::string value;
  for (uint64_t partition = 0; partition < kPartitions; ++partition) {
    for (uint64_t n = 0; n < kVectors; ++n) {
      const std::string name = Named("p", partition);
      const bool by_key =
          cache->Lookup({name, {n, n}, {}, 1, {}}, At(0), &value).found == Found::kExact;
      const bool near =
          cache->Lookup({name, {n, ~n}, vectors[n], 0.98, kOne}, At(0), &value).found ==
          Found::kSemantic;
      CHECK((by_key || !near));
      found += by_key ? 1 : 0;
      nearby += near ? 1 : 0;
    }
  }
  CHECK(found == cache->GetStats().entries);
  CHECK(nearby >= found * recall);
}

TEST_CASE("readers beside writers find nothing that is torn, strange or far") {
  ReadBesideWriters(kCellRows, 1);
}

TEST_CASE("readers find nothing that is torn, strange or far while cells are split") {
  ReadBesideWriters(8, 0.97);
}

}  // namespace
}  // namespace weir::cache
