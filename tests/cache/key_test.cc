// The exact layer against a map, and what holds of every entry whatever finds it.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/cache/support.h"

namespace weir::cache {
namespace {

struct Kept {
  std::string value;
  int64_t created_s = 0, expires_s = 0;
  uint64_t model = 0;
  EntryId id = 0;
};
using Twin = std::map<std::pair<std::string, uint64_t>, Kept>;

std::string RandomValue(Random* random) {
  std::string value(random->Below(900), '\0');
  for (char& c : value) c = static_cast<char>(random->Next());
  return value;
}

constexpr uint64_t kScopes = 5;
uint64_t ScopeOf(uint64_t key) { return key % kScopes; }

void Purge(Twin* twin, Cache* cache, Random* random) {
  uint64_t removed = 0;
  const std::string partition = std::to_string(random->Below(9));
  const uint64_t model = random->Below(3);
  const uint64_t which = random->Below(8);
  const uint64_t scope = random->Below(kScopes);
  for (auto it = twin->begin(); it != twin->end();) {
    const bool goes = which == 0 || (which < 4   ? it->first.first == partition
                                     : which < 6 ? it->second.model == model
                                                 : ScopeOf(it->first.second) == scope);
    removed += goes ? 1 : 0;
    it = goes ? twin->erase(it) : std::next(it);
  }
  // What expired may have gone before.
  const uint64_t purged = which == 0  ? cache->PurgeAll()
                          : which < 4 ? cache->PurgePartition(partition)
                          : which < 6 ? cache->PurgeModel(model)
                                      : cache->PurgeScope(scope);
  CHECK(purged <= removed);
}

TEST_CASE("the exact layer does as a map does, byte for byte") {
  const Owned cache(Options(0, 4000, 1024));
  Twin twin;
  Random random(11);
  int hits = 0;
  for (int64_t step = 0; step < 60'000; ++step) {
    const int64_t now = step / 100;
    const std::pair<std::string, uint64_t> key = {std::to_string(random.Below(9)),
                                                  random.Below(300)};
    const Key exact = {key.second * 3, key.second};
    const uint64_t what = random.Below(1000);
    auto kept = twin.find(key);
    if (what < 300) {
      const int64_t ttl = random.Below(4) == 0 ? 0 : 1 + static_cast<int64_t>(random.Below(80));
      const Kept added = {RandomValue(&random), now, ttl == 0 ? INT64_MAX : now + ttl,
                          random.Below(3)};
      Entry entry{key.first,     exact, {},          added.value,
                  ttl * kSecond, {},    added.model, ScopeOf(key.second)};
      const auto id = cache->Insert(entry, At(now));
      REQUIRE(id.ok());
      twin[key] = added;
      twin[key].id = *id;
    } else if (what < 340 && kept != twin.end()) {
      const bool removed = cache->Remove(kept->second.id);
      CHECK((removed || kept->second.expires_s <= now));
      CHECK_FALSE(cache->Remove(kept->second.id));
      twin.erase(kept);
    } else if (what < 380 && kept != twin.end() && kept->second.expires_s > now) {
      CHECK(cache->Touch(kept->second.id, 50 * kSecond, At(now)));
      kept->second.expires_s = now + 50;
    } else if (what == 999) {
      Purge(&twin, cache.cache.get(), &random);
    } else {
      std::string value;
      const Answer answer = cache->Lookup({key.first, exact, {}, 1, {}}, At(now), &value);
      const bool expected = kept != twin.end() && kept->second.expires_s > now;
      REQUIRE((answer.found == Found::kExact) == expected);
      if (!expected) continue;
      ++hits;
      REQUIRE(value == kept->second.value);
      CHECK(answer.entry == kept->second.id);
      CHECK(answer.age_ns == (now - kept->second.created_s) * kSecond);
    }
  }
  CHECK(hits > 5'000);
  cache->PurgeAll();
  const Stats stats = cache->GetStats();
  CHECK(stats.entries == 0);
  CHECK(stats.partitions == 0);
  CHECK(stats.value_bytes_used == 0);
  CHECK(stats.exact_hits == static_cast<uint64_t>(hits));
  CHECK(stats.inserts == stats.replaced + stats.expirations + stats.removals);
}

TEST_CASE("a cache that is always full gives only what was put in last") {
  const Owned cache(Options(0, 100, 300));
  std::map<uint64_t, std::string> last;
  Random random(3);
  int hits = 0;
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t n = random.Below(300);
    const std::string partition = std::to_string(n % 7);
    if (random.Below(2) == 0) {
      last[n] = RandomValue(&random);
      REQUIRE(cache->Insert({partition, {n, n}, {}, last[n]}, At(step)).ok());
    } else {
      std::string value;
      const Answer answer = cache->Lookup({partition, {n, n}, {}, 1, {}}, At(step), &value);
      if (answer.found != Found::kExact) continue;
      ++hits;
      REQUIRE(value == last[n]);
    }
    CHECK(cache->GetStats().entries <= 100);
  }
  CHECK(hits > 1000);
  CHECK(cache->GetStats().evictions > 1000);
}

TEST_CASE("the same key in two partitions is two keys") {
  const Owned cache(Options(0, 2000, 64, 200));
  for (int p = 0; p < 100; ++p) {
    const std::string partition = Named("tenant-", p);
    REQUIRE(cache->Insert({partition, {7, 7}, {}, partition}, At(0)).ok());
  }
  std::string value;
  for (int p = 0; p < 200; ++p) {
    const std::string partition = Named("tenant-", p);
    const Answer answer = cache->Lookup({partition, {7, 7}, {}, 1, {}}, At(1), &value);
    CHECK((answer.found == Found::kExact) == (p < 100));
    if (p < 100) CHECK(value == partition);
  }
  CHECK(cache->PurgePartition("tenant-5") == 1);
  CHECK(cache->Lookup({"tenant-5", {7, 7}, {}, 1, {}}, At(1), &value).found == Found::kMiss);
  CHECK(cache->Lookup({"tenant-6", {7, 7}, {}, 1, {}}, At(1), &value).found == Found::kExact);
}

TEST_CASE("a clock that steps back makes entries young, not of negative age") {
  const Owned cache(Options(0, 10));
  std::string value;
  REQUIRE(cache->Insert({"p", {1, 1}, {}, "v", 10 * kSecond}, At(100)).ok());
  const Answer answer = cache->Lookup({"p", {1, 1}, {}, 1, {}}, At(50), &value);
  CHECK(answer.found == Found::kExact);
  CHECK(answer.age_ns == 0);
  const Answer late = cache->Lookup({"p", {1, 1}, {}, 1, {}}, At(110), &value);
  CHECK(late.miss == Miss::kExpired);
}

TEST_CASE("what is out of range is said by name") {
  CacheOptions options = Options(64, 10);
  auto segment = *state::Segment::CreatePrivate({size_t{4} << 20, 1});
  const auto refused = [&](const CacheOptions& asked, const std::string& name) {
    const auto status = Cache::Create(segment.get(), "c", asked).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(status.message()).find(name) != std::string::npos);
  };
  for (const uint32_t bad : {1U, 7U, 4097U}) {
    CacheOptions asked = options;
    asked.dimensions = bad;
    refused(asked, "dimensions");
    CHECK(BytesFor(asked, 1) == 0);
  }
  CacheOptions asked = options;
  asked.max_entries = 0;
  refused(asked, "max_entries");
  asked = options;
  asked.max_partitions = 0;
  refused(asked, "max_partitions");
  asked = options;
  asked.bytes = 1000;
  refused(asked, "bytes");

