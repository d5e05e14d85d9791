// The cells of large partitions. A partition of 2 * cell_rows rows is split in two, by two means of
// its rows' bearings, and so is each cell that reaches cell_rows; a row goes to the cell whose code
// is nearest. Once a cell was split, rows of its neighbours may be nearer to one of the two, and
// its own to neighbours: these are unsettled, and the next inserts ask some of their rows each, so
// that none takes long. A cell that has become small gives its rows to the others. So codes change
// only when a cell is split, and all that a look-up has to allow for is that whoever asks is not
// the row itself.
//
// Rows that change their cell are in the new one before they leave the old.

#include <algorithm>
#include <array>
#include <vector>

#include "cache/halves.h"
#include "cache/store.h"

namespace weir::cache {
namespace {

// The fewest rows of a cell, of cell_rows.
constexpr uint32_t kFewestShare = 16;
// A cell that cannot be split is tried again when it has grown by so much of cell_rows.
constexpr uint32_t kRetryShare = 4;

// A partition that grew beyond so many times cell_rows without cells, most of its rows having no
// vector, stays without: to make one of it all would take long.
constexpr uint32_t kLongestOfNone = 64;
// When a cell is split, rows of so many near each half, those two among them, are asked again
// whether their cell is the nearest; of so many near each of these.
constexpr size_t kUnsettled = 4, kNeighbours = 64;
// So much of vectors is read for that at a time.
constexpr uint32_t kSettledBytes = 1 << 17;
// How far ahead rows of a cell are called for.
constexpr uint32_t kRowsAhead = 4;

// Eight components of a bearing for eight bits of a sketch.
using Signs = std::array<std::array<int16_t, 8>, 256>;
constexpr Signs kSigns = [] {
  constexpr int kSize = kMostBearing / 16;  // 16 is the root of kBearings
  Signs signs = {};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    for (uint32_t bit = 0; bit < 8; ++bit) {
      signs[byte][bit] = static_cast<int16_t>((byte >> bit & 1) != 0 ? kSize : -kSize);
    }
  }
  return signs;
}();

uint32_t FewestRows(uint32_t cell_rows) { return std::max(1U, cell_rows / kFewestShare); }

}  // namespace

void Store::PrefetchRow(uint32_t row) const {
  __builtin_prefetch(&memory_.rests[row]);
  __builtin_prefetch(&memory_.rests[row].partition);
  const int8_t* const vector = memory_.vector(row);
  for (uint32_t at = 0; at < memory_.layout.stride; at += 64) __builtin_prefetch(vector + at);
}

void Store::ReadCentre(Turned* centre) const {
  for (uint32_t i = 0; i < kBearings; ++i) (*centre)[i] = Get(memory_.turned_mean[i]);
}

Bearing Store::BearingOfRow(uint32_t row, const Turned& centre) const {
  Turned turned;
  TurnRow(row, &turned);
  return BearingOf(turned, centre);
}

// kNone: there is none but `except`.
uint32_t Store::NearestCell(uint32_t number, const Bearing& bearing, uint32_t except) const {
  const Kernels& kernels = BestKernels();
  uint32_t nearest = kNone;
  int32_t most = INT32_MIN;
  for (uint32_t group = Get(memory_.partitions[number].group); group != kNone;
       group = Get(memory_.groups[group].next)) {
    int32_t scores[kGroupCells];
    kernels.score(memory_.groups[group], bearing.at, scores);
    for (uint32_t bits = Get(memory_.groups[group].used); bits != 0; bits &= bits - 1) {
      const auto at = static_cast<uint32_t>(__builtin_ctz(bits));
      const uint32_t cell = group * kGroupCells + at;
      if (scores[at] <= most || cell == except) continue;
      nearest = cell;
      most = scores[at];
    }
  }
  return nearest;
}

