// What writers do, one at a time: rows come and go, and with them their places in the chains by
// key, the blocks by partition and cell, and the queue of the eviction.
//
// Every function needs the lock, which a Session holds. A session says in Header::dirty that it is
// at work; it stays said when the process is killed, and the next session makes everything but the
// rows anew from the rows (Repair). So nothing here has to be sound after every store but this:
// - a row lives only once all of it is written, and is dead before anything of it is given away;
// - a partition's number goes to another hash only when no row lives in it;
// - readers, who look on without a lock, are told apart what is theirs by the rows' sequences, the
//   hashes in partitions, blocks and groups of cells, and Partition::moves, which is odd while rows
//   change places.

#ifndef WEIR_LIB_CACHE_STORE_H_
#define WEIR_LIB_CACHE_STORE_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "cache/memory.h"
#include "cache/vector.h"

namespace weir::cache {

// Sets what a partition of no rows has.
void ForgetRows(Partition* partition, uint32_t full_at);

struct NewRow {
  Hash128 partition, key;
  const Prepared* vector = nullptr;  // none: found by its key only
  std::string_view value;
  int64_t created_ns = 0, expires_ns = INT64_MAX;
  uint64_t embedder = 0, model = 0, scope = 0;
  uint8_t worth = 0;
};

enum class Cause : uint8_t { kReplaced, kEvicted, kExpired, kRemoved };

// Says to readers, for a scope, that rows of the partition change their places. One within another
// changes nothing.
class Moving {
 public:
  explicit Moving(Partition* partition)
      : moves_(partition->moves), is_within_((Get(moves_) & 1) != 0) {
    Set(moves_, Get(moves_) | 1);
    WriteFence();
  }
  ~Moving() {
    if (!is_within_) moves_.store(Get(moves_) + 1, std::memory_order_release);
  }
  Moving(const Moving&) = delete;
  Moving& operator=(const Moving&) = delete;

 private:
  Half& moves_;
  const bool is_within_;
};

class Store {
 public:
  Store(const Memory& memory, const Rotation* rotation, uint32_t quota)
      : memory_(memory), header_(*memory.header), rotation_(rotation), quota_(quota) {}

  // The lock for a scope, with everything in order.
  class Session {
   public:
    explicit Session(Store* store);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

   private:
    Store* store_;
    const state::LockHolder lock_;
  };

  // The row; kNone: there is no room for it.
  uint32_t Insert(const NewRow& row);
  // The row lives.
  void Remove(uint32_t row, Cause cause);
  // A few rows, in turn: the expired ones go.
  void Sweep(int64_t now_ns);
  // The first row of the partition; kNone: it has none.
  uint32_t AnyRowOf(Hash128 partition) const;
  // Makes all but the rows anew.
  void Repair();

 private:
  // store.cc: rows and their values.
  void WriteRow(uint32_t row, uint32_t partition, const NewRow& from);
  uint32_t WriteValue(std::string_view value);
  void FreeValue(uint32_t row);
  void FreeRow(uint32_t row);
  uint32_t FindKey(Hash128 key) const;
  void LinkKey(uint32_t row);
  void UnlinkKey(uint32_t row);
  // blocks.cc: partitions and their blocks. `cell`: kNone for the partition's own chain.
  uint32_t FindPartition(Hash128 hash) const;
  uint32_t ClaimPartition(Hash128 hash);
  void LinkPartition(uint32_t partition);
  void FreePartition(uint32_t partition);
  bool Attach(uint32_t row, const Turned* turned);
  void Detach(uint32_t row);
  uint32_t OpenPlace(uint32_t partition, uint32_t cell);
  void FillPlace(uint32_t place, uint32_t row, bool with_vector);
  void Vacate(uint32_t place);
  uint32_t AddBlock(uint32_t partition, uint32_t cell);
  void FreeBlock(Chain* chain, uint32_t block);
  void CopySketch(uint32_t from, uint32_t to);
  void SketchAnew(Block* block);
  uint32_t FirstBlock(uint32_t partition) const;
  uint32_t BlockAfter(uint32_t partition, uint32_t block) const;
  void SetSketch(Block* block, uint32_t at, const Turned& turned);
  void TurnRow(uint32_t row, Turned* turned) const;
  void LearnCentre(const Prepared& vector);
  // cells.cc.
  CellGroup& GroupOf(uint32_t cell) const { return memory_.groups[cell / kGroupCells]; }
  Chain& ChainOf(uint32_t partition, uint32_t cell) const {
    return cell == kNone ? memory_.partitions[partition].chain
                         : GroupOf(cell).chains[cell % kGroupCells];
  }
  Bearing BearingOfRow(uint32_t row, const Turned& centre) const;
  Bearing BearingOfSketch(uint32_t place);
  void PrefetchRow(uint32_t row) const;
  void ReadCentre(Turned* centre) const;
  uint32_t NearestCell(uint32_t partition, const Bearing& bearing, uint32_t except) const;
  uint32_t CellAfter(uint32_t partition, uint32_t cell) const;
  bool HasRoomForCells(uint32_t partition) const;
  uint32_t ClaimCell(uint32_t partition);
  void FreeCell(uint32_t partition, uint32_t cell);
  void SetCode(uint32_t cell, const Code& code);
  void MoveToCell(uint32_t row, uint32_t cell);
  bool Split(uint32_t partition, uint32_t cell);
  std::vector<uint32_t> CellsNear(uint32_t partition, const Bearing& bearing, size_t most) const;
  struct Neighbours;
  Neighbours NeighboursOf(uint32_t partition, uint32_t cell) const;
  void SetUnsettled(uint32_t partition, uint32_t cell, uint32_t rows);
  uint32_t AnyUnsettled(uint32_t partition) const;
  void ListBlock(uint32_t cell, uint32_t at, uint32_t block);
  std::vector<uint32_t> LatestRows(uint32_t partition, uint32_t cell, bool with_vector) const;
  Code CodeOfCell(uint32_t cell) const;
  uint32_t MakeCellOfAll(uint32_t partition);
  void Thin(uint32_t partition, uint32_t cell);
  void Settle(uint32_t partition);
  // eviction.cc.
  void Enqueue(uint32_t row);
  void Dequeue(uint32_t row);
  uint32_t Victim(int64_t now_ns);
  uint32_t VictimIn(uint32_t partition, int64_t now_ns);
  bool MakeRoom(uint32_t pieces, int64_t now_ns);
  bool MakeRoomForPartition(int64_t now_ns);
  void Evict(uint32_t row, int64_t now_ns);
  // repair.cc.
  void ForgetAllButRows();
  bool IsSound(uint32_t row, class PieceMarks* marks) const;

  const Memory memory_;
  Header& header_;
  const Rotation* const rotation_;
  const uint32_t quota_;
};

}  // namespace weir::cache

#endif  // WEIR_LIB_CACHE_STORE_H_
