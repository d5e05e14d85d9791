// The section caches: which answers are kept, whose they are, and what a request must have in
// common with another to get its answer.

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "policy/compiler.h"
#include "weir/cache.h"

namespace weir::policy {
namespace {

constexpr size_t kMaxPartitionParts = 8;
constexpr size_t kMaxIgnoredFields = 32;

// Embedding models whose dimensions everybody knows, and whether they can be asked for fewer.
struct KnownEmbedder {
  std::string_view model;
  uint32_t dimensions;
  bool can_shorten;
};
constexpr KnownEmbedder kKnownEmbedders[] = {{"text-embedding-3-small", 1536, true},
                                             {"text-embedding-3-large", 3072, true},
                                             {"text-embedding-ada-002", 1536, false}};

const KnownEmbedder* FindKnown(std::string_view model) {
  for (const KnownEmbedder& known : kKnownEmbedders) {
    if (known.model == model) return &known;
  }
  return nullptr;
}

std::vector<std::string_view> GuardNames() {
  std::vector<std::string_view> names;
  names.reserve(meaning::kGuards);
  for (int i = 0; i < meaning::kGuards; ++i) {
    names.push_back(meaning::GuardName(static_cast<meaning::Guard>(i)));
  }
  return names;
}

}  // namespace

cache::CacheOptions Cache::Options() const {
  constexpr uint32_t kFewestFrames = 64, kMostFrames = 65'536;
  cache::CacheOptions options;
  options.dimensions = embedding.dimensions;
  options.max_entries = max_entries;
  options.max_partitions = std::clamp(max_entries / 4, kFewestFrames, kMostFrames);
  options.bytes = max_bytes;
  options.partition_quota = partition_quota;
  return options;
}

void Compiler::ReadCache(std::string_view name, const Place& place) {
  Cache cache;
  cache.name = std::string(name);
  uint64_t max_entries = cache.max_entries;
  uint64_t quota = 0, messages = 0, max_messages = 0;
  const auto read_ignored = [&](const Place& at) {
    Names(at, &cache.ignored_fields);
    if (cache.ignored_fields.size() > kMaxIgnoredFields) {
      reader_.Complain(at, "at most 32 fields can be ignored");
    }
  };
  reader_.Object(
      place,
      {{"embedding", [&](const Place& at) { ReadEmbedding(at, &cache.embedding); }},
       {"min_similarity", [&](const Place& at) { reader_.Share(at, &cache.min_similarity); }},
       {"max_distance",
        [&](const Place& at) {
          double distance = 0;
          reader_.Share(at, &distance);
          cache.min_similarity = 1 - distance;
        }},
       {"guards", [&](const Place& at) { ReadGuards(at, &cache.guards); }},
       {"verifier", [&](const Place& at) { ReadVerifier(at, &cache.verifier); }},
       {"max_error_rate", [&](const Place& at) { reader_.Share(at, &cache.max_error_rate); }},
       {"confidence", [&](const Place& at) { reader_.Share(at, &cache.confidence); }},
       {"verify_share", [&](const Place& at) { reader_.Share(at, &cache.verify_share); }},
       {"partition", [&](const Place& at) { ReadPartition(at, &cache); }, true},
       {"ttl",
        [&](const Place& at) { reader_.Duration(at, kSecond, cache::kMaxTtl, &cache.ttl_ns); }},
       {"max_entries",
        [&](const Place& at) { reader_.Integer(at, 1, cache::kMaxEntries, &max_entries); }},
       {"max_bytes",
        [&](const Place& at) {
          reader_.Bytes(at, uint64_t{1} << 20, uint64_t{1} << 38, &cache.max_bytes);
        }},
       {"max_entries_per_partition",
        [&](const Place& at) { reader_.Integer(at, 1, cache::kMaxEntries, &quota); }},
       {"max_answer_bytes",
        [&](const Place& at) {
          reader_.Bytes(at, 1024, cache::kMaxValueBytes / 2, &cache.max_answer_bytes);
        }},
       {"messages", [&](const Place& at) { reader_.Integer(at, 1, 1000, &messages); }},
       {"max_messages", [&](const Place& at) { reader_.Integer(at, 1, 1000, &max_messages); }},
       {"ignore_system", [&](const Place& at) { reader_.Bool(at, &cache.ignores_system); }},
       {"ignore_fields", read_ignored},
       {"charge_hits", [&](const Place& at) { reader_.Bool(at, &cache.charges_hits); }},
       {"coalesce",
        [&](const Place& at) { reader_.Duration(at, 0, 10 * kMinute, &cache.coalesce_ns); }}});
  cache.max_entries = static_cast<uint32_t>(max_entries);
  cache.partition_quota = static_cast<uint32_t>(quota);
  cache.messages = static_cast<uint32_t>(messages);
  cache.max_messages = static_cast<uint32_t>(max_messages);
  if (cache.max_error_rate < 1 && !place.value["verify_share"]) cache.verify_share = 0.125;
  CheckCache(place, cache);
  plan_.caches.push_back(std::move(cache));
}

// "lexical", or whom to ask.
void Compiler::ReadEmbedding(const Place& place, Embedding* embedding) {
  constexpr std::string_view kWords[] = {"lexical"};
  embedding->dimensions = meaning::LexicalEmbedder::kDefaultDimension;
  if (place.value.Is(json::Type::kString)) {
    embedding->by = Embedding::By::kLexical;
    embedding->epoch = meaning::LexicalEmbedder::kEpoch;
    size_t word = 0;
    return reader_.Word(place, kWords, &word);
  }
  std::optional<uint32_t> backend;
  std::string host;
  uint64_t dimensions = 0, epoch = 1;
  reader_.Object(
      place,
      {{"backend",
        [&](const Place& at) { backend = Reference(at, "backend", NamesOf(plan_.backends)); }},
       {"model", [&](const Place& at) { reader_.String(at, &embedding->model); }},
       {"host", [&](const Place& at) { reader_.String(at, &host); }},
       {"dimensions",
        [&](const Place& at) {
          reader_.Integer(at, cache::kMinDimensions, cache::kMaxDimensions, &dimensions);
        }},
       {"epoch", [&](const Place& at) { reader_.Integer(at, 1, 1'000'000'000, &epoch); }},
       {"deadline", [&](const Place& at) {
          reader_.Duration(at, kMillisecond, kMinute, &embedding->deadline_ns);
        }}});
  embedding->epoch = static_cast<uint32_t>(epoch);
  const bool by_host = static_cast<bool>(place.value["host"]);
  if (by_host == static_cast<bool>(place.value["backend"])) {
    return reader_.Complain(place, R"(expected either "backend" (an embeddings service) or "host" )"
                                   R"((the host's own embedder, by any name), or "lexical")");
  }
  embedding->by = by_host ? Embedding::By::kHost : Embedding::By::kBackend;
  if (by_host) embedding->model = host;
  if (backend) {
    embedding->backend = *backend;
    const Backend& asked = plan_.backends[*backend];
    if (!dialects::SameFamily(asked.dialect, dialects::Dialect::kOpenAi)) {
      reader_.Complain(
          place.Member(place.value["backend"]),
          Concat({"embeddings are asked for in OpenAI's dialect, and the backend \"", asked.name,
                  "\" speaks \"", dialects::DialectName(asked.dialect), "\""}));
    }
  }
  if (embedding->model.empty()) {
    reader_.Complain(place, R"("model" is missing: vectors of two models are never compared)");
  }
  const KnownEmbedder* known = FindKnown(embedding->model);
  if (dimensions == 0 && known == nullptr) {
    return reader_.Complain(place, Concat({"\"dimensions\" is missing: weir does not know how many "
                                           "\"",
                                           embedding->model, "\" gives"}));
  }
  embedding->dimensions = dimensions != 0 ? static_cast<uint32_t>(dimensions) : known->dimensions;
  embedding->asks_dimensions =
      known != nullptr && known->can_shorten && embedding->dimensions != known->dimensions;
}

// A list of expressions, or "shared".
void Compiler::ReadPartition(const Place& place, Cache* cache) {
  if (place.value.Is(json::Type::kString)) {
    constexpr std::string_view kWords[] = {"shared"};
    size_t word = 0;
    return reader_.Word(place, kWords, &word);
  }
  reader_.Array(place, [&](const Place& at) {
    if (auto program = ReadExpression(at)) cache->partition.push_back(std::move(program));
  });
  if (!place.value.Is(json::Type::kArray)) return;
  if (place.value.size() == 0) {
    reader_.Complain(place, R"(name what tells tenants apart, such as ["consumer.team"]; "shared" )"
                            "lets everybody have everybody's answers");
  }
  if (place.value.size() > kMaxPartitionParts) {
    reader_.Complain(place, "a partition has at most 8 parts");
  }
}

// "default", "all", "none", or the names of those that are on.
void Compiler::ReadGuards(const Place& place, meaning::GuardSet* guards) {
  if (place.value.Is(json::Type::kString)) {
    constexpr std::string_view kWords[] = {"default", "all", "none"};
    constexpr meaning::GuardSet kSets[] = {meaning::kDefaultGuards, meaning::kAllGuards, 0};
    size_t word = 0;
    reader_.Word(place, kWords, &word);
    *guards = kSets[word];
    return;
  }
  *guards = 0;
  reader_.Array(place, [&](const Place& at) {
    size_t guard = 0;
    reader_.Word(at, GuardNames(), &guard);
    *guards |= meaning::Only(static_cast<meaning::Guard>(guard));
  });
}

void Compiler::ReadVerifier(const Place& place, Verifier* verifier) {
  verifier->is_set = true;
  reader_.Object(
      place,
      {{"backend",
        [&](const Place& at) {
          const auto backend = Reference(at, "backend", NamesOf(plan_.backends));
          if (!backend) return;
          verifier->backend = *backend;
          const Backend& asked = plan_.backends[verifier->backend];
          if (dialects::SameFamily(asked.dialect, dialects::Dialect::kOpenAi)) return;
          reader_.Complain(
              at, Concat({"a verifier is asked in OpenAI's dialect, and the backend \"", asked.name,
                          "\" speaks \"", dialects::DialectName(asked.dialect), "\""}));
        },
        true},
       {"model", [&](const Place& at) { reader_.String(at, &verifier->model); }, true},
       {"deadline", [&](const Place& at) {
          reader_.Duration(at, kMillisecond, kMinute, &verifier->deadline_ns);
        }}});
}

// What is promised of the answers that are given, and what has to be tried for it.
void Compiler::CheckLearning(const Place& place, const Cache& cache) {
  const auto complain = [&](const char* word, std::string message) {
    const json::Value at = place.value[word];
    if (at) reader_.Complain(place.Member(at), std::move(message));
  };
  if (cache.max_error_rate == 0) {
    complain("max_error_rate", "no error at all can only be promised by giving nothing");
  }
  if (cache.confidence < 0.5 || cache.confidence == 1) {
    complain("confidence", "expected a number from 0.5 to 0.999999");
  }
  if (cache.max_error_rate == 1) {
    complain("confidence", R"(without "max_error_rate" nothing is promised)");
  } else if (cache.verify_share == 0) {
    complain("verify_share", "an error rate that nobody looks at cannot be promised");
  }
}

void Compiler::CheckCache(const Place& place, const Cache& cache) {
  const bool by_meaning = cache.embedding.by != Embedding::By::kNobody;
  const bool similarity = static_cast<bool>(place.value["min_similarity"]);
  const bool distance = static_cast<bool>(place.value["max_distance"]);
  if (by_meaning && similarity == distance) {
    reader_.Complain(place, R"(expected exactly one of "min_similarity" (higher is stricter) and )"
                            R"("max_distance" (1 - similarity: lower is stricter))");
  }
  for (const char* word : {"min_similarity", "max_distance", "guards", "messages", "max_messages",
                           "verifier", "max_error_rate", "confidence", "verify_share"}) {
    if (!place.value[word] || by_meaning) continue;
    reader_.Complain(place.Member(place.value[word]),
                     R"(without "embedding" requests are found by their exact key only)");
  }
  CheckLearning(place, cache);
  const cache::CacheOptions options = cache.Options();
  const uint64_t least = cache::BytesFor(options, 0);
  if (cache.max_bytes < least) {
    const json::Value at = place.value["max_bytes"];
    reader_.Complain(at ? place.Member(at) : place,
                     Concat({std::to_string(cache.max_entries), " entries of ",
                             std::to_string(options.dimensions), " dimensions need at least ",
                             std::to_string((least >> 20) + 1),
                             "MiB in \"max_bytes\", before any answer is kept"}));
  }
}

}  // namespace weir::policy
