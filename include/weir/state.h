// weir/state.h: the segment in which hot state lives.
//
// Counters, breaker states and balancer cursors live in one position-independent block of memory:
// private to the process, or (the same code) a file that all workers of a machine map. Regions are
// found by name, so a reloaded policy finds the state that the old one left.
//
//   auto segment = weir::state::Segment::CreatePrivate({.bytes = 8 << 20});
//   auto limiter = weir::limits::Limiter::Create(segment->get(), rules, {});
//
// Threads: any thread, any time. A child made by fork has its own copy of a private segment, as the
// parent left it; fork while no other thread works on it. Cost: Region takes one lock and compares
// names, so it is for set-up, not for each request. Limits: `bytes` is the hard ceiling of
// everything kept inside, about 80 KiB of it for the directory; 1,024 regions. Memory is used as it
// is touched. Regions live as long as the segment: none is ever given back.

#ifndef WEIR_STATE_H_
#define WEIR_STATE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"

namespace weir::state {

struct SegmentOptions {
  size_t bytes = size_t{16} << 20;  // at least 512 KiB; more is refused when memory is not there
  uint64_t seed = 0;                // keys the hash of attacker-chosen names; from the host
};

class Segment {
 public:
  // A segment in this process's own memory, zeroed.
  static absl::StatusOr<std::unique_ptr<Segment>> CreatePrivate(const SegmentOptions& options);

  virtual ~Segment() = default;

  // The region called `name`, made on first use, zeroed, aligned to 64 bytes. The same name gives
  // the same region for the life of the segment. A region that exists with another size is
  // FAILED_PRECONDITION; no room left is RESOURCE_EXHAUSTED; a name over 48 bytes INVALID_ARGUMENT.
  virtual absl::StatusOr<void*> Region(std::string_view name, size_t bytes) = 0;

  virtual uint64_t seed() const = 0;
  virtual size_t bytes_used() const = 0;
};

}  // namespace weir::state

#endif  // WEIR_STATE_H_
