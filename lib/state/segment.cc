#include <sys/mman.h>

#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/text.h"
#include "state/spin_lock.h"
#include "weir/state.h"

namespace weir::state {
namespace {

constexpr size_t kMinBytes = size_t{512} << 10;
constexpr size_t kWorthHugePages = size_t{64} << 20;
constexpr size_t kMaxNameBytes = 48;
constexpr size_t kAlignment = 64;
constexpr uint32_t kMaxRegions = 1024;
constexpr uint64_t kMagic = 0x746E656D67657377;  // "wsegment", read as little-endian bytes
constexpr uint32_t kLayoutVersion = 1;

// The layout: this header, then the regions one after another. Places are offsets from the start,
// so the block means the same wherever it is mapped.
struct RegionEntry {
  char name[kMaxNameBytes];
  uint64_t name_bytes;
  uint64_t offset;
  uint64_t bytes;
};

struct alignas(kAlignment) SegmentHeader {
  uint64_t magic;
  uint32_t layout_version;
  uint32_t region_count;
  uint64_t bytes;
  uint64_t used;
  uint64_t seed;
  LockWord lock;  // guards the directory
  RegionEntry regions[kMaxRegions];
};

constexpr uint64_t RoundUp(uint64_t bytes) { return (bytes + kAlignment - 1) & ~(kAlignment - 1); }

// A segment at some address; what is inside lives in the layout, nothing in this object.
class MappedSegment final : public Segment {
 public:
  MappedSegment() = default;
  ~MappedSegment() override {
    if (base_ != nullptr) munmap(base_, bytes_);
  }
  MappedSegment(const MappedSegment&) = delete;
  MappedSegment& operator=(const MappedSegment&) = delete;

  // Takes zeroed memory of this process; false when there is none.
  bool MapPrivate(size_t bytes) {
    void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return false;
    base_ = static_cast<char*>(base);
    bytes_ = bytes;
#ifdef MADV_HUGEPAGE
    // Counters are touched at random: with small pages, a large table costs a page walk each time.
    // A wish only; whether it is granted changes nothing but speed.
    if (bytes >= kWorthHugePages) static_cast<void>(madvise(base, bytes, MADV_HUGEPAGE));
#endif
    return true;
  }

  // Writes the header of an empty segment into zeroed memory.
  void Format(uint64_t seed) {
    header().layout_version = kLayoutVersion;
    header().bytes = bytes_;
    header().used = RoundUp(sizeof(SegmentHeader));
    header().seed = seed;
    // Last: a block without it is not a segment.
    header().magic = kMagic;
  }

  absl::StatusOr<void*> Region(std::string_view name, size_t bytes) override {
    if (name.empty() || name.size() > kMaxNameBytes) {
      return absl::InvalidArgumentError(
          Concat({"region \"", name, "\": a name has 1 to 48 bytes"}));
    }
    if (bytes == 0) {
      return absl::InvalidArgumentError(Concat({"region \"", name, "\": 0 bytes wanted"}));
    }
    const LockHolder lock(header().lock, kPrivateOwner);
    for (uint32_t i = 0; i < header().region_count; ++i) {
      const RegionEntry& entry = header().regions[i];
      if (std::string_view(entry.name, entry.name_bytes) != name) continue;
      if (entry.bytes == bytes) return static_cast<void*>(base_ + entry.offset);
      return absl::FailedPreconditionError(
          Concat({"region \"", name, "\" exists with ", std::to_string(entry.bytes), " bytes, not ",
                  std::to_string(bytes)}));
    }
    return Allocate(name, bytes);
  }

  uint64_t seed() const override { return header().seed; }
  size_t bytes_used() const override {
    const LockHolder lock(header().lock, kPrivateOwner);
    return header().used;
  }

 private:
  SegmentHeader& header() const { return *reinterpret_cast<SegmentHeader*>(base_); }

  absl::StatusOr<void*> Allocate(std::string_view name, size_t bytes) {
    const uint64_t left = header().bytes - header().used;
    // `left` is a multiple of the alignment, so what fits unrounded fits rounded.
    if (bytes > left) {
      return absl::ResourceExhaustedError(
          Concat({"region \"", name, "\" wants ", std::to_string(bytes), " bytes, the segment has ",
                  std::to_string(left), " left"}));
    }
    if (header().region_count == kMaxRegions) {
      return absl::ResourceExhaustedError(
          Concat({"region \"", name, "\": the segment's directory is full"}));
    }
    RegionEntry& entry = header().regions[header().region_count];
    std::memcpy(entry.name, name.data(), name.size());
    entry.name_bytes = name.size();
    entry.offset = header().used;
    entry.bytes = bytes;
    header().used += RoundUp(bytes);
    ++header().region_count;
    return static_cast<void*>(base_ + entry.offset);
  }

  char* base_ = nullptr;
  size_t bytes_ = 0;
};

static_assert(RoundUp(sizeof(SegmentHeader)) <= kMinBytes / 4);

}  // namespace

absl::StatusOr<std::unique_ptr<Segment>> Segment::CreatePrivate(const SegmentOptions& options) {
  if (options.bytes < kMinBytes) {
    return absl::InvalidArgumentError(
        Concat({"a segment of ", std::to_string(options.bytes), " bytes is too small: at least ",
                std::to_string(kMinBytes), " are needed"}));
  }
  const size_t bytes = options.bytes & ~(kAlignment - 1);
  auto segment = std::make_unique<MappedSegment>();
  if (!segment->MapPrivate(bytes)) {
    return absl::ResourceExhaustedError(
        Concat({"no memory for a segment of ", std::to_string(bytes), " bytes"}));
  }
  segment->Format(options.seed);
  return absl::StatusOr<std::unique_ptr<Segment>>(std::move(segment));
}

}  // namespace weir::state
