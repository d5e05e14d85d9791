// Byte-pair merging of one piece: the pair of adjacent parts whose join has the lowest rank is
// merged, the leftmost first, until no join is a token.

#ifndef WEIR_LIB_TOKENS_BPE_H_
#define WEIR_LIB_TOKENS_BPE_H_

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokens/rank_table.h"
#include "tokens/utf8.h"

namespace weir::tokens {

// Pieces of up to so many parts are merged at once, in arrays on the stack.
inline constexpr size_t kScanParts = 256;

// Longer ones are merged in sections of that size, in linear time. This is for a piece whose
// sections do not go together, which is rare: O(n log n) at most. One object serves the pieces of a
// text in turn and keeps its memory between them; up to about 45 bytes for each byte of the longest
// that it merged.
//
// A heap of pairs by rank would do. But the table's generator has proved that a token is merged
// from two tokens of lower rank, so a pair that a merge creates always ranks above that merge. The
// lowest rank never goes down, and all pairs of a rank are known before the first of them is
// merged. So a monotone bucket queue serves, which only appends to arrays (Ahuja, Mehlhorn, Orlin,
// Tarjan: "Faster algorithms for the shortest path problem", 1990).
//
// That two tokens are looked up as a pair, and not their joined bytes, changes nothing: up to the
// moment when two parts make up the bytes of a token, exactly those merges were done within these
// bytes that are done when the token's own bytes are merged, so they are its last split.
class LongPieceMerger {
 public:
  // Merges `piece`; appends the ids unless `ids` is null. Returns how many tokens there are.
  size_t Merge(const RankTable& table, std::string_view piece, std::vector<uint32_t>* ids);

 private:
  struct Candidate {
    uint32_t rank;
    uint32_t at;  // offset of the left part
  };

  void MergePiece(const RankTable& table, std::string_view piece);
  void Push(uint32_t rank, uint32_t at);
  bool PopLowest();
  void MergeAt(const RankTable& table, Candidate candidate);
  void PushPairAt(const RankTable& table, uint32_t left, uint32_t at);

  // For each byte of the piece: at a part's first byte the part; at its last byte, if that is
  // another one, the same with kLastByte; within it, zero.
  std::vector<uint32_t> parts_;
  size_t part_count_ = 0;
  // Candidates by the position of the highest bit in which their rank differs from lowest_.
  std::array<std::vector<Candidate>, kIdBits + 1> buckets_;
  std::vector<Candidate> lowest_candidates_;  // all those of rank lowest_
  uint32_t lowest_ = 0;
};

// Calls take(bytes, size) for each part of a well-formed piece that is merged by itself: they end
// where no token joins two characters. Writing without blanks falls into words of one to three
// characters.
template <typename Take>
void ForEachPart(const RankTable& table, const char* bytes, size_t size, Take take) {
  const auto decode = [bytes](size_t at) { return DecodeWellFormed(bytes + at); };
  size_t begin = 0;
  CodePoint before = decode(0);
  for (size_t at = before.bytes; at < size;) {
    const CodePoint next = decode(at);
    if (!table.MayJoin(before.value, next.value)) {
      take(bytes + begin, at - begin);
      begin = at;
    }
    before = next;
    at += next.bytes;
  }
  take(bytes + begin, size - begin);
}

// Merges a piece of any length but zero that is not a token itself.
size_t MergePiece(const RankTable& table, std::string_view piece, LongPieceMerger* merger,
                  std::vector<uint32_t>* ids);

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_BPE_H_
