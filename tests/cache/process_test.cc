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
  Opened(const TempPath& path, const CacheOptions& options)
      : segment(OpenFile(path)), cache(*Cache::Create(segment.get(), "c", options)) {}
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

// Nothing that is found is wrong; how much is found.
int CheckAll(Cache* cache) {
  int found = 0;
  std::string value;
  for (uint64_t partition = 0; partition < kPartitions; ++partition) {
    const std::string name = Named("p", partition);
    for (uint64_t n = 0; n < kKeys; ++n) {
      const Answer by_key = cache->Lookup({name, {n, n}, {}, 1, {}}, At(0), &value);
      if (by_key.found == Found::kExact) {
        REQUIRE(value == ValueOf(partition, n));
        ++found;
      }
      if (n % 5 == 0) continue;
      const Answer near = cache->Lookup({name, {n, ~n}, VectorOf(n), 0.97, kOne}, At(0), &value);
      REQUIRE((near.found == Found::kSemantic) == (by_key.found == Found::kExact));
      if (near.found == Found::kSemantic) REQUIRE(value == ValueOf(partition, n));
    }
  }
  return found;
}

TEST_CASE("processes killed at any instruction leave only whole entries, and no room is lost") {
  const TempPath path;
  CacheOptions options = Options(kDimensions, 600, 256, kPartitions);
  const int kills = std::getenv("WEIR_LONG") != nullptr ? 5'000 : 250;  // of two each
  auto* steps = Shared<std::atomic<uint64_t>>();
  const Opened cache(path, options);
  for (int i = 0; i < kills; ++i) {
    const pid_t child = Start([&] {
      const Opened own(path, options);
      Work(own.cache.get(), static_cast<uint64_t>(i) * 2, steps);
    });
    const pid_t other = Start([&] {
      const Opened own(path, options);
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
    const int found = CheckAll(cache.cache.get());
    REQUIRE(static_cast<uint32_t>(found) == cache->GetStats().entries);
  }
  CHECK(cache->GetStats().repairs > 0);
  const uint64_t left = cache->GetStats().entries;
  CHECK(cache->PurgeAll() == left);
  CHECK(cache->GetStats().value_bytes_used == 0);
  CHECK(cache->GetStats().partitions == 0);
  // All rows and all blocks are there to be used.
  for (uint64_t i = 0; i < 600; ++i) {
    const std::string name = Named("p", i % kPartitions);
    REQUIRE(cache->Insert({name, {i, i}, VectorOf(i), "v", 0, kOne}, At(0)).ok());
  }
  CHECK(cache->GetStats().entries == 600);
}

}  // namespace
}  // namespace weir::cache
