// The words that a series counts in, and how they are read while others write them.
//
// Everything is one relaxed atomic operation on one word, or a few of which each leaves the numbers
// sound: a process may die between any two of them. A sum has two words, the second of which takes
// what the first carries over: between the two, once in 2^64 of its units, a reader sees too little
// for a moment.

#ifndef WEIR_LIB_METRICS_WORDS_H_
#define WEIR_LIB_METRICS_WORDS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/base/optimization.h"
#include "base/saturating.h"
#include "weir/metrics.h"

namespace weir::metrics {

using Word = std::atomic<uint64_t>;
static_assert(Word::is_always_lock_free && sizeof(Word) == sizeof(uint64_t));

inline constexpr size_t kSumWords = 2;       // low, high
inline constexpr size_t kExemplarWords = 6;  // trace high, low, span, value, time, check

inline void AddToSum(Word* words, uint64_t by) {
  const uint64_t before = words[0].fetch_add(by, std::memory_order_relaxed);
  if (ABSL_PREDICT_FALSE(before + by < before)) words[1].fetch_add(1, std::memory_order_relaxed);
}

inline uint128 ReadSum(const Word* words) {
  uint64_t high = words[1].load(std::memory_order_acquire);
  for (int tries = 0; tries < 4; ++tries) {
    const uint64_t low = words[0].load(std::memory_order_acquire);
    const uint64_t again = words[1].load(std::memory_order_acquire);
    if (again == high) return static_cast<uint128>(high) << 64 | low;
    high = again;
  }
  return static_cast<uint128>(high) << 64 | words[0].load(std::memory_order_relaxed);
}

inline uint128 SumOf(const uint64_t* words) {
  return static_cast<uint128>(words[1]) << 64 | words[0];
}
inline void PutSum(uint128 sum, uint64_t* words) {
  words[0] = static_cast<uint64_t>(sum);
  words[1] = static_cast<uint64_t>(sum >> 64);
}

// What the words of an exemplar that nobody was writing meanwhile agree in; never 0.
constexpr uint64_t ExemplarCheck(const uint64_t* words) {
  uint64_t check = 0x9E3779B97F4A7C15;
  for (size_t i = 0; i + 1 < kExemplarWords; ++i) {
    check = (check ^ words[i]) * 0xD6E8FEB86659FD93;
    check ^= check >> 32;
  }
  return check == 0 ? 1 : check;
}

inline void WriteExemplar(const Exemplar& exemplar, uint64_t value, Word* words) {
  uint64_t all[kExemplarWords] = {exemplar.trace_high,
                                  exemplar.trace_low,
                                  exemplar.span,
                                  value,
                                  static_cast<uint64_t>(exemplar.unix_ns),
                                  0};
  all[kExemplarWords - 1] = ExemplarCheck(all);
  for (size_t i = 0; i < kExemplarWords; ++i) words[i].store(all[i], std::memory_order_relaxed);
}

// Copies it if there is one and it is newer than what `out` holds.
inline void ReadExemplar(const Word* words, uint64_t* out) {
  uint64_t all[kExemplarWords];
  for (size_t i = 0; i < kExemplarWords; ++i) all[i] = words[i].load(std::memory_order_relaxed);
  if (all[kExemplarWords - 1] == 0 || all[kExemplarWords - 1] != ExemplarCheck(all)) return;
  if (out[kExemplarWords - 1] != 0 && out[4] >= all[4]) return;
  for (size_t i = 0; i < kExemplarWords; ++i) out[i] = all[i];
}

}  // namespace weir::metrics

#endif  // WEIR_LIB_METRICS_WORDS_H_
