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
// Instruments that are always told together, of one exchange, make a Group: its label set is looked
// up once, and the Handle that comes of it takes all of their values.
//
//   const Handle red = registry->Find(*group, {"red", "m-1"});
//   registry->Observe(red, kUsage, kInput, 1200);
//   registry->Increment(red, kCost, 0, 4711);
//
// Where the numbers live: in a segment (weir/state.h), private or a file. All processes that map
// one file and add the same families count in the same series: what any of them shows is the truth
// of all, and what was counted stays when a process is killed, at whatever instruction. Families
// that differ in anything but help and max_series are others, and do not mix; what is left behind
// by a family that nobody adds any more keeps its room until the file is removed.
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
// Threads: all functions, from any thread and any process. An update of a known series takes no
// lock (one hash of the label values, a probe, one or two relaxed atomic additions) and allocates
// nothing; threads spread over up to 8 copies of a series' numbers, made when a thread first comes
// to it, which are added up by whoever reads. A new series takes one lock of the segment. A text
// made during updates holds each of them or not; within one histogram the buckets are cumulative
// and the last of them equals the count.
//
// Limits: memory is what the registry was made with (kDefaultBytes), however many families, series
// and processes: when it is used up, new label sets go to "other", as beyond max_series. A group of
// weir's own instruments takes about 2.5 KiB for each label set.

#ifndef WEIR_METRICS_H_
#define WEIR_METRICS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/base.h"
#include "weir/state.h"

namespace weir::metrics {

inline constexpr int kMaxLabels = 24;
inline constexpr int kMaxFamilies = 1024;
inline constexpr int kMaxBounds = 256;
inline constexpr size_t kMaxLabelValueBytes = 256;  // longer values are cut at a character
inline constexpr size_t kDefaultBytes = size_t{8} << 20;
inline constexpr size_t kMinBytes = size_t{16} << 10;

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

enum class Kind : uint8_t { kCounter, kGauge, kHistogram };

// One of a group: a counter or a histogram. It may have labels beside the group's, whose values are
// known beforehand: each of `points` is one value per label of its own. Without own labels it has
// one point, number 0.
struct Instrument {
  Kind kind = Kind::kCounter;
  std::string name = {};
  std::string help = {};
  std::string unit = {};
  uint64_t scale = 1;
  std::vector<uint64_t> bounds = {};  // of a histogram
  std::vector<std::string> labels = {};
  std::vector<std::vector<std::string>> points = {};
  bool exemplars = false;  // a histogram keeps the last observation that had one, for each point
};

// Instruments that share their label sets. A point that nothing was added to is not shown.
struct Group {
  std::string name = {};  // of its own, shown nowhere
  std::vector<std::string> labels = {};
  std::vector<Instrument> instruments = {};
  uint32_t max_series = 2000;
};

// One label set of a group, for the thread that asked for it. Valid as long as its registry.
struct Handle {
  void* cells = nullptr;
  const void* group = nullptr;
};

// Which trace an observation belongs to.
struct Exemplar {
  uint64_t trace_high = 0, trace_low = 0, span = 0;
  int64_t unix_ns = 0;
};

// What a W3C `traceparent` header says (Trace Context, level 1).
struct TraceContext {
  uint64_t trace_high = 0, trace_low = 0;
  uint64_t span = 0;     // the caller's
  bool sampled = false;  // the caller records the trace
};
std::optional<TraceContext> ParseTraceparent(std::string_view header);  // nullopt: malformed

enum class TextFormat : uint8_t { kPrometheus, kOpenMetrics };
// What a scraper that sends this Accept header is to get (RFC 9110, section 12.5.1): OpenMetrics
// if it names application/openmetrics-text with version 1.0.0, 0.0.1 or none, and likes it at least
// as much as text/plain; Prometheus text otherwise, also where there is no header.
TextFormat NegotiateText(std::string_view accept);
std::string_view ContentType(TextFormat format);

// What is sent instead of being asked for.
enum class ExportFormat : uint8_t {
  kOtlpCumulative = 1,  // OTLP/HTTP JSON, ExportMetricsServiceRequest: all since the beginning
  kOtlpDelta = 2,       // the same, what came since the last batch that was acknowledged
  kTrack = 3,           // Application Insights, newline-delimited envelopes: deltas
};

// What a batch says beside the numbers.
struct ExportOptions {
  std::vector<std::pair<std::string, std::string>> resource = {};  // attributes: service.name, …
  std::string instrumentation_key = {};                            // kTrack: iKey
  std::string metric_namespace = "API Management";                 // kTrack
  // kTrack: what a label is called as a dimension; others keep their names. ("backend",
  // "Backend ID")
  std::vector<std::pair<std::string, std::string>> dimensions = {};
};

struct Batch {
  uint64_t number = 0;  // 0: nothing to acknowledge
  std::string bytes;    // empty: nothing to send
};

class Registry {
 public:
  // In memory of this process.
  static std::unique_ptr<Registry> Create(size_t bytes = kDefaultBytes);
  // In the segment, which outlives it. The first to come decides on the bytes: as many as it asks
  // for, else the half, and so on. RESOURCE_EXHAUSTED: not even kMinBytes are left.
  static absl::StatusOr<std::unique_ptr<Registry>> Open(state::Segment* segment,
                                                        size_t bytes = kDefaultBytes);
  virtual ~Registry() = default;

