// Label values: as a series holds them, and their hash, the same in every process.

#ifndef WEIR_LIB_METRICS_LABELS_H_
#define WEIR_LIB_METRICS_LABELS_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/types/span.h"
#include "base/saturating.h"
#include "weir/metrics.h"

namespace weir::metrics {

using LabelValues = absl::Span<const std::string_view>;

// Values as a series holds them, without allocating: UTF-8, cut between characters.
class CleanLabels {
 public:
  explicit CleanLabels(LabelValues labels);
  LabelValues values() const { return {values_.data(), count_}; }

 private:
  size_t count_;
  std::array<std::string_view, kMaxLabels> values_;
  std::array<char, kMaxLabels * kMaxLabelValueBytes> bytes_;
};

inline uint64_t MixWords(uint64_t a, uint64_t b) {
  const uint128 product = static_cast<uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t LoadWord(const char* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// Keyed multiplication: who does not know the seed cannot make values collide at will, and who
// does gains longer probes. The words of one value do not wait for those of the one before.
inline uint64_t HashLabels(uint64_t seed, LabelValues labels) {
  constexpr uint64_t kFirst = 0x2545F4914F6CDD1D, kSecond = 0x9FB21C651E98DF25;
  uint64_t hash = seed ^ labels.size();
  for (const std::string_view label : labels) {
    const char* at = label.data();
    size_t left = label.size();
    uint64_t mixed = seed ^ kSecond;
    for (; left > 16; left -= 16, at += 16) {
      mixed = MixWords(mixed ^ LoadWord(at), kFirst ^ LoadWord(at + 8));
    }
    uint64_t low = 0, high = 0;
    if (left >= 8) {
      low = LoadWord(at);
      high = LoadWord(at + left - 8);
    } else {
      char rest[8] = {};
      for (size_t i = 0; i < left; ++i) rest[i] = at[i];
      low = LoadWord(rest);
    }
    mixed = MixWords(mixed ^ low, kFirst ^ high ^ (label.size() << 48));
    hash = MixWords(hash ^ mixed, kSecond);
  }
  return hash;
}

}  // namespace weir::metrics

#endif  // WEIR_LIB_METRICS_LABELS_H_
