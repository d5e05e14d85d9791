// How far deltas have been told: two snapshots of all numbers in the segment, of which one was told
// and the other is being told.
//
// A snapshot is written aside and becomes the one under way by one store; another store, once the
// receiver has it, makes it the one that was told. Whoever dies in between leaves either the batch
// as it was or none, so the next process tells the same, or more, but nothing twice.

#ifndef WEIR_LIB_METRICS_CURSOR_H_
#define WEIR_LIB_METRICS_CURSOR_H_

#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "metrics/export.h"
#include "metrics/family.h"
#include "weir/state.h"

namespace weir::metrics {

struct CursorHeader;

class Cursor {
 public:
  static absl::StatusOr<Cursor> Open(state::Segment* segment, std::string_view name,
                                     const Arena& arena);

  // The batch under way, or a new one; `write` makes its bytes of the deltas. What comes of it
  // empty is not under way.
  Batch Tell(absl::Span<Entry* const> entries, const Arena& arena, int64_t unix_ns,
             absl::FunctionRef<std::string(const Reading&, const Interval&)> write) const;
  // False when that batch is not under way.
  bool Acknowledge(uint64_t number) const;

 private:
  Cursor(CursorHeader* header, size_t words, const state::Identity* identity);
  void TakeSnapshot(absl::Span<Entry* const> entries, const Arena& arena, const uint64_t* told,
                    uint64_t* taken) const;

  CursorHeader* header_;
  uint64_t* sides_[2];
  const state::Identity* identity_;
};

}  // namespace weir::metrics

#endif  // WEIR_LIB_METRICS_CURSOR_H_
