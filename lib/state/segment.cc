#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/text.h"
#include "state/identity.h"
#include "state/spin_lock.h"
#include "weir/state.h"

namespace weir::state {
namespace {

constexpr size_t kMinBytes = size_t{512} << 10;
constexpr size_t kWorthHugePages = size_t{64} << 20;
constexpr size_t kMaxNameBytes = 48;
constexpr size_t kAlignment = 128;
constexpr uint32_t kMaxRegions = 1024;
constexpr uint64_t kMagic = 0x746E656D67657377;  // "wsegment", read as little-endian bytes
constexpr uint32_t kLayoutVersion = 2;

// The layout: this header, then the regions one after another. Places are offsets from the start,
// so the block means the same wherever it is mapped. A region exists once `region_count` counts it,
// which is the last store of making one.
struct RegionEntry {
  char name[kMaxNameBytes];
  uint64_t name_bytes;
  uint64_t offset;
  uint64_t bytes;
};

struct alignas(kAlignment) SegmentHeader {
  std::atomic<uint64_t> magic;
  uint32_t layout_version;
  std::atomic<uint32_t> region_count;
  uint64_t bytes;
  uint64_t seed;
  LockWord lock;  // guards the directory
  ProcessTable processes;
  RegionEntry regions[kMaxRegions];
};

constexpr uint64_t RoundUp(uint64_t bytes) { return (bytes + kAlignment - 1) & ~(kAlignment - 1); }

absl::Status SystemError(std::string_view what, const std::string& path, int error) {
  // strerror keeps its text in memory that threads share; the number says it all.
  const std::string why = Concat({what, " ", path, ": error ", std::to_string(error)});
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(why);
  if (error == EACCES || error == EPERM || error == EROFS) return absl::PermissionDeniedError(why);
  if (error == ENOSPC || error == ENOMEM || error == EFBIG || error == EDQUOT) {
    return absl::ResourceExhaustedError(why);
  }
  return absl::InternalError(why);
}

// For memory that is only looked at, where nobody is to be waited for.
class NoIdentity final : public Identity {
 public:
  bool IsGone(uint32_t) const override { return false; }
  void BecomeChild() override {}
};

// A segment at some address; what is inside lives in the layout, nothing in this object.
class MappedSegment final : public Segment {
 public:
  MappedSegment(size_t bytes, bool writable) : bytes_(bytes), writable_(writable) {}
  ~MappedSegment() override {
    identity_ = nullptr;
    if (base_ != nullptr) munmap(base_, bytes_);
  }
  MappedSegment(const MappedSegment&) = delete;
  MappedSegment& operator=(const MappedSegment&) = delete;

  void set_base(void* base) { base_ = static_cast<char*>(base); }
  void set_identity(std::unique_ptr<Identity> identity) { identity_ = std::move(identity); }

  // Writes the header of an empty segment into zeroed memory.
  void Format(uint64_t seed) {
    header().layout_version = kLayoutVersion;
    header().bytes = bytes_;
    header().seed = seed;
    // Last: a block without it is not a segment.
    header().magic.store(kMagic, std::memory_order_release);
  }

  absl::StatusOr<void*> Region(std::string_view name, size_t bytes) override {
    if (name.empty() || name.size() > kMaxNameBytes) {
      return absl::InvalidArgumentError(
          Concat({"region \"", name, "\": a name has 1 to 48 bytes"}));
    }
    if (bytes == 0) {
      return absl::InvalidArgumentError(Concat({"region \"", name, "\": 0 bytes wanted"}));
    }
    if (!writable_) return FindRegion(name, bytes);
    const LockHolder lock(header().lock, *identity_);
    auto found = FindRegion(name, bytes);
    return absl::IsNotFound(found.status()) ? Allocate(name, bytes) : std::move(found);
  }

  absl::StatusOr<void*> FindRegion(std::string_view name, size_t bytes) const override {
    const uint32_t count = header().region_count.load(std::memory_order_acquire);
    for (uint32_t i = 0; i < count; ++i) {
      const RegionEntry& entry = header().regions[i];
      if (std::string_view(entry.name, entry.name_bytes) != name) continue;
      if (entry.bytes == bytes) return static_cast<void*>(base_ + entry.offset);
      return absl::FailedPreconditionError(
          Concat({"region \"", name, "\" exists with ", std::to_string(entry.bytes), " bytes, not ",
                  std::to_string(bytes)}));
    }
    return absl::NotFoundError(Concat({"region \"", name, "\" does not exist"}));
  }

  std::vector<RegionInfo> Regions() const override {
    const uint32_t count = header().region_count.load(std::memory_order_acquire);
    std::vector<RegionInfo> regions;
    for (uint32_t i = 0; i < count; ++i) {
      const RegionEntry& entry = header().regions[i];
      regions.push_back({std::string(entry.name, entry.name_bytes), entry.bytes});
    }
    return regions;
  }

