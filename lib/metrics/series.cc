#include "metrics/series.h"

#include <algorithm>
#include <cstring>

#include "absl/base/attributes.h"
#include "absl/hash/hash.h"
#include "base/text.h"

namespace weir::metrics {
namespace {

constexpr std::string_view kOther = "other";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr size_t kFirstTableSize = 16;

struct HashedLabels {
  LabelValues values;
  template <typename H>
  friend H AbslHashValue(H state, const HashedLabels& labels) {
    for (std::string_view value : labels.values) {
      state = H::combine(std::move(state), AbslView(value));
    }
    return state;
  }
};

// Copies `value` to `out` as a label holds it: UTF-8, cut between characters. Returns the size.
size_t CopyClean(std::string_view value, char* out) {
  // What a cut here breaks lies beyond the limit, as nothing gets shorter by cleaning.
  value = value.substr(0, kMaxLabelValueBytes + 4);
  size_t size = 0;
  while (!value.empty()) {
    const size_t room = kMaxLabelValueBytes - size;
    const std::string_view valid = value.substr(0, FindInvalidUtf8(value));
    const size_t taken = Utf8Prefix(valid, room);
    std::memcpy(out + size, valid.data(), taken);
    size += taken;
    if (taken < valid.size() || valid.size() == value.size()) break;
    if (kMaxLabelValueBytes - size < kReplacement.size()) break;
    std::memcpy(out + size, kReplacement.data(), kReplacement.size());
    size += kReplacement.size();
    value.remove_prefix(valid.size() + 1);
  }
  return size;
}

// Label values as a series holds them, without allocating.
class CleanLabels {
 public:
  explicit CleanLabels(LabelValues labels) : count_(labels.size()) {
    for (size_t i = 0; i < count_; ++i) {
      const std::string_view value = labels[i];
      if (value.size() <= kMaxLabelValueBytes && FindInvalidUtf8(value) == std::string_view::npos) {
        values_[i] = value;
        continue;
      }
      char* out = bytes_.data() + i * kMaxLabelValueBytes;
      values_[i] = std::string_view(out, CopyClean(value, out));
    }
  }
  LabelValues values() const { return {values_.data(), count_}; }

