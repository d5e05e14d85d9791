// weir/state.h: the segment in which hot state lives.
//
// Counters, breaker states and balancer cursors live in one position-independent block of memory:
// private to the process, or (the same code) a file that all workers of a machine map. Regions are
// found by name, so a reloaded policy, and a restarted process, finds the state that the old one
// left.
//
//   auto segment = weir::state::Segment::OpenFile("/var/lib/gateway/weir.state", {});
//   auto limiter = weir::limits::Limiter::Create(segment->get(), rules, {});
//
// What holds for a file:
// - Any process may die at any instruction. No lock stays held: each lock names its holder, the
//   kernel drops a dead process's mark on the file, and whoever waits takes the lock over. No value
//   is torn: every change is one store of a word, or a sequence of them that is sound wherever it
//   stops.
// - It outlives all processes, and a reboot. Its format has a number: another one is refused, with
//   both numbers, and with FileOptions::replace a new file takes its name. Processes that still map
//   the old one keep it.
// - Its space is taken from the disk when it is made, so a full disk can not kill later. It must
//   not be truncated while it is mapped. Network file systems do not fit.
//
// Threads: any thread, any time. Forking is fine at any time: a child has its own copy of a private
// segment, as the parent left it, and shares a file. Cost: Region takes one lock and compares
// names, so it is for set-up, not for each request. Limits: `bytes` is the hard ceiling of
// everything kept inside, about 85 KiB of it for the directory; 1,024 regions; 1,022 processes at
// one file that are watched for death, more work without. Memory is used as it is touched. Regions
// live as long as the segment: none is ever given back.

#ifndef WEIR_STATE_H_
#define WEIR_STATE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace weir::state {

class Identity;

struct SegmentOptions {
  size_t bytes = size_t{16} << 20;  // at least 512 KiB; more is refused when memory is not there
  uint64_t seed = 0;                // keys the hash of attacker-chosen names; from the host
};

struct FileOptions {
  size_t bytes = size_t{16} << 20;  // of a new file; one that exists keeps its size
  uint64_t seed = 0;                // of a new file; one that exists keeps its seed
  bool replace = false;  // a file of another format gives its name to a new one instead of failing
};

// What lies in a segment under a name.
struct RegionInfo {
  std::string name;
  size_t bytes = 0;
};

class Segment {
 public:
  // A segment in this process's own memory, zeroed.
  static absl::StatusOr<std::unique_ptr<Segment>> CreatePrivate(const SegmentOptions& options);

  // The segment in the file `path`, made on first use, readable and writable by its owner alone.
  // FAILED_PRECONDITION: the file is no segment, or one of another format or size than it says.
  // RESOURCE_EXHAUSTED: no room on the disk. NOT_FOUND and PERMISSION_DENIED as the system says;
  // UNIMPLEMENTED where there are no open-file-description locks.
  static absl::StatusOr<std::unique_ptr<Segment>> OpenFile(const std::string& path,
                                                           const FileOptions& options);

  // The same to look at only, by a tool: it locks nothing and writes nothing, and Region is
  // FindRegion. What needs locks must not be made over it.
  static absl::StatusOr<std::unique_ptr<Segment>> OpenReadOnly(const std::string& path);

  virtual ~Segment() = default;

  // The region called `name`, made on first use, zeroed, aligned to 128 bytes. The same name gives
  // the same region for the life of the segment. A region that exists with another size is
  // FAILED_PRECONDITION; no room left is RESOURCE_EXHAUSTED; a name over 48 bytes INVALID_ARGUMENT.
  virtual absl::StatusOr<void*> Region(std::string_view name, size_t bytes) = 0;

  // The same, of a region that exists; NOT_FOUND otherwise. Writes nothing.
  virtual absl::StatusOr<void*> FindRegion(std::string_view name, size_t bytes) const = 0;

  // All there are, in the order in which they were made: for tools.
  virtual std::vector<RegionInfo> Regions() const = 0;

  virtual uint64_t seed() const = 0;
  virtual size_t bytes_used() const = 0;
  virtual size_t bytes() const = 0;

  // Under which number this process holds locks in here: for the rooms that keep state.
  virtual const Identity& identity() const = 0;
};

}  // namespace weir::state

#endif  // WEIR_STATE_H_
