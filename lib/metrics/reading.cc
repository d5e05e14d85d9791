#include "metrics/reading.h"

#include <algorithm>

namespace weir::metrics {

void LiveReading::Read(const Series& series, const Meter& meter, size_t point,
                       uint64_t* words) const {
  std::fill_n(words, meter.point_words, 0);
  const size_t first = meter.first_word + point * meter.point_words;
  const size_t sum_word = meter.sum_word();
  if (meter.spec.kind == Kind::kGauge) {
    words[0] = arena_.CellsOf(series, 0)[first].load(std::memory_order_relaxed);
    words[1] = 1;  // read
    return;
  }
  uint128 sum = 0;
  for (uint32_t shard = 0; shard < kShards; ++shard) {
    const Word* cells = arena_.CellsOf(series, shard);
    if (cells == nullptr) continue;
    cells += first;
    for (size_t i = 0; i < sum_word; ++i) words[i] += cells[i].load(std::memory_order_relaxed);
    sum += ReadSum(cells + sum_word);
    if (meter.spec.exemplars) {
      ReadExemplar(cells + sum_word + kSumWords, words + sum_word + kSumWords);
    }
  }
  PutSum(sum, words + sum_word);
}

void DeltaReading::Read(const Series& series, const Meter& meter, size_t point,
                        uint64_t* words) const {
  const size_t place = Arena::PlaceOf(series) + meter.first_word + point * meter.point_words;
  const uint64_t* before = before_ + place;
  const uint64_t* after = after_ + place;
  std::copy_n(after, meter.point_words, words);
  if (meter.spec.kind == Kind::kGauge) return;
  const size_t sum_word = meter.sum_word();
  for (size_t i = 0; i < sum_word; ++i) words[i] -= before[i];
  PutSum(SumOf(after + sum_word) - SumOf(before + sum_word), words + sum_word);
  const size_t exemplar = sum_word + kSumWords;
  if (meter.spec.exemplars &&
      std::equal(before + exemplar, before + exemplar + kExemplarWords, after + exemplar)) {
    std::fill_n(words + exemplar, kExemplarWords, 0);
  }
}

bool IsIdle(const Meter& meter, const uint64_t* words) {
  switch (meter.spec.kind) {
    case Kind::kGauge:
      return words[1] == 0;
    case Kind::kCounter:
      return words[0] == 0 && words[1] == 0;
    case Kind::kHistogram:
      break;
  }
  return CountOf(meter, words) == 0;
}

uint64_t CountOf(const Meter& meter, const uint64_t* words) {
  uint64_t count = 0;
  for (size_t i = 0; i < meter.sum_word(); ++i) count += words[i];
  return count;
}

const uint64_t* ExemplarOf(const Meter& meter, const uint64_t* words) {
  if (!meter.spec.exemplars) return nullptr;
  const uint64_t* exemplar = words + meter.sum_word() + kSumWords;
  return exemplar[kExemplarWords - 1] == 0 ? nullptr : exemplar;
}

}  // namespace weir::metrics
