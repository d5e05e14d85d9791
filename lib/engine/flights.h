// Requests on their way to a backend whose answer others wait for.
//
// Of requests with the same key the first one leads and the others follow: they wait until it has
// landed, and then look whether its answer is there. A leader that dies, or takes longer than its
// followers would wait, holds up nobody: its flight is over by itself then. In the segment, so that
// the processes of a machine follow each other's.

#ifndef WEIR_LIB_ENGINE_FLIGHTS_H_
#define WEIR_LIB_ENGINE_FLIGHTS_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "base/hash.h"
#include "state/table.h"
#include "weir/base.h"
#include "weir/state.h"

namespace weir::engine {

class Flights {
 public:
  static absl::StatusOr<std::unique_ptr<Flights>> Create(state::Segment* segment);

  // Somebody's right to lead; given back by Land, or lost when its time is over.
  struct Lead {
    Hash128 key;
    int64_t until_mono_ns = 0;
  };

  // The right, or nothing when somebody has it. Whoever finds no room leads as well.
  std::optional<Lead> Board(Hash128 key, int64_t longest_ns, Now now);
  void Land(const Lead& lead);

 private:
  // Whose flight it is is told by when it ends: no two of one key end at the same nanosecond.
  struct Flight {
    int64_t until_mono_ns;
    int64_t longest_ns;
  };
  using Table = state::Table<Flight>;
  explicit Flights(Table table) : table_(table) {}

  const Table table_;
};

}  // namespace weir::engine

#endif  // WEIR_LIB_ENGINE_FLIGHTS_H_
