#include "weir/metrics.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "base/text.h"
#include "metrics/names.h"
#include "metrics/series.h"
#include "metrics/text.h"

namespace weir::metrics {
namespace {

bool IsPowerOfTen(uint64_t scale) {
  if (scale == 0) return false;
  while (scale % 10 == 0) scale /= 10;
  return scale == 1;
}

// A family as registered, with its series.
struct Entry {
  Entry(Family spec, Kind family_kind, uint64_t family_scale, std::vector<uint64_t> family_bounds)
      : family(std::move(spec)),
        kind(family_kind),
        scale(family_scale),
        bounds(std::move(family_bounds)),
        name(PrometheusName(family.name, family.unit, kind)),
        series(family.labels.size(), kind == Kind::kHistogram ? bounds.size() + 1 : 0,
               family.max_series) {
    for (const std::string& label : family.labels) labels.push_back(PrometheusLabel(label));
  }

  bool SameAs(const Entry& other) const {
    return kind == other.kind && scale == other.scale && bounds == other.bounds &&
           family.unit == other.family.unit && family.labels == other.family.labels;
  }

  // The names its lines have.
  std::vector<std::string> SampleNames() const {
    if (kind != Kind::kHistogram) return {name};
    return {name, name + "_bucket", name + "_sum", name + "_count"};
  }

  const Family family;
  const Kind kind;
  const uint64_t scale;
  const std::vector<uint64_t> bounds;
  const std::string name;
  std::vector<std::string> labels;
  SeriesSet series;
};

absl::Status CheckLabels(const Entry& entry) {
  const std::string& family = entry.family.name;
  for (size_t i = 0; i < entry.labels.size(); ++i) {
    const std::string& label = entry.labels[i];
    if (label.empty()) {
      return absl::InvalidArgumentError(Concat({"family '", family, "' has an empty label name"}));
    }
    if (entry.kind == Kind::kHistogram && label == "le") {
      return absl::InvalidArgumentError(
          Concat({"histogram '", family, "' cannot have the label 'le', which its buckets use"}));
    }
    const auto same = std::find(entry.labels.begin(), entry.labels.begin() + i, label);
    if (same != entry.labels.begin() + i) {
      const std::string& first = entry.family.labels[same - entry.labels.begin()];
      return absl::InvalidArgumentError(
          Concat({"family '", family, "' has labels '", first, "' and '", entry.family.labels[i],
                  "', both written as '", label, "'"}));
    }
  }
  return absl::OkStatus();
}

absl::Status Check(const Entry& entry) {
  const std::string& name = entry.family.name;
  if (name.empty()) return absl::InvalidArgumentError("a family needs a name");
  if (entry.labels.size() > static_cast<size_t>(kMaxLabels)) {
    return absl::InvalidArgumentError(Concat({"family '", name, "' has more than 16 labels"}));
  }
  if (!IsPowerOfTen(entry.scale) || entry.scale > 1'000'000'000'000'000'000u) {
    return absl::InvalidArgumentError(
        Concat({"family '", name, "' needs a scale that is a power of ten up to 10^18"}));
  }
  if (entry.bounds.size() > static_cast<size_t>(kMaxBounds)) {
    return absl::InvalidArgumentError(Concat({"family '", name, "' has more than 256 bounds"}));
  }
  const auto unordered = std::adjacent_find(entry.bounds.begin(), entry.bounds.end(),
                                            [](uint64_t a, uint64_t b) { return a >= b; });
  if (unordered != entry.bounds.end()) {
    return absl::InvalidArgumentError(
        Concat({"the bounds of family '", name, "' do not ascend strictly"}));
  }
  return CheckLabels(entry);
}

absl::Status CheckApart(const Entry& entry, const Entry& existing) {
  const std::vector<std::string> taken = existing.SampleNames();
  for (const std::string& sample : entry.SampleNames()) {
    if (std::find(taken.begin(), taken.end(), sample) == taken.end()) continue;
    return absl::InvalidArgumentError(
        Concat({"families '", existing.family.name, "' and '", entry.family.name,
                "' are both written as '", sample, "'"}));
  }
  return absl::OkStatus();
}

// {a="…",b="…"} without the braces.
void WriteLabels(const Entry& entry, const Series& series, std::string* out) {
  for (size_t i = 0; i < entry.labels.size(); ++i) {
    if (i != 0) out->push_back(',');
    out->append(entry.labels[i]).append("=\"");
    AppendLabelValue(series.label(i), out);
    out->push_back('"');
  }
}

// The start of a line: name, suffix, labels, blank. `le` is empty where there is none.
void WriteHead(const Entry& entry, std::string_view suffix, std::string_view labels,
               std::string_view le, std::string* out) {
  out->append(entry.name).append(suffix);
  if (!labels.empty() || !le.empty()) {
    out->append("{").append(labels);
    if (!le.empty()) out->append(labels.empty() ? "le=\"" : ",le=\"").append(le).append("\"");
    out->append("}");
  }
  out->push_back(' ');
}

void WriteGauge(int64_t value, uint64_t scale, std::string* out) {
  if (value < 0) out->push_back('-');
  const auto bits = static_cast<uint64_t>(value);
  AppendDecimal(value < 0 ? -bits : bits, scale, out);
}

void WriteHistogram(const Entry& entry, const Series& series, std::string_view labels,
                    const std::vector<std::string>& les, std::string* out) {
  uint128 count = 0;
  for (size_t i = 0; i < les.size(); ++i) {
    count += series.buckets[i].load(std::memory_order_relaxed);
    WriteHead(entry, "_bucket", labels, les[i], out);
    AppendInteger(count, out);
    out->push_back('\n');
  }
  WriteHead(entry, "_sum", labels, {}, out);
  AppendDecimal(series.sum.Total(), entry.scale, out);
  out->push_back('\n');
  WriteHead(entry, "_count", labels, {}, out);
  AppendInteger(count, out);
  out->push_back('\n');
}

void WriteFamily(const Entry& entry, std::string* out) {
  const std::vector<const Series*> all = entry.series.Sorted();
  if (all.empty()) return;
  out->append("# HELP ").append(entry.name).append(" ");
  AppendHelp(entry.family.help, out);
  out->append("\n# TYPE ").append(entry.name).append(" ");
  out->append(KindName(entry.kind)).append("\n");
  std::vector<std::string> les;
  for (uint64_t bound : entry.bounds) AppendDecimal(bound, entry.scale, &les.emplace_back());
  les.emplace_back("+Inf");
  std::string labels;
  for (const Series* series : all) {
    labels.clear();
    WriteLabels(entry, *series, &labels);
    if (entry.kind == Kind::kHistogram) {
      WriteHistogram(entry, *series, labels, les, out);
      continue;
    }
    WriteHead(entry, {}, labels, {}, out);
    if (entry.kind == Kind::kGauge) {
      WriteGauge(series->gauge.load(std::memory_order_relaxed), entry.scale, out);
    } else {
      AppendDecimal(series->sum.Total(), entry.scale, out);
    }
    out->push_back('\n');
  }
}

class RegistryImpl final : public Registry {
 public:
  absl::StatusOr<FamilyId> AddCounter(const Family& family) override {
    return Add(
        std::make_unique<Entry>(family, Kind::kCounter, family.scale, std::vector<uint64_t>()));
  }

