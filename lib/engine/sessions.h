// Which member each session went to: hashes of keys to numbers of members, in the segment.
//
// A session is remembered until it was not used for its time. A full table forgets sessions whose
// time is over; if there are none, new ones are not remembered and go where the pool sends them.
//
// Threads and processes: any. Cost: a keyed hash and a look-up; Set takes one lock.

#ifndef WEIR_LIB_ENGINE_SESSIONS_H_
#define WEIR_LIB_ENGINE_SESSIONS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "state/table.h"
#include "weir/base.h"
#include "weir/state.h"

namespace weir::engine {

class Sessions {
 public:
  static absl::StatusOr<std::unique_ptr<Sessions>> Create(state::Segment* segment);

  std::optional<uint64_t> Find(std::string_view key, Now now) const;
  void Set(std::string_view key, uint64_t member, int64_t ttl_ns, Now now);

 private:
  struct Session {
    uint64_t member;
    int64_t ends_ns;
  };
  Sessions(uint64_t seed, const state::Table<Session>& table) : seed_(seed), table_(table) {}

  const uint64_t seed_;
  const state::Table<Session> table_;
};

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_SESSIONS_H_
