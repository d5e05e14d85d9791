// What a look-up does: it takes no lock, and asks the rows themselves whether what it read held.

#ifndef WEIR_LIB_CACHE_SEARCH_H_
#define WEIR_LIB_CACHE_SEARCH_H_

#include <array>
#include <cstdint>
#include <string>

#include "cache/kernels.h"
#include "cache/memory.h"
#include "cache/vector.h"

namespace weir::cache {

enum class Walk : uint8_t { kFound, kAbsent, kRaced };

// Gives the row its rounds.
void MarkUsed(const Memory& memory, uint32_t row);

// What both ways of looking share.
class Lookup {
 public:
  Lookup(const Memory& memory, Hash128 partition, int64_t now_ns, uint32_t most_bytes,
         std::string* value)
      : memory_(memory),
        partition_(partition),
        now_ns_(now_ns),
        most_bytes_(most_bytes),
        value_(value) {}

 protected:
  // The value of the row, if it is still in that life, and its age. Clears what it copied if not;
  // copies nothing of a value that is too long.
  bool Copy(uint32_t row, uint32_t sequence, Answer* answer) const;
  const Memory& memory_;
  const Hash128 partition_;
  const int64_t now_ns_;
  const uint32_t most_bytes_;
  std::string* const value_;
};

class KeyLookup : Lookup {
 public:
  using Lookup::Lookup;
  Walk Find(Hash128 key, Answer* answer);
  bool expired() const { return expired_; }

 private:
  bool expired_ = false;
};

class VectorLookup : Lookup {
 public:
  // `centre`: null if it was not known; all are borrowed.
  VectorLookup(const Memory& memory, Hash128 partition, int64_t now_ns, std::string* value,
               const Prepared& prepared, const Centre* centre, const Query& query);

  // kAbsent: the answer says why.
  Walk Find(Answer* answer);

 private:
  static constexpr uint32_t kBatch = 16;  // blocks scanned at once
  static constexpr uint32_t kCellsAtOnce = 16;
  static constexpr uint32_t kCandidates = 256;  // compared at once

  struct Candidate {
    uint32_t distance, row;
    uint32_t centred;
  };
  struct Batch {
    const Block* blocks[kBatch];
    uint32_t count = 0, most = 1;
    uint32_t centred = 0;
  };

  // A cell to look into.
  struct Probe {
    float score;
    uint32_t cell;
  };

  uint32_t FindPartition(bool* raced) const;
  void ScanPartition(const Partition& partition);
  // The block after it; kNone: there is none.
  uint32_t ScanBlock(uint32_t number, Batch* batch);
  void ScanChain(uint32_t number, Batch* batch);
  void ScanCellsOf(const Probe* probes, uint32_t count, Batch* batch);
  void ScanCells(uint32_t group);
  uint32_t ScoreCells(uint32_t group, Probe* probes);
  // How much less than the best cell's the score of one may be that has a row of this similarity.
  float Reach(float similarity) const;
  void ScanBatch(Batch* batch);
  void Consider(const Block& block, uint32_t at, uint32_t centred);
  // Compares the candidates, the likeliest first.
  void Judge();
  void Compare(uint32_t row);
  void Narrow(float similarity);
  Miss WhyNot() const;

  const Prepared& prepared_;
  const Kernels& kernels_;
  const float min_similarity_;
  const uint64_t embedder_;
  const absl::Span<const EntryId> exclude_;
  const Centre* const centre_;
  // By the centre of a block's sketches.
  std::array<Sketch, 2> sketches_;
  std::array<Limits, 2> limits_;
  float from_centre_ = 1;

  std::array<Candidate, kCandidates> candidates_;
  uint32_t candidate_count_ = 0;
  // While no sketch was near enough: the one that came nearest, so that a miss can tell.
  struct Closest {
    Limits off = {kFirstBits + 1, kSketchBits + 1};
    uint32_t row = kNone;
  } closest_;
  bool any_near_ = false;
  float deviation_ = 0;  // of a chance direction's scores

  uint32_t best_ = kNone, best_sequence_ = 0;
  float best_similarity_ = -2, best_rounding_ = 0;
  float nearest_ = -2, nearest_rounding_ = 0;
  bool raced_ = false, expired_ = false, other_embedder_ = false;
};

}  // namespace weir::cache

#endif  // WEIR_LIB_CACHE_SEARCH_H_