// kNone: the first one; and when there are no more.
uint32_t Store::CellAfter(uint32_t number, uint32_t cell) const {
  uint32_t group = cell == kNone ? Get(memory_.partitions[number].group) : cell / kGroupCells;
  uint32_t from = cell == kNone ? 0 : cell % kGroupCells + 1;
  for (; group != kNone; group = Get(memory_.groups[group].next), from = 0) {
    const uint32_t left = Get(memory_.groups[group].used) >> from << from;
    if (from < kGroupCells && left != 0) {
      return group * kGroupCells + static_cast<uint32_t>(__builtin_ctz(left));
    }
  }
  return kNone;
}

// For two more.
bool Store::HasRoomForCells(uint32_t number) const {
  const Partition& partition = memory_.partitions[number];
  return Get(header_.cells) + 2 <= memory_.layout.cells &&
         Get(partition.cells) + 2 <= kMostGroups * kGroupCells &&
         (Get(header_.free_group) != kNone || Get(partition.cells) % kGroupCells != 0);
}

// kNone: there is no room.
uint32_t Store::ClaimCell(uint32_t number) {
  Partition& partition = memory_.partitions[number];
  constexpr uint32_t kAll = (1U << kGroupCells) - 1;
  uint32_t group = Get(partition.group);
  while (group != kNone && Get(memory_.groups[group].used) == kAll) {
    group = Get(memory_.groups[group].next);
  }
  if (group == kNone) {
    group = Get(header_.free_group);
    if (group == kNone) return kNone;
    CellGroup& added = memory_.groups[group];
    Set(header_.free_group, Get(added.next));
    Set(added.used, 0);
    Set(added.next, Get(partition.group));
    WriteFence();
    Set(added.owner_hi, Get(partition.hi));
    Set(added.owner_lo, Get(partition.lo));
    partition.group.store(group, std::memory_order_release);
  }
  const auto at = static_cast<uint32_t>(__builtin_ctz(~Get(memory_.groups[group].used)));
  Chain& chain = memory_.groups[group].chains[at];
  Set(chain.first, kNone);
  Set(chain.last, kNone);
  Set(chain.rows, 0);
  Set(chain.full_at, memory_.layout.cell_rows);
  Set(chain.unsettled, 0);
  for (Half& block : memory_.groups[group].blocks[at]) Set(block, kNone);
  memory_.groups[group].used.store(Get(memory_.groups[group].used) | 1U << at,
                                   std::memory_order_release);
  Set(partition.cells, Get(partition.cells) + 1);
  Set(header_.cells, Get(header_.cells) + 1);
  return group * kGroupCells + at;
}

// It has no rows.
void Store::FreeCell(uint32_t number, uint32_t cell) {
  Partition& partition = memory_.partitions[number];
  CellGroup& group = GroupOf(cell);
  SetUnsettled(number, cell, 0);
  Set(group.used, Get(group.used) & ~(1U << cell % kGroupCells));
  Set(partition.cells, Get(partition.cells) - 1);
  Set(header_.cells, Get(header_.cells) - 1);
  if (Get(group.used) != 0) return;
  const uint32_t freed = cell / kGroupCells;
  Half* link = &partition.group;
  while (Get(*link) != freed) link = &memory_.groups[Get(*link)].next;
  link->store(Get(group.next), std::memory_order_release);
  Set(group.owner_hi, 0);
  Set(group.owner_lo, 0);
  Set(group.next, Get(header_.free_group));
  Set(header_.free_group, freed);
}

void Store::SetCode(uint32_t cell, const Code& code) {
  CellGroup& group = GroupOf(cell);
  for (uint32_t pair = 0; pair < kBearings / 2; ++pair) {
    const auto first = static_cast<uint8_t>(code.at[2 * pair]);
    const auto second = static_cast<uint8_t>(code.at[2 * pair + 1]);
    Set(group.codes[pair][cell % kGroupCells], first | second << 8);
  }
}

