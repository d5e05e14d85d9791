#include "engine/flights.h"

#include <algorithm>

#include "base/saturating.h"

namespace weir::engine {
namespace {

constexpr uint32_t kMaxFlights = 8192;

}  // namespace

absl::StatusOr<std::unique_ptr<Flights>> Flights::Create(state::Segment* segment) {
  auto table = Table::Open(segment, "flights", kMaxFlights);
  if (!table.ok()) return table.status();
  return std::unique_ptr<Flights>(new Flights(*table));
}

std::optional<Flights::Lead> Flights::Board(Hash128 key, int64_t longest_ns, Now now) {
  // A flight that ends later than it may last was begun before the machine was: its clock is gone.
  const auto is_over = [&](const Flight& flight) {
    return flight.until_mono_ns <= now.mono_ns ||
           flight.until_mono_ns - now.mono_ns > flight.longest_ns;
  };
  const Lead alone = {key, 0};
  const std::optional<uint32_t> slot = table_.FindOrClaim(key, is_over);
  if (!slot || !table_.Lock(*slot, key)) return alone;
  Flight& flight = table_.at(*slot);
  std::optional<Lead> lead;
  if (is_over(flight)) {
    const int64_t before = flight.until_mono_ns;
    flight.longest_ns = SaturatingAdd(longest_ns, int64_t{1});
    flight.until_mono_ns = SaturatingAdd(now.mono_ns, longest_ns);
    if (flight.until_mono_ns == before) ++flight.until_mono_ns;
    lead = Lead{key, flight.until_mono_ns};
  }
  table_.Unlock(*slot);
  return lead;
}

void Flights::Land(const Lead& lead) {
  if (lead.until_mono_ns == 0) return;
  const std::optional<uint32_t> slot = table_.Find(lead.key);
  if (!slot || !table_.Lock(*slot, lead.key)) return;
  Flight& flight = table_.at(*slot);
  if (flight.until_mono_ns == lead.until_mono_ns) flight.until_mono_ns = 0;
  table_.Unlock(*slot);
}

}  // namespace weir::engine
