// weir/metrics.h: counters, gauges and histograms that no input can blow up.
//
// A Registry holds families (a name, help text, unit, label names); a family holds at most
// `max_series` label sets, and everything beyond lands in one series whose labels are all "other",
// so a caller who invents model names costs memory once and never again. Values are integers, in
// `scale`ths of the unit where fractions matter: sums are exact and do not overflow.
//
//   auto duration = registry->AddHistogram({.name = "gen_ai.client.operation.duration",
//                                           .help = "Time of one operation.",
//                                           .unit = "s",
//                                           .labels = {"team", "gen_ai.request.model"}},
//                                          {10'000'000, 20'000'000, 40'000'000}, 1'000'000'000);
//   registry->Observe(*duration, {"red", "m-1"}, elapsed_ns);
//   std::string text = registry->PrometheusText();
//   // gen_ai_client_operation_duration_seconds_bucket{team="red",gen_ai_request_model="m-1",…
//
// Names are OpenTelemetry's; the text spells them as its specification says (specification/
// compatibility/prometheus_and_openmetrics.md, "OTLP Metric points to Prometheus"):
//   - a character that Prometheus does not allow becomes `_`, several in a row one; a leading digit
//     gets a `_` before it. "gen_ai.token.type" → gen_ai_token_type.
//   - the unit becomes a suffix unless the name already ends in it: "s" → _seconds, "By" → _bytes,
//     "By/s" → _bytes_per_second; what stands in braces is dropped ("{token}" → no suffix); "1" is
//     _ratio on gauges and nothing elsewhere; a unit without a full name is used as it is.
//   - a counter ends in _total, after the unit.
// Label values may be any bytes: what is not UTF-8 becomes U+FFFD (one a byte), values are cut to
// kMaxLabelValueBytes between characters, and `\`, `"` and line feeds are escaped in the text.
// Values that become the same by this are the same series.
//
// Threads: all functions, from any thread. An update of a known series takes no lock (one hash of
// the label values, a probe, one or two relaxed atomic additions) and allocates nothing; a new
// series takes the family's lock. A text made during updates holds each of them or not; within one
// histogram the buckets are cumulative and the last of them equals the count.

#ifndef WEIR_METRICS_H_
#define WEIR_METRICS_H_

#include <cstddef>
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
inline constexpr int kMaxFamilies = 1024;
inline constexpr int kMaxBounds = 256;
inline constexpr size_t kMaxLabelValueBytes = 256;  // longer values are cut at a character

struct Family {
  std::string name = {};  // "weir.limit.decisions"
  std::string help = {};
  std::string unit = {};                 // UCUM as OpenTelemetry writes it: "s", "{token}", "1", ""
  std::vector<std::string> labels = {};  // at most kMaxLabels
  uint32_t max_series = 2000;            // not counting the one of "other"
  // Counters and gauges: values are in `scale`ths of the unit, a power of ten of at most 10^18.
  // With scale 1'000'000 an increment of 1'500'000 shows as 1.5. Histograms get theirs as an
  // argument.
  uint64_t scale = 1;
};

using FamilyId = uint32_t;

class Registry {
 public:
  static std::unique_ptr<Registry> Create();
  virtual ~Registry() = default;

  // Adding a family that exists under the same name gives the same id if it is the same in kind,
  // unit, scale, labels and bounds, else ALREADY_EXISTS; its help stays, and its max_series becomes
  // the new one (series that are there stay). Counters only go up; gauges are set.
  //
  // INVALID_ARGUMENT, naming the two, when the name or a label would be spelled in the text as one
  // that exists ("a.b" and "a_b"; a histogram also takes its _bucket, _sum and _count; its label
  // must not be `le`), and for empty names, too many labels, or a scale that is no power of ten.
  // RESOURCE_EXHAUSTED beyond kMaxFamilies.
  virtual absl::StatusOr<FamilyId> AddCounter(const Family& family) = 0;
  virtual absl::StatusOr<FamilyId> AddGauge(const Family& family) = 0;
  // `bounds`: upper bounds of the buckets, inclusive, strictly ascending, at most kMaxBounds; +Inf
  // is implied. Bounds and observations are integers in `scale`ths of the unit (scale 1e9:
  // nanoseconds for "s"), so that sums stay exact; a power of ten of at most 10^18.
  virtual absl::StatusOr<FamilyId> AddHistogram(const Family& family,
                                                absl::Span<const uint64_t> bounds,
                                                uint64_t scale) = 0;

  // One value per label, in the family's order; any bytes. A call with an id of another kind, an
  // id that was never given, or another number of labels changes nothing. Of the gauges beyond
  // max_series, "other" shows the one set last.
  virtual void Increment(FamilyId id, absl::Span<const std::string_view> labels, uint64_t by) = 0;
  virtual void Set(FamilyId id, absl::Span<const std::string_view> labels, int64_t value) = 0;
  virtual void Observe(FamilyId id, absl::Span<const std::string_view> labels, uint64_t value) = 0;

  // Prometheus text exposition format 0.0.4 ("text/plain; version=0.0.4"): families in order of
  // registration, series sorted by their label values. A family without labels is there from the
  // start, at zero; one with labels when it has a series. Numbers are exact decimals.
  virtual std::string PrometheusText() const = 0;
};

}  // namespace weir::metrics

#endif  // WEIR_METRICS_H_
