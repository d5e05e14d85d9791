// The directory of rules in the segment: which names it has seen, and what shape their counters
// have. It tells a reload that a rule's counters start anew, and a tool what the counters mean.
//
// There is room for kMaxRecords names in the life of a segment. Rules beyond work like all others;
// only tools do not know their names.

#ifndef WEIR_LIB_LIMITS_DIRECTORY_H_
#define WEIR_LIB_LIMITS_DIRECTORY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "state/table.h"
#include "weir/limits.h"

namespace weir::limits {

class Directory {
 public:
  static constexpr uint32_t kMaxRecords = 256;

  static absl::StatusOr<Directory> Open(state::Segment* segment);
  // NOT_FOUND: there is none.
  static absl::StatusOr<Directory> OpenExisting(state::Segment* segment);

  struct Entry {
    uint32_t record = 0;    // 0 when there is no room
    bool reshaped = false;  // the name was there with another shape
  };
  // Finds or makes the rule's record and brings it up to date.
  Entry Note(const Rule& rule) const;

  // The rule as it was last noted; nullopt for a record that does not exist.
  std::optional<Rule> Read(uint32_t record) const;

 private:
  struct Record {
    uint64_t shape;  // hash of ShapeOf
    uint64_t amount, burst;
    int64_t window_ns, lease_ns, anchor_ns;
    uint8_t algorithm, period, week_start, anchored, share;
    uint8_t name_bytes, zone_bytes, unused;
    char name[128];
    char zone[64];
  };
  explicit Directory(const state::Table<Record>& table, uint64_t seed)
      : table_(table), seed_(seed) {}

  state::Table<Record> table_;
  uint64_t seed_;
};

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_DIRECTORY_H_
