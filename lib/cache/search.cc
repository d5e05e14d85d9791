#include "cache/search.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/base/optimization.h"
#include "base/saturating.h"

namespace weir::cache {
namespace {

// Longer than a chain gets; a chain that readers see half changed may be a ring.
constexpr uint32_t kLongestChain = 1024;
// How many standard deviations of the rounding error are called the error.
constexpr float kErrorDeviations = 4;

// What rounding does to a product, all but surely; never more than the length of what it cut off.
float ErrorOf(float rounding, uint32_t dimensions) {
  return rounding *
         std::min(1.0F, kErrorDeviations / std::sqrt(static_cast<float>(std::max(dimensions, 1U))));
}

// So many standard deviations of what two scores differ by are allowed for: with 3, seven true hits
// in a thousand were passed over among a million rows, of those that lie just at the threshold.
constexpr float kCellDeviations = 3.25F;
const float kRootOfTwo = std::sqrt(2.0F);
// How far ahead of where cells are read their next blocks are called for.
constexpr uint32_t kListedAhead = 8;

// The words of its sketches that are read of every row.
void PrefetchSketches(const Block& block) {
  for (uint32_t w = 0; w < kFirstWords; ++w) {
    for (uint32_t g = 0; g < kGroups; ++g) __builtin_prefetch(&block.sketch[w][g]);
  }
}

}  // namespace

bool Lookup::Copy(uint32_t number, uint32_t sequence, Answer* answer) const {
  const Row& row = memory_.rows[number];
  const int64_t created_ns = Get(row.created_ns);
  const uint32_t bytes = Get(row.value_bytes);
  uint32_t piece = Get(row.value);
  ReadFence();
  if (Get(row.sequence) != sequence) return false;
  if (PiecesFor(bytes) > memory_.layout.pieces) return false;  // the memory was damaged
  const auto tell = [&] {
    answer->entry = EntryOf(number, sequence);
    answer->age_ns = now_ns_ > created_ns ? SaturatingSub(now_ns_, created_ns) : 0;
    answer->value_bytes = bytes;
    return true;
  };
  if (bytes > most_bytes_) return tell();
  const uint32_t words = bytes / 8;
  value_->resize(bytes);
  char* to = value_->data();
  constexpr uint32_t kPieceWords = kPieceBytes / 8;
  for (uint32_t at = 0; at * 8 < bytes; at += kPieceWords) {
    if (!memory_.IsPiece(piece)) {
      value_->clear();
      return false;
    }
    const Word* from = memory_.piece(piece);
    piece = Get(memory_.next_piece[piece]);
    if (memory_.IsPiece(piece)) __builtin_prefetch(memory_.piece(piece));
    const uint32_t whole = std::min(kPieceWords, words - at);
    for (uint32_t i = 0; i < whole; ++i, to += 8) {
      const uint64_t word = Get(from[i]);
      std::memcpy(to, &word, 8);
    }
    if (whole < kPieceWords && bytes % 8 != 0) {
      const uint64_t word = Get(from[whole]);
      std::memcpy(to, &word, bytes % 8);
    }
  }
  ReadFence();
  if (Get(row.sequence) == sequence) return tell();
  value_->clear();  // it may be anybody's
  return false;
}

void MarkUsed(const Memory& memory, uint32_t row) {
  RowRest& rest = memory.rests[row];
  const auto credit = static_cast<uint8_t>(1 + std::min(Get(rest.worth), kMaxWorth));
  if (Get(rest.credit) != credit) Set(rest.credit, credit);  // keeps the line shared
}

Walk KeyLookup::Find(Hash128 key, Answer* answer) {
  const Half& bucket = memory_.KeyBucket(key);
  uint32_t number = bucket.load(std::memory_order_acquire);
  for (uint32_t step = 0; step < kLongestChain; ++step) {
    if (number == kNone) return Walk::kAbsent;
    if (!memory_.IsRow(number)) return Walk::kRaced;
    const Row& row = memory_.rows[number];
    const uint32_t sequence = row.sequence.load(std::memory_order_acquire);
    const Hash128 here = {Get(row.key_hi), Get(row.key_lo)};
    const uint64_t partition = Get(row.partition);
    const int64_t expires_ns = Get(row.expires_ns);
    const uint32_t next = Get(row.next_of_key);
    ReadFence();
    // A row that left the chain still leads back into it, until another key has it.
    if (Get(row.sequence) != sequence || &memory_.KeyBucket(here) != &bucket) return Walk::kRaced;
    if (IsLive(sequence) && here == key && partition == partition_.lo) {
      expired_ = expires_ns <= now_ns_;
      if (expired_) return Walk::kAbsent;
      if (!Copy(number, sequence, answer)) return Walk::kRaced;
      answer->found = Found::kExact;
      answer->similarity = 1;
      return Walk::kFound;
    }
    if (!IsLive(sequence) && !IsFree(sequence)) return Walk::kRaced;
    number = next;
  }
  return Walk::kRaced;
}

VectorLookup::VectorLookup(const Memory& memory, Hash128 partition, int64_t now_ns,
                           std::string* value, const Prepared& prepared, const Centre* centre,
                           const Query& query)
    : Lookup(memory, partition, now_ns, query.max_value_bytes, value),
      prepared_(prepared),
      kernels_(BestKernels()),
      min_similarity_(static_cast<float>(query.min_similarity)),
      embedder_(EmbedderWord(query.embedder)),
      exclude_(query.exclude),
      centre_(centre) {
  sketches_[0] = SketchOf(prepared.turned, nullptr);
  limits_[0] = SketchLimits(min_similarity_, false, 1);
  if (centre_ != nullptr) {
    sketches_[1] = SketchOf(prepared.turned, &centre->turned);
    from_centre_ = DistanceFrom(*centre, prepared);
    limits_[1] = SketchLimits(min_similarity_, true, from_centre_);
  }
}

uint32_t VectorLookup::FindPartition(bool* raced) const {
  const Half& bucket = memory_.PartitionBucket(partition_);
  uint32_t number = bucket.load(std::memory_order_acquire);
  for (uint32_t step = 0; step < kLongestChain; ++step) {
    if (number == kNone) return kNone;
    if (!memory_.IsPartition(number)) break;
    const Partition& partition = memory_.partitions[number];
    const Hash128 hash = {Get(partition.hi), Get(partition.lo)};
    if (hash == partition_) return number;
    if (&memory_.PartitionBucket(hash) != &bucket) break;  // another hash has its number
    number = partition.next.load(std::memory_order_acquire);
  }
  *raced = true;
  return kNone;
}

Walk VectorLookup::Find(Answer* answer) {
  const uint32_t number = FindPartition(&raced_);
  if (number == kNone) {
    answer->miss = Miss::kEmptyPartition;
    return raced_ ? Walk::kRaced : Walk::kAbsent;
  }
  const Partition& partition = memory_.partitions[number];
  const uint32_t moves = partition.moves.load(std::memory_order_acquire);
  ScanPartition(partition);
  if (closest_.row != kNone && !any_near_) Compare(closest_.row);
  Judge();
  ReadFence();
  answer->similarity = nearest_;
  answer->similarity_error = ErrorOf(nearest_rounding_, memory_.layout.dimensions);
  if (best_ == kNone) {
    answer->miss = WhyNot();
    // A row that changed its place may have been passed by.
    const bool moved = moves % 2 != 0 || Get(partition.moves) != moves;
    return raced_ || moved ? Walk::kRaced : Walk::kAbsent;
  }
  if (!Copy(best_, best_sequence_, answer)) return Walk::kRaced;
  answer->found = Found::kSemantic;
  answer->miss = Miss::kNone;
  answer->similarity = best_similarity_;
  answer->similarity_error = ErrorOf(best_rounding_, memory_.layout.dimensions);
  return Walk::kFound;
}

Miss VectorLookup::WhyNot() const {
  if (expired_) return Miss::kExpired;
  if (nearest_ > -2) return Miss::kBelowThreshold;
  return other_embedder_ ? Miss::kOtherEmbedder : Miss::kEmptyPartition;
}

void VectorLookup::ScanPartition(const Partition& partition) {
  const uint32_t group = partition.group.load(std::memory_order_acquire);
  if (group != kNone) return ScanCells(group);
  Batch batch;
  uint32_t number = partition.chain.first.load(std::memory_order_acquire);
  ScanChain(number, &batch);
  ScanBatch(&batch);
}

void VectorLookup::ScanChain(uint32_t number, Batch* batch) {
  for (uint32_t step = 0; number != kNone && step <= memory_.layout.blocks; ++step) {
    if (memory_.IsBlock(number)) {
      const uint32_t ahead = Get(memory_.blocks[number].ahead);
      if (memory_.IsBlock(ahead)) {
        __builtin_prefetch(&memory_.blocks[ahead]);
        PrefetchSketches(memory_.blocks[ahead]);
      }
    }
    number = ScanBlock(number, batch);
  }
}

uint32_t VectorLookup::ScanBlock(uint32_t number, Batch* batch) {
  if (!memory_.IsBlock(number)) {
    raced_ = true;
    return kNone;
  }
  const Block& block = memory_.blocks[number];
  const uint32_t centred = Get(block.centre);
  if (Get(block.owner_lo) != partition_.lo || Get(block.owner_hi) != partition_.hi ||
      centred > uint32_t{centre_ != nullptr}) {
    raced_ = true;
    return kNone;
  }
  if (batch->count == batch->most || (batch->count != 0 && batch->centred != centred)) {
    ScanBatch(batch);
  }
  batch->centred = centred;
  batch->blocks[batch->count++] = &block;
  return block.next.load(std::memory_order_acquire);
}

// A row hangs in the cell that scores most with it. Seen from the centre, whoever asks is at an
// angle `a` from it, in a direction that has as little to do with cells as chance has. So what
// another cell scores more with him than its own does is no more than it is with the row times
// cos(a), which is nothing, and sin(a) times what two scores of a chance direction differ by.
float VectorLookup::Reach(float similarity) const {
  const float sine = WidestSine(similarity, from_centre_);
  return sine >= 1 ? 2 * kSameWay : kCellDeviations * kRootOfTwo * deviation_ * sine;
}

void VectorLookup::ScanCells(uint32_t group) {
  if (centre_ == nullptr) {
    raced_ = true;
    return;
  }
  Probe probes[kMostGroups * kGroupCells];
  const uint32_t count = ScoreCells(group, probes);
  const auto higher = [](const Probe& a, const Probe& b) { return a.score > b.score; };
  const float best = count == 0 ? 0 : std::min_element(probes, probes + count, higher)->score;
  const float least = best - Reach(min_similarity_);
  Probe* end = std::partition(probes, probes + count,
                              [&](const Probe& probe) { return probe.score >= least; });
  std::sort(probes, end, higher);
  Batch batch;
  uint32_t at_once = 1;  // since the best one likely tells how near others must be
  for (const Probe* probe = probes; probe < end; at_once = kCellsAtOnce) {
    at_once = std::min(at_once, static_cast<uint32_t>(end - probe));
    ScanCellsOf(probe, at_once, &batch);
    Judge();
    probe += at_once;
    const float needed = best_ == kNone ? least : best - Reach(best_similarity_);
    while (end > probe && end[-1].score < needed) --end;
  }
}

// All their blocks in one go, so that memory is read ahead across cells. Whose a block is is not
// asked: each row is, and a partition that gave one away has moved. Those of cells are around the
// mean.
void VectorLookup::ScanCellsOf(const Probe* probes, uint32_t count, Batch* batch) {
  uint32_t numbers[kCellsAtOnce * kCellBlocks];
  uint32_t listed = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const CellGroup& group = memory_.groups[probes[i].cell / kGroupCells];
    const auto& blocks = group.blocks[probes[i].cell % kGroupCells];
    uint32_t at = 0;
    for (; at < kCellBlocks; ++at) {
      const uint32_t number = blocks[at].load(std::memory_order_acquire);
      if (!memory_.IsBlock(number)) break;
      numbers[listed++] = number;
    }
    // A cell that could not be split.
    if (at == kCellBlocks) ScanChain(Get(memory_.blocks[numbers[listed - 1]].next), batch);
  }
  ScanBatch(batch);
  batch->centred = 1;
  for (uint32_t i = 0; i < std::min(kListedAhead, listed); ++i) {
    PrefetchSketches(memory_.blocks[numbers[i]]);
  }
  for (uint32_t i = 0; i < listed; ++i) {
    if (i + kListedAhead < listed) PrefetchSketches(memory_.blocks[numbers[i + kListedAhead]]);
    batch->blocks[batch->count++] = &memory_.blocks[numbers[i]];
    if (batch->count == batch->most) ScanBatch(batch);
  }
  ScanBatch(batch);
}

