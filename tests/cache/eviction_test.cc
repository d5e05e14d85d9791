// Who gives way: hit rates on skewed traffic against LRU, quotas, worth, and partitions.

#include <algorithm>
#include <cmath>
#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/cache/support.h"

namespace weir::cache {
namespace {

// Draws from a Zipf distribution over 0 … items-1.
class Zipf {
 public:
  Zipf(uint32_t items, double exponent) : sums_(items) {
    double sum = 0;
    for (uint32_t i = 0; i < items; ++i) sums_[i] = sum += std::pow(i + 1, -exponent);
  }
  uint64_t Draw(Random* random) const {
    const double at = Uniform(random, 0, sums_.back());
    return static_cast<uint64_t>(std::lower_bound(sums_.begin(), sums_.end(), at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

class Lru {
 public:
  explicit Lru(size_t capacity) : capacity_(capacity) {}
  bool Ask(uint64_t item) {
    const auto found = places_.find(item);
    if (found != places_.end()) {
      order_.splice(order_.begin(), order_, found->second);
      return true;
    }
    if (order_.size() == capacity_) {
      places_.erase(order_.back());
      order_.pop_back();
    }
    order_.push_front(item);
    places_[item] = order_.begin();
    return false;
  }

 private:
  size_t capacity_;
  std::list<uint64_t> order_;
  std::unordered_map<uint64_t, std::list<uint64_t>::iterator> places_;
};

struct Rates {
  double ours = 0, lru = 0;
};

// `once`: of 100 requests, how many are for something that is never asked for again.
Rates HitRates(double exponent, uint32_t items, uint32_t entries, uint32_t once) {
  const Owned cache(Options(0, entries, 16));
  Lru lru(entries);
  const Zipf zipf(items, exponent);
  Random random(12);
  constexpr int kRequests = 200'000;
  int ours = 0;
  int theirs = 0;
  std::string value;
  for (int i = 0; i < kRequests; ++i) {
    const uint64_t item =
        random.Below(100) < once ? uint64_t{items} + static_cast<uint64_t>(i) : zipf.Draw(&random);
    const Key key = {item, item * 0x9E3779B97F4A7C15u};
    theirs += lru.Ask(item) ? 1 : 0;
    if (cache->Lookup({"p", key, {}, 1, {}}, At(i), &value).found == Found::kExact) {
      ++ours;
    } else {
      REQUIRE(cache->Insert({"p", key, {}, "value"}, At(i)).ok());
    }
  }
  return {1.0 * ours / kRequests, 1.0 * theirs / kRequests};
}

TEST_CASE("skewed traffic hits more often than with LRU") {
  for (const uint32_t once : {0U, 30U}) {
    for (const double exponent : {0.8, 1.0}) {
      for (const uint32_t entries : {500U, 2'000U}) {
        const Rates rates = HitRates(exponent, 20'000, entries, once);
        INFO("Zipf " << exponent << ", " << entries << " of 20000, " << once
                     << " % once: " << rates.ours << ", LRU " << rates.lru);
        CHECK(rates.ours > rates.lru * 1.05);
      }
    }
  }
}

TEST_CASE("a partition at its quota makes room within itself") {
  CacheOptions options = Options(0, 500);
  options.partition_quota = 50;
  const Owned cache(options);
  std::string value;
  const auto find = [&](const char* partition, uint64_t key) {
    return cache->Lookup({partition, {key, key}, {}, 1, {}}, At(1000), &value).found;
  };
  for (uint64_t i = 0; i < 40; ++i) REQUIRE(cache->Insert({"quiet", {i, i}, {}, "v"}, At(0)).ok());
  for (uint64_t i = 0; i < 2000; ++i) {
    REQUIRE(cache->Insert({"loud", {i, i}, {}, "v"}, At(static_cast<int64_t>(i))).ok());
    // What is used at all times stays.
    if (i >= 5) CHECK(find("loud", 5) == Found::kExact);
    REQUIRE(cache->GetStats().entries <= 90);
  }
  for (uint64_t i = 0; i < 40; ++i) CHECK(find("quiet", i) == Found::kExact);
  CHECK(find("loud", 1999) == Found::kExact);
  CHECK(find("loud", 0) == Found::kMiss);
  int kept = 0;
  for (uint64_t i = 0; i < 2000; ++i) kept += find("loud", i) == Found::kExact ? 1 : 0;
  CHECK(kept == 50);
}

TEST_CASE("of two that are used alike, the one of more worth stays longer") {
  const Owned cache(Options(0, 100));
  std::string value;
  for (uint64_t i = 0; i < 100; ++i) {
    Entry entry{"p", {i, i}, {}, "v"};
    entry.worth = i % 2 == 0 ? kMaxWorth : 0;
    REQUIRE(cache->Insert(entry, At(0)).ok());
  }
  for (uint64_t i = 100; i < 150; ++i) REQUIRE(cache->Insert({"p", {i, i}, {}, "v"}, At(0)).ok());
  int worthy = 0;
  int others = 0;
  for (uint64_t i = 0; i < 100; ++i) {
    const bool found =
        cache->Lookup({"p", {i, i}, {}, 1, {}}, At(0), &value).found == Found::kExact;
    (i % 2 == 0 ? worthy : others) += found ? 1 : 0;
  }
  CHECK(worthy == 50);
  CHECK(others == 0);
}

TEST_CASE("who expired goes first, and gives its room back without being asked for") {
  const Owned cache(Options(0, 100));
  std::string value;
  for (uint64_t i = 0; i < 100; ++i) {
    const int64_t ttl = i % 2 == 0 ? 10 * kSecond : 0;
    REQUIRE(cache->Insert({"p", {i, i}, {}, "v", ttl}, At(0)).ok());
  }
  for (uint64_t i = 0; i < 40; ++i) {
    REQUIRE(cache->Insert({"p", {1000 + i, i}, {}, "v"}, At(20)).ok());
  }
  const Stats stats = cache->GetStats();
  CHECK(stats.expirations >= 40);
  CHECK(stats.evictions <= 1);
}

TEST_CASE("values make room for values; the bytes are bounded") {
  const Owned cache(Options(0, 1000, 512));
  Random random(6);
  const uint64_t room = cache->GetStats().value_bytes;
  for (uint64_t i = 0; i < 3000; ++i) {
    const std::string value(random.Below(20'000), 'v');
    REQUIRE(cache->Insert({"p", {i, i}, {}, value}, At(0)).ok());
    REQUIRE(cache->GetStats().value_bytes_used <= room);
  }
  CHECK(cache->GetStats().evictions > 2000);
  // One that takes all of it.
  const std::string all(room, 'a');
  REQUIRE(cache->Insert({"p", {1, 1}, {}, all}, At(0)).ok());
  std::string value;
  CHECK(cache->Lookup({"p", {1, 1}, {}, 1, {}}, At(0), &value).found == Found::kExact);
  CHECK(value == all);
}

TEST_CASE("more partitions than there is room for: small ones give way, large ones stay") {
  const Owned cache(Options(0, 1000, 64, 8));
  for (uint64_t i = 0; i < 300; ++i) REQUIRE(cache->Insert({"large", {i, i}, {}, "v"}, At(0)).ok());
  std::string value;
  for (uint64_t i = 0; i < 100; ++i) {
    const std::string name = Named("small-", i);
    REQUIRE(cache->Insert({name, {i, i}, {}, name}, At(0)).ok());
    CHECK(cache->Lookup({name, {i, i}, {}, 1, {}}, At(0), &value).found == Found::kExact);
    CHECK(cache->GetStats().partitions <= 8);
  }
  int kept = 0;
  for (uint64_t i = 0; i < 300; ++i) {
    kept += cache->Lookup({"large", {i, i}, {}, 1, {}}, At(0), &value).found == Found::kExact;
  }
  CHECK(kept == 300);
}

}  // namespace
}  // namespace weir::cache
