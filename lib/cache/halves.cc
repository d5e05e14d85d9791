#include "cache/halves.h"

#include <algorithm>

#include "cache/kernels.h"

namespace weir::cache {
namespace {

using Sum = std::array<int32_t, kBearings>;

// Rounds over a part of the bearings, which finds the means well enough; all are gone over once
// more.
constexpr uint32_t kRounds = 4;
constexpr size_t kSample = 256;

void AddTo(Sum* sum, const Bearing& bearing) {
  for (uint32_t i = 0; i < kBearings; ++i) (*sum)[i] += bearing.at[i];
}

Code CodeOfOne(const Bearing& bearing) {
  Sum sum = {};
  AddTo(&sum, bearing);
  return CodeOf(sum);
}

int32_t Score(const Bearing& bearing, const Code& code) {
  return BestKernels().dot(bearing.at, code.at, kBearings);
}

size_t FarthestFrom(const Code& code, const std::vector<Bearing>& bearings, size_t step) {
  size_t farthest = 0;
  int32_t lowest = INT32_MAX;
  for (size_t i = 0; i < bearings.size(); i += step) {
    const int32_t score = Score(bearings[i], code);
    if (score >= lowest) continue;
    lowest = score;
    farthest = i;
  }
  return farthest;
}

// Who is on which side, of every step-th; and then the sides' means.
void Lloyd(const std::vector<Bearing>& bearings, size_t step, Halves* halves) {
  std::array<Sum, 2> sums = {};
  halves->counts = {};
  for (size_t i = 0; i < bearings.size(); i += step) {
    const bool second = Score(bearings[i], halves->codes[1]) > Score(bearings[i], halves->codes[0]);
    halves->sides[i] = second ? 1 : 0;
    ++halves->counts[halves->sides[i]];
    AddTo(&sums[halves->sides[i]], bearings[i]);
  }
  for (int side = 0; side < 2; ++side) {
    if (halves->counts[side] != 0) halves->codes[side] = CodeOf(sums[side]);
  }
}

}  // namespace

Halves Halve(const std::vector<Bearing>& bearings) {
  Halves halves;
  halves.sides.resize(bearings.size());
  if (bearings.empty()) return halves;
  const size_t step = std::max<size_t>(1, bearings.size() / kSample);
  const size_t far = FarthestFrom(CodeOfOne(bearings[0]), bearings, step);
  halves.codes[0] = CodeOfOne(bearings[far]);
  halves.codes[1] = CodeOfOne(bearings[FarthestFrom(halves.codes[0], bearings, step)]);
  for (uint32_t round = 0; round < kRounds; ++round) Lloyd(bearings, step, &halves);
  Lloyd(bearings, 1, &halves);
  return halves;
}

}  // namespace weir::cache