// How many there are.
uint32_t VectorLookup::ScoreCells(uint32_t group, Probe* probes) {
  const Bearing bearing = BearingOf(prepared_.turned, centre_->turned);
  uint32_t count = 0;
  float sum = 0, squares = 0;
  for (uint32_t step = 0; group != kNone && step < kMostGroups; ++step) {
    if (!memory_.IsGroup(group)) {
      raced_ = true;
      break;
    }
    const CellGroup& cells = memory_.groups[group];
    if (Get(cells.owner_lo) != partition_.lo || Get(cells.owner_hi) != partition_.hi) {
      raced_ = true;
      break;
    }
    int32_t scores[kGroupCells];
    kernels_.score(cells, bearing.at, scores);
    uint32_t bits = cells.used.load(std::memory_order_acquire) & ((1U << kGroupCells) - 1);
    for (; bits != 0; bits &= bits - 1) {
      const auto at = static_cast<uint32_t>(__builtin_ctz(bits));
      const auto score = static_cast<float>(scores[at]);
      sum += score;
      squares += score * score;
      probes[count++] = {score, group * kGroupCells + at};
    }
    group = cells.next.load(std::memory_order_acquire);
  }
  const float number = static_cast<float>(std::max(count, 1U));
  const float variance = squares / number - sum / number * (sum / number);
  // No less than that of directions that know nothing of each other.
  deviation_ =
      std::max(std::sqrt(std::max(variance, 0.0F)), kSameWay / std::sqrt(float{kBearings}));
  return count;
}

