// weir/queue.h: who waits for the same thing, and whose turn it is.
//
// A line is what one key's waiters stand in, first come, first served. It holds nothing but places:
// what is waited for (room in a limit, a backend) is somebody else's, who lets the first in line
// try and sends the others back. So a late comer with a small request never overtakes, and nobody
// is passed over until his patience ends.
//
//   if (lines->IsEmpty(key) ? !Try() : true) {
//     auto place = lines->Join(key, cost, 100, now);         // nullopt: too many wait
//     ...at each wake-up:
//     queue::Standing standing = lines->Look(*place, now);
//     if (standing.is_first && Try()) lines->Leave(*place);
//     else lines->Promise(*place, now.mono_ns + wait_ns);    // and sleep that long
//   }
//
// weir wakes nobody: each waiter says until when it will have looked again. Whoever is overdue by
// kGraceNs at the head of the line is passed over, for its process may be dead; if it does come
// back it is first. A promise reaches kLongestPromiseNs at most, so the dead hold up the living
// for no longer than that and the grace.
//
// Lines lie in the segment: the processes that share it stand in the same ones.
//
// Threads: any thread, any time. Cost: IsEmpty is a keyed hash and a look-up, all else one lock,
// and O(waiting) for Join and Look. Memory: 6 KiB of the segment for each of max_lines. Limits:
// kMaxWaiting in a line; with max_lines keys waited for at one time, no other key gets a line.

#ifndef WEIR_QUEUE_H_
#define WEIR_QUEUE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "weir/base.h"
#include "weir/state.h"

namespace weir::queue {

inline constexpr uint32_t kMaxWaiting = 120;
inline constexpr int64_t kLongestPromiseNs = 2 * kSecond;
inline constexpr int64_t kGraceNs = kSecond;

struct LinesOptions {
  uint32_t max_lines = 256;  // 1 … 65,536; whoever opens the segment first decides
};

// A place in a line, to be handed back unchanged. Every place is given up by Leave; one that is not
// is passed over.
struct Place {
  uint64_t key_hi = 0, key_lo = 0;
  uint32_t slot = 0;
  uint32_t number = 0;
};

struct Standing {
  bool is_first = true;
  uint32_t ahead = 0;        // how many stand before this one
  uint64_t cost_ahead = 0;   // and what they wait for, saturating
  int64_t first_due_ns = 0;  // unless first: by when the first one wanted to look again
};

class Lines {
 public:
  // INVALID_ARGUMENT: max_lines out of range. RESOURCE_EXHAUSTED: no room in the segment, which
  // must outlive the lines.
  static absl::StatusOr<std::unique_ptr<Lines>> Create(state::Segment* segment,
                                                       const LinesOptions& options);
  virtual ~Lines() = default;

  // Does nobody wait for `key`? Takes no lock. The overdue count as waiting until somebody who
  // joins or looks passes them over.
  virtual bool IsEmpty(std::string_view key) const = 0;

  // A place at the end of the key's line. `cost`: what will be asked for, in any unit. Nullopt:
  // min(max_waiting, kMaxWaiting) wait already, or there is no room for another line.
  virtual std::optional<Place> Join(std::string_view key, uint64_t cost, uint32_t max_waiting,
                                    Now now) = 0;

  // Where the place is by now. Those ahead of it that are overdue lose theirs.
  virtual Standing Look(const Place& place, Now now) = 0;

  // The waiter will look again by then; at most kLongestPromiseNs from now.
  virtual void Promise(const Place& place, int64_t until_mono_ns, Now now) = 0;

  // Served, or patience ended.
  virtual void Leave(const Place& place) = 0;
};

}  // namespace weir::queue

#endif  // WEIR_QUEUE_H_
