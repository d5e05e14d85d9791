// Partitions, and the blocks in which their rows hang: always full but for the last one, so that a
// look-up reads nothing that is not there.

#include <algorithm>

#include "cache/store.h"

namespace weir::cache {
namespace {

// So many vectors make the mean that sketches are around.
constexpr uint32_t kCentreVectors = 256;

// Says to readers, for a scope, that rows of the partition change their places.
class Moving {
 public:
  explicit Moving(Partition* partition) : moves_(partition->moves) {
    Set(moves_, Get(moves_) | 1);
    WriteFence();
  }
  ~Moving() { moves_.store(Get(moves_) + 1, std::memory_order_release); }
  Moving(const Moving&) = delete;
  Moving& operator=(const Moving&) = delete;

 private:
  Half& moves_;
};

void SetBit(Half& bits, uint32_t at, bool value) {
  Set(bits, (Get(bits) & ~(uint32_t{1} << at)) | uint32_t{value} << at);
}

}  // namespace

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
  Set(partition.first, kNone);
  Set(partition.last, kNone);
  Set(partition.rows, 0);
  Set(partition.hand, 0);
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

// At the end of the partition; its number. There is a free one: all but one of each partition's
// blocks are full.
uint32_t Store::AddBlock(uint32_t number) {
  Partition& partition = memory_.partitions[number];
  const uint32_t added = Get(header_.free_block);
  Block& block = memory_.blocks[added];
  Set(header_.free_block, Get(block.next));
  const uint32_t last = Get(partition.last);
  Set(block.rows, 0);
  Set(block.with_vector, 0);
  Set(block.next, kNone);
  Set(block.previous, last);
  Set(block.centre, Get(header_.centre));
  Set(block.ahead, kNone);
  uint32_t back = last;
  for (uint32_t i = 1; i < kBlocksAhead && back != kNone; ++i) {
    back = Get(memory_.blocks[back].previous);
  }
  if (back != kNone) Set(memory_.blocks[back].ahead, added);
  WriteFence();
  Set(block.owner_hi, Get(partition.hi));
  Set(block.owner_lo, Get(partition.lo));
  Half& link = last == kNone ? partition.first : memory_.blocks[last].next;
  link.store(added, std::memory_order_release);
  Set(partition.last, added);
  return added;
}

// `turned`: the row's vector; null: it has none.
void Store::Attach(uint32_t row, const Turned* turned) {
  Partition& partition = memory_.partitions[Get(memory_.rests[row].partition)];
  uint32_t number = Get(partition.last);
  if (number == kNone || Get(memory_.blocks[number].rows) == kBlockRows) {
    number = AddBlock(Get(memory_.rests[row].partition));
  }
  Block& block = memory_.blocks[number];
  if (Get(block.centre) != Get(header_.centre)) SketchAnew(&block);
  const uint32_t at = Get(block.rows);
  if (turned != nullptr) SetSketch(&block, at, *turned);
  SetBit(block.with_vector, at, turned != nullptr);
  Set(block.row[at], row);
  block.rows.store(at + 1, std::memory_order_release);
  Set(memory_.rests[row].place, number * kBlockRows + at);
  Set(partition.rows, Get(partition.rows) + 1);
}

// The partition's last row takes the place.
void Store::Detach(uint32_t row) {
  const uint32_t number = Get(memory_.rests[row].partition);
  const uint32_t place = Get(memory_.rests[row].place);
  Partition& partition = memory_.partitions[number];
  const uint32_t last = Get(partition.last);
  Block& from = memory_.blocks[last];
  const uint32_t at = Get(from.rows) - 1;
  const Moving moving(&partition);
  if (place != last * kBlockRows + at) {
    MoveRow(&from, at, place / kBlockRows, place % kBlockRows);
    WriteFence();
  }
  Set(from.rows, at);
  SetBit(from.with_vector, at, false);
  if (at == 0) {
    const uint32_t previous = Get(from.previous);
    Set(previous == kNone ? partition.first : memory_.blocks[previous].next, kNone);
    Set(partition.last, previous);
    Set(from.owner_hi, 0);
    Set(from.owner_lo, 0);
    Set(from.next, Get(header_.free_block));
    Set(header_.free_block, last);
  }
  Set(partition.rows, Get(partition.rows) - 1);
  if (Get(partition.rows) == 0) FreePartition(number);
}

void Store::MoveRow(Block* from, uint32_t at, uint32_t to_block, uint32_t to) {
  Block& block = memory_.blocks[to_block];
  const uint32_t row = Get(from->row[at]);
  const bool with_vector = (Get(from->with_vector) >> at & 1) != 0;
  if (with_vector && Get(from->centre) == Get(block.centre)) {
    for (uint32_t w = 0; w < kSketchWords; ++w) {
      Set(block.sketch_word(to, w), Get(from->sketch_word(at, w)));
    }
  } else if (with_vector) {
    Turned turned;
    TurnRow(row, &turned);
    SetSketch(&block, to, turned);
  }
  SetBit(block.with_vector, to, with_vector);
  Set(block.row[to], row);
  Set(memory_.rests[row].place, to_block * kBlockRows + to);
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
  alignas(64) float vector[kMaxDimensions];
  const float scale = Get(memory_.rests[row].scale);
  const int8_t* from = memory_.vector(row);
  for (uint32_t i = 0; i < memory_.layout.stride; ++i) vector[i] = scale * from[i];
  rotation_->Turn(vector, turned);
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