// Batches grow, since the first ones have no nearest yet to pass over others by.
void VectorLookup::ScanBatch(Batch* batch) {
  if (batch->count == 0) return;
  const uint32_t centred = batch->centred;
  Limits limits = limits_[centred];
  if (!any_near_) {
    limits.first = std::max(limits.first + 1, closest_.off.first) - 1;
    limits.all = std::max(limits.all + 1, closest_.off.all) - 1;
  }
  uint32_t near[kBatch];
  kernels_.scan(batch->blocks, batch->count, sketches_[centred].data(), limits, near);
  for (uint32_t b = 0; b < batch->count; ++b) {
    if (ABSL_PREDICT_TRUE(near[b] == 0)) continue;
    const Block& block = *batch->blocks[b];
    const uint32_t rows = std::min(Get(block.rows), kBlockRows);
    const uint64_t used = (uint64_t{1} << rows) - 1;
    uint64_t bits = near[b] & used & Get(block.with_vector);
    for (; bits != 0; bits &= bits - 1) {
      Consider(block, static_cast<uint32_t>(__builtin_ctzll(bits)), centred);
    }
  }
  batch->count = 0;
  batch->most = std::min(2 * batch->most, kBatch);
}

void VectorLookup::Consider(const Block& block, uint32_t at, uint32_t centred) {
  const uint32_t row = Get(block.row[at]);
  const Limits off = kernels_.distance(block, at, sketches_[centred].data());
  if (!memory_.IsRow(row)) return;
  const Candidate candidate = {off.all, row, centred};
  if (off.all > limits_[centred].all || off.first > limits_[centred].first) {
    if (!any_near_ && off.all < closest_.off.all) closest_ = {off, row};
    return;
  }
  any_near_ = true;
  candidates_[candidate_count_++] = candidate;
  if (candidate_count_ == kCandidates) Judge();
}

