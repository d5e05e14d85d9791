// Who gives way. Across the cache it is SIEVE (Zhang, Yang, Yue, Vigfusson and Rashmi, "SIEVE is
// Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for Web Caches", NSDI 2024): a queue
// in the order of arrival, and a hand that goes from old to new, takes a round from who was used,
// and evicts who has none left, so that newcomers that nobody asks for go soon and a hit moves
// nothing. Within a partition that has reached its quota it is the oldest of those with the fewest
// rounds in one of its blocks, blocks by turns.

#include <algorithm>

#include "cache/store.h"

namespace weir::cache {
namespace {

constexpr uint32_t kLongestWay = 256;  // of the hand, at a time
// A partition of more rows than these does not go for the sake of a new one.
constexpr uint32_t kRowsOfASmallPartition = 64;
constexpr uint32_t kPartitionsLookedAt = 32;

}  // namespace

void Store::Enqueue(uint32_t row) {
  RowRest& rest = memory_.rests[row];
  const uint32_t newest = Get(header_.newest);
  Set(rest.older, newest);
  Set(rest.newer, kNone);
  Set(newest == kNone ? header_.oldest : memory_.rests[newest].newer, row);
  Set(header_.newest, row);
}

void Store::Dequeue(uint32_t row) {
  const RowRest& rest = memory_.rests[row];
  const uint32_t newer = Get(rest.newer);
  const uint32_t older = Get(rest.older);
  Set(newer == kNone ? header_.newest : memory_.rests[newer].older, older);
  Set(older == kNone ? header_.oldest : memory_.rests[older].newer, newer);
  if (Get(header_.hand) == row) Set(header_.hand, newer);
}

// kNone: there are no rows.
uint32_t Store::Victim(int64_t now_ns) {
  uint32_t row = Get(header_.hand);
  if (row == kNone) row = Get(header_.oldest);
  for (uint32_t step = 0; row != kNone && step < kLongestWay; ++step) {
    RowRest& rest = memory_.rests[row];
    const uint8_t credit = Get(rest.credit);
    if (credit == 0 || Get(memory_.rows[row].expires_ns) <= now_ns) break;
    Set(rest.credit, credit - 1);
    row = Get(rest.newer) == kNone ? Get(header_.oldest) : Get(rest.newer);
  }
  Set(header_.hand, row);
  return row;
}

uint32_t Store::VictimIn(uint32_t number, int64_t now_ns) {
  Partition& partition = memory_.partitions[number];
  uint32_t at = Get(partition.hand);
  if (!memory_.IsBlock(at) || Get(memory_.blocks[at].owner_lo) != Get(partition.lo) ||
      Get(memory_.blocks[at].owner_hi) != Get(partition.hi)) {
    at = FirstBlock(number);
  }
  const Block& block = memory_.blocks[at];
  Set(partition.hand, BlockAfter(number, at));
  uint32_t victim = kNone;
  const auto rank = [&](uint32_t row) {
    const bool expired = Get(memory_.rows[row].expires_ns) <= now_ns;
    return std::pair<int, int64_t>(expired ? -1 : Get(memory_.rests[row].credit),
                                   Get(memory_.rows[row].created_ns));
  };
  for (uint32_t i = 0; i < Get(block.rows); ++i) {
    const uint32_t row = Get(block.row[i]);
    if (victim == kNone || rank(row) < rank(victim)) victim = row;
  }
  const uint8_t rounds = Get(memory_.rests[victim].credit);
  for (uint32_t i = 0; i < Get(block.rows); ++i) {
    RowRest& rest = memory_.rests[Get(block.row[i])];
    Set(rest.credit, Get(rest.credit) - std::min(Get(rest.credit), rounds));
  }
  return victim;
}

void Store::Evict(uint32_t row, int64_t now_ns) {
  const bool expired = Get(memory_.rows[row].expires_ns) <= now_ns;
  Remove(row, expired ? Cause::kExpired : Cause::kEvicted);
}

bool Store::MakeRoom(uint32_t pieces, int64_t now_ns) {
  if (pieces > memory_.layout.pieces) return false;
  while (Get(header_.free_row) == kNone || Get(header_.free_pieces) < pieces) {
    const uint32_t row = Victim(now_ns);
    if (row == kNone) return false;
    Evict(row, now_ns);
  }
  return true;
}

// All partitions are taken: the smallest of some goes altogether, if it is small.
bool Store::MakeRoomForPartition(int64_t now_ns) {
  uint32_t at = Get(header_.partition_hand);
  uint32_t smallest = kNone;
  for (uint32_t i = 0; i < std::min(kPartitionsLookedAt, memory_.layout.partitions); ++i) {
    at = at >= memory_.layout.partitions ? 1 : at + 1;
    const uint32_t rows = Get(memory_.partitions[at].rows);
    if (rows > kRowsOfASmallPartition) continue;
    if (smallest == kNone || rows < Get(memory_.partitions[smallest].rows)) smallest = at;
  }
  Set(header_.partition_hand, smallest == kNone ? at : smallest);
  if (smallest == kNone) return false;
  const Partition& partition = memory_.partitions[smallest];
  const Hash128 hash = {Get(partition.hi), Get(partition.lo)};
  for (uint32_t left = Get(partition.rows); left > 0; --left) Evict(AnyRowOf(hash), now_ns);
  return true;
}

}  // namespace weir::cache
