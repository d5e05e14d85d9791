// Regions of a pool, and which slot is whose.

#include <array>
#include <cstring>
#include <string>

#include "balance/board.h"
#include "base/text.h"

namespace weir::balance {
namespace {

std::string RegionName(state::Segment* segment, std::string_view pool, uint32_t capacity) {
  // Region names are short; pool names are whatever the policy says.
  const Hash128 hash = SipHash(segment->seed(), "balance", pool);
  const std::string_view bytes(reinterpret_cast<const char*>(&hash), sizeof(hash));
  return Concat({"balance/", HexEncode(bytes), "/", std::to_string(capacity)});
}

}  // namespace

void Board::Point(Header* header, const Layout& layout) {
  auto* const base = reinterpret_cast<unsigned char*>(header);
  layout_ = layout;
  tiers_ = reinterpret_cast<Tier*>(base + layout.tiers);
  records_ = reinterpret_cast<Record*>(base + layout.records);
  facts_ = reinterpret_cast<Facts*>(base + layout.facts);
  nodes_ = reinterpret_cast<uint64_t*>(base + layout.nodes);
  strides_ = reinterpret_cast<uint64_t*>(base + layout.strides);
  order_ = reinterpret_cast<uint16_t*>(base + layout.order);
  index_ = reinterpret_cast<uint16_t*>(base + layout.index);
  owners_ = reinterpret_cast<uint32_t*>(base + layout.owners);
  columns_ = reinterpret_cast<uint16_t*>(base + layout.columns);
  header_.store(header, std::memory_order_release);
}

void Board::Adopt(const Board& opened) {
  identity_ = opened.identity_;
  Point(opened.header(), opened.layout_);
}

absl::Status Board::Open(state::Segment* segment, std::string_view name, size_t members) {
  identity_ = &segment->identity();
  // The largest that exists is the one in use, if it is large enough.
  Board smaller;
  bool found = false;
  for (size_t i = std::size(kCapacities); i-- > 0 && !found;) {
    const Layout layout(kCapacities[i]);
    const auto region =
        segment->FindRegion(RegionName(segment, name, layout.capacity), layout.bytes);
    if (!region.ok()) continue;
    Board& board = layout.capacity >= members ? *this : smaller;
    board.identity_ = identity_;
    board.Point(static_cast<Header*>(*region), layout);
    if (layout.capacity >= members && header()->ready.load(std::memory_order_acquire) != 0)
      return absl::OkStatus();
    found = layout.capacity < members;
  }
  if (header() == nullptr) {
    for (const uint32_t capacity : kCapacities) {
      if (capacity < members) continue;
      const Layout layout(capacity);
      const auto region = segment->Region(RegionName(segment, name, capacity), layout.bytes);
      if (!region.ok()) return region.status();
      Point(static_cast<Header*>(*region), layout);
      break;
    }
  }
  MoveIn(found ? &smaller : nullptr);
  return absl::OkStatus();
}

// Who makes a region may die before all is moved; then the next one does it again.
void Board::MoveIn(Board* smaller) {
  const state::LockHolder lock(header()->lock, *identity_);
  if (header()->ready.load(std::memory_order_acquire) != 0) return;
  if (smaller == nullptr) {
    header()->epoch = 1;  // one that no pool has seen
    header()->ready.store(1, std::memory_order_release);
    return;
  }
  Header* const from = smaller->header();
  const state::LockHolder second(from->lock, *identity_);
  if (from->condition == kBusy) smaller->Recover();
  from->condition = kBusy;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  smaller->Unbind();
  for (uint32_t slot = 0; slot < smaller->layout_.slots; ++slot) {
    records_[slot] = smaller->records_[slot];
    facts_[slot] = smaller->facts_[slot];
  }
  std::copy_n(smaller->owners_, kColumns, owners_);
  for (uint32_t c = 0; c < kColumns; ++c) {
    std::copy_n(smaller->columns_ + size_t{c} * smaller->layout_.slots, smaller->layout_.slots,
                columns_ + size_t{c} * layout_.slots);
  }
  header()->streams = from->streams;
  header()->generation = from->generation;
  header()->epoch = 1;
  MakeIndex();
  header()->ready.store(1, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  from->condition = kMoved;
}

void Board::MakeIndex() {
  std::fill_n(index_, 4 * layout_.capacity, uint16_t{0});
  const uint32_t mask = 4 * layout_.capacity - 1;
  for (uint32_t slot = 0; slot < layout_.slots; ++slot) {
    if (facts_[slot].bound_in == 0) continue;
    uint32_t at = static_cast<uint32_t>(facts_[slot].name_lo) & mask;
    while (index_[at] != 0) at = (at + 1) & mask;
    index_[at] = static_cast<uint16_t>(slot + 1);
  }
}

// The slot of a name; layout_.slots when it has none.
uint32_t Board::Look(Hash128 name) const {
  const uint32_t mask = 4 * layout_.capacity - 1;
  for (uint32_t at = static_cast<uint32_t>(name.lo) & mask; index_[at] != 0; at = (at + 1) & mask) {
    const Facts& facts = facts_[index_[at] - 1];
    if (facts.name_lo == name.lo && facts.name_hi == name.hi) return index_[at] - 1u;
  }
  return layout_.slots;
}

void Board::FindSlots(absl::Span<const Hash128> names, std::vector<uint16_t>* slots) {
  Header& h = *header();
  const uint32_t generation = ++h.generation;
  slots->resize(names.size());
  size_t missing = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    const uint32_t slot = Look(names[i]);
    (*slots)[i] = static_cast<uint16_t>(slot);
    if (slot == layout_.slots) {
      ++missing;
    } else {
      facts_[slot].bound_in = generation;
    }
  }
  if (missing == 0) return;
  // Free slots first, then those named longest ago; among those, the ones with nothing under way.
  std::array<uint16_t, 2 * kMaxMembers> choice;
  size_t count = 0;
  size_t free = 0;
  for (uint32_t slot = 0; slot < layout_.slots; ++slot) {
    if (facts_[slot].bound_in == generation) continue;
    choice[count++] = static_cast<uint16_t>(slot);
    if (facts_[slot].bound_in == 0) std::swap(choice[free++], choice[count - 1]);
  }
  if (free < missing) {
    Unbind();
    std::sort(choice.begin() + free, choice.begin() + count, [this](uint16_t a, uint16_t b) {
      const auto rank = [this](uint16_t slot) {
        return uint64_t{facts_[slot].bound_in} << 1 | (records_[slot].in_flight != 0 ? 1 : 0);
      };
      return rank(a) < rank(b);
    });
    ++h.slots_epoch;
  }
  size_t next = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    if ((*slots)[i] != layout_.slots) continue;
    const uint32_t slot = choice[next++];
    // Nobody's before it is wiped, and somebody's when all else is in place.
    facts_[slot].bound_in = 0;
    for (uint32_t c = 0; c < kColumns; ++c) columns_[c * layout_.slots + slot] = 0;
    records_[slot] = Record{};
    facts_[slot] = Facts{};
    facts_[slot].name_hi = names[i].hi;
    facts_[slot].name_lo = names[i].lo;
    facts_[slot].bound_in = generation;
    (*slots)[i] = static_cast<uint16_t>(slot);
  }
  MakeIndex();
}

}  // namespace weir::balance