  REQUIRE(Cache::Create(segment.get(), "c", options).ok());
  asked = options;
  asked.dimensions = 32;
  CHECK(Cache::Create(segment.get(), "c", asked).status().code() ==
        absl::StatusCode::kFailedPrecondition);

  const Owned cache(options);
  const Vector short_vector(63, 1.0F);
  const Vector zeros(64, 0.0F);
  Vector nans(64, 1.0F);
  nans[7] = NAN;
  Vector infinite(64, 1.0F);
  infinite[63] = INFINITY;
  for (const Vector& bad : {short_vector, zeros, nans, infinite}) {
    CHECK(cache->Insert({"p", {1, 1}, bad, "v"}, At(0)).status().code() ==
          absl::StatusCode::kInvalidArgument);
  }
  CHECK_FALSE(cache->Insert({"p", {1, 1}, {}, "v", -1}, At(0)).ok());
  CHECK_FALSE(cache->Insert({"p", {1, 1}, {}, "v", 0, {}, 0, 0, 4}, At(0)).ok());
  const std::string large(1 << 20, 'x');
  CHECK(cache->Insert({"p", {1, 1}, {}, large}, At(0)).status().code() ==
        absl::StatusCode::kResourceExhausted);
  CHECK(cache->GetStats().refused == 1);
}

TEST_CASE("empty values, keys of zeros and partitions of any bytes are as good as others") {
  const Owned cache(Options(0, 10));
  std::string value = "before";
  const std::string odd("\0\xFF", 2);
  REQUIRE(cache->Insert({"", {0, 0}, {}, ""}, At(0)).ok());
  REQUIRE(cache->Insert({odd, {0, 0}, {}, "odd"}, At(0)).ok());
  CHECK(cache->Lookup({"", {0, 0}, {}, 1, {}}, At(0), &value).found == Found::kExact);
  CHECK(value.empty());
  CHECK(cache->Lookup({odd, {0, 0}, {}, 1, {}}, At(0), &value).found == Found::kExact);
  CHECK(value == "odd");
}

}  // namespace
}  // namespace weir::cache
