// weir_cache_*: the similarity cache by itself.

#include "weir/cache.h"

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/saturating.h"
#include "handles.h"

struct weir_cache {
  std::shared_ptr<weir::state::Segment> segment;  // outlives what is made over it
  std::unique_ptr<weir::cache::Cache> cache;
};

namespace {

using weir::cache::Answer;
using weir::cache::Cache;
using weir::cache::CacheOptions;
using weir::cache::CacheReport;
using weir::cache::Found;
using weir::cache::Key;
using weir::cache::Miss;
using weir::cache::Stats;
using weir::capi::At;
using weir::capi::CopyOut;
using weir::capi::Fail;
using weir::capi::Guard;
using weir::capi::IsText;
using weir::capi::NullArgument;
using weir::capi::ReadPath;
using weir::capi::ReadSized;
using weir::capi::View;
using weir::capi::WriteSized;
using weir::state::Segment;

static_assert(static_cast<int>(Found::kSemantic) == WEIR_CACHE_SEMANTIC);
static_assert(static_cast<int>(Miss::kRaced) == WEIR_MISS_RACED);
static_assert(weir::cache::kMissReasons == WEIR_MISS_REFUSED + 1);

constexpr uint32_t kUsualValueBytes = 2048;
constexpr uint64_t kBytesForTheRest = uint64_t{1} << 20;

CacheOptions OptionsOf(const weir_cache_options& read) {
  CacheOptions options;
  options.dimensions = read.dimensions;
  if (read.max_entries != 0) options.max_entries = read.max_entries;
  if (read.max_partitions != 0) options.max_partitions = read.max_partitions;
  options.seed = read.seed;
  options.partition_quota = read.partition_quota;
  const uint32_t value_bytes = read.value_bytes != 0 ? read.value_bytes : kUsualValueBytes;
  options.bytes = read.bytes != 0 ? read.bytes : weir::cache::BytesFor(options, value_bytes);
  return options;
}

absl::StatusOr<std::shared_ptr<Segment>> SegmentFor(const weir_state* state,
                                                    const CacheOptions& options) {
  if (state != nullptr) return state->segment;
  weir::state::SegmentOptions segment;
  segment.bytes = weir::SaturatingAdd(options.bytes, kBytesForTheRest);
  segment.seed = options.seed;
  auto made = Segment::CreatePrivate(segment);
  if (!made.ok()) return made.status();
  return std::shared_ptr<Segment>(*std::move(made));
}

// The key of a query or an entry.
template <typename Struct>
Key KeyOf(const weir_cache& cache, const Struct& read) {
  if (read.key_size == 0) return {read.key_hi, read.key_lo};
  const weir::Hash128 hash = weir::SipHash(cache.segment->seed(), View(read.key, read.key_size));
  return {hash.hi, hash.lo};
}

// Whether its texts and its vector are what they say.
template <typename Struct>
bool IsWhole(const Struct& read) {
  return IsText(read.partition, read.partition_size) && IsText(read.key, read.key_size) &&
         (read.vector != nullptr || read.vector_size == 0);
}

void WriteStats(const Stats& stats, weir::json::Writer* writer) {
  writer->BeginObject().Key("entries").Uint(stats.entries);
  writer->Key("partitions").Uint(stats.partitions);
  writer->Key("exact_hits").Uint(stats.exact_hits);
  writer->Key("semantic_hits").Uint(stats.semantic_hits);
  writer->Key("misses").BeginObject();
  for (int i = 1; i < weir::cache::kMissReasons; ++i) {
    writer->Key(weir::cache::MissName(static_cast<Miss>(i))).Uint(stats.misses[i]);
  }
  writer->EndObject().Key("inserts").Uint(stats.inserts).Key("replaced").Uint(stats.replaced);
  writer->Key("evictions").Uint(stats.evictions);
  writer->Key("expirations").Uint(stats.expirations);
  writer->Key("removals").Uint(stats.removals).Key("refused").Uint(stats.refused);
  writer->Key("repairs").Uint(stats.repairs);
  writer->Key("value_bytes_used").Uint(stats.value_bytes_used);
  writer->Key("value_bytes").Uint(stats.value_bytes).Key("similarities").BeginArray();
  for (const uint64_t count : stats.similarities) writer->Uint(count);
  writer->EndArray().EndObject();
}

void WriteReport(const CacheReport& report, weir::json::Writer* writer) {
  writer->BeginObject().Key("name").String(report.name).Key("bytes").Uint(report.bytes);
  if (!report.is_readable) {
    for (const char* key : {"dimensions", "max_entries", "max_partitions", "expired",
                            "oldest_age_ms", "stats", "top"}) {
      writer->Key(key).Null();
    }
    writer->EndObject();
    return;
  }
  writer->Key("dimensions").Uint(report.dimensions).Key("max_entries").Uint(report.max_entries);
  writer->Key("max_partitions").Uint(report.max_partitions).Key("expired").Uint(report.expired);
  writer->Key("oldest_age_ms").Int(report.oldest_age_ns / weir::kMillisecond).Key("stats");
  WriteStats(report.stats, writer);
  writer->Key("top").BeginArray();
  for (const weir::cache::PartitionReport& partition : report.top) {
    writer->BeginObject().Key("partition_id").String(partition.id);
    writer->Key("entries").Uint(partition.entries);
    writer->Key("value_bytes").Uint(partition.value_bytes).EndObject();
  }
  writer->EndArray().EndObject();
}

weir_cache_answer Translated(const Answer& answer) {
  weir_cache_answer full = {};
  full.found = static_cast<int32_t>(answer.found);
  full.miss = static_cast<int32_t>(answer.miss);
  full.similarity = answer.similarity;
  full.similarity_error = answer.similarity_error;
  full.entry = answer.entry;
  full.age_ns = answer.age_ns;
  return full;
}

weir_status Gone(weir_error* error) { return Fail(error, WEIR_NOT_FOUND, "the entry is gone"); }

}  // namespace

