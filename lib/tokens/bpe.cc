#include "tokens/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/cpu.h"
#include "tokens/utf8.h"

namespace weir::tokens {
namespace {

constexpr uint32_t kAtBits = 8;
constexpr uint32_t kAtMask = (1u << kAtBits) - 1;
constexpr uint32_t kNoKey = ~0u;
static_assert(kScanParts <= 1u << kAtBits && kIdBits + kAtBits < 32);

// The rank of a join, then the place of its left part: the lowest of these is merged next.
constexpr uint32_t KeyOf(uint32_t rank, size_t left) {
  return rank == kNoToken ? kNoKey : rank << kAtBits | static_cast<uint32_t>(left);
}

// The parts of a piece. They stay where they are, so a merge moves nothing.
struct Parts {
  // Keys are searched by blocks: a merge changes those of one or two.
  static constexpr size_t kBlock = 16;
  static constexpr size_t kBlocks = kScanParts / kBlock;

  // The next place after `place` that holds a part, or `places`.
  size_t Next(size_t place) const {
    size_t word = (place + 1) / 64;
    uint64_t rest = held[word] >> (place + 1) % 64 << (place + 1) % 64;
    while (rest == 0) rest = held[++word];
    return word * 64 + static_cast<size_t>(std::countr_zero(rest));
  }
  // The last one before it; place > 0.
  size_t Previous(size_t place) const {
    size_t word = place / 64;
    uint64_t rest = held[word] & ((uint64_t{1} << place % 64) - 1);
    while (rest == 0) rest = held[--word];
    return word * 64 + static_cast<size_t>(63 - std::countl_zero(rest));
  }

  alignas(64) std::array<uint32_t, kBlocks * kBlock> key;  // of the join with the next part
  alignas(64) std::array<uint32_t, kBlocks> lowest;        // of each block
  std::array<uint32_t, kScanParts> id;
  std::array<uint64_t, kScanParts / 64 + 1> held;  // a bit for each place with a part, and `places`
  size_t places = 0;
  size_t count = 0;  // parts that are left
  size_t bytes = 0;  // of the piece that they cover
};

// The characters of a piece, one after the other.
class Characters {
 public:
  explicit Characters(std::string_view piece) : begin_(piece.data()), end_(begin_ + piece.size()) {}

  // Looks at the byte at `p`, each in turn. Returns the token of the character that begins there,
  // if merging may begin with it, and kNoToken otherwise.
  uint32_t WholeAt(const RankTable& table, const char* p, size_t* bytes) {
    const unsigned char byte = static_cast<unsigned char>(*p);
    if (byte < 0x80) {
      current_ = byte;
      return kNoToken;
    }
    if (byte < 0xC0) return kNoToken;  // goes on with the current one
    const uint32_t before = p == begin_ ? kNoCodePoint : current_;
    const CodePoint c = DecodeAt(p, end_);
    current_ = c.ill_formed ? kNoCodePoint : c.value;
    if (current_ > 0xFFFF) return kNoToken;
    *bytes = c.bytes;
    const int after = p + *bytes < end_ ? static_cast<unsigned char>(p[*bytes]) : -1;
    return table.WholeChar(current_, before, after);
  }

 private:
  const char* const begin_;
  const char* const end_;
  uint32_t current_ = kNoCodePoint;
};

// What merging begins with: single bytes, and characters that are sure to become a token first; as
// many as there is room for.
void FirstParts(const RankTable& table, std::string_view piece, Parts* parts) {
  Characters characters(piece);
  const char* p = piece.data();
  const char* const end = p + piece.size();
  bool whole_before = true;
  size_t n = 0;
  for (; p < end && n < kScanParts; ++n) {
    const unsigned char byte = static_cast<unsigned char>(*p);
    size_t bytes = 1;
    uint32_t id = characters.WholeAt(table, p, &bytes);
    const bool whole = id != kNoToken;
    if (!whole) {
      id = table.ByteToken(byte);
      bytes = 1;
    }
    parts->id[n] = id;
    if (n > 0) {
      const uint32_t rank = whole || whole_before
                                ? table.Merge(parts->id[n - 1], id)
                                : table.MergeBytes(static_cast<unsigned char>(p[-1]), byte);
      parts->key[n - 1] = KeyOf(rank, n - 1);
    }
    whole_before = whole;
    p += bytes;
  }
  parts->places = parts->count = n;
  parts->bytes = static_cast<size_t>(p - piece.data());
  const size_t padded = (n + Parts::kBlock - 1) / Parts::kBlock * Parts::kBlock;
  for (size_t i = n - 1; i < padded; ++i) parts->key[i] = kNoKey;
  const size_t words = n / 64;
  for (size_t word = 0; word < words; ++word) parts->held[word] = ~uint64_t{0};
  parts->held[words] = (uint64_t{2} << n % 64) - 1;
}

[[gnu::always_inline]] inline void FindLowest(Parts* parts, size_t block) {
  const uint32_t* key = &parts->key[block * Parts::kBlock];
  uint32_t lowest = kNoKey;
  for (size_t i = 0; i < Parts::kBlock; ++i) lowest = std::min(lowest, key[i]);
  parts->lowest[block] = lowest;
}

// Merges until no join is a token.
[[gnu::always_inline]] inline void MergeByScan(const RankTable& table, Parts* parts) {
  const size_t blocks = (parts->places + Parts::kBlock - 1) / Parts::kBlock;
  for (size_t block = 0; block < blocks; ++block) FindLowest(parts, block);
  for (;;) {
    uint32_t lowest = kNoKey;
    for (size_t block = 0; block < blocks; ++block) {
      lowest = std::min(lowest, parts->lowest[block]);
    }
    if (lowest == kNoKey) return;
    const size_t left = lowest & kAtMask;
    const size_t middle = parts->Next(left), right = parts->Next(middle);
    const uint32_t merged = lowest >> kAtBits;
    parts->id[left] = merged;
    parts->held[middle / 64] &= ~(uint64_t{1} << middle % 64);
    parts->key[middle] = kNoKey;
    parts->key[left] =
        right < parts->places ? KeyOf(table.Merge(merged, parts->id[right]), left) : kNoKey;
    const size_t previous = left > 0 ? parts->Previous(left) : left;
    if (left > 0) {
      parts->key[previous] = KeyOf(table.Merge(parts->id[previous], merged), previous);
    }
    --parts->count;
    const size_t block = left / Parts::kBlock;
    FindLowest(parts, block);
    if (middle / Parts::kBlock != block) FindLowest(parts, middle / Parts::kBlock);
    if (previous / Parts::kBlock != block) FindLowest(parts, previous / Parts::kBlock);
  }
}

using ScanFunction = void (*)(const RankTable& table, Parts* parts);

void ScanPlain(const RankTable& table, Parts* parts) { MergeByScan(table, parts); }

#if defined(__x86_64__)
__attribute__((target("avx2,bmi"))) void ScanAvx2(const RankTable& table, Parts* parts) {
  MergeByScan(table, parts);
}
#endif

ScanFunction FastestScan() {
#if defined(__x86_64__)
  static const bool has_avx2 = CpuHasAvx2();
  return has_avx2 ? ScanAvx2 : ScanPlain;
#else
  return ScanPlain;
#endif
}

void MergeParts(const RankTable& table, std::string_view piece, Parts* parts) {
  FirstParts(table, piece, parts);
  FastestScan()(table, parts);
}

// Merges a piece of more than kScanParts, part of it by part.
//
// A sequence of tokens is what merging makes of its bytes if, and only if, this holds for each two
// neighbours of it by themselves (the generator proves what this needs; the argument is that of
// the "bpe" crate of github/rust-gems). So a piece may be merged in sections: of each, the last
// tokens are given up, because they may depend on what follows; the next section begins there, and
// its first token must go with the last one kept. If it does not, one more token is given up. A
// section with the bytes of the one before has its tokens, which makes runs cheap.
class SectionMerger {
 public:
  SectionMerger(const RankTable& table, LongPieceMerger* fallback, std::vector<uint32_t>* ids)
      : table_(table), fallback_(fallback), ids_(ids), ids_before_(ids ? ids->size() : 0) {}

