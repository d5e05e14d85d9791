#include "state/table.h"

#include <string>

#include "absl/status/status.h"
#include "base/text.h"

namespace weir::state {
namespace {

constexpr uint32_t kMaxCapacity = uint32_t{1} << 26;

uint32_t SlotsFor(uint32_t capacity) {
  return capacity <= kProbeLimit ? capacity : capacity + capacity / 2;
}

// FAILED_PRECONDITION when `header` is of other slots.
absl::Status CheckSlotBytes(std::string_view name, const TableHeader& header, uint32_t slot_bytes) {
  if (header.slot_bytes == slot_bytes) return absl::OkStatus();
  return absl::FailedPreconditionError(
      Concat({"table ", name, " exists with slots of ", std::to_string(header.slot_bytes),
              " bytes, not ", std::to_string(slot_bytes)}));
}

}  // namespace

absl::StatusOr<TableMemory> OpenTable(Segment* segment, std::string_view name, uint32_t capacity,
                                      uint32_t slot_bytes) {
  if (capacity == 0 || capacity > kMaxCapacity) {
    return absl::InvalidArgumentError(
        Concat({"table ", name, ": capacity ", std::to_string(capacity), " is not in 1 to ",
                std::to_string(kMaxCapacity)}));
  }
  auto head = segment->Region(Concat({name, ".table"}), sizeof(TableHeader));
  if (!head.ok()) return head.status();
  TableMemory memory;
  memory.identity = &segment->identity();
  memory.header = static_cast<TableHeader*>(*head);
  const LockHolder lock(memory.header->open_lock, segment->identity());
  const bool made_before = memory.header->capacity != 0;
  if (made_before) {
    absl::Status status = CheckSlotBytes(name, *memory.header, slot_bytes);
    if (!status.ok()) return status;
  }
  const uint32_t slots = made_before ? memory.header->slots : SlotsFor(capacity);
  auto body = segment->Region(Concat({name, ".slots"}), size_t{slots} * slot_bytes);
  if (!body.ok()) return body.status();
  memory.slots = *body;
  // Read in whole words: regions are padded with zeroes to more than that.
  auto marks = segment->Region(Concat({name, ".marks"}), slots);
  if (!marks.ok()) return marks.status();
  memory.marks = static_cast<Marks*>(*marks);
  if (!made_before) {
    // Only now: a table that found no room can still be opened smaller.
    memory.header->slots = slots;
    memory.header->slot_bytes = slot_bytes;
    memory.header->capacity = capacity;
  }
  return memory;
}

absl::StatusOr<TableMemory> FindTable(Segment* segment, std::string_view name,
                                      uint32_t slot_bytes) {
  auto head = segment->FindRegion(Concat({name, ".table"}), sizeof(TableHeader));
  if (!head.ok()) return head.status();
  TableMemory memory;
  memory.identity = &segment->identity();
  memory.header = static_cast<TableHeader*>(*head);
  if (memory.header->capacity == 0) {
    return absl::NotFoundError(Concat({"table ", name, " is only half made"}));
  }
  absl::Status status = CheckSlotBytes(name, *memory.header, slot_bytes);
  if (!status.ok()) return status;
  auto body =
      segment->FindRegion(Concat({name, ".slots"}), size_t{memory.header->slots} * slot_bytes);
  if (!body.ok()) return body.status();
  memory.slots = *body;
  auto marks = segment->FindRegion(Concat({name, ".marks"}), memory.header->slots);
  if (!marks.ok()) return marks.status();
  memory.marks = static_cast<Marks*>(*marks);
  return memory;
}

}  // namespace weir::state
