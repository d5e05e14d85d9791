#include "metrics/family.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/hash.h"
#include "base/text.h"
#include "metrics/names.h"

namespace weir::metrics {
namespace {

constexpr std::string_view kOther = "other";

bool IsPowerOfTen(uint64_t scale) {
  if (scale == 0) return false;
  while (scale % 10 == 0) scale /= 10;
  return scale == 1;
}

// All that makes two families two, in one text that no others have.
class Fingerprint {
 public:
  void Add(std::string_view text) { Add(text.size()), text_.append(text); }
  void Add(uint64_t number) { text_.append(std::to_string(number)).push_back(','); }
  void Add(const std::vector<std::string>& texts) {
    Add(texts.size());
    for (const std::string& text : texts) Add(text);
  }
  uint64_t Hash() const { return SipHash(0, text_).lo | 1; }

 private:
  std::string text_;
};

bool LabelsLess(const Series* a, const Series* b) {
  for (size_t i = 0; i < a->label_count; ++i) {
    const int order = a->label(i).compare(b->label(i));
    if (order != 0) return order < 0;
  }
  return false;
}

}  // namespace

Meter::Meter(Instrument instrument, size_t first)
    : spec(std::move(instrument)),
      name(PrometheusName(spec.name, spec.unit, spec.kind)),
      points(std::max<size_t>(spec.points.size(), 1)),
      first_word(first),
      point_words(sum_word() + kSumWords + (spec.exemplars ? kExemplarWords : 0)) {
  for (const std::string& label : spec.labels) labels.push_back(PrometheusLabel(label));
}

std::vector<std::string> Meter::SampleNames() const {
  if (spec.kind != Kind::kHistogram) return {name};
  return {name, name + "_bucket", name + "_sum", name + "_count"};
}

Entry::Entry(const Group& group, bool is_lone)
    : group_(group), is_lone_(is_lone), max_series_(group.max_series) {
  for (const std::string& label : group_.labels) labels_.push_back(PrometheusLabel(label));
  Fingerprint all;
  all.Add(group_.name);
  all.Add(group_.labels);
  for (const Instrument& instrument : group_.instruments) {
    meters_.emplace_back(instrument, words_);
    words_ += meters_.back().words();
    all.Add(static_cast<uint64_t>(instrument.kind));
    all.Add(instrument.name);
    all.Add(instrument.unit);
    all.Add(instrument.scale);
    all.Add(instrument.bounds.size());
    for (const uint64_t bound : instrument.bounds) all.Add(bound);
    all.Add(instrument.labels);
    all.Add(instrument.points.size());
    for (const auto& point : instrument.points) all.Add(point);
    all.Add(instrument.exemplars ? 1 : 0);
  }
  schema_ = all.Hash();
}

absl::Status Entry::CheckLabels(const Meter& meter) const {
  const std::string& family = meter.spec.name;
  std::vector<std::string> said = group_.labels;
  said.insert(said.end(), meter.spec.labels.begin(), meter.spec.labels.end());
  std::vector<std::string> spelled = labels_;
  spelled.insert(spelled.end(), meter.labels.begin(), meter.labels.end());
  if (spelled.size() > static_cast<size_t>(kMaxLabels)) {
    return absl::InvalidArgumentError(Concat({"family '", family, "' has more than 24 labels"}));
  }
  for (size_t i = 0; i < spelled.size(); ++i) {
    const std::string& label = spelled[i];
    if (label.empty()) {
      return absl::InvalidArgumentError(Concat({"family '", family, "' has an empty label name"}));
    }
    if (meter.spec.kind == Kind::kHistogram && label == "le") {
      return absl::InvalidArgumentError(
          Concat({"histogram '", family, "' cannot have the label 'le', which its buckets use"}));
    }
    const auto same = std::find(spelled.begin(), spelled.begin() + static_cast<int>(i), label);
    if (same != spelled.begin() + static_cast<int>(i)) {
      const std::string& first = said[static_cast<size_t>(same - spelled.begin())];
      return absl::InvalidArgumentError(
          Concat({"family '", family, "' has labels '", first, "' and '", said[i],
                  "', both written as '", label, "'"}));
    }
  }
  return absl::OkStatus();
}

absl::Status Entry::CheckMeter(const Meter& meter) const {
  const std::string& name = meter.spec.name;
  if (name.empty()) return absl::InvalidArgumentError("a family needs a name");
  const uint64_t scale = meter.spec.scale;
  if (!IsPowerOfTen(scale) || scale > 1'000'000'000'000'000'000u) {
    return absl::InvalidArgumentError(
        Concat({"family '", name, "' needs a scale that is a power of ten up to 10^18"}));
  }
  const std::vector<uint64_t>& bounds = meter.spec.bounds;
  if (bounds.size() > static_cast<size_t>(kMaxBounds)) {
    return absl::InvalidArgumentError(Concat({"family '", name, "' has more than 256 bounds"}));
  }
  const auto unordered = std::adjacent_find(bounds.begin(), bounds.end(),
                                            [](uint64_t a, uint64_t b) { return a >= b; });
  if (unordered != bounds.end()) {
    return absl::InvalidArgumentError(
        Concat({"the bounds of family '", name, "' do not ascend strictly"}));
  }
  for (const auto& point : meter.spec.points) {
    if (point.size() != meter.spec.labels.size()) {
      return absl::InvalidArgumentError(
          Concat({"a point of '", name, "' has not one value for each label of its own"}));
    }
  }
  if (!is_lone_ && meter.spec.kind == Kind::kGauge) {
    return absl::InvalidArgumentError(Concat({"gauge '", name, "' cannot be one of a group"}));
  }
  return CheckLabels(meter);
}

absl::Status Entry::Check() const {
  if (group_.name.empty()) return absl::InvalidArgumentError("a family needs a name");
  if (meters_.empty()) return absl::InvalidArgumentError("a group needs an instrument");
  for (size_t i = 0; i < meters_.size(); ++i) {
    if (absl::Status status = CheckMeter(meters_[i]); !status.ok()) return status;
    for (size_t j = 0; j < i; ++j) {
      if (meters_[i].name == meters_[j].name) {
        return absl::InvalidArgumentError(
            Concat({"a group has two instruments written as '", meters_[i].name, "'"}));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Entry::CheckApart(const Entry& existing) const {
  for (const Meter& other : existing.meters_) {
    const std::vector<std::string> taken = other.SampleNames();
    for (const Meter& meter : meters_) {
      for (const std::string& sample : meter.SampleNames()) {
        if (std::find(taken.begin(), taken.end(), sample) == taken.end()) continue;
        return absl::InvalidArgumentError(
            Concat({"families '", other.spec.name, "' and '", meter.spec.name,
                    "' are both written as '", sample, "'"}));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Entry::Settle(const Arena& arena) {
  std::array<std::string_view, kMaxLabels> values;
  values.fill(kOther);
  const LabelValues labels(values.data(), labels_.size());
  other_ = arena.Add(schema_, HashLabels(arena.seed(), labels), labels, words_, nullptr, 0);
  if (other_ == nullptr) {
    return absl::ResourceExhaustedError(
        Concat({"no room is left for the family '", group_.name, "'"}));
  }
  // The only series that there can be is shown from the start.
  if (labels_.empty()) other_->used.store(1, std::memory_order_relaxed);
  return absl::OkStatus();
}

ABSL_ATTRIBUTE_NOINLINE Series* Entry::GetUnknown(const Arena& arena, LabelValues labels) const {
  const CleanLabels clean(labels);
  const uint64_t hash = HashLabels(arena.seed(), clean.values());
  // Read before looking: whoever sees the family full sees all that is in it.
  const bool full = other_->members.load(std::memory_order_acquire) >= max_series();
  Series* known = arena.Find(schema_, hash, clean.values());
  if (known != nullptr) return known;
  if (full) return other_;
  return arena.Add(schema_, hash, clean.values(), words_, other_, max_series());
}

std::vector<const Series*> Entry::Sorted(const Arena& arena) const {
  const uint32_t count = arena.series_count();
  MutexLock lock(&mutex_);
  if (count != sorted_at_) {
    sorted_ = arena.SeriesOf(schema_);
    std::sort(sorted_.begin(), sorted_.end(), LabelsLess);
    sorted_at_ = count;
  }
  std::vector<const Series*> shown = sorted_;
  if (other_->used.load(std::memory_order_relaxed) == 0) {
    shown.erase(std::find(shown.begin(), shown.end(), other_));
  }
  return shown;
}

}  // namespace weir::metrics
