#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "base/text.h"
#include "metrics/arena.h"
#include "metrics/cursor.h"
#include "metrics/export.h"
#include "metrics/family.h"
#include "metrics/prometheus.h"
#include "metrics/reading.h"
#include "weir/metrics.h"

namespace weir::metrics {
namespace {

Group LoneGroup(const Family& family, Kind kind, absl::Span<const uint64_t> bounds,
                uint64_t scale) {
  Instrument instrument;
  instrument.kind = kind;
  instrument.name = family.name;
  instrument.help = family.help;
  instrument.unit = family.unit;
  instrument.scale = scale;
  instrument.bounds.assign(bounds.begin(), bounds.end());
  return {family.name, family.labels, {std::move(instrument)}, family.max_series};
}

void AddTo(Word* cells, const Meter& meter, uint32_t point, uint64_t by) {
  AddToSum(cells + meter.first_word + point * meter.point_words, by);
}

void ObserveIn(Word* cells, const Meter& meter, uint32_t point, uint64_t value,
               const Exemplar* exemplar) {
  Word* words = cells + meter.first_word + point * meter.point_words;
  const std::vector<uint64_t>& bounds = meter.spec.bounds;
  const auto bound = std::lower_bound(bounds.begin(), bounds.end(), value);
  words[bound - bounds.begin()].fetch_add(1, std::memory_order_relaxed);
  words += meter.sum_word();
  AddToSum(words, value);
  if (exemplar != nullptr && meter.spec.exemplars) {
    WriteExemplar(*exemplar, value, words + kSumWords);
  }
}

std::string_view CursorName(ExportFormat format) {
  return format == ExportFormat::kTrack ? "track" : "otlp_delta";
}

class RegistryImpl final : public Registry {
 public:
  // `own`: a segment that nobody else keeps.
  RegistryImpl(Arena arena, state::Segment* segment, std::unique_ptr<state::Segment> own)
      : own_(std::move(own)), segment_(segment), arena_(arena) {}

  absl::StatusOr<FamilyId> AddCounter(const Family& family) override {
    return Add(std::make_unique<Entry>(LoneGroup(family, Kind::kCounter, {}, family.scale), true));
  }

  absl::StatusOr<FamilyId> AddGauge(const Family& family) override {
    return Add(std::make_unique<Entry>(LoneGroup(family, Kind::kGauge, {}, family.scale), true));
  }

  absl::StatusOr<FamilyId> AddHistogram(const Family& family, absl::Span<const uint64_t> bounds,
                                        uint64_t scale) override {
    return Add(std::make_unique<Entry>(LoneGroup(family, Kind::kHistogram, bounds, scale), true));
  }

  absl::StatusOr<FamilyId> AddGroup(const Group& group) override {
    return Add(std::make_unique<Entry>(group, false));
  }

  void Increment(FamilyId id, absl::Span<const std::string_view> labels, uint64_t by) override {
    Entry* entry = FindEntry(id, Kind::kCounter, labels);
    if (entry != nullptr) AddTo(Cells(entry, labels), entry->meters()[0], 0, by);
  }

  void Set(FamilyId id, absl::Span<const std::string_view> labels, int64_t value) override {
    Entry* entry = FindEntry(id, Kind::kGauge, labels);
    if (entry == nullptr) return;
    // One copy for all: the last one counts.
    arena_.CellsOf(*entry->Get(arena_, labels), 0)
        ->store(static_cast<uint64_t>(value), std::memory_order_relaxed);
  }

  void Observe(FamilyId id, absl::Span<const std::string_view> labels, uint64_t value) override {
    Entry* entry = FindEntry(id, Kind::kHistogram, labels);
    if (entry != nullptr) ObserveIn(Cells(entry, labels), entry->meters()[0], 0, value, nullptr);
  }

  Handle Find(FamilyId group, absl::Span<const std::string_view> labels) override {
    Entry* entry = EntryOf(group);
    if (entry == nullptr || entry->is_lone() || entry->labels().size() != labels.size()) return {};
    return {Cells(entry, labels), entry};
  }

  void Increment(Handle handle, uint32_t instrument, uint32_t point, uint64_t by) override {
    const Meter* meter = MeterOf(handle, instrument, point, Kind::kCounter);
    if (meter != nullptr) AddTo(static_cast<Word*>(handle.cells), *meter, point, by);
  }

  void Observe(Handle handle, uint32_t instrument, uint32_t point, uint64_t value,
               const Exemplar* exemplar) override {
    const Meter* meter = MeterOf(handle, instrument, point, Kind::kHistogram);
    if (meter != nullptr) {
      ObserveIn(static_cast<Word*>(handle.cells), *meter, point, value, exemplar);
    }
  }

  void NoteTime(int64_t unix_ns) override { arena_.NoteTime(unix_ns); }

  std::string Text(TextFormat format) const override {
    std::string text;
    const LiveReading live(arena_);
    for (const Entry* entry : Entries()) WriteText(*entry, arena_, live, format, &text);
    if (format == TextFormat::kOpenMetrics) text.append("# EOF\n");
    return text;
  }

