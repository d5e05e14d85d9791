// Partitions, and the blocks in which their rows hang, in one chain or in one for each cell: always
// full but for the last one, so that a look-up reads nothing that is not there.

#include <algorithm>

#include "cache/store.h"

namespace weir::cache {
namespace {

// So many vectors make the mean that sketches are around.
constexpr uint32_t kCentreVectors = 256;

void SetBit(Half& bits, uint32_t at, bool value) {
  Set(bits, (Get(bits) & ~(uint32_t{1} << at)) | uint32_t{value} << at);
}

}  // namespace

void ForgetRows(Partition* partition, uint32_t full_at) {
  Set(partition->chain.first, kNone);
  Set(partition->chain.last, kNone);
  Set(partition->chain.rows, 0);
  Set(partition->chain.full_at, full_at);
  Set(partition->group, kNone);
  Set(partition->cells, 0);
  Set(partition->rows, 0);
  Set(partition->hand, 0);
  Set(partition->unsettled, 0);
}

uint32_t Store::FindPartition(Hash128 hash) const {
  uint32_t number = Get(memory_.PartitionBucket(hash));
  while (number != kNone) {
    const Partition& partition = memory_.partitions[number];
    if (Get(partition.lo) == hash.lo && Get(partition.hi) == hash.hi) break;
    number = Get(partition.next);
  }
  return number;
}

// There is a free one.
uint32_t Store::ClaimPartition(Hash128 hash) {
  const uint32_t number = Get(header_.free_partition);
  Partition& partition = memory_.partitions[number];
  Set(header_.free_partition, Get(partition.hand));
  ForgetRows(&partition, 2 * memory_.layout.cell_rows);
  WriteFence();
  Set(partition.hi, hash.hi);
  Set(partition.lo, hash.lo);
  LinkPartition(number);
  return number;
}

void Store::LinkPartition(uint32_t number) {
  Partition& partition = memory_.partitions[number];
  Half& bucket = memory_.PartitionBucket({Get(partition.hi), Get(partition.lo)});
  Set(partition.next, Get(bucket));
  bucket.store(number, std::memory_order_release);
  Set(header_.partitions, Get(header_.partitions) + 1);
}

// Its hash and its link stay, for the readers who stand on it.
void Store::FreePartition(uint32_t number) {
  Partition& partition = memory_.partitions[number];
  Half* link = &memory_.PartitionBucket({Get(partition.hi), Get(partition.lo)});
  while (Get(*link) != number) link = &memory_.partitions[Get(*link)].next;
  link->store(Get(partition.next), std::memory_order_release);
  Set(partition.hand, Get(header_.free_partition));
  Set(header_.free_partition, number);
  Set(header_.partitions, Get(header_.partitions) - 1);
}

// At the end of the chain; its number. There is a free one: all but one of each chain's blocks are
// full.
uint32_t Store::AddBlock(uint32_t number, uint32_t cell) {
  const Partition& partition = memory_.partitions[number];
  Chain& chain = ChainOf(number, cell);
  const uint32_t added = Get(header_.free_block);
  Block& block = memory_.blocks[added];
  Set(header_.free_block, Get(block.next));
  const uint32_t last = Get(chain.last);
  Set(block.rows, 0);
  Set(block.with_vector, 0);
  Set(block.next, kNone);
  Set(block.previous, last);
  Set(block.centre, Get(header_.centre));
  Set(block.ahead, kNone);
  Set(block.cell, cell);
  uint32_t back = last;
  for (uint32_t i = 1; i < kBlocksAhead && back != kNone; ++i) {
    back = Get(memory_.blocks[back].previous);
  }
  if (back != kNone) Set(memory_.blocks[back].ahead, added);
  WriteFence();
  Set(block.owner_hi, Get(partition.hi));
  Set(block.owner_lo, Get(partition.lo));
  Half& link = last == kNone ? chain.first : memory_.blocks[last].next;
  link.store(added, std::memory_order_release);
  Set(chain.last, added);
  ListBlock(cell, Get(chain.rows) / kBlockRows, added);
  return added;
}

// It is the last one of the chain, and no row is left in it.
void Store::FreeBlock(Chain* of, uint32_t number) {
  Chain& chain = *of;
  Block& block = memory_.blocks[number];
  const uint32_t previous = Get(block.previous);
  Set(previous == kNone ? chain.first : memory_.blocks[previous].next, kNone);
  Set(chain.last, previous);
  Set(block.owner_hi, 0);
  Set(block.owner_lo, 0);
  Set(block.next, Get(header_.free_block));
  Set(header_.free_block, number);
}

// The place after the last row of the chain; not a row's yet.
uint32_t Store::OpenPlace(uint32_t partition, uint32_t cell) {
  uint32_t number = Get(ChainOf(partition, cell).last);
  if (number == kNone || Get(memory_.blocks[number].rows) == kBlockRows) {
    number = AddBlock(partition, cell);
  }
  Block& block = memory_.blocks[number];
  if (Get(block.centre) != Get(header_.centre)) SketchAnew(&block);
  return number * kBlockRows + Get(block.rows);
}

// An open place, whose sketch is set if the row has one.
void Store::FillPlace(uint32_t place, uint32_t row, bool with_vector) {
  Block& block = memory_.blocks[place / kBlockRows];
  const uint32_t at = place % kBlockRows;
  SetBit(block.with_vector, at, with_vector);
  Set(block.row[at], row);
  block.rows.store(at + 1, std::memory_order_release);
  Set(memory_.rests[row].place, place);
  Chain& chain = ChainOf(Get(memory_.rests[row].partition), Get(block.cell));
  Set(chain.rows, Get(chain.rows) + 1);
}

// `turned`: the row's vector; null: it has none. True: its cell was split in two.
bool Store::Attach(uint32_t row, const Turned* turned) {
  const uint32_t number = Get(memory_.rests[row].partition);
  Partition& partition = memory_.partitions[number];
  uint32_t cell = kNone;
  if (turned != nullptr && Get(partition.group) != kNone) {
    Turned centre;
    ReadCentre(&centre);
    cell = NearestCell(number, BearingOf(*turned, centre), kNone);
  }
  const uint32_t place = OpenPlace(number, cell);
  if (turned != nullptr) {
    SetSketch(&memory_.blocks[place / kBlockRows], place % kBlockRows, *turned);
  }
  FillPlace(place, row, turned != nullptr);
  Set(partition.rows, Get(partition.rows) + 1);
  const Chain& chain = ChainOf(number, cell);
  return turned != nullptr && Get(chain.rows) >= Get(chain.full_at) && Split(number, cell);
}

void Store::Detach(uint32_t row) {
  const uint32_t number = Get(memory_.rests[row].partition);
  const uint32_t place = Get(memory_.rests[row].place);
  const uint32_t cell = Get(memory_.blocks[place / kBlockRows].cell);
  Partition& partition = memory_.partitions[number];
  const Moving moving(&partition);
  Vacate(place);
  Set(partition.rows, Get(partition.rows) - 1);
  if (cell != kNone) Thin(number, cell);
  if (Get(partition.rows) == 0) FreePartition(number);
}

// The chain's last row takes the place.
void Store::Vacate(uint32_t place) {
  const Block& block = memory_.blocks[place / kBlockRows];
  const uint32_t row = Get(block.row[place % kBlockRows]);
  Chain& chain = ChainOf(Get(memory_.rests[row].partition), Get(block.cell));
  const uint32_t last = Get(chain.last);
  Block& from = memory_.blocks[last];
  const uint32_t at = Get(from.rows) - 1;
  if (place != last * kBlockRows + at) {
    const uint32_t moved = Get(from.row[at]);
    const bool with_vector = (Get(from.with_vector) >> at & 1) != 0;
    Block& to = memory_.blocks[place / kBlockRows];
    if (with_vector) CopySketch(last * kBlockRows + at, place);
    SetBit(to.with_vector, place % kBlockRows, with_vector);
    Set(to.row[place % kBlockRows], moved);
    Set(memory_.rests[moved].place, place);
    WriteFence();
  }
  Set(from.rows, at);
  SetBit(from.with_vector, at, false);
  Set(chain.rows, Get(chain.rows) - 1);
  if (at != 0) return;
  ListBlock(Get(from.cell), Get(chain.rows) / kBlockRows, kNone);
  FreeBlock(&chain, last);
}

// From one place to another, which may be of a block around another centre.
void Store::CopySketch(uint32_t from, uint32_t to) {
  const Block& source = memory_.blocks[from / kBlockRows];
  Block& block = memory_.blocks[to / kBlockRows];
  if (Get(source.centre) != Get(block.centre)) {
    Turned turned;
    TurnRow(Get(source.row[from % kBlockRows]), &turned);
    return SetSketch(&block, to % kBlockRows, turned);
  }
  for (uint32_t w = 0; w < kSketchWords; ++w) {
    Set(block.sketch_word(to % kBlockRows, w), Get(source.sketch_word(from % kBlockRows, w)));
  }
}

// Of all chains of the partition; kNone: it has no rows.
uint32_t Store::FirstBlock(uint32_t number) const {
  uint32_t first = Get(memory_.partitions[number].chain.first);
  for (uint32_t cell = CellAfter(number, kNone); first == kNone && cell != kNone;
       cell = CellAfter(number, cell)) {
    first = Get(ChainOf(number, cell).first);
  }
  return first;
}

// kNone: it was the last one.
uint32_t Store::BlockAfter(uint32_t number, uint32_t block) const {
  uint32_t next = Get(memory_.blocks[block].next);
  for (uint32_t cell = CellAfter(number, Get(memory_.blocks[block].cell));
       next == kNone && cell != kNone; cell = CellAfter(number, cell)) {
    next = Get(ChainOf(number, cell).first);
  }
  return next;
}

// Around the mean, which was not known yet when its rows came.
void Store::SketchAnew(Block* block) {
  const Moving moving(&memory_.partitions[Get(memory_.rests[Get(block->row[0])].partition)]);
  Set(block->centre, Get(header_.centre));
  for (uint32_t at = 0; at < Get(block->rows); ++at) {
    if ((Get(block->with_vector) >> at & 1) == 0) continue;
    Turned turned;
    TurnRow(Get(block->row[at]), &turned);
    SetSketch(block, at, turned);
  }
}

void Store::SetSketch(Block* block, uint32_t at, const Turned& turned) {
  Turned centre;
  const bool centred = Get(block->centre) != 0;
  for (uint32_t i = 0; centred && i < kSketchBits; ++i) centre[i] = Get(memory_.turned_mean[i]);
  const Sketch sketch = SketchOf(turned, centred ? &centre : nullptr);
  for (uint32_t w = 0; w < kSketchWords; ++w) {
    Set(block->sketch_word(at, w), sketch[w]);
  }
}

// From the integers: nobody writes them while the lock is held.
void Store::TurnRow(uint32_t row, Turned* turned) const {
  rotation_->TurnRow(memory_.vector(row), Get(memory_.rests[row].scale), turned);
}

void Store::LearnCentre(const Prepared& vector) {
  if (Get(header_.centre) != 0) return;
  const uint32_t stride = memory_.layout.stride;
  const uint32_t known = Get(header_.centre_vectors) + 1;
  for (uint32_t i = 0; i < stride; ++i) {
    Set(memory_.mean[i], Get(memory_.mean[i]) + vector.unit[i]);
  }
  Set(header_.centre_vectors, known);
  if (known < kCentreVectors) return;
  alignas(64) float mean[kMaxDimensions];
  for (uint32_t i = 0; i < stride; ++i) {
    mean[i] = Get(memory_.mean[i]) / static_cast<float>(known);
    Set(memory_.mean[i], mean[i]);
  }
  Turned turned;
  rotation_->Turn(mean, &turned);
  for (uint32_t i = 0; i < kSketchBits; ++i) Set(memory_.turned_mean[i], turned[i]);
  header_.centre.store(1, std::memory_order_release);
}

}  // namespace weir::cache
