// The state that all processes share, and what is decided by it.

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "base/hash.h"
#include "base/text.h"
#include "learning/bound.h"
#include "learning/trials.h"
#include "weir/learning.h"

namespace weir::learning {
namespace {

constexpr std::string_view kRegionPrefix = "learned:";
constexpr uint32_t kFewestSlots = 1024, kMostSlots = 65'536, kWays = 4;
constexpr unsigned kFirstTrials = 4;    // of an entry: what they find tells of others
constexpr uint32_t kMostPooled = 4096;  // then both numbers are halved
constexpr uint32_t kMinutes = 16;       // > kLongestTrialMinutes

using Word = std::atomic<uint64_t>;
static_assert(Word::is_always_lock_free);

// One share that may be tried.
struct Level {
  Word is_used;
  Word found;  // wrong answers
  // Trials under way, by the minute in which they began: the minute above, their number below. A
  // minute's word is another's sixteen minutes later, and what is still in it then is lost.
  Word under_way[kMinutes];
};

struct Slot {
  Word tag;     // of an entry or a partition; 0: none
  Word trials;  // Trials
};

struct Head {
  Word decided, served, right, wrong, lost;
  Word pooled[kBands];  // first trials of all entries: wrong ones above, all below
  Level levels[kLevels];
};

struct Memory {
  alignas(128) Head head;
  alignas(128) Slot slots[1];
};

uint32_t SlotsFor(uint32_t max_entries) {
  return std::bit_ceil(std::clamp(max_entries, kFewestSlots, kMostSlots));
}

uint32_t MinuteOf(Now now) {
  return static_cast<uint32_t>(std::max<int64_t>(now.unix_ns, 0) / kMinute);
}

void Increment(Word* word) { word->fetch_add(1, std::memory_order_relaxed); }
uint64_t Read(const Word& word) { return word.load(std::memory_order_relaxed); }

// A word's new value is what `change` makes of the old one.
template <typename Change>
void Update(Word* word, Change&& change) {
  uint64_t before = word->load(std::memory_order_relaxed);
  while (!word->compare_exchange_weak(before, change(before), std::memory_order_relaxed)) {
  }
}

constexpr uint64_t kLow = 0xFFFFFFFF;

void Begin(Level* level, uint32_t minute) {
  Update(&level->under_way[minute % kMinutes], [&](uint64_t before) {
    const bool is_same = before >> 32 == minute;
    return uint64_t{minute} << 32 | ((is_same ? before & kLow : 0) + 1);
  });
}

void Finish(Level* level, uint32_t minute) {
  Update(&level->under_way[minute % kMinutes], [&](uint64_t before) {
    const bool is_there = before >> 32 == minute && (before & kLow) != 0;
    return is_there ? before - 1 : before;
  });
}

uint64_t UnderWay(const Level& level, uint32_t now_minute) {
  uint64_t sum = 0;
  for (const Word& word : level.under_way) {
    const uint64_t value = Read(word);
    const int64_t age = int64_t{now_minute} - static_cast<int64_t>(value >> 32);
    if (age <= int64_t{kLongestTrialMinutes}) sum += value & kLow;
  }
  return sum;
}

class VerifierImpl : public Verifier {
 public:
  VerifierImpl(const Rules& rules, uint64_t seed, Memory* memory)
      : rules_(rules),
        bound_(rules.confidence),
        seed_(seed),
        head_(&memory->head),
        slots_(memory->slots),
        sets_(SlotsFor(rules.max_entries) / kWays) {
    while (base_level_ >= 0 && kShares[static_cast<size_t>(base_level_)] < rules.verify_share) {
      --base_level_;
    }
  }

  Ticket Decide(const Candidate& candidate, Now now) override;
  void Report(const Ticket& ticket, Outcome outcome, Now now) override;
  Stats GetStats(Now now) const override;

 private:
  uint64_t TagOf(std::string_view kind, std::string_view name) const {
    return SipHash(seed_, kind, name).lo | 1;
  }
  int BandOf(double similarity) const;
  Slot* SetOf(uint64_t tag) const { return slots_ + (tag >> 8) % sets_ * kWays; }
  Trials Find(uint64_t tag) const;
  void Note(uint64_t tag, int band, bool is_wrong);
  void Pool(int band, bool is_wrong);
  double Estimate(const Ticket& ticket) const;
  int LevelFor(double estimate) const;
  double ServedWrongAtMost(uint32_t minute, int also) const;

