// How the numbers of a series are read: as they stand, or as they have changed between two batches.

#ifndef WEIR_LIB_METRICS_READING_H_
#define WEIR_LIB_METRICS_READING_H_

#include <cstdint>

#include "metrics/arena.h"
#include "metrics/family.h"

namespace weir::metrics {

class Reading {
 public:
  virtual ~Reading() = default;
  // `words`: meter.point_words of them, of this point.
  virtual void Read(const Series& series, const Meter& meter, size_t point,
                    uint64_t* words) const = 0;
};

// What all processes have counted so far.
class LiveReading : public Reading {
 public:
  explicit LiveReading(const Arena& arena) : arena_(arena) {}
  void Read(const Series& series, const Meter& meter, size_t point, uint64_t* words) const override;

 private:
  const Arena& arena_;
};

// What lies between two snapshots, each with a series' words at its place.
class DeltaReading : public Reading {
 public:
  DeltaReading(const uint64_t* before, const uint64_t* after) : before_(before), after_(after) {}
  void Read(const Series& series, const Meter& meter, size_t point, uint64_t* words) const override;

 private:
  const uint64_t* before_;
  const uint64_t* after_;
};

// Has nothing been added? A gauge is, unless it is younger than what was read.
bool IsIdle(const Meter& meter, const uint64_t* words);
uint64_t CountOf(const Meter& meter, const uint64_t* words);  // of a histogram
// Null when there is none.
const uint64_t* ExemplarOf(const Meter& meter, const uint64_t* words);

}  // namespace weir::metrics

#endif  // WEIR_LIB_METRICS_READING_H_
