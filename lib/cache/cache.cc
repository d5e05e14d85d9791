#include "weir/cache.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "base/saturating.h"
#include "cache/memory.h"
#include "cache/search.h"
#include "cache/store.h"
#include "cache/vector.h"

namespace weir::cache {
namespace {

constexpr uint32_t kTries = 3;
// How many rows a purge looks at before it lets other writers on.
constexpr uint32_t kPurgedAtATime = 256;

uint32_t BinOf(float similarity) {
  if (!(similarity >= 0.5F)) return 0;
  return std::min<uint32_t>(1 + static_cast<uint32_t>((std::min(similarity, 1.0F) - 0.5F) * 100),
                            kSimilarityBins - 1);
}

void Count(Word& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

class SegmentCache final : public Cache {
 public:
  SegmentCache(const Memory& memory, uint32_t quota)
      : memory_(memory),
        seed_(Get(memory.header->seed)),
        rotation_(seed_, memory.layout.dimensions),
        store_(memory, &rotation_, quota) {}
  ~SegmentCache() override { delete centre_.load(std::memory_order_acquire); }

  Answer Lookup(const Query& query, Now now, std::string* value) override;
  void Confirm(const Answer& answer, bool is_given) override;
  absl::StatusOr<EntryId> Insert(const Entry& entry, Now now) override;
  bool Touch(EntryId entry, int64_t ttl_ns, Now now) override;
  bool Remove(EntryId entry) override;
  uint64_t PurgePartition(std::string_view partition) override;
  uint64_t PurgeModel(uint64_t model) override {
    return PurgeRows([&](uint32_t row) { return Get(memory_.rests[row].model) == model; });
  }
  uint64_t PurgeScope(uint64_t scope) override {
    return PurgeRows([&](uint32_t row) { return Get(memory_.rests[row].scope) == scope; });
  }
  uint64_t PurgeAll() override {
    return PurgeRows([](uint32_t) { return true; });
  }
  Stats GetStats() const override { return StatsOf(memory_); }

  // Puts right what a killed writer left.
  void Mend() { const Store::Session session(&store_); }

 private:
  Answer Find(const Query& query, int64_t now_ns, std::string* value);
  Answer FindByVector(const Query& query, Hash128 partition, int64_t now_ns, std::string* value);
  const Centre* GetCentre();
  bool Lives(EntryId entry) const;
  template <class Chosen>
  uint64_t PurgeRows(Chosen&& chosen);

  const Memory memory_;
  const uint64_t seed_;
  const Rotation rotation_;
  Store store_;
  // The process's own copy, once it is known.
  std::atomic<const Centre*> centre_{nullptr};
};

const Centre* SegmentCache::GetCentre() {
  const Centre* known = centre_.load(std::memory_order_acquire);
  if (known != nullptr || memory_.header->centre.load(std::memory_order_acquire) == 0) return known;
  auto centre = std::make_unique<Centre>();
  centre->mean.resize(memory_.layout.stride);
  for (size_t i = 0; i < centre->mean.size(); ++i) {
    centre->mean[i] = Get(memory_.mean[i]);
    centre->squared += centre->mean[i] * centre->mean[i];
  }
  for (uint32_t i = 0; i < kSketchBits; ++i) centre->turned[i] = Get(memory_.turned_mean[i]);
  if (centre_.compare_exchange_strong(known, centre.get(), std::memory_order_acq_rel)) {
    return centre.release();
  }
  return known;
}

Answer SegmentCache::Lookup(const Query& query, Now now, std::string* value) {
  const Answer answer = Find(query, now.unix_ns, value);
  if (query.is_tentative || answer.value_bytes > query.max_value_bytes) return answer;
  if (answer.found == Found::kMiss && query.is_probe) return answer;
  Confirm(answer, answer.found != Found::kMiss);
  return answer;
}

void SegmentCache::Confirm(const Answer& answer, bool is_given) {
  Counters& counters = memory_.header->counters;
  const bool is_hit = answer.found != Found::kMiss && is_given;
  if (is_hit && Lives(answer.entry)) MarkUsed(memory_, static_cast<uint32_t>(answer.entry));
  if (is_hit && answer.found == Found::kExact) return Count(counters.exact_hits);
  if (answer.similarity >= -1) Count(counters.similarities[BinOf(answer.similarity)]);
  if (is_hit) return Count(counters.semantic_hits);
  const Miss miss = answer.found == Found::kMiss ? answer.miss : Miss::kRefused;
  Count(counters.misses[std::min(static_cast<int>(miss), kMissReasons - 1)]);
}

Answer SegmentCache::Find(const Query& query, int64_t now_ns, std::string* value) {
  const Hash128 partition = SipHash(seed_, query.partition);
  const Hash128 key = KeyIn(partition, query.exact);
  KeyLookup by_key(memory_, partition, now_ns, query.max_value_bytes, value);
  Answer answer;
  Walk walk = Walk::kRaced;
  for (uint32_t i = 0; i < kTries && walk == Walk::kRaced; ++i) walk = by_key.Find(key, &answer);
  if (walk == Walk::kFound) return answer;
  const bool raced = walk == Walk::kRaced;
  if (query.vector.empty() || memory_.layout.dimensions == 0 || !(query.min_similarity <= 1)) {
    answer.miss = Miss::kNoVector;
  } else if (query.vector.size() != memory_.layout.dimensions) {
    answer.miss = Miss::kWrongDimension;
  } else {
    answer = FindByVector(query, partition, now_ns, value);
  }
  if (answer.found != Found::kMiss) return answer;
  const bool not_near = answer.miss == Miss::kNoVector || answer.miss == Miss::kEmptyPartition ||
                        answer.miss == Miss::kBelowThreshold;
  if (not_near && by_key.expired()) answer.miss = Miss::kExpired;
  if (not_near && raced) answer.miss = Miss::kRaced;
  return answer;
}

Answer SegmentCache::FindByVector(const Query& query, Hash128 partition, int64_t now_ns,
                                  std::string* value) {
  Answer answer;
  Prepared prepared;
  if (!rotation_.PrepareQuery(query.vector, &prepared)) {
    answer.miss = Miss::kBadVector;
    return answer;
  }
  for (uint32_t i = 0; i < kTries; ++i) {
    VectorLookup by_vector(memory_, partition, now_ns, value, prepared, GetCentre(), query);
    answer = Answer();
    if (by_vector.Find(&answer) != Walk::kRaced) return answer;
  }
  answer.miss = Miss::kRaced;
  return answer;
}

absl::Status CheckEntry(const Entry& entry, uint32_t dimensions) {
  if (!entry.vector.empty() && entry.vector.size() != dimensions) {
    return absl::InvalidArgumentError("vector: not of the cache's dimensions");
  }
  if (entry.value.size() > kMaxValueBytes) {
    return absl::InvalidArgumentError("value: over 64 MiB");
  }
  if (entry.ttl_ns < 0 || entry.ttl_ns > kMaxTtl) {
    return absl::InvalidArgumentError("ttl_ns: 0 to 366 days");
  }
  if (entry.worth > kMaxWorth) return absl::InvalidArgumentError("worth: 0 to 3");
  return absl::OkStatus();
}

int64_t EndOf(int64_t ttl_ns, Now now) {
  return ttl_ns == 0 ? INT64_MAX : SaturatingAdd(now.unix_ns, ttl_ns);
}

absl::StatusOr<EntryId> SegmentCache::Insert(const Entry& entry, Now now) {
  if (auto status = CheckEntry(entry, memory_.layout.dimensions); !status.ok()) return status;
  Prepared prepared;
  NewRow row;
  if (!entry.vector.empty()) {
    if (!rotation_.PrepareRow(entry.vector, &prepared)) {
      return absl::InvalidArgumentError("vector: zero, or not finite");
    }
    row.vector = &prepared;
  }
  row.partition = SipHash(seed_, entry.partition);
  row.key = KeyIn(row.partition, entry.exact);
  row.value = entry.value;
  row.created_ns = now.unix_ns;
  row.expires_ns = EndOf(entry.ttl_ns, now);
  row.embedder = EmbedderWord(entry.embedder);
  row.model = entry.model;
  row.scope = entry.scope;
  row.worth = entry.worth;
  const Store::Session session(&store_);
  store_.Sweep(now.unix_ns);
  const uint32_t number = store_.Insert(row);
  if (number == kNone) {
    Count(memory_.header->counters.refused);
    return absl::ResourceExhaustedError("no room for the entry");
  }
  return EntryOf(number, Get(memory_.rows[number].sequence));
}

bool SegmentCache::Lives(EntryId entry) const {
  const auto row = static_cast<uint32_t>(entry);
  const auto sequence = static_cast<uint32_t>(entry >> 32);
  return memory_.IsRow(row) && IsLive(sequence) &&
         memory_.rows[row].sequence.load(std::memory_order_acquire) == sequence;
}

bool SegmentCache::Touch(EntryId entry, int64_t ttl_ns, Now now) {
  const auto row = static_cast<uint32_t>(entry);
  if (!Lives(entry)) return false;
  MarkUsed(memory_, row);
  if (ttl_ns <= 0) return true;
  const Store::Session session(&store_);
  if (!Lives(entry)) return false;
  Set(memory_.rows[row].expires_ns, EndOf(std::min(ttl_ns, kMaxTtl), now));
  return true;
}

bool SegmentCache::Remove(EntryId entry) {
  if (!Lives(entry)) return false;
  const Store::Session session(&store_);
  if (!Lives(entry)) return false;
  store_.Remove(static_cast<uint32_t>(entry), Cause::kRemoved);
  return true;
}

uint64_t SegmentCache::PurgePartition(std::string_view partition) {
  const Hash128 hash = SipHash(seed_, partition);
  for (uint64_t removed = 0;;) {
    const Store::Session session(&store_);
    for (uint32_t i = 0; i < kPurgedAtATime; ++i, ++removed) {
      const uint32_t row = store_.AnyRowOf(hash);
      if (row == kNone) return removed;
      store_.Remove(row, Cause::kRemoved);
    }
  }
}

template <class Chosen>
uint64_t SegmentCache::PurgeRows(Chosen&& chosen) {
  uint64_t removed = 0;
  for (uint32_t first = 1; first <= memory_.layout.rows; first += kPurgedAtATime) {
    const Store::Session session(&store_);
    const uint32_t end = std::min(first + kPurgedAtATime, memory_.layout.rows + 1);
    for (uint32_t row = first; row < end; ++row) {
      if (!IsLive(Get(memory_.rows[row].sequence)) || !chosen(row)) continue;
      store_.Remove(row, Cause::kRemoved);
      ++removed;
    }
  }
  return removed;
}

}  // namespace

std::string_view MissName(Miss miss) {
  constexpr std::string_view kNames[kMissReasons] = {
      "none",           "no_vector",       "empty_partition", "below_threshold", "expired",
      "other_embedder", "wrong_dimension", "bad_vector",      "raced",           "refused"};
  return kNames[static_cast<int>(miss)];
}

absl::StatusOr<std::unique_ptr<Cache>> Cache::Create(state::Segment* segment, std::string_view name,
                                                     const CacheOptions& options) {
  return CreateWithCells(segment, name, options, kCellRows);
}

absl::StatusOr<std::unique_ptr<Cache>> CreateWithCells(state::Segment* segment,
                                                       std::string_view name,
                                                       const CacheOptions& options,
                                                       uint32_t cell_rows) {
  auto layout = PlanLayout(options, cell_rows);
  if (!layout.ok()) return layout.status();
  auto memory = OpenMemory(segment, name, *layout);
  if (!memory.ok()) return memory.status();
  {
    const state::LockHolder lock(memory->header->lock, segment->identity());
    const uint64_t found = memory->header->layout.load(std::memory_order_acquire);
    if (found == 0) {
      const uint64_t seeds[] = {segment->seed(), options.seed};
      const std::string_view both(reinterpret_cast<const char*>(seeds), sizeof(seeds));
      Set(memory->header->seed, SipHash(segment->seed(), both).lo);
      const Rotation rotation(0, layout->dimensions);  // there is nothing to turn yet
      Store(*memory, &rotation, 0).Repair();
      Set(memory->header->dimensions, layout->dimensions);
      Set(memory->header->max_entries, layout->rows);
      Set(memory->header->max_partitions, layout->partitions);
      Set(memory->header->pieces, layout->pieces);
      Set(memory->header->cell_rows, layout->cell_rows);
      memory->header->layout.store(layout->fingerprint, std::memory_order_release);
    } else if (found != layout->fingerprint) {
      return absl::FailedPreconditionError("the cache exists with other options");
    }
  }
  auto cache = std::make_unique<SegmentCache>(*memory, options.partition_quota);
  cache->Mend();
  return std::unique_ptr<Cache>(std::move(cache));
}

}  // namespace weir::cache
