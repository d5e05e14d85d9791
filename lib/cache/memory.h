// What a cache keeps in the segment, and where: one region, offsets worked out from the options.
//
// Rows are the truth; everything else (the chains by key, the blocks by partition and cell, the
// queue of the eviction, the free lists) is made from them and can be made again. A writer says in
// Header::dirty that it is at work on those; whoever takes the lock and finds that said makes them
// anew: see store.h.
//
// Readers take no lock, so all they read are atomic words, or bytes that a row's sequence vouches
// for; and whatever number they read is checked against its bound before it is used. Numbers of
// rows, blocks, partitions and pieces begin at 1, so that zeroed memory says "none".
//
// So readers survive memory that was damaged by whatever means, and so does Repair, which reads
// nothing but rows. Writers trust the rest: what they do to damaged memory that nobody says is
// dirty is undefined.
//
// A row's sequence counts its lives: 4n is free, 4n+1 is being written, 4n+2 lives. Reading it
// before and after tells whether what was read in between is one life's.

#ifndef WEIR_LIB_CACHE_MEMORY_H_
#define WEIR_LIB_CACHE_MEMORY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/hash.h"
#include "state/spin_lock.h"
#include "weir/cache.h"
#include "weir/state.h"

namespace weir::cache {

inline constexpr uint32_t kNone = 0;
inline constexpr uint32_t kPieceBytes = 256;  // values are chains of pieces
inline constexpr uint32_t kSketchWords = 4;
inline constexpr uint32_t kSketchBits = 64 * kSketchWords;
// Most rows are told to be far off by so many words, and the lines of the others are left alone.
inline constexpr uint32_t kFirstWords = 2;
inline constexpr uint32_t kFirstBits = 64 * kFirstWords;
inline constexpr uint32_t kLanes = 8;       // sketches side by side, for the vector instructions
inline constexpr uint32_t kBlockRows = 32;  // rows of one partition
inline constexpr uint32_t kGroups = kBlockRows / kLanes;
// How far ahead of where a look-up reads the next blocks are called for.
inline constexpr uint32_t kBlocksAhead = 8;
// A cell's code and the bearing of a vector have a component for each bit of a sketch.
inline constexpr uint32_t kBearings = kSketchBits;
inline constexpr uint32_t kGroupCells = 16;   // codes side by side, for the vector instructions
inline constexpr uint32_t kMostGroups = 256;  // of one partition
inline constexpr uint32_t kCellBlocks = 32;   // that a cell lists, its first ones
// A cell of so many rows is split in two.
inline constexpr uint32_t kCellRows = 1024;

using Word = std::atomic<uint64_t>;
using Half = std::atomic<uint32_t>;
static_assert(Word::is_always_lock_free && Half::is_always_lock_free);

template <typename T>
T Get(const std::atomic<T>& word) {
  return word.load(std::memory_order_relaxed);
}
template <typename T, typename V>
void Set(std::atomic<T>& word, V value) {
  word.store(static_cast<T>(value), std::memory_order_relaxed);
}

// What was read before is read before what follows. The sanitizer for threads knows no fences; it
// sees atomic words only.
inline void ReadFence() {
#if defined(__SANITIZE_THREAD__)
  asm volatile("" ::: "memory");
#else
  std::atomic_thread_fence(std::memory_order_acquire);
#endif
}
// What was written before is seen before what follows.
inline void WriteFence() {
#if defined(__SANITIZE_THREAD__)
  asm volatile("" ::: "memory");
#else
  std::atomic_thread_fence(std::memory_order_release);
#endif
}

// What a look-up reads of a row: one cache line.
struct alignas(64) Row {
  Half sequence;
  Half next_of_key;     // the chain of its bucket
  Word key_hi, key_lo;  // of partition and exact key together
  Word partition;       // 64 bits of its partition's hash
  std::atomic<int64_t> created_ns, expires_ns;
  Half value, value_bytes;  // its first piece
  Word embedder;            // 0: it has no vector
};
static_assert(sizeof(Row) == 64);

// And the rest of it.
struct RowRest {
  Word model, scope;
  std::atomic<float> scale;     // of its int8 vector
  std::atomic<float> rounding;  // the length of what rounding cut off
  Half newer, older;            // in the queue of the eviction
  Half partition;               // its number
  Half place;                   // block * kBlockRows + where in it
  std::atomic<uint8_t> credit;  // rounds it has left: a use gives 1 + worth
  std::atomic<uint8_t> worth;
  std::atomic<uint16_t> unused;
  Half unused_too;
};
static_assert(sizeof(RowRest) == 48);

// Blocks one after another, full but for the last one.
struct Chain {
  Half first, last;
  Half rows;
  Half full_at;    // so many rows are tried to be split in two
  Half unsettled;  // of a cell: so many of its first rows may be nearer to another one by now
};

struct alignas(64) Partition {
  Word hi, lo;  // its hash; written before it is linked
  Half next;    // the chain of its bucket, or of the free ones
  Chain chain;  // of the rows that are in no cell: all of them, or those without a vector
  Half rows;    // all of them
  Half hand;    // where the quota's eviction goes on
  Half moves;   // how often a row changed its place
  Half group;   // the first of its cells' groups; kNone: it has no cells
  Half cells;
  Half unsettled;  // how many of them are
};
static_assert(sizeof(Partition) == 64);

struct alignas(64) Block {
  Word owner_hi, owner_lo;  // the hash of the partition
  Half next, previous;      // of its chain; `next` of the free ones too
  Half rows;
  Half with_vector;  // a bit for each row
  Half centre;       // what its sketches are around: 0 the origin, 1 the mean
  Half ahead;        // the block kBlocksAhead after it, or one that was: to be prefetched
  Half cell;         // whose chain it is in; kNone: the partition's
  uint32_t unused[5];
  Half row[kBlockRows];
  // Word w of the sketch of row g * kLanes + l is [w][g][l].
  Word sketch[kSketchWords][kGroups][kLanes];

