#include "learning/trials.h"

#include <algorithm>

namespace weir::learning {

void Trials::Set(int band, unsigned trials, unsigned wrong) {
  const int shift = 16 * band;
  word_ &= ~(uint64_t{0xFFFF} << shift);
  word_ |= (uint64_t{trials} | uint64_t{wrong} << 8) << shift;
}

unsigned Trials::all() const {
  unsigned sum = 0;
  for (int band = 0; band < kBands; ++band) sum += of(band);
  return sum;
}

void Trials::Add(int band, bool is_wrong) {
  unsigned trials = of(band), wrongs = wrong(band);
  if (trials >= kMostTrials) {
    trials /= 2;
    wrongs = (wrongs + 1) / 2;
  }
  Set(band, trials + 1, wrongs + (is_wrong ? 1 : 0));
}

void Trials::Halve() {
  for (int band = 0; band < kBands; ++band) Set(band, of(band) / 2, wrong(band) / 2);
}

double Trials::Estimate(int band, double prior) const {
  unsigned nearer = 0, further = 0, further_wrong = 0;
  for (int i = 0; i < kBands; ++i) {
    if (i > band) nearer += wrong(i);
    if (i < band) {
      further += of(i);
      further_wrong += wrong(i);
    }
  }
  const auto shrunk = [&](unsigned trials, unsigned wrongs) {
    return (wrongs + kPriorTrials * prior) / (trials + kPriorTrials);
  };
  const unsigned own = of(band) + nearer, own_wrong = wrong(band) + nearer;
  return std::min(shrunk(own, own_wrong), shrunk(own + further, own_wrong + further_wrong));
}

}  // namespace weir::learning
