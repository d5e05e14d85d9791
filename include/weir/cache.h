// weir/cache.h: a similarity cache: opaque values, found by an exact key or by a vector near
// enough.
//
// It knows nothing of prompts, of embedding services or of policies. Who asks brings a partition (a
// tenant, say), a 128-bit key of the request, and a vector of what it means; back comes the value
// of that very key, or of the most similar vector of the same partition, or the reason why not.
//
//   auto segment = weir::state::Segment::CreatePrivate({size_t{1} << 30, seed});
//   weir::cache::CacheOptions options;
//   options.dimensions = 1536;
//   options.max_entries = 100'000;
//   options.bytes = weir::cache::BytesFor(options, 2048);
//   auto cache = *weir::cache::Cache::Create(segment->get(), "faq", options);
//   std::string value;
//   auto answer = cache->Lookup({"team-red", key, vector, 0.95, embedder}, now, &value);
//   if (answer.found == weir::cache::Found::kMiss) {
//     ...ask the model...
//     cache->Insert({"team-red", key, vector, answer_text, 3600 * weir::kSecond, embedder}, now);
//   }
//
// Who has a judgement of his own (weir/meaning.h, say) looks up tentatively, refuses what does not
// do and asks for the next best:
//
//   query.is_tentative = true;
//   auto answer = cache->Lookup(query, now, &value);
//   if (answer.found == weir::cache::Found::kSemantic && !IsGood(value)) {
//     query.exclude = {&answer.entry, 1};
//     ...look up again...
//   }
//   cache->Confirm(answer, is_given);
//
// How it is kept:
// - Partitions are apart by structure: the rows of each hang in blocks of its own, and a look-up
//   reads no other partition's blocks. Each row carries 64 bits of its partition's keyed 128-bit
//   hash too, which are compared before anything of the row is used.
// - Vectors are scaled to length 1 and rotated, which changes no similarity but evens out
//   components far larger than the rest, as real embedders have; then kept as int8 with a scale of
//   their own. float32 is not kept. The vector asked about is taken as 13-bit integers, so that the
//   similarity reported is one integer product, the same on every processor. It differs from the
//   true cosine by at most the length of what rounding cut off the kept vector, about 0.009 at 1536
//   dimensions, and in truth, since rounding errors do not line up with anything, by less than
//   Answer::similarity_error, four times their standard deviation: about 0.001. Decisions are by
//   the similarity reported: a vector nearer to the threshold than its error may fall either way.
// - A look-up goes over sketches of 256 bits first: signs after a random rotation (the random
//   hyperplanes of Charikar, "Similarity estimation techniques from rounding algorithms", 2002,
//   made by fast Hadamard transforms as in Ailon and Chazelle's), around the mean of the cache's
//   first vectors, since real embeddings share a large component. Rows whose sketch is further off
//   than the threshold's angle allows, 3.5 standard deviations added, are passed over, and before
//   that those whose first 128 bits are, with 3: not two true hits in a thousand, of those that
//   lie just at the threshold. A low threshold (about 0.75 where unrelated texts come to 0.7) lets
//   most sketches pass; the look-up then compares most vectors.
// - The rows of a partition of 2,048 and more hang in cells (an inverted file: Sivic and Zisserman,
//   "Video Google", 2003), each row in the one whose direction from the mean is nearest to its own,
//   of 256 components of the rotated vector. There is room for cells in at least one partition for
//   each 16,384 entries. A cell of 1,024 rows is split in two by two means, and one that has lost
//   most rows gives the others away; rows that are nearer to another cell since are moved by the
//   next inserts, some at a time. A look-up goes over all cells' directions and reads the sketches
//   of those that may hold a row near enough: a row is nearest to its own cell, and what a vector
//   within the threshold's angle differs from it by points anywhere, so its scores with two cells
//   differ by no more than chance has them, 3.25 standard deviations allowed for. That is few cells
//   where vectors come in clusters, as what people ask does, more at a low threshold or where all
//   are far from each other. Of true hits just at the threshold it passes over one in 1,000 among
//   tens of thousands of rows, and one in 200 among a million.
// - Who gives way when it is full is chosen by SIEVE (Zhang et al., "SIEVE is Simpler than LRU",
//   NSDI 2024), of which an entry of higher `worth` gets further rounds; expired entries go first.
//   The hand passes over at most 256 entries at a time.
//
// Time: Now::unix_ns, since entries outlive a restart of the machine. A step backward makes entries
// younger, never of negative age.
//
// Threads and processes: any, any time. All of it lives in the segment; a file is shared by whoever
// maps it, and warm after a restart. Look-ups take no lock and never wait: what a writer is at work
// on, they miss. Writers take one lock per cache. A process may be killed at any instruction: what
// it was writing is no entry, and the next writer puts lists and free space in order again, which
// takes about a microsecond an entry, and up to four where there are cells, while look-ups go on
// (and may miss).
//
// Cost: a look-up by vector reads about 16 bytes for each row of its partition, or of the cells it
// looks into, and 256 bytes for each cell: one of 10,000 rows takes about 4 microseconds, of
// 100,000 some 13, of 1,000,000 some 200. An insert takes 1 to 3 microseconds. While a partition of
// many cells grows it is up to 15 on average: one in some hundred splits a cell or moves rows,
// which takes up to half a millisecond. Memory: `dimensions` + 160 bytes an entry at most with a
// half-full block to spare, 1,216 bytes a partition, and values in pieces of 256 bytes.

