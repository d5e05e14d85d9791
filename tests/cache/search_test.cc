// Look-ups by vector against a scan of all vectors in floating point.

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/cache/real_vectors.h"
#include "tests/cache/support.h"

namespace weir::cache {
namespace {

constexpr Embedder kOne = {1, 1};
// A decision so near to the threshold may fall either way: four deviations of int8's rounding at
// the dimensions used here, and then some.
constexpr double kSlack = 0.003;

struct Row {
  std::string partition, value;
  Vector vector;
  int64_t expires_s = INT64_MAX;
};

// What a look-up must find, by the plain way.
struct Twin {
  std::map<std::string, Row> rows;

  double Best(const std::string& partition, const Vector& vector, int64_t now_s) const {
    double best = -2;
    for (const auto& [value, row] : rows) {
      if (row.partition != partition || row.expires_s <= now_s) continue;
      best = std::max(best, Cosine(row.vector, vector));
    }
    return best;
  }
};

struct Tally {
  int true_hits = 0, found = 0, misses = 0;
  int clear = 0,
      clear_found = 0;  // of the true hits, those further from the threshold than int8's error
};

// Half of the queries lie at random in a narrow band above the threshold, which is harder than what
// users send: some are nearer to it than int8 tells.
void CheckRecall(const Tally& tally) {
  INFO(tally.true_hits << " true hits, " << tally.found << " found; " << tally.clear
                       << " of them clear, " << tally.clear_found << " found");
  CHECK(tally.clear_found >= tally.clear * 0.995);
  CHECK(tally.found >= tally.true_hits * 0.985);
}

// Asks both and compares.
void Ask(Cache* cache, const Twin& twin, const std::string& partition, const Vector& vector,
         double threshold, int64_t now_s, Tally* tally) {
  std::string value;
  const Query query{partition, {~0ULL, ~0ULL}, vector, threshold, kOne};
  const Answer answer = cache->Lookup(query, At(now_s), &value);
  const double best = twin.Best(partition, vector, now_s);
  REQUIRE(answer.found != Found::kExact);
  if (answer.found == Found::kSemantic) {
    const auto row = twin.rows.find(value);
    REQUIRE(row != twin.rows.end());
    REQUIRE(row->second.partition == partition);
    REQUIRE(row->second.expires_s > now_s);
    const double similarity = Cosine(row->second.vector, vector);
    CHECK(std::abs(similarity - answer.similarity) < kSlack);
    CHECK(similarity > threshold - kSlack);
  } else {
    CHECK(answer.miss != Miss::kRaced);
  }
  if (best < threshold) {
    ++tally->misses;
    CHECK((answer.found == Found::kMiss || best > threshold - kSlack));
    return;
  }
  ++tally->true_hits;
  // Found is the best one, or one as good.
  const int found = answer.found == Found::kSemantic && answer.similarity > best - kSlack ? 1 : 0;
  tally->found += found;
  if (best < threshold + kSlack) return;
  ++tally->clear;
  tally->clear_found += found;
}

// Turnovers of rows that come and go under look-ups.
void Churn(uint32_t dimensions, bool clustered, double threshold, uint64_t seed) {
  constexpr int kRows = 900;
  constexpr int kSteps = 9000;
  const Owned cache(Options(dimensions, 1000));
  Random random(seed);
  std::vector<Vector> centres;
  centres.reserve(40);
  for (int i = 0; i < 40; ++i) centres.push_back(RandomVector(&random, dimensions));
  const auto draw = [&] {
    if (!clustered) return RandomVector(&random, dimensions);
    return Near(centres[random.Below(centres.size())], Uniform(&random, 0.6, 0.97), &random);
  };
  Twin twin;
  std::vector<std::pair<std::string, EntryId>> order;
  Tally tally;
  for (int step = 0; step < kSteps; ++step) {
    const std::string partition = std::to_string(random.Below(3));
    if (order.size() < kRows || random.Below(2) == 0) {
      if (order.size() == kRows) {
        const size_t gone = random.Below(order.size());
        REQUIRE(cache->Remove(order[gone].second));
        twin.rows.erase(order[gone].first);
        order[gone] = order.back();
        order.pop_back();
      }
      Row row{partition, Named("value-", step), draw()};
      const auto id =
          cache->Insert({partition, {1, uint64_t(step)}, row.vector, row.value, 0, kOne}, At(0));
      REQUIRE(id.ok());
      order.emplace_back(row.value, *id);
      twin.rows[row.value] = std::move(row);
      continue;
    }
    Vector asked = draw();
    if (random.Below(2) == 0) {
      const Row& row = twin.rows[order[random.Below(order.size())].first];
      asked = Near(row.vector, Uniform(&random, threshold - 0.02, 1), &random);
    }
    Ask(cache.cache.get(), twin, partition, asked, threshold, 0, &tally);
  }
  CheckRecall(tally);
  CHECK(tally.true_hits > 500);
  CHECK(tally.misses > 500);
}

TEST_CASE("vectors near enough are found under churn: random ones") {
  Churn(64, false, 0.9, 1);
  Churn(384, false, 0.85, 2);
}

TEST_CASE("vectors near enough are found under churn: clustered ones") {
  Churn(256, true, 0.9, 3);
  Churn(384, true, 0.95, 4);
}

// Every row has given its place to another one ten times over.
void TurnOver(uint32_t rows, uint32_t dimensions, uint64_t seed) {
  constexpr double kThreshold = 0.9;
  constexpr int kTurnovers = 10;
  const Owned cache(Options(dimensions, rows + 64));
  Random random(seed);
  std::vector<Vector> centres;
  for (uint32_t i = 0; i < rows / 50; ++i) centres.push_back(RandomVector(&random, dimensions));
  Twin twin;
  std::vector<std::pair<std::string, EntryId>> living(rows);
  Tally before, after;
  uint64_t number = 0;
  for (int turnover = 0; turnover <= kTurnovers; ++turnover) {
    for (auto& [name, entry] : living) {
      if (turnover != 0) {
        REQUIRE(cache->Remove(entry));
        twin.rows.erase(name);
      }
      Row row{"p", Named("v", ++number), {}};
      const Vector& centre = centres[random.Below(centres.size())];
      row.vector = Near(centre, Uniform(&random, 0.6, 0.97), &random);
      const auto id =
          cache->Insert({row.partition, {1, number}, row.vector, row.value, 0, kOne}, At(0));
      REQUIRE(id.ok());
      name = row.value;
      entry = *id;
      twin.rows[name] = std::move(row);
    }
    if (turnover != 0 && turnover != kTurnovers) continue;
    for (int i = 0; i < 200; ++i) {
      const Row& of = twin.rows[living[random.Below(living.size())].first];
      const Vector asked = Near(of.vector, Uniform(&random, kThreshold, 1), &random);
      Tally* const tally = turnover == 0 ? &before : &after;
      Ask(cache.cache.get(), twin, of.partition, asked, kThreshold, 0, tally);
    }
  }
  for (const Tally& tally : {before, after}) {
    INFO(rows << " rows of " << dimensions << " dimensions");
    CHECK(tally.clear > 150);
    CheckRecall(tally);
    CHECK(tally.found >= tally.true_hits * 0.99);
  }
}

TEST_CASE("ten turnovers cost no recall, at any size") {
  TurnOver(1'000, 64, 11);
  TurnOver(500, 1536, 12);
  TurnOver(3'000, 384, 13);
  if (std::getenv("WEIR_LONG") == nullptr) return;
  TurnOver(100'000, 384, 14);
  TurnOver(10'000, 1536, 15);
}

TEST_CASE("real vectors: what is near is found among thousands that share a large component") {
  auto all = RealVectors();
  for (const std::string model : {"text-embedding-3-small", "text-embedding-ada-002"}) {
    const auto& real = all[{model, 1536}];
    if (real.empty()) continue;
    for (const double threshold : {0.97, 0.93, 0.9}) {
      const Owned cache(Options(1536, 2000));
      Random random(7);
      Twin twin;
      Tally tally;
      for (uint64_t i = 0; i < 1500; ++i) {
        // Mixtures of two texts' vectors are about as far from each other as texts are.
        Vector vector = real[i % real.size()];
        const Vector& other = real[random.Below(real.size())];
        const double share = i < real.size() ? 0 : Uniform(&random, 0, 0.5);
        for (size_t d = 0; d < vector.size(); ++d) {
          vector[d] += static_cast<float>(share * (other[d] - vector[d]));
        }
        Normalise(&vector);
        Row row{std::to_string(i % 2), Named("v", i), std::move(vector)};
        REQUIRE(cache->Insert({row.partition, {0, i}, row.vector, row.value, 0, kOne}, At(0)).ok());
        twin.rows[row.value] = std::move(row);
      }
      for (int i = 0; i < 150; ++i) {
        const Vector& of = twin.rows[Named("v", random.Below(1500))].vector;
        const Vector asked = Near(of, Uniform(&random, threshold, 1), &random);
        Ask(cache.cache.get(), twin, std::to_string(i % 2), asked, threshold, 0, &tally);
      }
      INFO(model << " at " << threshold);
      CHECK(tally.true_hits >= 70);
      CheckRecall(tally);
    }
  }
}

TEST_CASE("identical vectors of a hundred tenants never cross") {
  const Owned cache(Options(128, 20'000, 64, 256));
  Random random(9);
  std::vector<Vector> prompts;
  prompts.reserve(100);
  for (int i = 0; i < 100; ++i) prompts.push_back(RandomVector(&random, 128));
  // Every second tenant has asked them all.
  for (int tenant = 0; tenant < 100; tenant += 2) {
    for (uint64_t i = 0; i < 100; ++i) {
      const std::string name = Named("tenant-", tenant);
      REQUIRE(cache->Insert({name, {i, i}, prompts[i], name, 0, kOne}, At(0)).ok());
    }
  }
  std::string value;
  for (int tenant = 0; tenant < 100; ++tenant) {
    const std::string name = Named("tenant-", tenant);
    for (uint64_t i = 0; i < 100; ++i) {
      for (const bool by_key : {true, false}) {
        const Key key = {by_key ? i : 1000, i};
        const Answer answer = cache->Lookup({name, key, prompts[i], 0.5, kOne}, At(0), &value);
        if (tenant % 2 != 0) {
          REQUIRE(answer.found == Found::kMiss);
          REQUIRE(answer.miss == Miss::kEmptyPartition);
          continue;
        }
        REQUIRE(answer.found == (by_key ? Found::kExact : Found::kSemantic));
        REQUIRE(value == name);
      }
    }
  }
}

TEST_CASE("a miss says why") {
  const Owned cache(Options(64, 100));
  Random random(5);
  const Vector vector = RandomVector(&random, 64);
  const Vector near = Near(vector, 0.8, &random);
  std::string value = "untouched";
  const auto ask = [&](const Query& query, int64_t now_s = 0) {
    return cache->Lookup(query, At(now_s), &value);
  };
  CHECK(ask({"p", {1, 1}, vector, 0.9, kOne}).miss == Miss::kEmptyPartition);
  REQUIRE(cache->Insert({"p", {2, 2}, {}, "by key", 0, kOne}, At(0)).ok());
  CHECK(ask({"p", {1, 1}, vector, 0.9, kOne}).miss == Miss::kEmptyPartition);
  REQUIRE(cache->Insert({"p", {3, 3}, vector, "v", 10 * kSecond, kOne}, At(0)).ok());

  const Answer below = ask({"p", {1, 1}, near, 0.9, kOne});
  CHECK(below.miss == Miss::kBelowThreshold);
  CHECK(std::abs(below.similarity - 0.8) < 0.01);
  CHECK(below.similarity_error > 0);
  CHECK(below.similarity_error < 0.02);
  CHECK(ask({"p", {1, 1}, {}, 0.9, kOne}).miss == Miss::kNoVector);
  CHECK(ask({"p", {1, 1}, vector, 1.5, kOne}).miss == Miss::kNoVector);
  CHECK(ask({"p", {1, 1}, vector, 0.9, {2, 1}}).miss == Miss::kOtherEmbedder);
  CHECK(ask({"p", {1, 1}, vector, 0.9, {1, 2}}).miss == Miss::kOtherEmbedder);
  CHECK(ask({"p", {1, 1}, Vector(32, 1.0F), 0.9, kOne}).miss == Miss::kWrongDimension);
  CHECK(ask({"p", {1, 1}, Vector(64, NAN), 0.9, kOne}).miss == Miss::kBadVector);
  CHECK(ask({"p", {1, 1}, vector, 0.9, kOne}, 10).miss == Miss::kExpired);
  CHECK(ask({"p", {3, 3}, {}, 0.9, kOne}, 10).miss == Miss::kExpired);
  CHECK(value == "untouched");
  CHECK(ask({"p", {1, 1}, vector, 0.9, kOne}, 9).found == Found::kSemantic);
  CHECK(value == "v");
  // A key is a key, whatever the vector.
  CHECK(ask({"p", {3, 3}, Vector(64, NAN), 0.9, {9, 9}}).found == Found::kExact);

  const Stats stats = cache->GetStats();
  CHECK(stats.semantic_hits == 1);
  CHECK(stats.exact_hits == 1);
  const auto missed = [&](Miss miss) { return stats.misses[static_cast<int>(miss)]; };
  CHECK(missed(Miss::kEmptyPartition) == 2);
  CHECK(missed(Miss::kBelowThreshold) == 1);
  CHECK(missed(Miss::kNoVector) == 2);
  CHECK(missed(Miss::kOtherEmbedder) == 2);
  CHECK(missed(Miss::kExpired) == 2);
  CHECK(missed(Miss::kWrongDimension) == 1);
  CHECK(missed(Miss::kBadVector) == 1);
  CHECK(stats.similarities[50] == 1);
  CHECK(stats.similarities[30] + stats.similarities[31] == 1);
  for (int i = 0; i < kMissReasons; ++i) CHECK(!MissName(static_cast<Miss>(i)).empty());
}

TEST_CASE("the most similar one is found, not the first that would do") {
  const Owned cache(Options(384, 5000));
  Random random(8);
  const Vector centre = RandomVector(&random, 384);
  for (uint64_t i = 0; i < 4000; ++i) {
    const double similarity = i == 2345 ? 0.999 : Uniform(&random, 0.8, 0.99);
    const Vector vector = Near(centre, similarity, &random);
    REQUIRE(cache->Insert({"p", {0, i}, vector, std::to_string(i), 0, kOne}, At(0)).ok());
  }
  std::string value;
  const Answer answer = cache->Lookup({"p", {9, 9}, centre, 0.8, kOne}, At(0), &value);
  CHECK(answer.found == Found::kSemantic);
  CHECK(value == "2345");
}

TEST_CASE("what was refused is passed over for the next best, and counted as a miss") {
  const Owned cache(Options(128, 100));
  Random random(12);
  const Vector asked = RandomVector(&random, 128);
  const double similarities[] = {0.99, 0.97, 0.95, 0.8};
  for (uint64_t i = 0; i < 4; ++i) {
    const Vector vector = Near(asked, similarities[i], &random);
    REQUIRE(cache->Insert({"p", {0, i}, vector, Named("v", i), 0, kOne}, At(0)).ok());
  }
  std::string value;
  std::vector<EntryId> refused;
  Query query{"p", {9, 9}, asked, 0.9, kOne};
  query.is_tentative = true;
  for (int i = 0; i < 3; ++i) {
    query.exclude = refused;
    const Answer answer = cache->Lookup(query, At(0), &value);
    REQUIRE(answer.found == Found::kSemantic);
    CHECK(value == Named("v", i));
    refused.push_back(answer.entry);
    if (i == 1) cache->Confirm(answer, true);
    if (i == 2) cache->Confirm(answer, false);
  }
  query.exclude = refused;
  const Answer none = cache->Lookup(query, At(0), &value);
  CHECK(none.miss == Miss::kBelowThreshold);
  CHECK(std::abs(none.similarity - 0.8) < 0.01);
  const auto counts = [&] {
    const Stats stats = cache->GetStats();
    return std::vector<uint64_t>{stats.exact_hits, stats.semantic_hits,
                                 stats.misses[static_cast<int>(Miss::kRefused)],
                                 stats.misses[static_cast<int>(Miss::kBelowThreshold)]};
  };
  CHECK(counts() == std::vector<uint64_t>{0, 1, 1, 0});
  cache->Confirm(none, true);  // a miss is one, whatever is said of it
  CHECK(counts() == std::vector<uint64_t>{0, 1, 1, 1});
  // Exactly asked for is found though it was refused, and counts when it is given.
  query.exact = {0, 2};
  const Answer exact = cache->Lookup(query, At(0), &value);
  REQUIRE(exact.found == Found::kExact);
  CHECK(counts()[0] == 0);
  cache->Confirm(exact, true);
  CHECK(counts()[0] == 1);
}

TEST_CASE("a hit that was refused is no use, and does not keep an entry") {
  const Owned cache(Options(64, 3));
  Random random(13);
  std::vector<Vector> vectors;
  for (uint64_t i = 0; i < 3; ++i) {
    vectors.push_back(RandomVector(&random, 64));
    REQUIRE(cache->Insert({"p", {0, i}, vectors[i], Named("v", i), 0, kOne}, At(0)).ok());
  }
  std::string value;
  for (const uint64_t i : {0U, 1U}) {
    Query query{"p", {9, 9}, vectors[i], 0.9, kOne};
    query.is_tentative = true;
    const Answer answer = cache->Lookup(query, At(0), &value);
    REQUIRE(answer.found == Found::kSemantic);
    cache->Confirm(answer, i == 0);
  }
  REQUIRE(cache->Insert({"p", {0, 3}, {}, "v3", 0, kOne}, At(0)).ok());
  CHECK(cache->Lookup({"p", {0, 0}, {}, 1, kOne}, At(0), &value).found == Found::kExact);
  CHECK(cache->Lookup({"p", {0, 1}, {}, 1, kOne}, At(0), &value).found == Found::kMiss);
}

}  // namespace
}  // namespace weir::cache
