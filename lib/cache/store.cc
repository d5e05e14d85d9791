#include "cache/store.h"

#include <algorithm>
#include <cstring>

namespace weir::cache {
namespace {

constexpr uint32_t kSweptAtATime = 2;

void Add(Word& counter) { counter.fetch_add(1, std::memory_order_relaxed); }

// Whole words, the last one filled up with zeros: readers look on.
void StoreBytes(Word* words, const void* bytes, size_t size) {
  const char* from = static_cast<const char*>(bytes);
  for (; size >= 8; size -= 8, from += 8) {
    uint64_t word;
    std::memcpy(&word, from, 8);
    Set(*words++, word);
  }
  if (size != 0) {
    uint64_t word = 0;
    std::memcpy(&word, from, size);
    Set(*words, word);
  }
}

}  // namespace

Store::Session::Session(Store* store)
    : store_(store), lock_(store->header_.lock, *store->memory_.identity) {
  Header& header = store->header_;
  if (header.dirty.load(std::memory_order_acquire) != 0) {
    Add(header.counters.repairs);
    store->Repair();
  }
  Set(header.dirty, 1);
  WriteFence();
}

Store::Session::~Session() { store_->header_.dirty.store(0, std::memory_order_release); }

uint32_t Store::Insert(const NewRow& from) {
  if (const uint32_t old = FindKey(from.key); old != kNone) Remove(old, Cause::kReplaced);
  if (quota_ != 0) {
    const uint32_t partition = FindPartition(from.partition);
    if (partition != kNone && Get(memory_.partitions[partition].rows) >= quota_) {
      Evict(VictimIn(partition, from.created_ns), from.created_ns);
    }
  }
  if (!MakeRoom(PiecesFor(from.value.size()), from.created_ns)) return kNone;
  uint32_t partition = FindPartition(from.partition);
  if (partition == kNone) {
    if (Get(header_.free_partition) == kNone && !MakeRoomForPartition(from.created_ns)) {
      return kNone;
    }
    partition = ClaimPartition(from.partition);
  }
  const uint32_t row = Get(header_.free_row);
  Set(header_.free_row, Get(memory_.rests[row].newer));
  if (from.vector != nullptr) LearnCentre(*from.vector);
  WriteRow(row, partition, from);
  LinkKey(row);
  const bool was_split = Attach(row, from.vector == nullptr ? nullptr : &from.vector->turned);
  if (!was_split) Settle(partition);  // one long task at a time
  Enqueue(row);
  Set(header_.entries, Get(header_.entries) + 1);
  Add(header_.counters.inserts);
  return row;
}

// From free to living, by way of being written.
void Store::WriteRow(uint32_t number, uint32_t partition, const NewRow& from) {
  Row& row = memory_.rows[number];
  RowRest& rest = memory_.rests[number];
  const uint32_t sequence = Get(row.sequence);
  Set(row.sequence, sequence + 1);
  WriteFence();
  Set(row.key_hi, from.key.hi);
  Set(row.key_lo, from.key.lo);
  Set(row.partition, from.partition.lo);
  Set(row.created_ns, from.created_ns);
  Set(row.expires_ns, from.expires_ns);
  Set(row.value, WriteValue(from.value));
  Set(row.value_bytes, from.value.size());
  Set(row.embedder, from.vector == nullptr ? 0 : from.embedder);
  Set(rest.model, from.model);
  Set(rest.scope, from.scope);
  Set(rest.partition, partition);
  Set(rest.worth, from.worth);
  Set(rest.credit, from.worth);
  if (from.vector != nullptr) {
    Set(rest.scale, from.vector->row_scale);
    Set(rest.rounding, from.vector->row_rounding);
    StoreBytes(reinterpret_cast<Word*>(memory_.vector(number)), from.vector->row,
               memory_.layout.stride);
  }
  row.sequence.store(sequence + 2, std::memory_order_release);
}

// Its first piece; there are enough.
uint32_t Store::WriteValue(std::string_view value) {
  uint32_t first = kNone;
  Half* link = &header_.free_piece;
  const uint32_t count = PiecesFor(value.size());
  uint32_t last = kNone;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t piece = Get(*link);
    if (first == kNone) first = piece;
    const std::string_view part = value.substr(uint64_t{i} * kPieceBytes, kPieceBytes);
    StoreBytes(memory_.piece(piece), part.data(), part.size());
    last = piece;
    link = &memory_.next_piece[piece];
  }
  if (count != 0) {
    Set(header_.free_piece, Get(memory_.next_piece[last]));
    Set(memory_.next_piece[last], kNone);
    Set(header_.free_pieces, Get(header_.free_pieces) - count);
  }
  return first;
}