void Store::MoveToCell(uint32_t row, uint32_t cell) {
  const uint32_t number = Get(memory_.rests[row].partition);
  const uint32_t from = Get(memory_.rests[row].place);
  const Block& block = memory_.blocks[from / kBlockRows];
  const bool with_vector = (Get(block.with_vector) >> from % kBlockRows & 1) != 0;
  const uint32_t to = OpenPlace(number, cell);
  if (with_vector) CopySketch(from, to);
  FillPlace(to, row, with_vector);
  WriteFence();
  Vacate(from);
}

// The partition's first cell takes over its chain; kNone: there is no room.
uint32_t Store::MakeCellOfAll(uint32_t number) {
  Partition& partition = memory_.partitions[number];
  const uint32_t cell = ClaimCell(number);
  if (cell == kNone) return kNone;
  Chain& chain = ChainOf(number, cell);
  uint32_t at = 0;
  for (uint32_t block = Get(partition.chain.first); block != kNone;
       block = Get(memory_.blocks[block].next)) {
    if (Get(memory_.blocks[block].centre) != Get(header_.centre)) {
      SketchAnew(&memory_.blocks[block]);
    }
    Set(memory_.blocks[block].cell, cell);
    ListBlock(cell, at++, block);
  }
  Set(chain.first, Get(partition.chain.first));
  Set(chain.last, Get(partition.chain.last));
  Set(chain.rows, Get(partition.chain.rows));
  WriteFence();
  Set(partition.chain.first, kNone);
  Set(partition.chain.last, kNone);
  Set(partition.chain.rows, 0);
  return cell;
}

// Of a chain that has grown larger than it should, the latest rows, so that nobody waits long.
std::vector<uint32_t> Store::LatestRows(uint32_t number, uint32_t cell, bool with_vector) const {
  std::vector<uint32_t> rows;
  uint32_t block = Get(ChainOf(number, cell).last);
  for (uint32_t left = 2 * memory_.layout.cell_rows / kBlockRows + 2; left > 0 && block != kNone;
       --left) {
    const Block& from = memory_.blocks[block];
    for (uint32_t at = Get(from.rows); at > 0; --at) {
      const bool has_vector = (Get(from.with_vector) >> (at - 1) & 1) != 0;
      if (has_vector == with_vector) rows.push_back(Get(from.row[at - 1]));
    }
    block = Get(from.previous);
  }
  return rows;
}

// What is left of it in the signs, which will do for a mean of many.
Bearing Store::BearingOfSketch(uint32_t place) {
  Block& block = memory_.blocks[place / kBlockRows];
  if (Get(block.centre) != Get(header_.centre)) SketchAnew(&block);
  Bearing bearing;
  for (uint32_t w = 0; w < kSketchWords; ++w) {
    const uint64_t word = Get(block.sketch_word(place % kBlockRows, w));
    for (uint32_t byte = 0; byte < 8; ++byte) {
      const auto& eight = kSigns[word >> 8 * byte & 0xFF];
      std::copy(eight.begin(), eight.end(), bearing.at + 64 * w + 8 * byte);
    }
  }
  return bearing;
}