  uint64_t seed() const override { return header().seed; }
  size_t bytes() const override { return bytes_; }
  size_t bytes_used() const override {
    const uint32_t count = header().region_count.load(std::memory_order_acquire);
    if (count == 0) return RoundUp(sizeof(SegmentHeader));
    const RegionEntry& last = header().regions[count - 1];
    return last.offset + RoundUp(last.bytes);
  }
  const Identity& identity() const override { return *identity_; }

  SegmentHeader& header() const { return *reinterpret_cast<SegmentHeader*>(base_); }

 private:
  absl::StatusOr<void*> Allocate(std::string_view name, size_t bytes) {
    const uint64_t used = bytes_used();
    const uint64_t left = bytes_ - used;
    // `left` is a multiple of the alignment, so what fits unrounded fits rounded.
    if (bytes > left) {
      return absl::ResourceExhaustedError(
          Concat({"region \"", name, "\" wants ", std::to_string(bytes), " bytes, the segment has ",
                  std::to_string(left), " left"}));
    }
    const uint32_t count = header().region_count.load(std::memory_order_relaxed);
    if (count == kMaxRegions) {
      return absl::ResourceExhaustedError(
          Concat({"region \"", name, "\": the segment's directory is full"}));
    }
    RegionEntry& entry = header().regions[count];
    std::memcpy(entry.name, name.data(), name.size());
    entry.name_bytes = name.size();
    entry.offset = used;
    entry.bytes = bytes;
    header().region_count.store(count + 1, std::memory_order_release);
    return static_cast<void*>(base_ + entry.offset);
  }

