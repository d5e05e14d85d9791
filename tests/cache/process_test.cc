// Caches in a file: shared, warm after a restart, and sound after writers that were killed.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/cache/support.h"
#include "tests/support/processes.h"
#include "tests/support/sanitizers.h"

namespace weir::cache {
namespace {

using testing::EndsWell;
using testing::OpenFile;
using testing::Shared;
using testing::Start;
using testing::TempPath;

constexpr Embedder kOne = {1, 1};
constexpr uint32_t kDimensions = 32;

// A cache over the file, as each process opens it.
struct Opened {
  Opened(const TempPath& path, const CacheOptions& options, uint32_t cell_rows = kCellRows)
      : segment(OpenFile(path)), cache(*CreateWithCells(segment.get(), "c", options, cell_rows)) {}
  Cache* operator->() const { return cache.get(); }
  std::unique_ptr<state::Segment> segment;
  std::unique_ptr<Cache> cache;
};

Vector VectorOf(uint64_t n) {
  Random random(n);
  return RandomVector(&random, kDimensions);
}

// What a value must be: it names its key and partition, and fills several pieces.
std::string ValueOf(uint64_t partition, uint64_t n) {
  std::string value = Named("p", partition).append(Named("k", n));
  const size_t length = 20 + n * 37 % 900;
  while (value.size() < length) value.push_back(static_cast<char>('a' + (n + value.size()) % 26));
  return value;
}

TEST_CASE("a file is warm after its process is gone, and seen by others") {
  const TempPath path;
  const CacheOptions options = Options(kDimensions, 1000, 1024);
  CHECK(EndsWell(Start([&] {
    const Opened cache(path, options);
    for (uint64_t i = 0; i < 500; ++i) {
      const Vector vector = VectorOf(i);
      if (!cache->Insert({"p", {i, i}, vector, ValueOf(0, i), 0, kOne}, At(0)).ok()) _exit(1);
    }
  })));
  const Opened cache(path, options);
  std::string value;
  for (uint64_t i = 0; i < 500; ++i) {
    const Answer answer = cache->Lookup({"p", {~0ULL, i}, VectorOf(i), 0.95, kOne}, At(0), &value);
    REQUIRE(answer.found == Found::kSemantic);
    REQUIRE(value == ValueOf(0, i));
  }
  // A child of this one sees what it does.
  REQUIRE(cache->PurgePartition("p") == 500);
  CHECK(EndsWell(Start([&] {
    std::string copy;
    if (cache->Lookup({"p", {1, 1}, {}, 1, {}}, At(0), &copy).found != Found::kMiss) _exit(1);
  })));
  CHECK(cache->GetStats().repairs == 0);
}

constexpr uint64_t kKeys = 400;
constexpr uint64_t kPartitions = 6;

// Changes without end.
void Work(Cache* cache, uint64_t seed, std::atomic<uint64_t>* steps) {
  Random random(seed);
  for (;; ++*steps) {
    const uint64_t n = random.Below(kKeys);
    const uint64_t partition = random.Below(kPartitions);
    const std::string name = Named("p", partition);
    const uint64_t what = random.Below(1000);
    if (what == 0) {
      cache->PurgePartition(name);
    } else if (what == 1) {
      cache->PurgeModel(random.Below(20));
    } else if (what < 100) {
      std::string value;
      const Answer answer = cache->Lookup({name, {n, n}, {}, 1, {}}, At(0), &value);
      if (answer.found == Found::kExact) cache->Remove(answer.entry);
    } else {
      const Vector vector = n % 5 == 0 ? Vector() : VectorOf(n);
      const std::string value = ValueOf(partition, n);
      const Entry entry{name, {n, n}, vector, value, 0, kOne, n % 20};
      if (!cache->Insert(entry, At(static_cast<int64_t>(n))).ok()) _exit(98);
    }
  }
}

struct Tally {
  int by_key = 0, with_vector = 0, near = 0;
};

// Nothing that is found is wrong; how much is found.
Tally CheckAll(Cache* cache) {
  Tally tally;
  std::string value;
  for (uint64_t partition = 0; partition < kPartitions; ++partition) {
    const std::string name = Named("p", partition);
    for (uint64_t n = 0; n < kKeys; ++n) {
      const Answer by_key = cache->Lookup({name, {n, n}, {}, 1, {}}, At(0), &value);
      if (by_key.found == Found::kExact) {
        REQUIRE(value == ValueOf(partition, n));
        ++tally.by_key;
      }
      if (n % 5 == 0) continue;
      const Answer near = cache->Lookup({name, {n, ~n}, VectorOf(n), 0.97, kOne}, At(0), &value);
      if (near.found == Found::kSemantic) {
        REQUIRE(by_key.found == Found::kExact);
        REQUIRE(value == ValueOf(partition, n));
        ++tally.near;
      }
      tally.with_vector += by_key.found == Found::kExact ? 1 : 0;
    }
  }
  return tally;
}

// `cell_rows`: of cells that are split and given up all the time, or of none.
void KillWriters(int kills, uint32_t entries, uint32_t cell_rows, double recall) {
  const TempPath path;
  CacheOptions options = WithCells(Options(kDimensions, entries, 256, kPartitions), cell_rows);
  auto* steps = Shared<std::atomic<uint64_t>>();
  const Opened cache(path, options, cell_rows);
  int with_vector = 0, near = 0;
  for (int i = 0; i < kills; ++i) {
    const pid_t child = Start([&] {
      const Opened own(path, options, cell_rows);
      Work(own.cache.get(), static_cast<uint64_t>(i) * 2, steps);
    });
    const pid_t other = Start([&] {
      const Opened own(path, options, cell_rows);
      Work(own.cache.get(), static_cast<uint64_t>(i) * 2 + 1, steps);
    });
    const uint64_t begun = *steps;
    while (*steps < begun + 200) usleep(20);
    usleep(static_cast<useconds_t>(i % 50));
    for (const pid_t pid : {child, other}) {
      int status = 0;
      REQUIRE(kill(pid, SIGKILL) == 0);
      REQUIRE(waitpid(pid, &status, 0) == pid);
      REQUIRE(WIFSIGNALED(status));
    }
    // The next writer puts right what was left.
    REQUIRE(cache->Insert({"p0", {1, 1}, VectorOf(1), ValueOf(0, 1), 0, kOne, 1}, At(1)).ok());
    const Tally tally = CheckAll(cache.cache.get());
    REQUIRE(static_cast<uint32_t>(tally.by_key) == cache->GetStats().entries);
    with_vector += tally.with_vector;
    near += tally.near;
  }
  CHECK(near >= with_vector * recall);
  CHECK(cache->GetStats().repairs > 0);
  const uint64_t left = cache->GetStats().entries;
  CHECK(cache->PurgeAll() == left);
  CHECK(cache->GetStats().value_bytes_used == 0);
  CHECK(cache->GetStats().partitions == 0);
  // All rows and all blocks are there to be used.
  for (uint64_t i = 0; i < entries; ++i) {
    const std::string name = Named("p", i % kPartitions);
    REQUIRE(cache->Insert({name, {i, i}, VectorOf(i), "v", 0, kOne}, At(0)).ok());
  }
  CHECK(cache->GetStats().entries == entries);
}

// Of two processes each.
int Kills(int usual) {
  if (std::getenv("WEIR_LONG") != nullptr) return 20 * usual;
  return testing::kUnderSanitizer ? usual / 4 : usual;
}

TEST_CASE("processes killed at any instruction leave only whole entries, and no room is lost") {
  KillWriters(Kills(250), 600, kCellRows, 1);
}

TEST_CASE("processes killed while cells are split leave only whole entries") {
  KillWriters(Kills(125), 1800, 8, 0.98);
}

}  // namespace
}  // namespace weir::cache