weir_status weir_cache_new(weir_state* state, const char* name, size_t name_size,
                           const weir_cache_options* options, weir_cache** cache,
                           weir_error* error) {
  if (!IsText(name, name_size) || cache == nullptr) return NullArgument(error);
  weir_cache_options read;
  if (const weir_status status = ReadSized(options, &read, error); status != WEIR_OK) return status;
  return Guard(error, [&]() -> weir_status {
    const CacheOptions wanted = OptionsOf(read);
    auto segment = SegmentFor(state, wanted);
    if (!segment.ok()) return Fail(error, segment.status());
    auto handle = std::make_unique<weir_cache>();
    handle->segment = *std::move(segment);
    auto created = Cache::Create(handle->segment.get(), View(name, name_size), wanted);
    if (!created.ok()) return Fail(error, created.status());
    handle->cache = *std::move(created);
    *cache = handle.release();
    return WEIR_OK;
  });
}

weir_status weir_cache_lookup(weir_cache* cache, const weir_cache_query* query, const weir_now* now,
                              char* buffer, size_t capacity, size_t* needed,
                              weir_cache_answer* answer, weir_error* error) {
  if (cache == nullptr || query == nullptr || now == nullptr || !IsText(buffer, capacity) ||
      needed == nullptr || answer == nullptr) {
    return NullArgument(error);
  }
  if (answer->size < offsetof(weir_cache_answer, similarity)) {
    return Fail(error, WEIR_INVALID_ARGUMENT, "answer->size has no room for the answer");
  }
  return Guard(error, [&]() -> weir_status {
    weir_cache_query read;
    const weir_status status = ReadSized(query, &read, error);
    if (status != WEIR_OK) return status;
    if (!IsWhole(read)) return NullArgument(error);
    if (!(read.min_similarity >= 0 && read.min_similarity <= 1)) {
      return Fail(error, WEIR_INVALID_ARGUMENT, "min_similarity: 0 to 1");
    }
    weir::cache::Query asked;
    asked.partition = View(read.partition, read.partition_size);
    asked.exact = KeyOf(*cache, read);
    if (read.min_similarity > 0) asked.vector = {read.vector, read.vector_size};
    asked.min_similarity = read.min_similarity;
    asked.embedder = {read.embedder_id, read.embedder_epoch};
    asked.is_probe = read.is_probe != 0;
    asked.is_tentative = read.is_tentative != 0;
    asked.exclude = read.exclude;
    asked.max_value_bytes =
        static_cast<uint32_t>(std::min<size_t>(capacity, weir::cache::kMaxValueBytes));
    std::string value;
    const Answer found = cache->cache->Lookup(asked, At(*now), &value);
    *needed = found.value_bytes;
    if (found.value_bytes > capacity) {
      return Fail(error, WEIR_OUT_OF_RANGE, "the buffer is too small for the value");
    }
    if (!value.empty()) value.copy(buffer, value.size());
    WriteSized(Translated(found), answer);
    return WEIR_OK;
  });
}

weir_status weir_cache_confirm(weir_cache* cache, const weir_cache_answer* answer, int32_t is_given,
                               weir_error* error) {
  if (cache == nullptr || answer == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    weir_cache_answer read;
    const weir_status status = ReadSized(answer, &read, error);
    if (status != WEIR_OK) return status;
    if (read.found < WEIR_CACHE_MISS || read.found > WEIR_CACHE_SEMANTIC ||
        read.miss < WEIR_MISS_NONE || read.miss >= weir::cache::kMissReasons) {
      return Fail(error, WEIR_INVALID_ARGUMENT, "the answer is not a look-up's");
    }
    Answer told;
    told.found = static_cast<Found>(read.found);
    told.miss = static_cast<Miss>(read.miss);
    told.similarity = static_cast<float>(read.similarity);
    told.entry = read.entry;
    cache->cache->Confirm(told, is_given != 0);
    return WEIR_OK;
  });
}