#ifndef WEIR_CACHE_H_
#define WEIR_CACHE_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/base.h"
#include "weir/state.h"

namespace weir::cache {

inline constexpr uint32_t kMinDimensions = 8, kMaxDimensions = 4096;
inline constexpr uint32_t kMaxEntries = uint32_t{1} << 24;
inline constexpr uint32_t kMaxPartitions = uint32_t{1} << 20;
inline constexpr uint32_t kMaxValueBytes = uint32_t{64} << 20;
inline constexpr int64_t kMaxTtl = 366 * kDay;
inline constexpr uint8_t kMaxWorth = 3;

struct CacheOptions {
  // Whoever makes the cache decides these; the next must bring the same, but for the seed.
  uint32_t dimensions = 0;         // kMinDimensions … kMaxDimensions; 0: exact keys only
  uint32_t max_entries = 10'000;   // 1 … kMaxEntries
  uint32_t max_partitions = 1024;  // 1 … kMaxPartitions
  uint64_t bytes = 0;              // of the segment, for everything: see BytesFor
  uint64_t seed = 0;               // of hashes and of the rotation, beside the segment's
  // Each process its own.
  uint32_t partition_quota = 0;  // entries a partition; the next one takes the place of one of its
                                 // own. 0: no quota
};

// What `bytes` must be for max_entries values of `value_bytes` each. 0 when the options are out of
// range.
uint64_t BytesFor(const CacheOptions& options, uint32_t value_bytes);

// The exact key: 128 bits of a good hash of everything that may change the answer.
struct Key {
  uint64_t hi = 0, lo = 0;
};

// What made a vector. Vectors of two embedders, or of two epochs of one, are never compared.
struct Embedder {
  uint64_t id = 0;
  uint32_t epoch = 0;
};

// An entry, as long as it lives; the number of a dead one is not given again before 2^30 others
// had its place. 0: none.
using EntryId = uint64_t;

struct Query {
  std::string_view partition = {};  // any bytes, also none
  Key exact = {};
  absl::Span<const float> vector = {};  // of any length above 0; empty: by the exact key only
  double min_similarity = 1;            // cosine, -1 … 1; more than 1 finds by the exact key only
  Embedder embedder = {};
  bool is_probe = false;  // another look-up for the same request may follow: a miss is not counted
  // Whoever asks judges what is found before it is used: nothing is counted until Confirm.
  bool is_tentative = false;
  absl::Span<const EntryId> exclude = {};  // not found by meaning: those that were refused; a few
  uint32_t max_value_bytes = kMaxValueBytes;  // a longer one is found, but neither copied nor
                                              // counted: whoever asks comes again
};

enum class Found : uint8_t { kMiss, kExact, kSemantic };

enum class Miss : uint8_t {
  kNone,            // it was found
  kNoVector,        // not by key, and there was no vector, or the cache keeps none
  kEmptyPartition,  // the partition has no entries
  kBelowThreshold,  // Answer::similarity has the nearest that was looked at
  kExpired,         // there was one, and its time is over
  kOtherEmbedder,   // all that looked near are of other embedders
  kWrongDimension,  // the vector has not as many dimensions as the cache
  kBadVector,       // a vector of zeros, or with a NaN or an infinity
  kRaced,           // writers were faster, three times in a row
  kRefused,         // something was found, and whoever asked refused it: of Confirm
};
inline constexpr int kMissReasons = 10;

// "none", "no_vector", "empty_partition", "below_threshold", "expired", "other_embedder",
// "wrong_dimension", "bad_vector", "raced", "refused".
std::string_view MissName(Miss miss);

struct Answer {
  Found found = Found::kMiss;
  Miss miss = Miss::kNone;
  // 1 when found by key. Of the nearest that was looked at when kBelowThreshold; below -1 when
  // nothing was compared.
  float similarity = -2;
  float similarity_error = 0;
  EntryId entry = 0;
  int64_t age_ns = 0;
  uint32_t value_bytes = 0;  // of what was found
};

struct Entry {
  std::string_view partition = {};
  Key exact = {};
  absl::Span<const float> vector = {};  // empty: found by its key only
  std::string_view value = {};
  int64_t ttl_ns = 0;  // 1 … kMaxTtl; 0: no end
  Embedder embedder = {};
  uint64_t model = 0, scope = 0;  // tags to purge by
  uint8_t worth = 0;  // 0 … kMaxWorth: how many rounds longer it stays than one of worth 0
};

inline constexpr int kSimilarityBins = 51;

// Sums of all processes since the cache was made. Counted apart from each other: not one instant.
struct Stats {
  uint64_t exact_hits = 0, semantic_hits = 0;
  std::array<uint64_t, kMissReasons> misses = {};  // by Miss
  uint64_t inserts = 0, replaced = 0;              // replaced: of them, had a key that was there
  uint64_t evictions = 0;                          // to make room, for a quota too
  uint64_t expirations = 0;                        // whose room was taken back
  uint64_t removals = 0;                           // by Remove and the purges
  uint64_t refused = 0;                            // inserts without room
  uint64_t repairs = 0;                            // after a writer that was killed
  // Of the nearest that each look-up by vector compared, in steps of 0.01: [0] is below 0.5,
  // [50] from 0.99 on.
  std::array<uint64_t, kSimilarityBins> similarities = {};
  uint32_t entries = 0, partitions = 0;
  uint64_t value_bytes_used = 0, value_bytes = 0;  // in whole pieces
};

class Cache {
 public:
  // The cache `name` (at most 40 bytes) of a segment, which must outlive it; made on first use.
  // INVALID_ARGUMENT names the option out of range; FAILED_PRECONDITION: it exists with other
  // options; RESOURCE_EXHAUSTED: no room in the segment.
  static absl::StatusOr<std::unique_ptr<Cache>> Create(state::Segment* segment,
                                                       std::string_view name,
                                                       const CacheOptions& options);
  virtual ~Cache() = default;

