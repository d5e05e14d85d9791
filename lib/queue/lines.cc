// A line is a ring of entries between two running numbers, head and tail. An entry that was given
// up stays in the ring, marked, until the head has come to it. The numbers share one word, which
// IsEmpty reads without a lock.
//
// Each change is one store that counts, made last: wherever a process dies, the line is one that
// could have been.

#include <algorithm>
#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/saturating.h"
#include "base/text.h"
#include "state/table.h"
#include "weir/queue.h"

namespace weir::queue {
namespace {

constexpr uint32_t kMaxLines = 65536;
// With room for those who gave up behind somebody who waits.
constexpr uint32_t kRing = 256;
static_assert(kMaxWaiting <= kRing / 2);
constexpr int64_t kGivenUp = INT64_MIN;

struct Entry {
  uint64_t cost;
  int64_t due_ns;  // by when its waiter looks again; kGivenUp when nobody does
};

// All zero is an empty line.
struct Line {
  uint64_t ends;  // head in the low half, tail in the high; both wrap
  Entry ring[kRing];
};

struct Ends {
  uint32_t head = 0;
  uint32_t tail = 0;

  uint32_t size() const { return tail - head; }
};

std::atomic_ref<uint64_t> EndsWord(const Line& line) {
  return std::atomic_ref(const_cast<uint64_t&>(line.ends));
}
Ends ReadEnds(const Line& line) {
  const uint64_t word = EndsWord(line).load(std::memory_order_acquire);
  const Ends ends = {static_cast<uint32_t>(word), static_cast<uint32_t>(word >> 32)};
  // More than fit is not weir's writing.
  return ends.size() <= kRing ? ends : Ends{ends.tail, ends.tail};
}
void WriteEnds(Line* line, Ends ends) {
  EndsWord(*line).store(ends.head | uint64_t{ends.tail} << 32, std::memory_order_release);
}

Entry& EntryAt(Line& line, uint32_t number) { return line.ring[number % kRing]; }

// A promise from beyond what anybody may promise is of a clock that ran before this one.
bool IsOverdue(const Entry& entry, int64_t now_ns) {
  return now_ns > SaturatingAdd(entry.due_ns, kGraceNs) ||
         entry.due_ns > SaturatingAdd(now_ns, kLongestPromiseNs);
}

// Passes over everybody at the head who gave up or is overdue. An entry before `until` only.
Ends Advance(Line* line, uint32_t until, int64_t now_ns) {
  Ends ends = ReadEnds(*line);
  const uint32_t most = std::min(ends.size(), until - ends.head);
  uint32_t gone = 0;
  while (gone < most && IsOverdue(EntryAt(*line, ends.head + gone), now_ns)) ++gone;
  if (gone != 0) {
    ends.head += gone;
    WriteEnds(line, ends);
  }
  return ends;
}

// Places of a line that was given to another key and came back must not pass for new ones.
void StartNumbers(Line* line, int64_t now_ns) {
  const auto start = static_cast<uint32_t>(Random(static_cast<uint64_t>(now_ns)).Next()) | 1;
  WriteEnds(line, {start, start});
}

uint32_t Waiting(const Line& line) {
  const Ends ends = ReadEnds(line);
  uint32_t waiting = 0;
  for (uint32_t i = 0; i < ends.size(); ++i) {
    waiting += line.ring[(ends.head + i) % kRing].due_ns != kGivenUp ? 1 : 0;
  }
  return waiting;
}

bool IsIdle(const Line& line, int64_t now_ns) {
  const Ends ends = ReadEnds(line);
  for (uint32_t i = 0; i < ends.size(); ++i) {
    if (!IsOverdue(line.ring[(ends.head + i) % kRing], now_ns)) return false;
  }
  return true;
}

class TableLines final : public Lines {
 public:
  TableLines(uint64_t seed, const state::Table<Line>& table) : seed_(seed), table_(table) {}

  bool IsEmpty(std::string_view key) const override {
    const Hash128 hash = SipHash(seed_, key);
    const auto slot = table_.Find(hash);
    if (!slot) return true;
    const auto ends = table_.ReadUnlocked(*slot, hash, ReadEnds);
    return ends && ends->size() == 0;
  }

  std::optional<Place> Join(std::string_view key, uint64_t cost, uint32_t max_waiting,
                            Now now) override {
    const Hash128 hash = SipHash(seed_, key);
    const auto slot =
        table_.FindOrClaim(hash, [&](const Line& line) { return IsIdle(line, now.mono_ns); });
    if (!slot || !table_.Lock(*slot, hash)) return std::nullopt;
    Line& line = table_.at(*slot);
    std::optional<Place> place;
    if (EndsWord(line).load(std::memory_order_relaxed) == 0) StartNumbers(&line, now.mono_ns);
    Ends ends = Advance(&line, ReadEnds(line).tail, now.mono_ns);
    if (ends.size() < kRing && Waiting(line) < std::min(max_waiting, kMaxWaiting)) {
      place = {hash.hi, hash.lo, *slot, ends.tail};
      EntryAt(line, ends.tail) = {cost, now.mono_ns};
      ++ends.tail;
      WriteEnds(&line, ends);
    }
    table_.Unlock(*slot);
    return place;
  }

  Standing Look(const Place& place, Now now) override {
    Standing standing;
    Line* line = Lock(place);
    if (line == nullptr) return standing;  // all who waited were passed over
    const Ends ends = Advance(line, place.number, now.mono_ns);
    if (Holds(ends, place)) {
      for (uint32_t number = ends.head; number != place.number; ++number) {
        const Entry& entry = EntryAt(*line, number);
        if (entry.due_ns == kGivenUp) continue;
        if (standing.ahead++ == 0) standing.first_due_ns = entry.due_ns;
        standing.cost_ahead = SaturatingAdd(standing.cost_ahead, entry.cost);
      }
    }
    standing.is_first = standing.ahead == 0;
    table_.Unlock(place.slot);
    return standing;
  }

  void Promise(const Place& place, int64_t until_mono_ns, Now now) override {
    SetDue(place, std::min(until_mono_ns, SaturatingAdd(now.mono_ns, kLongestPromiseNs)));
  }

  void Leave(const Place& place) override { SetDue(place, kGivenUp); }

 private:
  static bool Holds(Ends ends, const Place& place) {
    return place.number - ends.head < ends.size();
  }

  Line* Lock(const Place& place) const {
    return table_.Lock(place.slot, {place.key_hi, place.key_lo}) ? &table_.at(place.slot) : nullptr;
  }

  void SetDue(const Place& place, int64_t due_ns) {
    Line* line = Lock(place);
    if (line == nullptr) return;
    Ends ends = ReadEnds(*line);
    if (Holds(ends, place)) {
      EntryAt(*line, place.number).due_ns = due_ns;
      while (ends.size() != 0 && EntryAt(*line, ends.head).due_ns == kGivenUp) ++ends.head;
      WriteEnds(line, ends);
    }
    table_.Unlock(place.slot);
  }

  const uint64_t seed_;
  const state::Table<Line> table_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Lines>> Lines::Create(state::Segment* segment,
                                                     const LinesOptions& options) {
  if (options.max_lines < 1 || options.max_lines > kMaxLines) {
    return absl::InvalidArgumentError(
        Concat({"max_lines must be 1 to ", std::to_string(kMaxLines)}));
  }
  auto table = state::Table<Line>::Open(segment, "lines", options.max_lines);
  if (!table.ok()) return table.status();
  return std::make_unique<TableLines>(segment->seed(), *table);
}

}  // namespace weir::queue
