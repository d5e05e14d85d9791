#include "cache/memory.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "absl/status/status.h"

namespace weir::cache {
namespace {

// Another number means that one cannot be read as the other.
constexpr uint64_t kLayoutVersion = 5;
constexpr uint32_t kFewestPieces = 4;
constexpr uint64_t kMostPieces = uint64_t{1} << 30;
constexpr uint32_t kFewestCellRows = 4, kMostCellRows = 1 << 16;

// One after another, each aligned for the vector instructions.
class Offsets {
 public:
  uint64_t Take(uint64_t bytes) {
    const uint64_t at = next_;
    next_ = (next_ + bytes + 63) / 64 * 64;
    return at;
  }
  uint64_t next() const { return next_; }

 private:
  uint64_t next_ = 0;
};

// Cells are about half full when they begin. What there is not room for (when more partitions
// than one in 16 * cell_rows have cells, or many cells have lost most of their rows) is not split.
void PlanCells(const CacheOptions& options, uint32_t cell_rows, Layout* layout) {
  layout->cell_rows = cell_rows;
  if (options.dimensions == 0 || options.max_entries < 2 * cell_rows) return;
  layout->cells = options.max_entries / cell_rows * 7 / 4;
  const uint32_t partitions =
      std::min(options.max_partitions, options.max_entries / (16 * cell_rows) + 1);
  layout->groups = layout->cells / kGroupCells + partitions;
}

// Numbers begin at 1: one more of each than there are.
void PlaceFixed(const CacheOptions& options, uint32_t cell_rows, Layout* layout, Offsets* offsets) {
  layout->dimensions = options.dimensions;
  layout->stride = (options.dimensions + 63) / 64 * 64;
  layout->rows = options.max_entries;
  layout->partitions = options.max_partitions;
  PlanCells(options, cell_rows, layout);
  layout->blocks = options.max_entries / kBlockRows + options.max_partitions + layout->cells;
  // 32 rows in 27 buckets at most, and less than 7 bytes of them a row.
  layout->key_buckets = std::bit_ceil(options.max_entries - options.max_entries / 32 * 5);
  layout->partition_buckets = std::bit_ceil(options.max_partitions);
  const uint64_t rows = uint64_t{layout->rows} + 1;
  offsets->Take(sizeof(Header));
  layout->row_at = offsets->Take(rows * sizeof(Row));
  layout->rest_at = offsets->Take(rows * sizeof(RowRest));
  layout->vector_at = offsets->Take(rows * layout->stride);
  layout->key_at = offsets->Take(uint64_t{layout->key_buckets} * sizeof(Half));
  layout->partition_at = offsets->Take((uint64_t{layout->partitions} + 1) * sizeof(Partition));
  layout->partition_bucket_at = offsets->Take(uint64_t{layout->partition_buckets} * sizeof(Half));
  layout->block_at = offsets->Take((uint64_t{layout->blocks} + 1) * sizeof(Block));
  layout->group_at = offsets->Take((uint64_t{layout->groups} + 1) * sizeof(CellGroup));
  layout->mean_at = offsets->Take((uint64_t{layout->stride} + kSketchBits) * sizeof(float));
}

void PlacePieces(Layout* layout, Offsets* offsets) {
  layout->next_piece_at = offsets->Take((uint64_t{layout->pieces} + 1) * sizeof(Half));
  layout->piece_at = offsets->Take((uint64_t{layout->pieces} + 1) * kPieceBytes);
  layout->bytes = offsets->next();
  const uint32_t options_words[] = {layout->dimensions, layout->rows, layout->partitions,
                                    layout->pieces, layout->cell_rows};
  layout->fingerprint =
      SipHash(kLayoutVersion,
              std::string_view(reinterpret_cast<const char*>(options_words), sizeof(options_words)))
          .lo |
      1;
}

absl::Status CheckOptions(const CacheOptions& options) {
  if (options.dimensions != 0 &&
      (options.dimensions < kMinDimensions || options.dimensions > kMaxDimensions)) {
    return absl::InvalidArgumentError("dimensions: 0 or 8 to 4096");
  }
  if (options.max_entries < 1 || options.max_entries > kMaxEntries) {
    return absl::InvalidArgumentError("max_entries: 1 to 16777216");
  }
  if (options.max_partitions < 1 || options.max_partitions > kMaxPartitions) {
    return absl::InvalidArgumentError("max_partitions: 1 to 1048576");
  }
  return absl::OkStatus();
}

uint64_t BytesOfPieces(uint64_t pieces) { return pieces * (kPieceBytes + sizeof(Half)) + 1024; }

}  // namespace

absl::StatusOr<Layout> PlanLayout(const CacheOptions& options, uint32_t cell_rows) {
  if (const absl::Status status = CheckOptions(options); !status.ok()) return status;
  Layout layout;
  Offsets offsets;
  PlaceFixed(options, cell_rows, &layout, &offsets);
  const uint64_t least = offsets.next() + BytesOfPieces(kFewestPieces);
  if (options.bytes < least) {
    return absl::InvalidArgumentError(std::string("bytes: at least ") + std::to_string(least) +
                                      " for so many entries, without values");
  }
  const uint64_t left = options.bytes - offsets.next() - 1024;
  const uint64_t pieces = left / (kPieceBytes + sizeof(Half));
  layout.pieces = static_cast<uint32_t>(std::min(pieces, kMostPieces));
  PlacePieces(&layout, &offsets);
  return layout;
}

absl::StatusOr<Layout> LayoutOf(const Header& header) {
  CacheOptions options;
  options.dimensions = Get(header.dimensions);
  options.max_entries = Get(header.max_entries);
  options.max_partitions = Get(header.max_partitions);
  if (const absl::Status status = CheckOptions(options); !status.ok()) return status;
  const uint32_t cell_rows = Get(header.cell_rows);
  if (cell_rows < kFewestCellRows || cell_rows > kMostCellRows) {
    return absl::InvalidArgumentError("not of this layout");
  }
  Layout layout;
  Offsets offsets;
  PlaceFixed(options, cell_rows, &layout, &offsets);
  layout.pieces = Get(header.pieces);
  PlacePieces(&layout, &offsets);
  if (layout.fingerprint == header.layout.load(std::memory_order_acquire)) return layout;
  return absl::InvalidArgumentError("not of this layout");
}

uint64_t BytesFor(const CacheOptions& options, uint32_t value_bytes) {
  if (!CheckOptions(options).ok()) return 0;
  Layout layout;
  Offsets offsets;
  PlaceFixed(options, kCellRows, &layout, &offsets);
  const uint64_t pieces = uint64_t{options.max_entries} * PiecesFor(value_bytes);
  return offsets.next() + BytesOfPieces(pieces < kFewestPieces ? kFewestPieces : pieces);
}

Memory MemoryAt(char* base, const Layout& layout) {
  Memory memory;
  memory.layout = layout;
  memory.header = reinterpret_cast<Header*>(base);
  memory.rows = reinterpret_cast<Row*>(base + layout.row_at);
  memory.rests = reinterpret_cast<RowRest*>(base + layout.rest_at);
  memory.vectors = reinterpret_cast<int8_t*>(base + layout.vector_at);
  memory.key_buckets = reinterpret_cast<Half*>(base + layout.key_at);
  memory.partitions = reinterpret_cast<Partition*>(base + layout.partition_at);
  memory.partition_buckets = reinterpret_cast<Half*>(base + layout.partition_bucket_at);
  memory.blocks = reinterpret_cast<Block*>(base + layout.block_at);
  memory.groups = reinterpret_cast<CellGroup*>(base + layout.group_at);
  memory.mean = reinterpret_cast<std::atomic<float>*>(base + layout.mean_at);
  memory.turned_mean = memory.mean + layout.stride;
  memory.next_piece = reinterpret_cast<Half*>(base + layout.next_piece_at);
  memory.pieces = reinterpret_cast<Word*>(base + layout.piece_at);
  return memory;
}

absl::StatusOr<Memory> OpenMemory(state::Segment* segment, std::string_view name,
                                  const Layout& layout) {
  if (name.empty() || name.size() > 40) {
    return absl::InvalidArgumentError("name: 1 to 40 bytes");
  }
  auto region = segment->Region(std::string(kRegionPrefix).append(name), layout.bytes);
  if (!region.ok()) return region.status();
  Memory memory = MemoryAt(static_cast<char*>(*region), layout);
  memory.identity = &segment->identity();
  return memory;
}

}  // namespace weir::cache
