// Caches as people who look see them.

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/hash.h"
#include "base/text.h"
#include "cache/memory.h"

namespace weir::cache {
namespace {

std::string IdOf(const Partition& partition) {
  std::array<char, 16> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const uint64_t half = i < 8 ? Get(partition.hi) : Get(partition.lo);
    bytes[i] = static_cast<char>(half >> (56 - 8 * (i % 8)));
  }
  return HexEncode({bytes.data(), bytes.size()});
}

// Goes over the rows; what is no number of a partition (a file may be damaged) is passed over.
void LookAtRows(const Memory& memory, uint32_t top, Now now, CacheReport* report) {
  std::vector<uint64_t> bytes(memory.layout.partitions + 1);
  std::vector<uint32_t> entries(memory.layout.partitions + 1);
  for (uint32_t number = 1; number <= memory.layout.rows; ++number) {
    const Row& row = memory.rows[number];
    if (!IsLive(Get(row.sequence))) continue;
    if (Get(row.expires_ns) <= now.unix_ns) ++report->expired;
    const int64_t created_ns = Get(row.created_ns);
    if (created_ns >= 0 && created_ns < now.unix_ns) {
      report->oldest_age_ns = std::max(report->oldest_age_ns, now.unix_ns - created_ns);
    }
    const uint32_t partition = Get(memory.rests[number].partition);
    if (!memory.IsPartition(partition)) continue;
    ++entries[partition];
    bytes[partition] += Get(row.value_bytes);
  }
  std::vector<uint32_t> order;
  for (uint32_t i = 1; i <= memory.layout.partitions; ++i) {
    if (entries[i] != 0) order.push_back(i);
  }
  const size_t shown = std::min<size_t>(top, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(shown), order.end(),
                    [&](uint32_t a, uint32_t b) {
                      return entries[a] != entries[b] ? entries[a] > entries[b] : a < b;
                    });
  for (size_t i = 0; i < shown; ++i) {
    const uint32_t partition = order[i];
    report->top.push_back(
        {IdOf(memory.partitions[partition]), entries[partition], bytes[partition]});
  }
}

}  // namespace

Stats StatsOf(const Memory& memory) {
  const Header& header = *memory.header;
  const Counters& counters = header.counters;
  Stats stats;
  stats.exact_hits = Get(counters.exact_hits);
  stats.semantic_hits = Get(counters.semantic_hits);
  for (int i = 0; i < kMissReasons; ++i) stats.misses[i] = Get(counters.misses[i]);
  stats.inserts = Get(counters.inserts);
  stats.replaced = Get(counters.replaced);
  stats.evictions = Get(counters.evictions);
  stats.expirations = Get(counters.expirations);
  stats.removals = Get(counters.removals);
  stats.refused = Get(counters.refused);
  stats.repairs = Get(counters.repairs);
  for (int i = 0; i < kSimilarityBins; ++i) stats.similarities[i] = Get(counters.similarities[i]);
  stats.entries = Get(header.entries);
  stats.partitions = Get(header.partitions);
  stats.value_bytes = uint64_t{memory.layout.pieces} * kPieceBytes;
  stats.value_bytes_used = stats.value_bytes - uint64_t{Get(header.free_pieces)} * kPieceBytes;
  return stats;
}

std::vector<CacheReport> Inspect(const state::Segment& segment, uint32_t top, Now now) {
  std::vector<CacheReport> reports;
  for (const state::RegionInfo& region : segment.Regions()) {
    if (region.name.compare(0, kRegionPrefix.size(), kRegionPrefix) != 0) continue;
    CacheReport& report = reports.emplace_back();
    report.name = region.name.substr(kRegionPrefix.size());
    report.bytes = region.bytes;
    const auto found = segment.FindRegion(region.name, region.bytes);
    if (!found.ok() || region.bytes < sizeof(Header)) continue;
    char* const base = static_cast<char*>(*found);
    const auto layout = LayoutOf(*reinterpret_cast<const Header*>(base));
    if (!layout.ok() || layout->bytes != region.bytes) continue;
    const Memory memory = MemoryAt(base, *layout);
    report.is_readable = true;
    report.dimensions = layout->dimensions;
    report.max_entries = layout->rows;
    report.max_partitions = layout->partitions;
    report.stats = StatsOf(memory);
    LookAtRows(memory, top, now, &report);
  }
  return reports;
}

}  // namespace weir::cache
