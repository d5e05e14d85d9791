#include "balance/cursors.h"

#include <string>

#include "base/text.h"

namespace weir::balance {
namespace {

// Where a new name goes: the free cursor, or else the one whose name was bound longest ago. Names
// of the present generation never give way, and there are cursors enough that another is found.
uint32_t ChooseCursor(const Cursors& cursors) {
  uint32_t oldest = 0;
  for (uint32_t i = 1; i < kCursors; ++i) {
    if (cursors.bound_in[i] < cursors.bound_in[oldest]) oldest = i;
  }
  return oldest;
}

}  // namespace

absl::StatusOr<Cursors*> OpenCursors(state::Segment* segment, std::string_view name) {
  // Region names are short; pool names are whatever the policy says.
  const Hash128 hash = SipHash(segment->seed(), "balance", name);
  const std::string_view bytes(reinterpret_cast<const char*>(&hash), sizeof(hash));
  auto region = segment->Region(Concat({"balance/", HexEncode(bytes)}), sizeof(Cursors));
  if (!region.ok()) return region.status();
  return static_cast<Cursors*>(*region);
}

std::vector<Place> BindCursors(Cursors* cursors, absl::Span<const Hash128> names) {
  std::vector<Place> places(names.size());
  const uint32_t generation = ++cursors->generation;
  // Known names first, so that no newcomer takes their place.
  for (size_t i = 0; i < names.size(); ++i) {
    places[i].fresh = true;
    for (uint32_t c = 0; c < kCursors; ++c) {
      if (cursors->bound_in[c] == 0 || !(cursors->names[c] == names[i])) continue;
      cursors->bound_in[c] = generation;
      places[i] = {c, false};
      break;
    }
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (!places[i].fresh) continue;
    const uint32_t c = ChooseCursor(*cursors);
    if (cursors->bound_in[c] != 0) ++cursors->evictions;
    cursors->names[c] = names[i];
    cursors->credits[c] = 0;
    cursors->bound_in[c] = generation;
    places[i].cursor = c;
  }
  return places;
}

}  // namespace weir::balance
