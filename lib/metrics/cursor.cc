#include "metrics/cursor.h"

#include <algorithm>
#include <atomic>

#include "base/text.h"

namespace weir::metrics {

struct CursorHeader {
  state::LockWord lock;
  // Twice the batches that arrived, one more while one is under way. Of n that arrived, side n % 2
  // was told last.
  std::atomic<uint64_t> steps;
  int64_t unix_ns[2];  // when each side was taken
};

namespace {

constexpr size_t kHeaderBytes = 128;
static_assert(sizeof(CursorHeader) <= kHeaderBytes);

}  // namespace

Cursor::Cursor(CursorHeader* header, size_t words, const state::Identity* identity)
    : header_(header), identity_(identity) {
  auto* first = reinterpret_cast<uint64_t*>(reinterpret_cast<char*>(header) + kHeaderBytes);
  sides_[0] = first;
  sides_[1] = first + words;
}

absl::StatusOr<Cursor> Cursor::Open(state::Segment* segment, std::string_view name,
                                    const Arena& arena) {
  auto region = segment->Region(Concat({"metrics.", name}), kHeaderBytes + 2 * arena.bytes());
  if (!region.ok()) return region.status();
  return Cursor(static_cast<CursorHeader*>(*region), arena.bytes() / sizeof(uint64_t),
                &segment->identity());
}

void Cursor::TakeSnapshot(absl::Span<Entry* const> entries, const Arena& arena,
                          const uint64_t* told, uint64_t* taken) const {
  const LiveReading live(arena);
  for (const Series* series : arena.AllSeries()) {
    const size_t place = Arena::PlaceOf(*series);
    const auto known = std::find_if(entries.begin(), entries.end(), [&](const Entry* entry) {
      return entry->schema() == series->schema;
    });
    if (known == entries.end()) {
      // Another process's: it stays where it was told to.
      std::copy_n(told + place, series->words, taken + place);
      continue;
    }
    for (const Meter& meter : (*known)->meters()) {
      for (size_t point = 0; point < meter.points; ++point) {
        live.Read(*series, meter, point,
                  taken + place + meter.first_word + point * meter.point_words);
      }
    }
  }
}

Batch Cursor::Tell(absl::Span<Entry* const> entries, const Arena& arena, int64_t unix_ns,
                   absl::FunctionRef<std::string(const Reading&, const Interval&)> write) const {
  const state::LockHolder lock(header_->lock, *identity_);
  const uint64_t steps = header_->steps.load(std::memory_order_acquire);
  const uint64_t told = steps / 2 % 2;
  const uint64_t taken = 1 - told;
  if (steps % 2 == 0) {
    TakeSnapshot(entries, arena, sides_[told], sides_[taken]);
    header_->unix_ns[taken] = std::max(unix_ns, header_->unix_ns[told]);
  }
  const int64_t start =
      header_->unix_ns[told] != 0 ? header_->unix_ns[told] : arena.start_unix_ns();
  Batch batch;
  batch.bytes = write(DeltaReading(sides_[told], sides_[taken]),
                      {start, header_->unix_ns[taken], /*is_delta=*/true});
  if (batch.bytes.empty()) return batch;
  batch.number = steps / 2 + 1;
  header_->steps.store(steps | 1, std::memory_order_release);
  return batch;
}

bool Cursor::Acknowledge(uint64_t number) const {
  const state::LockHolder lock(header_->lock, *identity_);
  const uint64_t steps = header_->steps.load(std::memory_order_acquire);
  if (steps % 2 == 0 || number != steps / 2 + 1) return false;
  header_->steps.store(steps + 1, std::memory_order_release);
  return true;
}

}  // namespace weir::metrics
