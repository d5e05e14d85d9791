#include "tokens/bpe.h"

#include <algorithm>
#include <bit>

namespace weir::tokens {
namespace {

// Parts stay where their first byte is, so a merge moves nothing; the search runs over all bytes.
size_t MergeByScan(const RankTable& table, std::string_view piece, std::vector<uint32_t>* ids) {
  constexpr uint32_t kAtBits = std::bit_width(kScanBytes - 1);
  static_assert(kIdBits + kAtBits < 32);
  constexpr uint32_t kAtMask = (1u << kAtBits) - 1;
  constexpr uint32_t kNoKey = ~0u;
  const size_t bytes = piece.size();
  std::array<uint32_t, kScanBytes> part;  // by first byte
  std::array<uint32_t, kScanBytes> key;   // rank of the join with the next part, then the place
  std::array<uint8_t, kScanBytes + 1> next, previous;
  const auto join = [&](size_t left, size_t right) {
    const uint32_t rank = table.Merge(part[left], part[right]);
    return rank == kNoToken ? kNoKey : rank << kAtBits | static_cast<uint32_t>(left);
  };
  for (size_t i = 0; i < bytes; ++i) {
    part[i] = table.ByteToken(static_cast<unsigned char>(piece[i]));
    next[i] = static_cast<uint8_t>(i + 1);
    previous[i + 1] = static_cast<uint8_t>(i);
    key[i] = kNoKey;
    if (i > 0) key[i - 1] = join(i - 1, i);
  }
  size_t count = bytes;
  for (;;) {
    uint32_t lowest = kNoKey;
    for (size_t i = 0; i < bytes; ++i) lowest = std::min(lowest, key[i]);
    if (lowest == kNoKey) break;
    const size_t left = lowest & kAtMask;
    const size_t middle = next[left], right = next[middle];
    part[left] = lowest >> kAtBits;
    next[left] = static_cast<uint8_t>(right);
    previous[right] = static_cast<uint8_t>(left);
    key[middle] = kNoKey;
    key[left] = right < bytes ? join(left, right) : kNoKey;
    if (left > 0) key[previous[left]] = join(previous[left], left);
    --count;
  }
  if (ids != nullptr) {
    for (size_t i = 0; i < bytes; i = next[i]) ids->push_back(part[i]);
  }
  return count;
}

// A part in 32 bits: its token and its length, which is 255 at most.
constexpr uint32_t kLastByte = uint32_t{1} << 31;
constexpr uint32_t MakePart(uint32_t id, uint32_t bytes) { return bytes << kIdBits | id; }
constexpr uint32_t PartId(uint32_t part) { return part & kMaxTokens; }
constexpr uint32_t PartBytes(uint32_t part) { return part >> kIdBits & 255; }

}  // namespace

void LongPieceMerger::Push(uint32_t rank, uint32_t at) {
  buckets_[static_cast<size_t>(std::bit_width(rank ^ lowest_))].push_back({rank, at});
}

// Makes the lowest rank in the queue lowest_, and lowest_candidates_ its candidates.
bool LongPieceMerger::PopLowest() {
  lowest_candidates_.clear();
  auto bucket = std::find_if(buckets_.begin(), buckets_.end(),
                             [](const std::vector<Candidate>& b) { return !b.empty(); });
  if (bucket == buckets_.end()) return false;
  lowest_ = std::min_element(bucket->begin(), bucket->end(), [](Candidate a, Candidate b) {
              return a.rank < b.rank;
            })->rank;
  // Every candidate goes to a lower bucket than the one that it was in.
  for (const Candidate candidate : *bucket) {
    if (candidate.rank == lowest_) {
      lowest_candidates_.push_back(candidate);
    } else {
      Push(candidate.rank, candidate.at);
    }
  }
  bucket->clear();
  return true;
}

void LongPieceMerger::PushPairAt(const RankTable& table, uint32_t left, uint32_t at) {
  const uint32_t next = at + PartBytes(left);
  if (next >= parts_.size()) return;
  const uint32_t rank = table.Merge(PartId(left), PartId(parts_[next]));
  if (rank != kNoToken) Push(rank, at);
}

void LongPieceMerger::MergeAt(const RankTable& table, Candidate candidate) {
  const uint32_t left = parts_[candidate.at];
  // Out of date if no part begins there any more, or if the two parts are not the token's length
  // together: the bytes are fixed, so a join of that length at that place is that token.
  if (left == 0 || (left & kLastByte) != 0) return;
  const uint32_t middle = candidate.at + PartBytes(left);
  if (middle >= parts_.size()) return;
  const uint32_t bytes = PartBytes(left) + PartBytes(parts_[middle]);
  if (bytes != table.TokenBytes(candidate.rank).size()) return;

  const uint32_t merged = MakePart(candidate.rank, bytes);
  parts_[middle - 1] = 0;
  parts_[middle] = 0;
  parts_[candidate.at] = merged;
  parts_[candidate.at + bytes - 1] = merged | kLastByte;
  --part_count_;
  PushPairAt(table, merged, candidate.at);
  if (candidate.at > 0) {
    const uint32_t before = parts_[candidate.at - 1];
    PushPairAt(table, before, candidate.at - PartBytes(before));
  }
}

void LongPieceMerger::MergePiece(const RankTable& table, std::string_view piece) {
  parts_.resize(piece.size());
  part_count_ = piece.size();
  lowest_ = 0;
  for (size_t i = 0; i < piece.size(); ++i) {
    parts_[i] = MakePart(table.ByteToken(static_cast<unsigned char>(piece[i])), 1);
  }
  for (uint32_t i = 0; i + 1 < piece.size(); ++i) PushPairAt(table, parts_[i], i);
  // Candidates of one rank overlap only if the two parts are the same token, and then the leftmost
  // must come first. It does: such pairs are all found while that token's own rank is merged, from
  // left to right, and the queue keeps the order of equal ranks.
  while (PopLowest()) {
    for (const Candidate candidate : lowest_candidates_) MergeAt(table, candidate);
  }
}

size_t LongPieceMerger::Merge(const RankTable& table, std::string_view piece,
                              std::vector<uint32_t>* ids) {
  // Offsets are 32 bits wide. A single piece of 2 GiB and more is cut, which can cost a token of
  // difference at each cut.
  constexpr size_t kMaxBytes = size_t{1} << 31;
  size_t total = 0;
  for (size_t begin = 0; begin < piece.size(); begin += kMaxBytes) {
    MergePiece(table, piece.substr(begin, kMaxBytes));
    total += part_count_;
    if (ids == nullptr) continue;
    for (size_t at = 0; at < parts_.size(); at += PartBytes(parts_[at])) {
      ids->push_back(PartId(parts_[at]));
    }
  }
  return total;
}

size_t MergePiece(const RankTable& table, std::string_view piece, LongPieceMerger* merger,
                  std::vector<uint32_t>* ids) {
  if (piece.size() <= kScanBytes) return MergeByScan(table, piece, ids);
  return merger->Merge(table, piece, ids);
}

}  // namespace weir::tokens