  absl::StatusOr<Batch> Export(ExportFormat format, const ExportOptions& options,
                               Now now) override {
    const std::vector<Entry*> entries = Entries();
    if (format == ExportFormat::kOtlpCumulative) {
      const int64_t start = arena_.start_unix_ns();
      return Batch{0, WriteOtlp(entries, arena_, LiveReading(arena_), options,
                                {start == 0 ? now.unix_ns : start, now.unix_ns, false})};
    }
    auto cursor = Cursor::Open(segment_, CursorName(format), arena_);
    if (!cursor.ok()) return cursor.status();
    const auto write = format == ExportFormat::kTrack ? WriteTrack : WriteOtlp;
    return cursor->Tell(entries, arena_, now.unix_ns,
                        [&](const Reading& reading, const Interval& interval) {
                          return write(entries, arena_, reading, options, interval);
                        });
  }

  absl::Status Acknowledge(ExportFormat format, uint64_t number) override {
    auto cursor = Cursor::Open(segment_, CursorName(format), arena_);
    if (!cursor.ok()) return cursor.status();
    if (format != ExportFormat::kOtlpCumulative && cursor->Acknowledge(number)) {
      return absl::OkStatus();
    }
    return absl::FailedPreconditionError(
        Concat({"no batch ", std::to_string(number), " is under way"}));
  }

 private:
  Word* Cells(Entry* entry, absl::Span<const std::string_view> labels) const {
    return arena_.CellsOf(entry->Get(arena_, labels), entry->words());
  }

  Entry* EntryOf(FamilyId id) const {
    return id < entries_.size() ? entries_[id].load(std::memory_order_acquire) : nullptr;
  }

  // The family `id` if the call fits it.
  Entry* FindEntry(FamilyId id, Kind kind, absl::Span<const std::string_view> labels) const {
    Entry* entry = EntryOf(id);
    if (entry == nullptr || !entry->is_lone() || entry->kind() != kind ||
        entry->labels().size() != labels.size()) {
      return nullptr;
    }
    return entry;
  }

  static const Meter* MeterOf(Handle handle, uint32_t instrument, uint32_t point, Kind kind) {
    if (handle.cells == nullptr) return nullptr;
    const auto& meters = static_cast<const Entry*>(handle.group)->meters();
    if (instrument >= meters.size()) return nullptr;
    const Meter& meter = meters[instrument];
    return meter.spec.kind == kind && point < meter.points ? &meter : nullptr;
  }

  std::vector<Entry*> Entries() const {
    std::vector<Entry*> entries;
    for (const auto& slot : entries_) {
      Entry* entry = slot.load(std::memory_order_acquire);
      if (entry == nullptr) break;
      entries.push_back(entry);
    }
    return entries;
  }

  absl::StatusOr<FamilyId> Add(std::unique_ptr<Entry> entry) {
    if (absl::Status status = entry->Check(); !status.ok()) return status;
    MutexLock lock(&mutex_);
    for (size_t i = 0; i < owned_.size(); ++i) {
      Entry& existing = *owned_[i];
      if (existing.name() != entry->name()) {
        if (absl::Status status = entry->CheckApart(existing); !status.ok()) return status;
        continue;
      }
      if (!existing.SameAs(*entry)) {
        return absl::AlreadyExistsError(
            Concat({"family '", entry->name(),
                    "' exists with another kind, unit, scale, labels or bounds"}));
      }
      existing.set_max_series(entry->max_series());
      return static_cast<FamilyId>(i);
    }
    if (owned_.size() == entries_.size()) {
      return absl::ResourceExhaustedError("a registry holds at most 1024 families");
    }
    if (absl::Status status = entry->Settle(arena_); !status.ok()) return status;
    const auto id = static_cast<FamilyId>(owned_.size());
    owned_.push_back(std::move(entry));
    entries_[id].store(owned_.back().get(), std::memory_order_release);
    return id;
  }

  const std::unique_ptr<state::Segment> own_;
  state::Segment* const segment_;
  const Arena arena_;
  std::array<std::atomic<Entry*>, kMaxFamilies> entries_{};
  Mutex mutex_;
  std::vector<std::unique_ptr<Entry>> owned_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Registry> Registry::Create(size_t bytes) {
  // The directory of a segment, the numbers, and the cursors of both kinds of deltas: memory is
  // used as it is touched.
  constexpr size_t kDirectory = size_t{512} << 10;
  bytes = std::max(bytes, kMinBytes);
  auto segment = state::Segment::CreatePrivate({.bytes = kDirectory + 5 * bytes + (64 << 10)});
  if (!segment.ok()) return nullptr;
  auto arena = Arena::Open(segment->get(), bytes);
  if (!arena.ok()) return nullptr;
  state::Segment* borrowed = segment->get();
  return std::make_unique<RegistryImpl>(*arena, borrowed, *std::move(segment));
}

absl::StatusOr<std::unique_ptr<Registry>> Registry::Open(state::Segment* segment, size_t bytes) {
  auto arena = Arena::Open(segment, bytes);
  if (!arena.ok()) return arena.status();
  return std::make_unique<RegistryImpl>(*arena, segment, nullptr);
}

}  // namespace weir::metrics
