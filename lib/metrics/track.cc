// Application Insights' `track` endpoint: envelopes of MetricData, one line each
// (application/x-json-stream), as its SDKs send them.

#include <algorithm>

#include "absl/time/time.h"
#include "base/json.h"
#include "metrics/export.h"

namespace weir::metrics {
namespace {

constexpr std::string_view kTokenUsage = "gen_ai.client.token.usage";

std::string_view DimensionName(const ExportOptions& options, const std::string& label) {
  for (const auto& [from, to] : options.dimensions) {
    if (from == label) return to;
  }
  return label;
}

struct Amount {
  uint64_t count = 0;
  uint128 sum = 0;
};

class Envelopes {
 public:
  Envelopes(const ExportOptions& options, const Interval& interval, std::string* out)
      : options_(options),
        time_(absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromUnixNanos(interval.end_unix_ns),
                               absl::UTCTimeZone())),
        out_(out) {}

  void Write(std::string_view name, const Amount& amount, const Entry& entry,
             const Series& series) {
    json::Writer writer(out_);
    writer.BeginObject().Key("name").String("Microsoft.ApplicationInsights.Metric");
    writer.Key("time").String(time_).Key("iKey").String(options_.instrumentation_key);
    writer.Key("data").BeginObject().Key("baseType").String("MetricData");
    writer.Key("baseData").BeginObject().Key("ver").Uint(2);
    writer.Key("metrics").BeginArray().BeginObject().Key("name").String(name);
    writer.Key("ns").String(options_.metric_namespace).Key("kind").Uint(1);  // an aggregation
    constexpr uint128 kMost = ~uint64_t{0};
    writer.Key("value").Uint(static_cast<uint64_t>(std::min(amount.sum, kMost)));
    writer.Key("count").Uint(amount.count).EndObject().EndArray();
    writer.Key("properties").BeginObject();
    for (size_t i = 0; i < entry.label_names().size(); ++i) {
      if (series.label(i).empty()) continue;
      writer.Key(DimensionName(options_, entry.label_names()[i])).String(series.label(i));
    }
    writer.EndObject().EndObject().EndObject().EndObject();
    out_->push_back('\n');
  }

 private:
  const ExportOptions& options_;
  const std::string time_;
  std::string* out_;
};

}  // namespace

std::string WriteTrack(absl::Span<Entry* const> entries, const Arena& arena, const Reading& reading,
                       const ExportOptions& options, const Interval& interval) {
  std::string out;
  Envelopes envelopes(options, interval, &out);
  for (const Entry* entry : entries) {
    for (const Meter& meter : entry->meters()) {
      if (meter.spec.name != kTokenUsage || meter.spec.kind != Kind::kHistogram) continue;
      PointWords words(meter.point_words);
      for (const Series* series : entry->Sorted(arena)) {
        Amount total;
        for (size_t point = 0; point < meter.spec.points.size(); ++point) {
          reading.Read(*series, meter, point, words.data());
          const Amount one{CountOf(meter, words.data()), SumOf(words.data() + meter.sum_word())};
          if (one.count == 0) continue;
          total = {std::max(total.count, one.count), total.sum + one.sum};
          const bool is_input = meter.spec.points[point][0] == "input";
          envelopes.Write(is_input ? "Prompt Tokens" : "Completion Tokens", one, *entry, *series);
        }
        if (total.count != 0) envelopes.Write("Total Tokens", total, *entry, *series);
      }
    }
  }
  return out;
}

}  // namespace weir::metrics
