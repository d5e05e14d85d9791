#include "metrics/arena.h"

#include <algorithm>
#include <bit>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "base/text.h"

namespace weir::metrics {

struct ArenaHeader {
  state::LockWord lock;
  uint32_t slots;
  uint32_t lines;  // of the whole arena
  std::atomic<uint32_t> used_lines;
  std::atomic<uint32_t> series;
  std::atomic<int64_t> start_unix_ns;
};

namespace {

// How large the arena is, for those who come later: a region is found by its size.
struct Extent {
  state::LockWord lock;
  std::atomic<uint32_t> lines;
};

constexpr size_t kBytesPerSlot = 256;
constexpr size_t kHeaderBytes = 128;
static_assert(sizeof(ArenaHeader) <= kHeaderBytes);

constexpr size_t Lines(size_t bytes) { return (bytes + kLine - 1) / kLine; }

absl::StatusOr<void*> OpenRegion(state::Segment* segment, size_t bytes) {
  auto found = segment->Region("metrics.extent", sizeof(Extent));
  if (!found.ok()) return found.status();
  auto& extent = *static_cast<Extent*>(*found);
  const state::LockHolder lock(extent.lock, segment->identity());
  const uint32_t lines = extent.lines.load(std::memory_order_relaxed);
  if (lines != 0) return segment->Region("metrics", lines * kLine);
  for (size_t size = std::max(bytes, kMinBytes) / kLine * kLine; size >= kMinBytes;
       size = size / 2 / kLine * kLine) {
    auto region = segment->Region("metrics", size);
    // One of another size is there when somebody died between making it and saying so.
    if (absl::IsResourceExhausted(region.status()) || absl::IsFailedPrecondition(region.status())) {
      continue;
    }
    if (!region.ok()) return region.status();
    auto& header = *static_cast<ArenaHeader*>(*region);
    header.lines = static_cast<uint32_t>(size / kLine);
    header.slots = static_cast<uint32_t>(std::bit_floor(size / kBytesPerSlot));
    header.used_lines.store(
        static_cast<uint32_t>(Lines(kHeaderBytes + header.slots * sizeof(uint32_t))),
        std::memory_order_relaxed);
    extent.lines.store(header.lines, std::memory_order_release);
    return *region;
  }
  return absl::ResourceExhaustedError("the segment has no room for metrics");
}

uint32_t ThreadNumber() {
  static std::atomic<uint32_t> threads{0};
  thread_local uint32_t number = 0;  // from 1 on
  if (ABSL_PREDICT_FALSE(number == 0)) {
    number = threads.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  return number;
}

}  // namespace

Arena::Arena(ArenaHeader* header, const state::Segment& segment)
    : base_(reinterpret_cast<char*>(header)),
      table_(reinterpret_cast<std::atomic<uint32_t>*>(base_ + kHeaderBytes)),
      mask_(header->slots - 1),
      seed_(segment.seed()),
      identity_(&segment.identity()) {}

absl::StatusOr<Arena> Arena::Open(state::Segment* segment, size_t bytes) {
  constexpr size_t kMost = size_t{64} << 30;
  auto region = OpenRegion(segment, std::min(bytes, kMost));
  if (!region.ok()) return region.status();
  return Arena(static_cast<ArenaHeader*>(*region), *segment);
}

size_t Arena::bytes() const { return reinterpret_cast<const ArenaHeader*>(base_)->lines * kLine; }

uint32_t Arena::series_count() const {
  return reinterpret_cast<const ArenaHeader*>(base_)->series.load(std::memory_order_acquire);
}

void Arena::NoteTime(int64_t unix_ns) const {
  auto& start = reinterpret_cast<ArenaHeader*>(base_)->start_unix_ns;
  if (ABSL_PREDICT_TRUE(start.load(std::memory_order_relaxed) != 0)) return;
  int64_t none = 0;
  start.compare_exchange_strong(none, unix_ns, std::memory_order_relaxed);
}

int64_t Arena::start_unix_ns() const {
  return reinterpret_cast<const ArenaHeader*>(base_)->start_unix_ns.load(std::memory_order_relaxed);
}

std::vector<const Series*> Arena::AllSeries() const {
  std::vector<const Series*> found;
  for (uint32_t i = 0; i <= mask_; ++i) {
    const uint32_t line = table_[i].load(std::memory_order_acquire);
    if (line != 0) found.push_back(static_cast<const Series*>(At(line)));
  }
  return found;
}

std::vector<const Series*> Arena::SeriesOf(uint64_t schema) const {
  std::vector<const Series*> found = AllSeries();
  found.erase(std::remove_if(found.begin(), found.end(),
                             [&](const Series* series) { return series->schema != schema; }),
              found.end());
  return found;
}

// Processes that each have one thread come to different copies too.
uint32_t Arena::Shard() const { return (ThreadNumber() + identity_->word() - 2) % kShards; }

// Under the lock; 0 when there is no room.
uint32_t Arena::Take(size_t bytes) const {
  auto& header = *reinterpret_cast<ArenaHeader*>(base_);
  const uint32_t line = header.used_lines.load(std::memory_order_relaxed);
  const size_t wanted = Lines(bytes);
  if (wanted > header.lines - line) return 0;
  header.used_lines.store(static_cast<uint32_t>(line + wanted), std::memory_order_relaxed);
  return line;
}

ABSL_ATTRIBUTE_NOINLINE Word* Arena::MoreCells(Series* series, uint32_t shard, size_t words) const {
  auto& header = *reinterpret_cast<ArenaHeader*>(base_);
  const state::LockHolder lock(header.lock, *identity_);
  uint32_t line = series->cells[shard].load(std::memory_order_relaxed);
  // The other half is for series: copies are only speed.
  const bool has_room = header.used_lines.load(std::memory_order_relaxed) < header.lines / 2;
  if (line == 0 && has_room) line = Take(words * sizeof(Word));
  // Without room for more copies, threads share the first.
  if (line == 0) line = series->cells[0].load(std::memory_order_relaxed);
  series->cells[shard].store(line, std::memory_order_release);
  return static_cast<Word*>(At(line));
}

Series* Arena::Add(uint64_t schema, uint64_t hash, LabelValues labels, size_t words, Series* other,
                   uint32_t max) const {
  auto& header = *reinterpret_cast<ArenaHeader*>(base_);
  const state::LockHolder lock(header.lock, *identity_);
  if (Series* known = Find(schema, hash, labels); known != nullptr) return known;
  if (other != nullptr && other->members.load(std::memory_order_relaxed) >= max) return other;
  const uint32_t count = header.series.load(std::memory_order_relaxed);
  if (count >= header.slots - header.slots / 4) return other;
  size_t bytes = sizeof(Series) + labels.size() * sizeof(uint16_t);
  for (const std::string_view label : labels) bytes += label.size();
  const size_t own_lines = Lines(bytes);
  const uint32_t line = Take(own_lines * kLine + words * sizeof(Word));
  if (line == 0) return other;
  auto* series = static_cast<Series*>(At(line));
  series->hash = hash ^ schema;
  series->schema = schema;
  series->label_count = static_cast<uint32_t>(labels.size());
  series->words = static_cast<uint32_t>(words);
  size_t end = 0;
  char* text = reinterpret_cast<char*>(series->ends() + labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    std::copy(labels[i].begin(), labels[i].end(), text + end);  // an empty one may be null
    end += labels[i].size();
    series->ends()[i] = static_cast<uint16_t>(end);
  }
  series->cells[0].store(static_cast<uint32_t>(line + own_lines), std::memory_order_relaxed);
  if (other != nullptr) other->members.fetch_add(1, std::memory_order_release);
  uint32_t slot = static_cast<uint32_t>(series->hash) & mask_;
  while (table_[slot].load(std::memory_order_relaxed) != 0) slot = (slot + 1) & mask_;
  table_[slot].store(line, std::memory_order_release);
  header.series.store(count + 1, std::memory_order_release);
  return series;
}

}  // namespace weir::metrics