void Store::FreeValue(uint32_t number) {
  const Row& row = memory_.rows[number];
  const uint32_t count = PiecesFor(Get(row.value_bytes));
  if (count == 0) return;
  const uint32_t first = Get(row.value);
  uint32_t last = first;
  for (uint32_t i = 1; i < count; ++i) last = Get(memory_.next_piece[last]);
  Set(memory_.next_piece[last], Get(header_.free_piece));
  Set(header_.free_piece, first);
  Set(header_.free_pieces, Get(header_.free_pieces) + count);
}

void Store::FreeRow(uint32_t row) {
  Set(memory_.rests[row].newer, Get(header_.free_row));
  Set(header_.free_row, row);
}

void Store::Remove(uint32_t number, Cause cause) {
  Row& row = memory_.rows[number];
  // Dead first, before anything of it is given away.
  Set(row.sequence, Get(row.sequence) + 2);
  WriteFence();
  UnlinkKey(number);
  Detach(number);
  Dequeue(number);
  FreeValue(number);
  FreeRow(number);
  Set(header_.entries, Get(header_.entries) - 1);
  Counters& counters = header_.counters;
  switch (cause) {
    case Cause::kReplaced:
      return Add(counters.replaced);
    case Cause::kEvicted:
      return Add(counters.evictions);
    case Cause::kExpired:
      return Add(counters.expirations);
    case Cause::kRemoved:
      return Add(counters.removals);
  }
}

void Store::Sweep(int64_t now_ns) {
  uint32_t row = Get(header_.sweep);
  for (uint32_t i = 0; i < kSweptAtATime; ++i) {
    row = row >= memory_.layout.rows ? 1 : row + 1;
    const Row& swept = memory_.rows[row];
    if (IsLive(Get(swept.sequence)) && Get(swept.expires_ns) <= now_ns) {
      Remove(row, Cause::kExpired);
    }
  }
  Set(header_.sweep, row);
}

uint32_t Store::FindKey(Hash128 key) const {
  uint32_t row = Get(memory_.KeyBucket(key));
  while (row != kNone &&
         (Get(memory_.rows[row].key_lo) != key.lo || Get(memory_.rows[row].key_hi) != key.hi)) {
    row = Get(memory_.rows[row].next_of_key);
  }
  return row;
}

void Store::LinkKey(uint32_t number) {
  Row& row = memory_.rows[number];
  Half& bucket = memory_.KeyBucket({Get(row.key_hi), Get(row.key_lo)});
  Set(row.next_of_key, Get(bucket));
  bucket.store(number, std::memory_order_release);
}

// The row's own link stays, for the readers who stand on it.
void Store::UnlinkKey(uint32_t number) {
  const Row& row = memory_.rows[number];
  Half* link = &memory_.KeyBucket({Get(row.key_hi), Get(row.key_lo)});
  while (Get(*link) != number) link = &memory_.rows[Get(*link)].next_of_key;
  link->store(Get(row.next_of_key), std::memory_order_release);
}

uint32_t Store::AnyRowOf(Hash128 hash) const {
  const uint32_t partition = FindPartition(hash);
  if (partition == kNone) return kNone;
  const uint32_t cell = Get(memory_.blocks[FirstBlock(partition)].cell);
  const Block& last = memory_.blocks[Get(ChainOf(partition, cell).last)];
  return Get(last.row[Get(last.rows) - 1]);
}

}  // namespace weir::cache