  size_t Merge(std::string_view piece) {
    for (size_t at = 0, before = 0;;) {
      const bool repeats = at > before && piece.size() - at > parts_.bytes &&
                           std::memcmp(piece.data() + at, piece.data() + before, parts_.bytes) == 0;
      if (!repeats) MergeParts(table_, piece.substr(at), &parts_);
      before = at;
      const bool is_last = at + parts_.bytes == piece.size();
      if (kept_count_ > 0 && !GoTogether(kept_[kept_count_ - 1], parts_.id[0])) {
        if (kept_count_ == 1) return MergeWhole(piece);
        at -= table_.TokenBytes(kept_[--kept_count_]).size();
        --total_;
        if (ids_ != nullptr) ids_->pop_back();
        continue;
      }
      constexpr size_t kGivenUp = 6;
      const size_t given_up = std::clamp<size_t>(parts_.count / 4, 1, kGivenUp);
      at += Keep(is_last ? parts_.count : parts_.count - given_up);
      if (is_last) return total_;
    }
  }

 private:
  // Takes over the first `count` tokens; returns their bytes.
  size_t Keep(size_t count) {
    size_t bytes = 0, part = 0;
    for (kept_count_ = 0; kept_count_ < count; ++kept_count_) {
      const uint32_t id = parts_.id[part];
      kept_[kept_count_] = id;
      bytes += table_.TokenBytes(id).size();
      if (ids_ != nullptr) ids_->push_back(id);
      part = parts_.Next(part);
    }
    total_ += count;
    return bytes;
  }

  bool GoTogether(uint32_t left, uint32_t right) {
    if (left == good_left_ && right == good_right_) return true;
    const std::string_view first = table_.TokenBytes(left), second = table_.TokenBytes(right);
    std::array<char, 2 * kMaxTokenBytes> both;
    std::copy(second.begin(), second.end(), std::copy(first.begin(), first.end(), both.begin()));
    static_assert(2 * kMaxTokenBytes <= kScanParts, "both must fit");
    Parts parts;
    MergeParts(table_, {both.data(), first.size() + second.size()}, &parts);
    const bool together =
        parts.id[0] == left && parts.count == 2 && parts.id[parts.Next(0)] == right;
    if (together) {
      good_left_ = left;
      good_right_ = right;
    }
    return together;
  }

  size_t MergeWhole(std::string_view piece) {
    if (ids_ != nullptr) ids_->resize(ids_before_);
    return fallback_->Merge(table_, piece, ids_);
  }

  const RankTable& table_;
  LongPieceMerger* const fallback_;
  std::vector<uint32_t>* const ids_;
  const size_t ids_before_;
  Parts parts_;
  std::array<uint32_t, kScanParts> kept_;  // of the section before
  size_t kept_count_ = 0;
  size_t total_ = 0;
  uint32_t good_left_ = kNoToken, good_right_ = kNoToken;  // known to go together
};

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
  MergeParts(table, piece, &parts);
  if (parts.bytes < piece.size()) return SectionMerger(table, merger, ids).Merge(piece);
  if (ids != nullptr) {
    for (size_t part = 0; part < parts.places; part = parts.Next(part)) {
      ids->push_back(parts.id[part]);
    }
  }
  return parts.count;
}

}  // namespace weir::tokens
