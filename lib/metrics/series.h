// The series of one family: exact sums, and a set of label values that is read without a lock.

#ifndef WEIR_LIB_METRICS_SERIES_H_
#define WEIR_LIB_METRICS_SERIES_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "base/saturating.h"
#include "weir/metrics.h"

namespace weir::metrics {

using LabelValues = absl::Span<const std::string_view>;

// An exact 128-bit sum. Additions go to one atomic word; when that gets half full, half of its
// range is moved to the wide part. Reading sees both parts as of one move.
class Accumulator {
 public:
  void Add(uint64_t by) {
    if (by >= kLarge) return AddLarge(by);
    if (recent_.fetch_add(by, std::memory_order_relaxed) + by >= kFoldAt) Fold();
  }
  uint128 Total() const;

 private:
  // The word overflows only if 2^23 threads stand between their addition and their Fold().
  static constexpr uint64_t kFoldAt = uint64_t{1} << 63;
  static constexpr uint64_t kLarge = uint64_t{1} << 40;

  void AddLarge(uint64_t by);
  void Fold();

  std::atomic<uint64_t> recent_{0};
  mutable Mutex mutex_;
  uint128 folded_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One label set and its numbers: a counter or a histogram's sum in `sum`, a gauge in `gauge`.
class Series {
 public:
  Series(uint64_t hash, LabelValues labels, size_t buckets);

  bool Matches(uint64_t hash, LabelValues labels) const;
  std::string_view label(size_t i) const;
  size_t label_count() const { return label_count_; }
  uint64_t hash() const { return hash_; }

  Accumulator sum;
  std::atomic<int64_t> gauge{0};
  std::unique_ptr<std::atomic<uint64_t>[]> buckets;  // not cumulative; the last is +Inf

 private:
  const uint64_t hash_;
  size_t label_count_;
  std::string text_;  // all values, one after the other
  std::array<uint16_t, kMaxLabels> ends_{};
};

// Sorts by label values.
bool LabelsLess(const Series& a, const Series& b);

// Series are added and never removed, so a reader needs no lock: it probes a table of atomic
// pointers, and when the table grows the old one stays until the end (all of them together are no
// larger than the newest).
class SeriesSet {
 public:
  // `buckets` of each series.
  SeriesSet(size_t label_count, size_t buckets, uint32_t max_series);

  // The series of these values; a new one if there is room, else the one of "other".
  // labels.size() is label_count.
  Series* Get(LabelValues labels) {
    Series* known = Find(*table_.load(std::memory_order_acquire), Hash(labels), labels);
    return known != nullptr ? known : GetUnknown(labels);
  }

  void set_max_series(uint32_t max_series) {
    max_series_.store(max_series, std::memory_order_relaxed);
  }
  std::vector<const Series*> Sorted() const;

 private:
  struct Table {
    explicit Table(size_t size) : mask(size - 1), slots(new std::atomic<Series*>[size]()) {}
    size_t mask;
    std::unique_ptr<std::atomic<Series*>[]> slots;
  };

  static uint64_t Hash(LabelValues labels);
  static Series* Find(const Table& table, uint64_t hash, LabelValues labels);
  static void Insert(Series* series, Table* table);
  Series* GetUnknown(LabelValues labels);
  Series* Add(uint64_t hash, LabelValues labels) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Series* Other();
  Series* OtherLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t label_count_;
  const size_t buckets_;
  std::atomic<Table*> table_;
  std::atomic<uint32_t> max_series_;
  std::atomic<size_t> size_{0};  // without the one of "other"
  std::atomic<Series*> other_{nullptr};
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Series>> all_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Table>> tables_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace weir::metrics

#endif  // WEIR_LIB_METRICS_SERIES_H_