// In two, if its rows are of two kinds and there is room. The signs tell well enough which is
// which: both are settled next.
bool Store::Split(uint32_t number, uint32_t cell) {
  Partition& partition = memory_.partitions[number];
  const uint32_t cell_rows = memory_.layout.cell_rows;
  Chain& whole = ChainOf(number, cell);
  if (Get(header_.centre) == 0 || !HasRoomForCells(number)) return false;
  if (cell == kNone && Get(whole.rows) > kLongestOfNone * cell_rows) return false;
  Set(whole.full_at, Get(whole.rows) + std::max(1U, cell_rows / kRetryShare));
  const std::vector<uint32_t> rows = LatestRows(number, cell, true);
  std::vector<Bearing> bearings;
  bearings.reserve(rows.size());
  for (const uint32_t row : rows)
    bearings.push_back(BearingOfSketch(Get(memory_.rests[row].place)));
  const Halves halves = Halve(bearings);
  const uint32_t fewest = FewestRows(cell_rows);
  if (halves.counts[0] < fewest || halves.counts[1] < fewest) return true;
  const Moving moving(&partition);
  const uint32_t one = cell == kNone ? MakeCellOfAll(number) : cell;
  const uint32_t other = one == kNone ? kNone : ClaimCell(number);
  if (other == kNone) return true;
  SetCode(one, halves.codes[0]);
  SetCode(other, halves.codes[1]);
  for (const uint32_t row : LatestRows(number, one, false)) MoveToCell(row, kNone);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (halves.sides[i] != 0) MoveToCell(rows[i], other);
  }
  for (const uint32_t half : {one, other}) {
    Chain& chain = ChainOf(number, half);
    const uint32_t grown = Get(chain.rows) + cell_rows / kRetryShare;
    Set(chain.full_at, Get(chain.rows) < cell_rows ? cell_rows : grown);
    const Bearing bearing = BearingOf(CodeOfCell(half));
    for (const uint32_t near : CellsNear(number, bearing, kUnsettled)) {
      SetUnsettled(number, near, Get(ChainOf(number, near).rows));
    }
  }
  return true;
}

Code Store::CodeOfCell(uint32_t cell) const {
  Code code;
  for (uint32_t pair = 0; pair < kBearings / 2; ++pair) {
    const uint16_t both = Get(GroupOf(cell).codes[pair][cell % kGroupCells]);
    code.at[2 * pair] = static_cast<int8_t>(both & 0xFF);
    code.at[2 * pair + 1] = static_cast<int8_t>(both >> 8);
  }
  return code;
}

// Those that score best, best first.
std::vector<uint32_t> Store::CellsNear(uint32_t number, const Bearing& bearing, size_t most) const {
  std::vector<std::pair<int32_t, uint32_t>> near;
  for (uint32_t group = Get(memory_.partitions[number].group); group != kNone;
       group = Get(memory_.groups[group].next)) {
    int32_t scores[kGroupCells];
    BestKernels().score(memory_.groups[group], bearing.at, scores);
    for (uint32_t bits = Get(memory_.groups[group].used); bits != 0; bits &= bits - 1) {
      const auto at = static_cast<uint32_t>(__builtin_ctz(bits));
      near.emplace_back(-scores[at], group * kGroupCells + at);
    }
  }
  most = std::min(most, near.size());
  std::partial_sort(near.begin(), near.begin() + static_cast<ptrdiff_t>(most), near.end());
  std::vector<uint32_t> cells;
  for (size_t i = 0; i < most; ++i) cells.push_back(near[i].second);
  return cells;
}

void Store::SetUnsettled(uint32_t number, uint32_t cell, uint32_t rows) {
  Half& left = ChainOf(number, cell).unsettled;
  Half& count = memory_.partitions[number].unsettled;
  if (Get(left) == 0 && rows != 0) Set(count, Get(count) + 1);
  if (Get(left) != 0 && rows == 0) Set(count, Get(count) - 1);
  Set(left, rows);
}

uint32_t Store::AnyUnsettled(uint32_t number) const {
  uint32_t cell = CellAfter(number, kNone);
  while (cell != kNone && Get(ChainOf(number, cell).unsettled) == 0) {
    cell = CellAfter(number, cell);
  }
  return cell;
}

void Store::ListBlock(uint32_t cell, uint32_t at, uint32_t block) {
  if (cell == kNone || at >= kCellBlocks) return;
  Set(GroupOf(cell).blocks[cell % kGroupCells][at], block);
}

// The codes of the cells that score best with a cell's own.
struct Store::Neighbours {
  std::vector<uint32_t> cells;
  std::vector<CellGroup> codes;

