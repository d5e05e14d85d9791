// What trials found of one entry, or of one partition: numbers in a word, in four bands of
// similarity.

#ifndef WEIR_LIB_LEARNING_TRIALS_H_
#define WEIR_LIB_LEARNING_TRIALS_H_

#include <cstdint>

namespace weir::learning {

inline constexpr int kBands = 4;

// A value type of 64 bits, to be kept in an atomic word.
class Trials {
 public:
  Trials() = default;
  explicit Trials(uint64_t word) : word_(word) {}
  uint64_t word() const { return word_; }

  unsigned of(int band) const { return Byte(2 * band); }
  unsigned wrong(int band) const { return Byte(2 * band + 1); }
  unsigned all() const;

  // One more. What lies long back counts for less: at kMostTrials both numbers are halved.
  void Add(int band, bool is_wrong);
  // Of all bands.
  void Halve();

  // The error to be expected in a band, when `prior` is what is expected without any trial. What
  // is tried further away tells too, since what is more similar is no worse, and so does what was
  // wrong although more similar.
  double Estimate(int band, double prior) const;

 private:
  static constexpr unsigned kMostTrials = 64;

  unsigned Byte(int i) const { return static_cast<unsigned>(word_ >> (8 * i) & 0xFF); }
  void Set(int band, unsigned trials, unsigned wrong);

  uint64_t word_ = 0;
};

// (wrong + kPriorTrials x prior) / (trials + kPriorTrials)
inline constexpr double kPriorTrials = 8;

}  // namespace weir::learning

#endif  // WEIR_LIB_LEARNING_TRIALS_H_
