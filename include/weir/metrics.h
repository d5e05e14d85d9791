// weir/metrics.h: counters and histograms that no input can blow up.
//
// A Registry holds families (a name, help text, unit, label names); a family holds at most
// `max_series` label sets, and everything beyond lands in one series whose labels are all "other".
// Names are OpenTelemetry's (dots); Prometheus text writes them in its own spelling.
//
//   auto tokens = registry->AddHistogram({.name = "gen_ai.client.token.usage", .unit = "{token}",
//                                         .labels = {"team", "gen_ai.token.type"}}, kTokenBounds);
//   registry->Observe(tokens, {"red", "input"}, 120);
//   std::string text = registry->PrometheusText();
//
// Threads: any thread. Cost: one hash and one shared lock per update of a known series.

#ifndef WEIR_METRICS_H_
#define WEIR_METRICS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/base.h"

namespace weir::metrics {

inline constexpr int kMaxLabels = 16;
inline constexpr size_t kMaxLabelValueBytes = 256;  // longer values are cut at a character

struct Family {
  std::string name;  // "weir.limit.decisions"
  std::string help;
  std::string unit;                 // UCUM as OpenTelemetry writes it: "s", "{token}", "1", ""
  std::vector<std::string> labels;  // at most kMaxLabels
  uint32_t max_series = 2000;
};

using FamilyId = uint32_t;

class Registry {
 public:
  static std::unique_ptr<Registry> Create();
  virtual ~Registry() = default;

  // Adding a family that exists under the same name gives the same id if it is the same in kind,
  // labels and bounds, else ALREADY_EXISTS. Counters only go up; gauges are set.
  virtual absl::StatusOr<FamilyId> AddCounter(const Family& family) = 0;
  virtual absl::StatusOr<FamilyId> AddGauge(const Family& family) = 0;
  // `bounds`: upper bounds of the buckets, ascending; +Inf is implied. Observations are integers in
  // `scale`ths of the unit (scale 1e9: nanoseconds for "s"), so that sums stay exact.
  virtual absl::StatusOr<FamilyId> AddHistogram(const Family& family,
                                                absl::Span<const uint64_t> bounds,
                                                uint64_t scale) = 0;

  // One value per label, in the family's order; any bytes.
  virtual void Increment(FamilyId id, absl::Span<const std::string_view> labels, uint64_t by) = 0;
  virtual void Set(FamilyId id, absl::Span<const std::string_view> labels, int64_t value) = 0;
  virtual void Observe(FamilyId id, absl::Span<const std::string_view> labels, uint64_t value) = 0;

  // Prometheus text exposition format 0.0.4: families in order of registration, series sorted.
  virtual std::string PrometheusText() const = 0;
};

}  // namespace weir::metrics

#endif  // WEIR_METRICS_H_
