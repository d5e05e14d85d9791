// OTLP/HTTP in JSON: opentelemetry-proto's metrics.proto by the protobuf JSON mapping with OTLP's
// exceptions: ids are hexadecimal, enumerations are numbers, 64-bit integers are strings.

#include <limits>

#include "base/json.h"
#include "metrics/export.h"
#include "metrics/text.h"

namespace weir::metrics {
namespace {

constexpr int kDelta = 1;  // AggregationTemporality
constexpr int kCumulative = 2;

void WriteAttribute(std::string_view name, std::string_view value, json::Writer* writer) {
  writer->BeginObject().Key("key").String(name);
  writer->Key("value").BeginObject().Key("stringValue").String(value).EndObject().EndObject();
}

class MeterJson {
 public:
  MeterJson(const Entry& entry, const Meter& meter, const Interval& interval, json::Writer* writer)
      : entry_(entry),
        meter_(meter),
        interval_(interval),
        writer_(*writer),
        words_(meter.point_words) {}

  void Write(const std::vector<const Series*>& all, const Reading& reading) {
    for (const Series* series : all) {
      for (size_t point = 0; point < meter_.points; ++point) {
        reading.Read(*series, meter_, point, words_.data());
        if ((interval_.is_delta || !entry_.is_lone()) && IsIdle(meter_, words_.data())) continue;
        if (!has_begun_) Begin();
        has_begun_ = true;
        WritePoint(*series, point);
      }
    }
    if (has_begun_) End();
  }
  bool has_begun() const { return has_begun_; }

 private:
  void Begin() {
    writer_.BeginObject().Key("name").String(meter_.spec.name);
    writer_.Key("description").String(meter_.spec.help);
    writer_.Key("unit").String(meter_.spec.unit);
    const Kind kind = meter_.spec.kind;
    writer_.Key(kind == Kind::kHistogram ? "histogram" : kind == Kind::kGauge ? "gauge" : "sum");
    writer_.BeginObject();
    if (kind != Kind::kGauge) {
      writer_.Key("aggregationTemporality").Int(interval_.is_delta ? kDelta : kCumulative);
    }
    if (kind == Kind::kCounter) writer_.Key("isMonotonic").Bool(true);
    writer_.Key("dataPoints").BeginArray();
  }
  void End() { writer_.EndArray().EndObject().EndObject(); }

  // A number in the unit, exactly.
  void WriteDecimal(uint128 value, bool negative) {
    std::string text(negative ? "-" : "");
    AppendDecimal(value, meter_.spec.scale, &text);
    writer_.Raw(text);
  }
  void WriteQuoted(uint64_t value) { writer_.String(std::to_string(value)); }

  // As an integer where it is one and fits.
  void WriteNumber(uint128 value, bool negative) {
    if (meter_.spec.scale == 1 && value <= std::numeric_limits<int64_t>::max()) {
      std::string text(negative ? "-" : "");
      AppendInteger(value, &text);
      writer_.Key("asInt").String(text);
    } else {
      writer_.Key("asDouble");
      WriteDecimal(value, negative);
    }
  }

  void WriteAttributes(const Series& series, size_t point) {
    writer_.Key("attributes").BeginArray();
    for (size_t i = 0; i < entry_.label_names().size(); ++i) {
      if (series.label(i).empty()) continue;
      WriteAttribute(entry_.label_names()[i], series.label(i), &writer_);
    }
    for (size_t i = 0; i < meter_.spec.labels.size(); ++i) {
      if (meter_.spec.points[point][i].empty()) continue;
      WriteAttribute(meter_.spec.labels[i], meter_.spec.points[point][i], &writer_);
    }
    writer_.EndArray();
  }

  void WritePoint(const Series& series, size_t point) {
    writer_.BeginObject();
    WriteAttributes(series, point);
    if (meter_.spec.kind != Kind::kGauge) {
      writer_.Key("startTimeUnixNano");
      WriteQuoted(static_cast<uint64_t>(interval_.start_unix_ns));
    }
    writer_.Key("timeUnixNano");
    WriteQuoted(static_cast<uint64_t>(interval_.end_unix_ns));
    switch (meter_.spec.kind) {
      case Kind::kGauge: {
        const bool negative = static_cast<int64_t>(words_[0]) < 0;
        WriteNumber(negative ? -words_[0] : words_[0], negative);
        break;
      }
      case Kind::kCounter:
        WriteNumber(SumOf(words_.data()), false);
        break;
      case Kind::kHistogram:
        WriteHistogram();
        break;
    }
    writer_.EndObject();
  }

  void WriteHistogram() {
    writer_.Key("count");
    WriteQuoted(CountOf(meter_, words_.data()));
    writer_.Key("sum");
    WriteDecimal(SumOf(words_.data() + meter_.sum_word()), false);
    writer_.Key("bucketCounts").BeginArray();
    for (size_t i = 0; i < meter_.sum_word(); ++i) WriteQuoted(words_[i]);
    writer_.EndArray().Key("explicitBounds").BeginArray();
    for (const uint64_t bound : meter_.spec.bounds) WriteDecimal(bound, false);
    writer_.EndArray();
    const uint64_t* exemplar = ExemplarOf(meter_, words_.data());
    if (exemplar == nullptr) return;
    std::string trace, span;
    AppendHex(exemplar[0], &trace);
    AppendHex(exemplar[1], &trace);
    AppendHex(exemplar[2], &span);
    writer_.Key("exemplars").BeginArray().BeginObject().Key("timeUnixNano");
    WriteQuoted(exemplar[4]);
    WriteNumber(exemplar[3], false);
    writer_.Key("spanId").String(span).Key("traceId").String(trace).EndObject().EndArray();
  }

  const Entry& entry_;
  const Meter& meter_;
  const Interval& interval_;
  json::Writer& writer_;
  PointWords words_;
  bool has_begun_ = false;
};

}  // namespace

std::string WriteOtlp(absl::Span<Entry* const> entries, const Arena& arena, const Reading& reading,
                      const ExportOptions& options, const Interval& interval) {
  std::string out;
  json::Writer writer(&out);
  writer.BeginObject().Key("resourceMetrics").BeginArray().BeginObject();
  writer.Key("resource").BeginObject().Key("attributes").BeginArray();
  for (const auto& [name, value] : options.resource) WriteAttribute(name, value, &writer);
  writer.EndArray().EndObject();
  writer.Key("scopeMetrics").BeginArray().BeginObject();
  writer.Key("scope").BeginObject().Key("name").String("weir");
  writer.Key("version").String(Version()).EndObject();
  writer.Key("metrics").BeginArray();
  bool has_any = false;
  for (const Entry* entry : entries) {
    const std::vector<const Series*> all = entry->Sorted(arena);
    for (const Meter& meter : entry->meters()) {
      MeterJson one(*entry, meter, interval, &writer);
      one.Write(all, reading);
      has_any = has_any || one.has_begun();
    }
  }
  if (!has_any) return {};
  writer.EndArray().EndObject().EndArray().EndObject().EndArray().EndObject();
  return out;
}

}  // namespace weir::metrics