 private:
  size_t count_;
  std::array<std::string_view, kMaxLabels> values_;
  std::array<char, kMaxLabels * kMaxLabelValueBytes> bytes_;
};

}  // namespace

uint128 Accumulator::Total() const {
  MutexLock lock(&mutex_);
  return folded_ + recent_.load(std::memory_order_relaxed);
}

void Accumulator::AddLarge(uint64_t by) {
  MutexLock lock(&mutex_);
  folded_ += by;
}

void Accumulator::Fold() {
  MutexLock lock(&mutex_);
  if (recent_.load(std::memory_order_relaxed) < kFoldAt) return;  // another thread did
  recent_.fetch_sub(kFoldAt, std::memory_order_relaxed);
  folded_ += kFoldAt;
}

Series::Series(uint64_t hash, LabelValues labels, size_t bucket_count)
    : buckets(bucket_count == 0 ? nullptr : new std::atomic<uint64_t>[bucket_count]()),
      hash_(hash),
      label_count_(labels.size()) {
  for (size_t i = 0; i < label_count_; ++i) {
    text_.append(labels[i]);
    ends_[i] = static_cast<uint16_t>(text_.size());
  }
}

std::string_view Series::label(size_t i) const {
  const size_t begin = i == 0 ? 0 : ends_[i - 1];
  const std::string_view text = text_;
  return text.substr(begin, ends_[i] - begin);
}

bool Series::Matches(uint64_t hash, LabelValues labels) const {
  if (hash != hash_ || labels.size() != label_count_) return false;
  for (size_t i = 0; i < label_count_; ++i) {
    if (label(i) != labels[i]) return false;
  }
  return true;
}

bool LabelsLess(const Series& a, const Series& b) {
  for (size_t i = 0; i < a.label_count(); ++i) {
    const int order = a.label(i).compare(b.label(i));
    if (order != 0) return order < 0;
  }
  return false;
}

SeriesSet::SeriesSet(size_t label_count, size_t buckets, uint32_t max_series)
    : label_count_(label_count), buckets_(buckets), max_series_(max_series) {
  MutexLock lock(&mutex_);
  tables_.push_back(std::make_unique<Table>(kFirstTableSize));
  table_.store(tables_.back().get(), std::memory_order_release);
  if (label_count_ == 0) OtherLocked();  // the only series there can be
}

uint64_t SeriesSet::Hash(LabelValues labels) {
  return absl::Hash<HashedLabels>{}(HashedLabels{labels});
}

Series* SeriesSet::Find(const Table& table, uint64_t hash, LabelValues labels) {
  // At least half of the slots are empty.
  for (size_t i = hash & table.mask;; i = (i + 1) & table.mask) {
    Series* series = table.slots[i].load(std::memory_order_acquire);
    if (series == nullptr || series->Matches(hash, labels)) return series;
  }
}

void SeriesSet::Insert(Series* series, Table* table) {
  size_t i = series->hash() & table->mask;
  while (table->slots[i].load(std::memory_order_relaxed) != nullptr) i = (i + 1) & table->mask;
  table->slots[i].store(series, std::memory_order_release);
}

ABSL_ATTRIBUTE_NOINLINE Series* SeriesSet::GetUnknown(LabelValues labels) {
  const CleanLabels clean(labels);
  const uint64_t hash = Hash(clean.values());
  // Read before looking: whoever sees the set full sees all that is in it.
  const bool full =
      size_.load(std::memory_order_acquire) >= max_series_.load(std::memory_order_relaxed);
  Series* known = Find(*table_.load(std::memory_order_acquire), hash, clean.values());
  if (known != nullptr) return known;
  if (full) return Other();
  MutexLock lock(&mutex_);
  known = Find(*tables_.back(), hash, clean.values());
  if (known != nullptr) return known;
  const bool others = std::all_of(clean.values().begin(), clean.values().end(),
                                  [](std::string_view value) { return value == kOther; });
  if (others ||
      size_.load(std::memory_order_relaxed) >= max_series_.load(std::memory_order_relaxed)) {
    return OtherLocked();
  }
  Series* added = Add(hash, clean.values());
  size_.fetch_add(1, std::memory_order_release);
  return added;
}

Series* SeriesSet::Add(uint64_t hash, LabelValues labels) {
  if ((all_.size() + 1) * 2 > tables_.back()->mask) {
    auto larger = std::make_unique<Table>((tables_.back()->mask + 1) * 2);
    for (const auto& series : all_) Insert(series.get(), larger.get());
    tables_.push_back(std::move(larger));
    table_.store(tables_.back().get(), std::memory_order_release);
  }
  all_.push_back(std::make_unique<Series>(hash, labels, buckets_));
  Insert(all_.back().get(), tables_.back().get());
  return all_.back().get();
}

Series* SeriesSet::Other() {
  Series* other = other_.load(std::memory_order_acquire);
  if (other != nullptr) return other;
  MutexLock lock(&mutex_);
  return OtherLocked();
}

Series* SeriesSet::OtherLocked() {
  Series* other = other_.load(std::memory_order_relaxed);
  if (other != nullptr) return other;
  std::array<std::string_view, kMaxLabels> values;
  values.fill(kOther);
  const LabelValues labels(values.data(), label_count_);
  other = Add(Hash(labels), labels);
  other_.store(other, std::memory_order_release);
  return other;
}

std::vector<const Series*> SeriesSet::Sorted() const {
  std::vector<const Series*> sorted;
  {
    MutexLock lock(&mutex_);
    sorted.reserve(all_.size());
    for (const auto& series : all_) sorted.push_back(series.get());
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const Series* a, const Series* b) { return LabelsLess(*a, *b); });
  return sorted;
}

}  // namespace weir::metrics