  const Rules rules_;
  const Bound bound_;
  const uint64_t seed_;
  Head* const head_;
  Slot* const slots_;
  const uint64_t sets_;
  int base_level_ = kLevels - 1;  // of what is trusted; -1: all is tried
};

int VerifierImpl::BandOf(double similarity) const {
  const double part = (similarity - rules_.min_similarity) / (1 - rules_.min_similarity);
  return part > 0 ? static_cast<int>(std::min(part * kBands, kBands - 1.0)) : 0;  // 0: a NaN, too
}

Trials VerifierImpl::Find(uint64_t tag) const {
  const Slot* set = SetOf(tag);
  for (uint32_t i = 0; i < kWays; ++i) {
    if (Read(set[i].tag) == tag) return Trials(Read(set[i].trials));
  }
  return {};
}

// A set without room halves what its least known knows, until that is nothing and gives way. Two
// threads may make one tag two slots, or leave a slot's numbers to another tag: then an estimate is
// off, which the promise does not stand on.
void VerifierImpl::Note(uint64_t tag, int band, bool is_wrong) {
  Slot* set = SetOf(tag);
  Slot* own = nullptr;
  for (uint32_t i = 0; i < kWays && own == nullptr; ++i) {
    if (Read(set[i].tag) == tag) own = &set[i];
  }
  if (own == nullptr) {
    own = std::min_element(set, set + kWays, [](const Slot& a, const Slot& b) {
      return Trials(Read(a.trials)).all() < Trials(Read(b.trials)).all();
    });
    if (Trials(Read(own->trials)).all() != 0) {
      Update(&own->trials, [](uint64_t before) {
        Trials trials(before);
        trials.Halve();
        return trials.word();
      });
      return;
    }
    own->tag.store(tag, std::memory_order_relaxed);
  }
  Update(&own->trials, [&](uint64_t before) {
    Trials trials(before);
    trials.Add(band, is_wrong);
    return trials.word();
  });
}

void VerifierImpl::Pool(int band, bool is_wrong) {
  Update(&head_->pooled[band], [&](uint64_t before) {
    uint64_t all = before & kLow, wrongs = before >> 32;
    if (all >= kMostPooled) {
      all /= 2;
      wrongs = (wrongs + 1) / 2;
    }
    return (wrongs + (is_wrong ? 1 : 0)) << 32 | (all + 1);
  });
}

double VerifierImpl::Estimate(const Ticket& ticket) const {
  const uint64_t pooled = Read(head_->pooled[ticket.band]);
  const double of_all =
      (static_cast<double>(pooled >> 32) + 1) / (static_cast<double>(pooled & kLow) + 2);
  const double of_partition = Find(ticket.partition).Estimate(ticket.band, of_all);
  return Find(ticket.entry).Estimate(ticket.band, of_partition);
}

// The least careful level at which a hit of this error goes wrong no more often than it may; -1: to
// try it.
int VerifierImpl::LevelFor(double estimate) const {
  int level = base_level_;
  while (level >= 0 &&
         (1 - kShares[static_cast<size_t>(level)]) * estimate > rules_.max_error_rate) {
    --level;
  }
  return level;
}

// If level `also` is used, too. A trial under way may have found an error.
double VerifierImpl::ServedWrongAtMost(uint32_t minute, int also) const {
  double sum = 0;
  for (int i = 0; i < kLevels; ++i) {
    const Level& level = head_->levels[i];
    if (i != also && Read(level.is_used) == 0) continue;
    sum += bound_.AtMost(i, Read(level.found) + UnderWay(level, minute));
  }
  return sum;
}

Ticket VerifierImpl::Decide(const Candidate& candidate, Now now) {
  const uint64_t decided = head_->decided.fetch_add(1, std::memory_order_relaxed) + 1;
  Ticket ticket;
  ticket.choice = Choice::kExplore;
  ticket.level = kLevels;
  ticket.band = static_cast<uint8_t>(BandOf(candidate.similarity));
  ticket.minute = MinuteOf(now);
  const uint64_t words[] = {candidate.entry, decided, static_cast<uint64_t>(now.unix_ns)};
  const std::string_view bytes(reinterpret_cast<const char*>(words), sizeof(words));
  ticket.entry = TagOf("entry", bytes.substr(0, sizeof(candidate.entry)));
  ticket.partition = TagOf("partition", candidate.partition);
  int level = rules_.max_error_rate < 1 ? LevelFor(Estimate(ticket)) : base_level_;
  const bool is_trusted = level == base_level_;
  const double allowance = rules_.max_error_rate * static_cast<double>(decided);
  const auto is_too_much = [&] {
    return rules_.max_error_rate < 1 && ServedWrongAtMost(ticket.minute, level) > allowance;
  };
  while (level >= 0 && is_too_much()) --level;
  if (level < 0) {
    if (base_level_ < 0) ticket.choice = Choice::kSample;  // the share is all
    return ticket;
  }
  ticket.level = static_cast<uint8_t>(level);
  Level& chosen = head_->levels[level];
  if (Read(chosen.is_used) == 0) chosen.is_used.store(1, std::memory_order_relaxed);
  constexpr double kBits53 = 0x1p-53;
  const uint64_t coin = SipHash(seed_, "coin", bytes).lo >> 11;
  if (static_cast<double>(coin) * kBits53 >= kShares[static_cast<size_t>(level)]) {
    ticket.choice = Choice::kServe;
    Increment(&head_->served);
    return ticket;
  }
  ticket.choice = is_trusted ? Choice::kSample : Choice::kExplore;
  Begin(&chosen, ticket.minute);
  return ticket;
}

void VerifierImpl::Report(const Ticket& ticket, Outcome outcome, Now /*now*/) {
  if (ticket.choice == Choice::kServe) return;
  const bool is_wrong = outcome == Outcome::kWrong;
  if (ticket.level < kLevels) {
    Level& level = head_->levels[ticket.level];
    if (is_wrong) Increment(&level.found);  // first, so that at no time it is in neither number
    Finish(&level, ticket.minute);
  }
  if (outcome == Outcome::kLost) return Increment(&head_->lost);
  Increment(is_wrong ? &head_->wrong : &head_->right);
  if (Find(ticket.entry).all() < kFirstTrials) {
    Pool(ticket.band, is_wrong);
    Note(ticket.partition, ticket.band, is_wrong);
  }
  Note(ticket.entry, ticket.band, is_wrong);
}

Stats VerifierImpl::GetStats(Now now) const {
  Stats stats;
  stats.decided = Read(head_->decided);
  stats.served = Read(head_->served);
  stats.right = Read(head_->right);
  stats.wrong = Read(head_->wrong);
  stats.lost = Read(head_->lost);
  stats.served_wrong_at_most = ServedWrongAtMost(MinuteOf(now), -1);
  stats.allowance = rules_.max_error_rate * static_cast<double>(stats.decided);
  return stats;
}

}  // namespace

std::string_view ChoiceName(Choice choice) {
  constexpr std::string_view kNames[] = {"served", "verified", "explored"};
  return kNames[static_cast<size_t>(choice)];
}

std::string_view OutcomeName(Outcome outcome) {
  constexpr std::string_view kNames[] = {"right", "wrong", "lost"};
  return kNames[static_cast<size_t>(outcome)];
}

uint64_t BytesFor(uint32_t max_entries) {
  return sizeof(Memory) + uint64_t{SlotsFor(max_entries)} * sizeof(Slot);
}

absl::StatusOr<std::unique_ptr<Verifier>> Verifier::Create(state::Segment* segment,
                                                           std::string_view name,
                                                           const Rules& rules) {
  const auto within = [](double value, double least, double most) {
    return value >= least && value <= most;  // false for what is no number
  };
  if (!within(rules.max_error_rate, 1e-6, 1)) {
    return absl::InvalidArgumentError("max_error_rate is not within 0.000001 and 1");
  }
  if (!within(rules.confidence, 0.5, 0.999999)) {
    return absl::InvalidArgumentError("confidence is not within 0.5 and 0.999999");
  }
  if (!within(rules.verify_share, 0, 1)) {
    return absl::InvalidArgumentError("verify_share is not within 0 and 1");
  }
  if (!within(rules.min_similarity, -1, 1) || rules.min_similarity == 1) {
    return absl::InvalidArgumentError("min_similarity is not within -1 and 1, or is 1");
  }
  auto region =
      segment->Region(std::string(kRegionPrefix).append(name), BytesFor(rules.max_entries));
  if (!region.ok()) return region.status();
  return std::make_unique<VerifierImpl>(rules, segment->seed(), static_cast<Memory*>(*region));
}

}  // namespace weir::learning
