// What writers do, one at a time: rows come and go, and with them their places in the chains by
// key, the blocks by partition, and the queue of the eviction.
//
// Every function needs the lock, which a Session holds. A session says in Header::dirty that it is
// at work; it stays said when the process is killed, and the next session makes everything but the
// rows anew from the rows (Repair). So nothing here has to be sound after every store but this:
// - a row lives only once all of it is written, and is dead before anything of it is given away;
// - a partition's number goes to another hash only when no row lives in it;
// - readers, who look on without a lock, are told apart what is theirs by the rows' sequences, the
//   hashes in partitions and blocks, and Partition::moves, which is odd while rows change places.

#ifndef WEIR_LIB_CACHE_STORE_H_
#define WEIR_LIB_CACHE_STORE_H_

#include <cstdint>
#include <string_view>

#include "cache/memory.h"
#include "cache/vector.h"

namespace weir::cache {

struct NewRow {
  Hash128 partition, key;
  const Prepared* vector = nullptr;  // none: found by its key only
  std::string_view value;
  int64_t created_ns = 0, expires_ns = INT64_MAX;
  uint64_t embedder = 0, model = 0, scope = 0;
  uint8_t worth = 0;
};

enum class Cause : uint8_t { kReplaced, kEvicted, kExpired, kRemoved };

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
  // blocks.cc: partitions and their blocks.
  uint32_t FindPartition(Hash128 hash) const;
  uint32_t ClaimPartition(Hash128 hash);
  void LinkPartition(uint32_t partition);
  void FreePartition(uint32_t partition);
  void Attach(uint32_t row, const Turned* turned);
  void Detach(uint32_t row);
  uint32_t AddBlock(uint32_t partition);
  void MoveRow(Block* from, uint32_t at, uint32_t to_block, uint32_t to);
  void SketchAnew(Block* block);
  void SetSketch(Block* block, uint32_t at, const Turned& turned);
  void TurnRow(uint32_t row, Turned* turned) const;
  void LearnCentre(const Prepared& vector);
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