  Word& sketch_word(uint32_t at, uint32_t w) { return sketch[w][at / kLanes][at % kLanes]; }
  const Word& sketch_word(uint32_t at, uint32_t w) const {
    return sketch[w][at / kLanes][at % kLanes];
  }
};
static_assert(sizeof(Block) == 64 + 4 * kBlockRows + 32 * kBlockRows);

// The cells of one partition, sixteen at a time. A cell is where the rows hang whose vectors are
// nearest to its code, of all codes of the partition's; its number is the group's and which of the
// group's it is.
struct alignas(64) CellGroup {
  Word owner_hi, owner_lo;  // the hash of the partition
  Half next;                // of the partition, or of the free ones
  Half used;                // a bit for each cell
  uint32_t unused[10];
  Chain chains[kGroupCells];
  Half blocks[kGroupCells]
             [kCellBlocks];  // so that a look-up need not wait for one to call the next
  // Components 2p and 2p + 1 of the code of cell c, int8 each, are [p][c].
  std::atomic<uint16_t> codes[kBearings / 2][kGroupCells];
};
static_assert(sizeof(CellGroup) == 64 + kGroupCells * (20 + 4 * kCellBlocks + kBearings));

struct Counters {
  Word exact_hits, semantic_hits, misses[kMissReasons], inserts, replaced, evictions, expirations,
      removals, refused, repairs, similarities[kSimilarityBins];
};

struct Header {
  Word layout;  // of the layout and the options: last when the cache is made
  Word seed;
  alignas(64) state::LockWord lock;
  Half dirty;
  Half entries, partitions;
  Half free_row, free_block, free_partition, free_piece;
  Half free_pieces;
  Half newest, oldest, hand;  // the queue of the eviction
  Half sweep;                 // where the search for expired rows goes on
  Half partition_hand;        // and where that for a partition to give way does
  Half centre;                // 1: the mean is known
  Half centre_vectors;        // how many were added up for it
  Half free_group, cells;
  // Of the layout, for Inspect.
  Half dimensions, max_entries, max_partitions, pieces, cell_rows;
  alignas(64) Counters counters;
};

// The offsets, and how many of each there are.
struct Layout {
  uint32_t dimensions = 0, stride = 0;  // of a vector, in bytes: a multiple of 64
  uint32_t rows = 0, partitions = 0, blocks = 0, pieces = 0;
  uint32_t cell_rows = 0, cells = 0, groups = 0;
  uint32_t key_buckets = 0, partition_buckets = 0;  // powers of two
  uint64_t row_at = 0, rest_at = 0, vector_at = 0, key_at = 0, partition_at = 0,
           partition_bucket_at = 0, block_at = 0, group_at = 0, mean_at = 0, next_piece_at = 0,
           piece_at = 0;
  uint64_t bytes = 0;
  uint64_t fingerprint = 0;
};

// INVALID_ARGUMENT names the option. `cell_rows`: another number than kCellRows is for tests, who
// cannot wait for so many.
absl::StatusOr<Layout> PlanLayout(const CacheOptions& options, uint32_t cell_rows = kCellRows);

// The mapped region. A plain value; borrows the segment's memory.
struct Memory {
  Layout layout;
  Header* header = nullptr;
  Row* rows = nullptr;
  RowRest* rests = nullptr;
  int8_t* vectors = nullptr;
  Half* key_buckets = nullptr;
  Partition* partitions = nullptr;
  Half* partition_buckets = nullptr;
  Block* blocks = nullptr;
  CellGroup* groups = nullptr;
  std::atomic<float>* mean = nullptr;         // of the vectors; `dimensions` of them
  std::atomic<float>* turned_mean = nullptr;  // the same rotated: kSketchBits of them
  Half* next_piece = nullptr;
  Word* pieces = nullptr;
  const state::Identity* identity = nullptr;

