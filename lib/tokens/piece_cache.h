// Remembers how many tokens a piece has that is no token itself, so that merging it once is enough.
//
// A fixed array that all threads share, without locks: an entry is a few atomic words that carry
// the piece's own bytes, so a hit is exact, and that are checked against each other, so that an
// entry two threads are writing at once is a miss. A newer piece takes an older one's place. There
// is nothing to set up (zeros are an empty cache) and nothing to free.

#ifndef WEIR_LIB_TOKENS_PIECE_CACHE_H_
#define WEIR_LIB_TOKENS_PIECE_CACHE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tokens/rank_table.h"

namespace weir::tokens {

class PieceCache {
 public:
  static constexpr size_t kMaxPieceBytes = 55;

  constexpr PieceCache() = default;
  PieceCache(const PieceCache&) = delete;
  PieceCache& operator=(const PieceCache&) = delete;

  // Each Find tells how many tokens a piece has, or 0 when that is not known.
  //
  // Pieces of up to 7 bytes: an entry is one word, the bytes from the top down, then the size, then
  // the count.
  class Short {
   public:
    // kKeyReadBytes can be read at `bytes`.
    Short(const char* bytes, size_t size)
        : key_(Load(bytes) << (64 - 8 * size) | size << kCountBits) {}

   private:
    friend class PieceCache;
    size_t slot() const { return key_ * kMultiplier >> (64 - kShortBits) & ~uint64_t{1}; }
    uint64_t key_;
  };
  size_t Find(Short piece) const {
    const std::atomic<uint64_t>* pair = &short_[piece.slot()];
    const uint64_t first = pair[0].load(std::memory_order_relaxed) ^ piece.key_;
    if (first < (1 << kCountBits)) [[likely]]
      return first;
    const uint64_t second = pair[1].load(std::memory_order_relaxed) ^ piece.key_;
    return second < (1 << kCountBits) ? second : 0;
  }

  // A piece that comes early tends to come often, so the first place of a pair is kept, and the
  // second given to the newest. But one newcomer in eight takes over the first, so that nothing
  // stays for ever.
  void Insert(Short piece, size_t count) {
    std::atomic<uint64_t>* pair = &short_[piece.slot()];
    const bool first =
        pair[0].load(std::memory_order_relaxed) == 0 || (piece.key_ * kMultiplier >> 8 & 7) == 0;
    pair[first ? 0 : 1].store(piece.key_ | count, std::memory_order_relaxed);
  }

  // Pieces of 8 to 15 bytes.
  size_t Find(MiddleKey key, uint64_t hash) const {
    const Middle* pair = &middle_[MiddleSlot(hash)];
    if (const size_t count = Read(pair[0], key)) [[likely]]
      return count;
    return Read(pair[1], key);
  }
  void Insert(MiddleKey key, uint64_t hash, size_t count) {
    Middle* pair = &middle_[MiddleSlot(hash)];
    const bool first = pair[0].high.load(std::memory_order_relaxed) == 0 || hash >> 61 == 0;
    Middle& entry = pair[first ? 0 : 1];
    const uint64_t high = key.high | static_cast<uint64_t>(count) << kCountShift;
    entry.high.store(high, std::memory_order_relaxed);
    entry.low.store(key.low ^ Mix(high), std::memory_order_relaxed);
  }

  // Pieces of 16 to kMaxPieceBytes bytes, which have four places.
  size_t FindLong(const char* bytes, size_t size, uint64_t hash) const {
    const Large* places = &large_[LargeSlot(hash)];
    for (size_t i = 0; i < kLargeWays; ++i) {
      if (const size_t count = Read(places[i], bytes, size, hash)) return count;
    }
    return 0;
  }