weir_status weir_cache_insert(weir_cache* cache, const weir_cache_entry* entry, const weir_now* now,
                              uint64_t* entry_id, weir_error* error) {
  if (cache == nullptr || entry == nullptr || now == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    weir_cache_entry read;
    const weir_status status = ReadSized(entry, &read, error);
    if (status != WEIR_OK) return status;
    if (!IsWhole(read) || !IsText(read.value, read.value_size)) return NullArgument(error);
    if (read.worth > weir::cache::kMaxWorth) {
      return Fail(error, WEIR_INVALID_ARGUMENT, "worth: 0 to 3");
    }
    weir::cache::Entry kept;
    kept.partition = View(read.partition, read.partition_size);
    kept.exact = KeyOf(*cache, read);
    kept.vector = {read.vector, read.vector_size};
    kept.value = View(read.value, read.value_size);
    kept.ttl_ns = read.ttl_ns;
    kept.embedder = {read.embedder_id, read.embedder_epoch};
    kept.model = read.model;
    kept.scope = read.scope;
    kept.worth = static_cast<uint8_t>(read.worth);
    const auto id = cache->cache->Insert(kept, At(*now));
    if (!id.ok()) return Fail(error, id.status());
    if (entry_id != nullptr) *entry_id = *id;
    return WEIR_OK;
  });
}

weir_status weir_cache_touch(weir_cache* cache, uint64_t entry_id, int64_t ttl_ns,
                             const weir_now* now, weir_error* error) {
  if (cache == nullptr || now == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    return cache->cache->Touch(entry_id, ttl_ns, At(*now)) ? WEIR_OK : Gone(error);
  });
}

weir_status weir_cache_remove(weir_cache* cache, uint64_t entry_id, weir_error* error) {
  if (cache == nullptr) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    return cache->cache->Remove(entry_id) ? WEIR_OK : Gone(error);
  });
}

weir_status weir_cache_purge(weir_cache* cache, int32_t which, const char* partition,
                             size_t partition_size, uint64_t tag, uint64_t* removed,
                             weir_error* error) {
  if (cache == nullptr || !IsText(partition, partition_size)) return NullArgument(error);
  return Guard(error, [&]() -> weir_status {
    uint64_t count = 0;
    switch (which) {
      case WEIR_PURGE_ALL:
        count = cache->cache->PurgeAll();
        break;
      case WEIR_PURGE_PARTITION:
        count = cache->cache->PurgePartition(View(partition, partition_size));
        break;
      case WEIR_PURGE_MODEL:
        count = cache->cache->PurgeModel(tag);
        break;
      case WEIR_PURGE_SCOPE:
        count = cache->cache->PurgeScope(tag);
        break;
      default:
        return Fail(error, WEIR_INVALID_ARGUMENT, "there is no such purge");
    }
    if (removed != nullptr) *removed = count;
    return WEIR_OK;
  });
}

weir_status weir_cache_stats_json(const weir_cache* cache, char* buffer, size_t capacity,
                                  size_t* needed, weir_error* error) {
  if (cache == nullptr || !IsText(buffer, capacity) || needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    std::string json;
    weir::json::Writer writer(&json);
    WriteStats(cache->cache->GetStats(), &writer);
    return CopyOut(json, buffer, capacity, needed, error);
  });
}

weir_status weir_cache_miss_name(int32_t miss, const char** name, size_t* name_size) {
  if (name == nullptr || name_size == nullptr) return WEIR_INVALID_ARGUMENT;
  if (miss < 0 || miss >= weir::cache::kMissReasons) return WEIR_OUT_OF_RANGE;
  const std::string_view found = weir::cache::MissName(static_cast<Miss>(miss));
  *name = found.data();
  *name_size = found.size();
  return WEIR_OK;
}

void weir_cache_free(weir_cache* cache) { delete cache; }

weir_status weir_cache_report_json(const char* path, size_t path_size, uint32_t top,
                                   const weir_now* now, char* buffer, size_t capacity,
                                   size_t* needed, weir_error* error) {
  if (!IsText(path, path_size) || now == nullptr || !IsText(buffer, capacity) ||
      needed == nullptr) {
    return NullArgument(error);
  }
  return Guard(error, [&]() -> weir_status {
    std::string name, json;
    const weir_status status = ReadPath(path, path_size, &name, error);
    if (status != WEIR_OK) return status;
    const auto segment = Segment::OpenReadOnly(name);
    if (!segment.ok()) return Fail(error, segment.status());
    weir::json::Writer writer(&json);
    writer.BeginObject().Key("caches").BeginArray();
    for (const CacheReport& report : weir::cache::Inspect(**segment, top, At(*now))) {
      WriteReport(report, &writer);
    }
    writer.EndArray().EndObject();
    return CopyOut(json, buffer, capacity, needed, error);
  });
}