  bool IsRow(uint32_t row) const { return row != kNone && row <= layout.rows; }
  bool IsBlock(uint32_t block) const { return block != kNone && block <= layout.blocks; }
  bool IsPartition(uint32_t number) const { return number != kNone && number <= layout.partitions; }
  bool IsGroup(uint32_t group) const { return group != kNone && group <= layout.groups; }
  bool IsPiece(uint32_t piece) const { return piece != kNone && piece <= layout.pieces; }
  int8_t* vector(uint32_t row) const { return vectors + uint64_t{row} * layout.stride; }
  Word* piece(uint32_t number) const { return pieces + uint64_t{number} * (kPieceBytes / 8); }
  Half& KeyBucket(Hash128 key) const { return key_buckets[key.lo & (layout.key_buckets - 1)]; }
  Half& PartitionBucket(Hash128 hash) const {
    return partition_buckets[hash.lo & (layout.partition_buckets - 1)];
  }
};

// As Cache::Create does.
absl::StatusOr<std::unique_ptr<Cache>> CreateWithCells(state::Segment* segment,
                                                       std::string_view name,
                                                       const CacheOptions& options,
                                                       uint32_t cell_rows);

// The layout that a header tells of; INVALID_ARGUMENT when there is none.
absl::StatusOr<Layout> LayoutOf(const Header& header);

// Where everything is in a region that begins at `base`.
Memory MemoryAt(char* base, const Layout& layout);

Stats StatsOf(const Memory& memory);

inline constexpr std::string_view kRegionPrefix = "cache:";

// Finds or makes the region; a new one is zero, and its header says no layout.
absl::StatusOr<Memory> OpenMemory(state::Segment* segment, std::string_view name,
                                  const Layout& layout);

inline bool IsLive(uint32_t sequence) { return (sequence & 3) == 2; }
inline bool IsFree(uint32_t sequence) { return (sequence & 3) == 0; }

// A row in one of its lives.
inline EntryId EntryOf(uint32_t row, uint32_t sequence) { return uint64_t{sequence} << 32 | row; }

inline uint32_t PiecesFor(uint64_t bytes) {
  return static_cast<uint32_t>((bytes + kPieceBytes - 1) / kPieceBytes);
}

// What a row's key field holds: the partition is part of it, so that equal requests of two
// partitions are two keys.
inline Hash128 KeyIn(Hash128 partition, Key exact) {
  return {partition.hi ^ exact.hi, partition.lo ^ exact.lo};
}

// An embedder as a row names it; never 0.
inline uint64_t EmbedderWord(Embedder embedder) {
  const uint64_t word = embedder.id ^ (embedder.epoch + 1) * uint64_t{0x9E3779B97F4A7C15};
  return word == 0 ? 1 : word;
}

}  // namespace weir::cache

#endif  // WEIR_LIB_CACHE_MEMORY_H_