void VectorLookup::Judge() {
  Candidate* const begin = candidates_.data();
  Candidate* const end = begin + candidate_count_;
  std::sort(begin, end,
            [](const Candidate& a, const Candidate& b) { return a.distance < b.distance; });
  for (const Candidate* candidate = begin; candidate != end; ++candidate) {
    if (candidate->distance <= limits_[candidate->centred].all) Compare(candidate->row);
  }
  candidate_count_ = 0;
}

void VectorLookup::Compare(uint32_t number) {
  const Row& row = memory_.rows[number];
  const RowRest& rest = memory_.rests[number];
  const uint32_t sequence = row.sequence.load(std::memory_order_acquire);
  const bool mine = IsLive(sequence) && Get(row.partition) == partition_.lo;
  for (const EntryId excluded : exclude_) {
    if (excluded == EntryOf(number, sequence)) return;
  }
  const uint64_t embedder = Get(row.embedder);
  const int64_t expires_ns = Get(row.expires_ns);
  const float scale = Get(rest.scale);
  const float rounding = Get(rest.rounding);
  if (mine && embedder != embedder_) {
    ReadFence();
    other_embedder_ |= Get(row.sequence) == sequence;
    return;
  }
  const int32_t product =
      mine ? kernels_.dot(prepared_.query, memory_.vector(number), prepared_.stride) : 0;
  ReadFence();
  if (!mine || Get(row.sequence) != sequence) {
    raced_ = true;
    return;
  }
  const float similarity =
      std::clamp(static_cast<float>(product) * prepared_.query_scale * scale, -1.0F, 1.0F);
  if (expires_ns <= now_ns_) {
    expired_ |= similarity >= min_similarity_;
    return;
  }
  if (similarity > nearest_) {
    nearest_ = similarity;
    nearest_rounding_ = rounding;
  }
  if (similarity < min_similarity_ || similarity <= best_similarity_) return;
  best_ = number;
  best_sequence_ = sequence;
  best_similarity_ = similarity;
  best_rounding_ = rounding;
  Narrow(similarity);
}

// Only who may be nearer yet is of interest.
void VectorLookup::Narrow(float similarity) {
  limits_[0] = SketchLimits(similarity, false, 1);
  limits_[1] = SketchLimits(similarity, true, from_centre_);
}

}  // namespace weir::cache
