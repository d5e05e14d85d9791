// weir/base.h: what every room stands on: the two clocks, and the version.
//
// weir reads no clock. A call that decides takes a `Now`, so the same inputs give the same verdict
// in a host, in a test and in a replay.
//
//   weir::Now now{.mono_ns = steady_ns(), .unix_ns = system_ns()};
//
// Threads: plain values. Cost: none.

#ifndef WEIR_BASE_H_
#define WEIR_BASE_H_

#include <cstdint>

namespace weir {

// The host's two clocks at one instant, in nanoseconds.
//
// mono_ns: any monotonic clock that all processes of one machine share (CLOCK_MONOTONIC); windows,
//   breakers and time limits use it. A step backward counts as no time passed.
// unix_ns: since 1970-01-01 UTC; calendar periods, HTTP dates and credential expiry use it.
struct Now {
  int64_t mono_ns = 0;
  int64_t unix_ns = 0;
};

inline constexpr int64_t kMicrosecond = 1000;
inline constexpr int64_t kMillisecond = 1000 * kMicrosecond;
inline constexpr int64_t kSecond = 1000 * kMillisecond;
inline constexpr int64_t kMinute = 60 * kSecond;
inline constexpr int64_t kHour = 60 * kMinute;
inline constexpr int64_t kDay = 24 * kHour;

// The release, e.g. "0.1.0".
const char* Version();

}  // namespace weir

#endif  // WEIR_BASE_H_