  absl::StatusOr<FamilyId> AddGauge(const Family& family) override {
    return Add(
        std::make_unique<Entry>(family, Kind::kGauge, family.scale, std::vector<uint64_t>()));
  }

  absl::StatusOr<FamilyId> AddHistogram(const Family& family, absl::Span<const uint64_t> bounds,
                                        uint64_t scale) override {
    return Add(std::make_unique<Entry>(family, Kind::kHistogram, scale,
                                       std::vector<uint64_t>(bounds.begin(), bounds.end())));
  }

  void Increment(FamilyId id, absl::Span<const std::string_view> labels, uint64_t by) override {
    Entry* entry = Find(id, Kind::kCounter, labels);
    if (entry != nullptr) entry->series.Get(labels)->sum.Add(by);
  }

  void Set(FamilyId id, absl::Span<const std::string_view> labels, int64_t value) override {
    Entry* entry = Find(id, Kind::kGauge, labels);
    if (entry == nullptr) return;
    entry->series.Get(labels)->gauge.store(value, std::memory_order_relaxed);
  }

  void Observe(FamilyId id, absl::Span<const std::string_view> labels, uint64_t value) override {
    Entry* entry = Find(id, Kind::kHistogram, labels);
    if (entry == nullptr) return;
    const auto bound = std::lower_bound(entry->bounds.begin(), entry->bounds.end(), value);
    Series* series = entry->series.Get(labels);
    series->buckets[bound - entry->bounds.begin()].fetch_add(1, std::memory_order_relaxed);
    series->sum.Add(value);
  }

  std::string PrometheusText() const override {
    std::string text;
    for (const auto& slot : entries_) {
      const Entry* entry = slot.load(std::memory_order_acquire);
      if (entry == nullptr) break;
      WriteFamily(*entry, &text);
    }
    return text;
  }

 private:
  Entry* Find(FamilyId id, Kind kind, absl::Span<const std::string_view> labels) const {
    if (id >= entries_.size()) return nullptr;
    Entry* entry = entries_[id].load(std::memory_order_acquire);
    if (entry == nullptr || entry->kind != kind || entry->labels.size() != labels.size()) {
      return nullptr;
    }
    return entry;
  }

  absl::StatusOr<FamilyId> Add(std::unique_ptr<Entry> entry) {
    if (absl::Status status = Check(*entry); !status.ok()) return status;
    MutexLock lock(&mutex_);
    for (size_t i = 0; i < owned_.size(); ++i) {
      Entry& existing = *owned_[i];
      if (existing.family.name != entry->family.name) {
        if (absl::Status status = CheckApart(*entry, existing); !status.ok()) return status;
        continue;
      }
      if (!existing.SameAs(*entry)) {
        return absl::AlreadyExistsError(
            Concat({"family '", entry->family.name,
                    "' exists with another kind, unit, scale, labels or bounds"}));
      }
      existing.series.set_max_series(entry->family.max_series);
      return static_cast<FamilyId>(i);
    }
    if (owned_.size() == entries_.size()) {
      return absl::ResourceExhaustedError("a registry holds at most 1024 families");
    }
    const auto id = static_cast<FamilyId>(owned_.size());
    owned_.push_back(std::move(entry));
    entries_[id].store(owned_.back().get(), std::memory_order_release);
    return id;
  }

  std::array<std::atomic<Entry*>, kMaxFamilies> entries_{};
  Mutex mutex_;
  std::vector<std::unique_ptr<Entry>> owned_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Registry> Registry::Create() { return std::make_unique<RegistryImpl>(); }

}  // namespace weir::metrics
