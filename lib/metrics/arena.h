// The series of all families, in a segment that several processes map.
//
// One region: a header, a table of where series lie, and then the series and their numbers, one
// after the other, in lines of 64 bytes. Nothing is ever given back, and nothing that is published
// moves, so a reader needs no lock: it probes the table. Whoever adds holds the one lock, writes a
// series and publishes it by the last store, into the table; what a process that dies before that
// has taken stays unused.

#ifndef WEIR_LIB_METRICS_ARENA_H_
#define WEIR_LIB_METRICS_ARENA_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/base/optimization.h"
#include "absl/status/statusor.h"
#include "metrics/labels.h"
#include "metrics/words.h"
#include "state/spin_lock.h"
#include "weir/state.h"

namespace weir::metrics {

// Threads spread over so many copies of a series' numbers.
inline constexpr uint32_t kShards = 8;
inline constexpr size_t kLine = 64;

// One label set of one family or group; its label values lie behind it.
struct alignas(kLine) Series {
  uint64_t hash;
  uint64_t schema;                       // whose it is
  std::atomic<uint32_t> cells[kShards];  // lines from the arena's begin; 0 = not made yet
  std::atomic<uint32_t> members;         // of the series of "other": how many others there are
  std::atomic<uint32_t> used;            // of the series of "other": something was told of it
  uint32_t label_count;
  uint32_t words;  // of each copy

  // Behind it: where each value ends, then the values.
  uint16_t* ends() { return reinterpret_cast<uint16_t*>(this + 1); }
  const uint16_t* ends() const { return reinterpret_cast<const uint16_t*>(this + 1); }
  const char* text() const { return reinterpret_cast<const char*>(ends() + label_count); }
  std::string_view label(size_t i) const {
    const size_t begin = i == 0 ? 0 : ends()[i - 1];
    return {text() + begin, ends()[i] - begin};
  }
  bool Matches(LabelValues labels) const {
    for (size_t i = 0; i < labels.size(); ++i) {
      if (label(i) != labels[i]) return false;
    }
    return true;
  }
};

struct ArenaHeader;

class Arena {
 public:
  // See Registry::Open.
  static absl::StatusOr<Arena> Open(state::Segment* segment, size_t bytes);

  size_t bytes() const;
  uint64_t seed() const { return seed_; }
  // Becomes another when a series is added.
  uint32_t series_count() const;
  std::vector<const Series*> SeriesOf(uint64_t schema) const;
  std::vector<const Series*> AllSeries() const;

  // Null when there is none. A schema's series all have the same number of labels.
  Series* Find(uint64_t schema, uint64_t hash, LabelValues labels) const {
    hash ^= schema;
    for (uint32_t i = static_cast<uint32_t>(hash) & mask_;; i = (i + 1) & mask_) {
      const uint32_t line = table_[i].load(std::memory_order_acquire);
      if (line == 0) return nullptr;
      auto* series = static_cast<Series*>(At(line));
      if (series->hash == hash && series->schema == schema && series->Matches(labels)) {
        return series;
      }
    }
  }
  // Adds it if nobody has; null when there is no room. `words` is how many numbers it has. Counts
  // it with `other`, unless that is null or has `max` members already: then `other` is returned.
  Series* Add(uint64_t schema, uint64_t hash, LabelValues labels, size_t words, Series* other,
              uint32_t max) const;

  // This thread's copy of the numbers.
  Word* CellsOf(Series* series, size_t words) const {
    const uint32_t shard = Shard();
    const uint32_t line = series->cells[shard].load(std::memory_order_acquire);
    if (ABSL_PREDICT_TRUE(line != 0)) return static_cast<Word*>(At(line));
    return MoreCells(series, shard, words);
  }
  // Null where there is no copy of its own.
  Word* CellsOf(const Series& series, uint32_t shard) const {
    const uint32_t line = series.cells[shard].load(std::memory_order_acquire);
    if (line == 0) return nullptr;
    if (shard != 0 && line == series.cells[0].load(std::memory_order_relaxed)) return nullptr;
    return static_cast<Word*>(At(line));
  }
  // Where the first copy lies, in words from the arena's begin: a place of its own for each series.
  static size_t PlaceOf(const Series& series) {
    return size_t{series.cells[0].load(std::memory_order_relaxed)} * (kLine / sizeof(Word));
  }

  void NoteTime(int64_t unix_ns) const;
  int64_t start_unix_ns() const;

 private:
  Arena(ArenaHeader* header, const state::Segment& segment);
  void* At(uint32_t line) const { return base_ + size_t{line} * kLine; }
  uint32_t Shard() const;
  uint32_t Take(size_t bytes) const;
  Word* MoreCells(Series* series, uint32_t shard, size_t words) const;

  char* base_;
  std::atomic<uint32_t>* table_;
  uint32_t mask_;
  uint64_t seed_;
  const state::Identity* identity_;
};

}  // namespace weir::metrics

#endif  // WEIR_LIB_METRICS_ARENA_H_