  // The value of the key, else of the most similar vector that reaches min_similarity, copied to
  // `value` (which is otherwise left alone). A hit counts as use. Takes no lock.
  virtual Answer Lookup(const Query& query, Now now, std::string* value) = 0;

  // Says what became of the answer of a tentative look-up, once for however many were made for one
  // request: a hit that was given is counted, and counts as use; one that was refused is a miss.
  // Misses are counted for what they are.
  virtual void Confirm(const Answer& answer, bool is_given) = 0;

  // Keeps a value, in place of the one of the same partition and key if there is one. Others give
  // way if need be. INVALID_ARGUMENT: something is out of range, or the vector is not of this
  // cache's dimensions or has no direction. RESOURCE_EXHAUSTED: a value larger than all the room
  // there is, or too many partitions of many entries each.
  virtual absl::StatusOr<EntryId> Insert(const Entry& entry, Now now) = 0;

  // Counts as use; with a `ttl_ns` above 0 it lives that long from now. False: it is gone.
  virtual bool Touch(EntryId entry, int64_t ttl_ns, Now now) = 0;

  // False: it was gone.
  virtual bool Remove(EntryId entry) = 0;

  // How many were removed. What is inserted meanwhile may stay. The lock is given up every few
  // hundred entries, so that other writers get on.
  virtual uint64_t PurgePartition(std::string_view partition) = 0;
  virtual uint64_t PurgeModel(uint64_t model) = 0;
  virtual uint64_t PurgeScope(uint64_t scope) = 0;
  virtual uint64_t PurgeAll() = 0;

  virtual Stats GetStats() const = 0;
};

// A cache of a segment, for people who look: figures and hashes, never a key, a vector or a value.
struct PartitionReport {
  std::string id;  // its keyed hash, 32 hex digits
  uint32_t entries = 0;
  uint64_t value_bytes = 0;
};
struct CacheReport {
  std::string name;
  bool is_readable = false;  // false: of another layout, or damaged; `bytes` is all that is known
  uint64_t bytes = 0;
  uint32_t dimensions = 0, max_entries = 0, max_partitions = 0;
  uint32_t expired = 0;       // of the entries, whose room nobody has taken back yet
  int64_t oldest_age_ns = 0;  // of the entries
  Stats stats;
  std::vector<PartitionReport> top;  // the partitions with most entries, most first
};

// What caches a segment holds, in the order in which they were made, with at most `top` partitions
// of each. Only reads, takes no lock and asks nothing of processes at work, so a segment that is
// opened read-only will do; the figures may be of several moments. Takes about 10 ns an entry.
std::vector<CacheReport> Inspect(const state::Segment& segment, uint32_t top, Now now);

}  // namespace weir::cache

#endif  // WEIR_CACHE_H_
