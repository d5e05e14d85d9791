#include "limits/directory.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/hash.h"
#include "limits/counter.h"

namespace weir::limits {
namespace {

constexpr char kDirectoryName[] = "limits.rules";

}  // namespace

absl::StatusOr<Directory> Directory::Open(state::Segment* segment) {
  auto table = state::Table<Record>::Open(segment, kDirectoryName, kMaxRecords);
  if (!table.ok()) return table.status();
  return Directory(*table, segment->seed());
}

absl::StatusOr<Directory> Directory::OpenExisting(state::Segment* segment) {
  auto table = state::Table<Record>::OpenExisting(segment, kDirectoryName);
  if (!table.ok()) return table.status();
  return Directory(*table, segment->seed());
}

Directory::Entry Directory::Note(const Rule& rule) const {
  const Hash128 key = SipHash(seed_, "rule", rule.name);
  const auto slot = table_.FindOrClaim(key, [](const Record&) { return false; });
  if (!slot || !table_.Lock(*slot, key)) return {};
  Record& record = table_.at(*slot);
  const uint64_t shape = SipHash(seed_, ShapeOf(rule)).lo;
  const Entry entry = {*slot + 1, record.name_bytes != 0 && record.shape != shape};
  record.shape = shape;
  record.amount = rule.amount;
  record.burst = rule.burst;
  record.window_ns = rule.window_ns;
  record.lease_ns = rule.lease_ns;
  record.anchor_ns = rule.anchor_unix_ns.value_or(0);
  record.algorithm = static_cast<uint8_t>(rule.algorithm);
  record.period = static_cast<uint8_t>(rule.period);
  record.week_start = static_cast<uint8_t>(rule.week_start);
  record.anchored = rule.anchor_unix_ns.has_value() ? 1 : 0;
  record.share = rule.share ? 1 : 0;
  std::memcpy(record.name, rule.name.data(), rule.name.size());
  const size_t zone_bytes =
      rule.time_zone.size() <= sizeof(record.zone) ? rule.time_zone.size() : 0;
  std::memcpy(record.zone, rule.time_zone.data(), zone_bytes);
  record.zone_bytes = static_cast<uint8_t>(zone_bytes);
  record.name_bytes = static_cast<uint8_t>(rule.name.size());
  table_.Unlock(*slot);
  return entry;
}

std::optional<Rule> Directory::Read(uint32_t record_number) const {
  if (record_number == 0 || record_number > table_.slots()) return std::nullopt;
  // What is read here may be half-written or of another hand: everything is held within bounds.
  const Record& record = table_.at(record_number - 1);
  if (record.name_bytes == 0 || record.name_bytes > sizeof(record.name) ||
      record.zone_bytes > sizeof(record.zone)) {
    return std::nullopt;
  }
  Rule rule;
  rule.name = std::string(record.name, record.name_bytes);
  rule.algorithm = static_cast<Algorithm>(record.algorithm);
  rule.amount = record.amount;
  rule.window_ns = record.window_ns;
  rule.burst = record.burst;
  rule.period = static_cast<Period>(record.period);
  rule.time_zone = std::string(record.zone, record.zone_bytes);
  rule.week_start = record.week_start;
  if (record.anchored != 0) rule.anchor_unix_ns = record.anchor_ns;
  rule.lease_ns = record.lease_ns;
  rule.share = record.share != 0;
  return rule;
}

}  // namespace weir::limits