  uint32_t NearestTo(const Bearing& bearing) const {
    int32_t scores[kNeighbours];
    for (size_t group = 0; group < codes.size(); ++group) {
      BestKernels().score(codes[group], bearing.at, scores + group * kGroupCells);
    }
    return cells[std::max_element(scores, scores + cells.size()) - scores];
  }
};
static_assert(kNeighbours % kGroupCells == 0);

Store::Neighbours Store::NeighboursOf(uint32_t number, uint32_t cell) const {
  Neighbours near;
  near.cells = CellsNear(number, BearingOf(CodeOfCell(cell)), kNeighbours);
  near.codes = std::vector<CellGroup>((near.cells.size() + kGroupCells - 1) / kGroupCells);
  for (size_t i = 0; i < near.cells.size(); ++i) {
    const uint32_t from = near.cells[i];
    for (uint32_t pair = 0; pair < kBearings / 2; ++pair) {
      Set(near.codes[i / kGroupCells].codes[pair][i % kGroupCells],
          Get(GroupOf(from).codes[pair][from % kGroupCells]));
    }
  }
  return near;
}

// Rows of one unsettled cell, the last of those first, go to that of its neighbours that is
// nearest. What leaves gives its place to the chain's last row, which was asked before or came
// later.
void Store::Settle(uint32_t number) {
  Partition& partition = memory_.partitions[number];
  if (Get(partition.unsettled) == 0) return;
  const uint32_t cell = AnyUnsettled(number);
  if (cell == kNone) return Set(partition.unsettled, 0);
  const Chain& chain = ChainOf(number, cell);
  const Neighbours near = NeighboursOf(number, cell);
  Turned centre;
  ReadCentre(&centre);
  const auto& blocks = GroupOf(cell).blocks[cell % kGroupCells];
  const auto block_of = [&](uint32_t at) -> const Block& {
    return memory_.blocks[Get(blocks[at / kBlockRows])];
  };
  const auto row_at = [&](uint32_t at) { return Get(block_of(at).row[at % kBlockRows]); };
  uint32_t left = std::min({Get(chain.unsettled), Get(chain.rows), kCellBlocks * kBlockRows});
  std::vector<std::pair<uint32_t, uint32_t>> moves;  // of a row to a cell
  for (uint32_t budget = kSettledBytes / memory_.layout.stride; left > 0 && budget > 0; --budget) {
    --left;
    if (left >= kRowsAhead) PrefetchRow(row_at(left - kRowsAhead));
    if ((Get(block_of(left).with_vector) >> left % kBlockRows & 1) == 0) continue;
    const uint32_t row = row_at(left);
    const uint32_t nearest = near.NearestTo(BearingOfRow(row, centre));
    if (nearest != cell) moves.emplace_back(row, nearest);
  }
  SetUnsettled(number, cell, left);
  if (moves.empty()) return;
  const Moving moving(&partition);
  for (const auto& [row, to] : moves) MoveToCell(row, to);
  Thin(number, cell);
}

// A row has left the cell.
void Store::Thin(uint32_t number, uint32_t cell) {
  const Partition& partition = memory_.partitions[number];
  Chain& chain = ChainOf(number, cell);
  if (Get(chain.rows) == 0) return FreeCell(number, cell);
  if (Get(chain.rows) >= FewestRows(memory_.layout.cell_rows) || Get(partition.cells) == 1) return;
  Turned centre;
  ReadCentre(&centre);
  while (Get(chain.rows) != 0) {
    const Block& last = memory_.blocks[Get(chain.last)];
    const uint32_t at = Get(last.rows) - 1;
    const uint32_t row = Get(last.row[at]);
    const bool with_vector = (Get(last.with_vector) >> at & 1) != 0;
    MoveToCell(row, with_vector ? NearestCell(number, BearingOfRow(row, centre), cell) : kNone);
  }
  FreeCell(number, cell);
}

}  // namespace weir::cache
