// A family or group as registered: what its instruments are called, and where their words lie.

#ifndef WEIR_LIB_METRICS_FAMILY_H_
#define WEIR_LIB_METRICS_FAMILY_H_

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "metrics/arena.h"
#include "weir/metrics.h"

namespace weir::metrics {

// An instrument ready to be counted in and shown.
struct Meter {
  Meter(Instrument instrument, size_t first);

  size_t words() const { return points * point_words; }
  size_t sum_word() const { return spec.kind == Kind::kHistogram ? spec.bounds.size() + 1 : 0; }
  // The names its lines have.
  std::vector<std::string> SampleNames() const;

  Instrument spec;
  std::string name;                 // in Prometheus text
  std::vector<std::string> labels;  // its own, as that spells them
  size_t points = 1;
  size_t first_word = 0;
  size_t point_words = 0;
};

// What one point of one series comes to: of a histogram its buckets (not cumulative), the sum, the
// exemplar; of a counter the sum; of a gauge the value.
using PointWords = std::vector<uint64_t>;

class Entry {
 public:
  // A lone family shows what it has, a group what something was added to.
  Entry(const Group& group, bool is_lone);

  absl::Status Check() const;
  // Whether some line of one could be taken for one of the other's.
  absl::Status CheckApart(const Entry& existing) const;
  bool SameAs(const Entry& other) const { return schema_ == other.schema_; }
  uint64_t schema() const { return schema_; }
  // Makes ready to count; RESOURCE_EXHAUSTED when there is no room.
  absl::Status Settle(const Arena& arena);

  const std::string& name() const { return group_.name; }
  const std::vector<std::string>& label_names() const { return group_.labels; }
  const std::vector<std::string>& labels() const { return labels_; }  // as spelled
  const std::vector<Meter>& meters() const { return meters_; }
  Kind kind() const { return meters_[0].spec.kind; }
  size_t words() const { return words_; }
  bool is_lone() const { return is_lone_; }

  void set_max_series(uint32_t max) { max_series_.store(max, std::memory_order_relaxed); }
  uint32_t max_series() const { return max_series_.load(std::memory_order_relaxed); }

  // The series of these values, a new one if there is room, else that of "other".
  Series* Get(const Arena& arena, LabelValues labels) {
    Series* series = arena.Find(schema_, HashLabels(arena.seed(), labels), labels);
    if (series == nullptr) series = GetUnknown(arena, labels);
    if (series == other_ && series->used.load(std::memory_order_relaxed) == 0) {
      series->used.store(1, std::memory_order_relaxed);
    }
    return series;
  }
  // Those that are to be shown, sorted by their label values.
  std::vector<const Series*> Sorted(const Arena& arena) const;

 private:
  absl::Status CheckLabels(const Meter& meter) const;
  absl::Status CheckMeter(const Meter& meter) const;
  Series* GetUnknown(const Arena& arena, LabelValues labels) const;

  const Group group_;
  const bool is_lone_;
  std::vector<std::string> labels_;
  std::vector<Meter> meters_;
  size_t words_ = 0;
  uint64_t schema_ = 0;
  Series* other_ = nullptr;
  std::atomic<uint32_t> max_series_;
  mutable Mutex mutex_;
  mutable std::vector<const Series*> sorted_ ABSL_GUARDED_BY(mutex_);
  mutable uint32_t sorted_at_ ABSL_GUARDED_BY(mutex_) = 0;  // Arena::series_count then
};

}  // namespace weir::metrics

#endif  // WEIR_LIB_METRICS_FAMILY_H_
