// The section caches.

#include <string>
#include <vector>

#include "base/text.h"
#include "tests/support/catch.h"
#include "weir/policy.h"

namespace weir::policy {
namespace {

std::string WithCache(const std::string& fields, const std::string& path = "/v1/chat/completions") {
  return Concat({R"({"weir": 1,
    "backends": {"a": {"url": "http://a.test", "dialect": "openai"},
                 "e": {"url": "http://e.test", "dialect": "azure-openai", "api_version": "v1"},
                 "claude": {"url": "http://c.test", "dialect": "anthropic"}},
    "pools": {"p": {"members": [{"backend": "a"}]}},
    "caches": {"c": {)",
                 fields, R"(}},
    "routes": [{"name": "r", "match": {"path": ")",
                 path, R"("}, "pool": "p", "cache": "c",
                "auth": "none"}]})"});
}

std::shared_ptr<Policy> Parsed(const std::string& text) {
  std::vector<Fault> faults;
  auto policy = Policy::Parse(text, &faults);
  for (const Fault& fault : faults) UNSCOPED_INFO(FaultText(fault));
  REQUIRE(policy != nullptr);
  return policy;
}

TEST_CASE("a cache is read as it is meant") {
  const auto policy = Parsed(WithCache(
      R"("embedding": {"backend": "e", "model": "text-embedding-3-small", "dimensions": 512,
                       "epoch": 3, "deadline": "150ms"},
         "max_distance": 0.05, "ttl": "2h", "partition": ["consumer.team", "attr.app"],
         "max_entries": 20000, "max_bytes": "128MiB", "max_entries_per_partition": 50,
         "max_answer_bytes": "8KiB", "messages": 2, "max_messages": 6, "ignore_system": true,
         "ignore_fields": ["user", "metadata"], "guards": ["numbers", "names"],
         "charge_hits": true, "coalesce": "0s")"));
  const Plan& plan = policy->plan();
  REQUIRE(plan.caches.size() == 1);
  const Cache& cache = plan.caches[0];
  CHECK(cache.name == "c");
  CHECK(cache.embedding.by == Embedding::By::kBackend);
  CHECK(plan.backends[cache.embedding.backend].name == "e");
  CHECK(cache.embedding.dimensions == 512);
  CHECK(cache.embedding.asks_dimensions);
  CHECK(cache.embedding.epoch == 3);
  CHECK(cache.embedding.deadline_ns == 150 * kMillisecond);
  CHECK(cache.min_similarity == Approx(0.95));
  CHECK(cache.ttl_ns == 2 * kHour);
  CHECK(cache.partition.size() == 2);
  CHECK(cache.max_entries == 20000);
  CHECK(cache.max_bytes == uint64_t{128} << 20);
  CHECK(cache.partition_quota == 50);
  CHECK(cache.max_answer_bytes == 8192);
  CHECK(cache.messages == 2);
  CHECK(cache.max_messages == 6);
  CHECK(cache.ignores_system);
  CHECK(cache.ignored_fields == std::vector<std::string>{"user", "metadata"});
  CHECK(cache.guards ==
        (meaning::Only(meaning::Guard::kNumbers) | meaning::Only(meaning::Guard::kNames)));
  CHECK(cache.charges_hits);
  CHECK(cache.coalesce_ns == 0);
  CHECK(plan.routes[0].cache == 0);
  CHECK(cache::BytesFor(cache.Options(), 0) <= cache.max_bytes);
}

TEST_CASE("a verifier, and what is promised") {
  const std::string fields = R"("embedding": "lexical", "min_similarity": 0.8,
      "partition": "shared", "max_error_rate": 0.02)";
  const auto plain = Parsed(WithCache(fields));
  const Cache& cache = plain->plan().caches[0];
  CHECK(cache.Learns());
  CHECK(cache.max_error_rate == Approx(0.02));
  CHECK(cache.confidence == Approx(0.95));
  CHECK(cache.verify_share == Approx(0.125));
  CHECK_FALSE(cache.verifier.is_set);
  const auto all = Parsed(WithCache(fields + R"(, "confidence": 0.99, "verify_share": 0.25,
      "verifier": {"backend": "e", "model": "small", "deadline": "800ms"})"));
  const Cache& told = all->plan().caches[0];
  CHECK(told.confidence == Approx(0.99));
  CHECK(told.verify_share == Approx(0.25));
  CHECK(told.verifier.is_set);
  CHECK(all->plan().backends[told.verifier.backend].name == "e");
  CHECK(told.verifier.model == "small");
  CHECK(told.verifier.deadline_ns == 800 * kMillisecond);
  const auto silent = Parsed(WithCache(R"("partition": "shared")"));
  CHECK_FALSE(silent->plan().caches[0].Learns());
}

TEST_CASE("what a cache does not say has a sane default") {
  const auto policy = Parsed(WithCache(R"("partition": "shared")"));
  const Cache& cache = policy->plan().caches[0];
  CHECK(cache.embedding.by == Embedding::By::kNobody);
  CHECK(cache.partition.empty());
  CHECK(cache.ttl_ns == kHour);
  CHECK(cache.coalesce_ns == 10 * kSecond);
  CHECK_FALSE(cache.charges_hits);
  const auto lexical =
      Parsed(WithCache(R"("embedding": "lexical", "min_similarity": 0.8, "partition": "shared")"));
  CHECK(lexical->plan().caches[0].guards == meaning::kDefaultGuards);
  CHECK(lexical->plan().caches[0].embedding.dimensions == 512);
  // What everybody knows of a model need not be said.
  const auto known = Parsed(WithCache(
      R"("embedding": {"backend": "e", "model": "text-embedding-3-large"},
         "min_similarity": 0.8, "partition": "shared")"));
  CHECK(known->plan().caches[0].embedding.dimensions == 3072);
  CHECK_FALSE(known->plan().caches[0].embedding.asks_dimensions);
}

TEST_CASE("caches that contradict themselves are refused by the field at fault") {
  struct Row {
    std::string fields, path, words;
  };
  const Row rows[] = {
      {R"("embedding": "lexical", "min_similarity": 0.8)", "caches.c", "\"partition\" is missing"},
      {R"("partition": [])", "caches.c.partition", "tenants"},
      {R"("partition": "share")", "caches.c.partition", "shared"},
      {R"("partition": ["no.such"])", "caches.c.partition[0]", "expression"},
      {R"("partition": "shared", "embedding": "lexical")", "caches.c", "exactly one of"},
      {R"("partition": "shared", "embedding": "lexical", "min_similarity": 0.9,
          "max_distance": 0.1)",
       "caches.c", "exactly one of"},
      {R"("partition": "shared", "embedding": "lexical", "min_similarity": 95)",
       "caches.c.min_similarity", "from 0 to 1"},
      {R"("partition": "shared", "embedding": "lexicl", "min_similarity": 0.9)",
       "caches.c.embedding", "lexical"},
      {R"("partition": "shared", "min_similarity": 0.9)", "caches.c.min_similarity",
       "without \"embedding\""},
      {R"("partition": "shared", "max_error_rate": 0.1)", "caches.c.max_error_rate",
       "without \"embedding\""},
      {R"("partition": "shared", "embedding": "lexical", "min_similarity": 0.9,
          "max_error_rate": 0)",
       "caches.c.max_error_rate", "giving nothing"},
      {R"("partition": "shared", "embedding": "lexical", "min_similarity": 0.9,
          "confidence": 0.9)",
       "caches.c.confidence", "nothing is promised"},
      {R"("partition": "shared", "embedding": "lexical", "min_similarity": 0.9,
          "max_error_rate": 0.1, "confidence": 1)",
       "caches.c.confidence", "from 0.5"},
      {R"("partition": "shared", "embedding": "lexical", "min_similarity": 0.9,
          "max_error_rate": 0.1, "verify_share": 0)",
       "caches.c.verify_share", "cannot be promised"},
      {R"("partition": "shared", "embedding": "lexical", "min_similarity": 0.9,
          "verifier": {"backend": "claude", "model": "m"})",
       "caches.c.verifier.backend", "OpenAI's dialect"},
      {R"("partition": "shared", "embedding": "lexical", "min_similarity": 0.9,
          "verifier": {"backend": "none", "model": "m"})",
       "caches.c.verifier.backend", "none"},
      {R"("partition": "shared", "embedding": "lexical", "min_similarity": 0.9,
          "verifier": {"backend": "e"})",
       "caches.c.verifier", "\"model\" is missing"},
      {R"("partition": "shared", "guards": "none")", "caches.c.guards", "without \"embedding\""},
      {R"("partition": "shared", "embedding": "lexical", "min_similarity": 0.9,
          "guards": ["nmbers"])",
       "caches.c.guards[0]", "numbers"},
      {R"("partition": "shared", "embedding": {"model": "x"}, "min_similarity": 0.9)",
       "caches.c.embedding", "either \"backend\""},
      {R"("partition": "shared", "embedding": {"backend": "e", "model": "x"},
          "min_similarity": 0.9)",
       "caches.c.embedding", "\"dimensions\" is missing"},
      {R"("partition": "shared", "embedding": {"backend": "claude", "model": "x",
          "dimensions": 8}, "min_similarity": 0.9)",
       "caches.c.embedding.backend", "OpenAI's dialect"},
      {R"("partition": "shared", "max_entries": 100000, "max_bytes": "1MiB")", "caches.c.max_bytes",
       "need at least"},
      {R"("partition": "shared", "ttl": "0s")", "caches.c.ttl", "from"},
      {R"("partition": "shared", "treshold": 1)", "caches.c.treshold", "unknown"},
  };
  for (const Row& row : rows) {
    INFO(row.fields);
    std::vector<Fault> faults;
    CHECK(Policy::Parse(WithCache(row.fields), &faults) == nullptr);
    REQUIRE_FALSE(faults.empty());
    INFO(faults[0].message);
    CHECK(faults[0].path == row.path);
    CHECK(faults[0].message.find(row.words) != std::string::npos);
  }
  std::vector<Fault> faults;
  CHECK(Policy::Parse(WithCache(R"("partition": "shared")", "/v1/files"), &faults) == nullptr);
  REQUIRE_FALSE(faults.empty());
  CHECK(faults[0].path == "routes[0].cache");
}

TEST_CASE("a cache that no route uses is warned of; an embedder is in use without a pool") {
  const std::string text = WithCache(
      R"("embedding": {"backend": "e", "model": "text-embedding-3-small"},
         "min_similarity": 0.8, "partition": "shared"}, "unused": {"partition": "shared")");
  std::vector<std::string> paths;
  for (const Fault& fault : Policy::Warnings(text)) paths.push_back(fault.path);
  CHECK(paths == std::vector<std::string>{"backends.claude", "caches.unused"});
}

}  // namespace
}  // namespace weir::policy
