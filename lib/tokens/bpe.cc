#include "tokens/bpe.h"

#include <algorithm>
#include <bit>

namespace weir::tokens {
namespace {

constexpr uint32_t kAtBits = std::bit_width(kScanParts - 1);
constexpr uint32_t kNoKey = ~0u;
static_assert(kScanParts <= 64 && kIdBits + kAtBits < 32);

// The rank of a join, then the place of its left part: the lowest of these is merged next.
constexpr uint32_t KeyOf(uint32_t rank, size_t left) {
  return rank == kNoToken ? kNoKey : rank << kAtBits | static_cast<uint32_t>(left);
}

// What merging begins with: single bytes, and characters that are sure to become a token first.
struct Parts {
  std::array<uint32_t, kScanParts> id;
  std::array<uint32_t, kScanParts> key;  // of the join with the next part
  size_t count = 0;
};

// The code point of a character of two or three bytes at `p`, if it is well-formed, else 0.
inline uint32_t WideCodePoint(const char* p, size_t left) {
  const auto byte = [p](size_t i) { return static_cast<unsigned char>(p[i]); };
  const uint32_t lead = byte(0);
  if (lead >= 0xC0 && lead < 0xE0 && left >= 2) {
    const uint32_t second = byte(1) ^ 0x80u;
    return second < 0x40 ? (lead & 0x1F) << 6 | second : 0;
  }
  if (lead >= 0xE0 && lead < 0xF0 && left >= 3) {
    const uint32_t second = byte(1) ^ 0x80u, third = byte(2) ^ 0x80u;
    const uint32_t code_point = (lead & 0x0F) << 12 | second << 6 | third;
    return (second | third) < 0x40 && code_point >= 0x800 ? code_point : 0;
  }
  return 0;
}

// False when there are more than kScanParts of them.
inline bool FirstParts(const RankTable& table, std::string_view piece, Parts* parts) {
  const char* p = piece.data();
  const char* const end = p + piece.size();
  bool wide_before = true;
  size_t n = 0;
  for (; p < end; ++n) {
    if (n == kScanParts) return false;
    const unsigned char byte = static_cast<unsigned char>(*p);
    size_t bytes = 1;
    uint32_t id = kNoToken;
    if (byte >= 0xC0 && (p == piece.data() || p[-1] != ' ')) {
      const uint32_t code_point = WideCodePoint(p, static_cast<size_t>(end - p));
      if (code_point != 0) id = table.WholeChar(code_point);
      if (id != kNoToken) bytes = byte < 0xE0 ? 2 : 3;
    }
    const bool wide = id != kNoToken;
    if (!wide) id = table.ByteToken(byte);
    parts->id[n] = id;
    if (n > 0) {
      const uint32_t rank = wide || wide_before
                                ? table.Merge(parts->id[n - 1], id)
                                : table.MergeBytes(static_cast<unsigned char>(p[-1]), byte);
      parts->key[n - 1] = KeyOf(rank, n - 1);
    }
    wide_before = wide;
    p += bytes;
  }
  parts->key[n - 1] = kNoKey;
  parts->count = n;
  return true;
}

// Parts stay where they are, so a merge moves nothing. Which places hold a part are the bits of the
// word that is returned.
[[gnu::always_inline]] inline uint64_t MergeByScan(const RankTable& table, Parts* parts) {
  constexpr uint32_t kAtMask = (1u << kAtBits) - 1;
  std::array<uint32_t, kScanParts>& key = parts->key;
  std::array<uint32_t, kScanParts>& id = parts->id;
  const size_t places = (parts->count + 7) / 8 * 8;  // so that whole vectors are compared
  for (size_t i = parts->count; i < places; ++i) key[i] = kNoKey;
  uint64_t held = parts->count == 64 ? ~uint64_t{0} : (uint64_t{1} << parts->count) - 1;
  for (;;) {
    std::array<uint32_t, 8> least;
    std::copy_n(key.begin(), 8, least.begin());
    for (size_t i = 8; i < places; i += 8) {
      for (size_t j = 0; j < 8; ++j) least[j] = std::min(least[j], key[i + j]);
    }
    uint32_t lowest = kNoKey;
    for (size_t j = 0; j < 8; ++j) lowest = std::min(lowest, least[j]);
    if (lowest == kNoKey) return held;

    const size_t left = lowest & kAtMask;
    const uint64_t after_left = held & ~uint64_t{1} << left;
    const size_t middle = static_cast<size_t>(std::countr_zero(after_left));
    held &= ~(uint64_t{1} << middle);
    const uint64_t after = after_left & (after_left - 1);
    const uint64_t before = held & ((uint64_t{1} << left) - 1);
    id[left] = lowest >> kAtBits;
    key[middle] = kNoKey;
    key[left] = kNoKey;
    if (after != 0) {
      const size_t right = static_cast<size_t>(std::countr_zero(after));
      key[left] = KeyOf(table.Merge(id[left], id[right]), left);
    }
    if (before != 0) {
      const size_t previous = static_cast<size_t>(63 - std::countl_zero(before));
      key[previous] = KeyOf(table.Merge(id[previous], id[left]), previous);
    }
  }
}

using ScanFunction = uint64_t (*)(const RankTable& table, Parts* parts);

uint64_t ScanPlain(const RankTable& table, Parts* parts) { return MergeByScan(table, parts); }

#if defined(__x86_64__)
__attribute__((target("avx2,bmi,lzcnt"))) uint64_t ScanAvx2(const RankTable& table, Parts* parts) {
  return MergeByScan(table, parts);
}
#endif

ScanFunction FastestScan() {
#if defined(__x86_64__)
  const bool has_all = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi") != 0 &&
                       __builtin_cpu_supports("lzcnt") != 0;
  static const ScanFunction fastest = has_all ? ScanAvx2 : ScanPlain;
  return fastest;
#else
  return ScanPlain;
#endif
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
  Parts parts;
  if (!FirstParts(table, piece, &parts)) return merger->Merge(table, piece, ids);
  const uint64_t held = FastestScan()(table, &parts);
  if (ids != nullptr) {
    for (uint64_t rest = held; rest != 0; rest &= rest - 1) {
      ids->push_back(parts.id[static_cast<size_t>(std::countr_zero(rest))]);
    }
  }
  return static_cast<size_t>(std::popcount(held));
}

}  // namespace weir::tokens
