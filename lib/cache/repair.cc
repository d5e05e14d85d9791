// After a writer was killed: all but the rows is made anew from the rows, as it is when a cache is
// made, of none. Readers look on and may miss what is there.

#include <algorithm>
#include <vector>

#include "cache/store.h"

namespace weir::cache {

// Which pieces are some row's.
class PieceMarks {
 public:
  explicit PieceMarks(uint32_t pieces) : marks_(size_t{pieces} + 1) {}
  bool Marked(uint32_t piece) const { return marks_[piece]; }
  void Mark(uint32_t piece, bool value) { marks_[piece] = value; }

 private:
  std::vector<bool> marks_;
};

namespace {

// All of what partitions own, from number 1 on, is nobody's and in the list of what is free, which
// begins with the first. `clear`: takes out what one of them holds.
template <typename Owned, typename Head, typename Clear>
void FreeAll(Owned* owned, uint32_t count, Head* free, const Clear& clear) {
  Set(*free, kNone);
  for (uint32_t i = count; i > 0; --i) {
    Set(owned[i].owner_hi, 0);
    Set(owned[i].owner_lo, 0);
    clear(&owned[i]);
    Set(owned[i].next, Get(*free));
    Set(*free, i);
  }
}

}  // namespace

void Store::ForgetAllButRows() {
  const Layout& layout = memory_.layout;
  for (uint32_t i = 0; i < layout.key_buckets; ++i) Set(memory_.key_buckets[i], kNone);
  for (uint32_t i = 0; i < layout.partition_buckets; ++i) {
    Set(memory_.partition_buckets[i], kNone);
  }
  FreeAll(memory_.blocks, layout.blocks, &header_.free_block,
          [](Block* block) { Set(block->rows, 0); });
  FreeAll(memory_.groups, layout.groups, &header_.free_group,
          [](CellGroup* group) { Set(group->used, 0); });
  Set(header_.cells, 0);
  for (uint32_t i = 1; i <= layout.partitions; ++i) {
    Partition& partition = memory_.partitions[i];
    Set(partition.moves, Get(partition.moves) + (Get(partition.moves) & 1) + 2);
    ForgetRows(&partition, 2 * layout.cell_rows);
  }
  for (Half* number :
       {&header_.newest, &header_.oldest, &header_.hand, &header_.free_row, &header_.free_partition,
        &header_.free_piece, &header_.free_pieces, &header_.entries, &header_.partitions}) {
    Set(*number, 0);
  }
  if (Get(header_.centre) != 0) return;
  // The sum of some vectors may have been half added to.
  Set(header_.centre_vectors, 0);
  for (uint32_t i = 0; i < layout.stride; ++i) Set(memory_.mean[i], 0.0F);
}

// Marks its pieces if so. A row that lives was written whole; this is for files that were damaged
// otherwise.
bool Store::IsSound(uint32_t number, PieceMarks* marks) const {
  const Row& row = memory_.rows[number];
  const uint32_t partition = Get(memory_.rests[number].partition);
  if (!memory_.IsPartition(partition) ||
      Get(memory_.partitions[partition].lo) != Get(row.partition)) {
    return false;
  }
  const uint32_t count = PiecesFor(Get(row.value_bytes));
  uint32_t piece = Get(row.value);
  for (uint32_t i = 0; i < count; ++i) {
    if (!memory_.IsPiece(piece) || marks->Marked(piece)) {
      for (uint32_t back = Get(row.value); i > 0; --i) {
        marks->Mark(back, false);
        back = Get(memory_.next_piece[back]);
      }
      return false;
    }
    marks->Mark(piece, true);
    piece = Get(memory_.next_piece[piece]);
  }
  return true;
}

void Store::Repair() {
  ForgetAllButRows();
  const Layout& layout = memory_.layout;
  PieceMarks marks(layout.pieces);
  std::vector<std::pair<int64_t, uint32_t>> living;
  for (uint32_t number = layout.rows; number > 0; --number) {
    Row& row = memory_.rows[number];
    const uint32_t sequence = Get(row.sequence);
    if (IsLive(sequence) && IsSound(number, &marks)) {
      living.emplace_back(Get(row.created_ns), number);
      continue;
    }
    if (!IsFree(sequence)) Set(row.sequence, (sequence | 3) + 1);
    FreeRow(number);
  }
  for (uint32_t piece = layout.pieces; piece > 0; --piece) {
    if (marks.Marked(piece)) continue;
    Set(memory_.next_piece[piece], Get(header_.free_piece));
    Set(header_.free_piece, piece);
    Set(header_.free_pieces, Get(header_.free_pieces) + 1);
  }
  std::sort(living.begin(), living.end());
  for (const auto& [created_ns, number] : living) {
    const uint32_t partition = Get(memory_.rests[number].partition);
    if (const Partition& of = memory_.partitions[partition]; Get(of.rows) == 0) {
      // Two of one hash are a file that was damaged; the rows are one's.
      const uint32_t same = FindPartition({Get(of.hi), Get(of.lo)});
      if (same == kNone) LinkPartition(partition);
      if (same != kNone) Set(memory_.rests[number].partition, same);
    }
    LinkKey(number);
    Turned turned;
    const bool with_vector = Get(memory_.rows[number].embedder) != 0;
    if (with_vector) TurnRow(number, &turned);
    Attach(number, with_vector ? &turned : nullptr);
    Enqueue(number);
  }
  for (uint32_t number = 1; number <= layout.partitions; ++number) {
    while (Get(memory_.partitions[number].unsettled) != 0) Settle(number);
  }
  Set(header_.entries, living.size());
  for (uint32_t number = layout.partitions; number > 0; --number) {
    Partition& partition = memory_.partitions[number];
    if (Get(partition.rows) != 0) continue;
    Set(partition.hand, Get(header_.free_partition));
    Set(header_.free_partition, number);
  }
}

}  // namespace weir::cache