  char* base_ = nullptr;
  const size_t bytes_;
  const bool writable_;
  std::unique_ptr<Identity> identity_;
};

static_assert(RoundUp(sizeof(SegmentHeader)) <= kMinBytes / 4);

absl::Status CheckBytes(size_t bytes) {
  if (bytes >= kMinBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Concat({"a segment of ", std::to_string(bytes), " bytes is too small: at least ",
              std::to_string(kMinBytes), " are needed"}));
}

std::unique_ptr<MappedSegment> Map(int fd, size_t bytes, bool writable) {
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  // Made first: without memory for it, a mapping would be left that keeps the file's locks.
  auto segment = std::make_unique<MappedSegment>(bytes, writable);
  void* base = mmap(nullptr, bytes, protection, flags, fd, 0);
  if (base == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
  // Counters are touched at random: with small pages, a large table costs a page walk each time.
  // A wish only; whether it is granted changes nothing but speed.
  if (bytes >= kWorthHugePages) static_cast<void>(madvise(base, bytes, MADV_HUGEPAGE));
#endif
  segment->set_base(base);
  return segment;
}

// Closes what nobody took.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  ~OwnedFd() {
    if (fd_ >= 0) close(fd_);
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  int get() const { return fd_; }
  int Take() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// Is what the file holds a segment of this build?
absl::Status CheckHeader(const std::string& path, const SegmentHeader& header, uint64_t bytes) {
  if (header.magic.load(std::memory_order_acquire) != kMagic) {
    return absl::FailedPreconditionError(Concat({path, " is not a weir segment"}));
  }
  if (header.layout_version != kLayoutVersion) {
    return absl::FailedPreconditionError(
        Concat({path, " has format ", std::to_string(header.layout_version), ", this build has ",
                std::to_string(kLayoutVersion), ": remove it, or have it replaced"}));
  }
  if (header.bytes != bytes) {
    return absl::FailedPreconditionError(
        Concat({path, " has ", std::to_string(bytes), " bytes, not the ",
                std::to_string(header.bytes), " that it was made with"}));
  }
  const uint32_t count = header.region_count.load(std::memory_order_acquire);
  bool sound = count <= kMaxRegions;
  for (uint32_t i = 0; sound && i < count; ++i) {
    const RegionEntry& entry = header.regions[i];
    sound = entry.name_bytes <= kMaxNameBytes && entry.offset % kAlignment == 0 &&
            entry.offset >= sizeof(SegmentHeader) && entry.offset <= bytes &&
            entry.bytes <= bytes - entry.offset;
  }
  if (!sound) return absl::FailedPreconditionError(Concat({path, " is damaged: remove it"}));
  return absl::OkStatus();
}

// Gives an empty file its size, with blocks behind it: a hole that finds no room on the disk later
// would be a SIGBUS.
absl::Status GiveSize(int fd, const std::string& path, size_t bytes) {
  const int error = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  if (error == 0) return absl::OkStatus();
  static_cast<void>(ftruncate(fd, 0));
  return SystemError("no room for", path, error);
}

// The file's segment with the whole-file lock held; formats it if nobody has.
absl::StatusOr<std::unique_ptr<MappedSegment>> MapFile(int fd, const std::string& path,
                                                       const FileOptions& options) {
  struct stat found = {};
  if (fstat(fd, &found) != 0) return SystemError("can not look at", path, errno);
  if (!S_ISREG(found.st_mode)) {
    return absl::FailedPreconditionError(Concat({path, " is not a file"}));
  }
  auto bytes = static_cast<size_t>(found.st_size);
  const bool empty = bytes == 0;
  if (empty) {
    bytes = options.bytes & ~(kAlignment - 1);
    if (absl::Status status = GiveSize(fd, path, bytes); !status.ok()) return status;
  } else if (bytes < kMinBytes) {
    return absl::FailedPreconditionError(Concat({path, " is not a weir segment"}));
  }
  auto segment = Map(fd, bytes, true);
  if (segment == nullptr) return SystemError("can not map", path, errno);
  const SegmentHeader& header = segment->header();
  // A maker that died before the last store left zeroes where the magic number will be.
  const bool half_made = header.magic.load(std::memory_order_acquire) == 0 &&
                         header.region_count.load(std::memory_order_relaxed) == 0;
  if (empty || half_made) segment->Format(options.seed);
  if (absl::Status status = CheckHeader(path, header, bytes); !status.ok()) return status;
  return segment;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Segment>> Segment::CreatePrivate(const SegmentOptions& options) {
  if (absl::Status status = CheckBytes(options.bytes); !status.ok()) return status;
  const size_t bytes = options.bytes & ~(kAlignment - 1);
  auto segment = Map(-1, bytes, true);
  if (segment == nullptr) {
    return absl::ResourceExhaustedError(
        Concat({"no memory for a segment of ", std::to_string(bytes), " bytes"}));
  }
  segment->Format(options.seed);
  segment->set_identity(std::make_unique<PrivateIdentity>());
  return absl::StatusOr<std::unique_ptr<Segment>>(std::move(segment));
}

absl::StatusOr<std::unique_ptr<Segment>> Segment::OpenFile(const std::string& path,
                                                           const FileOptions& options) {
  if (absl::Status status = CheckBytes(options.bytes); !status.ok()) return status;
  for (bool replaced = false;; replaced = true) {
    OwnedFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (fd.get() < 0) return SystemError("can not open", path, errno);
    if (!LockWholeFile(fd.get())) return SystemError("can not lock", path, errno);
    struct stat opened = {}, named = {};
    if (fstat(fd.get(), &opened) != 0) return SystemError("can not look at", path, errno);
    if (stat(path.c_str(), &named) != 0 || named.st_ino != opened.st_ino) {
      continue;  // somebody replaced it while we waited
    }
    auto segment = MapFile(fd.get(), path, options);
    if (absl::IsFailedPrecondition(segment.status()) && options.replace && !replaced) {
      if (unlink(path.c_str()) != 0) return SystemError("can not replace", path, errno);
      continue;
    }
    // The mark of this process goes on a description of its own: a mapping holds on to the one that
    // it was made of, and a forked child to the mapping, so that a dead parent would stay marked.
    OwnedFd marked(segment.ok() ? open(path.c_str(), O_RDWR | O_CLOEXEC) : -1);
    const int error = errno;
    UnlockWholeFile(fd.get());
    if (!segment.ok()) return segment.status();
    if (marked.get() < 0) return SystemError("can not open", path, error);
    auto identity = std::make_unique<FileIdentity>(marked.get(), &(*segment)->header().processes);
    static_cast<void>(marked.Take());  // only now: without memory for it, it is closed
    (*segment)->set_identity(std::move(identity));
    return absl::StatusOr<std::unique_ptr<Segment>>(*std::move(segment));
  }
}

absl::StatusOr<std::unique_ptr<Segment>> Segment::OpenReadOnly(const std::string& path) {
  OwnedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return SystemError("can not open", path, errno);
  struct stat found = {};
  if (fstat(fd.get(), &found) != 0) return SystemError("can not look at", path, errno);
  const auto bytes = static_cast<size_t>(found.st_size);
  if (!S_ISREG(found.st_mode) || bytes < kMinBytes) {
    return absl::FailedPreconditionError(Concat({path, " is not a weir segment"}));
  }
  auto segment = Map(fd.get(), bytes, false);
  if (segment == nullptr) return SystemError("can not map", path, errno);
  if (absl::Status status = CheckHeader(path, segment->header(), bytes); !status.ok()) {
    return status;
  }
  segment->set_identity(std::make_unique<NoIdentity>());
  return absl::StatusOr<std::unique_ptr<Segment>>(std::move(segment));
}

}  // namespace weir::state