  void InsertLong(const char* bytes, size_t size, uint64_t hash, size_t count) {
    Large* places = &large_[LargeSlot(hash)];
    size_t place = 0;
    while (place < kLargeWays && places[place].header.load(std::memory_order_relaxed) != 0) ++place;
    Large& entry = places[place < kLargeWays ? place : hash >> 62];
    uint64_t header = entry.header.load(std::memory_order_relaxed);
    if ((header & kBusy) != 0) return;
    const uint64_t version = (header & kVersionMask) + kVersionStep;
    if (!entry.header.compare_exchange_strong(header, kBusy, std::memory_order_relaxed)) return;
    size_t at = 0;
    for (size_t word = 0; at + 8 <= size; ++word, at += 8) {
      entry.words[word].store(Load(bytes + at), std::memory_order_release);
    }
    entry.words[6].store(Load(bytes + size - 8), std::memory_order_release);
    entry.header.store((version & kVersionMask) | Tag(size, hash) | count,
                       std::memory_order_release);
  }

 private:
  static constexpr int kShortBits = 17;  // of the number of entries
  static constexpr size_t kMiddleEntries = size_t{1} << 16;
  static constexpr int kCountBits = 5;
  static constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15;
  static constexpr size_t kLargeEntries = size_t{1} << 15, kLargeWays = 4;
  // A key's top byte is the length, up to 15; the count goes above it.
  static constexpr int kCountShift = 60;
  static constexpr uint64_t kHighMask = (uint64_t{1} << kCountShift) - 1;
  // A header: count, size, version, tag, and the flag of a writer.
  static constexpr uint64_t kCountMask = 0xFF;
  static constexpr uint64_t kVersionStep = uint64_t{1} << 16;
  static constexpr uint64_t kVersionMask = uint64_t{0xFFFF} << 16;
  static constexpr uint64_t kBusy = uint64_t{1} << 63;
  static constexpr uint64_t kTagMask = uint64_t{0xFFFFFFFF} << 32 | 0xFF00;

  struct Middle {
    std::atomic<uint64_t> low, high;
  };
  struct alignas(64) Large {
    std::atomic<uint64_t> header;
    std::array<std::atomic<uint64_t>, 7> words;
  };

  static size_t Read(const Middle& entry, MiddleKey key) {
    const uint64_t high = entry.high.load(std::memory_order_relaxed);
    const uint64_t low = entry.low.load(std::memory_order_relaxed);
    const uint64_t difference = (high ^ key.high) & kHighMask;
    return (difference | (low ^ Mix(high) ^ key.low)) == 0 ? high >> kCountShift : 0;
  }

  static size_t Read(const Large& entry, const char* bytes, size_t size, uint64_t hash) {
    const uint64_t header = entry.header.load(std::memory_order_acquire);
    if ((header & kTagMask) != Tag(size, hash)) return 0;
    size_t at = 0;
    uint64_t difference = 0;
    for (size_t word = 0; at + 8 <= size; ++word, at += 8) {
      difference |= entry.words[word].load(std::memory_order_acquire) ^ Load(bytes + at);
    }
    // The last word overlaps the one before it in the piece, and has a place of its own here.
    difference |= entry.words[6].load(std::memory_order_acquire) ^ Load(bytes + size - 8);
    if (difference != 0 || entry.header.load(std::memory_order_relaxed) != header) return 0;
    return header & kCountMask;
  }

  static uint64_t Mix(uint64_t word) { return word * kMultiplier; }
  static uint64_t Load(const char* bytes) {
    uint64_t word;
    std::memcpy(&word, bytes, 8);
    return word;
  }
  static uint64_t Tag(size_t size, uint64_t hash) {
    return (hash & uint64_t{0x7FFFFFFF} << 32) | static_cast<uint64_t>(size) << 8;
  }
  // The first of a pair, each.
  static size_t MiddleSlot(uint64_t hash) { return hash % (kMiddleEntries / 2) * 2; }
  static size_t LargeSlot(uint64_t hash) {
    return hash % (kLargeEntries / kLargeWays) * kLargeWays;
  }

  alignas(64) std::array<std::atomic<uint64_t>, size_t{1} << kShortBits> short_ = {};
  alignas(64) std::array<Middle, kMiddleEntries> middle_ = {};
  std::array<Large, kLargeEntries> large_ = {};
};

}  // namespace weir::tokens

#endif  // WEIR_LIB_TOKENS_PIECE_CACHE_H_