  // Adding a family that exists under the same name gives the same id if it is the same in kind,
  // unit, scale, labels and bounds, else ALREADY_EXISTS; its help stays, and its max_series becomes
  // the new one (series that are there stay). Counters only go up; gauges are set.
  //
  // INVALID_ARGUMENT, naming the two, when the name or a label would be spelled in the text as one
  // that exists ("a.b" and "a_b"; a histogram also takes its _bucket, _sum and _count; its label
  // must not be `le`), and for empty names, too many labels, or a scale that is no power of ten.
  // RESOURCE_EXHAUSTED beyond kMaxFamilies, and when there is no room for the series of "other".
  virtual absl::StatusOr<FamilyId> AddCounter(const Family& family) = 0;
  virtual absl::StatusOr<FamilyId> AddGauge(const Family& family) = 0;
  // `bounds`: upper bounds of the buckets, inclusive, strictly ascending, at most kMaxBounds; +Inf
  // is implied. Bounds and observations are integers in `scale`ths of the unit (scale 1e9:
  // nanoseconds for "s"), so that sums stay exact; a power of ten of at most 10^18.
  virtual absl::StatusOr<FamilyId> AddHistogram(const Family& family,
                                                absl::Span<const uint64_t> bounds,
                                                uint64_t scale) = 0;

  // The same for a group, by its name; groups and families have one sequence of ids.
  virtual absl::StatusOr<FamilyId> AddGroup(const Group& group) = 0;

  // One value per label, in the family's order; any bytes. A call with an id of another kind, an
  // id that was never given, or another number of labels changes nothing. Of the gauges beyond
  // max_series, "other" shows the one set last.
  virtual void Increment(FamilyId id, absl::Span<const std::string_view> labels, uint64_t by) = 0;
  virtual void Set(FamilyId id, absl::Span<const std::string_view> labels, int64_t value) = 0;
  virtual void Observe(FamilyId id, absl::Span<const std::string_view> labels, uint64_t value) = 0;

  // The label set of a group. What is done with a handle of a call that did not fit does nothing,
  // as does what names an instrument or a point that the group does not have.
  virtual Handle Find(FamilyId group, absl::Span<const std::string_view> labels) = 0;
  virtual void Increment(Handle handle, uint32_t instrument, uint32_t point, uint64_t by) = 0;
  virtual void Observe(Handle handle, uint32_t instrument, uint32_t point, uint64_t value,
                       const Exemplar* exemplar) = 0;

  // When counting began: the first time that anybody told. Exports say it.
  virtual void NoteTime(int64_t unix_ns) = 0;

  // Prometheus text exposition format 0.0.4, or OpenMetrics 1.0.0 (with the exemplars): families in
  // order of registration, series sorted by their label values. A family without labels is there
  // from the start, at zero; one with labels when it has a series. Numbers are exact decimals.
  virtual std::string Text(TextFormat format) const = 0;
  std::string PrometheusText() const { return Text(TextFormat::kPrometheus); }

  // A batch to send. Of deltas, the same bytes come again, whatever was counted since and whichever
  // process asks, until Acknowledge says that they arrived: the receiver can tell a batch that came
  // twice by its times, and no count is lost or told twice, even by a process that is killed.
  // The place where that is remembered, named after the format, takes twice the registry's bytes of
  // the segment at first use; RESOURCE_EXHAUSTED when there is no such room.
  virtual absl::StatusOr<Batch> Export(ExportFormat format, const ExportOptions& options,
                                       Now now) = 0;
  // FAILED_PRECONDITION: no batch of that number is under way (perhaps acknowledged already).
  virtual absl::Status Acknowledge(ExportFormat format, uint64_t number) = 0;
};

}  // namespace weir::metrics

#endif  // WEIR_METRICS_H_
